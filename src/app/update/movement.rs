//! Movement: rows, columns, panes, screens, neighbouring nodes.

use crate::app::rows::cursor::Move;
use crate::app::{App, Cursor, Dialog, Effect, Pane, Screen};
use crate::fleet::Severity;
use crate::model::NodeName;

/// What `Enter` opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) enum Opens {
    Screen(Screen),
    /// The page of a node.
    Node(NodeName),
    /// The selected row of a view's table, in full.
    Row,
    /// What the selected entry of the journal consists of.
    Details,
    /// What the selected alert is about.
    Alert,
}

impl App {
    /// Moves in the open help, else in the focused pane.
    pub(in crate::app) fn go(&mut self, movement: Move) {
        if let Some(Dialog::Help(cursor)) = &mut self.dialog {
            let (page, len) = self.drawn.help.unwrap_or((20, 100));
            cursor.scroll(movement, len, page);
            return;
        }
        if let Some(Dialog::Columns(_)) = &self.dialog {
            let len = self.view_table().map_or(0, |table| table.view.columns.len());
            let page = self.drawn.help.map_or(20, |(page, _)| page);
            if let Some(Dialog::Columns(cursor)) = &mut self.dialog {
                cursor.go(movement, len, page);
            }
            return;
        }
        self.go_in(self.pane, movement);
    }

    /// Makes a change that may select another node. If it does, what belongs to the selected node starts from the
    /// top.
    pub(in crate::app) fn changing_node(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.nodes_table.selected().cloned();
        change(self);
        if before.as_ref() != self.nodes_table.selected() {
            self.summary.cursor = Cursor::default();
            self.settings.cursor = Cursor::default();
            if self.screen == Screen::Detail {
                self.arrange_events();
            }
        }
    }

    /// `Enter`: opens the node of the selected row, the row itself, or the screen that the pane is a part of.
    pub(in crate::app) fn open(&mut self) {
        match self.opens() {
            Some(Opens::Screen(screen)) => self.show(screen),
            Some(Opens::Node(node)) => self.open_node(&node),
            Some(Opens::Row) => self.open_row(),
            Some(Opens::Details) => self.details = true,
            Some(Opens::Alert) => self.open_alert(),
            None => {}
        }
    }

    /// What `Enter` opens now.
    pub(in crate::app) fn opens(&self) -> Option<Opens> {
        match (self.screen, self.pane) {
            (Screen::Nodes, Pane::Nodes | Pane::Summary) => self.selected().map(|_| Opens::Screen(Screen::Detail)),
            (Screen::Nodes, Pane::Result) => Some(Opens::Screen(Screen::Query)),
            (_, Pane::Events) if self.can_show_details() => Some(Opens::Details),
            (Screen::Nodes | Screen::Events, Pane::Events) => self.event_node().map(Opens::Node),
            (Screen::Topology, _) => self.branch_node().map(Opens::Node),
            (Screen::View(_), _) => self.can_open_row().then_some(Opens::Row),
            (Screen::Alerts, _) => self.alerts_table.selected().map(|_| Opens::Alert),
            _ => None,
        }
    }

    /// True if the selected entry consists of several things that are not shown yet.
    fn can_show_details(&self) -> bool {
        let entry = self.events_table.selected().and_then(|seq| self.picture().journal.get(*seq));
        !self.details && entry.is_some_and(|entry| entry.steps.len() > 1)
    }

    pub(in crate::app) fn event_node(&self) -> Option<NodeName> {
        let node = self.picture().journal.get(*self.events_table.selected()?)?.node.clone()?;
        self.picture().nodes.get(&node).is_some().then_some(node)
    }

    /// Opens the page of a node.
    pub(in crate::app) fn open_node(&mut self, node: &NodeName) {
        self.travel(|app| {
            app.select_node(node);
            app.enter(Screen::Detail);
        });
    }

    /// Selects a node on every screen. A filter that hides it is cleared.
    pub(in crate::app) fn select_node(&mut self, node: &NodeName) {
        if self.nodes_table.position(node).is_none() {
            self.nodes_table.filter = crate::app::rows::filter::Filter::default();
            self.nodes_table.problems_only = false;
            self.arrange_nodes();
        }
        let page = self.drawn.page(Pane::Nodes);
        self.changing_node(|app| app.nodes_table.select_key(node, page));
    }

    /// Shows a screen, and remembers the way back.
    pub(in crate::app) fn show(&mut self, screen: Screen) {
        self.travel(|app| {
            if let Screen::View(screen) = screen
                && app.screen != Screen::View(screen)
            {
                app.open_tab(screen);
            }
            app.enter(screen);
        });
    }

    pub(in crate::app) fn enter(&mut self, screen: Screen) {
        (self.zoomed, self.details) = (false, false);
        self.end_visit(screen);
        self.screen = screen;
        let first = screen.panes().first().copied().unwrap_or(Pane::Nodes);
        self.pane = if screen == Screen::Query && self.fleet.batch().is_some() { Pane::Result } else { first };
        self.arrange_nodes();
        self.arrange_events();
        self.arrange_view();
        self.enter_topology();
    }

    /// Moves the focus to the next pane for `Tab`: a visible one, or a folded one, which then replaces its neighbour.
    pub(in crate::app) fn next_pane(&mut self, forward: bool) {
        if matches!(self.screen, Screen::View(_)) {
            return self.next_view(forward);
        }
        let panes = self.screen.panes();
        let at = panes.iter().position(|pane| *pane == self.pane).unwrap_or_default();
        let step = if forward { 1 } else { panes.len() - 1 };
        self.focus(panes[(at + step) % panes.len()]);
    }

    pub(in crate::app) fn toggle_zoom(&mut self) {
        self.zoomed = !self.zoomed;
        self.say(
            Severity::Info,
            if self.zoomed { "one pane fills the screen; z shows all again" } else { "all panes" },
        );
    }

    pub(in crate::app) fn toggle_wrap(&mut self) {
        self.wrap = !self.wrap;
        self.say(
            crate::fleet::Severity::Info,
            if self.wrap { "long text is wrapped; w cuts it again" } else { "long text is cut" },
        );
    }

    pub(in crate::app) fn focus(&mut self, pane: Pane) {
        if pane != self.pane {
            self.leave_filter_line();
        }
        self.pane = pane;
        if self.screen == Screen::Nodes && pane != Pane::Nodes {
            self.lower = pane;
        }
    }

    /// `[` and `]`: selects another node on the same screen.
    pub(in crate::app) fn go_to_neighbour(&mut self, next: bool) {
        if matches!(self.screen, Screen::View(_)) {
            self.only_neighbour(next);
        } else if self.screen == Screen::Query {
            let page = self.drawn.page(Pane::Result);
            self.query.results.go_to_neighbour(next, page);
        } else {
            self.go_in(Pane::Nodes, if next { Move::Down } else { Move::Up });
            self.selected_neighbour();
        }
    }

    /// `q`: closes the open row; else returns to the previous screen; on the first screen leaves.
    pub(in crate::app) fn quit(&mut self) -> Vec<Effect> {
        if self.leaving.is_some() {
            return self.leave();
        }
        if self.view_table().is_some_and(|table| table.opened.is_some()) {
            self.changing_view(|table| table.opened = None);
            return Vec::new();
        }
        if self.return_to_previous() { Vec::new() } else { self.leave() }
    }
}
