//! Keys that work on every list: moving, scrolling columns, filtering, sorting. What a list does about them is up to
//! the list ([`Rows`]); this file decides which list a key applies to.

mod arrange;

use crate::app::keys::keymap::Place;
use crate::app::panes::{NextSort, Rows, Visible};
use crate::app::rows::cursor::{Cursor, Move};
use crate::app::rows::filter::Filter;
use crate::app::rows::table::{Sort, next_sort, shift_sort};
use crate::app::visit::Shared;
use crate::app::{App, Pane, Screen};
use crate::fleet::{Nodes, Severity};

impl App {
    /// The list of a pane; `None` for the editor, and for a view before the views are read.
    pub(in crate::app) fn rows(&self, pane: Pane) -> Option<&dyn Rows> {
        Some(match pane {
            Pane::Nodes => &self.nodes_table,
            Pane::Summary => &self.summary,
            Pane::Result => &self.query.results,
            Pane::Events => &self.events_table,
            Pane::Settings => &self.settings,
            Pane::Topology => &self.topology,
            Pane::View => self.view_table()?,
            Pane::Alerts => &self.alerts_table,
            Pane::Editor => return None,
        })
    }

    fn rows_mut(&mut self, pane: Pane) -> Option<&mut dyn Rows> {
        Some(match pane {
            Pane::Nodes => &mut self.nodes_table,
            Pane::Summary => &mut self.summary,
            Pane::Result => &mut self.query.results,
            Pane::Events => &mut self.events_table,
            Pane::Settings => &mut self.settings,
            Pane::Topology => &mut self.topology,
            Pane::View => self.view_table_mut()?,
            Pane::Alerts => &mut self.alerts_table,
            Pane::Editor => return None,
        })
    }

    /// Arranges the rows of a pane after its filter or sort changed.
    fn arrange(&mut self, pane: Pane) {
        match pane {
            Pane::Nodes => self.arrange_nodes(),
            Pane::Result => self.query.results.arrange(),
            Pane::Events => self.arrange_events(),
            Pane::Topology => self.enter_topology(),
            Pane::View => self.arrange_view(),
            Pane::Alerts => self.arrange_alerts(),
            Pane::Summary | Pane::Settings | Pane::Editor => {}
        }
    }

    /// How much of a pane is visible; a guess before the first frame.
    pub(in crate::app) fn visible(&self, pane: Pane) -> Visible {
        Visible { page: self.drawn.page(pane), lines: self.drawn.pane(pane).map_or(0, |drawn| drawn.len) }
    }

    pub(in crate::app) fn go_in(&mut self, pane: Pane, movement: Move) {
        let visible = self.visible(pane);
        self.changing_node(|app| {
            if let Some(rows) = app.rows_mut(pane) {
                rows.go(movement, visible);
            }
        });
    }

    pub(in crate::app) fn select_row(&mut self, pane: Pane, row: usize) {
        let visible = self.visible(pane);
        self.changing_node(|app| {
            if let Some(rows) = app.rows_mut(pane) {
                rows.select(row, visible);
            }
        });
    }

    /// The cursor of a pane.
    pub(in crate::app) fn cursor_of(&self, pane: Pane) -> Option<Cursor> {
        self.rows(pane).map(Rows::cursor)
    }

    /// True if there is anything to move through in a pane.
    pub(in crate::app) fn can_move_in(&self, pane: Pane) -> bool {
        pane == Pane::Editor || self.rows(pane).is_some_and(|rows| rows.can_move(self.visible(pane)))
    }

    /// Adjusts the lists to the measured panes, so that cursors stay visible.
    pub(in crate::app) fn fit_rows(&mut self) {
        for pane in Pane::ALL {
            let visible = self.visible(pane);
            let wrapped = self.drawn.pane(pane).filter(|drawn| !drawn.numbers.is_empty());
            // Where rows take several lines, only drawing knows the first one shown.
            let first = wrapped.map(|drawn| drawn.first);
            if let Some(rows) = self.rows_mut(pane) {
                rows.fit(visible, first);
            }
        }
    }

    pub(in crate::app) fn scroll_columns(&mut self, right: bool) {
        if let Some(rows) = self.rows_mut(self.pane)
            && let Some((column, _)) = rows.columns()
        {
            rows.set_column(if right { column + 1 } else { column.saturating_sub(1) });
        }
    }

    /// True if there is a column to scroll to.
    pub(in crate::app) fn can_scroll(&self, right: bool) -> bool {
        let Some((column, columns)) = self.rows(self.pane).and_then(Rows::columns) else { return false };
        if !right {
            return column > 0;
        }
        !self.is_empty() && column + 1 < columns && self.drawn.pane(self.pane).is_none_or(|drawn| drawn.more_right)
    }

    /// The list that `/` and the sort apply to. For `!` see [`App::problems_pane`].
    pub(in crate::app) fn filter_pane(&self) -> Pane {
        match (self.screen, self.pane) {
            (Screen::View(_), _) => Pane::View,
            (Screen::Topology, _) => Pane::Topology,
            (Screen::Alerts, _) => Pane::Alerts,
            (Screen::Detail, Pane::Settings) => Pane::Settings,
            (Screen::Query, _) | (_, Pane::Result) => Pane::Result,
            (Screen::Detail | Screen::Events, _) | (_, Pane::Events) => Pane::Events,
            _ => Pane::Nodes,
        }
    }

