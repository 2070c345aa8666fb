//! What the screen knows of each node: the last word of the manager, and a little history of it. Figures keep the
//! time at which they were true; [`Node::figures`] says whether they still are.

mod columns;
mod history;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::model::delta::Rates;
use crate::model::{
    Facts, Health, HealthState, NodeConfig, NodeError, NodeName, PoolStats, ProbeStats, Role, ServerFacts, Thresholds,
};

pub use columns::NodeColumn;
pub use history::{History, Sample, Span};

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    pub config: NodeConfig,
    pub health: Health,
    pub role: Option<Role>,
    /// As the server prints it: `17.2`.
    pub server_version: Option<String>,
    /// How long the last connection took to open, and when it was there.
    pub connect_time: Option<Duration>,
    pub connected_at: Option<SystemTime>,
    pub pool: Option<PoolStats>,
    pub probes: Option<ProbeStats>,
    /// The figures of the last refresh that worked, and when that was.
    pub facts: Option<(SystemTime, Arc<Facts>)>,
    /// Why the last refresh brought no figures.
    pub facts_error: Option<NodeError>,
    /// Between the last two refreshes.
    pub rates: Rates,
    pub server: Option<Arc<ServerFacts>>,
    pub history: History,
    /// It is on its way out: `RemoveNode` was sent.
    pub removing: bool,
}

/// Figures of a node, and whether they hold now.
#[derive(Debug, Clone, Copy)]
pub enum Figures<'a> {
    Fresh(&'a Facts),
    /// They were true this long ago: dim them and say so.
    Stale(&'a Facts, Duration),
    Unknown,
}

/// How bad a figure is by the thresholds of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Normal,
    Warning,
    Critical,
}

impl Node {
    pub fn new(config: NodeConfig, now: SystemTime) -> Self {
        Self {
            config,
            health: Health::new(now),
            role: None,
            server_version: None,
            connect_time: None,
            connected_at: None,
            pool: None,
            probes: None,
            facts: None,
            facts_error: None,
            rates: Rates::default(),
            server: None,
            history: History::new(now),
            removing: false,
        }
    }

    pub fn name(&self) -> &NodeName {
        &self.config.name
    }

    /// Its figures at the time of the picture. They are fresh while the node answers and the last refresh is no
    /// older than two more could have been.
    pub fn figures(&self, at: SystemTime, refresh: Duration) -> Figures<'_> {
        let Some((seen, facts)) = &self.facts else { return Figures::Unknown };
        let age = at.duration_since(*seen).unwrap_or_default();
        if self.health.state.answers() && age <= refresh * 2 + Duration::from_secs(1) {
            Figures::Fresh(facts)
        } else {
            Figures::Stale(facts, age)
        }
    }

    /// Figures that hold now; `None` for old ones.
    pub fn fresh(&self, at: SystemTime, refresh: Duration) -> Option<&Facts> {
        match self.figures(at, refresh) {
            Figures::Fresh(facts) => Some(facts),
            Figures::Stale(..) | Figures::Unknown => None,
        }
    }

    /// How long it has been down: since the outage began, or since it was paused.
    pub fn down_for(&self, at: SystemTime) -> Option<Duration> {
        let since = match self.health.state {
            HealthState::Healthy | HealthState::Degraded => return None,
            HealthState::Connecting | HealthState::Disconnected => self.health.since,
            HealthState::Unhealthy | HealthState::Reconnecting => self.health.down_since.unwrap_or(self.health.since),
        };
        Some(at.duration_since(since).unwrap_or_default())
    }

    /// Time to the next attempt to connect.
    pub fn next_try_in(&self, at: SystemTime) -> Option<Duration> {
        self.health.next_retry.map(|next| next.duration_since(at).unwrap_or_default())
    }

    /// Since the server started.
    pub fn uptime(&self, at: SystemTime) -> Option<Duration> {
        at.duration_since(self.server.as_ref()?.started_at?).ok()
    }

    /// Replay lag of a standby: its own word.
    pub fn lag(&self) -> Option<Duration> {
        let (_, facts) = self.facts.as_ref()?;
        (facts.role == Role::Standby).then_some(facts.replay_lag).flatten()
    }

    pub fn lag_level(&self, thresholds: &Thresholds) -> Level {
        let limit = &thresholds.replication_lag;
        match self.lag() {
            Some(lag) if lag >= limit.critical => Level::Critical,
            Some(lag) if lag >= limit.warning => Level::Warning,
            _ => Level::Normal,
        }
    }

    /// Whether `!` shows it.
    pub fn has_problem(&self, thresholds: &Thresholds) -> bool {
        self.health.state != HealthState::Healthy
            || self.facts_error.is_some()
            || self.pool.is_some_and(|pool| pool.waiting > 0)
            || self.lag_level(thresholds) > Level::Normal
    }

    /// New figures of a refresh.
    pub(super) fn set_facts(&mut self, at: SystemTime, facts: Arc<Facts>) {
        self.rates = match &self.facts {
            Some((_, before)) => Rates::between(before, &facts),
            None => Rates::default(),
        };
        self.role = Some(facts.role);
        self.history.transactions(self.rates.transactions);
        self.facts = Some((at, facts));
        self.facts_error = None;
    }

    /// A word on its health, true at `at`.
    pub(super) fn set_health(&mut self, at: SystemTime, health: Health) {
        self.history.advance(at, self.health.state);
        if health.last_success != self.health.last_success {
            self.history.probe(health.latency);
        }
        self.health = health;
    }
}

