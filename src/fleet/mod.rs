//! What is known of all nodes: their states and history, what they answered to views, alerts, the shape of the cluster, the
//! journal, the answers to the last statement, and what watching costs the servers. Pure: no tokio, no I/O, no clock.
//!
//! What is known changes by an event of the connection manager ([`Fleet::apply`]) and by time ([`Fleet::advance`]).
//! In addition there are the settings by which it is judged (rules, thresholds, the refresh interval, the span of rates)
//! and the decisions of a person: a statement that was sent, an alert that was acknowledged, a node that is being removed.
//! Whatever shows the fleet, a screen or a command, reads `&Fleet`.
//!
//! [`Fleet::now`] is the current picture. [`Fleet::keep`] keeps it, and [`Fleet::at`] returns the kept picture by its
//! time, unchanged: a frozen screen shows that one. Alerts and the batch are always the current ones.

pub mod alerts;
pub mod batch;
mod changes;
mod cost;
mod decisions;
mod history;
pub mod identity;
pub mod journal;
mod judging;
pub mod lag;
mod measure;
mod missing;
pub mod nodes;
mod outcome;
mod picture;
pub mod readings;
mod series;
pub mod topology;
mod track;
mod unjudged;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::model::figures;
use crate::model::protocol::{CommandError, QueryProgress, ViewRows};
use crate::model::view::Moment;
use crate::model::{
    BatchId, Change, ErrorKind, Event, EventKind, HealthState, NodeConfig, NodeError, NodeName, Rule, Thresholds, View,
};

use history::UNWATCHED;
use journal::trouble::Wording;
use journal::wording;
use measure::Place;
use readings::Pace;

pub use alerts::{AlertId, Alerts};
pub use batch::Batch;
pub use cost::{Cost, CostRate};
pub use journal::{Entry, Journal, Severity};
pub use lag::Lag;
pub use nodes::{Node, Nodes, Unsaved};
use outcome::Outcome;
pub use picture::Picture;
pub use readings::{Readings, ViewReadings};
pub use series::Series;

/// The length of a time in which nobody watched from which the journal mentions it.
const WORTH_TELLING: Duration = Duration::from_secs(10);

/// What is known of all nodes.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// How often figures are refreshed. Figures that are much older than this are stale.
    pub refresh: Duration,
    /// The limits above which a figure is a warning or critical.
    pub thresholds: Thresholds,
    /// The span over which the rates of a table are taken. Until an answer is that old, the oldest one is used.
    pub rate_span: Duration,
    now: Picture,
    /// The picture of an earlier time, while a frozen screen shows it.
    kept: Option<Box<Picture>>,
    /// All views by name; empty until they are read.
    views: IndexMap<String, Arc<View>>,
    alerts: Alerts,
    batch: Option<Batch>,
    cost: Cost,
    /// When time last passed; `None` before the first time.
    advanced: Option<SystemTime>,
    /// True if a node's health changed after the verdict was given.
    unsettled: bool,
}

impl Fleet {
    /// A fleet of these nodes, of which nothing is known yet.
    pub fn new(nodes: Vec<NodeConfig>, refresh: Duration, thresholds: Thresholds, now: SystemTime) -> Self {
        let nodes = Nodes::new(nodes, now);
        Self {
            refresh,
            thresholds,
            rate_span: crate::model::rates::TABLE_SPAN,
            now: Picture::new(now, nodes),
            kept: None,
            views: IndexMap::new(),
            alerts: Alerts::default(),
            batch: None,
            cost: Cost::default(),
            advanced: None,
            unsettled: false,
        }
    }

    /// The current picture.
    pub fn now(&self) -> &Picture {
        &self.now
    }

    /// The picture kept at that time; the current picture if none was kept then.
    pub fn at(&self, time: SystemTime) -> &Picture {
        self.kept.as_deref().filter(|kept| kept.at == time).unwrap_or(&self.now)
    }

    /// Keeps the current picture, in place of any other kept one, and returns its time.
    pub fn keep(&mut self) -> SystemTime {
        self.settle();
        self.kept = Some(Box::new(self.now.clone()));
        self.now.at
    }

