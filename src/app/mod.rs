//! The screen's state: pure logic, no tokio, no ratatui, no crossterm, no clock. [`App`] is the whole of it;
//! [`update()`] is the only thing that changes it; drawing reads it.

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
use crate::fleet::{AlertId, Fleet, Picture, Severity};
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

/// The whole state of the screen.
#[allow(clippy::struct_excessive_bools, reason = "independent switches, each with a key or a flag of its own")]
#[derive(Debug, Clone)]
pub struct App {
    pub cluster: Option<String>,
    pub config_path: Option<PathBuf>,
    pub query_timeout: Duration,
    pub theme: String,
    pub themes: Vec<String>,
    pub read_write: bool,
    pub ascii: bool,
    /// The wall clock as the last message told it; the header's clock.
    pub now: SystemTime,
    template: NodeConfig,
    /// What is known of the nodes.
    pub fleet: Fleet,
    /// The time that the screen shows while the picture is frozen (`p`).
    frozen: Option<SystemTime>,
    pub screen: Screen,
    /// The screens that led here, the first of them first.
    history: Vec<visit::Place>,
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
    pub summary: Lines,
    pub settings: Lines,
    pub query: Query,
    /// The tables of the views.
    pub views: Views,
    /// The cluster as its nodes tell it.
    pub topology: Topology,
    /// The rows of the alerts, and the state of all alerts that they were made from.
    pub alerts_table: Table<AlertId>,
    alerts_arranged: u64,
    /// The newest entry of the journal that [`Self::events_table`] knows of.
    journal_shown: u64,
    pub dialog: Option<Dialog>,
    /// The filters of tables that other screens show as well.
    parked: visit::Parked,
    /// The `:` or `/` line, while it is open.
    pub prompt: Option<Prompt>,
    pub notice: Option<Notice>,
    pub leaving: Option<Leaving>,
    /// Set by the last event of the manager.
    pub stopped: Option<ShutdownReport>,
    /// The errors of a file that became wrong, until it is right again.
    pub reload_errors: Vec<String>,
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

impl App {
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
            wrap: false,
            nodes_table: Table::following(),
            events_table: Table::default(),
            summary: Lines::default(),
            settings: Lines::default(),
            query: Query::new(setup.history),
            views: Views::new(setup.columns),
            topology: Topology::default(),
            alerts_table: Table::following(),
            alerts_arranged: 0,
            journal_shown: 0,
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

    /// What to draw: the frozen picture, else the live one.
    pub fn picture(&self) -> &Picture {
        self.frozen.map_or_else(|| self.fleet.now(), |time| self.fleet.at(time))
    }

    /// Since when the picture is frozen.
    pub fn frozen_since(&self) -> Option<SystemTime> {
        self.frozen
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
