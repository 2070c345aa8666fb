//! The health loop of one node: connect, probe each `health.interval`, confirm what looks like a failure, and retry
//! with backoff. It applies the rules of `health.rs` and reports every step to the actor.
//!
//! Periods: a probe each `health.interval`, or at once when the facts are late; after a miss up to
//! `unhealthy_after - 1` fresh connections, [`SPACING`] apart and side by side; a look whether a living node takes new
//! connections each [`DOOR`], or on a hint; while the node is lost one attempt at a time, by `schedule/backoff.rs`, and in between
//! a knock each second where nothing listens or comes through, so that a port that opens is tried at once (`port.rs`).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Observation;
use super::connects::Connects;
use super::port::Door;
use super::probe::{Probe, Seen, knock};
use crate::connection::health;
use crate::connection::report::{News, Reporter};
use crate::connection::schedule::backoff;
use crate::connection::schedule::phase::Phase;
use crate::connection::schedule::turns::Turns;
use crate::model::{ErrorKind, Health, HealthState, NodeConfig, NodeError, ProbeStats};

/// Between two confirmations.
const SPACING: Duration = Duration::from_millis(100);
/// A connection that ends sooner was hardly open.
const FLAP: Duration = Duration::from_millis(300);
/// Between two knocks at a port that is shut.
const KNOCKS: Duration = Duration::from_secs(1);
/// Between two looks whether a living node takes new connections: rare, since each costs the server a process. What
/// hints that it may not (all its connections in use, a query that got none, the user asking) brings the look forward, but not before
/// [`DOOR_AT_MOST`].
const DOOR: Duration = Duration::from_mins(2);
const DOOR_AT_MOST: Duration = Duration::from_secs(10);
/// So many connections in a row that ended as soon as they were open are no living node: whoever lets in and hangs up is
/// not asked again and again.
const FLAPS: u32 = 5;
/// The first look where the first connect took suspiciously long, up to [`DOOR_AT_MOST`] later so that many nodes are not
/// dialled in one instant again.
const FIRST_DOOR: Duration = Duration::from_secs(2);
/// So many retries of a server that says it is starting up come a second apart: most are up within that time.
const STARTING: u32 = 60;

/// What wakes the health loop from outside; and `up`, by which it wakes others.
#[derive(Debug)]
pub(crate) struct Wakeups {
    /// Retry, or probe, at once.
    pub(crate) retry_now: Arc<Notify>,
    /// The facts are late: probe now, not at the end of the interval.
    pub(crate) probe_now: Arc<Notify>,
    /// The node may not admit new connections: check that soon.
    pub(crate) check_admission: Arc<Notify>,
    /// Whether the node answers: the poller follows it.
    pub(crate) up: watch::Sender<bool>,
}

type Opening = BoxFuture<'static, Result<(Probe, Option<Duration>), NodeError>>;

/// One node's health loop.
pub(crate) struct Monitor {
    node: Arc<NodeConfig>,
    health: Health,
    stats: ProbeStats,
    reporter: Reporter,
    wakeups: Wakeups,
    turns: Arc<Turns>,
    probe: Option<Probe>,
    /// Retries that failed since the node last answered for a while.
    retries: u32,
    starting: u32,
    retry_at: Instant,
    /// The newest connect times.
    connects: Connects,
    connected_at: Instant,
    answered_at: Instant,
    /// Connections in a row that ended before they were asked a second time.
    flaps: u32,
    /// What knocks tell while the node is lost.
    door: Door,
    /// Why fresh connections are refused while ours answers, and how often they were.
    refusing: Option<(NodeError, u32)>,
}

/// What the watching of an open connection waits for next.
struct Plan {
    next_probe: Instant,
    /// Between the first probes; later ones are an interval apart.
    pauses: std::array::IntoIter<Duration, 2>,
    next_opening: Instant,
    /// When to look whether the node takes new connections, and when that was done.
    next_door: Instant,
    last_door: Option<Instant>,
    openings: FuturesUnordered<Opening>,
}

impl Monitor {
    pub(crate) fn new(node: Arc<NodeConfig>, reporter: Reporter, wakeups: Wakeups, turns: Arc<Turns>) -> Self {
        let now = Instant::now();
        Self {
            health: Health::new(SystemTime::now()),
            node,
            stats: ProbeStats::default(),
            reporter,
            wakeups,
            turns,
            probe: None,
            retries: 0,
            starting: 0,
            retry_at: now,
            connects: Connects::new(),
            connected_at: now,
            answered_at: now,
            flaps: 0,
            door: Door::default(),
            refusing: None,
        }
    }

