//! The actor: sole owner of the set of nodes and of what is told about them. It is woken by commands, by reports of its
//! tasks, by listeners that have room again, and once a second for pool figures. It awaits nothing else: whatever takes
//! time is a task that reports back.
//!
//! Here are its fields and its loop. What it does when it is woken is in the files of `manager/`, which alone see the
//! fields.

mod batch;
mod commands;
mod crew;
mod leave;
mod node;
mod outbox;
mod reports;
mod roster;
mod trace;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle::{Handle, ManagerConfig, Request};
use super::report::{LifeId, Report};
use super::schedule::turns::Turns;
use super::views::plan::Looks;
use crate::model::protocol::ShutdownReport;
use crate::model::{BatchId, Event, EventKind, NodeConfig, NodeName};
use node::NodeRecord;
use outbox::Outbox;

/// Commands that may wait for the actor; it takes each in microseconds.
const COMMANDS: usize = 256;
/// Events that may wait for a listener before its outbox begins to coalesce them.
const EVENTS: usize = 1024;
/// Reports that may wait for the actor.
const REPORTS: usize = 1024;
/// How often the actor reads the figures of the pools.
const TICK: Duration = Duration::from_secs(1);
/// Between the first connects of two nodes, up to a second in all: many nodes are not dialled in one instant.
const STAGGER: Duration = Duration::from_millis(2);

/// Starts the actor that owns all nodes.
#[derive(Debug)]
pub struct ConnectionManager;

impl ConnectionManager {
    /// Begins to connect to every node at once and returns without waiting for any of them.
    ///
    /// Must be called within a Tokio runtime. The manager ends after [`Shutdown`](crate::model::Command::Shutdown), or when every [`Handle`]
    /// is dropped; its last event is `Stopped`, after which the receiver yields `None`. Dropping the receiver stops
    /// nothing: events are then dropped.
    pub fn start(config: ManagerConfig) -> (Handle, mpsc::Receiver<Event>) {
        let (commands, requests) = mpsc::channel(COMMANDS);
        let (listener, events) = mpsc::channel(EVENTS);
        spawn(config, requests, listener);
        (Handle::new(commands), events)
    }
}

/// Starts the actor. Its task ends by itself: after a shutdown, or when nobody can send a command any more.
fn spawn(config: ManagerConfig, requests: mpsc::Receiver<Request>, listener: mpsc::Sender<Event>) {
    let (reports, inbox) = mpsc::channel(REPORTS);
    let (refresh, _) = watch::channel(config.refresh);
    let actor = Actor {
        listeners: std::iter::once(listener).chain(config.tap).map(Outbox::new).collect(),
        seq: 0,
        nodes: IndexMap::new(),
        batches: Batches::default(),
        lives: 0,
        turns: Arc::default(),
        refresh,
        looks: watch::Sender::default(),
        shutdown_timeout: config.shutdown_timeout,
        leaving: None,
        dismissing: HashMap::new(),
        quit: CancellationToken::new(),
        testing: 0,
        tasks: JoinSet::new(),
        reports,
    };
    // The actor owns every other task; it itself is owned by its handles, whose end ends it.
    TaskTracker::new().spawn(actor.run(config.nodes, requests, inbox));
}

struct Actor {
    listeners: Vec<Outbox>,
    seq: u64,
    nodes: IndexMap<NodeName, NodeRecord>,
    batches: Batches,
    lives: u64,
    turns: Arc<Turns>,
    refresh: watch::Sender<Duration>,
    looks: watch::Sender<Looks>,
    shutdown_timeout: Duration,
    leaving: Option<Leaving>,
    /// Lives whose tasks and sessions are being ended, and of which node.
    dismissing: HashMap<LifeId, NodeName>,
    /// Ends connection tests.
    quit: CancellationToken,
    /// Connection tests under way.
    testing: usize,
    tasks: JoinSet<()>,
    reports: mpsc::Sender<Report>,
}

/// One batch under way.
#[derive(Debug)]
struct RunningBatch {
    started: std::time::Instant,
    /// Nodes that have not answered.
    running: u32,
    cancel: CancellationToken,
}

