//! The screens there are and the panes on them.

/// What fills the terminal between the header and the key line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    Nodes,
    /// One node at length: the selected one.
    Detail,
    Query,
    Events,
}

impl Screen {
    /// The screens of the tab line, in its order.
    pub const TABS: [Self; 3] = [Self::Nodes, Self::Query, Self::Events];

    /// The digit that opens it; the detail screen is opened from a row.
    pub fn digit(self) -> Option<char> {
        match self {
            Self::Nodes => Some('1'),
            Self::Query => Some('9'),
            Self::Events => Some('0'),
            Self::Detail => None,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::Detail => "Node",
            Self::Query => "Query",
            Self::Events => "Events",
        }
    }

    /// Its panes in the order of `Tab`; the first has the focus when it opens.
    pub fn panes(self) -> &'static [Pane] {
        match self {
            Self::Nodes => &[Pane::Nodes, Pane::Summary, Pane::Result, Pane::Events],
            Self::Detail => &[Pane::Summary, Pane::Settings, Pane::Events],
            Self::Query => &[Pane::Editor, Pane::Result],
            Self::Events => &[Pane::Events],
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
}
