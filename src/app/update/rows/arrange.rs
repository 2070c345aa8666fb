//! Which rows the tables show in which order: filter, `!` and sort applied to the picture. Rows do not move for any
//! other reason.

use crate::app::panes::nodes::{NodeColumn, Seen};
use crate::app::rows::table::Sort;
use crate::app::{App, Drawn, Effect, Pane, Screen};
use crate::fleet::Entry;
use crate::fleet::nodes::Node;
use crate::model::NodeName;

impl App {
    pub(in crate::app) fn arrange_nodes(&mut self) {
        let picture = self.picture();
        let (table, thresholds, alerts) = (&self.nodes_table, &self.fleet.thresholds, self.fleet.alerts());
        let shown = |node: &&Node| {
            (!table.problems_only || node.has_problem(thresholds) || alerts.worst(node.name()).is_some())
                && table.filter.passes(&Seen { node, at: picture.at, refresh: self.fleet.refresh })
        };
        let mut nodes: Vec<&Node> = picture.nodes.iter().filter(shown).collect();
        if let Some(Sort { column, descending }) = table.sort {
            let column = NodeColumn::ALL[column.min(NodeColumn::SORTABLE - 1)];
            nodes.sort_by(|a, b| column.compare(a, b, descending, picture.at, self.fleet.refresh));
        }
        let rows = nodes.into_iter().map(|node| node.name().clone()).collect();
        let total = picture.nodes.len();
        let known = |name: &NodeName| picture.nodes.get(name).is_some();
        let marks = self.nodes_table.marks.iter().filter(|name| known(name)).cloned().collect();
        self.nodes_table.marks = marks;
        let page = self.drawn.page(Pane::Nodes);
        self.changing_node(|app| app.nodes_table.set_rows(rows, total, page));
    }

    /// The figures changed: sorted rows may have to move, filtered rows may appear or vanish.
    pub(in crate::app) fn figures_changed(&mut self) {
        let chosen = self.nodes_table.sort.is_some() || self.nodes_table.is_filtered();
        self.unarranged |= chosen && self.frozen.is_none();
    }

    /// Arranges the rows if they may be out of order.
    pub(in crate::app) fn settle(&mut self) {
        if std::mem::take(&mut self.unarranged) {
            self.arrange_nodes();
            self.dirty = true;
        }
        self.settle_alerts();
    }

    /// Prepares the state for a frame that is about to be drawn.
    pub(in crate::app) fn before_frame(&mut self) -> Vec<Effect> {
        self.settle();
        self.fleet.settle();
        if self.view_table().is_some_and(|table| table.unsettled) {
            self.arrange_view();
        }
        let mut effects = Vec::new();
        if self.settle_tab() {
            effects.extend(self.look());
        }
        self.settle_topology();
        self.settle_session();
        effects
    }

    pub(in crate::app) fn arrange_events(&mut self) {
        let picture = self.picture();
        let mine = |line: &&Entry| self.is_in_scope(line);
        let total = picture.journal.iter().filter(mine).count();
        let rows = picture.journal.iter().filter(|line| self.shows(line)).map(|line| line.seq).collect();
        let page = self.drawn.page(Pane::Events);
        self.events_table.set_rows(rows, total, page);
    }

    /// Adds a new entry of the current journal in front, instead of arranging all entries again.
    pub(in crate::app) fn show_entry(&mut self, line: &Entry) {
        if self.frozen.is_some() || !self.is_in_scope(line) {
            return;
        }
        self.events_table.total += 1;
        if self.shows(line) {
            self.events_table.rows.insert(0, line.seq);
            if self.events_table.follow {
                self.events_table.cursor.at += 1;
                self.events_table.cursor.offset += 1;
            }
        }
        let gone = |seq: &u64| self.fleet.now().journal.get(*seq).is_none();
        if self.events_table.rows.last().is_some_and(gone) {
            self.events_table.rows.pop();
            self.events_table.total -= 1;
        }
    }

    fn is_in_scope(&self, line: &Entry) -> bool {
        self.screen != Screen::Detail || line.node.as_ref() == self.nodes_table.selected()
    }

    fn shows(&self, line: &Entry) -> bool {
        self.is_in_scope(line)
            && (!self.events_table.problems_only || line.severity.is_problem())
            && self.events_table.filter.passes(line)
    }

    /// Takes in what drawing measured; redraws only if that changes what is shown.
    pub(in crate::app) fn measured(&mut self, drawn: Drawn) -> Vec<Effect> {
        let extent = |drawn: &Drawn| {
            let panes = drawn.panes.iter().map(|pane| (pane.pane, pane.rows, pane.len, pane.more_right));
            (drawn.width, drawn.height, panes.collect::<Vec<_>>())
        };
        self.dirty |= extent(&drawn) != extent(&self.drawn);
        self.drawn = drawn;
        self.settle();
        self.dirty |= self.query.results.look_on();
        self.fit_rows();
        Vec::new()
    }

    pub(in crate::app) fn resize(&mut self, width: u16, height: u16) -> Vec<Effect> {
        (self.drawn.width, self.drawn.height) = (width, height);
        Vec::new()
    }
}
