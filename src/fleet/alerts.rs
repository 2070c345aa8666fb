//! Alerts: what the rules find in answers and figures, how long each finding has lasted, and whether a person has
//! acknowledged it. Alerts keep changing while the screen is frozen, as health does.
//!
//! A condition that holds for as long as its rule requires becomes an alert; a shorter one leaves no trace. An alert
//! ends when its condition no longer holds, after a quiet time where its rule has a duration: a condition that comes
//! and goes is one alert. Nothing is known of a node that does not answer, so its alerts stay as they are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use super::identity;
use super::journal::{Entry, Severity};
use super::nodes::{Node, Nodes};
use super::picture::Picture;
use super::topology::{self, ShapeFault};
use crate::model::alert::{AlertSeverity, Check, Finding, facts};
use crate::model::change::{AlertTurn, Change, What};
use crate::model::figures;
use crate::model::view::Reading;
use crate::model::{Alert, NodeName, Rule, Thresholds, View};

mod copies;

pub(super) use copies::says_another;

/// The longest quiet time before an alert counts as over: a condition that returns within it is the same alert. A
/// rule with a shorter duration has a shorter quiet time.
const CALM: Duration = Duration::from_secs(10);
/// The shortest time between two evaluations of the shape of the cluster, however many nodes report on it.
const SHAPE: Duration = Duration::from_secs(5);

/// All rules, and what they found.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    rules: Vec<Arc<Rule>>,
    /// The views that are asked for these rules, and how often.
    asked: Vec<(Arc<View>, Duration)>,
    held: IndexMap<NodeName, Vec<Held>>,
    /// When the shape was last evaluated, and whether a node has reported on it since.
    shape: Option<SystemTime>,
    unshaped: bool,
    /// Entries that the journal does not have yet.
    news: VecDeque<Entry>,
    /// Counts what happened to alerts: a list of them that was made at a lower count is out of date.
    changes: u64,
}

/// What distinguishes an alert from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertId {
    /// The node that the alert is about.
    pub node: NodeName,
    /// The name of the rule that found it.
    pub rule: String,
    /// Which of the rule's findings on the node it is: the key of a row, for instance.
    pub key: String,
}

/// A condition that holds or held lately, and what became of it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The condition: rule, node, finding and since when.
    pub alert: Alert,
    /// True if it held for as long as its rule requires: it is an alert.
    fired: bool,
    /// When it ceased to hold; `None` while it holds.
    gone: Option<SystemTime>,
    /// The severity that was told last, and since when it has been lower.
    said: AlertSeverity,
    eased: Option<SystemTime>,
    /// True if a person has acknowledged it.
    pub acknowledged: bool,
}

impl Held {
    fn is(&self, rule: &Rule, key: &str) -> bool {
        self.alert.rule.name == rule.name && self.alert.finding.key == key
    }

    /// The identity of the alert.
    pub fn id(&self) -> AlertId {
        let Alert { rule, node, finding, .. } = &self.alert;
        AlertId { node: node.clone(), rule: rule.name.clone(), key: finding.key.clone() }
    }

    /// True if the condition holds, as far as the last answer tells.
    pub(super) fn holds(&self) -> bool {
        self.gone.is_none()
    }

    /// True if the condition has not held for the quiet time.
    fn is_over(&self, at: SystemTime) -> bool {
        self.gone.is_some_and(|gone| at.duration_since(gone).unwrap_or_default() >= self.calm())
    }

    /// The entry that says what became of it.
    fn told(&self, at: SystemTime, turn: AlertTurn) -> Entry {
        let Alert { rule, node, finding, since } = &self.alert;
        let (severity, message) = match turn {
            AlertTurn::Raised | AlertTurn::Worse | AlertTurn::Better => {
                (finding.severity.into(), finding.message.clone())
            }
            AlertTurn::Cleared => {
                // It lasted up to the answer in which it was gone, and not up to the end of the quiet time.
                let gone = self.gone.unwrap_or(at);
                let lasted = figures::age(gone.duration_since(*since).unwrap_or_default());
                (Severity::Good, format!("after {lasted}: {}", finding.message))
            }
        };
        let what = What::Alert { rule: rule.name.clone(), severity: finding.severity, turn };
        Entry::of(Change { at, node: node.clone(), severity, message, what })
    }

