//! Moving about: rows, columns, panes, screens, neighbours.

use crate::app::panes::nodes::NodeColumn;
use crate::app::rows::cursor::Move;
use crate::app::{App, Cursor, Dialog, Effect, Pane, Screen};
use crate::fleet::Severity;

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

    pub(in crate::app) fn go_in(&mut self, pane: Pane, movement: Move) {
        let height = self.drawn.page(pane);
        let lines = self.drawn.pane(pane).map_or(0, |drawn| drawn.len);
        match pane {
            Pane::Nodes => self.changing_node(|app| app.nodes_table.go(movement, height)),
            Pane::Result => self.query.results.go(movement, height),
            Pane::Events => {
                self.events_table.go(movement, height);
                self.hold_event();
            }
            Pane::Summary => self.summary.scroll(movement, lines, height),
            Pane::Settings => self.settings.scroll(movement, lines, height),
            Pane::Topology => {
                self.topology.sought = None;
                let len = self.topology.branches.len();
                self.topology.cursor.go(movement, len, height);
            }
            Pane::View => self.go_in_view(movement, height),
            Pane::Alerts => self.go_in_alerts(movement, height),
            Pane::Editor => {}
        }
    }

    /// At the top the newest event stays selected; below it the selected row is held.
    pub(in crate::app) fn hold_event(&mut self) {
        self.events_table.follow = self.events_table.cursor.at > 0;
    }

    /// What belongs to the selected node begins anew when another is selected.
    pub(in crate::app) fn changing_node(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.nodes_table.selected().cloned();
        change(self);
        if before.as_ref() != self.nodes_table.selected() {
            self.summary = Cursor::default();
            self.settings = Cursor::default();
            if self.screen == Screen::Detail {
                self.arrange_events();
            }
        }
    }

    pub(in crate::app) fn scroll_columns(&mut self, right: bool) {
        let column = match self.pane {
            Pane::Nodes => &mut self.nodes_table.column,
            Pane::Result => &mut self.query.results.column,
            Pane::Events => &mut self.events_table.column,
            Pane::View => match self.view_table_mut() {
                Some(table) => &mut table.column,
                None => return,
            },
            Pane::Summary | Pane::Settings | Pane::Editor | Pane::Topology | Pane::Alerts => return,
        };
        *column = if right { *column + 1 } else { column.saturating_sub(1) };
    }

    /// Whether there is a column to scroll to.
    pub(in crate::app) fn can_scroll(&self, right: bool) -> bool {
        let (column, columns) = match self.pane {
            Pane::Nodes => (self.nodes_table.column, NodeColumn::ALL.len() - 1),
            Pane::Result => (self.query.results.column, self.query.results.columns().len()),
            Pane::Events => (self.events_table.column, usize::MAX),
            Pane::View => match self.view_table().filter(|table| table.opened.is_none()) {
                Some(table) => (table.column, table.columns().count()),
                None => return false,
            },
            Pane::Summary | Pane::Settings | Pane::Editor | Pane::Topology | Pane::Alerts => return false,
        };
        if !right {
            return column > 0;
        }
        !self.is_empty() && column + 1 < columns && self.drawn.pane(self.pane).is_none_or(|drawn| drawn.more_right)
    }

    /// `Enter`: the node of the selected row, or the screen that the pane is a part of.
    pub(in crate::app) fn open(&mut self) {
        match (self.screen, self.pane) {
            (Screen::Topology, _) => self.open_branch(),
            (Screen::Nodes, Pane::Nodes | Pane::Summary) => self.show(Screen::Detail),
            (Screen::Nodes, Pane::Result) => self.show(Screen::Query),
            (_, Pane::Events) => self.open_event(),
            (Screen::View(_), _) => self.open_row(),
            (Screen::Alerts, _) => self.open_alert(),
            _ => {}
        }
    }

    pub(in crate::app) fn event_node(&self) -> Option<crate::model::NodeName> {
        let node = self.picture().journal.get(*self.events_table.selected()?)?.node.clone()?;
        self.picture().nodes.get(&node).is_some().then_some(node)
    }

    fn open_event(&mut self) {
        if let Some(node) = self.event_node() {
            self.open_node(&node);
        }
    }

    /// The page of a node.
    pub(in crate::app) fn open_node(&mut self, node: &crate::model::NodeName) {
        self.travel(|app| {
            app.select_node(node);
            app.enter(Screen::Detail);
        });
    }

    /// Selects a node on every screen; a filter that hides it gives way.
    pub(in crate::app) fn select_node(&mut self, node: &crate::model::NodeName) {
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
        self.zoomed = false;
        self.end_visit(screen);
        self.screen = screen;
        let first = screen.panes().first().copied().unwrap_or(Pane::Nodes);
        self.pane = if screen == Screen::Query && self.fleet.batch().is_some() { Pane::Result } else { first };
        self.arrange_nodes();
        self.arrange_events();
        self.arrange_view();
        self.enter_topology();
    }

    /// The panes that `Tab` goes through: those that are drawn, and a folded one in place of its neighbour.
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

    /// Whether the pane has long text that is cut: a row at length and a node's page show all of theirs.
    pub(in crate::app) fn can_wrap(&self) -> bool {
        match self.pane {
            Pane::Result | Pane::Events | Pane::Topology | Pane::Alerts => true,
            Pane::View => self.view_table().is_some_and(|table| table.opened.is_none()),
            Pane::Nodes | Pane::Summary | Pane::Settings | Pane::Editor => false,
        }
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

    /// `[` and `]`: another node, the same screen.
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

    /// `q`: out of the row that is shown at length, else back to the screen one came from, from the first one out.
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
