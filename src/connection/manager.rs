//! The actor: sole owner of the set of nodes and of what is told about them. It is woken by commands, by reports of its
//! tasks, by listeners that have room again, and once a second for pool figures. It awaits nothing else: whatever takes
//! time is a task that reports back.

pub(super) mod batch;
pub(super) mod leave;
pub(super) mod node;
pub(super) mod outbox;
pub(super) mod roster;
pub(super) mod trace;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::report::{LifeId, News, Report};
use super::schedule::turns::Turns;
use super::session::{self, SessionKind};
use super::views::viewer::Looks;
use super::{ManagerConfig, Request};
use crate::model::protocol::{CommandError, DisconnectReason, Tested};
use crate::model::{Command, ErrorKind, Event, EventKind, NodeConfig, NodeError, NodeName};
use batch::Batches;
use leave::Leaving;
use node::Node;
use outbox::Outbox;
use roster::Answer;

/// Reports that may wait for the actor.
const REPORTS: usize = 1024;
/// Pool figures: at most once a [`TICK`], at least each ten seconds: at the last tick before they are over.
const TICK: Duration = Duration::from_secs(1);
const POOL_AT_LEAST: Duration = Duration::from_millis(8_500);
/// Connection tests under way at the same time.
const TESTS: usize = 16;
/// Between the first connects of two nodes, up to a second in all: many nodes are not dialled in one instant.
const STAGGER: Duration = Duration::from_millis(2);

