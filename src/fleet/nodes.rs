//! What is known of each node: its last reports from the manager, and a short history. Figures keep the time at which
//! they were true; [`Node::figures`] says whether they still are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use super::changes::Told;
use super::history::UNWATCHED;
use super::journal::trouble::Trouble;
use super::lag::Lag;
use super::outcome::Outcomes;
use super::track::Track;
use crate::model::rates::{Rates, TABLE_SPAN};
use crate::model::{
    Facts, Health, HealthState, NodeConfig, NodeError, NodeName, NotJudged, PoolStats, ProbeStats, Role, ServerFacts,
    Thresholds,
};

pub use super::history::{History, Sample, Span};

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its configuration.
    pub config: NodeConfig,
    /// Its health, as last reported.
    pub health: Arc<Health>,
    /// Primary or standby; `None` before the first connection.
    pub role: Option<Role>,
    /// The version as the server prints it: `17.2`.
    pub server_version: Option<String>,
    /// How long the last connection took to open.
    pub connect_time: Option<Duration>,
    /// When the last connection was opened.
    pub connected_at: Option<SystemTime>,
    /// The statistics of its connection pool; `None` before the first report.
    pub pool: Option<PoolStats>,
    /// The statistics of its probes; `None` before the first report.
    pub probes: Option<ProbeStats>,
    /// The figures of the last refresh that succeeded, and when they were read.
    pub facts: Option<(SystemTime, Arc<Facts>)>,
    /// Why the last refresh failed; `None` if it succeeded.
    pub facts_error: Option<NodeError>,
    /// Rates over the newest refreshes, which span at least three seconds if there are enough of them.
    pub rates: Rates,
    /// When the manager last reported on its health.
    checked_at: SystemTime,
    /// The refreshes that rates are taken against, oldest first.
    earlier: VecDeque<Arc<Facts>>,
    /// What rarely changes on a server; `None` before the first report.
    pub server: Option<Arc<ServerFacts>>,
    /// True once `server` was read on the present connection: until then another server may answer.
    pub(in crate::fleet) is_identified: bool,
    /// Since when it has the role that it has; `None` if it had it from the beginning.
    pub role_since: Option<SystemTime>,
    /// Of a standby: how far it is behind.
    pub lag: Lag,
    /// The servers that are primaries of its cluster, in words, if it was one of several at its last figures.
    pub split_brain: Option<String>,
    /// The rules that cannot be applied to it, as of its last answer; empty while it does not answer.
    pub not_judged: Vec<NotJudged>,
    /// What came of the views that rules are about.
    pub(super) outcomes: Outcomes,
    /// Where the end of its WAL was seen, and when.
    pub(super) track: Track,
    /// When the replay of a standby was last seen to have gone on.
    pub(in crate::fleet) replay_moved: Option<SystemTime>,
    /// Since when the WAL receiver of a standby has not been streaming, and true if it was seen to stop.
    pub(in crate::fleet) stopped: Option<(SystemTime, bool)>,
    /// Since when a different cluster answers at its address, and the system identifier of the previous one.
    pub replaced: Option<(SystemTime, u64)>,
    /// What it was last told to be.
    pub(super) told: Told,
    /// The entries of the journal that further events may belong to.
    pub(super) trouble: Trouble,
    /// Its last minute and its last hour.
    pub history: History,
    /// True once `RemoveNode` was sent.
    pub removing: bool,
    /// How it differs from the configuration file, until pgwatch ends or reads the file again.
    pub unsaved: Option<Unsaved>,
}

/// A change made with the form that the configuration file does not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaved {
    /// The node was added.
    Added,
    /// The node was edited.
    Edited,
}

impl Unsaved {
    /// The mark in the table of nodes.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Edited => "~",
        }
    }

    /// The change in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added for this session",
            Self::Edited => "edited for this session",
        }
    }
}

/// Figures of a node, and whether they are up to date.
#[derive(Debug, Clone, Copy)]
pub enum Figures<'a> {
    /// They are up to date.
    Fresh(&'a Facts),
    /// They are this old: to be dimmed and marked with their age.
    Stale(&'a Facts, Duration),
    /// None were ever read.
    Unknown,
}

/// How bad a figure is by the thresholds of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Below both thresholds, or unknown.
    Normal,
    /// At least at the warning threshold.
    Warning,
    /// At least at the critical threshold.
    Critical,
}

