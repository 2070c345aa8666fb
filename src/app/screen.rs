//! The screens there are and the panes on them.

use crate::model::view::ViewScreen;

/// What fills the terminal between the header and the key line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    Nodes,
    /// One node at length: the selected one.
    Detail,
    /// Who receives from whom.
    Topology,
    /// Tables of views.
    View(ViewScreen),
    Query,
    Events,
    /// What the rules found.
    Alerts,
}

impl Screen {
    /// The screens of the tab line, in its order.
    pub const TABS: [Self; 10] = [
        Self::Nodes,
        Self::Topology,
        Self::View(ViewScreen::Activity),
        Self::View(ViewScreen::Locks),
        Self::View(ViewScreen::Replication),
        Self::View(ViewScreen::Statements),
        Self::View(ViewScreen::Tables),
        Self::View(ViewScreen::Io),
        Self::Query,
        Self::Events,
    ];

    /// The digit that opens it; the detail screen is opened from a row, the alerts by a letter.
    pub fn digit(self) -> Option<char> {
        match self {
            Self::Nodes => Some('1'),
            Self::Topology => Some('2'),
            Self::View(ViewScreen::Activity) => Some('3'),
            Self::View(ViewScreen::Locks) => Some('4'),
            Self::View(ViewScreen::Replication) => Some('5'),
            Self::View(ViewScreen::Statements) => Some('6'),
            Self::View(ViewScreen::Tables) => Some('7'),
            Self::View(ViewScreen::Io) => Some('8'),
            Self::Query => Some('9'),
            Self::Events => Some('0'),
            Self::Detail | Self::Alerts | Self::View(ViewScreen::Other) => None,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::Detail => "Node",
            Self::Topology => "Topology",
            Self::View(ViewScreen::Activity) => "Activity",
            Self::View(ViewScreen::Locks) => "Locks",
            Self::View(ViewScreen::Replication) => "Replication",
            Self::View(ViewScreen::Statements) => "Statements",
            Self::View(ViewScreen::Tables) => "Tables",
            Self::View(ViewScreen::Io) => "I/O",
            Self::View(ViewScreen::Other) => "View",
            Self::Query => "Query",
            Self::Events => "Events",
            Self::Alerts => "Alerts",
        }
    }

    /// The title where there is little room.
    pub fn short_title(self) -> &'static str {
        match self {
            Self::Topology => "Topo",
            Self::View(ViewScreen::Activity) => "Act",
            Self::View(ViewScreen::Replication) => "Repl",
            Self::View(ViewScreen::Statements) => "Stmts",
            other => other.title(),
        }
    }

    /// The title in 80 columns, where all screens are in one line.
    pub fn shortest_title(self) -> &'static str {
        match self {
            Self::View(ViewScreen::Locks) => "Lock",
            Self::View(ViewScreen::Statements) => "Stmt",
            Self::View(ViewScreen::Tables) => "Tab",
            Self::Query => "Qry",
            Self::Events => "Ev",
            Self::Alerts => "Alert",
            other => other.short_title(),
        }
    }

    /// Its panes in the order of `Tab`; the first has the focus when it opens.
    pub fn panes(self) -> &'static [Pane] {
        match self {
            Self::Nodes => &[Pane::Nodes, Pane::Summary, Pane::Result, Pane::Events],
            Self::Detail => &[Pane::Summary, Pane::Settings, Pane::Events],
            Self::Topology => &[Pane::Topology],
            Self::View(_) => &[Pane::View],
            Self::Query => &[Pane::Editor, Pane::Result],
            Self::Events => &[Pane::Events],
            Self::Alerts => &[Pane::Alerts],
        }
    }
}

/// A part of a screen that can have the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    /// The table of nodes.
    Nodes,
    /// Health, latency, pool and figures of the selected node.
    Summary,
    /// The answers to the last statement.
    Result,
    /// The journal.
    Events,
    /// Settings that matter of the selected node.
    Settings,
    /// Where the statement is written.
    Editor,
    /// The picture of the cluster.
    Topology,
    /// The table of a view, or one row of it at length.
    View,
    /// The list of alerts.
    Alerts,
}
