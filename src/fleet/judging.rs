//! What follows from the figures of a node: how far it is behind, what the rules find on it, what they cannot judge, and the
//! verdict on all nodes together. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use super::measure::{self, Surroundings};
use super::{Fleet, Lag, Node, alerts, identity, unjudged, verdict};
use crate::model::view::Reading;
use crate::model::{NodeName, NotJudged, Role, Verdict};

impl Fleet {
    /// The verdict of somebody who asked once and waits no longer: what holds now counts at once, and a node that has not
    /// answered is down.
    pub fn final_verdict(&self) -> Verdict {
        verdict::of(&self.now, self.alerts.found_now(), &self.thresholds, true)
    }

    /// The rules that could not be applied to a node that answers.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        self.now.nodes.iter().flat_map(|node| self.unjudged(node, alerts::figures(node, &[]).as_ref())).collect()
    }

    /// Gives the verdict anew if a node's health changed. It looks at all nodes, and many may change at once: whoever shows
    /// it calls this before.
    pub fn settle(&mut self) {
        if self.unsettled {
            self.judge_all();
        }
    }

    /// True if the standbys of a cluster are measured against a node.
    pub(super) fn leads(&self, name: &NodeName) -> bool {
        self.now.nodes.get(name).is_some_and(|node| measure::leads(node).is_some())
    }

    /// Compares, measures and judges the figures of a node. Standbys that answered before their primary did, which did
    /// not lead then, are measured against it now.
    pub(super) fn figured(&mut self, at: SystemTime, name: &NodeName, led: bool) {
        self.compare(at, name);
        self.measure(name);
        self.judge(at, name);
        if led || !self.leads(name) {
            return;
        }
        let cluster = self.now.nodes.get(name).and_then(Node::cluster);
        let follows = |node: &&Node| node.cluster() == cluster;
        self.measure_again(at, self.now.nodes.iter().filter(follows).map(|node| node.name().clone()).collect());
    }

    /// Measures and judges the standbys of these that answer, as something else that their lag is made of has changed.
    pub(super) fn measure_again(&mut self, at: SystemTime, nodes: Vec<NodeName>) {
        for name in nodes {
            let node = self.now.nodes.get(&name);
            if node.is_some_and(|node| node.role == Some(Role::Standby) && node.health.state.answers()) {
                self.measure(&name);
                self.judge(at, &name);
            }
        }
    }

    /// Measures how far a standby was behind when it sent its figures last.
    fn measure(&mut self, name: &NodeName) {
        let nodes = &self.now.nodes;
        let Some(node) = nodes.get(name) else { return };
        let lag = match &node.facts {
            Some((at, facts)) if facts.role == Role::Standby => {
                let root = measure::root(nodes, node).map(|root| (root, root.fresh(*at, self.refresh).is_some()));
                let upstream = self.now.upstreams.get(name).and_then(|upstream| nodes.get(upstream));
                measure::lag(*at, facts, node, Surroundings { root, upstream })
            }
            _ => Lag::default(),
        };
        if lag != node.lag {
            self.of(name, |node| node.lag = lag);
        }
    }

    /// Applies the rules to the figures of a node, and finds which rules cannot be applied to it.
    pub(super) fn judge(&mut self, at: SystemTime, name: &NodeName) {
        let Some(node) = self.now.nodes.get(name) else { return };
        let rivals = identity::split_brain(&self.now.nodes, node);
        let alerts = self.alerts.changes();
        let is_asked = self.alerts.rules().iter().any(|rule| !rule.asks());
        let figures = is_asked.then(|| alerts::figures(node, &rivals)).flatten();
        if let Some(figures) = &figures {
            self.alerts.refreshed(at, name, figures, &self.thresholds);
        }
        let said = (!rivals.is_empty()).then(|| identity::named_with_timelines(&rivals));
        let changed = said != node.split_brain;
        let not_judged = self.unjudged(node, figures.as_ref());
        if changed {
            self.of(name, |node| node.split_brain = said);
        }
        // What is said on a row stands in the header of the next frame.
        self.unsettled |= changed || alerts != self.alerts.changes();
        self.take_unjudged(name, not_judged);
    }

    /// Finds which rules cannot be applied to a node.
    pub(super) fn find_unjudged(&mut self, name: &NodeName) {
        let Some(node) = self.now.nodes.get(name) else { return };
        let not_judged = self.unjudged(node, alerts::figures(node, &[]).as_ref());
        self.take_unjudged(name, not_judged);
    }

    fn unjudged(&self, node: &Node, figures: Option<&Reading>) -> Vec<NotJudged> {
        unjudged::of(&self.now.nodes, node, self.alerts.rules(), figures)
    }

    fn take_unjudged(&mut self, name: &NodeName, not_judged: Vec<NotJudged>) {
        if self.now.nodes.get(name).is_some_and(|node| node.not_judged != not_judged) {
            self.of(name, |node| node.not_judged = not_judged);
            self.alerts.touch();
        }
    }

    /// Sums up what is the matter with all of them.
    pub(super) fn judge_all(&mut self) {
        self.unsettled = false;
        let fired = self.alerts.fired().filter(|held| held.holds() && !held.acknowledged).map(|held| &held.alert);
        let verdict = verdict::of(&self.now, fired, &self.thresholds, false);
        if verdict != *self.now.verdict {
            self.now.verdict = Arc::new(verdict);
        }
    }
}
