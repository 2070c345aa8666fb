//! What comes into the state and what goes out of it: messages, effects, and the plain facts that they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use super::{Drawn, Key};
use crate::fleet::Severity;
use crate::model::protocol::NodeOutcome;
use crate::model::{Command, Event, NodeConfig, NodeName, Rule, Thresholds, View};

/// What the dashboard starts with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The cluster's name, where the file has clusters.
    pub cluster: Option<String>,
    /// The file that was read; `None` without one.
    pub config_path: Option<PathBuf>,
    /// In the order of the file.
    pub nodes: Vec<NodeConfig>,
    pub refresh: Duration,
    pub query_timeout: Duration,
    /// The theme's name, and all names there are.
    pub theme: String,
    pub themes: Vec<String>,
    pub thresholds: Thresholds,
    /// What a node added by the form has beyond its fields: pool, health, where passwords come from. Its name and
    /// host do not matter.
    pub template: NodeConfig,
    /// `--read-write`: sessions may write, where the file does not forbid it.
    pub read_write: bool,
    /// The terminal shows nothing but ASCII.
    pub ascii: bool,
    /// Statements and commands of earlier runs, oldest first.
    pub history: Vec<String>,
    /// For each view the columns whose being shown is not what its file says, chosen in earlier runs.
    pub columns: ChosenColumns,
}

/// Names of columns by the name of their view.
pub type ChosenColumns = BTreeMap<String, BTreeSet<String>>;

/// What a file that was read anew says.
#[derive(Debug, Clone)]
pub struct Reread {
    pub cluster: Option<String>,
    pub nodes: Vec<NodeConfig>,
    pub query_timeout: Duration,
    pub thresholds: Thresholds,
    pub template: NodeConfig,
    /// Only where the file says something else than before: keys change these two as well.
    pub refresh: Option<Duration>,
    pub theme: Option<String>,
}

/// A passing remark in the line above the keys, in place of the newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub text: String,
    pub until: SystemTime,
}

/// Everything that may change the state.
#[derive(Debug, Clone)]
pub enum Msg {
    Key(Key),
    Mouse(Mouse),
    /// Bracketed paste.
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    Event(Event),
    /// The time, at least once a second.
    Tick(SystemTime),
    /// A frame is about to be drawn: what waited for it is put in order.
    Frame,
    /// The views and the rules of alerts were read: all of them, and what is wrong with the user's own.
    Views(IndexMap<String, Arc<View>>, Vec<Arc<Rule>>, Vec<String>),
    /// What drawing measured: after each frame.
    Drawn(Drawn),
    /// The manager's channel was full: this command was not sent.
    Busy(Box<Command>),
    /// The file was read anew, by itself or through [`Effect::Reload`]: what it says, or what is wrong with it.
    Reloaded(Result<Box<Reread>, Vec<String>>),
    /// An effect did not work out (the clipboard, the history file): what to tell.
    Failed(String),
    /// An effect that takes its time worked out: what to tell.
    Done(String),
    /// SIGTERM, SIGHUP or SIGINT: leave at once, cancelling what runs.
    Terminate,
}

/// What the world is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// `try_send` to the manager; [`Msg::Busy`] if its channel is full.
    Send(Command),
    /// To the terminal's clipboard (OSC 52). May hold text of a server: encode it, never print it.
    Copy(String),
    /// Read the file again, answer [`Msg::Reloaded`].
    Reload,
    /// Write answers to a new file, answer [`Msg::Done`] or [`Msg::Failed`].
    Export(Box<Export>),
    /// Keep which columns are chosen.
    SaveColumns(ChosenColumns),
    /// Append a command or statement to the history file; it may hold line breaks.
    SaveHistory(String),
    /// Write the next frame whole, whatever the terminal shows.
    Redraw,
    /// Stop the program as Ctrl-Z does elsewhere; it goes on when the shell says so.
    Suspend,
    /// Leave the loop now.
    Quit,
}

/// A mouse event, reduced to what the dashboard understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub kind: MouseKind,
    pub x: u16,
    pub y: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    ScrollUp,
    ScrollDown,
    ScrollLeft,
    ScrollRight,
}

/// Leaving has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// Queries still waited for, and until when, once the manager has said so.
    pub queries: u32,
    pub until: Option<SystemTime>,
    /// They are waited for; else they are being cancelled.
    pub drain: bool,
    /// Since when it has been so.
    pub since: SystemTime,
}

impl Leaving {
    /// How long queries are waited for from here.
    pub fn left(&self, now: SystemTime) -> Option<Duration> {
        self.until.map(|until| until.duration_since(now).unwrap_or_default())
    }
}

/// The answers that have come to the last statement. The rows are shared, not copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    pub path: PathBuf,
    pub format: ExportFormat,
    pub statement: String,
    pub elapsed: Duration,
    pub nodes: Vec<(NodeName, Arc<NodeOutcome>)>,
}

/// By the end of the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    Csv,
    Json,
}
