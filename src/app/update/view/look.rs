//! The table on the screen, reading the views, and which views the servers are asked.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::app::views::lines::Asked;
use crate::app::views::table::ViewTable;
use crate::app::{App, Effect, Pane, Screen};
use crate::fleet::Series;
use crate::fleet::{Severity, topology};
use crate::model::protocol::Look;
use crate::model::view::ViewScreen;
use crate::model::{Command, HealthState, NodeName, Role, Rule, View};

/// The view that compares nodes.
const DRIFT: &str = "drift";

impl App {
    /// The table on the screen.
    pub fn view_table(&self) -> Option<&ViewTable> {
        let Screen::View(screen) = self.screen else { return None };
        self.views.get(&self.views.shown(screen)?.name)
    }

    pub(in crate::app) fn view_table_mut(&mut self) -> Option<&mut ViewTable> {
        let Screen::View(screen) = self.screen else { return None };
        let view = Arc::clone(self.views.shown(screen)?);
        Some(self.views.table(&view))
    }

    /// Takes the views and rules that were read, at the start or again. The table of a view that changed starts
    /// empty.
    pub(in crate::app) fn take_views(
        &mut self,
        views: IndexMap<String, Arc<View>>,
        rules: Vec<Arc<Rule>>,
        problems: Vec<String>,
    ) -> Vec<Effect> {
        self.fleet.take_rules(views.clone(), rules);
        self.views.tables.retain(|name, table| views.get(name).is_some_and(|view| **view == *table.view));
        for (name, table) in &mut self.views.tables {
            if let Some(view) = views.get(name) {
                table.view = Arc::clone(view);
            }
        }
        self.views.all = views;
        if let Some(first) = problems.first() {
            self.say(Severity::Critical, format!("a view or rule is invalid and was left out: {first}"));
        }
        self.views.problems = problems;
        Vec::new()
    }

    /// Shows a view on its screen, and remembers the way back.
    pub(in crate::app) fn show_view(&mut self, name: &str) -> bool {
        let mut known = false;
        self.travel(|app| known = app.enter_view(name));
        known
    }

    pub(in crate::app) fn enter_view(&mut self, name: &str) -> bool {
        let Some(view) = self.views.all.get(name).cloned() else { return false };
        let screen = view.screen.unwrap_or(ViewScreen::Other);
        if screen == ViewScreen::Other && self.views.shown(screen).is_some_and(|shown| shown.name != view.name) {
            // Each view without a screen of its own counts as a separate screen.
            self.views.only = None;
        }
        self.views.choose_by_hand(screen, view.name.clone());
        self.enter(Screen::View(screen));
        true
    }

    /// True if the table on the screen is the one that compares nodes.
    pub fn shows_drift(&self) -> bool {
        let Screen::View(screen) = self.screen else { return false };
        self.views.shown(screen).is_some_and(|view| view.name == DRIFT)
    }

    /// `c`: shows what differs between the marked nodes, or between all of them.
    pub(in crate::app) fn compare(&mut self) {
        let marked: Vec<NodeName> =
            self.fleet.now().nodes.names().filter(|name| self.nodes_table.marks.contains(*name)).cloned().collect();
        self.travel(|app| {
            if app.enter_view(DRIFT) {
                app.views.only = (marked.len() > 1).then_some(marked);
                app.arrange_view();
            } else {
                app.say(Severity::Warning, "the views are not read yet");
            }
        });
    }

    /// Arranges the table on the screen: it is a different one, or is shown again, or has new answers.
    pub(in crate::app) fn arrange_view(&mut self) {
        let names: Vec<NodeName> = self.picture().nodes.names().cloned().collect();
        if let Some(only) = &mut self.views.only {
            only.retain(|name| names.contains(name));
        }
        let only = self.views.only.take_if(|only| !only.is_empty());
        self.views.only.clone_from(&only);
        let asked = names.into_iter().filter(|name| only.as_ref().is_none_or(|only| only.contains(name)));
        let asked: Vec<Asked> = asked.map(|name| self.asked_node(name)).collect();
        let page = self.drawn.page(Pane::View);
        self.settle_table(None, &asked, page);
        self.find_sought();
    }

