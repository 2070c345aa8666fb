//! The tasks that serve one node: how the actor starts them, and how it dismisses them without leaving a session open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::facts::poller::{Hints, Poller};
use crate::connection::health::monitor::{Monitor, Wakeups};
use crate::connection::pool::NodePool;
use crate::connection::report::{Dismissed, Reporter};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::connection::views::viewer::{Figures, Pace, Viewer};
use crate::model::NodeError;
use crate::model::protocol::TextRequest;

/// How long a cancelled query may take to end, including its cancel request to the server.
const CANCELLING: Duration = Duration::from_millis(1500);

/// How long a server may take to close the socket after our Terminate. A frozen one never does, so we do not wait for
/// it.
const HANGING_UP: Duration = Duration::from_millis(400);

/// The tasks that serve a node during one life.
#[derive(Debug)]
pub(super) struct Crew {
    loops: TaskTracker,
    stop: CancellationToken,
    retry_now: Arc<Notify>,
    check_admission: Arc<Notify>,
    texts: mpsc::Sender<TextRequest>,
    closed: Arc<AtomicU32>,
    /// The queries that run on this node.
    pub(super) queries: TaskTracker,
    /// Cancels these queries.
    pub(super) kill: CancellationToken,
}

impl Crew {
    /// Starts the health loop and the poller (after `delay`), and the viewer. The latter asks for the `texts` of its pace.
    pub(super) fn start(
        config: &Arc<Endpoint>,
        reporter: &Reporter,
        (pace, texts): (Pace, mpsc::Sender<TextRequest>),
        delay: Duration,
        turns: &Arc<Turns>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let crew = Self {
            loops: TaskTracker::new(),
            stop: CancellationToken::new(),
            retry_now: Arc::new(Notify::new()),
            check_admission: Arc::new(Notify::new()),
            texts,
            closed: Arc::default(),
            queries: TaskTracker::new(),
            kill: CancellationToken::new(),
        };
        let (up, is_up) = watch::channel(false);
        let (retry_now, check_admission) = (Arc::clone(&crew.retry_now), Arc::clone(&crew.check_admission));
        let has_room = Arc::new(Notify::new());
        let (answered, signs_of_life) = watch::channel(None);
        let replication_changed = Arc::new(Notify::new());
        let (role, roles) = watch::channel(None);
        let (nobody_waits, waits) = watch::channel(None);
        let hints = Hints {
            check_admission: Arc::clone(&check_admission),
            has_room: Arc::clone(&has_room),
            answered,
            replication_changed: Arc::clone(&replication_changed),
            role,
            nobody_waits,
        };
        let wakeups = Wakeups { retry_now, signs_of_life, check_admission, has_room, up };
        let monitor = Monitor::new(Arc::clone(config), reporter.clone(), wakeups, Arc::clone(turns));
        let (stop, closed) = (crew.stop.clone(), Arc::clone(&crew.closed));
        tasks.spawn(crew.loops.track_future(async move {
            closed.fetch_add(monitor.run(delay, stop).await, Ordering::Relaxed);
        }));
        let refresh = pace.refresh.clone();
        let figures = Figures { role: roles, nobody_waits: waits, replication_changed };
        let viewer = Viewer::new(Arc::clone(config), reporter.clone(), pace, is_up.clone(), figures, Arc::clone(turns));
        let (stop, closed) = (crew.stop.clone(), Arc::clone(&crew.closed));
        tasks.spawn(crew.loops.track_future(async move {
            closed.fetch_add(viewer.run(stop).await, Ordering::Relaxed);
        }));
        let poller = Poller::new(Arc::clone(config), reporter.clone(), refresh, is_up, hints, Arc::clone(turns));
        let (stop, closed) = (crew.stop.clone(), Arc::clone(&crew.closed));
        tasks.spawn(crew.loops.track_future(async move {
            closed.fetch_add(poller.run(delay, stop).await, Ordering::Relaxed);
        }));
        crew
    }

    /// Retries a lost node at once, or probes a living one.
    pub(super) fn retry_now(&self) {
        self.retry_now.notify_one();
    }

    /// Asks for a text as a whole. Returns false if too many are waited for.
    pub(super) fn fetch(&self, request: TextRequest) -> bool {
        self.texts.try_send(request).is_ok()
    }

    /// Call this when a query got no connection. Checks whether the node admits new ones if `error` is the server's own
    /// refusal.
    pub(super) fn check_admission(&self, error: &NodeError) {
        if error.kind.is_server_refusal() {
            self.check_admission.notify_one();
        }
    }

    /// Waits up to `drain` for the queries to end, then cancels them. Returns how many it cancelled.
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

    /// Waits until the loops have ended, but not longer than `deadline`. Returns how many sessions they closed.
    async fn finish_loops(&self, deadline: Instant) -> u32 {
        self.loops.close();
        drop(timeout_at(deadline, self.loops.wait()).await);
        self.closed.load(Ordering::Relaxed)
    }
}

/// Dismisses the crew, if the node has one, and closes the pool, if given: the loops end at once, the queries after
/// `drain`, then the pool's sessions. Everything ends by `deadline`.
pub(super) async fn dismiss(
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
