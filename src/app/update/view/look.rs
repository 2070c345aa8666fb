//! The table on the screen, the views that are read, and what is asked for both.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::app::views::order::Asked;
use crate::app::views::table::Sheet;
use crate::app::{App, Effect, Pane, Screen, Severity, topology};
use crate::model::protocol::{Look, ViewRows};
use crate::model::view::ViewScreen;
use crate::model::{Command, NodeError, NodeName, Role, Rule, View};

/// The view that compares nodes.
const DRIFT: &str = "drift";

impl App {
    /// The table on the screen.
    pub fn sheet(&self) -> Option<&Sheet> {
        let Screen::View(screen) = self.screen else { return None };
        self.sheets.get(&self.sheets.shown(screen)?.name)
    }

    pub(in crate::app) fn sheet_mut(&mut self) -> Option<&mut Sheet> {
        let Screen::View(screen) = self.screen else { return None };
        let view = Arc::clone(self.sheets.shown(screen)?);
        Some(self.sheets.sheet(&view))
    }

    /// The views and the rules were read, for the first time or anew. A view that changed begins anew.
    pub(in crate::app) fn take_views(
        &mut self,
        views: IndexMap<String, Arc<View>>,
        rules: Vec<Arc<Rule>>,
        problems: Vec<String>,
    ) -> Vec<Effect> {
        self.alerts.take_rules(rules);
        self.sheets.tables.retain(|name, sheet| views.get(name).is_some_and(|view| **view == *sheet.view));
        for (name, sheet) in &mut self.sheets.tables {
            if let Some(view) = views.get(name) {
                sheet.view = Arc::clone(view);
            }
        }
        self.sheets.views = views;
        if let Some(first) = problems.first() {
            self.say(Severity::Critical, format!("a view or rule is invalid and was left out: {first}"));
        }
        self.sheets.problems = problems;
        // Figures that came before the rules: the next ones may be a minute away. Those of a node that is down are old.
        for node in self.live.nodes.iter().filter(|node| node.health.state.answers()) {
            self.alerts.heed_facts(self.now, node, &self.thresholds);
        }
        Vec::new()
    }

    /// Shows a view, on its screen, and remembers the way back.
    pub(in crate::app) fn show_view(&mut self, name: &str) -> bool {
        let mut known = false;
        self.travel(|app| known = app.enter_view(name));
        known
    }

    pub(in crate::app) fn enter_view(&mut self, name: &str) -> bool {
        let Some(view) = self.sheets.views.get(name).cloned() else { return false };
        let screen = view.screen.unwrap_or(ViewScreen::Other);
        if screen == ViewScreen::Other && self.sheets.shown(screen).is_some_and(|shown| shown.name != view.name) {
            // Views of no screen are screens of their own.
            self.sheets.only = None;
        }
        self.sheets.choose_by_hand(screen, view.name.clone());
        self.enter(Screen::View(screen));
        true
    }

    /// Whether the table on the screen is the one that compares nodes.
    pub fn shows_drift(&self) -> bool {
        let Screen::View(screen) = self.screen else { return false };
        self.sheets.shown(screen).is_some_and(|view| view.name == DRIFT)
    }

    /// `c`: what differs between the marked nodes, else between all of them.
    pub(in crate::app) fn compare(&mut self) {
        let marked: Vec<NodeName> =
            self.live.nodes.names().filter(|name| self.nodes_table.marks.contains(*name)).cloned().collect();
        self.travel(|app| {
            if app.enter_view(DRIFT) {
                app.sheets.only = (marked.len() > 1).then_some(marked);
                app.enter_sheet();
            } else {
                app.say(Severity::Warning, "the views are not read yet");
            }
        });
    }

    /// The table on the screen is another one, or is shown again: it is put in order.
    pub(in crate::app) fn enter_sheet(&mut self) {
        let names: Vec<NodeName> = self.picture().nodes.names().cloned().collect();
        let frozen = self.frozen.is_some();
        if let Some(only) = &mut self.sheets.only {
            only.retain(|name| names.contains(name));
        }
        let only = self.sheets.only.take_if(|only| !only.is_empty());
        self.sheets.only.clone_from(&only);
        let asked = names.into_iter().filter(|name| only.as_ref().is_none_or(|only| only.contains(name)));
        let asked: Vec<Asked> = asked.map(|name| self.asked_node(name)).collect();
        let page = self.drawn.page(Pane::View);
        if let Some(sheet) = self.sheet_mut() {
            sheet.settle(&asked, frozen, page);
        }
        self.find_sought();
    }

