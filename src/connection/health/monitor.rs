//! The health loop of one node: connect, probe once per `health.interval`, confirm what looks like a failure, and retry
//! with backoff. It applies the rules of `health.rs` and reports every step to the actor.
//!
//! Periods: while a connection is open, those of `monitor/watching.rs`; while the node is lost, those of
//! `monitor/reaching.rs`.

mod reaching;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::connects::Connects;
use super::probe::Probe;
use super::retries::Retries;
use super::{Observation, step};
use crate::clock;
use crate::connection::report::{News, Reporter, SignOfLife};
use crate::connection::schedule::address::Address;
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::model::{ErrorKind, Health, ProbeStats, Role};

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
    /// What the node shares with others at its address.
    address: Arc<Address>,
    /// Our own connection. Once the node is lost it is kept only while a probe is out on it.
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
            address: turns.addresses.at(node.way()),
            turns,
            probe: None,
            retries: Retries::new(&node, Instant::now()),
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
        let mut hangs = None;
        loop {
            Box::pin(self.reach(hangs)).await;
            hangs = Box::pin(self.watch()).await;
            self.retries.attempt_is_over();
        }
    }

    async fn connected(&mut self, probe: Probe) {
        self.connects.took(probe.connect_time, self.health.state);
        let role = probe.role;
        self.probe = Some(probe);
        self.report_connected(role).await;
    }

    async fn report_connected(&mut self, role: Option<Role>) {
        self.retries.connected(Instant::now());
        if let Some(Probe { server_version, connect_time, .. }) = &self.probe {
            let (server_version, connect_time) = (server_version.clone(), *connect_time);
            let attempt = self.health.attempt.max(1);
            self.reporter.send(News::Connected { role, server_version, connect_time, attempt }).await;
        }
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
}
