//! A node as the actor keeps it, and the tasks that serve it: how they are started, and how they are dismissed so that
//! no session stays (C7, C8).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::roster::Answer;
use crate::connection::facts::poller::{Hints, Poller};
use crate::connection::health::monitor::{Signals, Watch};
use crate::connection::pool::NodePool;
use crate::connection::report::{LifeId, Reporter};
use crate::connection::schedule::turns::Turns;
use crate::connection::views::viewer::{Looks, Viewer};
use crate::model::protocol::{DisconnectReason, NodeSnapshot};
use crate::model::{Health, NodeConfig, NodeError, PoolStats, ProbeStats, Role};

/// How long a query that was told to end may take for it, its cancel request to the server included.
const CANCELLING: Duration = Duration::from_millis(1500);

/// A server that was told goodbye has so long to hang up; a frozen one never does, and nobody waits for that.
const HANGING_UP: Duration = Duration::from_millis(400);

/// One node as it stands.
#[derive(Debug)]
pub(in crate::connection) struct Node {
    pub(in crate::connection) life: LifeId,
    pub(in crate::connection) config: Arc<NodeConfig>,
    pub(in crate::connection) health: Health,
    pub(in crate::connection) role: Option<Role>,
    pub(in crate::connection) server_version: Option<String>,
    /// Of the cluster that answered last: what tells another one at the same address.
    pub(in crate::connection) system_identifier: Option<u64>,
    pub(in crate::connection) connect_time: Option<Duration>,
    pub(in crate::connection) probes: ProbeStats,
    pub(in crate::connection) pool: NodePool,
    /// Why the pool could not open a session.
    pool_errors: watch::Receiver<Option<NodeError>>,
    /// What the pool was last told: whether the node answers, and why not.
    pub(in crate::connection) gate: Option<Result<(), NodeError>>,
    /// The pool figures last told, and when.
    pub(in crate::connection) told: Option<(PoolStats, Instant)>,
    /// A session of ours is open, as far as events have told.
    pub(in crate::connection) connected: bool,
    /// Nobody serves a paused node, nor one that is being removed.
    pub(in crate::connection) crew: Option<Crew>,
    pub(in crate::connection) removal: Option<Removal>,
}

/// A node on its way out.
#[derive(Debug, Default)]
pub(in crate::connection) struct Removal {
    pub(in crate::connection) answer: Answer,
    /// What a file read anew put in its place meanwhile.
    pub(in crate::connection) successor: Option<Box<NodeConfig>>,
    /// What was closed for it so far.
    pub(in crate::connection) dismissed: Dismissed,
}

impl Node {
    pub(in crate::connection) fn new(config: NodeConfig, turns: &Arc<Turns>) -> Self {
        let config = Arc::new(config);
        let pool = NodePool::in_turn(Arc::clone(&config), Arc::clone(turns));
        Self {
            life: LifeId(0),
            pool_errors: pool.errors(),
            pool,
            config,
            health: Health::new(SystemTime::now()),
            role: None,
            server_version: None,
            system_identifier: None,
            connect_time: None,
            probes: ProbeStats::default(),
            gate: None,
            told: None,
            connected: false,
            crew: None,
            removal: None,
        }
    }

    pub(in crate::connection) fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            config: self.config.as_ref().clone(),
            health: self.health.clone(),
            role: self.role,
            server_version: self.server_version.clone(),
            connect_time: self.connect_time,
            pool: self.pool.stats(),
            probes: self.probes,
        }
    }

    /// A node that answers may refuse the sessions of its pool: that is worth a look (C2).
    pub(in crate::connection) fn heed_pool(&mut self) {
        if !self.pool_errors.has_changed().unwrap_or(false) {
            return;
        }
        let error = self.pool_errors.borrow_and_update().clone();
        if let (Some(error), Some(crew)) = (error, &self.crew)
            && self.health.state.answers()
        {
            crew.doubt(&error);
        }
    }

    /// Opens or shuts the pool with the node's health: nobody should queue for a dead node.
    pub(in crate::connection) fn set_gate(&mut self, gate: Result<(), NodeError>) {
        let kind = |gate: &Result<(), NodeError>| gate.as_ref().err().map(|error| error.kind);
        if self.gate.as_ref().map(kind) != Some(kind(&gate)) {
            self.pool.set_available(gate.clone());
            self.gate = Some(gate);
        }
    }
}

/// The tasks that serve one life of a node.
#[derive(Debug)]
pub(in crate::connection) struct Crew {
    loops: TaskTracker,
    stop: CancellationToken,
    nudge: Arc<Notify>,
    doubt: Arc<Notify>,
    closed: Arc<AtomicU32>,
    /// Queries in flight on this node.
    pub(in crate::connection) queries: TaskTracker,
    /// Cancels them.
    pub(in crate::connection) kill: CancellationToken,
}

/// What a crew asks of its node, and how often.
#[derive(Debug)]
pub(in crate::connection) struct Pace {
    pub(in crate::connection) refresh: watch::Receiver<Duration>,
    pub(in crate::connection) looks: watch::Receiver<Looks>,
}

