//! Which rows the tables show in which order: filter, `!` and sort applied to the picture. Rows keep their place
//! otherwise, whatever happens to them.

use crate::app::panes::nodes::{NodeColumn, Seen};
use crate::app::rows::table::{Sort, next_sort, shift_sort};
use crate::app::{App, Drawn, Effect, Pane, Screen};
use crate::fleet::Entry;
use crate::fleet::Severity;
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

    /// Figures changed: rows that are sorted or filtered may have to move or vanish.
    pub(in crate::app) fn figures_changed(&mut self) {
        let chosen = self.nodes_table.sort.is_some() || self.nodes_table.is_filtered();
        self.unarranged |= chosen && self.frozen.is_none();
    }

    /// Puts the rows in order if they may not be.
    pub(in crate::app) fn settle(&mut self) {
        if std::mem::take(&mut self.unarranged) {
            self.arrange_nodes();
            self.dirty = true;
        }
        self.settle_alerts();
    }

    /// A frame is about to be drawn.
    pub(in crate::app) fn before_frame(&mut self) -> Vec<Effect> {
        self.settle();
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
        self.hold_event();
    }

    /// A new entry of the journal of now: put in front instead of arranging all of them.
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

    pub(in crate::app) fn toggle_follow(&mut self) {
        if self.filter_pane() == Pane::Events {
            self.events_table.go(crate::app::rows::cursor::Move::First, self.drawn.page(Pane::Events));
            self.hold_event();
        } else if let Some(table) = self.view_table_mut() {
            table.follow ^= true;
            let text = if table.follow { "follows its row" } else { "stays at its line" };
            self.say(Severity::Info, format!("the cursor {text}"));
        } else {
            self.nodes_table.follow ^= true;
            let text = if self.nodes_table.follow { "follows its row" } else { "stays at its line" };
            self.say(Severity::Info, format!("the cursor {text}"));
        }
    }

    pub(in crate::app) fn sort_next(&mut self) {
        self.sort_by(next_sort);
        self.say_sort();
    }

    pub(in crate::app) fn sort_reverse(&mut self) {
        self.sort_by(|sort, _| sort.map(|sort| Sort { descending: !sort.descending, ..sort }));
        self.say_sort();
    }

    pub(in crate::app) fn sort_shift(&mut self, right: bool) {
        self.sort_by(|sort, columns| shift_sort(sort, columns, right));
        self.say_sort();
    }

    /// The order, in words: the column may be out of sight.
    fn say_sort(&mut self) {
        if self.notice.is_some() {
            return;
        }
        let (sort, title) = match self.filter_pane() {
            Pane::View => {
                let Some(table) = self.view_table() else { return };
                let title = |sort: Sort| match sort.column.checked_sub(1) {
                    None => Some("NODE"),
                    Some(at) => table.view.columns.get(at).map(|column| column.title.as_str()),
                };
                (table.sort, table.sort.and_then(title))
            }
            Pane::Result => {
                let results = &self.query.results;
                let title = |sort: Sort| results.columns().get(sort.column).map(|column| column.name.as_str());
                (results.sort, results.sort.and_then(title))
            }
            _ => {
                let title = |sort: Sort| NodeColumn::ALL.get(sort.column).map(|column| column.title());
                (self.nodes_table.sort, self.nodes_table.sort.and_then(title))
            }
        };
        let said = match (sort, title) {
            (Some(sort), Some(title)) => format!("sorted by {title} {}", if sort.descending { "▼" } else { "▲" }),
            _ => "in their own order".to_owned(),
        };
        self.say(Severity::Info, said);
    }

    /// A click on a column's head: sorts by it; once more, the other way round.
    pub(in crate::app) fn sort_column(&mut self, column: usize) {
        if self.filter_pane() == Pane::View {
            return self.sort_view_by(column);
        }
        self.sort_by(|sort, columns| match sort {
            Some(sort) if sort.column == column => Some(Sort { descending: !sort.descending, ..sort }),
            _ => (column < columns).then_some(Sort { column, descending: false }),
        });
    }

    fn sort_by(&mut self, change: impl FnOnce(Option<Sort>, usize) -> Option<Sort>) {
        if self.filter_pane() == Pane::View {
            self.sort_view(change);
        } else if self.filter_pane() == Pane::Result {
            let results = &mut self.query.results;
            if !results.is_sortable() {
                self.say(Severity::Info, "too many rows to sort here: add ORDER BY to the statement");
                return;
            }
            results.sort = change(results.sort, results.columns().len());
            results.arrange();
        } else {
            self.nodes_table.sort = change(self.nodes_table.sort, NodeColumn::SORTABLE);
            self.arrange_nodes();
        }
    }

    /// What drawing measured. Drawn once more only if something hangs on it.
    pub(in crate::app) fn measured(&mut self, drawn: Drawn) -> Vec<Effect> {
        let extent = |drawn: &Drawn| {
            let panes = drawn.panes.iter().map(|pane| (pane.pane, pane.rows, pane.len, pane.more_right));
            (drawn.width, drawn.height, panes.collect::<Vec<_>>())
        };
        self.dirty |= extent(&drawn) != extent(&self.drawn);
        self.drawn = drawn;
        self.settle();
        self.dirty |= self.query.results.look_on();
        let (nodes, events, results) =
            (self.drawn.page(Pane::Nodes), self.drawn.page(Pane::Events), self.drawn.page(Pane::Result));
        self.nodes_table.cursor.select(self.nodes_table.cursor.at, self.nodes_table.rows.len(), nodes);
        self.events_table.cursor.select(self.events_table.cursor.at, self.events_table.rows.len(), events);
        let len = self.query.results.len();
        self.query.results.cursor.select(self.query.results.cursor.at, len, results);
        let first = |pane: Pane| {
            let wrapped = self.drawn.pane(pane).filter(|drawn| !drawn.numbers.is_empty());
            wrapped.map(|drawn| drawn.first)
        };
        let (alerts, view, topology) = (first(Pane::Alerts), first(Pane::View), first(Pane::Topology));
        let (page, table) = (self.drawn.page(Pane::Alerts), &mut self.alerts_table);
        table.cursor.select(table.cursor.at, table.rows.len(), page);
        // Where rows take several lines, drawing alone knows which is the first.
        table.cursor.offset = alerts.unwrap_or(table.cursor.offset);
        self.topology.cursor.offset = topology.unwrap_or(self.topology.cursor.offset);
        let page = self.drawn.page(Pane::View);
        if let Some(shown) = self.view_table_mut() {
            let len = shown.len();
            shown.cursor.select(shown.cursor.at, len, page);
            if shown.opened.is_none() {
                shown.cursor.offset = view.unwrap_or(shown.cursor.offset);
            }
        }
        Vec::new()
    }

    pub(in crate::app) fn resize(&mut self, width: u16, height: u16) -> Vec<Effect> {
        (self.drawn.width, self.drawn.height) = (width, height);
        Vec::new()
    }
}