impl Node {
    /// A node of which nothing is known yet.
    pub fn new(config: NodeConfig, now: SystemTime) -> Self {
        Self {
            config,
            health: Arc::new(Health::new(now)),
            role: None,
            server_version: None,
            connect_time: None,
            connected_at: None,
            pool: None,
            probes: None,
            facts: None,
            facts_error: None,
            rates: Rates::default(),
            checked_at: now,
            earlier: VecDeque::new(),
            server: None,
            is_identified: false,
            role_since: None,
            lag: Lag::default(),
            split_brain: None,
            not_judged: Vec::new(),
            outcomes: Outcomes::default(),
            track: Track::default(),
            replay_moved: None,
            stopped: None,
            replaced: None,
            told: Told::default(),
            trouble: Trouble::default(),
            history: History::new(now),
            removing: false,
            unsaved: None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.config.name
    }

    /// Its figures at the time `at`. They are fresh while the node answers and they are at most two refresh intervals
    /// and a second old.
    pub fn figures(&self, at: SystemTime, refresh: Duration) -> Figures<'_> {
        let Some((seen, facts)) = &self.facts else { return Figures::Unknown };
        let age = at.duration_since(*seen).unwrap_or_default();
        if self.health.state.answers() && age <= refresh * 2 + Duration::from_secs(1) {
            Figures::Fresh(facts)
        } else {
            Figures::Stale(facts, age)
        }
    }

    /// Its figures if they are fresh; `None` if they are stale or unknown.
    pub fn fresh(&self, at: SystemTime, refresh: Duration) -> Option<&Facts> {
        match self.figures(at, refresh) {
            Figures::Fresh(facts) => Some(facts),
            Figures::Stale(..) | Figures::Unknown => None,
        }
    }

    /// How long it has been down: since the outage began, or since it was paused. `None` while it answers.
    pub fn down_for(&self, at: SystemTime) -> Option<Duration> {
        let since = match self.health.state {
            HealthState::Healthy | HealthState::Degraded => return None,
            HealthState::Connecting | HealthState::Disconnected => self.health.since,
            HealthState::Unhealthy | HealthState::Reconnecting => self.health.down_since.unwrap_or(self.health.since),
        };
        Some(at.duration_since(since).unwrap_or_default())
    }

    /// The time until the next attempt to connect; `None` if none is planned.
    pub fn next_try_in(&self, at: SystemTime) -> Option<Duration> {
        self.health.next_retry.map(|next| next.duration_since(at).unwrap_or_default())
    }

    /// The server's own clock at the time `at`, by its newest figures: times of a server are compared with this one, as
    /// its clock may differ from ours. `None` before the first figures.
    pub fn clock(&self, at: SystemTime) -> Option<SystemTime> {
        let (seen, facts) = self.facts.as_ref()?;
        match at.duration_since(*seen) {
            Ok(since) => facts.server_time.checked_add(since),
            Err(before) => facts.server_time.checked_sub(before.duration()),
        }
    }

    /// The time since the server started, by its own clock.
    pub fn uptime(&self, at: SystemTime) -> Option<Duration> {
        let started = self.server.as_ref()?.started_at?;
        Some(self.clock(at)?.duration_since(started).unwrap_or_default())
    }

    /// How bad its lag is: what it is late beyond what it is meant to be.
    pub fn lag_level(&self, thresholds: &Thresholds) -> Level {
        let limit = &thresholds.replication_lag;
        match self.lag.late {
            Some(late) if late >= limit.critical => Level::Critical,
            Some(late) if late >= limit.warning => Level::Warning,
            _ => Level::Normal,
        }
    }

    /// True if the filter `!` (problems only) shows it. A paused node has none: somebody wants it so.
    pub fn has_problem(&self, thresholds: &Thresholds) -> bool {
        match self.health.state {
            HealthState::Healthy => {}
            HealthState::Disconnected => return false,
            _ => return true,
        }
        self.facts_error.is_some()
            || self.pool.is_some_and(|pool| pool.waiting > 0)
            || self.lag_level(thresholds) > Level::Normal
    }

