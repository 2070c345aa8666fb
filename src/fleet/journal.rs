//! What happened, newest last: a bounded list of lines made from the manager's events.

pub(in crate::fleet) mod wording;

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::model::NodeName;

/// How much a line matters; its sign and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something came: a node added.
    Added,
    /// Something left as it was told: a node removed.
    Removed,
    Info,
    /// It is well again.
    Good,
    Warning,
    Critical,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Info => "info",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    pub fn is_problem(self) -> bool {
        self >= Self::Warning
    }
}

/// One line. `what` and `text` may hold text of a server: make it safe before it reaches a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts up: the key of the line.
    pub seq: u64,
    pub at: SystemTime,
    pub node: Option<NodeName>,
    pub severity: Severity,
    /// What happened in two or three words: `healthy → unhealthy`, `node added`.
    pub what: String,
    /// Why, and the figures.
    pub text: String,
}

/// The newest lines.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    lines: VecDeque<Entry>,
    /// Of the line that came last.
    seq: u64,
}

impl Journal {
    /// Lines kept: hours of a restless cluster, some megabytes at most.
    pub const CAPACITY: usize = 5_000;

    /// Takes a line in, and says which number it got.
    pub(in crate::fleet) fn push(&mut self, mut line: Entry) -> u64 {
        self.seq += 1;
        line.seq = self.seq;
        if self.lines.len() == Self::CAPACITY {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.seq
    }

    /// The number of the newest entry; 0 before the first.
    pub fn newest_seq(&self) -> u64 {
        self.seq
    }

    pub fn newest(&self) -> Option<&Entry> {
        self.lines.back()
    }

    /// The line of that key. Lines stand in the order of their keys.
    pub fn get(&self, seq: u64) -> Option<&Entry> {
        let at = self.lines.binary_search_by_key(&seq, |line| line.seq).ok()?;
        self.lines.get(at)
    }

    /// Newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.lines.iter().rev()
    }

    /// Of one node, newest first.
    pub fn of<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a Entry> {
        self.iter().filter(move |line| line.node.as_ref() == Some(node))
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