/// All batches under way.
#[derive(Debug, Default)]
struct Batches(HashMap<BatchId, RunningBatch>);

impl Batches {
    fn contains(&self, id: BatchId) -> bool {
        self.0.contains_key(&id)
    }

    /// Queries in flight: one a node and batch.
    fn running(&self) -> u32 {
        self.0.values().map(|batch| batch.running).sum()
    }

    fn cancel_all(&self) {
        for batch in self.0.values() {
            batch.cancel.cancel();
        }
    }

    /// One node of a batch answered. When it was the last: how long the batch took.
    fn done(&mut self, id: BatchId) -> Option<Duration> {
        let batch = self.0.get_mut(&id)?;
        batch.running = batch.running.saturating_sub(1);
        if batch.running > 0 {
            return None;
        }
        self.0.remove(&id).map(|batch| batch.started.elapsed())
    }
}

/// While leaving waits for queries, how often it says how many are left.
const TELL: Duration = Duration::from_secs(1);

/// What leaving waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the user's queries, until then.
    Waiting(Instant),
    Cancelling(Instant),
    Closing,
}

/// A shutdown under way.
#[derive(Debug)]
struct Leaving {
    began: Instant,
    /// When it ends, whatever is still open.
    deadline: Instant,
    stage: Stage,
    reported: Instant,
    report: ShutdownReport,
    answers: Vec<oneshot::Sender<ShutdownReport>>,
}

impl Leaving {
    /// When to look again.
    fn next(&self) -> Instant {
        match self.stage {
            Stage::Waiting(until) => until.min(self.reported + TELL),
            Stage::Cancelling(until) => until,
            Stage::Closing => self.deadline,
        }
    }
}

impl Actor {
    async fn run(
        mut self,
        nodes: Vec<NodeConfig>,
        mut requests: mpsc::Receiver<Request>,
        mut inbox: mpsc::Receiver<Report>,
    ) {
        for (place, node) in nodes.into_iter().enumerate() {
            let delay = TICK.min(STAGGER * place as u32);
            if let Err(error) = self.add(node, delay) {
                self.emit(EventKind::Refused { node: None, error });
            }
        }
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut handles = true;
        while !self.has_left() {
            let until = self.leaving.as_ref().map_or_else(Instant::now, Leaving::next);
            tokio::select! {
                request = requests.recv(), if handles => if let Some(request) = request {
                    self.request(request);
                } else {
                    handles = false;
                    self.leave(false, None);
                },
                Some(report) = inbox.recv() => self.report(report),
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => if let Err(error) = ended {
                    tracing::error!(%error, "a task of the connection manager failed");
                },
                _ = tick.tick() => self.tick(),
                () = sleep_until(until), if self.leaving.is_some() => self.leave_on(),
                () = room(&self.listeners) => self.listeners.iter_mut().for_each(Outbox::flush),
            }
        }
        self.farewell().await;
    }

    /// Stamps what happened and tells every listener.
    pub(super) fn emit(&mut self, kind: EventKind) {
        trace::event(&kind);
        self.seq += 1;
        let event = Event { seq: self.seq, at: SystemTime::now(), kind };
        if let Some((last, others)) = self.listeners.split_last_mut() {
            for listener in others {
                listener.push(event.clone());
            }
            last.push(event);
        }
    }

    /// Whether listeners have taken all they were told, waited for until `deadline`.
    pub(super) async fn hand_over(&mut self, deadline: Instant) {
        while self.listeners.iter().any(|listener| !listener.is_empty()) {
            tokio::select! {
                () = room(&self.listeners) => self.listeners.iter_mut().for_each(Outbox::flush),
                () = sleep_until(deadline) => return,
            }
        }
    }
}

/// Until some listener has room for what waits for it.
async fn room(listeners: &[Outbox]) {
    let waits = listeners.iter().map(|listener| Box::pin(listener.room()));
    drop(futures_util::future::select_all(waits).await);
}
