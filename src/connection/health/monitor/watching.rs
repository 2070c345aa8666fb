//! The part of the health loop that watches an open connection until the node is unhealthy.
//!
//! Periods: a probe once per `health.interval`, which stays out while the node answers the question for its figures as
//! often and in time; fresh connections that confirm a failure or check that a living node admits new ones, as
//! `admission.rs` decides.

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
use crate::connection::health::attempt::{Attempt, Opened, Outcome};
use crate::connection::health::probe::{Seen, until};
use crate::connection::report::News;
use crate::model::{ErrorKind, HealthState, NodeError};

/// Figures usually take a millisecond or two. After this long the node is worth a probe, and if that is not answered in
/// this time either, fresh connections (N3).
const LATE: Duration = Duration::from_millis(100);

/// A fresh connection, and the attempt that goes on if it was not answered in time.
type Opening = BoxFuture<'static, (Result<Opened, NodeError>, Option<Attempt>)>;

/// The state of watching an open connection.
struct Watching {
    next_probe: Instant,
    /// When the figures are due, if they came in time at last.
    figures_due: Option<Instant>,
    /// When a probe that went out because the figures are late counts as late, too.
    doubt_at: Option<Instant>,
    /// True if figures and probe are late: the node is confirmed before the probe's timeout.
    doubted: bool,
    admission: Admission,
    openings: FuturesUnordered<Opening>,
    /// The last fresh connection that was not answered in time.
    hangs: Option<Attempt>,
}

impl Watching {
    /// A question that was `asked` then has been answered: a probe is due an `interval` after it, or as soon as the figures
    /// are late.
    fn answered(&mut self, asked: Instant, interval: Duration) {
        let due = asked + interval;
        self.next_probe = self.figures_due.map_or(due, |figures| due.min(figures + LATE));
    }

    /// Figures and probe are late: fresh connections show whether the node is dead.
    fn doubt(&mut self) {
        self.doubt_at = None;
        self.doubted = true;
        self.admission.probe_missed(Instant::now());
    }

    /// The node has answered: those that were opened in doubt of it are closed.
    fn settle(&mut self) {
        self.doubt_at = None;
        if std::mem::take(&mut self.doubted) {
            self.openings.clear();
        }
    }
}

