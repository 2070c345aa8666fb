//! The event log as a program reads it: line by line while it grows, each with the time of the manager.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

/// A line.
pub struct Line {
    pub at: SystemTime,
    pub event: String,
    pub node: String,
    fields: Value,
}

impl Line {
    fn parse(line: &str) -> Self {
        let fields: Value = serde_json::from_str(line).expect("a line of the event log is JSON");
        let text = |key: &str| fields[key].as_str().unwrap_or_default().to_owned();
        let at: jiff::Timestamp = text("at").parse().expect("a line of the event log has its time");
        Self { at: at.into(), event: text("event"), node: text("node"), fields }
    }

    /// The state that a node entered, if this is a `health` line.
    pub fn entered(&self) -> Option<&str> {
        if self.event == "health" { self.fields["to"].as_str() } else { None }
    }

    /// The kind of the error that a `health` line gives as its reason.
    pub fn kind(&self) -> &str {
        self.fields["error"]["kind"].as_str().unwrap_or("-")
    }

    pub fn text(&self, key: &str) -> &str {
        self.fields[key].as_str().unwrap_or_default()
    }

    pub fn number(&self, key: &str) -> u64 {
        self.fields[key].as_u64().unwrap_or_default()
    }
}

/// The log of a dashboard as far as it was read.
pub struct Log {
    file: File,
    rest: String,
    pub lines: Vec<Line>,
}

impl Log {
    pub fn open(path: &Path) -> Self {
        Self { file: File::open(path).expect("the event log is there"), rest: String::new(), lines: Vec::new() }
    }

    /// Reads the lines written since the last call.
    pub fn read(&mut self) {
        self.file.read_to_string(&mut self.rest).expect("the event log is text");
        while let Some((line, rest)) = self.rest.split_once('\n') {
            self.lines.push(Line::parse(line));
            self.rest = rest.to_owned();
        }
    }

    /// The state of a node in its last `health` line.
    pub fn state(&self, node: &str) -> &str {
        let entered = self.lines.iter().rev().filter(|line| line.node == node).find_map(Line::entered);
        entered.unwrap_or("connecting")
    }

    /// Probes that a node missed, from its last `pool` line, and when that was written.
    pub fn missed(&self, node: &str) -> Option<(SystemTime, u64)> {
        let last = self.lines.iter().rev().find(|line| line.event == "pool" && line.node == node)?;
        Some((last.at, last.number("probes_missed")))
    }
}