    /// What became of an alert whose condition holds with this severity; `None` if nothing did. It is better once it
    /// has been so for the quiet time: a figure that goes to and fro about its limit is told once.
    fn turn(&mut self, at: SystemTime) -> Option<AlertTurn> {
        let (now, said) = (self.alert.finding.severity, self.said);
        if now >= said {
            self.eased = None;
        }
        let since = if now < said { *self.eased.get_or_insert(at) } else { at };
        if now > said {
            self.said = now;
            Some(AlertTurn::Worse)
        } else if now < said && at.duration_since(since).unwrap_or_default() >= self.calm() {
            (self.said, self.eased) = (now, None);
            Some(AlertTurn::Better)
        } else {
            None
        }
    }

    /// The quiet time.
    fn calm(&self) -> Duration {
        self.alert.rule.lasting.min(CALM)
    }
}

impl Alerts {
    /// Takes the rules that were read, at the start or again. Findings of rules that changed are dropped.
    pub(super) fn take_rules(&mut self, rules: Vec<Arc<Rule>>) {
        for held in self.held.values_mut() {
            held.retain_mut(|held| {
                let same = rules.iter().find(|rule| **rule == held.alert.rule);
                if let Some(rule) = same {
                    held.alert.rule = Arc::clone(rule);
                }
                same.is_some()
            });
        }
        let mut asked: IndexMap<&str, (Arc<View>, Duration)> = IndexMap::new();
        for rule in rules.iter().filter(|rule| rule.asks()) {
            let every = &mut asked.entry(&rule.view.name).or_insert_with(|| (Arc::clone(&rule.view), rule.every)).1;
            *every = rule.every.min(*every);
        }
        self.asked = asked.into_values().collect();
        self.rules = rules;
        self.changes += 1;
    }

    /// The views that are asked for the rules, and how often each is asked.
    pub fn asked(&self) -> impl Iterator<Item = (&Arc<View>, Duration)> {
        self.asked.iter().map(|(view, every)| (view, *every))
    }

    /// The alerts on all nodes: conditions that have held for as long as their rules require.
    pub fn fired(&self) -> impl Iterator<Item = &Held> {
        self.held.values().flatten().filter(|held| held.fired)
    }

    /// The alert of this identity, unless it is over.
    pub fn get(&self, id: &AlertId) -> Option<&Held> {
        self.held.get(&id.node)?.iter().find(|held| held.fired && held.id() == *id)
    }

    /// A number that grows with each alert that begins, ends or is acknowledged, and with each change of what cannot be
    /// judged.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What cannot be judged has changed.
    pub(super) fn touch(&mut self) {
        self.changes += 1;
    }

    /// The rule of this name.
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// What the rules find now, node by node, including findings that have not yet lasted as long as their rules
    /// require.
    pub fn found_now(&self) -> impl Iterator<Item = &Alert> {
        self.held.values().flatten().filter(|held| held.holds()).map(|held| &held.alert)
    }

    /// Marks an alert as acknowledged, or takes that back.
    pub(super) fn acknowledge(&mut self, id: &AlertId) {
        let held = self.held.get_mut(&id.node).into_iter().flatten().find(|held| held.fired && held.id() == *id);
        if let Some(held) = held {
            held.acknowledged ^= true;
            self.changes += 1;
        }
    }

    /// The number of alerts that are not acknowledged, and the worst severity among them.
    pub fn count(&self) -> (usize, Option<AlertSeverity>) {
        let open = self.fired().filter(|held| !held.acknowledged);
        open.fold((0, None), |(count, worst), held| (count + 1, worst.max(Some(held.alert.finding.severity))))
    }

    /// The worst severity among a node's alerts that are not acknowledged.
    pub fn worst(&self, node: &NodeName) -> Option<AlertSeverity> {
        let open = self.held.get(node)?.iter().filter(|held| held.fired && !held.acknowledged);
        open.map(|held| held.alert.finding.severity).max()
    }

    /// All rules.
    pub(super) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// True if there are any rules.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The next entry for the journal: an alert that began or ended.
    pub(super) fn next_news(&mut self) -> Option<Entry> {
        self.news.pop_front()
    }

