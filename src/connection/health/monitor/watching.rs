//! The part of the health loop that watches an open connection until the node is unhealthy.
//!
//! Periods: a probe once per `health.interval`, or at once when the facts are late; fresh connections that confirm a
//! failure or check that a living node admits new ones, as `admission.rs` decides.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::Monitor;
use crate::connection::error;
use crate::connection::health::Observation;
use crate::connection::health::admission::{Admission, Own, Situation};
use crate::connection::health::probe::{Probe, Seen, until};
use crate::connection::report::News;
use crate::connection::schedule::phase::Phase;
use crate::model::{ErrorKind, HealthState, NodeError};

type Opening = BoxFuture<'static, Result<(Probe, Option<Duration>), NodeError>>;

/// The state of watching an open connection.
struct Watching {
    next_probe: Instant,
    /// Pauses before the first probes; later ones are one interval apart.
    pauses: std::array::IntoIter<Duration, 2>,
    admission: Admission,
    openings: FuturesUnordered<Opening>,
}

impl Monitor {
    /// Watches the open connection until the node is unhealthy, then closes everything that was open.
    pub(super) async fn watch(&mut self) {
        let mut pauses = Phase::of(self.reporter.life).to_probes(self.node.health.interval).into_iter();
        let now = Instant::now();
        let mut watching = Watching {
            // Dialling many nodes at once may have made us late, so the latency of a healthy node may be unknown: then
            // it is probed again at once.
            next_probe: match self.health.latency {
                Some(_) => now + pauses.next().unwrap_or_default(),
                None => now,
            },
            pauses,
            admission: Admission::new(now, self.connects.are_doubtful(self.node.health.timeout), fastrand::f64()),
            openings: FuturesUnordered::new(),
        };
        while self.health.state != HealthState::Unhealthy {
            let situation = self.situation(&watching);
            let confirmation = watching.admission.next_confirmation(situation);
            let check = watching.admission.next_check(situation);
            let seen = async {
                match self.probe.as_mut() {
                    Some(probe) => probe.seen().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                seen = seen => self.seen(seen, &mut watching).await,
                Some(opened) = watching.openings.next() => self.opened(opened, &mut watching).await,
                () = until(confirmation) => self.open_fresh(&mut watching),
                () = sleep_until(watching.next_probe), if situation.own == Own::Idle => self.ask(),
                () = self.wakeups.retry_now.notified() => {
                    watching.next_probe = Instant::now();
                    watching.admission.check_now(watching.next_probe);
                }
                () = self.wakeups.probe_now.notified() => {
                    watching.next_probe = watching.next_probe.min(Instant::now());
                }
                () = until(check) => self.open_fresh(&mut watching),
                () = self.wakeups.has_room.notified() => watching.admission.has_room(Instant::now()),
                () = self.wakeups.check_admission.notified() => watching.admission.check_soon(Instant::now()),
            }
        }
        self.retries.lost();
        if self.probe.take().is_some()
            && let Some(error) = self.health.error.clone()
        {
            self.reporter.send(News::Disconnected(error)).await;
        }
    }

    fn situation(&self, watching: &Watching) -> Situation {
        Situation {
            own: self.own(),
            failures: self.health.failures,
            unhealthy_after: self.node.health.unhealthy_after,
            opening: watching.openings.len(),
        }
    }

    fn own(&self) -> Own {
        match &self.probe {
            None => Own::Gone,
            Some(probe) if probe.is_overdue() => Own::Overdue,
            Some(probe) if probe.is_out() => Own::Asked,
            Some(_) => Own::Idle,
        }
    }

    fn ask(&mut self) {
        self.stats.probes += 1;
        if let Some(probe) = self.probe.as_mut() {
            probe.ask();
        }
    }

    /// Handles what the probe's own connection reports.
    async fn seen(&mut self, seen: Seen, watching: &mut Watching) {
        match seen {
            Seen::Answered { sent, latency } => {
                watching.next_probe = sent + watching.pauses.next().unwrap_or(self.node.health.interval);
                let refusing = watching.admission.refusal().cloned();
                self.observe(Observation::Answered { latency, refusing }).await;
            }
            Seen::Late { sent, latency } => {
                watching.openings.clear();
                watching.next_probe = sent + self.node.health.interval;
                self.observe(Observation::Late { latency, error: self.late(latency) }).await;
            }
            Seen::TimedOut => {
                watching.openings.clear();
                watching.admission.probe_missed(Instant::now());
                self.miss(error::no_answer(&self.node, self.node.health.timeout)).await;
            }
            Seen::Ended(error) => {
                self.probe = None;
                watching.openings.clear();
                let now = Instant::now();
                watching.admission.connection_ended(self.retries.connection_ended(now), now);
                self.reporter.send(News::Disconnected(error.clone())).await;
                if self.retries.is_flapping() {
                    let next = self.plan_retry(error.kind);
                    self.observe(Observation::AttemptFailed { error, next }).await;
                } else {
                    self.observe(Observation::Lost(error)).await;
                }
            }
        }
    }

    /// Opens a fresh connection to confirm a failure, or to check whether the node admits new ones.
    fn open_fresh(&mut self, watching: &mut Watching) {
        let within = if self.situation(watching).is_suspect() {
            self.connects.patience(self.node.health.timeout)
        } else {
            self.node.pool.connect_timeout
        };
        watching.openings.push(Box::pin(Probe::open(Arc::clone(&self.node), within)));
        watching.admission.opening(Instant::now());
    }

    /// Handles the outcome of opening a fresh connection.
    async fn opened(&mut self, opened: Result<(Probe, Option<Duration>), NodeError>, watching: &mut Watching) {
        match opened {
            Ok((fresh, latency)) => {
                watching.admission.admitted();
                match self.probe.take() {
                    None => {
                        watching.openings.clear();
                        watching.next_probe = Instant::now() + self.node.health.interval;
                        self.connected(fresh).await;
                        self.observe(Observation::Answered { latency, refusing: None }).await;
                    }
                    Some(old) if old.is_overdue() => {
                        // The node is alive; a firewall or NAT on the way may have dropped the old connection.
                        watching.openings.clear();
                        watching.next_probe = Instant::now() + self.node.health.interval;
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
            Err(error) if self.own().is_refusal(error.kind) => {
                watching.admission.refused(error.clone(), Instant::now());
                self.observe(Observation::Refusing(error)).await;
            }
            Err(error) => self.miss(error).await,
        }
    }

    async fn miss(&mut self, error: NodeError) {
        self.stats.missed += 1;
        let next = self.plan_retry(error.kind);
        self.observe(Observation::Missed { error, next }).await;
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
