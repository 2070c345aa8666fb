//! The part of the health loop that reaches a node which is not connected.
//!
//! Whatever waits for an answer goes on waiting, so that a node that answers again is back at that moment, however long
//! the backoff is: our own connection with its unanswered probe, and the last attempt, until the next one replaces it. A
//! new attempt is made when `retries.rs` says so, when the user asks, when a closed port opens (`port.rs`), and when
//! another node at the same address is back.
//!
//! Periods: the backoff; an attempt each 400 ms while the server is starting up, for two minutes; a knock each 400 ms
//! while nothing listens or the network drops packets. Of several nodes at one address, only one does what comes each
//! 400 ms.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Monitor;
use crate::connection::error;
use crate::connection::health::Observation;
use crate::connection::health::attempt::{Attempt, Outcome};
use crate::connection::health::probe::Seen;
use crate::connection::health::retries::QUICK;
use crate::connection::schedule::address::Place;
use crate::connection::session::route::knock;
use crate::model::NodeError;

/// Time between two knocks at a port that is open, each of which costs the server a process.
const KNOCKS_IF_OPEN: Duration = Duration::from_secs(1);
/// How long a knock may take. The next one does not wait for it: a packet that was dropped is sent again after a second.
const KNOCK_TAKES: Duration = Duration::from_secs(1);

/// The state of reaching a node.
struct Reaching {
    attempt: Option<Attempt>,
    /// Since when an attempt has been open without an answer, if the present one replaced another.
    hangs_since: Option<Instant>,
    /// Held while this node looks for all nodes at its address whether the server is back.
    scout: Option<Place>,
    knocks: FuturesUnordered<BoxFuture<'static, bool>>,
    next_knock: Instant,
    /// What the scout of the address learns.
    knocked: watch::Receiver<bool>,
    /// Other nodes at the address that are back.
    returns: watch::Receiver<()>,
}

impl Reaching {
    /// True if a new attempt may be made: none is under way, or only one that was given its time.
    fn is_free(&self) -> bool {
        self.attempt.as_ref().is_none_or(Attempt::is_silent)
    }

    /// True if an attempt is under way to which a knock of now has nothing to add: it waits for its turn, or has just
    /// begun.
    fn is_fresh(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.begun().is_none_or(|begun| begun.elapsed() < QUICK))
    }
}