    /// Runs until `stop`, then closes the connection. Says how many it closed.
    pub(crate) async fn run(mut self, delay: Duration, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live(delay) => {}
        }
        match self.probe.take() {
            Some(probe) => {
                probe.close().await;
                1
            }
            None => 0,
        }
    }

    /// For ever; in `delay`, since many nodes should not all be dialled in one instant.
    async fn live(&mut self, delay: Duration) {
        sleep(delay).await;
        loop {
            self.observe(Observation::Attempt).await;
            let attempt = Box::pin(Probe::open(Arc::clone(&self.node), self.node.pool.connect_timeout));
            match self.turns.health.wait(attempt).await {
                Ok((probe, latency)) => {
                    self.connected(probe).await;
                    self.observe(Observation::Answered { latency, refusing: None }).await;
                    Box::pin(self.watch()).await;
                }
                Err(error) => {
                    let next = self.plan_retry(&error);
                    self.observe(Observation::AttemptFailed { error, next }).await;
                }
            }
            self.retries = self.retries.saturating_add(1);
            self.wait_for_retry().await;
        }
    }

    /// Watches the open connection until the node is unhealthy, and then drops all that was open.
    async fn watch(&mut self) {
        let mut pauses = Phase::of(self.reporter.life).to_probes(self.node.health.interval).into_iter();
        let now = Instant::now();
        let mut plan = Plan {
            // Dialling many nodes at once makes us late; a healthy node without a latency is asked again at once.
            next_probe: match self.health.latency {
                Some(_) => now + pauses.next().unwrap_or_default(),
                None => now,
            },
            pauses,
            next_opening: now,
            next_door: now + if self.connects.are_doubtful(self.node.health.timeout) { first_door() } else { DOOR },
            last_door: None,
            openings: FuturesUnordered::new(),
        };
        while self.health.state != HealthState::Unhealthy {
            let idle = self.probe.as_ref().is_some_and(|probe| !probe.is_out());
            let opening = self.wants_opening(plan.openings.len());
            let door = idle && !opening && plan.openings.is_empty() && self.refusing.is_none();
            let seen = async {
                match self.probe.as_mut() {
                    Some(probe) => probe.seen().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                seen = seen => self.seen(seen, &mut plan).await,
                Some(opened) = plan.openings.next() => self.opened(opened, &mut plan).await,
                () = sleep_until(plan.next_opening), if opening => self.confirm(&mut plan),
                () = sleep_until(plan.next_probe), if idle => self.ask(),
                () = self.wakeups.retry_now.notified() => {
                    let now = Instant::now();
                    plan = Plan { next_probe: now, next_opening: now, next_door: now, ..plan };
                }
                () = self.wakeups.probe_now.notified() => plan.next_probe = plan.next_probe.min(Instant::now()),
                () = sleep_until(plan.next_door), if door => self.confirm(&mut plan),
                () = self.wakeups.check_admission.notified() => {
                    let earliest = plan.last_door.map_or_else(Instant::now, |last| last + DOOR_AT_MOST);
                    plan.next_door = plan.next_door.min(earliest);
                }
            }
        }
        if self.answered_at.saturating_duration_since(self.connected_at) >= self.node.health.interval {
            self.retries = 0;
        }
        self.refusing = None;
        if self.probe.take().is_some()
            && let Some(error) = self.health.error.clone()
        {
            self.reporter.send(News::Disconnected(error)).await;
        }
    }

    fn ask(&mut self) {
        self.stats.probes += 1;
        if let Some(probe) = self.probe.as_mut() {
            probe.ask();
        }
    }

    /// The probe's own connection said something.
    async fn seen(&mut self, seen: Seen, plan: &mut Plan) {
        match seen {
            Seen::Answered { sent, latency } => {
                plan.next_probe = sent + plan.pauses.next().unwrap_or(self.node.health.interval);
                let refusing = self.refusing.as_ref().map(|(error, _)| error.clone());
                self.observe(Observation::Answered { latency, refusing }).await;
            }
            Seen::Late { sent, latency } => {
                plan.openings.clear();
                plan.next_probe = sent + self.node.health.interval;
                self.observe(Observation::Late { latency, error: self.late(latency) }).await;
            }
            Seen::TimedOut => {
                plan.openings.clear();
                plan.next_opening = Instant::now();
                self.miss(crate::connection::error::no_answer(&self.node, self.node.health.timeout)).await;
            }
            Seen::Ended(error) => {
                self.probe = None;
                plan.openings.clear();
                self.flaps = if self.connected_at.elapsed() < FLAP { self.flaps + 1 } else { 0 };
                plan.next_opening = Instant::now() + SPACING * self.flaps;
                self.reporter.send(News::Disconnected(error.clone())).await;
                if self.flaps < FLAPS {
                    self.observe(Observation::Lost(error)).await;
                } else {
                    let next = self.plan_retry(&error);
                    self.observe(Observation::AttemptFailed { error, next }).await;
                }
            }
        }
    }

    /// Opens a fresh connection to confirm a failure, or to see whether the node takes new ones again.
    fn confirm(&mut self, plan: &mut Plan) {
        // Only where the node may be dead is there a hurry.
        let within = if self.probe.is_none() || self.health.failures > 0 {
            self.connects.patience(self.node.health.timeout)
        } else {
            self.node.pool.connect_timeout
        };
        plan.openings.push(Box::pin(Probe::open(Arc::clone(&self.node), within)));
        let now = Instant::now();
        plan.last_door = Some(now);
        plan.next_opening = now + SPACING;
        plan.next_door = now + DOOR;
    }

    /// A fresh connection is open, or was refused, or had no answer.
    async fn opened(&mut self, opened: Result<(Probe, Option<Duration>), NodeError>, plan: &mut Plan) {
        match opened {
            Ok((fresh, latency)) => {
                self.refusing = None;
                match self.probe.take() {
                    None => {
                        plan.openings.clear();
                        plan.next_probe = Instant::now() + self.node.health.interval;
                        self.connected(fresh).await;
                        self.observe(Observation::Answered { latency, refusing: None }).await;
                    }
                    Some(old) if old.is_overdue() => {
                        // The node lives; the old connection may be one that something on the way forgot.
                        plan.openings.clear();
                        plan.next_probe = Instant::now() + self.node.health.interval;
                        self.connects.took(fresh.connect_time);
                        self.probe = Some(fresh);
                        self.observe(Observation::Late { latency: None, error: self.late(None) }).await;
                    }
                    Some(old) => {
                        self.probe = Some(old);
                        self.connects.took(fresh.connect_time);
                        fresh.close().await;
                        self.observe(Observation::Answered { latency: None, refusing: None }).await;
                    }
                }
            }
            // Ours answers, or the server itself says no: it lives.
            Err(error)
                if self.probe.as_ref().is_some_and(|probe| !probe.is_overdue() || error.kind.is_server_refusal()) =>
            {
                let times = self.refusing.take().map_or(0, |(_, times)| times);
                plan.next_opening = Instant::now() + backoff::delay(times, 0.0);
                self.refusing = Some((error.clone(), times + 1));
                self.observe(Observation::Refusing(error)).await;
            }
            Err(error) => self.miss(error).await,
        }
    }

    async fn connected(&mut self, probe: Probe) {
        // A retry may have hung until the node was back: that is no usual time.
        if self.health.state != HealthState::Reconnecting {
            self.connects.took(probe.connect_time);
        }
        self.connected_at = Instant::now();
        self.starting = 0;
        let news = News::Connected {
            role: probe.role,
            server_version: probe.server_version.clone(),
            connect_time: probe.connect_time,
            attempt: self.health.attempt.max(1),
        };
        self.probe = Some(probe);
        self.reporter.send(news).await;
    }

    async fn miss(&mut self, error: NodeError) {
        self.stats.missed += 1;
        let next = self.plan_retry(&error);
        self.observe(Observation::Missed { error, next }).await;
    }

    /// Applies the rules, and tells.
    async fn observe(&mut self, seen: Observation) {
        if matches!(seen, Observation::Answered { .. } | Observation::Late { .. }) {
            self.answered_at = Instant::now();
        }
        self.health = health::step(&self.node.health, &self.health, seen, SystemTime::now());
        self.stats.latency = self.health.latency;
        let answers = self.health.state.answers();
        self.wakeups.up.send_if_modified(|up| std::mem::replace(up, answers) != answers);
        self.reporter.send(News::Health(Box::new(self.health.clone()), self.stats)).await;
    }

    /// When the next retry would be, after this error.
    fn plan_retry(&mut self, error: &NodeError) -> Duration {
        let lasted = self.answered_at.saturating_duration_since(self.connected_at) >= self.node.health.interval;
        let retries = if self.health.state.answers() && lasted { 0 } else { self.retries };
        let wait = if error.kind == ErrorKind::StartingUp && self.starting < STARTING {
            self.starting += 1;
            backoff::delay(0, fastrand::f64())
        } else {
            backoff::delay(retries, fastrand::f64())
        };
        self.retry_at = Instant::now() + wait;
        wait
    }

    /// Until the retry is due, or asked for, or the port that was shut opens again.
    async fn wait_for_retry(&mut self) {
        if let Some(error) = &self.health.error {
            self.door.failed(error.kind);
        }
        loop {
            let knocked = async {
                sleep(KNOCKS).await;
                knock(&self.node, KNOCKS).await
            };
            tokio::select! {
                () = sleep_until(self.retry_at) => return,
                () = self.wakeups.retry_now.notified() => return,
                taken = knocked, if self.door.is_worth_a_knock() => if self.door.knocked(taken) {
                    return;
                },
            }
        }
    }

    /// A fresh connection is due as long as those under way cannot bring the misses to the threshold; one at a time
    /// where it is only to see whether a living node takes connections again.
    fn wants_opening(&self, under_way: usize) -> bool {
        if self.probe.is_none() || self.health.failures > 0 {
            return self.health.failures as usize + under_way < self.node.health.unhealthy_after.max(1) as usize;
        }
        self.refusing.is_some() && under_way == 0
    }

    fn late(&self, latency: Option<Duration>) -> NodeError {
        let text = match latency {
            Some(latency) => format!("slow: answered after {} ms", latency.as_millis()),
            None => "slow: only a fresh connection answered".to_owned(),
        };
        let limit = format!("health.timeout is {} ms for this node", self.node.health.timeout.as_millis());
        NodeError::new(ErrorKind::Timeout, text).with_hint(limit)
    }
}

fn first_door() -> Duration {
    FIRST_DOOR + DOOR_AT_MOST.mul_f64(fastrand::f64())
}
