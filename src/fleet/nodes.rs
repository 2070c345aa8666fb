//! What the screen knows of each node: the last word of the manager, and a little history of it. Figures keep the
//! time at which they were true; [`Node::figures`] says whether they still are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::model::delta::Rates;
use crate::model::{
    Facts, Health, HealthState, NodeConfig, NodeError, NodeName, PoolStats, ProbeStats, Role, ServerFacts, Thresholds,
};

pub use super::history::{History, Sample, Span};

/// What rates are taken over. A server's processes publish their counters once a second at most, out of step with us: over
/// one second a steady load would seem to beat.
const RATE_SPAN: Duration = Duration::from_secs(3);

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
    /// Over the newest refreshes, three seconds at least where there are so many.
    pub rates: Rates,
    /// What rates are taken against: the refreshes before the last one, oldest first.
    earlier: VecDeque<Arc<Facts>>,
    pub server: Option<Arc<ServerFacts>>,
    /// Since when another cluster answers at its address, and which one did before.
    pub replaced: Option<(SystemTime, u64)>,
    pub history: History,
    /// It is on its way out: `RemoveNode` was sent.
    pub removing: bool,
    /// How it differs from the file, until pgwatch ends or reads the file again.
    pub unsaved: Option<Unsaved>,
}

/// What the form did that the configuration file does not know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaved {
    Added,
    Edited,
}

impl Unsaved {
    pub fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Edited => "~",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added for this session",
            Self::Edited => "edited for this session",
        }
    }
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
            earlier: VecDeque::new(),
            server: None,
            replaced: None,
            history: History::new(now),
            removing: false,
            unsaved: None,
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
    pub(in crate::fleet) fn set_facts(&mut self, at: SystemTime, facts: Arc<Facts>) {
        self.rates = self.rates_up_to(&facts);
        self.earlier.push_back(Arc::clone(&facts));
        self.role = Some(facts.role);
        self.history.keep_rate(self.rates.transactions);
        self.facts = Some((at, facts));
        self.facts_error = None;
    }

    fn rates_up_to(&mut self, facts: &Facts) -> Rates {
        // Counters that began anew, and a position that means something else, are no base for what comes after.
        if self.earlier.back().is_some_and(|last| !Rates::comparable(last, facts)) {
            self.earlier.clear();
        }
        let long_ago =
            |earlier: &Facts| facts.server_time.duration_since(earlier.server_time).is_ok_and(|age| age >= RATE_SPAN);
        while self.earlier.get(1).is_some_and(|earlier| long_ago(earlier)) {
            self.earlier.pop_front();
        }
        self.earlier.front().map_or_else(Rates::default, |before| Rates::between(before, facts))
    }

    /// Its round trip, for people: steady while it is well, the last one as soon as it is not.
    pub fn ping(&self) -> Option<Duration> {
        let last = self.health.latency.filter(|_| self.health.state.answers())?;
        if self.health.state == HealthState::Healthy { self.history.usual_latency().or(Some(last)) } else { Some(last) }
    }

    /// A word on its health, true at `at`.
    pub(in crate::fleet) fn set_health(&mut self, at: SystemTime, health: Health) {
        self.history.advance(at, self.health.state);
        if health.last_success != self.health.last_success {
            self.history.probe(health.latency);
        }
        self.health = health;
    }
}

/// How many nodes are in which of the three conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub healthy: usize,
    pub degraded: usize,
    pub down: usize,
    /// Paused by a key, or about to leave.
    pub paused: usize,
}

impl Counts {
    pub fn total(self) -> usize {
        self.healthy + self.degraded + self.down + self.paused
    }
}

/// All nodes, in the order of the file; those that were added come last. A copy shares all of them until one of the
/// two changes.
#[derive(Debug, Clone, Default)]
pub struct Nodes(Arc<IndexMap<NodeName, Node>>);