/// How many nodes are in which of the three conditions (C2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub healthy: usize,
    pub degraded: usize,
    /// All the rest, paused ones too.
    pub down: usize,
}

impl Counts {
    pub fn total(self) -> usize {
        self.healthy + self.degraded + self.down
    }
}

/// All nodes, in the order of the file, added ones behind.
#[derive(Debug, Clone, Default)]
pub struct Nodes(IndexMap<NodeName, Node>);

impl Nodes {
    pub fn new(configs: Vec<NodeConfig>, now: SystemTime) -> Self {
        Self(configs.into_iter().map(|config| (config.name.clone(), Node::new(config, now))).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &NodeName) -> Option<&Node> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> + ExactSizeIterator {
        self.0.values()
    }

    pub fn names(&self) -> impl Iterator<Item = &NodeName> {
        self.0.keys()
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for node in self.iter() {
            match node.health.state {
                HealthState::Healthy => counts.healthy += 1,
                HealthState::Degraded => counts.degraded += 1,
                _ => counts.down += 1,
            }
        }
        counts
    }

    /// Transactions a second over all nodes with fresh figures; `None` while no node has any.
    pub fn transactions(&self, at: SystemTime, refresh: Duration) -> Option<f64> {
        self.iter()
            .filter(|node| node.fresh(at, refresh).is_some())
            .filter_map(|node| node.rates.transactions)
            .reduce(|sum, rate| sum + rate)
    }

    /// Nodes whose replication lag is over a threshold.
    pub fn alerts(&self, thresholds: &Thresholds) -> usize {
        let over = |node: &&Node| node.health.state.answers() && node.lag_level(thresholds) > Level::Normal;
        self.iter().filter(over).count()
    }

    pub(super) fn get_mut(&mut self, name: &NodeName) -> Option<&mut Node> {
        self.0.get_mut(name)
    }

    /// Puts a node in; one of that name begins anew at its place.
    pub(super) fn put(&mut self, config: NodeConfig, now: SystemTime) {
        self.0.insert(config.name.clone(), Node::new(config, now));
    }

    /// Keeps the history of an edited node: it is the same server to the person who looks.
    pub(super) fn edit(&mut self, config: NodeConfig, now: SystemTime) {
        match self.0.get_mut(&config.name) {
            Some(node) => node.config = config,
            None => self.put(config, now),
        }
    }

    pub(super) fn remove(&mut self, name: &NodeName) {
        self.0.shift_remove(name);
    }

    /// Time passed. A rate counts for the seconds in which it is fresh.
    pub(super) fn advance(&mut self, at: SystemTime, refresh: Duration) {
        for node in self.0.values_mut() {
            let rate = node.fresh(at, refresh).and(node.rates.transactions);
            node.history.advance(at, node.health.state);
            node.history.keep_rate(rate);
        }
    }
}
