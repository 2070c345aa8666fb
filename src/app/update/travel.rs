//! The way back. `q` closes an open row; without one it returns to the previous screen. `Esc` first undoes one thing
//! at a time: the running query of this screen, the zoom, the open row, what is left out (other nodes, then rows by the
//! filter), the marks, the focus of another pane. Then it returns to the previous screen; on the first one it does
//! nothing. Dialogs and input lines handle their own keys first.
//!
//! Each screen, view and node is in the history at most once, and going back adds nothing to it, so the way back
//! always ends on the first screen. Going to the first screen directly clears the history.

use crate::app::{App, Effect, Pane, Screen};
use crate::model::{Command, NodeName};

use crate::app::visit::Place;

/// The number of places kept in the history.
const LONGEST: usize = 32;

impl App {
    fn place(&self) -> Place {
        let view = if let Screen::View(screen) = self.screen { self.views.shown(screen) } else { None };
        Place {
            screen: self.screen,
            view: view.map(|view| view.name.clone()),
            pane: self.pane,
            node: self.nodes_table.selected().cloned(),
            event: self.events_table.selected().copied(),
        }
    }

    /// Goes to another screen by `go`, and remembers the current one.
    pub(in crate::app) fn travel(&mut self, go: impl FnOnce(&mut Self)) {
        let from = self.place();
        go(self);
        let here = self.place();
        if here.screen == Screen::Nodes {
            self.history.clear();
        } else if !from.is_same(&here) {
            self.history.retain(|place| !place.is_same(&here) && !place.is_same(&from));
            self.history.push(from);
            if self.history.len() > LONGEST {
                // Drops the second one: the first one is the screen where the way back ends.
                self.history.remove(1);
            }
        }
    }

    /// Returns to the previous screen. Returns `false` on the first screen, from which there is no way back.
    pub(in crate::app) fn return_to_previous(&mut self) -> bool {
        while let Some(place) = self.history.pop() {
            let is_gone = |node: &NodeName| self.picture().nodes.get(node).is_none();
            if place.screen != Screen::Detail || !place.node.as_ref().is_none_or(is_gone) {
                self.return_to(place);
                return true;
            }
        }
        let is_first = self.screen == Screen::Nodes;
        if !is_first {
            self.enter(Screen::Nodes);
        }
        !is_first
    }

    fn return_to(&mut self, place: Place) {
        if let (Screen::View(screen), Some(view)) = (place.screen, place.view) {
            self.views.choose(screen, view);
        }
        match place.node {
            Some(node) if place.screen == Screen::Detail => self.select_node(&node),
            Some(node) if place.screen == Screen::Nodes => {
                let page = self.drawn.page(Pane::Nodes);
                self.changing_node(|app| app.nodes_table.select_key(&node, page));
            }
            _ => {}
        }
        self.enter(place.screen);
        self.pane = place.pane;
        if let Some(event) = place.event {
            let page = self.drawn.page(Pane::Events);
            self.events_table.select_key(&event, page);
        }
    }

    /// On a node's page that was opened from the list, `[` and `]` select in that list: after going back, the cursor
    /// is on the node last shown.
    pub(in crate::app) fn selected_neighbour(&mut self) {
        let node = self.nodes_table.selected().cloned();
        if let Some(place) = self.history.last_mut().filter(|place| place.screen == Screen::Nodes) {
            place.node = node;
        }
    }
}

/// What `Esc` undoes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Step {
    Query,
    Zoom,
    /// A row shown in full.
    Row,
    /// The details of an entry.
    Details,
    /// The limit of a table to some nodes.
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
            Self::Details => "close details",
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
        } else if self.details && self.pane == Pane::Events {
            Some(Step::Details)
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
            Some(Step::Details) => self.details = false,
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
