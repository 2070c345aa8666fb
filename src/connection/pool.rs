//! The bb8 pool of one node, with a gate that is open while the node is available.
//!
//! bb8 alone hides why a connect failed, and lets callers queue for a node that is known to be dead. So the pool exists
//! only while the node is available. A checkout fails at once with the reason why it is not, or with the error of the
//! connect that it waits for. One loop per pool (`pool/keep.rs`) touches `min` idle sessions every third of the idle
//! timeout, so that bb8 closes only the surplus as idle, and discards sessions that the server has ended as soon as
//! their sockets close.

mod keep;
pub(super) mod pooled;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bb8::QueueStrategy;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error;
use super::schedule::turns::Turns;
use super::session::endpoint::Endpoint;
use super::wire::sockets::Sockets;
use crate::model::{ErrorKind, NodeConfig, NodeError, PoolStats};
use keep::keep;
use pooled::{Checkout, ErrorsTo, Manager, Pool};

/// How long to wait for sockets that were cut. They close as soon as their tasks are polled.
const AFTER_CUT: Duration = Duration::from_millis(500);

/// The pool of one node. Clones share it.
#[derive(Clone)]
pub struct NodePool {
    shared: Arc<Shared>,
}

struct Shared {
    node: Arc<Endpoint>,
    sockets: Sockets,
    tasks: TaskTracker,
    turns: Arc<Turns>,
    gate: Mutex<Gate>,
    /// Signals every change of `gate`.
    moved: watch::Sender<()>,
    /// The newest reason why no connection could be opened, for the callers that wait for one.
    errors: watch::Sender<Option<NodeError>>,
    /// True once a pooler has refused a transaction of several messages.
    takes_no_blocks: AtomicBool,
    active: Arc<AtomicU32>,
    waiting: AtomicU32,
    gets: AtomicU64,
    waited: AtomicU64,
    timed_out: AtomicU64,
    wait_micros: AtomicU64,
}

/// Whether the pool hands out sessions, and the totals of the earlier pools of this node.
struct Gate {
    state: State,
    past: Closings,
}

enum State {
    /// The first attempt to connect runs: a checkout waits for its outcome.
    New,
    Unavailable(NodeError),
    /// The first checkout builds the pool, as no session is to be open before.
    Available,
    Open {
        pool: Pool,
        retire: CancellationToken,
    },
    Closed,
}

/// How many sessions were closed, by reason.
#[derive(Clone, Copy, Default)]
struct Closings {
    broken: u64,
    idle: u64,
    lifetime: u64,
}

impl Closings {
    fn of(pool: &Pool) -> Self {
        let totals = pool.state().statistics;
        Self {
            broken: totals.connections_closed_broken + totals.connections_closed_invalid,
            idle: totals.connections_closed_idle_timeout,
            lifetime: totals.connections_closed_max_lifetime,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            broken: self.broken + other.broken,
            idle: self.idle + other.idle,
            lifetime: self.lifetime + other.lifetime,
        }
    }
}

impl NodePool {
    /// A pool that opens nothing until [`NodePool::set_available`] is called; checkouts before that wait for it.
    pub fn new(node: Arc<NodeConfig>) -> Self {
        Self::in_turn(Arc::new(Endpoint::alone(node)), Arc::default())
    }

    /// The same, with shared turns: the sessions that it opens in the background wait for a turn among all nodes.
    pub(super) fn in_turn(node: Arc<Endpoint>, turns: Arc<Turns>) -> Self {
        Self {
            shared: Arc::new(Shared {
                node,
                sockets: Sockets::default(),
                tasks: TaskTracker::new(),
                turns,
                gate: Mutex::new(Gate { state: State::New, past: Closings::default() }),
                moved: watch::Sender::default(),
                errors: watch::Sender::default(),
                takes_no_blocks: AtomicBool::new(false),
                active: Arc::default(),
                waiting: AtomicU32::new(0),
                gets: AtomicU64::new(0),
                waited: AtomicU64::new(0),
                timed_out: AtomicU64::new(0),
                wait_micros: AtomicU64::new(0),
            }),
        }
    }

    /// The node that the sessions belong to.
    pub fn node(&self) -> &NodeConfig {
        &self.shared.node
    }