impl Crew {
    /// Starts the health loop, after `delay`, the poller and the viewer.
    pub(in crate::connection) fn start(
        config: &Arc<NodeConfig>,
        reporter: &Reporter,
        pace: Pace,
        delay: Duration,
        turns: &Arc<Turns>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let crew = Self {
            loops: TaskTracker::new(),
            stop: CancellationToken::new(),
            nudge: Arc::new(Notify::new()),
            doubt: Arc::new(Notify::new()),
            closed: Arc::default(),
            queries: TaskTracker::new(),
            kill: CancellationToken::new(),
        };
        let (up, is_up) = watch::channel(false);
        let (nudge, doubt) = (Arc::clone(&crew.nudge), Arc::clone(&crew.doubt));
        let hunch = Arc::new(Notify::new());
        let (role, roles) = watch::channel(None);
        let hints = Hints { doubt: Arc::clone(&doubt), hunch: Arc::clone(&hunch), role };
        let signals = Signals { nudge, hunch, doubt, up };
        let watch = Watch::new(Arc::clone(config), reporter.clone(), signals, Arc::clone(turns));
        let (stop, closed) = (crew.stop.clone(), Arc::clone(&crew.closed));
        tasks.spawn(crew.loops.track_future(async move {
            closed.fetch_add(watch.run(delay, stop).await, Ordering::Relaxed);
        }));
        let refresh = pace.refresh.clone();
        let viewer = Viewer::new(Arc::clone(config), reporter.clone(), pace, is_up.clone(), roles, Arc::clone(turns));
        let (stop, closed) = (crew.stop.clone(), Arc::clone(&crew.closed));
        tasks.spawn(crew.loops.track_future(async move {
            closed.fetch_add(viewer.run(stop).await, Ordering::Relaxed);
        }));
        let poller = Poller::new(Arc::clone(config), reporter.clone(), refresh, is_up, hints, Arc::clone(turns));
        let (stop, closed) = (crew.stop.clone(), Arc::clone(&crew.closed));
        tasks.spawn(crew.loops.track_future(async move {
            closed.fetch_add(poller.run(stop).await, Ordering::Relaxed);
        }));
        crew
    }

    /// Retry, or probe, at once.
    pub(in crate::connection) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// A query got no connection: look whether the node takes new ones.
    pub(in crate::connection) fn doubt(&self, error: &NodeError) {
        if error.kind.is_server_refusal() {
            self.doubt.notify_one();
        }
    }

    /// Ends the queries after `drain`. Says how many had to be cancelled.
    async fn finish_queries(&self, drain: Duration, deadline: Instant) -> u32 {
        self.queries.close();
        if timeout(drain, self.queries.wait()).await.is_ok() {
            return 0;
        }
        let cancelled = self.queries.len() as u32;
        self.kill.cancel();
        let patience = deadline.min(Instant::now() + CANCELLING);
        drop(timeout_at(patience, self.queries.wait()).await);
        cancelled
    }

    /// Waits until the loops have ended. Says how many sessions they closed.
    async fn finish_loops(&self, deadline: Instant) -> u32 {
        self.loops.close();
        drop(timeout_at(deadline, self.loops.wait()).await);
        self.closed.load(Ordering::Relaxed)
    }
}

/// Dismisses the crew, if the node has one, and closes the pool, if given: the loops end at once, the queries after
/// `drain`, and then the pool's sessions. Everything ends by `deadline`.
pub(in crate::connection) async fn dismiss(
    crew: Option<Crew>,
    drain: Duration,
    pool: Option<NodePool>,
    deadline: Instant,
) -> Dismissed {
    if let Some(crew) = &crew {
        crew.stop.cancel();
    }
    let loops = async {
        match &crew {
            Some(crew) => crew.finish_loops(deadline).await,
            None => 0,
        }
    };
    let queries = async {
        let cancelled = match &crew {
            Some(crew) => crew.finish_queries(drain, deadline).await,
            None => 0,
        };
        let closed = match pool {
            Some(pool) => pool.close(deadline.min(Instant::now() + HANGING_UP).into_std()).await,
            None => 0,
        };
        (closed, cancelled)
    };
    let (own, (pooled, cancelled)) = tokio::join!(loops, queries);
    Dismissed { sessions: own + pooled, cancelled }
}

/// What a dismissed crew left.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::connection) struct Dismissed {
    pub(in crate::connection) sessions: u32,
    pub(in crate::connection) cancelled: u32,
}

/// Why our sessions end, and what the pool tells who comes all the same.
pub(in crate::connection) fn left(reason: &DisconnectReason) -> NodeError {
    let text = match reason {
        DisconnectReason::Error(error) => return error.clone(),
        DisconnectReason::Removed => "the node is being removed",
        DisconnectReason::Edited => "the node is being changed",
        DisconnectReason::Paused => "the node is paused",
        DisconnectReason::Shutdown => "pgwatch is shutting down",
    };
    NodeError::new(crate::model::ErrorKind::NotConnected, text)
}
