//! The list of alerts on its screen, and what keys do there.

use std::cmp::Reverse;
use std::time::SystemTime;

use crate::app::rows::cursor::Move;
use crate::app::{App, Pane, Screen};
use crate::model::alert::{Check, facts};

use crate::app::alerts::{AlertId, Alerts, Held};
use crate::app::panes::alerts::Seen;

impl Alerts {
    /// Puts the list in order: what nobody has seen first, the worst first, the newest first.
    pub(in crate::app) fn arrange(&mut self, page: usize, now: SystemTime) {
        self.unsettled = false;
        let total = self.fired().count();
        let passes = |held: &&Held| self.table.filter.passes(&Seen { held, now });
        let mut fired: Vec<&Held> = self.fired().filter(passes).collect();
        fired.sort_by_key(|held| {
            (held.acknowledged, Reverse(held.alert.finding.severity), Reverse(held.alert.since), held.id())
        });
        let rows: Vec<AlertId> = fired.into_iter().map(Held::id).collect();
        self.table.set_rows(rows, total, page);
    }

    pub fn selected(&self) -> Option<&Held> {
        self.get(self.table.selected()?)
    }

    fn selected_mut(&mut self) -> Option<&mut Held> {
        let id = self.table.selected()?;
        self.held.get_mut(&id.node)?.iter_mut().find(|held| held.fired && held.id() == *id)
    }
}

impl App {
    pub(in crate::app) fn settle_alerts(&mut self) {
        if self.alerts.unsettled {
            self.arrange_alerts();
        }
    }

    pub(in crate::app) fn arrange_alerts(&mut self) {
        let page = self.drawn.page(Pane::Alerts);
        self.alerts.arrange(page, self.now);
    }

    /// A screen that was asked for by its key or its tab. The alerts begin at the top, where the worst is; whoever comes back
    /// to them finds the one that was left.
    pub(in crate::app) fn show_from_its_top(&mut self, screen: Screen) {
        self.show(screen);
        if screen == Screen::Alerts {
            let page = self.drawn.page(Pane::Alerts);
            self.alerts.table.go(Move::First, page);
        }
    }

    pub(in crate::app) fn go_in_alerts(&mut self, movement: Move, page: usize) {
        self.alerts.table.go(movement, page);
    }

    /// `Space`: a person has seen the alert, or takes that back. The next one is selected, so that a run of them is a run of
    /// one key.
    pub(in crate::app) fn acknowledge(&mut self) {
        let Some(held) = self.alerts.selected_mut() else { return };
        held.acknowledged ^= true;
        self.alerts.table.follow = false;
        self.arrange_alerts();
        self.alerts.table.follow = true;
    }

    pub(in crate::app) fn is_acknowledged(&self) -> bool {
        self.alerts.selected().is_some_and(|held| held.acknowledged)
    }

    /// `Enter`: what the rule is about, on the node of the alert, with the cursor on its row.
    pub(in crate::app) fn open_alert(&mut self) {
        let Some(held) = self.alerts.selected() else { return };
        let (rule, node) = (std::sync::Arc::clone(&held.alert.rule), held.alert.node.clone());
        let key = held.alert.finding.key.clone();
        self.travel(|app| {
            app.select_node(&node);
            if rule.check == Check::Shape {
                app.enter(Screen::Topology);
                app.seek_branch(node);
            } else if rule.view.name == facts::NAME {
                app.enter(Screen::Detail);
            } else if app.enter_view(&rule.view.name) {
                app.sheets.only = Some(vec![node.clone()]);
                app.seek_row(node, key);
            }
        });
    }
}