    /// The recent values of a figure of a row in the shown picture; `None` where they are not kept.
    pub fn series(&self, table: &ViewTable, node: &NodeName, row: usize, column: usize) -> Option<&Series> {
        let readings = self.picture().readings.of(&table.view.name)?;
        readings.series(node, &table.key(node, row)?, column)
    }

    fn asked_node(&self, name: NodeName) -> Asked {
        let Some(node) = self.picture().nodes.get(&name) else { return Asked::new(name) };
        Asked {
            silent: self.why_silent(&name),
            is_down: matches!(node.health.state, HealthState::Unhealthy | HealthState::Reconnecting),
            system: node.server.as_ref().and_then(|server| server.system_identifier),
            database: node.config.database.clone(),
            is_primary: node.role == Some(Role::Primary),
            name,
        }
    }

    /// Takes in what nodes answered and arranges the rows: of this view's table, or of the one on the screen.
    pub(in crate::app) fn settle_table(&mut self, view: Option<&str>, asked: &[Asked], page: usize) {
        let Some(name) = view.map(str::to_owned).or_else(|| self.shown_view()) else { return };
        let picture = self.frozen.map_or_else(|| self.fleet.now(), |time| self.fleet.at(time));
        if let Some(table) = self.views.of(&name) {
            table.settle(asked, picture.readings.of(&name), page);
        }
    }

    /// The name of the view on the screen. Creates its table if there is none yet.
    fn shown_view(&mut self) -> Option<String> {
        Some(self.view_table_mut()?.view.name.clone())
    }

    /// Why a node does not answer; `None` if it does.
    fn why_silent(&self, name: &NodeName) -> Option<String> {
        let health = &self.picture().nodes.get(name)?.health;
        let error = health.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
        let state = if health.paused { "paused" } else { health.state.as_str() };
        (!health.state.answers()).then(|| format!("{state}{error}"))
    }

    /// The health of a node changed: rows and lines about it are arranged again with the next frame.
    pub(in crate::app) fn unsettle_view(&mut self) {
        if let Some(table) = self.view_table_mut() {
            table.unsettled = true;
        }
        self.topology.unsettled = true;
    }

    /// The command that tells the manager what to ask from now on; `None` if nothing changed.
    pub(in crate::app) fn look(&mut self) -> Option<Effect> {
        // This runs for each message, so it allocates only if something changed.
        let looked = &self.views.looked;
        let same = |(wanted, look): (Wanted<'_>, &Look)| {
            Arc::ptr_eq(wanted.view, &look.view) && wanted.nodes == look.nodes.as_ref() && wanted.pace == look.pace
        };
        if self.wanted().count() == looked.len() && self.wanted().zip(looked).all(same) {
            return None;
        }
        let look = |of: Wanted<'_>| Look { view: Arc::clone(of.view), nodes: of.nodes.cloned(), pace: of.pace };
        let wanted: Vec<Look> = self.wanted().map(look).collect();
        for look in wanted.iter().filter(|look| look.pace.is_none()) {
            self.fleet.follow(&look.view);
            self.views.table(&look.view).unsettled = true;
            self.topology.unsettled = true;
        }
        self.views.looked.clone_from(&wanted);
        Some(Effect::Send(Command::Look(wanted)))
    }

    /// What the screen shows, and what the rules of alerts need.
    fn wanted(&self) -> impl Iterator<Item = Wanted<'_>> {
        let shown = match self.screen {
            Screen::View(screen) => self.views.shown(screen),
            _ => None,
        };
        let shown = shown.map(|view| Wanted { view, nodes: self.views.only.as_ref(), pace: None });
        let topology = topology::VIEWS.iter().filter(|_| self.screen == Screen::Topology);
        let topology = topology.filter_map(|name| self.views.all.get(*name));
        let asked = self.fleet.alerts().asked().map(|(view, every)| Wanted { view, nodes: None, pace: Some(every) });
        let session = self.asked_for_session().map(|(view, nodes)| Wanted { view, nodes: Some(nodes), pace: None });
        let shown = shown.into_iter().chain(session);
        let all = shown.chain(topology.map(|view| Wanted { view, nodes: None, pace: None })).chain(asked);
        all.filter(|_| self.leaving.is_none())
    }
}

/// A look that may become part of a command.
struct Wanted<'a> {
    view: &'a Arc<View>,
    nodes: Option<&'a Vec<NodeName>>,
    pace: Option<Duration>,
}