    /// Drops the kept picture.
    pub fn release(&mut self) {
        self.kept = None;
    }

    /// All alerts.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// The statement that runs or ran last, and its answers; `None` before the first statement.
    pub fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref()
    }

    /// True while a statement runs.
    pub fn runs_statement(&self) -> bool {
        self.batch().is_some_and(Batch::is_running)
    }

    /// What our own statements cost the servers.
    pub fn cost(&self) -> &Cost {
        &self.cost
    }

    /// Takes in an event of the manager. Events of one node must come in their order. Events of a node that was
    /// removed change nothing.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        self.now.at = self.now.at.max(at);
        // Worded before it is applied: the text compares the old state with the new one.
        let wording = wording::of(&event.kind, &self.now.nodes, self.batch.as_ref());
        let down_for = match &event.kind {
            EventKind::Connected { node, .. } => self.now.nodes.get(node).and_then(|node| node.down_for(at)),
            _ => None,
        };
        self.take_in(at, &event.kind);
        self.unsettled |= matches!(event.kind, EventKind::Health { .. } | EventKind::NodeRemoved { .. });
        if let Some(wording) = wording {
            self.write_wording(at, wording, down_for);
        }
        self.write_alerts();
    }

    /// Takes in that time passed: ages and history move on, conditions that lasted become alerts, alerts end.
    ///
    /// Whoever calls it does so at least once a second, or only once. If more than three seconds have passed, nobody
    /// watched: the machine slept, or the process was stopped or blocked.
    pub fn advance(&mut self, now: SystemTime) {
        if let Some(since) = self.advanced.replace(now)
            && let Ok(time) = now.duration_since(since)
            && time > UNWATCHED
        {
            self.skip(now, time);
        }
        self.now.at = now;
        self.now.nodes.advance(now, self.refresh);
        if self.alerts.advance(&self.now) {
            let upstreams = topology::upstreams(&self.now);
            if upstreams != *self.now.upstreams {
                let new = |(name, of): &(&NodeName, &NodeName)| self.now.upstreams.get(*name) != Some(*of);
                let moved = upstreams.iter().filter(new).map(|(name, _)| name.clone()).collect();
                self.now.upstreams = Arc::new(upstreams);
                self.measure_again(now, moved);
            }
        }
        self.judge_all();
        self.write_alerts();
    }

    /// Takes in that nobody watched for this time up to `now`: the history has a gap, rates begin again, and the time does
    /// not count for conditions that must last.
    fn skip(&mut self, now: SystemTime, time: Duration) {
        self.now.nodes.skip(now);
        self.now.readings.skip(None);
        self.alerts.skip(time);
        self.cost.restart();
        if time >= WORTH_TELLING {
            let what = "not watched".to_owned();
            let text = format!("for {}: the machine slept, or pgwatch was stopped", figures::age(time));
            self.write(Entry::new(now, None, Severity::Info, what, text));
        }
    }

    fn take_in(&mut self, at: SystemTime, kind: &EventKind) {
        match kind {
            EventKind::Connected { node, role, server_version, connect_time, .. } => {
                self.now.readings.connected(node);
                self.of(node, |node| {
                    if let Some(role) = role {
                        node.set_role(at, *role);
                    }
                    node.is_identified = false;
                    node.server_version = Some(server_version.clone());
                    node.connect_time = Some(*connect_time);
                    node.connected_at = Some(at);
                });
            }
            EventKind::Disconnected { node, .. } => self.of(node, |node| node.connected_at = None),
            EventKind::Health { node, health, .. } | EventKind::Checked { node, health } => {
                self.of(node, |node| node.set_health(at, Arc::clone(health)));
                if !health.state.answers() {
                    self.now.readings.skip(Some(node));
                }
                // Somebody wants it so: a paused node has no problem.
                if health.paused {
                    self.alerts.forget(node);
                }
                if let EventKind::Health { from, .. } = kind
                    && from.answers() != health.state.answers()
                {
                    self.find_unjudged(node);
                }
            }
            EventKind::NodeAdded { node } => {
                // The nodes of the configuration are known from the start; the manager reports them as added too.
                if self.now.nodes.get(&node.name).is_none_or(|known| known.removing) {
                    self.now.nodes.put((**node).clone(), at);
                }
            }
            EventKind::NodeEdited { node } => self.now.nodes.edit((**node).clone(), at),
            EventKind::NodeRemoved { node, .. } => {
                self.now.nodes.remove(node);
                self.now.readings.forget(node);
                self.alerts.forget(node);
            }
            EventKind::Pool { node, pool, probes } => self.of(node, |node| {
                node.pool = Some(*pool);
                node.probes = Some(*probes);
            }),
            EventKind::Facts { node: name, facts } => {
                if let Ok(facts) = facts {
                    self.cost.add(at, facts.elapsed);
                }
                let led = self.leads(name);
                self.of(name, |node| match facts {
                    Ok(facts) => {
                        node.set_facts(at, Arc::clone(facts));
                        if node.trouble.is_open() && node.health.state == HealthState::Healthy {
                            node.trouble.end();
                        }
                    }
                    Err(error) => node.facts_error = Some(error.clone()),
                });
                self.figured(at, name, led);
            }
            EventKind::Server { node: name, server } => {
                let led = self.leads(name);
                self.of(name, |node| {
                    node.server = Some(Arc::clone(server));
                    node.is_identified = true;
                });
                self.figured(at, name, led);
            }
            EventKind::View { node, view, outcome } => {
                if let Ok(answer) = outcome {
                    self.cost.add(at, answer.elapsed);
                }
                self.answered(at, node, view, outcome);
            }
            EventKind::Replaced { node, was, .. } => self.of(node, |node| {
                node.replaced = Some((at, *was));
                node.track.clear();
                node.told.forget(at);
            }),
            EventKind::Query { batch, progress } => self.progress(*batch, progress),
            EventKind::Refused { node, error } => self.refused(node.as_ref(), error),
            EventKind::Text { .. } | EventKind::Tested { .. } | EventKind::Draining { .. } | EventKind::Stopped(_) => {}
        }
    }

    fn of(&mut self, name: &NodeName, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.now.nodes.get_mut(name) {
            change(node);
        }
    }

    /// Takes in a node's answer to a view, or its error.
    fn answered(&mut self, at: SystemTime, node: &NodeName, view: &str, outcome: &Result<Arc<ViewRows>, NodeError>) {
        if self.now.nodes.get(node).is_none() {
            return;
        }
        let Some(view) = self.views.get(view) else { return };
        let view = Arc::clone(view);
        let before = view.events.as_ref().and_then(|_| {
            let of = self.now.readings.of(&view.name)?.node(node)?;
            of.newest().filter(|_| of.valid().is_some()).cloned()
        });
        let servers = self.now.nodes.get(node).and_then(|node| node.clock(at)).unwrap_or(at);
        let pace = Pace { refresh: self.refresh, span: self.rate_span };
        let here = Place::of(&self.now.nodes, at, node);
        let at_once = Moment { ours: at, servers };
        let read = self.now.readings.take(at_once, node, &view, outcome, pace, &here);
        if let Some(answer) = read.as_deref().map(Ok).or(outcome.as_ref().err().map(Err))
            && self.alerts.asked().any(|(asked, _)| asked.name == view.name)
        {
            let of = Outcome::of(self.alerts.rules(), &view, answer, &self.thresholds);
            self.of(node, |node| drop(node.outcomes.insert(view.name.clone(), of)));
            self.find_unjudged(node);
        }
        match (read, outcome) {
            (Some(reading), _) => {
                self.alerts.answered(&self.now.nodes, node, &view.name, &reading, &self.thresholds);
                if let Some(before) = before {
                    let found = self.now.nodes.get_mut(node).map(|node| node.told.rows(&view, &before, &reading));
                    self.tell(at, node, found.unwrap_or_default());
                }
            }
            (None, Err(error)) if error.kind == ErrorKind::Sql && error.is_lasting() => {
                self.alerts.refused(at, node, &view.name);
            }
            (None, _) => {}
        }
    }

    /// Compares what a node says with what it said before.
    fn compare(&mut self, at: SystemTime, name: &NodeName) {
        let upstream = self.now.upstreams.get(name).cloned();
        let Some(node) = self.now.nodes.get_mut(name) else { return };
        let Some((_, facts)) = &node.facts else { return };
        let server = node.server.as_ref().filter(|_| node.is_identified);
        let found = node.told.take(at, facts, server, upstream.as_ref());
        self.tell(at, name, found);
    }

    /// Writes changes of a node, unless another name of the server has told them.
    fn tell(&mut self, at: SystemTime, name: &NodeName, found: Vec<changes::Found>) {
        for (severity, message, what) in found {
            if !self.now.has_told(at, name, &what) {
                self.write(Entry::of(Change { at, node: name.clone(), severity, message, what }));
            }
        }
    }

    fn progress(&mut self, id: BatchId, progress: &QueryProgress) {
        if let Some(batch) = self.batch.as_mut().filter(|batch| batch.id == id) {
            batch.apply(progress);
        }
    }

    /// Takes in that the manager refused a command: nothing changed.
    fn refused(&mut self, node: Option<&NodeName>, error: &CommandError) {
        if let Some(node) = node {
            self.of(node, |node| node.removing = false);
        }
        let of_query = matches!(error, CommandError::BatchExists(_) | CommandError::TooManyQueries);
        if of_query && let Some(batch) = self.batch.as_mut().filter(|batch| batch.is_running()) {
            batch.refused = Some(error.to_string());
        }
    }

    /// Writes what an event says in words, beside what it belongs to.
    fn write_wording(&mut self, at: SystemTime, wording: Wording, down_for: Option<Duration>) {
        let mut trouble = wording.node.as_ref().and_then(|node| Some(self.now.nodes.get(node)?.trouble.clone()));
        let journal = Arc::make_mut(&mut self.now.journal);
        let node = wording.node.clone();
        trouble.get_or_insert_default().write(journal, at, wording, down_for);
        if let Some((name, trouble)) = node.zip(trouble) {
            self.of(&name, |node| node.trouble = trouble);
        }
    }

    fn write(&mut self, entry: Entry) {
        Arc::make_mut(&mut self.now.journal).push(entry);
    }

    fn write_alerts(&mut self) {
        while let Some(entry) = self.alerts.next_news() {
            let told = entry.node.as_ref().zip(entry.change.as_deref());
            if !told.is_some_and(|(node, what)| self.now.has_told(entry.at, node, what)) {
                self.write(entry);
            }
        }
    }
}