    /// Takes in the figures of a refresh.
    pub(in crate::fleet) fn set_facts(&mut self, at: SystemTime, facts: Arc<Facts>) {
        self.rates = self.rates_up_to(&facts);
        self.earlier.push_back(Arc::clone(&facts));
        self.set_role(at, facts.role);
        self.set_positions(at, &facts);
        self.history.keep_rate(self.rates.transactions);
        self.facts = Some((at, facts));
        self.facts_error = None;
    }

    /// Takes in its role, as it was at `at`.
    pub(in crate::fleet) fn set_role(&mut self, at: SystemTime, role: Role) {
        if self.role.replace(role).is_some_and(|before| before != role) {
            self.role_since = Some(at);
        }
    }

    /// Takes in where its WAL ends and whether WAL arrives.
    fn set_positions(&mut self, at: SystemTime, facts: &Facts) {
        let replayed = |facts: &Facts| facts.wal_position.filter(|_| facts.role == Role::Standby);
        let before = self.facts.as_ref().and_then(|(_, before)| replayed(before));
        if before.zip(replayed(facts)).is_some_and(|(before, now)| now > before) {
            self.replay_moved = Some(at);
        }
        if let Some(end) = facts.wal_end() {
            self.track.note(at, end);
        }
        self.stopped = match facts.streaming().filter(|_| facts.role == Role::Standby) {
            Some(false) => {
                let was_streaming = self.facts.as_ref().is_some_and(|(_, before)| before.streaming() == Some(true));
                self.stopped.or(Some((at, was_streaming)))
            }
            Some(true) | None => None,
        };
    }

    fn rates_up_to(&mut self, facts: &Facts) -> Rates {
        // Rates are not taken across a reset of the counters, or a change of what the position means.
        if self.earlier.back().is_some_and(|last| !Rates::comparable(last, facts)) {
            self.earlier.clear();
        }
        let long_ago =
            |earlier: &Facts| facts.server_time.duration_since(earlier.server_time).is_ok_and(|age| age >= TABLE_SPAN);
        while self.earlier.get(1).is_some_and(|earlier| long_ago(earlier)) {
            self.earlier.pop_front();
        }
        self.earlier.front().map_or_else(Rates::default, |before| Rates::between(before, facts))
    }

    /// The round trip that a person sees: the median of the newest probes while the node is healthy, else the last
    /// one. `None` if it does not answer.
    pub fn ping(&self) -> Option<Duration> {
        let last = self.health.latency.filter(|_| self.health.state.answers())?;
        if self.health.state == HealthState::Healthy { self.history.usual_latency().or(Some(last)) } else { Some(last) }
    }

    /// Until when its health counts as known, if no further report comes: the next one is due by then, also on a busy
    /// machine.
    fn seen_until(&self) -> SystemTime {
        let health = &self.config.health;
        let due = if self.health.state.answers() {
            self.checked_at + health.interval * 2 + health.timeout
        } else {
            self.health.next_retry.unwrap_or(self.checked_at) + self.config.pool.connect_timeout
        };
        due + UNWATCHED
    }

    /// Takes in that time passed.
    fn advance(&mut self, at: SystemTime, refresh: Duration) {
        // A rate enters the history only while its figures are fresh.
        let rate = self.fresh(at, refresh).and(self.rates.transactions);
        self.history.advance(at, self.health.state, self.seen_until());
        self.history.keep_rate(rate);
    }

    /// Nobody watched up to `at`: rates begin again.
    fn skip(&mut self, at: SystemTime) {
        self.history.skip(at);
        self.forget_rates();
    }

    /// Rates begin again: none is taken across a time without figures.
    fn forget_rates(&mut self) {
        self.earlier.clear();
        self.rates = Rates::default();
    }

    /// Takes in a report on its health, true at `at`.
    pub(in crate::fleet) fn set_health(&mut self, at: SystemTime, health: Arc<Health>) {
        self.history.advance(at, self.health.state, self.seen_until());
        self.checked_at = at;
        if !health.state.answers() {
            self.forget_rates();
            // That there are no figures has another reason now.
            self.facts_error = None;
        }
        if health.last_success != self.health.last_success {
            self.history.probe(health.latency);
        }
        self.health = health;
    }
}

