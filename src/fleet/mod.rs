//! What is known of all nodes: their states and history, what they answered to views, alerts, the shape of the cluster, the
//! journal, the answers to the last statement, and what watching costs the servers. Pure: no tokio, no I/O, no clock.
//!
//! What is known changes by an event of the connection manager ([`Fleet::apply`]) and by time ([`Fleet::advance`]). Beside
//! these two come the settings it is judged by (rules, thresholds, the refresh interval) and what a person decided: a
//! statement that was sent, an alert that was seen, a node on its way out. Whoever shows the fleet, a screen or a command,
//! reads `&Fleet`.
//!
//! [`Fleet::now`] is the picture of now. [`Fleet::keep`] keeps it, and [`Fleet::at`] gives it back by its time, unchanged:
//! that is what a frozen screen shows. Alerts and the batch are always those of now.

pub mod alerts;
pub mod batch;
mod cost;
mod history;
pub mod journal;
pub mod nodes;
mod past;
mod picture;
pub mod readings;
pub mod topology;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::model::protocol::{CommandError, QueryProgress, ViewRows};
use crate::model::{BatchId, ErrorKind, Event, EventKind, NodeConfig, NodeError, NodeName, Rule, Thresholds, View};

use journal::wording;

pub use alerts::{AlertId, Alerts};
pub use batch::Batch;
pub use cost::{Cost, CostRate};
pub use journal::{Entry, Journal, Severity};
pub use nodes::{Node, Nodes, Unsaved};
pub use past::Series;
pub use picture::Picture;
pub use readings::{Readings, ViewReadings};

/// What is known of all nodes.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// How often figures are refreshed: those that are much older are stale.
    pub refresh: Duration,
    pub thresholds: Thresholds,
    now: Picture,
    /// The picture of an earlier time, while somebody wants to see it.
    kept: Option<Box<Picture>>,
    /// By name; empty until they are read.
    views: IndexMap<String, Arc<View>>,
    alerts: Alerts,
    batch: Option<Batch>,
    cost: Cost,
}

impl Fleet {
    /// These nodes, of which nothing is known yet.
    pub fn new(nodes: Vec<NodeConfig>, refresh: Duration, thresholds: Thresholds, now: SystemTime) -> Self {
        let nodes = Nodes::new(nodes, now);
        Self {
            refresh,
            thresholds,
            now: Picture { at: now, nodes, journal: Arc::default(), readings: Readings::default() },
            kept: None,
            views: IndexMap::new(),
            alerts: Alerts::default(),
            batch: None,
            cost: Cost::default(),
        }
    }

    /// The picture of now.
    pub fn now(&self) -> &Picture {
        &self.now
    }

    /// The picture of a time: the one that was kept then, else that of now.
    pub fn at(&self, time: SystemTime) -> &Picture {
        self.kept.as_deref().filter(|kept| kept.at == time).unwrap_or(&self.now)
    }

    /// Keeps the picture of now and gives its time. One picture is kept.
    pub fn keep(&mut self) -> SystemTime {
        self.kept = Some(Box::new(self.now.clone()));
        self.now.at
    }

    /// Drops the kept picture: nobody wants to see it any more. There is no time of it from now on.
    pub fn release(&mut self) -> Option<SystemTime> {
        self.kept = None;
        None
    }