/// The settings by which the fleet is judged.
impl Fleet {
    /// Takes the views and rules that were read, at the start or again. What is known from those that changed is
    /// dropped.
    pub fn take_rules(&mut self, views: IndexMap<String, Arc<View>>, rules: Vec<Arc<Rule>>) {
        self.views = views;
        for picture in std::iter::once(&mut self.now).chain(self.kept.as_deref_mut()) {
            picture.readings.take_views(&self.views);
        }
        self.now.readings.take_needs(rules.iter().filter(|rule| rule.asks()).map(|rule| {
            let told = rule.view.events.as_ref().is_some_and(|events| events.of.is_of_replication());
            let compared = told || rule.check == crate::model::alert::Check::Shape;
            (&rule.view, compared, rule.needs_rates(), rule.every)
        }));
        self.alerts.take_rules(rules);
        // The rules judge the figures that came before them, since the next ones may be a minute away. Figures of a
        // node that is down are stale.
        let answering = self.now.nodes.iter().filter(|node| node.health.state.answers());
        for name in answering.map(|node| node.name().clone()).collect::<Vec<_>>() {
            self.judge(self.now.at, &name);
        }
    }

    /// Keeps what nodes answer to a view from now on, because a screen shows it.
    pub fn follow(&mut self, view: &Arc<View>) {
        self.now.readings.follow(view);
    }
}
