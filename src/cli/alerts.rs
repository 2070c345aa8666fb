//! What the rules find on nodes that are asked once, for `pgwatch status`, from the answers to the rules' views and the
//! figures of a refresh. A condition counts at once, even if its rule says that it must last.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::alerts::shape_findings;
use crate::app::topology::{Told, faults};
use crate::config::alerts::Rules;
use crate::model::alert::{Check, facts};
use crate::model::protocol::{Look, NodeSnapshot};
use crate::model::view::Reading;
use crate::model::{Alert, Event, EventKind, Facts, NodeName, Rule, ServerFacts, Thresholds, View};

/// The rules, and what nodes answered so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    rules: Vec<Arc<Rule>>,
    views: Vec<Arc<View>>,
    /// `None` if the node could not answer.
    readings: HashMap<(NodeName, String), Option<Reading>>,
    figures: HashMap<NodeName, Figures>,
}

/// The figures of a node from a refresh.
#[derive(Debug, Default)]
struct Figures {
    facts: Option<Arc<Facts>>,
    server: Option<Arc<ServerFacts>>,
    failed: bool,
}

impl Watch {
    pub(super) fn new(rules: Rules) -> Self {
        let rules: Vec<Arc<Rule>> = rules.into_values().collect();
        let mut views: Vec<Arc<View>> = Vec::new();
        for rule in rules.iter().filter(|rule| rule.asks()) {
            if !views.iter().any(|view| view.name == rule.view.name) {
                views.push(Arc::clone(&rule.view));
            }
        }
        Self { rules, views, ..Self::default() }
    }

    /// The views to ask for.
    pub(super) fn looks(&self) -> Vec<Look> {
        self.views.iter().map(|view| Look { view: Arc::clone(view), nodes: None, pace: None }).collect()
    }

    pub(super) fn heed(&mut self, event: Event) {
        match event.kind {
            EventKind::View { node, view, outcome } => {
                let of = self.views.iter().find(|of| *of.name == *view);
                let reading = of.zip(outcome.ok()).map(|(view, rows)| Reading::new(view, event.at, rows, None));
                // A later failure does not discard an answer.
                let known = self.readings.entry((node, view.to_string())).or_default();
                *known = reading.or_else(|| known.take());
            }
            EventKind::Facts { node, facts: Ok(facts) } => self.figures.entry(node).or_default().facts = Some(facts),
            EventKind::Facts { node, facts: Err(_) } => self.figures.entry(node).or_default().failed = true,
            EventKind::Server { node, server } => self.figures.entry(node).or_default().server = Some(server),
            _ => {}
        }
    }

    /// True if every node that answers has answered everything that the rules need.
    pub(super) fn has_heard(&self, nodes: &[NodeSnapshot]) -> bool {
        let needs_figures = self.rules.iter().any(|rule| !rule.asks());
        nodes.iter().filter(|node| node.health.state.answers()).all(|node| {
            let name = &node.config.name;
            let asked = |view: &Arc<View>| self.readings.contains_key(&(name.clone(), view.name.clone()));
            let told = |figures: &Figures| figures.failed || figures.facts.is_some() && figures.server.is_some();
            self.views.iter().all(asked) && (!needs_figures || self.figures.get(name).is_some_and(told))
        })
    }

    /// What the rules find, node by node, with the worst of each node first.
    pub(super) fn alerts(&self, nodes: &[NodeSnapshot], thresholds: &Thresholds) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = Vec::new();
        for node in nodes.iter().filter(|node| node.health.state.answers()) {
            let name = &node.config.name;
            let mut own: Vec<Alert> = Vec::new();
            for rule in &self.rules {
                let figures;
                let reading = if rule.asks() {
                    self.readings.get(&(name.clone(), rule.view.name.clone())).and_then(Option::as_ref)
                } else {
                    figures = self.reading_of_figures(name);
                    figures.as_ref()
                };
                let Some(reading) = reading else { continue };
                own.extend(rule.findings(reading, thresholds).into_iter().map(|finding| Alert {
                    rule: Arc::clone(rule),
                    node: name.clone(),
                    finding,
                    since: reading.at,
                }));
            }
            own.extend(self.of_shape(nodes, name));
            own.sort_by_key(|alert| std::cmp::Reverse(alert.finding.severity));
            alerts.extend(own);
        }
        alerts
    }

    fn reading_of_figures(&self, node: &NodeName) -> Option<Reading> {
        let figures = self.figures.get(node)?;
        let facts = figures.facts.as_ref()?;
        Some(facts::reading(facts.server_time, facts, figures.server.as_deref()))
    }

    /// The faults of the cluster's shape that concern one node.
    fn of_shape(&self, nodes: &[NodeSnapshot], name: &NodeName) -> Vec<Alert> {
        let Some(rule) = self.rules.iter().find(|rule| rule.check == Check::Shape) else { return Vec::new() };
        let told = nodes.iter().map(|node| self.told(node, &rule.view));
        let own = shape_findings(faults(told)).into_iter().filter(|(of, _)| of == name);
        let place = (name.clone(), rule.view.name.clone());
        let since = self.readings.get(&place).and_then(Option::as_ref).map(|reading| reading.at);
        own.filter_map(|(node, finding)| Some(Alert { rule: Arc::clone(rule), node, finding, since: since? })).collect()
    }

    fn told<'a>(&'a self, node: &'a NodeSnapshot, view: &'a View) -> Told<'a> {
        let figures = self.figures.get(&node.config.name);
        let reading = self.readings.get(&(node.config.name.clone(), view.name.clone()));
        Told {
            config: &node.config,
            role: node.role,
            timeline: figures.and_then(|figures| figures.facts.as_ref()?.timeline),
            system_identifier: figures.and_then(|figures| figures.server.as_ref()?.system_identifier),
            health: node.health.state,
            reading: reading.and_then(Option::as_ref).map(|reading| (view, reading)),
        }
    }
}
