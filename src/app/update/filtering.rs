//! Which table the filter line and `!` are about, and what they do to it. Each table keeps its own filter: that of one
//! screen never touches another screen's table.

use crate::app::keys::keymap::Place;
use crate::app::panes::nodes::NodeColumn;
use crate::app::panes::{alerts, events, topology};
use crate::app::rows::filter::{Column, Filter};
use crate::app::visit::Shared;
use crate::app::{App, Pane, Screen};
use crate::fleet::Severity;

impl App {
    /// The table that `/` and `!` are about.
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

    /// The table that `!` is about: answers know no problems, the nodes above them do.
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

    /// The filter of the table.
    pub(in crate::app) fn filter(&self) -> &Filter {
        match self.filter_pane() {
            Pane::Result => &self.query.results.filter,
            Pane::Events => &self.events_table.filter,
            Pane::Topology => &self.topology.filter,
            Pane::Alerts => &self.alerts_table.filter,
            Pane::Settings => &self.settings_filter,
            Pane::View => match self.view_table() {
                Some(table) => table.opened.as_ref().map_or(&table.filter, |opened| &opened.filter),
                None => &self.settings_filter,
            },
            _ => &self.nodes_table.filter,
        }
    }

    /// Filters the table.
    pub(in crate::app) fn set_filter(&mut self, source: &str) {
        match self.filter_pane() {
            Pane::Result => {
                self.query.results.set_filter(source);
            }
            Pane::Events => {
                self.events_table.filter = Filter::new(source, &events::COLUMNS);
                self.arrange_events();
            }
            Pane::Topology => {
                self.topology.filter = Filter::new(source, &topology::COLUMNS);
                self.enter_topology();
            }
            Pane::Alerts => {
                self.alerts_table.filter = Filter::new(source, &alerts::COLUMNS);
                self.arrange_alerts();
            }
            Pane::Settings => {
                self.settings_filter = Filter::new(source, &[]);
                self.settings = crate::app::Cursor::default();
            }
            Pane::View => self.filter_view(source),
            _ => {
                let columns: Vec<Column<'_>> = NodeColumn::ALL.iter().map(|column| column.filtered()).collect();
                self.nodes_table.filter = Filter::new(source, &columns);
                self.arrange_nodes();
            }
        }
    }

    /// `Enter` in the filter line, and `:filter`: the filter stays; what it cannot do is said.
    pub(in crate::app) fn keep_filter(&mut self) {
        if let Some(fault) = self.filter().fault().map(str::to_owned) {
            self.say(Severity::Warning, fault);
        }
    }

    pub(in crate::app) fn clear_filter(&mut self) {
        match self.filter_pane() {
            Pane::Events => self.events_table.problems_only = false,
            Pane::Nodes => self.nodes_table.problems_only = false,
            _ => {}
        }
        self.set_filter("");
    }

    pub(in crate::app) fn toggle_problems(&mut self) {
        match self.problems_pane() {
            Pane::Events => {
                self.events_table.problems_only ^= true;
                self.arrange_events();
            }
            Pane::Nodes => {
                self.nodes_table.problems_only ^= true;
                self.arrange_nodes();
            }
            _ => {}
        }
    }

    /// The line that is open would filter another table from here on: what was typed so far stays.
    pub(in crate::app) fn leave_filter_line(&mut self) {
        self.prompt.take_if(|prompt| prompt.place() == Place::Filter);
    }

    /// Another screen is shown: what was for the visit of this one ends, and tables that both have take the filters that they
    /// had there.
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
            answers.set_filter(next.answers.source());
        }
        self.settings_filter = Filter::default();
    }
}
