//! Which view a screen shows, and what is known about which views its nodes can have.

use std::sync::Arc;

use super::Views;
use crate::fleet::{Node, Picture};
use crate::model::view::{Version, ViewScreen};
use crate::model::{ErrorKind, NodeError, View};

impl Views {
    /// The tabs of a screen, in their order.
    pub fn tabs(&self, screen: ViewScreen) -> Vec<&Arc<View>> {
        let of_screen = |view: &&Arc<View>| match (view.screen, screen) {
            (None, ViewScreen::Other) => self.chosen.get(&screen).is_some_and(|name| *name == view.name),
            (of, screen) => of == Some(screen),
        };
        let mut tabs: Vec<&Arc<View>> = self.all.values().filter(of_screen).collect();
        tabs.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
        tabs
    }

    /// The view that a screen shows.
    pub fn shown(&self, screen: ViewScreen) -> Option<&Arc<View>> {
        let chosen = self.chosen.get(&screen).and_then(|name| self.all.get(name));
        chosen.or_else(|| self.tabs(screen).first().copied())
    }

    /// Shows a view on a screen from now on.
    pub(in crate::app) fn choose(&mut self, screen: ViewScreen, view: String) {
        self.chosen.insert(screen, view);
    }

    /// The same for a view that a person asked for. The first view needs no choice: the screen shows it anyway.
    pub(in crate::app) fn choose_by_hand(&mut self, screen: ViewScreen, view: String) {
        if self.tabs(screen).first().is_none_or(|first| first.name != view) {
            self.by_hand.insert(screen);
        } else {
            self.by_hand.remove(&screen);
        }
        self.choose(screen, view);
    }

    /// True if a node has the view, false if it cannot have it; `None` if that is not known.
    pub(in crate::app) fn has(&self, picture: &Picture, view: &View, node: &Node) -> Option<bool> {
        let version = node.server_version.as_deref().and_then(Version::parse);
        if view.extension.is_none()
            && let (Some(version), Some(role)) = (version, node.role)
        {
            return Some(view.lacks(version, role).is_none());
        }
        let last = |view: &View| picture.readings.of(&view.name)?.node(node.name())?.last();
        if let Some(last) = last(view) {
            return Some(match last {
                Ok(reading) => reading.answer.not_applicable.is_none(),
                Err(error) => !is_missing_extension(error),
            });
        }
        // Another view of the same extension may have shown that the extension is missing.
        let mut others =
            self.all.values().filter(|other| view.extension.is_some() && other.extension == view.extension);
        others.any(|other| last(other).is_some_and(|last| last.is_err_and(is_missing_extension))).then_some(false)
    }
}

/// True if each node answered a view, and none had rows.
pub(in crate::app) fn is_empty<'a>(picture: &Picture, view: &View, mut nodes: impl Iterator<Item = &'a Node>) -> bool {
    let readings = picture.readings.of(&view.name);
    nodes.all(|node| {
        let last = readings.and_then(|readings| readings.node(node.name())?.last());
        last.is_some_and(|last| last.is_ok_and(|reading| reading.len() == 0))
    })
}

/// True if the database lacks the extension: pgwatch has found that out itself, so there is no code of a server.
fn is_missing_extension(error: &NodeError) -> bool {
    error.kind == ErrorKind::Sql && error.sqlstate.is_none()
}