/// Starts the actor. Its task ends by itself: after a shutdown, or when nobody can send a command any more.
pub(super) fn spawn(config: ManagerConfig, requests: mpsc::Receiver<Request>, listener: mpsc::Sender<Event>) {
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

pub(super) struct Actor {
    listeners: Vec<Outbox>,
    seq: u64,
    pub(super) nodes: IndexMap<NodeName, Node>,
    pub(super) batches: Batches,
    pub(super) lives: u64,
    pub(super) turns: Arc<Turns>,
    pub(super) refresh: watch::Sender<Duration>,
    pub(super) looks: watch::Sender<Looks>,
    pub(super) shutdown_timeout: Duration,
    pub(super) leaving: Option<Leaving>,
    /// Lives whose tasks and sessions are being ended, and of which node.
    pub(super) dismissing: HashMap<LifeId, NodeName>,
    /// Ends connection tests.
    pub(super) quit: CancellationToken,
    /// Connection tests under way.
    testing: usize,
    pub(super) tasks: JoinSet<()>,
    pub(super) reports: mpsc::Sender<Report>,
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

    fn request(&mut self, request: Request) {
        match request {
            Request::Command(command, answer) => self.command(command, answer),
            Request::Snapshot(answer) => drop(answer.send(self.nodes.values().map(Node::snapshot).collect())),
            Request::Shutdown(drain, answer) => self.leave(drain, Some(answer)),
        }
    }

    fn command(&mut self, command: Command, answer: Answer) {
        let subject = subject(&command);
        let done = match command {
            Command::Shutdown { drain } => {
                self.leave(drain, None);
                Ok(())
            }
            Command::CancelBatch(batch) => {
                self.cancel(batch);
                Ok(())
            }
            _ if self.leaving.is_some() => Err(CommandError::ShuttingDown),
            Command::AddNode(node) => self.add(*node, Duration::ZERO),
            Command::EditNode(node) => self.edit(*node),
            Command::RemoveNode(name) => match self.remove(&name, answer) {
                // Answered when the node is gone.
                None => return,
                Some(answer) => return self.answer(subject, answer, Err(CommandError::NoSuchNode(name))),
            },
            Command::Pause(name) => self.pause(&name),
            Command::Resume(name) => self.resume(&name),
            Command::Retry(name) => self.node(&name).map(|node| {
                if let Some(crew) = &node.crew {
                    crew.nudge();
                }
            }),
            Command::SetRefresh(every) => {
                self.refresh.send_replace(every);
                Ok(())
            }
            Command::Reload(nodes) => {
                self.reload(nodes);
                Ok(())
            }
            Command::Test { id, node } => {
                self.test(id, node);
                Ok(())
            }
            Command::Run(request) => self.start_batch(request),
            Command::Look(looks) => {
                self.looks.send_modify(|now| now.looks = looks.into());
                Ok(())
            }
            Command::LookNow => {
                self.looks.send_modify(|now| now.asked += 1);
                Ok(())
            }
        };
        self.answer(subject, answer, done);
    }

    fn answer(&mut self, node: Option<NodeName>, answer: Answer, done: Result<(), CommandError>) {
        if let Err(error) = &done {
            self.emit(EventKind::Refused { node, error: error.clone() });
        }
        if let Some(answer) = answer {
            drop(answer.send(done));
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Node(name, life, news) => {
                if self.nodes.get(&name).is_some_and(|node| node.life == life) {
                    self.news(name, news);
                }
            }
            Report::Reading(batch, progress) => {
                if self.batches.contains(batch) {
                    self.progress(batch, progress);
                }
            }
            Report::QueryDone(batch, node, outcome) => self.query_done(batch, node, outcome),
            Report::Dismissed(name, life, dismissed) => self.dismissed(&name, life, dismissed),
            Report::Tested(id, outcome) => {
                self.testing = self.testing.saturating_sub(1);
                self.emit(EventKind::Tested { id, outcome });
            }
        }
    }

    fn news(&mut self, name: NodeName, news: News) {
        let Some(node) = self.nodes.get_mut(&name) else { return };
        let kind = match news {
            News::Connected { role, server_version, connect_time, attempt } => {
                node.connected = true;
                node.role = Some(role);
                node.server_version = Some(server_version.clone());
                node.connect_time = Some(connect_time);
                EventKind::Connected { node: name, role, server_version, connect_time, attempt }
            }
            News::Disconnected(error) => {
                node.connected = false;
                EventKind::Disconnected { node: name, reason: DisconnectReason::Error(error) }
            }
            News::Health(health, probes) => {
                let from = std::mem::replace(&mut node.health, *health.clone()).state;
                node.probes = probes;
                match (health.state.answers(), &health.error) {
                    (true, _) => node.set_gate(Ok(())),
                    (false, Some(error)) => node.set_gate(Err(error.clone())),
                    (false, None) => {}
                }
                if from == health.state {
                    EventKind::Checked { node: name, health }
                } else {
                    EventKind::Health { node: name, from, health }
                }
            }
            News::Facts(facts) => {
                if let Ok(facts) = &facts {
                    node.role = Some(facts.role);
                }
                EventKind::Facts { node: name, facts }
            }
            News::View(view, outcome) => EventKind::View { node: name, view, outcome },
            News::Server(server) => {
                let replaced = server.replaces(node.system_identifier).zip(server.system_identifier);
                node.system_identifier = server.system_identifier.or(node.system_identifier);
                if let Some((was, now)) = replaced {
                    self.emit(EventKind::Replaced { node: name.clone(), was, now });
                }
                EventKind::Server { node: name, server }
            }
        };
        self.emit(kind);
    }

    fn test(&mut self, id: u64, node: Box<NodeConfig>) {
        if self.testing >= TESTS {
            let error = NodeError::new(ErrorKind::Busy, format!("{TESTS} connection tests are running"));
            return self
                .emit(EventKind::Tested { id, outcome: Err(error.with_hint("wait for one of them to finish")) });
        }
        self.testing += 1;
        let reports = self.reports.clone();
        let test = async move {
            let outcome = match session::open(&node, SessionKind::Test).await {
                Ok(session) => {
                    let tested = Tested {
                        server_version: session.server_version.clone(),
                        role: session.role,
                        connect_time: session.connect_time,
                    };
                    session.close(session::GOODBYE).await;
                    Ok(tested)
                }
                Err(error) => Err(error),
            };
            drop(reports.send(Report::Tested(id, outcome)).await);
        };
        let quit = self.quit.clone();
        self.tasks.spawn(async move {
            quit.run_until_cancelled(Box::pin(test)).await;
        });
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let mut told = Vec::new();
        for (name, node) in &mut self.nodes {
            node.heed_pool();
            let pool = node.pool.stats();
            let news = node.told.as_ref().is_none_or(|(old, at)| *old != pool || now - *at >= POOL_AT_LEAST);
            if news {
                node.told = Some((pool, now));
                told.push(EventKind::Pool { node: name.clone(), pool, probes: node.probes });
            }
        }
        for kind in told {
            self.emit(kind);
        }
    }
}

/// The node a command is about, for who reads that it was refused.
fn subject(command: &Command) -> Option<NodeName> {
    match command {
        Command::AddNode(node) | Command::EditNode(node) => Some(node.name.clone()),
        Command::RemoveNode(name) | Command::Pause(name) | Command::Resume(name) | Command::Retry(name) => {
            Some(name.clone())
        }
        _ => None,
    }
}

/// Until some listener has room for what waits for it.
async fn room(listeners: &[Outbox]) {
    let waits = listeners.iter().map(|listener| Box::pin(listener.room()));
    drop(futures_util::future::select_all(waits).await);
}
