//! A node's own connection for its health, beside the pool, so that a full pool or a slow query in it never makes a
//! living node look dead.
//!
//! We drive the connection ourselves: a FATAL message, the end of the stream and a reset are seen at once, not with the
//! next probe. A probe is one Sync message of the protocol: lighter than `SELECT 1` (no statement, no snapshot, nothing
//! in the server's log or in `pg_stat_statements`), and answered by the same backend loop. Facts have a connection of
//! their own (`facts/poller.rs`): some servers answer them late for reasons of their own, and a statement that waits there
//! must not hold up a probe here.
//!
//! Our own lateness is not the node's: an answer that lies in the socket counts before any timer, a timer that fires
//! late is granted the time it was late, and a latency measured across such a gap is unknown.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Client;

use crate::connection::error;
use crate::connection::session::{self, Driver, SessionKind};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role};

/// A timer that fires later than this was held up by us (a loaded machine, a stopped process).
const STALL: Duration = Duration::from_millis(50);

/// What a probe's connection had to say.
#[derive(Debug)]
pub(super) enum Seen {
    /// Answered before the timeout; the latency is unknown when we were too late to measure it.
    Answered { sent: Instant, latency: Option<Duration> },
    /// Answered after [`Seen::TimedOut`].
    Late { sent: Instant, latency: Option<Duration> },
    /// Not answered in time; the probe stays out.
    TimedOut,
    /// The connection is gone: do not ask it anything more.
    Ended(NodeError),
}

/// The probe's connection and the one probe that may be out on it.
pub(super) struct Probe {
    node: Arc<NodeConfig>,
    client: Arc<Client>,
    driver: Driver,
    out: Option<Out>,
    pub(super) connect_time: Duration,
    pub(super) server_version: String,
    pub(super) role: Role,
}

/// A probe under way.
struct Out {
    answer: BoxFuture<'static, Result<(), tokio_postgres::Error>>,
    sent: Instant,
    /// When it is missed; moves when we ourselves were late.
    deadline: Instant,
    slow_at: Instant,
    slow: Slow,
    /// A timer fired late: the latency cannot be told.
    stalled: bool,
    missed: bool,
}

/// Whether we were there when `slow_at` passed: only then is a long latency the node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    NotYet,
    Seen,
    Overslept,
}

impl Probe {
    /// Opens a connection and probes it once; the whole within `within`. Cancel-safe: dropping it closes what was
    /// opened.
    pub(super) async fn open(node: Arc<NodeConfig>, within: Duration) -> Result<(Self, Option<Duration>), NodeError> {
        let attempt = Box::pin(Self::open_unbounded(Arc::clone(&node)));
        bounded(within, attempt).await.unwrap_or_else(|| Err(error::no_answer(&node, within)))
    }

    async fn open_unbounded(node: Arc<NodeConfig>) -> Result<(Self, Option<Duration>), NodeError> {
        let session = session::open(&node, SessionKind::Probe).await?;
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

    /// Whether a probe waits for its answer.
    pub(super) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// Whether a probe waits for its answer beyond its timeout.
    pub(super) fn is_overdue(&self) -> bool {
        self.out.as_ref().is_some_and(|out| out.missed)
    }

    /// Drives the connection until there is something to say. Cancel-safe; after `Ended` it must not be called again.
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

    /// A timer of the probe fired; whether that makes it a miss.
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

    /// Why it ended: what the server said before it hung up, else what the driver made of it.
    fn ended(&self, error: Option<&tokio_postgres::Error>) -> Seen {
        let told = self.driver.reason(&self.node);
        Seen::Ended(told.or_else(|| Some(self.driver.explain(error?, &self.node))).unwrap_or_else(|| {
            NodeError::new(ErrorKind::ConnectionLost, format!("{} closed the connection", self.node.address()))
        }))
    }

    /// Says goodbye and closes the socket. A server that owes us an answer is not waited for.
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

/// Sleeps until `due`; for ever if there is none.
pub(super) async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits for `work`, but no longer than `within` of time in which we ourselves could run.
async fn bounded<T>(within: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut deadline = Instant::now() + within;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = sleep_until(deadline) => {
                let late = deadline.elapsed();
                if late <= STALL {
                    return None;
                }
                deadline = Instant::now() + late.min(within);
            }
        }
    }
}