/// The number of nodes in each condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Nodes that are healthy.
    pub healthy: usize,
    /// Nodes that answer, but with problems.
    pub degraded: usize,
    /// Nodes that are connected to for the first time, or again after a pause.
    pub connecting: usize,
    /// Nodes that do not answer.
    pub down: usize,
    /// Nodes paused by a key, or about to be removed.
    pub paused: usize,
}

impl Counts {
    /// The number of all nodes.
    pub fn total(self) -> usize {
        self.healthy + self.degraded + self.connecting + self.down + self.paused
    }
}

/// All nodes, in the order of the file; nodes added later come last. A copy shares all of them until one of the two
/// changes.
#[derive(Debug, Clone, Default)]
pub struct Nodes(Arc<IndexMap<NodeName, Node>>);

impl Nodes {
    /// These nodes, of which nothing is known yet.
    pub fn new(configs: Vec<NodeConfig>, now: SystemTime) -> Self {
        Self(Arc::new(configs.into_iter().map(|config| (config.name.clone(), Node::new(config, now))).collect()))
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any node.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The node of this name.
    pub fn get(&self, name: &NodeName) -> Option<&Node> {
        self.0.get(name)
    }

    /// All nodes, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Node> + ExactSizeIterator {
        self.0.values()
    }

    /// Their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &NodeName> {
        self.0.keys()
    }

    /// Its place in the order of the file.
    pub(in crate::fleet) fn place(&self, name: &NodeName) -> Option<usize> {
        self.0.get_index_of(name)
    }

    /// The number of nodes in each condition.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for node in self.iter() {
            match node.health.state {
                HealthState::Healthy => counts.healthy += 1,
                HealthState::Degraded => counts.degraded += 1,
                HealthState::Disconnected => counts.paused += 1,
                HealthState::Connecting => counts.connecting += 1,
                HealthState::Unhealthy | HealthState::Reconnecting => counts.down += 1,
            }
        }
        counts
    }

    /// Transactions per second over all servers with fresh figures; `None` if none has any. A server under several names
    /// counts once.
    pub fn transactions(&self, at: SystemTime, refresh: Duration) -> Option<f64> {
        self.servers()
            .filter(|node| node.fresh(at, refresh).is_some())
            .filter_map(|node| node.rates.transactions)
            .reduce(|sum, rate| sum + rate)
    }

    /// The nodes, to be changed. If another picture shares them, it keeps the old ones.
    fn changing(&mut self) -> &mut IndexMap<NodeName, Node> {
        Arc::make_mut(&mut self.0)
    }

    pub(in crate::fleet) fn get_mut(&mut self, name: &NodeName) -> Option<&mut Node> {
        self.changing().get_mut(name)
    }

    /// Adds a node. One of the same name is replaced in its place, without its history.
    pub(in crate::fleet) fn put(&mut self, config: NodeConfig, now: SystemTime) {
        self.changing().insert(config.name.clone(), Node::new(config, now));
    }

    /// Changes the configuration of a node and keeps its history: to the person watching it is the same server.
    pub(in crate::fleet) fn edit(&mut self, config: NodeConfig, now: SystemTime) {
        match self.get_mut(&config.name) {
            Some(node) => {
                (node.config, node.replaced) = (config, None);
                node.track.clear();
                node.told.forget(now);
            }
            None => self.put(config, now),
        }
    }

    /// The file was read again: no node differs from it any more.
    pub(in crate::fleet) fn saved(&mut self) {
        for node in self.changing().values_mut() {
            node.unsaved = None;
        }
    }

    pub(in crate::fleet) fn remove(&mut self, name: &NodeName) {
        self.changing().shift_remove(name);
    }

    /// Takes in that time passed.
    pub(in crate::fleet) fn advance(&mut self, at: SystemTime, refresh: Duration) {
        for node in self.changing().values_mut() {
            node.advance(at, refresh);
        }
    }

    /// Takes in that nobody watched up to `at`.
    pub(in crate::fleet) fn skip(&mut self, at: SystemTime) {
        for node in self.changing().values_mut() {
            node.skip(at);
        }
    }
}

#[cfg(test)]
mod tests;
