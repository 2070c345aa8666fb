//! The screens, one row each, and the panes on them.

use super::keys::action::Action;
use super::keys::keymap::Place;
use crate::model::view::ViewScreen;

/// What fills the terminal between the header and the key line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    /// The table of nodes.
    Nodes,
    /// The selected node in detail.
    Detail,
    /// The cluster: which node receives from which.
    Topology,
    /// Tables of views.
    View(ViewScreen),
    /// The editor of statements and the answers.
    Query,
    /// The journal.
    Events,
    /// The alerts that the rules raised.
    Alerts,
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
    /// The important settings of the selected node.
    Settings,
    /// The editor of statements.
    Editor,
    /// The tree of the cluster.
    Topology,
    /// The table of a view, or one of its rows in full.
    View,
    /// The list of alerts.
    Alerts,
}

impl Pane {
    /// All panes.
    pub const ALL: [Self; 9] = [
        Self::Nodes,
        Self::Summary,
        Self::Result,
        Self::Events,
        Self::Settings,
        Self::Editor,
        Self::Topology,
        Self::View,
        Self::Alerts,
    ];
}

/// Everything fixed about a screen.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Which screen it is.
    pub screen: Screen,
    /// The action that opens it; `None` for a screen that is opened from a row or by name.
    pub action: Option<Action>,
    /// The digit that opens it; `None` for a screen that is not in the tab line.
    pub digit: Option<char>,
    /// The title, and two shorter ones: for less room, and for 80 columns, where all screens are in one line.
    pub titles: [&'static str; 3],
    /// The command after `:`: its name, its argument as the help shows it, and what it does.
    pub command: [&'static str; 3],
    /// The section of the key map for this screen.
    pub place: Place,
    /// Its panes in the order of `Tab`. The first one has the focus when the screen opens.
    pub panes: &'static [Pane],
}

/// A screen of one table that has a digit.
const fn view(
    screen: ViewScreen,
    action: Action,
    digit: char,
    titles: [&'static str; 3],
    command: [&'static str; 3],
) -> About {
    let (screen, place, panes): (_, _, &[Pane]) = (Screen::View(screen), Place::View, &[Pane::View]);
    About { screen, action: Some(action), digit: Some(digit), titles, command, place, panes }
}

/// All screens, in the order of the tabs and of the commands.
pub const SCREENS: [About; 13] = [
    About {
        screen: Screen::Nodes,
        action: Some(Action::ScreenNodes),
        digit: Some('1'),
        titles: ["Nodes"; 3],
        command: ["nodes", "", "Show the nodes"],
        place: Place::Nodes,
        panes: &[Pane::Nodes, Pane::Summary, Pane::Result, Pane::Events],
    },
    About {
        screen: Screen::Topology,
        action: Some(Action::ScreenTopology),
        digit: Some('2'),
        titles: ["Topology", "Topo", "Topo"],
        command: ["topology", "", "Show which node receives from which"],
        place: Place::Topology,
        panes: &[Pane::Topology],
    },
    view(
        ViewScreen::Activity,
        Action::ScreenActivity,
        '3',
        ["Activity", "Act", "Act"],
        ["activity", "", "Show sessions and progress"],
    ),
    view(
        ViewScreen::Locks,
        Action::ScreenLocks,
        '4',
        ["Locks", "Locks", "Lock"],
        ["locks", "", "Show which session waits for which"],
    ),
    view(
        ViewScreen::Replication,
        Action::ScreenReplication,
        '5',
        ["Replication", "Repl", "Repl"],
        ["replication", "", "Show senders, receivers, slots and subscriptions"],
    ),
    view(
        ViewScreen::Statements,
        Action::ScreenStatements,
        '6',
        ["Statements", "Stmts", "Stmt"],
        ["statements", "", "Show which statements cost most"],
    ),
    view(
        ViewScreen::Tables,
        Action::ScreenTables,
        '7',
        ["Tables", "Tables", "Tab"],
        ["tables", "", "Show tables, indexes and databases"],
    ),
    view(ViewScreen::Io, Action::ScreenIo, '8', ["I/O"; 3], ["io", "", "Show I/O, WAL and checkpoints"]),
    About {
        screen: Screen::View(ViewScreen::Other),
        action: None,
        digit: None,
        titles: ["View"; 3],
        command: ["view", "NAME", "Show a view by its name; the word view is optional"],
        place: Place::View,
        panes: &[Pane::View],
    },
    About {
        screen: Screen::Query,
        action: Some(Action::ScreenQuery),
        digit: Some('9'),
        titles: ["Query", "Query", "Qry"],
        command: ["query", "", "Show the query editor and its results"],
        place: Place::Query,
        panes: &[Pane::Editor, Pane::Result],
    },
    About {
        screen: Screen::Events,
        action: Some(Action::ScreenEvents),
        digit: Some('0'),
        titles: ["Events", "Events", "Ev"],
        command: ["events", "", "Show the events"],
        place: Place::Events,
        panes: &[Pane::Events],
    },
    About {
        screen: Screen::Alerts,
        action: Some(Action::ScreenAlerts),
        digit: None,
        titles: ["Alerts", "Alerts", "Alert"],
        command: ["alerts", "", "Show the alerts"],
        place: Place::Alerts,
        panes: &[Pane::Alerts],
    },
    About {
        screen: Screen::Detail,
        action: None,
        digit: None,
        titles: ["Node"; 3],
        command: ["node", "NAME", "Open a node"],
        place: Place::Detail,
        panes: &[Pane::Summary, Pane::Settings, Pane::Events],
    },
];

impl Screen {
    /// Everything fixed about the screen.
    pub fn about(self) -> &'static About {
        SCREENS.iter().find(|about| about.screen == self).unwrap_or(&SCREENS[0])
    }

    /// The screen that an action opens, if any.
    pub fn of(action: Action) -> Option<Self> {
        SCREENS.iter().find(|about| about.action == Some(action)).map(|about| about.screen)
    }

    /// The title of the screen.
    pub fn title(self) -> &'static str {
        self.about().titles[0]
    }

    /// The panes in the order of `Tab`.
    pub fn panes(self) -> &'static [Pane] {
        self.about().panes
    }

    /// The section of the key map for a pane of the screen, unless a dialog or an input line is open.
    pub fn place(self, pane: Pane) -> Place {
        if pane == Pane::Editor { Place::Editor } else { self.about().place }
    }
}
