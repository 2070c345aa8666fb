//! `Esc` goes back one thing at a time: the running query of this screen, the zoom, the filter, the marks, the pane,
//! the screen. At the top it does nothing. Dialogs and input lines come before all of it; they take their own keys.

use crate::model::Command;

use super::filter::Filter;
use super::{App, Effect, Pane, Screen};

/// What `Esc` would undo next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Query,
    Zoom,
    /// A row at length.
    Row,
    Filter,
    Marks,
    Pane,
    Screen,
}

impl Step {
    /// The word in the key line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Query => "cancel query",
            Self::Zoom => "unzoom",
            Self::Filter => "clear filter",
            Self::Marks => "clear marks",
            Self::Row | Self::Pane | Self::Screen => "back",
        }
    }
}

impl App {
    pub(super) fn back_step(&self) -> Option<Step> {
        let shows_query = matches!(self.screen, Screen::Nodes | Screen::Query);
        if shows_query && self.query.batch.as_ref().is_some_and(|batch| batch.is_running() && !batch.cancelled) {
            Some(Step::Query)
        } else if self.zoomed {
            Some(Step::Zoom)
        } else if self.sheet().is_some_and(|sheet| sheet.opened.is_some()) {
            Some(Step::Row)
        } else if self.is_filtered() {
            Some(Step::Filter)
        } else if (self.screen == Screen::Nodes && !self.nodes_table.marks.is_empty())
            || self.sheet().is_some_and(|sheet| !sheet.marks.is_empty())
        {
            Some(Step::Marks)
        } else if self.screen == Screen::Nodes && self.pane != Pane::Nodes {
            Some(Step::Pane)
        } else {
            (self.screen != Screen::Nodes).then_some(Step::Screen)
        }
    }

    pub(super) fn back(&mut self) -> Vec<Effect> {
        match self.back_step() {
            Some(Step::Query) => return self.cancel_query(),
            Some(Step::Zoom) => self.zoomed = false,
            Some(Step::Row) => self.changing_sheet(|sheet| sheet.opened = None),
            Some(Step::Filter) => self.clear_filter(),
            Some(Step::Marks) => match self.sheet_mut() {
                Some(sheet) => sheet.marks.clear(),
                None => self.nodes_table.marks.clear(),
            },
            Some(Step::Pane) => self.pane = Pane::Nodes,
            Some(Step::Screen) => drop(self.return_to_previous()),
            None => {}
        }
        Vec::new()
    }

    /// Cancels what still runs of the shown batch.
    pub(super) fn cancel_query(&mut self) -> Vec<Effect> {
        let Some(batch) = self.query.batch.as_mut().filter(|batch| batch.is_running()) else { return Vec::new() };
        batch.cancelled = true;
        vec![Effect::Send(Command::CancelBatch(batch.id))]
    }

    /// The table that `/` and `!` are about.
    pub(super) fn filter_pane(&self) -> Pane {
        match (self.screen, self.pane) {
            (Screen::View(_), _) => Pane::View,
            (Screen::Topology, _) => Pane::Topology,
            (Screen::Alerts, _) => Pane::Alerts,
            (Screen::Query, _) | (_, Pane::Result) => Pane::Result,
            (Screen::Detail | Screen::Events, _) | (_, Pane::Events) => Pane::Events,
            _ => Pane::Nodes,
        }
    }

    fn is_filtered(&self) -> bool {
        match self.filter_pane() {
            Pane::Result => !self.query.results.filter.is_empty(),
            Pane::View => self.sheet().is_some_and(|sheet| !sheet.filter.is_empty()),
            Pane::Events => self.events_table.is_filtered(),
            Pane::Alerts => false,
            _ => self.nodes_table.is_filtered(),
        }
    }

    fn clear_filter(&mut self) {
        match self.filter_pane() {
            Pane::View => return self.set_row_filter(""),
            Pane::Events => self.events_table.problems_only = false,
            Pane::Nodes => self.nodes_table.problems_only = false,
            _ => {}
        }
        self.set_filter(Filter::default());
    }

    pub(super) fn set_filter(&mut self, filter: Filter) {
        match self.filter_pane() {
            Pane::Result => {
                self.query.results.filter = filter;
                self.query.results.arrange();
            }
            Pane::Events => {
                self.events_table.filter = filter;
                self.arrange_events();
            }
            _ => {
                self.nodes_table.filter = filter;
                self.arrange_nodes();
            }
        }
    }
}