    /// The list that `!` applies to: answers have no problems, so it is the list of nodes above them.
    pub(in crate::app) fn problems_pane(&self) -> Pane {
        match (self.screen, self.filter_pane()) {
            (Screen::Nodes, Pane::Result) => Pane::Nodes,
            (_, pane) => pane,
        }
    }

    pub(in crate::app) fn is_filtered(&self) -> bool {
        let problems = match self.filter_pane() {
            Pane::Events => self.events_table.problems_only,
            Pane::Nodes => self.nodes_table.problems_only,
            _ => false,
        };
        problems || !self.filter().is_empty()
    }

    /// The filter of the list.
    pub(in crate::app) fn filter(&self) -> &Filter {
        // A screen of views has no list before the views are read, and so no filter.
        self.rows(self.filter_pane()).map_or(&self.settings.filter, Rows::filter)
    }

    pub(in crate::app) fn set_filter(&mut self, source: &str) {
        let pane = self.filter_pane();
        let nodes = self.fleet.now().nodes.clone();
        if let Some(rows) = self.rows_mut(pane) {
            rows.set_filter(source, &nodes);
        }
        self.arrange(pane);
    }

    /// Called when the filter line is closed by `Enter`, and by `:filter`: says what is wrong with the filter, if
    /// anything is.
    pub(in crate::app) fn keep_filter(&mut self) {
        if let Some(fault) = self.filter().fault().map(str::to_owned) {
            self.say(Severity::Warning, fault);
        }
    }

    pub(in crate::app) fn clear_filter(&mut self) {
        if let Some(problems_only) = self.rows_mut(self.filter_pane()).and_then(Rows::problems_only) {
            *problems_only = false;
        }
        self.set_filter("");
    }

    pub(in crate::app) fn toggle_problems(&mut self) {
        let pane = self.problems_pane();
        if let Some(problems_only) = self.rows_mut(pane).and_then(Rows::problems_only) {
            *problems_only ^= true;
            self.arrange(pane);
        }
    }

    pub(in crate::app) fn sort_next(&mut self) {
        self.sort_with(&next_sort);
        self.say_sort();
    }

    pub(in crate::app) fn sort_reverse(&mut self) {
        self.sort_with(&|sort, _| sort.map(|sort| Sort { descending: !sort.descending, ..sort }));
        self.say_sort();
    }

    pub(in crate::app) fn sort_shift(&mut self, right: bool) {
        self.sort_with(&|sort, columns| shift_sort(sort, columns, right));
        self.say_sort();
    }

    /// Handles a click on a column header.
    pub(in crate::app) fn sort_column(&mut self, column: usize) {
        self.sorting(|rows| rows.sort_by(column));
    }

    fn sort_with(&mut self, next: NextSort<'_>) {
        self.sorting(|rows| rows.set_sort(next));
    }

    fn sorting(&mut self, sort: impl FnOnce(&mut dyn Rows)) {
        let pane = self.filter_pane();
        let Some(rows) = self.rows_mut(pane) else { return };
        if let Some(why) = rows.unsortable() {
            return self.say(Severity::Info, why);
        }
        sort(rows);
        self.arrange(pane);
    }

    /// Says what the rows are sorted by: the column may be out of sight.
    fn say_sort(&mut self) {
        if self.notice.is_some() {
            return;
        }
        let Some(rows) = self.rows(self.filter_pane()) else { return };
        let sort = rows.sort();
        let said = match sort.and_then(|sort| Some((sort, rows.sort_title(sort.column)?))) {
            Some((sort, title)) => format!("sorted by {title} {}", if sort.descending { "▼" } else { "▲" }),
            _ => "in their own order".to_owned(),
        };
        self.say(Severity::Info, said);
    }

    pub(in crate::app) fn toggle_follow(&mut self) {
        if self.filter_pane() == Pane::Events {
            return self.go_in(Pane::Events, Move::First);
        }
        let follow = match self.view_table_mut() {
            Some(table) => &mut table.follow,
            None => &mut self.nodes_table.follow,
        };
        *follow ^= true;
        let text = if *follow { "follows its row" } else { "stays at its line" };
        self.say(Severity::Info, format!("the cursor {text}"));
    }

    /// Closes an open filter line, because the same line would now filter another list. The filter typed so far stays.
    pub(in crate::app) fn leave_filter_line(&mut self) {
        self.prompt.take_if(|prompt| prompt.place() == Place::Filter);
    }

    /// Ends the visit of this screen, because another one is shown. A limit to some nodes ends. A list that both
    /// screens have gets back the filter that it had on the other one.
    pub(in crate::app) fn end_visit(&mut self, to: Screen) {
        self.leave_filter_line();
        if to == self.screen {
            return;
        }
        self.views.only = None;
        let (events, answers) = (&mut self.events_table, &mut self.query.results);
        let next = self.parked.0.remove(&to).unwrap_or_default();
        let left = Shared {
            events: std::mem::replace(&mut events.filter, next.events),
            event_problems: std::mem::replace(&mut events.problems_only, next.event_problems),
            answers: std::mem::take(&mut answers.filter),
        };
        let unfiltered = left.answers.is_empty() && next.answers.is_empty();
        self.parked.0.insert(self.screen, left);
        if !unfiltered {
            answers.set_filter(next.answers.source(), &Nodes::default());
            answers.arrange();
        }
        self.settings.filter = Filter::default();
    }
}
