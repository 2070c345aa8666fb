//! The screens behind the first: which views there are, which one each screen shows, and what is asked for it.

mod arrange;
mod explain;
mod filter;
mod keys;
mod sheet;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use indexmap::IndexMap;

use crate::model::protocol::{Look, ViewRows};
use crate::model::view::ViewScreen;
use crate::model::{Command, NodeError, NodeName, View};

use super::{App, Effect, Screen};

pub use arrange::{Group, GroupCell, Line, NodeNote, RowAt};
pub use sheet::{NodeSheet, Opened, Sheet};

/// All views and their tables.
#[derive(Debug, Clone, Default)]
pub struct Sheets {
    /// By name; empty until they are read.
    views: IndexMap<String, Arc<View>>,
    /// What is wrong with the user's own files.
    pub problems: Vec<String>,
    /// The view that each screen shows, where it is not the first.
    chosen: HashMap<ViewScreen, String>,
    /// A table for each view that was looked at.
    tables: HashMap<String, Sheet>,
    /// The one node that is shown; all of them without.
    pub only: Option<NodeName>,
    /// What the manager was told last.
    looked: Vec<Look>,
}

impl Sheets {
    pub fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.views.values()
    }

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

    pub fn get(&self, view: &str) -> Option<&Sheet> {
        self.tables.get(view)
    }

    fn sheet(&mut self, view: &Arc<View>) -> &mut Sheet {
        self.tables.entry(view.name.clone()).or_insert_with(|| Sheet::new(Arc::clone(view)))
    }
}

impl App {
    /// The table on the screen.
    pub fn sheet(&self) -> Option<&Sheet> {
        let Screen::View(screen) = self.screen else { return None };
        self.sheets.get(&self.sheets.shown(screen)?.name)
    }

    pub(super) fn sheet_mut(&mut self) -> Option<&mut Sheet> {
        let Screen::View(screen) = self.screen else { return None };
        let view = Arc::clone(self.sheets.shown(screen)?);
        Some(self.sheets.sheet(&view))
    }

    /// The views were read, for the first time or anew. A view that changed begins anew.
    pub(super) fn take_views(&mut self, views: IndexMap<String, Arc<View>>, problems: Vec<String>) -> Vec<Effect> {
        self.sheets.tables.retain(|name, sheet| views.get(name).is_some_and(|view| **view == *sheet.view));
        for (name, sheet) in &mut self.sheets.tables {
            if let Some(view) = views.get(name) {
                sheet.view = Arc::clone(view);
            }
        }
        self.sheets.views = views;
        if let Some(first) = problems.first() {
            self.say(super::Severity::Critical, format!("a view is wrong and left out: {first}"));
        }
        self.sheets.problems = problems;
        Vec::new()
    }

    /// Shows a view, on its screen.
    pub(super) fn show_view(&mut self, name: &str) -> bool {
        let Some(view) = self.sheets.views.get(name).cloned() else { return false };
        let screen = view.screen.unwrap_or(ViewScreen::Other);
        self.sheets.chosen.insert(screen, view.name.clone());
        self.show(Screen::View(screen));
        true
    }

    /// The next tab of the screen.
    pub(super) fn next_view(&mut self, forward: bool) {
        let Screen::View(screen) = self.screen else { return };
        let tabs: Vec<String> = self.sheets.tabs(screen).iter().map(|view| view.name.clone()).collect();
        let Some(shown) = self.sheets.shown(screen).map(|view| view.name.clone()) else { return };
        let at = tabs.iter().position(|name| *name == shown).unwrap_or_default();
        let step = if forward { 1 } else { tabs.len().saturating_sub(1) };
        if let Some(next) = tabs.get((at + step) % tabs.len().max(1)) {
            self.sheets.chosen.insert(screen, next.clone());
            self.enter_sheet();
        }
    }

    /// The table on the screen is another one, or is shown again: it is put in order.
    pub(super) fn enter_sheet(&mut self) {
        let names: Vec<NodeName> = self.live.nodes.names().cloned().collect();
        let frozen = self.frozen.is_some();
        let only = self.sheets.only.clone().filter(|only| names.contains(only));
        self.sheets.only.clone_from(&only);
        let asked = names.into_iter().filter(|name| only.as_ref().is_none_or(|only| only == name));
        let asked: Vec<(NodeName, Option<String>)> = asked.map(|name| (name.clone(), self.why_silent(&name))).collect();
        let page = self.drawn.page(super::Pane::View);
        if let Some(sheet) = self.sheet_mut() {
            sheet.settle(&asked, frozen, page);
        }
    }

    /// Why a node answers nothing at all.
    fn why_silent(&self, name: &NodeName) -> Option<String> {
        let health = &self.picture().nodes.get(name)?.health;
        let error = health.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
        (!health.state.answers()).then(|| format!("{}{error}", health.state.as_str()))
    }

    /// The health of a node changed: what its rows say of it may be another thing now.
    pub(super) fn unsettle_sheet(&mut self) {
        if let Some(sheet) = self.sheet_mut() {
            sheet.unsettled = true;
        }
    }

    /// A node answered a view, or could not.
    pub(super) fn view_answered(
        &mut self,
        at: SystemTime,
        node: &NodeName,
        view: &str,
        outcome: Result<Arc<ViewRows>, NodeError>,
    ) {
        if let Some(sheet) = self.sheets.tables.get_mut(view) {
            sheet.answered(at, node, outcome);
        }
    }

    /// What is to be asked from now on, where that is not what is asked already.
    pub(super) fn look(&mut self) -> Option<Effect> {
        let mut wanted = Vec::new();
        if self.leaving.is_none()
            && let Screen::View(screen) = self.screen
            && let Some(view) = self.sheets.shown(screen)
        {
            let nodes = self.sheets.only.clone().map(|only| vec![only]);
            wanted.push(Look { view: Arc::clone(view), nodes });
        }
        if same(&wanted, &self.sheets.looked) {
            return None;
        }
        for look in &wanted {
            self.sheets.sheet(&look.view).unsettled = true;
        }
        self.sheets.looked.clone_from(&wanted);
        Some(Effect::Send(Command::Look(wanted)))
    }
}

fn same(a: &[Look], b: &[Look]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(&a.view, &b.view) && a.nodes == b.nodes)
}
