//! A connection of its own for a node's health, separate from the pool, so that a full pool or a slow query in it never
//! makes a living node look dead.
//!
//! We drive the connection ourselves, so a FATAL message, the end of the stream and a reset are noticed at once, not
//! with the next probe. A probe is one Sync message of the protocol: lighter than `SELECT 1` (no statement, no
//! snapshot, nothing in the server's log or in `pg_stat_statements`), and answered by the same backend loop. Facts have
//! a connection of their own (`facts/poller.rs`): some servers answer them late for reasons of their own, and a slow
//! statement there must not delay a probe here. While they come in time, no probe is needed.
//!
//! A delay of ours must not count against the node: an answer that waits in the socket is read before any timer counts,
//! a timer that fires late extends the deadline by its delay, and a latency measured across such a delay is unknown.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Client;

use crate::connection::session::endpoint::Endpoint;
use crate::connection::session::{self, Driver, SessionKind};
use crate::model::{ErrorKind, NodeError, Role};

/// If a timer fires later than this, we were held up (a loaded machine, a stopped process).
pub(super) const STALL: Duration = Duration::from_millis(50);

/// What happened on a probe's connection.
#[derive(Debug)]
pub(super) enum Seen {
    /// The probe was answered before the timeout. The latency is unknown if we were too late to measure it.
    Answered { sent: Instant, latency: Option<Duration> },
    /// The probe was answered after [`Seen::TimedOut`].
    Late { sent: Instant, latency: Option<Duration> },
    /// The probe was not answered in time. It stays out.
    TimedOut,
    /// The connection has ended: do not use it any more.
    Ended(NodeError),
}

/// The probe's connection, and the probe that may be out on it.
pub(super) struct Probe {
    node: Arc<Endpoint>,
    client: Arc<Client>,
    driver: Driver,
    out: Option<Out>,
    pub(super) connect_time: Duration,
    pub(super) server_version: String,
    pub(super) role: Option<Role>,
}

/// A probe that waits for its answer.
struct Out {
    answer: BoxFuture<'static, Result<(), tokio_postgres::Error>>,
    sent: Instant,
    /// When the probe counts as missed; moved back when we ourselves were late.
    deadline: Instant,
    slow_at: Instant,
    slow: Slow,
    /// True if a timer fired late: the latency is unknown.
    stalled: bool,
    missed: bool,
}

/// Whether we were awake when `slow_at` passed: only then is a long latency the node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    NotYet,
    Seen,
    Overslept,
}

impl Probe {
    /// Opens a connection and probes it once, however long that takes. Cancel-safe: dropping it closes the connection.
    /// `logged_in` becomes true when the login is over.
    pub(super) async fn open(
        node: Arc<Endpoint>,
        logged_in: Arc<AtomicBool>,
    ) -> Result<(Self, Option<Duration>), NodeError> {
        let session = session::open_unbounded(&node, SessionKind::Probe, &logged_in).await?;
        let mut probe = Self {
            node,
            client: Arc::new(session.client),
            driver: session.driver,
            out: None,
            connect_time: session.connect_time,
            server_version: session.server_version,
            role: session.role,
        };
        probe.ask();
        loop {
            match probe.seen().await {
                Seen::Answered { latency, .. } | Seen::Late { latency, .. } => return Ok((probe, latency)),
                Seen::TimedOut => {}
                Seen::Ended(error) => return Err(error),
            }
        }
    }

    /// Sends a probe, unless one is out.
    pub(super) fn ask(&mut self) {
        if self.out.is_some() {
            return;
        }
        let client = Arc::clone(&self.client);
        let sent = Instant::now();
        self.out = Some(Out {
            answer: Box::pin(async move { client.check_connection().await }),
            sent,
            deadline: sent + self.node.health.timeout,
            slow_at: sent + self.node.health.slow_after,
            slow: Slow::NotYet,
            stalled: false,
            missed: false,
        });
    }

    /// True if a probe waits for its answer.
    pub(super) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// True if a probe has waited for its answer beyond its timeout.
    pub(super) fn is_overdue(&self) -> bool {
        self.out.as_ref().is_some_and(|out| out.missed)
    }

    /// Drives the connection until something happens. Cancel-safe; must not be called again after `Ended`.
    pub(super) async fn seen(&mut self) -> Seen {
        loop {
            let due = self.out.as_ref().and_then(Out::due);
            let answer = async {
                match self.out.as_mut() {
                    Some(out) => (&mut out.answer).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                message = self.driver.next() => match message {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return self.ended(Some(&error)),
                    None => return self.ended(None),
                },
                answer = answer => return match answer {
                    Ok(()) => self.answered(),
                    Err(error) => self.ended(Some(&error)),
                },
                () = until(due) => if self.overdue() {
                    return Seen::TimedOut;
                },
            }
        }
    }

    fn answered(&mut self) -> Seen {
        let Some(out) = self.out.take() else { return Seen::TimedOut };
        let latency = out.sent.elapsed();
        if out.missed {
            return Seen::Late { sent: out.sent, latency: (!out.stalled).then_some(latency) };
        }
        let ours = latency > self.node.health.slow_after && out.slow != Slow::Seen;
        Seen::Answered { sent: out.sent, latency: (!ours && !out.stalled).then_some(latency) }
    }

    /// Handles a timer of the probe. Returns true if the probe counts as missed now.
    fn overdue(&mut self) -> bool {
        let Some(out) = self.out.as_mut() else { return false };
        let now = Instant::now();
        if out.slow == Slow::NotYet && now >= out.slow_at {
            out.slow = if now - out.slow_at <= STALL { Slow::Seen } else { Slow::Overslept };
        }
        if now < out.deadline {
            return false;
        }
        let late = now - out.deadline;
        if late > STALL {
            out.stalled = true;
            out.deadline = now + late.min(self.node.health.timeout);
            return false;
        }
        out.missed = true;
        true
    }

    /// Why the connection ended: the reason that the server gave, otherwise the driver's error.
    fn ended(&self, error: Option<&tokio_postgres::Error>) -> Seen {
        let reported = self.driver.reason(&self.node);
        Seen::Ended(reported.or_else(|| Some(self.driver.explain(error?, &self.node))).unwrap_or_else(|| {
            NodeError::new(ErrorKind::ConnectionLost, format!("{} closed the connection", self.node.address()))
        }))
    }

    /// Says goodbye and closes the socket. Does not wait for a server that owes us an answer.
    pub(super) async fn close(self) {
        let owes = self.out.is_some();
        let Self { client, mut driver, out, .. } = self;
        drop((client, out));
        if !owes {
            driver.goodbye().await;
        }
    }
}

impl Out {
    fn due(&self) -> Option<Instant> {
        match self.slow {
            _ if self.missed => None,
            Slow::NotYet => Some(self.slow_at.min(self.deadline)),
            Slow::Seen | Slow::Overslept => Some(self.deadline),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("node", &self.node.name).field("out", &self.is_out()).finish_non_exhaustive()
    }
}

/// Sleeps until `due`; forever if it is `None`.
pub(super) async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