    fn asked_node(&self, name: NodeName) -> Asked {
        let Some(node) = self.picture().nodes.get(&name) else { return Asked::new(name) };
        Asked {
            silent: self.why_silent(&name),
            system: node.server.as_ref().and_then(|server| server.system_identifier),
            database: node.config.database.clone(),
            is_primary: node.role == Some(Role::Primary),
            name,
        }
    }

    /// Tables forget nodes that were removed; those of a frozen picture stay until it goes on.
    pub(in crate::app) fn forget_removed_nodes(&mut self) {
        if self.frozen.is_none() {
            let nodes = &self.live.nodes;
            for sheet in self.sheets.tables.values_mut() {
                sheet.keep_nodes(|name| nodes.get(name).is_some());
            }
            self.unsettle_sheet();
        }
    }

    /// Why a node answers nothing at all.
    fn why_silent(&self, name: &NodeName) -> Option<String> {
        let health = &self.picture().nodes.get(name)?.health;
        let error = health.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
        (!health.state.answers()).then(|| format!("{}{error}", health.state.as_str()))
    }

    /// The health of a node changed: what its rows say of it may be another thing now.
    pub(in crate::app) fn unsettle_sheet(&mut self) {
        if let Some(sheet) = self.sheet_mut() {
            sheet.unsettled = true;
        }
        for view in topology::VIEWS {
            if let Some(sheet) = self.sheets.of(view) {
                sheet.unsettled = true;
            }
        }
    }

    /// A node answered a view, or could not.
    pub(in crate::app) fn view_answered(
        &mut self,
        at: SystemTime,
        node: &NodeName,
        view: &str,
        outcome: Result<Arc<ViewRows>, NodeError>,
    ) {
        self.heed_view(at, node, view, &outcome);
        if self.live.nodes.get(node).is_some()
            && let Some(sheet) = self.sheets.tables.get_mut(view)
        {
            sheet.answered(at, node, outcome);
        }
    }

    /// What is to be asked from now on, where that is not what is asked already.
    pub(in crate::app) fn look(&mut self) -> Option<Effect> {
        // Looked at with each message: nothing is made where nothing changed.
        let looked = &self.sheets.looked;
        let same = |(wanted, look): (Wanted<'_>, &Look)| {
            Arc::ptr_eq(wanted.view, &look.view) && wanted.nodes == look.nodes.as_ref() && wanted.pace == look.pace
        };
        if self.wanted().count() == looked.len() && self.wanted().zip(looked).all(same) {
            return None;
        }
        let look = |of: Wanted<'_>| Look { view: Arc::clone(of.view), nodes: of.nodes.cloned(), pace: of.pace };
        let wanted: Vec<Look> = self.wanted().map(look).collect();
        for look in wanted.iter().filter(|look| look.pace.is_none()) {
            self.sheets.sheet(&look.view).unsettled = true;
        }
        self.sheets.looked.clone_from(&wanted);
        Some(Effect::Send(Command::Look(wanted)))
    }

    /// What the screen shows, and what the rules of alerts need.
    fn wanted(&self) -> impl Iterator<Item = Wanted<'_>> {
        let shown = match self.screen {
            Screen::View(screen) => self.sheets.shown(screen),
            _ => None,
        };
        let shown = shown.map(|view| Wanted { view, nodes: self.sheets.only.as_ref(), pace: None });
        let topology = topology::VIEWS.iter().filter(|_| self.screen == Screen::Topology);
        let topology = topology.filter_map(|name| self.sheets.views.get(*name));
        let asked = self.alerts.asked().map(|(view, every)| Wanted { view, nodes: None, pace: Some(every) });
        let session = self.asked_for_session().map(|(view, nodes)| Wanted { view, nodes: Some(nodes), pace: None });
        let shown = shown.into_iter().chain(session);
        let all = shown.chain(topology.map(|view| Wanted { view, nodes: None, pace: None })).chain(asked);
        all.filter(|_| self.leaving.is_none())
    }
}

/// A look that is not made yet.
struct Wanted<'a> {
    view: &'a Arc<View>,
    nodes: Option<&'a Vec<NodeName>>,
    pace: Option<Duration>,
}
