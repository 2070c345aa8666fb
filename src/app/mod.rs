//! The screen's state: pure logic, no tokio, no ratatui, no crossterm, no clock. [`App`] is all of it; only
//! [`update()`] changes it; drawing reads it.

pub mod dialogs;
pub mod drawn;
pub mod keys;
pub mod message;
pub mod panes;
pub mod query;
pub mod rows;
pub mod screen;
pub mod typing;
pub mod update;
pub mod views;
mod visit;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use panes::lines::Lines;

use crate::fleet::nodes::Node;
use crate::fleet::{Fleet, Picture, Severity};
use crate::model::protocol::ShutdownReport;
use crate::model::{Command, NodeConfig, NodeName};

pub use dialogs::confirm::Confirm;
pub use dialogs::form::Form;
pub use drawn::{Drawn, DrawnPane, Rect};
pub use keys::action::Action;
pub use keys::key::{Key, KeyCode};
pub use message::{ChosenColumns, Effect, Export, ExportFormat, Leaving, Mouse, MouseKind, Msg, Notice, Reread, Setup};
pub use panes::topology::Topology;
pub use query::Query;
pub use rows::cursor::Cursor;
pub use rows::filter::Filter;
pub use rows::table::Table;
pub use screen::{Pane, Screen};
pub use typing::prompt::Prompt;
pub use update::update;
pub use views::Views;

/// A dialog over the screen, which takes all keys.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// The form that adds or edits a node.
    Form(Box<Form>),
    /// A question.
    Confirm(Confirm),
    /// The help, with how far it is scrolled.
    Help(Cursor),
    /// The columns of the table, to be shown or hidden.
    Columns(Cursor),
}

/// The whole state of the screen.
#[allow(clippy::struct_excessive_bools, reason = "independent switches, each with a key or a flag of its own")]
#[derive(Debug, Clone)]
pub struct App {
    /// The name of the cluster, if the file has clusters.
    pub cluster: Option<String>,
    /// The file that was read; `None` without one.
    pub config_path: Option<PathBuf>,
    /// How long a statement may run on a node.
    pub query_timeout: Duration,
    /// The name of the theme.
    pub theme: String,
    /// The names of all themes.
    pub themes: Vec<String>,
    /// True if sessions may write, unless the file forbids it.
    pub read_write: bool,
    /// True if the terminal can show only ASCII.
    pub ascii: bool,
    /// The time of the last message; the header's clock shows it.
    pub now: SystemTime,
    template: NodeConfig,
    /// What is known of the nodes.
    pub fleet: Fleet,
    /// The time of the picture that the screen shows while it is frozen (`p`).
    frozen: Option<SystemTime>,
    /// The screen that is shown.
    pub screen: Screen,
    /// The screens visited on the way to this one, the first one first.
    history: Vec<visit::Place>,
    /// The pane that has the focus.
    pub pane: Pane,
    /// The lower pane that is shown where there is room for only one.
    pub lower: Pane,
    /// True if the focused pane fills the screen.
    pub zoomed: bool,
    /// True while the pane of events shows what the selected entry consists of.
    pub details: bool,
    /// True if long text wraps; false if it is cut.
    pub wrap: bool,
    /// The rows of screen 1. Its selected row is *the* selected node, on every screen.
    pub nodes_table: Table<NodeName>,
    /// The rows of the journal, newest first; on the detail screen those of the selected node.
    pub events_table: Table<u64>,
    /// How far the summary of a node is scrolled.
    pub summary: Lines,
    /// How far the settings of a node are scrolled.
    pub settings: Lines,
    /// Statements: the editor, the answers and the history.
    pub query: Query,
    /// The tables of the views.
    pub views: Views,
    /// The cluster as its nodes report it.
    pub topology: Topology,
    /// The rows of the alerts, and [`Alerts::changes`](crate::fleet::alerts::Alerts::changes) when they were arranged.
    pub alerts_table: Table<panes::alerts::AlertKey>,
    /// What could not be judged, when the rows of the alerts were arranged.
    pub silence: panes::alerts::Silence,
    alerts_arranged: u64,
    /// The number of the newest journal entry in [`Self::events_table`].
    journal_shown: u64,
    /// [`Journal::amended`](crate::fleet::Journal::amended) when its rows were last arranged.
    journal_amended: u64,
    /// The open dialog.
    pub dialog: Option<Dialog>,
    /// The filters of tables that several screens show, as the other screens left them.
    parked: visit::Parked,
    /// The `:` or `/` line, while it is open.
    pub prompt: Option<Prompt>,
    /// The short-lived message above the keys.
    pub notice: Option<Notice>,
    /// Set once the user is leaving.
    pub leaving: Option<Leaving>,
    /// Set by the last event of the manager.
    pub stopped: Option<ShutdownReport>,
    /// The errors of a file that became invalid, until it is valid again.
    pub reload_errors: Vec<String>,
    /// What the last frame measured.
    pub drawn: Drawn,
    /// A node that the form added: it is selected as soon as the manager reports it.
    expected: Option<NodeName>,
    /// Commands that must not be lost and that found the manager's channel full.
    unsent: Vec<Command>,
    next_id: u64,
    /// True if rows may have to move or vanish. They are arranged once per frame, however many nodes changed.
    unarranged: bool,
    dirty: bool,
}

impl App {
    /// The state at the start.
    pub fn new(setup: Setup, now: SystemTime) -> Self {
        let mut app = Self {
            cluster: setup.cluster,
            config_path: setup.config_path,
            query_timeout: setup.query_timeout,
            theme: setup.theme,
            themes: setup.themes,
            read_write: setup.read_write,
            ascii: setup.ascii,
            now,
            template: setup.template,
            fleet: Fleet::new(setup.nodes, setup.refresh, setup.thresholds, now),
            frozen: None,
            screen: Screen::Nodes,
            history: Vec::new(),
            pane: Pane::Nodes,
            lower: Pane::Summary,
            zoomed: false,
            details: false,
            wrap: false,
            nodes_table: Table::following(),
            events_table: Table::default(),
            summary: Lines::default(),
            settings: Lines::default(),
            query: Query::new(setup.history),
            views: Views::new(setup.columns),
            topology: Topology::default(),
            alerts_table: Table::following(),
            silence: panes::alerts::Silence::default(),
            alerts_arranged: 0,
            journal_shown: 0,
            journal_amended: 0,
            dialog: None,
            parked: visit::Parked::default(),
            prompt: None,
            notice: None,
            leaving: None,
            stopped: None,
            reload_errors: Vec::new(),
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

    /// The picture to draw: the frozen one, else the current one.
    pub fn picture(&self) -> &Picture {
        self.frozen.map_or_else(|| self.fleet.now(), |time| self.fleet.at(time))
    }

    /// Since when the picture is frozen; `None` if it is not.
    pub fn frozen_since(&self) -> Option<SystemTime> {
        self.frozen
    }

    /// The selected node, as the picture shows it.
    pub fn selected(&self) -> Option<&Node> {
        self.picture().nodes.get(self.nodes_table.selected()?)
    }

    /// True if something changed since the last call: a frame is to be drawn.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// True without any node: the screen then explains how to add one.
    pub fn is_empty(&self) -> bool {
        self.fleet.now().nodes.is_empty()
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