    pub(super) fn forget(&mut self, node: &NodeName) {
        self.changes += u64::from(self.held.shift_remove(node).is_some());
        // Without this node, the shape of the others may be a different one.
        self.unshaped = true;
    }

    /// Takes in a node's answer to a view.
    pub(super) fn answered(
        &mut self,
        nodes: &Nodes,
        node: &NodeName,
        view: &str,
        reading: &Reading,
        thresholds: &Thresholds,
    ) {
        for rule in self.rules_of(view) {
            if rule.check == Check::Shape {
                self.unshaped = true;
            } else if copies::says_another(nodes, node, rule.once) {
                self.found(&rule, node, reading.at, Vec::new());
            } else {
                let mut findings = rule.findings(reading, thresholds);
                // What was found before may hold still: it is not told.
                if rule.is_open(reading, thresholds) {
                    let held = self.held.get(node).into_iter().flatten().filter(|one| one.gone.is_none());
                    let before = held.filter(|one| one.alert.rule.name == rule.name).map(|one| &one.alert.finding);
                    let untold: Vec<Finding> =
                        before.filter(|old| findings.iter().all(|new| new.key != old.key)).cloned().collect();
                    findings.extend(untold);
                }
                self.found(&rule, node, reading.at, findings);
            }
        }
    }

    /// A node has no answer to a view, for example after a promotion: the rules on this view then find nothing on it.
    pub(super) fn refused(&mut self, at: SystemTime, node: &NodeName, view: &str) {
        for rule in self.rules_of(view) {
            if rule.check == Check::Shape {
                self.unshaped = true;
            } else {
                self.found(&rule, node, at, Vec::new());
            }
        }
    }

    fn rules_of(&self, view: &str) -> Vec<Arc<Rule>> {
        self.rules.iter().filter(|rule| rule.view.name == view).cloned().collect()
    }

    /// Takes in new figures of a node.
    pub(super) fn refreshed(&mut self, at: SystemTime, node: &NodeName, figures: &Reading, thresholds: &Thresholds) {
        for rule in self.rules.clone().iter().filter(|rule| !rule.asks()) {
            self.found(rule, node, at, rule.findings(figures, thresholds));
        }
    }

    /// Evaluates the shape that all nodes together report. A node that does not answer takes no part in it: when one
    /// of two primaries is stopped, the split brain is over.
    /// True if it was evaluated.
    fn look_at_shape(&mut self, picture: &Picture) -> bool {
        let at = picture.at;
        let is_early = |last: SystemTime| at.duration_since(last).unwrap_or_default() < SHAPE;
        // Evaluated without news from a node too: a finding becomes an alert by lasting.
        let pending = self.held.values().flatten().any(|held| held.alert.rule.check == Check::Shape && !held.fired);
        if !(self.unshaped || pending) || self.shape.is_some_and(is_early) {
            return false;
        }
        self.shape = Some(at);
        self.unshaped = false;
        for rule in self.rules.clone().iter().filter(|rule| rule.check == Check::Shape) {
            let found = of_shape(topology::faults(picture, &rule.view.name));
            for node in picture.nodes.iter() {
                let own = found.iter().filter(|(of, _)| of == node.name()).map(|(_, finding)| finding.clone());
                self.found(rule, node.name(), at, own.collect());
            }
        }
        true
    }