impl Monitor {
    /// Watches the open connection until the node is unhealthy. What still waits for an answer then may show that the node
    /// is back: our own connection if its probe is out, otherwise the last fresh one, which is returned.
    pub(super) async fn watch(&mut self) -> Option<Attempt> {
        let now = Instant::now();
        self.wakeups.signs_of_life.mark_unchanged();
        let mut watching = Watching {
            // Dialling many nodes at once may have made us late, so the latency of a healthy node may be unknown: then
            // it is probed again at once.
            next_probe: match self.health.latency {
                Some(_) => now + self.node.health.interval,
                None => now,
            },
            figures_due: None,
            doubt_at: None,
            doubted: false,
            admission: Admission::new(now, self.connects.are_doubtful(self.node.health.timeout), fastrand::f64()),
            openings: FuturesUnordered::new(),
            hangs: None,
        };
        while self.health.state != HealthState::Unhealthy {
            if self.health.failures == 0 {
                watching.hangs = None;
            }
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
                Ok(()) = self.wakeups.signs_of_life.changed() => self.figures_came(&mut watching).await,
                Some((opened, hangs)) = watching.openings.next() => {
                    watching.hangs = hangs.or(watching.hangs.take());
                    self.opened(opened, &mut watching).await;
                }
                () = until(confirmation) => self.open_fresh(&mut watching),
                () = sleep_until(watching.next_probe), if situation.own == Own::Idle => self.ask(&mut watching),
                () = until(watching.doubt_at) => watching.doubt(),
                () = self.wakeups.retry_now.notified() => {
                    watching.next_probe = Instant::now();
                    watching.admission.check_now(watching.next_probe);
                }
                () = until(check) => self.open_fresh(&mut watching),
                () = self.wakeups.has_room.notified() => watching.admission.has_room(Instant::now()),
                () = self.wakeups.check_admission.notified() => watching.admission.check_soon(Instant::now()),
            }
        }
        self.retries.lost();
        if self.probe.is_none() {
            return watching.hangs.and_then(Attempt::kept);
        }
        if let Some(error) = self.health.error.clone() {
            self.reporter.send(News::Disconnected(error)).await;
        }
        None
    }

    fn situation(&self, watching: &Watching) -> Situation {
        Situation {
            own: self.own(),
            failures: self.health.failures,
            unhealthy_after: self.node.health.unhealthy_after,
            opening: watching.openings.len(),
            doubted: watching.doubted,
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

    fn ask(&mut self, watching: &mut Watching) {
        self.stats.probes += 1;
        if let Some(probe) = self.probe.as_mut() {
            probe.ask();
        }
        let now = Instant::now();
        if watching.figures_due.take_if(|due| *due + LATE <= now).is_some() {
            let usual = self.health.latency.unwrap_or_default();
            watching.doubt_at = Some(now + LATE.max(usual * 3));
        }
    }

    /// Takes in that the node has answered the question for its figures. In time, that is an answer as good as that of a
    /// probe. An answer that is late only shows that the node lives: how slow the node is, the probe tells that went out.
    async fn figures_came(&mut self, watching: &mut Watching) {
        let Some(sign) = *self.wakeups.signs_of_life.borrow_and_update() else { return };
        watching.settle();
        let policy = &self.node.health;
        let in_time = sign.elapsed <= LATE.min(policy.slow_after);
        watching.figures_due = in_time.then_some(sign.next);
        match self.own() {
            Own::Idle | Own::Asked if in_time => {
                watching.answered(sign.asked, policy.interval + LATE);
                self.stats.probes += 1;
                let refusing = watching.admission.refusal().cloned();
                let latency = Some(sign.latency().unwrap_or(sign.elapsed));
                self.observe(Observation::Answered { latency, refusing }).await;
            }
            Own::Overdue => {
                let error = NodeError::new(ErrorKind::Timeout, "slow: the figures came, but the probe is not answered");
                self.observe(Observation::Late { latency: None, error: self.with_limit(error) }).await;
            }
            Own::Idle | Own::Asked | Own::Gone => {}
        }
    }

    /// Handles what the probe's own connection reports.
    async fn seen(&mut self, seen: Seen, watching: &mut Watching) {
        match seen {
            Seen::Answered { sent, latency } => {
                watching.settle();
                watching.answered(sent, self.node.health.interval);
                let refusing = watching.admission.refusal().cloned();
                self.observe(Observation::Answered { latency, refusing }).await;
            }
            Seen::Late { sent, latency } => {
                watching.openings.clear();
                watching.settle();
                watching.next_probe = sent + self.node.health.interval;
                self.observe(Observation::Late { latency, error: self.late(latency) }).await;
            }
            Seen::TimedOut => {
                watching.doubt_at = None;
                // Those that were opened while the probe was in doubt go on.
                if !watching.doubted {
                    watching.openings.clear();
                    watching.admission.probe_missed(Instant::now());
                }
                self.miss(error::no_answer(&self.node, self.node.health.timeout)).await;
            }
            Seen::Ended(error) => {
                self.probe = None;
                watching.openings.clear();
                watching.settle();
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
        let node = Arc::clone(&self.node);
        let mut attempt = Attempt::at_once(&node, &self.address, within);
        watching.openings.push(Box::pin(async move {
            match attempt.outcome().await {
                Outcome::Done(opened) => (opened, None),
                Outcome::Silent => (Err(attempt.unanswered(&node)), Some(attempt)),
            }
        }));
        watching.admission.opening(Instant::now());
    }

    /// Handles the outcome of opening a fresh connection.
    async fn opened(&mut self, opened: Result<Opened, NodeError>, watching: &mut Watching) {
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
                        self.connects.took(fresh.connect_time, self.health.state);
                        self.probe = Some(fresh);
                        self.observe(Observation::Late { latency: None, error: self.late(None) }).await;
                    }
                    Some(old) => {
                        self.probe = Some(old);
                        self.connects.took(fresh.connect_time, self.health.state);
                        fresh.close().await;
                        self.observe(Observation::Answered { latency: None, refusing: None }).await;
                    }
                }
            }
            Err(error) if self.situation(watching).is_refusal(error.kind) => {
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
        self.with_limit(NodeError::new(ErrorKind::Timeout, text))
    }

    fn with_limit(&self, error: NodeError) -> NodeError {
        error.with_hint(format!("health.timeout is {} ms for this node", self.node.health.timeout.as_millis()))
    }
}
