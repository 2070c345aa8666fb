//! The list of alerts on its screen, and what keys do there.

use std::cmp::Reverse;

use crate::app::rows::cursor::Move;
use crate::app::{Action, App, Pane, Screen};
use crate::model::alert::facts;

use crate::app::panes::alerts::Seen;
use crate::fleet::alerts::{AlertId, Held};

impl App {
    /// Arranges the list of alerts again if any of them changed.
    pub(in crate::app) fn settle_alerts(&mut self) {
        if self.alerts_arranged != self.fleet.alerts().changes() {
            self.arrange_alerts();
        }
    }

    /// Sorts the list: unacknowledged alerts first, then by severity, then the newest first.
    pub(in crate::app) fn arrange_alerts(&mut self) {
        let (alerts, filter, now) = (self.fleet.alerts(), &self.alerts_table.filter, self.now);
        self.alerts_arranged = alerts.changes();
        let total = alerts.fired().count();
        let mut fired: Vec<&Held> = alerts.fired().filter(|held| filter.passes(&Seen { held, now })).collect();
        fired.sort_by_key(|held| {
            (held.acknowledged, Reverse(held.alert.finding.severity), Reverse(held.alert.since), held.id())
        });
        let rows: Vec<AlertId> = fired.into_iter().map(Held::id).collect();
        let page = self.drawn.page(Pane::Alerts);
        self.alerts_table.set_rows(rows, total, page);
    }

    /// The selected alert.
    pub fn selected_alert(&self) -> Option<&Held> {
        self.fleet.alerts().get(self.alerts_table.selected()?)
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
        let Some(alert) = self.alerts_table.selected().cloned() else { return };
        self.fleet.acknowledge(&alert);
        self.alerts_table.follow = false;
        self.arrange_alerts();
        self.alerts_table.follow = true;
    }

    pub(in crate::app) fn is_acknowledged(&self) -> bool {
        self.selected_alert().is_some_and(|held| held.acknowledged)
    }

    /// `Enter`: shows what the rule is about, on the node of the alert, with the cursor on its row.
    pub(in crate::app) fn open_alert(&mut self) {
        let Some(held) = self.selected_alert() else { return };
        let (rule, node) = (std::sync::Arc::clone(&held.alert.rule), held.alert.node.clone());
        let key = held.alert.finding.key.clone();
        self.travel(|app| {
            app.select_node(&node);
            if rule.is_about_shape() {
                app.enter(Screen::Topology);
                app.seek_branch(node);
            } else if rule.view.name == facts::NAME {
                app.enter(Screen::Detail);
            } else if app.enter_view(&rule.view.name) {
                app.views.only = Some(vec![node.clone()]);
                app.seek_row(node, key);
            }
        });
    }
}
