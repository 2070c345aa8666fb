//! The screen's state: pure logic, no tokio, no ratatui, no crossterm, no clock. [`App`] is the whole of it;
//! [`update()`] is the only thing that changes it; drawing reads it.

pub mod action;
pub mod alerts;
mod arrange;
mod available;
mod back;
pub mod command;
pub mod confirm;
mod cost;
pub mod cursor;
mod dialogs;
pub mod editor;
mod events;
mod export;
pub mod filter;
mod filtering;
pub mod form;
mod history;
pub mod input;
pub mod journal;
pub mod key;
pub mod keymap;
mod leaving;
pub mod mouse;
mod movement;
pub mod nodes;
pub mod prompt;
pub mod query;
mod refused;
pub mod results;
pub mod screen;
pub mod sheets;
pub mod tables;
mod targets;
pub mod topology;
pub mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::model::protocol::ShutdownReport;
use crate::model::{Command, Event, NodeConfig, NodeName, Rule, Thresholds, View};

pub use action::Action;
pub use alerts::Alerts;
pub use confirm::Confirm;
pub use cost::{Cost, CostRate};
pub use cursor::Cursor;
pub use export::{Export, ExportFormat};
pub use filter::Filter;
pub use form::Form;
pub use journal::{Journal, Severity};
pub use key::{Key, KeyCode};
pub use leaving::Leaving;
pub use mouse::{Drawn, DrawnPane, Mouse, MouseKind, Rect};
pub use nodes::{Node, Nodes};
pub use prompt::Prompt;
pub use query::Query;
pub use screen::{Pane, Screen};
pub use sheets::Sheets;
pub use tables::Table;
pub use topology::Topology;
pub use update::update;

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

/// What a file that was read anew says (F9).
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

/// What drawing shows of the cluster. There is a live one, and a frozen copy while the picture is frozen (`p`).
#[derive(Debug, Clone)]
pub struct Picture {
    /// The time this picture shows: every age in it counts up to here.
    pub at: SystemTime,
    pub nodes: Nodes,
    pub journal: Journal,
}

/// What stands over the screen and takes all keys.
#[derive(Debug, Clone)]
pub enum Dialog {
    Form(Box<Form>),
    Confirm(Confirm),
    /// The help, scrolled so many lines down.
    Help(Cursor),
    /// The columns of the table, to be shown or hidden.
    Columns(Cursor),
}

/// A passing remark in the line above the keys, in place of the newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub text: String,
    pub until: SystemTime,
}

/// The whole state of the screen.
#[allow(clippy::struct_excessive_bools, reason = "independent switches, each with a key or a flag of its own")]
#[derive(Debug, Clone)]
pub struct App {
    pub cluster: Option<String>,
    pub config_path: Option<PathBuf>,
    pub refresh: Duration,
    pub query_timeout: Duration,
    pub theme: String,
    pub themes: Vec<String>,
    pub thresholds: Thresholds,
    pub read_write: bool,
    pub ascii: bool,
    /// The wall clock as the last message told it; the header's clock.
    pub now: SystemTime,
    template: NodeConfig,
    live: Picture,
    frozen: Option<Box<Picture>>,
    pub screen: Screen,
    /// The screens that led here, the first of them first.
    history: Vec<history::Place>,
    /// The pane that has the focus.
    pub pane: Pane,
    /// Where there is room for one lower pane only: which one.
    pub lower: Pane,
    /// The focused pane fills the screen.
    pub zoomed: bool,
    /// Long text wraps instead of being cut.
    pub wrap: bool,
    /// The rows of screen 1. Its selected row is *the* selected node, on every screen.
    pub nodes_table: Table<NodeName>,
    /// The rows of the journal, newest first; on the detail screen those of the selected node.
    pub events_table: Table<u64>,
    /// How far the panes of plain lines are scrolled.
    pub summary: Cursor,
    pub settings: Cursor,
    /// Of the lines about the server of a node.
    pub settings_filter: Filter,
    pub query: Query,
    /// The tables of the views.
    pub sheets: Sheets,
    /// The cluster as its nodes tell it.
    pub topology: Topology,
    /// What the rules found.
    pub alerts: Alerts,
    pub dialog: Option<Dialog>,
    /// The filters of tables that other screens show as well.
    parked: filtering::Parked,
    /// The `:` or `/` line, while it is open.
    pub prompt: Option<Prompt>,
    pub notice: Option<Notice>,
    pub leaving: Option<Leaving>,
    /// Set by the last event of the manager.
    pub stopped: Option<ShutdownReport>,
    /// The errors of a file that became wrong, until it is right again (F9).
    pub reload_errors: Vec<String>,
    /// What our own questions cost the servers.
    pub cost: Cost,
    /// What the last drawing measured.
    pub drawn: Drawn,
    /// A node that the form added: selected as soon as the manager has it.
    expected: Option<NodeName>,
    /// Commands that found the manager's channel full and must not be lost.
    unsent: Vec<Command>,
    next_id: u64,
    /// Rows may have to move or vanish: seen to once a frame, however many nodes changed.
    unarranged: bool,
    dirty: bool,
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
    /// The file was read anew (F9), by itself or through [`Effect::Reload`]: what it says, or what is wrong with it.
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

impl App {
    pub fn new(setup: Setup, now: SystemTime) -> Self {
        let nodes = Nodes::new(setup.nodes, now);
        let mut app = Self {
            cluster: setup.cluster,
            config_path: setup.config_path,
            refresh: setup.refresh,
            query_timeout: setup.query_timeout,
            theme: setup.theme,
            themes: setup.themes,
            thresholds: setup.thresholds,
            read_write: setup.read_write,
            ascii: setup.ascii,
            now,
            template: setup.template,
            live: Picture { at: now, nodes, journal: Journal::default() },
            frozen: None,
            screen: Screen::Nodes,
            history: Vec::new(),
            pane: Pane::Nodes,
            lower: Pane::Summary,
            zoomed: false,
            wrap: false,
            nodes_table: Table::following(),
            events_table: Table::default(),
            summary: Cursor::default(),
            settings: Cursor::default(),
            settings_filter: Filter::default(),
            query: Query::new(setup.history),
            sheets: Sheets::new(setup.columns),
            topology: Topology::default(),
            alerts: Alerts::default(),
            dialog: None,
            parked: filtering::Parked::default(),
            prompt: None,
            notice: None,
            leaving: None,
            stopped: None,
            reload_errors: Vec::new(),
            cost: Cost::default(),
            drawn: Drawn::default(),
            expected: None,
            unsent: Vec::new(),
            next_id: 1,
            unarranged: false,
            dirty: true,
        };
        app.arrange_nodes();
        if app.is_empty() {
            app.open_add_form();
        }
        app
    }

    /// What to draw: the frozen picture, else the live one.
    pub fn picture(&self) -> &Picture {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// Since when the picture is frozen.
    pub fn frozen_since(&self) -> Option<SystemTime> {
        self.frozen.as_ref().map(|picture| picture.at)
    }

    /// The selected node, as the picture shows it.
    pub fn selected(&self) -> Option<&Node> {
        self.picture().nodes.get(self.nodes_table.selected()?)
    }

    /// Whether something changed since the last call: then draw.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Nothing is configured and nothing was added: the screen says what to do.
    pub fn is_empty(&self) -> bool {
        self.live.nodes.is_empty()
    }

    fn say(&mut self, severity: Severity, text: impl Into<String>) {
        let until = self.now + Duration::from_secs(6);
        self.notice = Some(Notice { severity, text: text.into(), until });
    }

    fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