    /// All views that there are, by name.
    pub fn views(&self) -> &IndexMap<String, Arc<View>> {
        &self.views
    }

    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// The statement that runs or ran last, and its answers.
    pub fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref()
    }

    /// Whether a statement runs.
    pub fn runs_statement(&self) -> bool {
        self.batch().is_some_and(Batch::is_running)
    }

    /// What our own questions cost the servers.
    pub fn cost(&self) -> &Cost {
        &self.cost
    }

    /// An event of the manager. Events of one node come in their order; of a node that was removed they change nothing.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        self.now.at = self.now.at.max(at);
        // Worded before it is applied: the text compares the old state with the new one.
        let wording = wording::of(&event.kind, &self.now.nodes, self.batch.as_ref());
        self.take_in(at, &event.kind);
        if let Some(wording::Wording { node, severity, what, text }) = wording {
            self.write(Entry { seq: 0, at, node, severity, what, text });
        }
        self.write_alerts();
    }

    /// Time passed: ages and history move on, conditions become alerts by lasting, alerts end.
    pub fn advance(&mut self, now: SystemTime) {
        self.now.at = now;
        self.now.nodes.advance(now, self.refresh);
        self.alerts.advance(&self.now);
        self.write_alerts();
    }

    fn take_in(&mut self, at: SystemTime, kind: &EventKind) {
        match kind {
            EventKind::Connected { node, role, server_version, connect_time, .. } => self.of(node, |node| {
                node.role = Some(*role);
                node.server_version = Some(server_version.clone());
                node.connect_time = Some(*connect_time);
                node.connected_at = Some(at);
            }),
            EventKind::Disconnected { node, .. } => self.of(node, |node| node.connected_at = None),
            EventKind::Health { node, health, .. } | EventKind::Checked { node, health } => {
                self.of(node, |node| node.set_health(at, (**health).clone()));
            }
            EventKind::NodeAdded { node } => {
                // The nodes of the start are known; the manager reports them as well.
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
                self.of(name, |node| match facts {
                    Ok(facts) => node.set_facts(at, Arc::clone(facts)),
                    Err(error) => node.facts_error = Some(error.clone()),
                });
                if let Some(node) = self.now.nodes.get(name) {
                    self.alerts.refreshed(at, node, &self.thresholds);
                }
            }
            EventKind::Server { node, server } => self.of(node, |node| node.server = Some(Arc::clone(server))),
            EventKind::View { node, view, outcome } => {
                if let Ok(answer) = outcome {
                    self.cost.add(at, answer.elapsed);
                }
                self.answered(at, node, view, outcome);
            }
            EventKind::Replaced { node, was, .. } => self.of(node, |node| node.replaced = Some((at, *was))),
            EventKind::Query { batch, progress } => self.progress(*batch, progress),
            EventKind::Refused { node, error } => self.refused(node.as_ref(), error),
            EventKind::Tested { .. } | EventKind::Draining { .. } | EventKind::Stopped(_) => {}
        }
    }

    fn of(&mut self, name: &NodeName, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.now.nodes.get_mut(name) {
            change(node);
        }
    }

    /// A node answered a view, or could not.
    fn answered(&mut self, at: SystemTime, node: &NodeName, view: &str, outcome: &Result<Arc<ViewRows>, NodeError>) {
        if self.now.nodes.get(node).is_none() {
            return;
        }
        let Some(view) = self.views.get(view) else { return };
        match (self.now.readings.take(at, node, view, outcome), outcome) {
            (Some(reading), _) => self.alerts.answered(node, &view.name, &reading, &self.thresholds),
            (None, Err(error)) if error.kind == ErrorKind::Sql => self.alerts.refused(at, node, &view.name),
            (None, _) => {}
        }
    }

    fn progress(&mut self, id: BatchId, progress: &QueryProgress) {
        if let Some(batch) = self.batch.as_mut().filter(|batch| batch.id == id) {
            batch.apply(progress);
        }
    }

    /// The manager refused a command: nothing changed.
    fn refused(&mut self, node: Option<&NodeName>, error: &CommandError) {
        if let Some(node) = node {
            self.of(node, |node| node.removing = false);
        }
        let of_query = matches!(error, CommandError::BatchExists(_) | CommandError::TooManyQueries);
        if of_query && let Some(batch) = self.batch.as_mut().filter(|batch| batch.is_running()) {
            batch.refused = Some(error.to_string());
        }
    }

    fn write(&mut self, entry: Entry) {
        Arc::make_mut(&mut self.now.journal).push(entry);
    }

    fn write_alerts(&mut self) {
        for entry in self.alerts.take_news() {
            self.write(entry);
        }
    }
}

/// The settings by which it is judged.
impl Fleet {
    /// The views and the rules were read, for the first time or again. What was known by those that changed is forgotten.
    pub fn take_rules(&mut self, views: IndexMap<String, Arc<View>>, rules: Vec<Arc<Rule>>) {
        self.views = views;
        self.now.readings.take_views(&self.views);
        self.now.readings.take_needs(rules.iter().filter(|rule| rule.asks()).map(|rule| {
            let compared = rule.check == crate::model::alert::Check::Shape;
            (&rule.view, compared, rule.needs_rates())
        }));
        self.alerts.take_rules(rules);
        // Figures that came before the rules: the next ones may be a minute away. Those of a node that is down are old.
        for node in self.now.nodes.iter().filter(|node| node.health.state.answers()) {
            self.alerts.refreshed(self.now.at, node, &self.thresholds);
        }
    }

    /// Somebody looks at the view: what nodes answer to it is kept from now on.
    pub fn follow(&mut self, view: &Arc<View>) {
        self.now.readings.follow(view);
    }
}

/// What a person decided.
impl Fleet {
    /// A statement was sent: it takes the place of the last one.
    pub fn begin(&mut self, batch: Batch) {
        self.batch = Some(batch);
    }

    /// Nobody waits for the statement any more: nodes that still run it will answer that it was cancelled. Gives the batch,
    /// `None` if none is running.
    pub fn cancel(&mut self) -> Option<BatchId> {
        let batch = self.batch.as_mut().filter(|batch| batch.is_running())?;
        batch.cancelled = true;
        Some(batch.id)
    }

    /// The statement could not be sent.
    pub fn refuse(&mut self, id: BatchId, why: String) {
        if let Some(batch) = self.batch.as_mut().filter(|batch| batch.id == id) {
            batch.refused = Some(why);
        }
    }

    /// An alert was seen, or is to count as not seen again.
    pub fn acknowledge(&mut self, alert: &AlertId) {
        self.alerts.acknowledge(alert);
    }

    /// A node is on its way out, or stays after all.
    pub fn set_removing(&mut self, node: &NodeName, removing: bool) {
        self.of(node, |node| node.removing = removing);
    }

    /// How a node differs from the file.
    pub fn set_unsaved(&mut self, node: &NodeName, unsaved: Unsaved) {
        self.of(node, |node| node.unsaved = Some(unsaved));
    }

    /// The file was read again: it is what holds now.
    pub fn saved(&mut self) {
        self.now.nodes.saved();
    }
}