impl Monitor {
    /// Tries until the node answers. `hangs` is an attempt that has not been answered so far. Cancel-safe: dropping it
    /// closes what waits for an answer, apart from our own connection.
    pub(super) async fn reach(&mut self, hangs: Option<Attempt>) {
        let mut reaching = Reaching {
            attempt: hangs,
            hangs_since: None,
            scout: None,
            knocks: FuturesUnordered::new(),
            next_knock: Instant::now() + QUICK,
            knocked: self.address.knocks(),
            returns: self.address.returns(),
        };
        if let Some(error) = &self.health.error {
            self.retries.failed(error.kind, Instant::now());
        }
        let through_tunnel = self.node.tunnel.is_some();
        let mut was_away = false;
        loop {
            was_away |= self.retries.is_away();
            self.choose_scout(&mut reaching);
            let is_scout = reaching.scout.is_some();
            // The local end of a tunnel takes knocks whatever the server does.
            let knocks = is_scout && !through_tunnel && self.retries.port.is_worth_a_knock();
            let is_free = reaching.is_free();
            let seen = async {
                match self.probe.as_mut() {
                    Some(probe) => probe.seen().await,
                    None => std::future::pending().await,
                }
            };
            let outcome = async {
                match reaching.attempt.as_mut() {
                    Some(attempt) => attempt.outcome().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                seen = seen => if self.heard(seen).await {
                    break;
                },
                outcome = outcome => if self.tried(outcome, &mut reaching).await {
                    break;
                },
                () = self.wakeups.retry_now.notified() => {
                    self.node.tunnels().retry_now(&self.node);
                    self.begin(&mut reaching).await;
                }
                () = self.node.tunnels().restarted(&self.node), if through_tunnel && is_free => self.begin(&mut reaching).await,
                Ok(()) = reaching.knocked.changed() => {
                    let taken = *reaching.knocked.borrow_and_update();
                    let opened = self.retries.port.is_worth_a_knock() && self.retries.port.knocked(taken);
                    if opened && !reaching.is_fresh() {
                        self.begin(&mut reaching).await;
                    }
                }
                Ok(()) = reaching.returns.changed() => if self.retries.is_away() {
                    // An attempt that hangs may be answered at this moment.
                    let wait = if reaching.attempt.is_some() { QUICK } else { Duration::ZERO };
                    self.retries.at_latest(Instant::now() + wait);
                },
                () = sleep_until(self.retries.due()), if is_free => self.begin(&mut reaching).await,
                Some(taken) = reaching.knocks.next() => {
                    if taken {
                        reaching.next_knock = Instant::now() + KNOCKS_IF_OPEN;
                    }
                    self.address.knocked(taken);
                }
                () = sleep_until(reaching.next_knock), if knocks => {
                    let node = Arc::clone(&self.node);
                    reaching.knocks.push(Box::pin(async move { knock(&node, KNOCK_TAKES).await }));
                    reaching.next_knock = Instant::now() + QUICK;
                }
                place = self.address.scout(), if !is_scout && self.retries.wants_scout() => {
                    reaching.scout = Some(place);
                }
            }
        }
        if was_away {
            self.address.returned();
        }
    }

    /// Takes the scout's place at the address, or leaves it to another node.
    fn choose_scout(&mut self, reaching: &mut Reaching) {
        if !self.retries.wants_scout() {
            reaching.scout = None;
            reaching.knocks.clear();
        } else if reaching.scout.is_none() {
            reaching.scout = self.address.scout_now();
        }
        if reaching.scout.is_some() {
            self.retries.hurry();
        }
    }

    /// Begins a new attempt, in place of one that hangs. One that waits for its turn keeps its place in the queue.
    async fn begin(&mut self, reaching: &mut Reaching) {
        match reaching.attempt.as_mut() {
            Some(attempt) if attempt.begun().is_none() => attempt.renew(),
            old => {
                let hangs = old.and_then(|old| old.begun());
                reaching.hangs_since = reaching.hangs_since.or(hangs);
                let within = self.node.pool.connect_timeout;
                // A knock would show no more than the attempt does, unless that hangs.
                reaching.knocks.clear();
                reaching.next_knock = Instant::now() + QUICK;
                // The old one first, so that its place at the address is free.
                reaching.attempt = None;
                reaching.attempt = Some(Attempt::in_turn(&self.node, &self.turns, &self.address, within));
            }
        }
        self.observe(Observation::Attempt).await;
    }

    /// Handles what the connection with the unanswered probe reports. Returns true if the node is back: an answer may
    /// have been under way for long, so only that to another probe counts.
    async fn heard(&mut self, seen: Seen) -> bool {
        match seen {
            Seen::Late { .. } => {
                if let Some(probe) = self.probe.as_mut() {
                    probe.ask();
                }
                false
            }
            Seen::Answered { latency, .. } => {
                // The role may have changed in the meantime; the figures will tell it.
                self.report_connected(None).await;
                self.observe(Observation::Answered { latency, refusing: None }).await;
                true
            }
            Seen::TimedOut => false,
            Seen::Ended(_) => {
                self.probe = None;
                false
            }
        }
    }

    /// Handles the outcome of an attempt. Returns true if the node is back.
    async fn tried(&mut self, outcome: Outcome, reaching: &mut Reaching) -> bool {
        match outcome {
            Outcome::Done(Ok((fresh, latency))) => {
                self.connected(fresh).await;
                self.observe(Observation::Answered { latency, refusing: None }).await;
                true
            }
            Outcome::Done(Err(error)) => {
                let attempt = reaching.attempt.take();
                let since = reaching.hangs_since.take().or(attempt.as_ref().and_then(Attempt::begun));
                let held = since.map(|since| since.elapsed()).unwrap_or_default();
                let is_counted = attempt.is_some_and(|attempt| attempt.is_silent());
                self.failed(error, is_counted, held, reaching).await;
                false
            }
            Outcome::Silent => {
                let error = reaching.attempt.as_ref().map_or_else(
                    || error::no_answer(&self.node, self.node.pool.connect_timeout),
                    |attempt| attempt.unanswered(&self.node),
                );
                self.failed(error, false, Duration::ZERO, reaching).await;
                false
            }
        }
    }

    /// Handles the failure of an attempt. `held` is how long nothing was answered before. `is_counted`: it was unanswered
    /// for too long, so that the next one is planned already.
    async fn failed(&mut self, error: NodeError, is_counted: bool, held: Duration, reaching: &mut Reaching) {
        let now = Instant::now();
        self.retries.failed(error.kind, now);
        if !is_counted {
            self.plan_retry(error.kind);
            self.retries.attempt_is_over();
        }
        self.retries.released(error.kind, held, now);
        self.choose_scout(reaching);
        let next = self.retries.due().saturating_duration_since(now);
        self.observe(Observation::AttemptFailed { error, next }).await;
    }
}
