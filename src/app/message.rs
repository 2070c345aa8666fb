//! What enters the state and what leaves it: messages, effects, and the plain data that they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use super::{Drawn, Key};
use crate::fleet::Severity;
use crate::model::protocol::NodeOutcome;
use crate::model::{Change, Command, Event, NodeConfig, NodeName, Rule, Thresholds, View};

/// What the dashboard starts with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The name of the cluster, if the file has clusters.
    pub cluster: Option<String>,
    /// The file that was read; `None` without one.
    pub config_path: Option<PathBuf>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeConfig>,
    /// The interval at which figures are refreshed.
    pub refresh: Duration,
    /// How long a statement may run on a node.
    pub query_timeout: Duration,
    /// The name of the theme.
    pub theme: String,
    /// The names of all themes.
    pub themes: Vec<String>,
    /// The limits above which a figure is a warning or critical.
    pub thresholds: Thresholds,
    /// The settings of a node added with the form that have no field: pool, health, where passwords come from. Its
    /// name and host are ignored.
    pub template: NodeConfig,
    /// True for `--read-write`: sessions may write, unless the file forbids it.
    pub read_write: bool,
    /// True if the terminal can show only ASCII.
    pub ascii: bool,
    /// Statements and commands of earlier runs, oldest first.
    pub history: Vec<String>,
    /// The columns that earlier runs showed or hid, contrary to the file of their view.
    pub columns: ChosenColumns,
}

/// Names of columns by the name of their view.
pub type ChosenColumns = BTreeMap<String, BTreeSet<String>>;

/// What a file says that was read again.
#[derive(Debug, Clone)]
pub struct Reread {
    /// The name of the cluster, if the file has clusters.
    pub cluster: Option<String>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeConfig>,
    /// How long a statement may run on a node.
    pub query_timeout: Duration,
    /// The limits above which a figure is a warning or critical.
    pub thresholds: Thresholds,
    /// The settings of a node added with the form that have no field.
    pub template: NodeConfig,
    /// The refresh interval, only if the file has changed it: a key changes it too.
    pub refresh: Option<Duration>,
    /// The name of the theme, only if the file has changed it: a key changes it too.
    pub theme: Option<String>,
}

/// A short-lived message in the line above the keys, in place of the newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// The message.
    pub text: String,
    /// When it disappears.
    pub until: SystemTime,
}

/// Everything that may change the state.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// The mouse was used.
    Mouse(Mouse),
    /// Text was pasted (bracketed paste).
    Paste(String),
    /// The terminal has a new size.
    Resize {
        /// The width in columns.
        width: u16,
        /// The height in rows.
        height: u16,
    },
    /// The connection manager reported something.
    Event(Event),
    /// The time, at least once a second.
    Tick(SystemTime),
    /// A frame is about to be drawn: rows that wait to be arranged are arranged.
    Frame,
    /// All views and rules of alerts were read, with the errors in the user's own.
    Views(IndexMap<String, Arc<View>>, Vec<Arc<Rule>>, Vec<String>),
    /// What drawing measured, after each frame.
    Drawn(Drawn),
    /// The manager's channel was full: this command was not sent.
    Busy(Box<Command>),
    /// The file was read again, because it changed or through [`Effect::Reload`]: its contents, or its errors.
    Reloaded(Result<Box<Reread>, Vec<String>>),
    /// An effect failed (the clipboard, the history file): the text for the user.
    Failed(String),
    /// An effect that takes time succeeded: the text for the user.
    Done(String),
    /// SIGTERM, SIGHUP or SIGINT: leave at once and cancel what runs.
    Terminate,
}

/// What the state asks the outside world to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// `try_send` to the manager; [`Msg::Busy`] if its channel is full.
    Send(Command),
    /// Write a change of a server to the event log, if there is one.
    Log(Change),
    /// Copy to the terminal's clipboard (OSC 52). The text may come from a server: encode it, never print it.
    Copy(String),
    /// Read the file again and answer [`Msg::Reloaded`].
    Reload,
    /// Write answers to a new file and answer [`Msg::Done`] or [`Msg::Failed`].
    Export(Box<Export>),
    /// Save which columns were chosen.
    SaveColumns(ChosenColumns),
    /// Append a command or statement to the history file; it may contain line breaks.
    SaveHistory(String),
    /// Write the whole next frame, whatever the terminal shows.
    Redraw,
    /// Stop the program, as Ctrl-Z usually does, until the shell resumes it.
    Suspend,
    /// Leave the loop now.
    Quit,
}

/// A mouse event, reduced to what the dashboard understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What the mouse did.
    pub kind: MouseKind,
    /// The column of the pointer.
    pub x: u16,
    /// The row of the pointer.
    pub y: u16,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button was pressed.
    Click,
    /// The wheel was turned up.
    ScrollUp,
    /// The wheel was turned down.
    ScrollDown,
    /// The wheel was turned left.
    ScrollLeft,
    /// The wheel was turned right.
    ScrollRight,
}

/// The user is leaving: pgwatch is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// The number of queries still waited for.
    pub queries: u32,
    /// When waiting ends, once the manager has reported it.
    pub until: Option<SystemTime>,
    /// True if the queries are waited for; false if they are being cancelled.
    pub drain: bool,
    /// Since when that has been so.
    pub since: SystemTime,
}

impl Leaving {
    /// How much longer queries are waited for; `None` before the manager has reported it.
    pub fn left(&self, now: SystemTime) -> Option<Duration> {
        self.until.map(|until| until.duration_since(now).unwrap_or_default())
    }
}

/// The answers received so far to the last statement. The rows are shared, not copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The file to write.
    pub path: PathBuf,
    /// The format to write.
    pub format: ExportFormat,
    /// The statement.
    pub statement: String,
    /// How long the statement ran, or has run so far.
    pub elapsed: Duration,
    /// What each node answered.
    pub nodes: Vec<(NodeName, Arc<NodeOutcome>)>,
}

/// The format of an export, taken from the file name's extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values.
    Csv,
    /// JSON.
    Json,
}
