//! The health loop of one node: connect, probe once per `health.interval`, confirm what looks like a failure, and retry
//! with backoff. It applies the rules of `health.rs` and reports every step to the actor.
//!
//! Periods: while a connection is open, those of `monitor/watching.rs`. While the node is lost, one attempt at a time,
//! as `retries.rs` decides, and between attempts one knock a second if nothing listens or the network drops packets, so
//! that a port that opens is tried at once (`port.rs`).

mod watching;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connects::Connects;
use super::probe::Probe;
use super::retries::Retries;
use super::{Observation, step};
use crate::clock;
use crate::connection::report::{News, Reporter, SignOfLife};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::connection::session::route::knock;
use crate::model::{ErrorKind, Health, HealthState, ProbeStats};

/// Time between two knocks at a closed port.
const KNOCKS: Duration = Duration::from_secs(1);

/// What wakes the health loop from outside, and `up`, by which it wakes others.
#[derive(Debug)]
pub(crate) struct Wakeups {
    /// Retry, or probe, at once.
    pub(crate) retry_now: Arc<Notify>,
    /// The node's newest answer to the question for its figures.
    pub(crate) signs_of_life: watch::Receiver<Option<SignOfLife>>,
    /// The node may not admit new connections: check that soon.
    pub(crate) check_admission: Arc<Notify>,
    /// The node may admit new connections again.
    pub(crate) has_room: Arc<Notify>,
    /// True while the node answers. The poller and the viewer follow it.
    pub(crate) up: watch::Sender<bool>,
}

/// One node's health loop.
pub(crate) struct Monitor {
    node: Arc<Endpoint>,
    health: Arc<Health>,
    stats: ProbeStats,
    reporter: Reporter,
    wakeups: Wakeups,
    turns: Arc<Turns>,
    probe: Option<Probe>,
    retries: Retries,
    /// The newest connect times.
    connects: Connects,
}

impl Monitor {
    pub(crate) fn new(node: Arc<Endpoint>, reporter: Reporter, wakeups: Wakeups, turns: Arc<Turns>) -> Self {
        Self {
            health: Arc::new(Health::new(clock::now())),
            stats: ProbeStats::default(),
            reporter,
            wakeups,
            turns,
            probe: None,
            retries: Retries::new(node.health.interval, Instant::now()),
            connects: Connects::new(),
            node,
        }
    }

    /// Runs until `stop`, then closes the connection. Returns how many it closed.
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

    /// Runs until it is dropped. Begins after `delay`, so that many nodes are not dialled at the same moment.
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
                    let next = self.plan_retry(error.kind);
                    self.observe(Observation::AttemptFailed { error, next }).await;
                }
            }
            self.retries.attempt_is_over();
            self.wait_for_retry().await;
        }
    }

    async fn connected(&mut self, probe: Probe) {
        // A retry may have waited until the node was back, so its connect time is not a usual one.
        if self.health.state != HealthState::Reconnecting {
            self.connects.took(probe.connect_time);
        }
        self.retries.connected(Instant::now());
        let news = News::Connected {
            role: probe.role,
            server_version: probe.server_version.clone(),
            connect_time: probe.connect_time,
            attempt: self.health.attempt.max(1),
        };
        self.probe = Some(probe);
        self.reporter.send(news).await;
    }

    fn plan_retry(&mut self, kind: ErrorKind) -> Duration {
        self.retries.plan(kind, self.health.state.answers(), Instant::now(), fastrand::f64())
    }

    /// Applies the rules to an observation and reports the result.
    async fn observe(&mut self, seen: Observation) {
        if matches!(seen, Observation::Answered { .. } | Observation::Late { .. }) {
            self.retries.answered(Instant::now());
        }
        self.health = Arc::new(step(&self.node.health, &self.health, seen, clock::now()));
        self.stats.latency = self.health.latency;
        let answers = self.health.state.answers();
        self.wakeups.up.send_if_modified(|up| std::mem::replace(up, answers) != answers);
        self.reporter.send(News::Health(Arc::clone(&self.health), self.stats)).await;
    }

    /// Waits until the retry is due, the user asks for it, or the closed port opens.
    async fn wait_for_retry(&mut self) {
        if let Some(error) = &self.health.error {
            self.retries.port.failed(error.kind);
        }
        let through_tunnel = self.node.tunnel.is_some();
        loop {
            let knocked = async {
                sleep(KNOCKS).await;
                knock(&self.node, KNOCKS).await
            };
            tokio::select! {
                () = sleep_until(self.retries.due()) => return,
                () = self.wakeups.retry_now.notified() => {
                    self.node.tunnels().retry_now(&self.node);
                    return;
                }
                () = self.node.tunnels().restarted(&self.node), if through_tunnel => return,
                // The local end of a tunnel takes knocks whatever the server does.
                taken = knocked, if !through_tunnel && self.retries.port.is_worth_a_knock() => if self.retries.port.knocked(taken) {
                    return;
                },
            }
        }
    }
}
