//! The history of screens: where one came from, and the way back that `q` and `Esc` share.
//!
//! Each screen, view and node is in it at most once, and going back adds nothing to it, so that the way back always ends
//! on the first screen. Going to the first screen by its digit is going home: the history is then empty.

use crate::model::NodeName;

use crate::app::visit::Place;
use crate::app::{App, Pane, Screen};

/// How many places are kept.
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

    /// Goes to another screen by `go`, and remembers this one.
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
                // The second: at the bottom is the first screen.
                self.history.remove(1);
            }
        }
    }

    /// To the screen one came from. Gives `false` on the first screen, from which there is no way back.
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

    /// On a node's page opened from the list, `[` and `]` select in that list: back there the cursor is on that node.
    pub(in crate::app) fn selected_neighbour(&mut self) {
        let node = self.nodes_table.selected().cloned();
        if let Some(place) = self.history.last_mut().filter(|place| place.screen == Screen::Nodes) {
            place.node = node;
        }
    }
}
