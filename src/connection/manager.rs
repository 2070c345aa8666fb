//! The actor: the only owner of the set of nodes and of everything known about them. It wakes for commands, for reports
//! of its tasks, for listeners that have room again, and once a second for pool figures. It awaits nothing else:
//! whatever takes time runs in a task that reports back.
//!
//! This file holds the actor's fields and its loop. What it does when it wakes is in the files of `manager/`, the only
//! ones that see the fields.

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
use std::time::Duration;

use indexmap::IndexMap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handle::{Handle, ManagerConfig, Request};
use super::report::{LifeId, Report};
use super::schedule::turns::Turns;
use super::tunnel::Tunnels;
use super::views::plan::Looks;
use crate::clock;
use crate::model::protocol::ShutdownReport;
use crate::model::{BatchId, Event, EventKind, NodeConfig, NodeName};
use node::NodeRecord;
use outbox::Outbox;

/// How many commands may wait for the actor, which takes each in microseconds.
const COMMANDS: usize = 256;
/// How many events may wait for a listener before its outbox begins to coalesce them.
const EVENTS: usize = 1024;
/// How many reports may wait for the actor.
const REPORTS: usize = 1024;
/// How often the actor reads the figures of the pools.
const TICK: Duration = Duration::from_secs(1);
/// Time between the first connects of two nodes, one second in all at most, so that many nodes are not dialled at the
/// same moment.
const STAGGER: Duration = Duration::from_millis(2);

/// Starts the actor that owns all nodes.
#[derive(Debug)]
pub struct ConnectionManager;

impl ConnectionManager {
    /// Begins to connect to every node at once and returns without waiting for any of them.
    ///
    /// Must be called within a Tokio runtime. The manager ends after [`Shutdown`](crate::model::Command::Shutdown), or
    /// when every [`Handle`] is dropped; its last event is `Stopped`, after which the receiver yields `None`. Dropping
    /// the receiver stops nothing: the manager then drops its events.
    pub fn start(config: ManagerConfig) -> (Handle, mpsc::Receiver<Event>) {
        let (commands, requests) = mpsc::channel(COMMANDS);
        let (listener, events) = mpsc::channel(EVENTS);
        spawn(config, requests, listener);
        (Handle::new(commands), events)
    }
}

/// Starts the actor. Its task ends by itself: after a shutdown, or when no handle is left to send a command.
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
        tunnels: Tunnels::default(),
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
    // The actor owns every other task. Its handles own the actor: it ends when they are dropped.
    TaskTracker::new().spawn(actor.run(config.nodes, requests, inbox));
}

struct Actor {
    listeners: Vec<Outbox>,
    seq: u64,
    nodes: IndexMap<NodeName, NodeRecord>,
    batches: Batches,
    lives: u64,
    turns: Arc<Turns>,
    tunnels: Tunnels,
    refresh: watch::Sender<Duration>,
    looks: watch::Sender<Looks>,
    shutdown_timeout: Duration,
    leaving: Option<Leaving>,
    /// The lives whose tasks and sessions are ending, and the node of each.
    dismissing: HashMap<LifeId, NodeName>,
    /// Cancels the connection tests.
    quit: CancellationToken,
    /// How many connection tests run.
    testing: usize,
    tasks: JoinSet<()>,
    reports: mpsc::Sender<Report>,
}

/// A running batch.
#[derive(Debug)]
struct RunningBatch {
    started: std::time::Instant,
    /// How many nodes have not answered.
    running: u32,
    cancel: CancellationToken,
}

/// All running batches.
#[derive(Debug, Default)]
struct Batches(HashMap<BatchId, RunningBatch>);

impl Batches {
    fn contains(&self, id: BatchId) -> bool {
        self.0.contains_key(&id)
    }

    /// How many queries run, over all batches and nodes.
    fn running(&self) -> u32 {
        self.0.values().map(|batch| batch.running).sum()
    }

    fn cancel_all(&self) {
        for batch in self.0.values() {
            batch.cancel.cancel();
        }
    }

    /// Counts the answer of one node. Returns how long the batch took if this was its last node.
    fn done(&mut self, id: BatchId) -> Option<Duration> {
        let batch = self.0.get_mut(&id)?;
        batch.running = batch.running.saturating_sub(1);
        if batch.running > 0 {
            return None;
        }
        self.0.remove(&id).map(|batch| batch.started.elapsed())
    }
}

/// How often a shutdown that waits for queries reports how many are left.
const DRAINING: Duration = Duration::from_secs(1);

/// What a shutdown waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the user's queries to end, until this time.
    Waiting(Instant),
    Cancelling(Instant),
    Closing,
}

/// A shutdown in progress.
#[derive(Debug)]
struct Leaving {
    began: Instant,
    /// When it ends, even if sessions are still open.
    deadline: Instant,
    stage: Stage,
    reported: Instant,
    report: ShutdownReport,
    answers: Vec<oneshot::Sender<ShutdownReport>>,
}

impl Leaving {
    /// When to check the progress again.
    fn next(&self) -> Instant {
        match self.stage {
            Stage::Waiting(until) => until.min(self.reported + DRAINING),
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

    /// Numbers and dates an event, and sends it to every listener.
    pub(super) fn emit(&mut self, kind: EventKind) {
        trace::event(&kind);
        self.seq += 1;
        let event = Event { seq: self.seq, at: clock::now(), kind };
        if let Some((last, others)) = self.listeners.split_last_mut() {
            for listener in others {
                listener.push(event.clone());
            }
            last.push(event);
        }
    }

    /// Waits until the listeners have taken all their events, but not longer than `deadline`.
    pub(super) async fn hand_over(&mut self, deadline: Instant) {
        while self.listeners.iter().any(|listener| !listener.is_empty()) {
            tokio::select! {
                () = room(&self.listeners) => self.listeners.iter_mut().for_each(Outbox::flush),
                () = sleep_until(deadline) => return,
            }
        }
    }
}

/// Waits until a listener has room for an event in its outbox. Cancel-safe.
async fn room(listeners: &[Outbox]) {
    let waits = listeners.iter().map(|listener| Box::pin(listener.room()));
    drop(futures_util::future::select_all(waits).await);
}
