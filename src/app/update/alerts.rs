//! The list of alerts on its screen, and what keys do there.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::app::rows::cursor::Move;
use crate::app::{Action, App, Pane, Screen};
use crate::model::alert::facts;

use crate::app::panes::alerts::{AlertKey, Seen, Silence, Unjudged};
use crate::fleet::alerts::Held;

impl App {
    /// Arranges the list of alerts again if any of them changed.
    pub(in crate::app) fn settle_alerts(&mut self) {
        if self.alerts_arranged != self.fleet.alerts().changes() {
            self.arrange_alerts();
        }
    }

    /// Sorts the list: unacknowledged alerts first, then by severity, then the newest first. What could not be judged comes
    /// last.
    pub(in crate::app) fn arrange_alerts(&mut self) {
        if self.alerts_arranged != self.fleet.alerts().changes() {
            self.silence = Silence::of(&self.fleet);
        }
        let (alerts, filter, now) = (self.fleet.alerts(), &self.alerts_table.filter, self.now);
        self.alerts_arranged = alerts.changes();
        let unjudged = &self.silence.unjudged;
        let total = alerts.fired().count() + unjudged.len();
        let mut fired: Vec<&Held> = alerts.fired().filter(|held| filter.passes(&Seen { held, now })).collect();
        fired.sort_by_key(|held| {
            (held.acknowledged, Reverse(held.alert.finding.severity), Reverse(held.alert.since), held.id())
        });
        let unjudged = unjudged.iter().filter(|one| filter.passes(*one)).map(Unjudged::key);
        let rows = fired.into_iter().map(|held| AlertKey::Alert(held.id())).chain(unjudged).collect();
        let page = self.drawn.page(Pane::Alerts);
        self.alerts_table.set_rows(rows, total, page);
    }

    /// The selected alert; `None` also on a row of what could not be judged.
    pub fn selected_alert(&self) -> Option<&Held> {
        match self.alerts_table.selected()? {
            AlertKey::Alert(id) => self.fleet.alerts().get(id),
            AlertKey::Unjudged { .. } => None,
        }
    }

    /// The selected rule that could not be applied.
    pub fn selected_unjudged(&self) -> Option<&Unjudged> {
        self.unjudged(self.alerts_table.selected()?)
    }

    /// The rule of a row that could not be applied; `None` if the row is an alert.
    pub fn unjudged(&self, key: &AlertKey) -> Option<&Unjudged> {
        let AlertKey::Unjudged { rule, reason } = key else { return None };
        self.silence.unjudged.iter().find(|one| one.rule.name == *rule && one.reason == *reason)
    }

    /// Shows the screen that an action opens.
    pub(in crate::app) fn show_screen_of(&mut self, action: Action) {
        if let Some(screen) = Screen::of(action) {
            self.show_from_its_top(screen);
        }
    }

    /// Shows a screen on request of a key or a tab. The list of alerts is then at its top, where the worst one is.
    /// Going back to the list selects the alert that was left instead.
    pub(in crate::app) fn show_from_its_top(&mut self, screen: Screen) {
        self.show(screen);
        if screen == Screen::Alerts {
            let page = self.drawn.page(Pane::Alerts);
            self.alerts_table.go(Move::First, page);
        }
    }

    /// `Space`: marks the alert as acknowledged, or takes that back. Selects the next one, so that several are
    /// acknowledged by repeating one key.
    pub(in crate::app) fn acknowledge(&mut self) {
        let Some(AlertKey::Alert(alert)) = self.alerts_table.selected().cloned() else { return };
        self.fleet.acknowledge(&alert);
        self.alerts_table.follow = false;
        self.arrange_alerts();
        self.alerts_table.follow = true;
    }

    pub(in crate::app) fn is_acknowledged(&self) -> bool {
        self.selected_alert().is_some_and(|held| held.acknowledged)
    }

    /// `Enter`: shows what the rule is about, on the node of the alert, with the cursor on its row. Of a rule that could
    /// not be applied, it shows the nodes to which it could not.
    pub(in crate::app) fn open_alert(&mut self) {
        let (rule, nodes, key) = match (self.selected_alert(), self.selected_unjudged()) {
            (Some(held), _) => {
                let alert = &held.alert;
                (Arc::clone(&alert.rule), vec![alert.node.clone()], Some(alert.finding.key.clone()))
            }
            (_, Some(one)) => (Arc::clone(&one.rule), one.nodes.clone(), None),
            _ => return,
        };
        let Some(node) = nodes.first().cloned() else { return };
        self.travel(|app| {
            app.select_node(&node);
            if rule.is_about_shape() {
                app.enter(Screen::Topology);
                app.seek_branch(node);
            } else if rule.view.name == facts::NAME {
                app.enter(Screen::Detail);
            } else if app.enter_view(&rule.view.name) {
                let is_all = nodes.len() == app.fleet.now().nodes.len();
                app.views.only = (key.is_some() || !is_all).then_some(nodes);
                match key {
                    Some(key) => app.seek_row(node, key),
                    None => app.arrange_view(),
                }
            }
        });
    }
}