    /// Opens or shuts the gate. With `Err`, every checkout fails at once with this error, and idle sessions are closed.
    /// With `Ok`, the pool opens its `min` sessions in the background, or waits for the first checkout. The totals
    /// continue. Does nothing after [`NodePool::close`]. Must be called within a Tokio runtime.
    pub fn set_available(&self, available: Result<(), NodeError>) {
        let mut gate = self.gate();
        match (&gate.state, available) {
            (State::Closed, _) | (State::Available | State::Open { .. }, Ok(())) => {}
            (_, Ok(())) if self.shared.node.pool.min == 0 => gate.state = State::Available,
            (_, Ok(())) => gate.state = self.build(),
            (_, Err(error)) => {
                self.shared.errors.send_replace(Some(error.clone()));
                gate.leave(State::Unavailable(error));
            }
        }
        self.shared.moved.send_replace(());
    }

    /// Prepares for a first attempt after a pause: a checkout waits for its outcome.
    pub(crate) fn expect(&self) {
        let mut gate = self.gate();
        if matches!(gate.state, State::Unavailable(_)) {
            gate.state = State::New;
        }
    }

    /// The current figures of the pool, and its totals since the start.
    pub fn stats(&self) -> PoolStats {
        let shared = &*self.shared;
        let gate = self.gate();
        let (idle, closings) = match &gate.state {
            State::Open { pool, .. } => (pool.state().idle_connections, gate.past.plus(Closings::of(pool))),
            _ => (0, gate.past),
        };
        drop(gate);
        let open = shared.sockets.count() as u32;
        let opened = shared.sockets.ever();
        PoolStats {
            max: shared.node.pool.max,
            open,
            active: shared.active.load(Ordering::Relaxed),
            idle: idle.min(open),
            waiting: shared.waiting.load(Ordering::Relaxed),
            gets: shared.gets.load(Ordering::Relaxed),
            waited: shared.waited.load(Ordering::Relaxed),
            timed_out: shared.timed_out.load(Ordering::Relaxed),
            wait_time: Duration::from_micros(shared.wait_micros.load(Ordering::Relaxed)),
            opened,
            closed: opened.saturating_sub(u64::from(open)),
            closed_broken: closings.broken,
            closed_idle: closings.idle,
            closed_lifetime: closings.lifetime,
        }
    }

    /// The newest error of opening a session; changes each time one fails.
    pub(crate) fn errors(&self) -> watch::Receiver<Option<NodeError>> {
        self.shared.errors.subscribe()
    }

    /// Closes every session and waits until the servers have closed theirs; cuts what is still open at `deadline`.
    /// Returns how many sessions were open. Cancel running statements first: a session in use is closed when its user
    /// gives it back. Every later checkout fails. Cancel-safe: the pool stays closed, but nothing is cut.
    pub async fn close(&self, deadline: Instant) -> u32 {
        let shared = &*self.shared;
        let open = shared.sockets.count() as u32;
        self.gate().leave(State::Closed);
        shared.moved.send_replace(());
        shared.errors.send_replace(Some(not_connected(&shared.node)));
        shared.tasks.close();
        let gone = async {
            shared.tasks.wait().await;
            shared.sockets.all_closed().await;
        };
        if tokio::time::timeout_at(deadline.into(), gone).await.is_err() {
            shared.sockets.cut_all();
            // A session that is open even then belongs to a caller that never gave it back.
            let _ = tokio::time::timeout(AFTER_CUT, shared.sockets.all_closed()).await;
        }
        open
    }

    /// Checks out a session, at the latest after `within` or the node's `connect_timeout`. Cancel-safe.
    pub(crate) async fn get(&self, within: Duration) -> Result<Checkout, NodeError> {
        let shared = &*self.shared;
        let started = Instant::now();
        shared.gets.fetch_add(1, Ordering::Relaxed);
        let mut errors = shared.errors.subscribe();
        let bound = within.min(shared.node.pool.connect_timeout);
        let opened = tokio::time::timeout(bound, self.opened()).await;
        let pool = opened.unwrap_or_else(|_| Err(error::no_answer(&shared.node, started.elapsed())))?;
        let got = if let Some(got) = pool.get_owned().now_or_never() {
            got.map_err(|_| None)
        } else {
            let _waiting = Counted::new(&shared.waiting);
            shared.waited.fetch_add(1, Ordering::Relaxed);
            let got = tokio::select! {
                biased;
                got = pool.get_owned() => got.map_err(|_| None),
                () = wait_for_error(&mut errors) => Err(errors.borrow().clone()),
                () = tokio::time::sleep(bound.saturating_sub(started.elapsed())) => Err(None),
            };
            shared.wait_micros.fetch_add(started.elapsed().as_micros() as u64, Ordering::Relaxed);
            got
        };
        match got {
            Ok(session) => Ok(Checkout::new(session, &shared.active)),
            Err(Some(error)) => Err(error),
            Err(None) => {
                shared.timed_out.fetch_add(1, Ordering::Relaxed);
                let state = pool.state();
                let full = state.connections >= shared.node.pool.max && state.idle_connections == 0;
                Err(if full {
                    error::busy(&shared.node, started.elapsed(), shared.waiting.load(Ordering::Relaxed))
                } else {
                    error::no_answer(&shared.node, started.elapsed())
                })
            }
        }
    }