    /// Takes in everything that a rule finds on a node now.
    fn found(&mut self, rule: &Arc<Rule>, node: &NodeName, at: SystemTime, findings: Vec<Finding>) {
        if findings.is_empty() && self.held.get(node).is_none_or(Vec::is_empty) {
            return;
        }
        let held = self.held.entry(node.clone()).or_default();
        for one in held.iter_mut().filter(|one| one.alert.rule.name == rule.name) {
            if !findings.iter().any(|finding| finding.key == one.alert.finding.key) {
                one.gone.get_or_insert(at);
            }
        }
        for finding in worst_of_each_key(findings) {
            let known = held.iter_mut().position(|one| one.is(rule, &finding.key));
            let at_place = known.unwrap_or_else(|| {
                let alert = Alert { rule: Arc::clone(rule), node: node.clone(), finding: finding.clone(), since: at };
                let said = finding.severity;
                held.push(Held { alert, fired: false, gone: None, said, eased: None, acknowledged: false });
                held.len() - 1
            });
            let Some(one) = held.get_mut(at_place) else { continue };
            one.gone = None;
            one.alert.finding = finding;
            let lasted = at.duration_since(one.alert.since).unwrap_or_default();
            let turn = if one.fired {
                one.turn(at)
            } else if lasted >= rule.lasting {
                (one.fired, one.said) = (true, one.alert.finding.severity);
                Some(AlertTurn::Raised)
            } else {
                None
            };
            if let Some(turn) = turn {
                // Whoever acknowledged the warning has not seen that it became critical.
                one.acknowledged &= turn == AlertTurn::Better;
                self.news.push_back(one.told(at, turn));
                self.changes += 1;
            }
        }
        self.end(node, at);
    }

    /// Removes what is over on a node. A condition that never became an alert leaves no trace.
    fn end(&mut self, node: &NodeName, at: SystemTime) {
        let Some(held) = self.held.get_mut(node) else { return };
        held.retain(|one| {
            let over = one.is_over(at);
            if over && one.fired {
                self.changes += 1;
                self.news.push_back(one.told(at, AlertTurn::Cleared));
            }
            !over && (one.fired || one.gone.is_none())
        });
    }

    /// Nobody watched for this time: a condition that must last has not been seen to hold meanwhile.
    pub(super) fn skip(&mut self, time: Duration) {
        for held in self.held.values_mut().flatten().filter(|held| !held.fired) {
            held.alert.since += time;
        }
    }

    /// Advances to the time of the picture. True if the shape was evaluated.
    pub(super) fn advance(&mut self, picture: &Picture) -> bool {
        let looked = self.look_at_shape(picture);
        for node in picture.nodes.iter() {
            // Which node speaks for the copies of a cluster may not have been known when this one answered.
            let held = self.held.get_mut(node.name()).filter(|_| node.health.state.answers());
            for one in held.into_iter().flatten().filter(|one| one.gone.is_none()) {
                if copies::says_another(&picture.nodes, node.name(), one.alert.rule.once) {
                    one.gone = Some(picture.at);
                }
            }
            self.end(node.name(), picture.at);
        }
        looked
    }
}

/// The figures of a node as the row that rules look at, with what is known of it beside them; `None` without figures.
pub(super) fn figures(node: &Node, rivals: &[&Node]) -> Option<Reading> {
    let (at, facts) = node.facts.as_ref()?;
    let known = facts::Known {
        lag: node.lag.time.map(|behind| behind.time),
        behind_bytes: node.lag.bytes,
        late: node.lag.late,
        behind: node.lag.says(),
        receives: node.lag.receives(),
        supply: node.lag.why(),
        sender_down: Some(node.lag.sender_is_out()),
        split_brain: (!rivals.is_empty()).then(|| identity::named_with_timelines(rivals)),
    };
    Some(facts::reading(*at, facts, node.server.as_deref(), known))
}

/// One finding for each key: of rows with the same key, the worst counts.
fn worst_of_each_key(findings: Vec<Finding>) -> impl Iterator<Item = Finding> {
    let mut worst: IndexMap<String, Finding> = IndexMap::with_capacity(findings.len());
    for finding in findings {
        match worst.get_mut(&finding.key) {
            Some(known) if known.severity > finding.severity => {}
            Some(known) => *known = finding,
            None => drop(worst.insert(finding.key.clone(), finding)),
        }
    }
    worst.into_values()
}

/// The faults that follow from the shape alone, with their nodes.
fn of_shape(faults: Vec<ShapeFault>) -> Vec<(NodeName, Finding)> {
    let faults = faults.into_iter().filter(|fault| fault.kind.is_of_shape());
    let finding = |fault: ShapeFault| {
        let severity =
            if fault.severity == Severity::Critical { AlertSeverity::Critical } else { AlertSeverity::Warning };
        (fault.node, Finding { severity, key: format!("{:?}", fault.kind), message: fault.text })
    };
    faults.map(finding).collect()
}

#[cfg(test)]
mod tests;