impl Nodes {
    pub fn new(configs: Vec<NodeConfig>, now: SystemTime) -> Self {
        Self(Arc::new(configs.into_iter().map(|config| (config.name.clone(), Node::new(config, now))).collect()))
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
                HealthState::Disconnected => counts.paused += 1,
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

    /// The nodes, to be changed: a copy of its own where another picture shares them.
    fn changing(&mut self) -> &mut IndexMap<NodeName, Node> {
        Arc::make_mut(&mut self.0)
    }

    pub(in crate::fleet) fn get_mut(&mut self, name: &NodeName) -> Option<&mut Node> {
        self.changing().get_mut(name)
    }

    /// Puts a node in; one of that name begins anew at its place.
    pub(in crate::fleet) fn put(&mut self, config: NodeConfig, now: SystemTime) {
        self.changing().insert(config.name.clone(), Node::new(config, now));
    }

    /// Keeps the history of an edited node: it is the same server to the person who looks.
    pub(in crate::fleet) fn edit(&mut self, config: NodeConfig, now: SystemTime) {
        match self.get_mut(&config.name) {
            Some(node) => (node.config, node.replaced) = (config, None),
            None => self.put(config, now),
        }
    }

    /// The file was read again, and the nodes become what it says.
    pub(in crate::fleet) fn saved(&mut self) {
        for node in self.changing().values_mut() {
            node.unsaved = None;
        }
    }

    pub(in crate::fleet) fn remove(&mut self, name: &NodeName) {
        self.changing().shift_remove(name);
    }

    /// Time passed. A rate counts for the seconds in which it is fresh.
    pub(in crate::fleet) fn advance(&mut self, at: SystemTime, refresh: Duration) {
        for node in self.changing().values_mut() {
            let rate = node.fresh(at, refresh).and(node.rates.transactions);
            node.history.advance(at, node.health.state);
            node.history.keep_rate(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node::new(NodeConfig::new(NodeName::parse("a").unwrap(), "localhost"), SystemTime::UNIX_EPOCH)
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn facts(second: u64, role: Role, commits: u64) -> Arc<Facts> {
        Arc::new(Facts { commits: Some(commits), rollbacks: Some(0), ..Facts::unknown(role, at(second)) })
    }

    #[test]
    fn rates_are_taken_over_three_seconds_and_begin_anew_with_the_counters() {
        let mut node = node();
        let steps = [
            // A server that publishes its counters in beats of its own.
            (0, Role::Standby, 100, None),
            (1, Role::Standby, 103, Some(3.0)),
            (2, Role::Standby, 104, Some(2.0)),
            (3, Role::Standby, 106, Some(2.0)),
            (4, Role::Standby, 109, Some(2.0)),
            (5, Role::Standby, 110, Some(2.0)),
            // A crash: never a negative rate.
            (6, Role::Standby, 2, None),
            (7, Role::Standby, 4, Some(2.0)),
            // A promotion, and a pause.
            (8, Role::Primary, 6, None),
            (18, Role::Primary, 26, Some(2.0)),
        ];
        for (second, role, commits, rate) in steps {
            node.set_facts(at(second), facts(second, role, commits));
            assert_eq!(node.rates.transactions, rate, "at {second} s");
        }
        assert!(node.earlier.len() <= 4, "{}", node.earlier.len());
    }

    #[test]
    fn a_ping_is_steady_while_the_node_is_well() {
        let mut node = node();
        let mut probed = |second: u64, state: HealthState, ms: u64| {
            let latency = Some(Duration::from_millis(ms));
            let health = Health { state, latency, last_success: Some(at(second)), ..Health::new(at(0)) };
            node.set_health(at(second), health);
            node.ping().map(|ping| ping.as_millis())
        };
        let pings = [1, 1, 9, 1, 1].into_iter().zip(1..).map(|(ms, second)| probed(second, HealthState::Healthy, ms));
        assert_eq!(pings.collect::<Vec<_>>(), [Some(1); 5]);
        assert_eq!(probed(6, HealthState::Degraded, 812), Some(812), "trouble is told at once");
        assert_eq!(probed(7, HealthState::Unhealthy, 812), None);
    }
}
