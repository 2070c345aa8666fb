//! The tabs of a screen: which view it shows, and which views no watched node can have rows of.
//!
//! A screen opens on the first table that at least one node can have. A table that a person chose stays while it has
//! rows. What a node can have follows from its version, its role and the answers received; no extra query is sent for
//! it, and answers count in a frozen picture too.

use crate::app::views::tabs::is_empty;
use crate::app::{App, Screen};
use crate::fleet::Node;
use crate::model::View;
use crate::model::view::ViewScreen;

impl App {
    /// True if no shown node can have rows of a view, as far as that is known.
    pub fn is_unavailable(&self, view: &View) -> bool {
        let mut nodes = self.shown_nodes().peekable();
        nodes.peek().is_some() && nodes.all(|node| self.views.has(self.fleet.now(), view, node) == Some(false))
    }

    fn shown_nodes(&self) -> impl Iterator<Item = &Node> {
        let only = self.views.only.as_ref();
        self.picture().nodes.iter().filter(move |node| only.is_none_or(|only| only.contains(node.name())))
    }

    /// Chooses the table of a screen that opens: the one that a person chose if it has rows, else the first that a
    /// node can have.
    pub(in crate::app) fn open_tab(&mut self, screen: ViewScreen) {
        let Some(shown) = self.views.shown(screen) else { return };
        let stays = self.views.by_hand.contains(&screen)
            && !self.is_unavailable(shown)
            && !is_empty(self.fleet.now(), shown, self.shown_nodes());
        if !stays {
            self.views.by_hand.remove(&screen);
            self.views.chosen.remove(&screen);
            self.leave_unavailable(screen);
        }
    }

    /// Replaces the shown table by the first one that a node can have, if no node can have it and no person chose it.
    /// Returns true if it did.
    pub(in crate::app) fn leave_unavailable(&mut self, screen: ViewScreen) -> bool {
        if screen == ViewScreen::Other || self.views.by_hand.contains(&screen) {
            return false;
        }
        let is_shown_unavailable = self.views.shown(screen).is_some_and(|view| self.is_unavailable(view));
        if !is_shown_unavailable {
            return false;
        }
        let tabs = self.views.tabs(screen);
        let Some(next) = tabs.iter().find(|view| !self.is_unavailable(view)).map(|view| view.name.clone()) else {
            return false;
        };
        self.views.choose(screen, next);
        true
    }

    /// Shows another table if the answers show that no node can have the current one. Returns true if it did.
    pub(in crate::app) fn settle_tab(&mut self) -> bool {
        let Screen::View(screen) = self.screen else { return false };
        let moved = self.leave_unavailable(screen);
        if moved {
            self.arrange_view();
        }
        moved
    }

    /// Shows the next tab of the screen, or the previous one.
    pub(in crate::app) fn next_view(&mut self, forward: bool) {
        let Screen::View(screen) = self.screen else { return };
        let tabs: Vec<String> = self.views.tabs(screen).iter().map(|view| view.name.clone()).collect();
        let Some(shown) = self.views.shown(screen).map(|view| view.name.clone()) else { return };
        let at = tabs.iter().position(|name| *name == shown).unwrap_or_default();
        let step = if forward { 1 } else { tabs.len().saturating_sub(1) };
        if let Some(next) = tabs.get((at + step) % tabs.len().max(1)) {
            self.views.choose(screen, next.clone());
            self.views.by_hand.insert(screen);
            self.arrange_view();
        }
    }
}
