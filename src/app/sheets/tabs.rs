//! The tabs of a screen: which view it shows, and which of them no watched node can have rows of.
//!
//! A screen opens on the first table that at least one node can have. The table that a person chose stays while it has
//! rows. What a node can have follows from its version and role and from the answers that are there; nothing is asked for it.

use std::sync::Arc;

use crate::app::{App, Node, Screen};
use crate::model::view::{Version, ViewScreen};
use crate::model::{ErrorKind, NodeError, View};

use super::Sheets;
use super::sheet::{NodeSheet, Sheet};

impl Sheets {
    /// The tabs of a screen, in their order.
    pub fn tabs(&self, screen: ViewScreen) -> Vec<&Arc<View>> {
        let of_screen = |view: &&Arc<View>| match (view.screen, screen) {
            (None, ViewScreen::Other) => self.chosen.get(&screen).is_some_and(|name| *name == view.name),
            (of, screen) => of == Some(screen),
        };
        let mut tabs: Vec<&Arc<View>> = self.views.values().filter(of_screen).collect();
        tabs.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
        tabs
    }

    /// The view that a screen shows.
    pub fn shown(&self, screen: ViewScreen) -> Option<&Arc<View>> {
        let chosen = self.chosen.get(&screen).and_then(|name| self.views.get(name));
        chosen.or_else(|| self.tabs(screen).first().copied())
    }

    /// Shows a view on a screen from now on.
    pub(in crate::app) fn choose(&mut self, screen: ViewScreen, view: String) {
        self.chosen.insert(screen, view);
    }

    /// The same, because a person asked for that view. The first one is what the screen shows anyway.
    pub(super) fn choose_by_hand(&mut self, screen: ViewScreen, view: String) {
        if self.tabs(screen).first().is_none_or(|first| first.name != view) {
            self.by_hand.insert(screen);
        } else {
            self.by_hand.remove(&screen);
        }
        self.choose(screen, view);
    }

    /// What a node is known to have of a view; `None` where that is not known.
    fn has(&self, view: &View, node: &Node) -> Option<bool> {
        let version = node.server_version.as_deref().and_then(Version::parse);
        if view.extension.is_none()
            && let (Some(version), Some(role)) = (version, node.role)
        {
            return Some(view.lacks(version, role).is_none());
        }
        let known = |sheet: &Sheet| match sheet.node(node.name())?.known()? {
            Ok(reading) => Some(reading.answer.not_applicable.is_none()),
            Err(error) => Some(!is_missing_extension(error)),
        };
        if let Some(has) = self.get(&view.name).and_then(known) {
            return Some(has);
        }
        // Another view of the same extension may have told that it is missing.
        let of_extension = |sheet: &&Sheet| {
            let is_missing = |said: &NodeSheet| said.known().is_some_and(|said| said.is_err_and(is_missing_extension));
            view.extension.is_some()
                && sheet.view.extension == view.extension
                && sheet.node(node.name()).is_some_and(is_missing)
        };
        self.tables.values().any(|sheet| of_extension(&sheet)).then_some(false)
    }

    /// Whether each node answered, and none had rows.
    fn is_empty<'a>(&self, view: &View, mut nodes: impl Iterator<Item = &'a Node>) -> bool {
        let sheet = self.get(&view.name);
        nodes.all(|node| {
            let known = sheet.and_then(|sheet| sheet.node(node.name())?.known());
            known.is_some_and(|said| said.is_ok_and(|reading| reading.len() == 0))
        })
    }
}

/// The database has no such extension: we said so, and no server sent a code.
fn is_missing_extension(error: &NodeError) -> bool {
    error.kind == ErrorKind::Sql && error.sqlstate.is_none()
}

impl App {
    /// Whether no node that is shown can have rows of a view, so far as that is known.
    pub fn is_unavailable(&self, view: &View) -> bool {
        let mut nodes = self.shown_nodes().peekable();
        nodes.peek().is_some() && nodes.all(|node| self.sheets.has(view, node) == Some(false))
    }

    fn shown_nodes(&self) -> impl Iterator<Item = &Node> {
        let only = self.sheets.only.as_ref();
        self.picture().nodes.iter().filter(move |node| only.is_none_or(|only| only.contains(node.name())))
    }

    /// A screen of tables is opened: on the table that a person chose where it has rows, else on the first that a node can
    /// have.
    pub(in crate::app) fn open_tab(&mut self, screen: ViewScreen) {
        let Some(shown) = self.sheets.shown(screen) else { return };
        let stays = self.sheets.by_hand.contains(&screen)
            && !self.is_unavailable(shown)
            && !self.sheets.is_empty(shown, self.shown_nodes());
        if !stays {
            self.sheets.by_hand.remove(&screen);
            self.sheets.chosen.remove(&screen);
            self.leave_unavailable(screen);
        }
    }

    /// Shows the first table that a node can have, where no node can have the one that is shown and no person chose it.
    /// Gives whether another one is shown.
    pub(super) fn leave_unavailable(&mut self, screen: ViewScreen) -> bool {
        if screen == ViewScreen::Other || self.sheets.by_hand.contains(&screen) {
            return false;
        }
        let is_shown_unavailable = self.sheets.shown(screen).is_some_and(|view| self.is_unavailable(view));
        if !is_shown_unavailable {
            return false;
        }
        let tabs = self.sheets.tabs(screen);
        let Some(next) = tabs.iter().find(|view| !self.is_unavailable(view)).map(|view| view.name.clone()) else {
            return false;
        };
        self.sheets.choose(screen, next);
        true
    }

    /// The answers say that no node can have the table on the screen: shows another one.
    pub(in crate::app) fn settle_tab(&mut self) -> bool {
        let Screen::View(screen) = self.screen else { return false };
        let moved = self.leave_unavailable(screen);
        if moved {
            self.enter_sheet();
        }
        moved
    }

    /// The next tab of the screen.
    pub(in crate::app) fn next_view(&mut self, forward: bool) {
        let Screen::View(screen) = self.screen else { return };
        let tabs: Vec<String> = self.sheets.tabs(screen).iter().map(|view| view.name.clone()).collect();
        let Some(shown) = self.sheets.shown(screen).map(|view| view.name.clone()) else { return };
        let at = tabs.iter().position(|name| *name == shown).unwrap_or_default();
        let step = if forward { 1 } else { tabs.len().saturating_sub(1) };
        if let Some(next) = tabs.get((at + step) % tabs.len().max(1)) {
            self.sheets.choose(screen, next.clone());
            self.sheets.by_hand.insert(screen);
            self.enter_sheet();
        }
    }
}
