//! The alerts of `pgwatch status`. It asks each node once for the views of all rules and for the figures of a refresh. A
//! condition counts as soon as it holds, even if its rule wants it to last.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use indexmap::IndexMap;

use crate::clock;
use crate::config::Config;
use crate::config::alerts::Rules;
use crate::fleet::Fleet;
use crate::model::alert::Check;
use crate::model::protocol::{Look, NodeSnapshot};
use crate::model::view::Reading;
use crate::model::{Alert, Event, Role, Rule, View};
use crate::output::status::Asked;

/// The fleet as these rules judge it.
#[derive(Debug)]
pub(super) struct Watch {
    fleet: Fleet,
    rules: Vec<Arc<Rule>>,
    views: IndexMap<String, Arc<View>>,
}

impl Watch {
    pub(super) fn new(config: &Config, rules: Rules) -> Self {
        let rules: Vec<Arc<Rule>> = rules.into_values().collect();
        let asked = rules.iter().filter(|rule| rule.asks());
        let views: IndexMap<_, _> = asked.map(|rule| (rule.view.name.clone(), Arc::clone(&rule.view))).collect();
        let (refresh, thresholds) = (config.refresh, config.thresholds.clone());
        let mut fleet = Fleet::new(config.nodes.clone(), refresh, thresholds, clock::now());
        fleet.take_rules(views.clone(), rules.clone());
        for view in views.values() {
            fleet.follow(view);
        }
        Self { fleet, rules, views }
    }

    /// What is to be asked.
    pub(super) fn looks(&self) -> Vec<Look> {
        self.views.values().map(|view| Look { view: Arc::clone(view), nodes: None, pace: None }).collect()
    }

    pub(super) fn apply(&mut self, event: &Event) {
        self.fleet.apply(event);
    }

    /// True once every node that answers has answered every view that is asked, and sent its figures.
    pub(super) fn has_heard(&self, nodes: &[NodeSnapshot]) -> bool {
        let needs_figures = self.rules.iter().any(|rule| !rule.asks());
        let known = self.fleet.now();
        nodes.iter().filter(|node| node.health.state.answers()).all(|node| {
            let name = &node.config.name;
            let answered = |view: &String| known.readings.of(view).is_some_and(|of| of.node(name).is_some());
            let figures = known
                .nodes
                .get(name)
                .is_some_and(|node| node.facts_error.is_some() || (node.facts.is_some() && node.server.is_some()));
            self.views.keys().all(answered) && (!needs_figures || figures)
        })
    }

    /// True if a second answer would tell more: a standby that looks late may have a long transaction, and a counter that
    /// is not zero may stand still.
    pub(super) fn doubts(&self) -> bool {
        self.is_doubtful() || self.rules.iter().any(|rule| self.counts(rule))
    }

    /// True if it is not known yet whether a standby is late.
    pub(super) fn is_doubtful(&self) -> bool {
        self.fleet.now().nodes.iter().any(|node| node.lag.doubtful)
    }

    /// True if a rule looks at a rate whose counter is not zero somewhere.
    fn counts(&self, rule: &Rule) -> bool {
        let counters: Vec<usize> = rule.counters().collect();
        let Some(of) = self.fleet.now().readings.of(&rule.view.name).filter(|_| !counters.is_empty()) else {
            return false;
        };
        let moved = |reading: &Reading| {
            let rows = 0..reading.len();
            rows.flat_map(|row| counters.iter().map(move |of| (row, *of)))
                .any(|(row, of)| reading.value(&rule.view, row, of).number().is_some_and(|number| number != 0.0))
        };
        of.nodes().filter_map(|(_, node)| node.newest()).any(|reading| moved(reading))
    }

    /// True once every node that answers has answered again since then.
    pub(super) fn has_heard_since(&self, nodes: &[NodeSnapshot], since: SystemTime) -> bool {
        let known = self.fleet.now();
        nodes.iter().filter(|node| node.health.state.answers()).all(|node| {
            let name = &node.config.name;
            let newer = |view: &String| {
                let of = known.readings.of(view).and_then(|of| of.node(name));
                of.is_some_and(|of| of.error().is_some() || of.newest().is_some_and(|reading| reading.at >= since))
            };
            let figures = known.nodes.get(name).is_some_and(|node| {
                node.facts_error.is_some() || node.facts.as_ref().is_some_and(|(at, _)| *at >= since)
            });
            figures && self.views.keys().all(newer)
        })
    }

    /// What is known of these nodes: what the rules find, node by node, the worst of each first; what they could not judge;
    /// and the verdict.
    pub(super) fn judged(&mut self, nodes: Vec<NodeSnapshot>) -> Asked {
        self.fleet.advance(clock::now());
        let place = |alert: &Alert| self.rules.iter().position(|rule| rule.name == alert.rule.name);
        let mut alerts = Vec::new();
        for node in nodes.iter().filter(|node| node.health.state.answers()) {
            let found = self.fleet.alerts().found_now().filter(|alert| alert.node == node.config.name);
            let mut own: Vec<Alert> = found.cloned().collect();
            own.sort_by_key(|alert| (Reverse(alert.finding.severity), alert.rule.check == Check::Shape, place(alert)));
            alerts.extend(own);
        }
        let lag = |node: &NodeSnapshot| {
            let node = self.fleet.now().nodes.get(&node.config.name)?;
            (node.role == Some(Role::Standby)).then(|| node.lag.summary())
        };
        let lags = nodes.iter().map(lag).collect();
        Asked { nodes, lags, alerts, not_judged: self.fleet.not_judged(), verdict: self.fleet.final_verdict() }
    }
}
