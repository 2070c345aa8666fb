//! `Esc` goes back one thing at a time: the running query of this screen, the zoom, the row at length, what is left out
//! (other nodes, then by the filter), the marks, the pane, the screen. At the top it does nothing. Dialogs and input lines come before all of it; they take their own keys.

use crate::model::Command;

use crate::app::{App, Effect, Pane, Screen};

/// What `Esc` would undo next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Step {
    Query,
    Zoom,
    /// A row at length.
    Row,
    /// The table shows some of the nodes only.
    Only,
    Filter,
    Marks,
    Pane,
    Screen,
}

impl Step {
    /// The word in the key line.
    pub(in crate::app) fn word(self) -> &'static str {
        match self {
            Self::Query => "cancel query",
            Self::Zoom => "unzoom",
            Self::Only => "all nodes",
            Self::Filter => "clear filter",
            Self::Marks => "clear marks",
            Self::Row | Self::Pane | Self::Screen => "back",
        }
    }
}

impl App {
    pub(in crate::app) fn back_step(&self) -> Option<Step> {
        let shows_query = matches!(self.screen, Screen::Nodes | Screen::Query);
        if shows_query && self.fleet.batch().is_some_and(|batch| batch.is_running() && !batch.cancelled) {
            Some(Step::Query)
        } else if self.zoomed {
            Some(Step::Zoom)
        } else if let Some(opened) = self.view_table().and_then(|table| table.opened.as_ref()) {
            Some(if opened.filter.is_empty() { Step::Row } else { Step::Filter })
        } else if matches!(self.screen, Screen::View(_)) && self.views.only.is_some() {
            Some(Step::Only)
        } else if self.is_filtered() {
            Some(Step::Filter)
        } else if (self.screen == Screen::Nodes && !self.nodes_table.marks.is_empty())
            || self.view_table().is_some_and(|table| !table.marks.is_empty())
        {
            Some(Step::Marks)
        } else if self.screen == Screen::Nodes && self.pane != Pane::Nodes {
            Some(Step::Pane)
        } else {
            (self.screen != Screen::Nodes).then_some(Step::Screen)
        }
    }

    pub(in crate::app) fn back(&mut self) -> Vec<Effect> {
        match self.back_step() {
            Some(Step::Query) => return self.cancel_query(),
            Some(Step::Zoom) => self.zoomed = false,
            Some(Step::Row) => self.changing_view(|table| table.opened = None),
            Some(Step::Only) => self.show_all_nodes(),
            Some(Step::Filter) => self.clear_filter(),
            Some(Step::Marks) => match self.view_table_mut() {
                Some(table) => table.marks.clear(),
                None => self.nodes_table.marks.clear(),
            },
            Some(Step::Pane) => self.pane = Pane::Nodes,
            Some(Step::Screen) => drop(self.return_to_previous()),
            None => {}
        }
        Vec::new()
    }

    /// Cancels what still runs of the shown batch.
    pub(in crate::app) fn cancel_query(&mut self) -> Vec<Effect> {
        let batch = self.fleet.cancel();
        batch.map(|batch| Effect::Send(Command::CancelBatch(batch))).into_iter().collect()
    }
}