    /// Waits until the pool is open, and returns it, or why there is none.
    async fn opened(&self) -> Result<Pool, NodeError> {
        let mut moved = self.shared.moved.subscribe();
        loop {
            if let Some(opened) = self.open_now() {
                return opened;
            }
            // The sender lives as long as `self`.
            let _ = moved.changed().await;
        }
    }

    /// The pool, or why there is none; `None` if that is not known yet.
    fn open_now(&self) -> Option<Result<Pool, NodeError>> {
        let mut gate = self.gate();
        if matches!(gate.state, State::Available) {
            gate.state = self.build();
        }
        match &gate.state {
            State::New | State::Available => None,
            State::Open { pool, .. } => Some(Ok(pool.clone())),
            State::Unavailable(error) => Some(Err(error.clone())),
            State::Closed => Some(Err(not_connected(&self.shared.node))),
        }
    }

    /// The tasks that must continue when their caller is gone, such as telling a server to cancel.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    /// True if a pooler in front of the node takes each statement as a transaction of its own.
    pub(crate) fn takes_no_blocks(&self) -> bool {
        self.shared.takes_no_blocks.load(Ordering::Relaxed)
    }

    pub(crate) fn found_no_blocks(&self) {
        self.shared.takes_no_blocks.store(true, Ordering::Relaxed);
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self) -> State {
        let shared = &*self.shared;
        let limits = &shared.node.pool;
        let retire = CancellationToken::new();
        let manager =
            Manager::new(Arc::clone(&shared.node), shared.sockets.clone(), shared.tasks.clone(), retire.clone());
        let max = limits.max.max(1);
        let idle_timeout = limits.idle_timeout.max(Duration::from_millis(100));
        let pool = Pool::builder()
            .max_size(max)
            .idle_timeout(idle_timeout)
            .reaper_rate((idle_timeout / 3).min(Duration::from_secs(10)))
            .connection_timeout(limits.connect_timeout.max(Duration::from_millis(1)))
            .retry_connection(false)
            .test_on_check_out(false)
            // The session given back last is handed out first, so that the surplus ages and is closed.
            .queue_strategy(QueueStrategy::Lifo)
            .error_sink(Box::new(ErrorsTo { errors: shared.errors.clone(), retired: retire.clone() }))
            .build_unchecked(manager);
        let errors = ErrorsTo { errors: shared.errors.clone(), retired: retire.clone() };
        let turns = Arc::clone(&shared.turns);
        let keeper = keep(pool.clone(), shared.sockets.watch(), errors, turns, limits.min.min(max), idle_timeout / 3);
        let retired = retire.clone();
        shared.tasks.spawn(async move { retired.run_until_cancelled(keeper).await });
        State::Open { pool, retire }
    }
}

impl Gate {
    /// Changes the state. An open pool is dropped, and its idle sessions say goodbye.
    fn leave(&mut self, next: State) {
        if let State::Open { pool, retire } = std::mem::replace(&mut self.state, next) {
            self.past = self.past.plus(Closings::of(&pool));
            retire.cancel();
        }
    }
}

async fn wait_for_error(errors: &mut watch::Receiver<Option<NodeError>>) {
    // The sender lives as long as the pool.
    if errors.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn not_connected(node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::NotConnected, format!("{} is not connected", node.name))
}

impl fmt::Debug for NodePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodePool").field("node", &self.shared.node.name).field("stats", &self.stats()).finish()
    }
}

/// Adds one to a counter while it lives.
struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
