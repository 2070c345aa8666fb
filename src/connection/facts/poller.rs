//! Asks one node for its figures, once per `refresh`, over a connection of its own that is open while the node answers.
//!
//! It does not share the probe's connection: the server may delay the facts for reasons that do not concern its health
//! (a lock, a statistics file being written, many sessions to count), and a probe queued after them would
//! be missed. A second idle session costs the server less than a false alarm costs a person. A refresh is one prepared
//! statement and no new session (N11). An answer is also a sign of life: the health loop, which hears of each, does not
//! probe while they come in time.
//!
//! Figures that the server does not give are left out with their reasons, and asked for again after a backoff: a minute
//! where the next second will not cure it (missing rights, a version that lacks a column). So is the whole if the server
//! gives nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::asker::{Answered, FactsSession};
use super::parts::Parts;
use super::sql;
use crate::connection::error::sqlstate::{is_unprepared, refuses_blocks};
use crate::connection::report::{News, Reporter, SignOfLife};
use crate::connection::schedule::address::Address;
use crate::connection::schedule::backoff;
use crate::connection::schedule::backoff::INCURABLE;
use crate::connection::schedule::phase::{FASTEST, Phase};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::model::facts::{Part, Pooling, clock_ahead};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role};

/// How long a session that was opened beside the probe's may wait for the node to be up. It may hold the last connection
/// that the server admits.
const EARLY: Duration = Duration::from_millis(500);
/// The default of `superuser_reserved_connections`: when only these are left, the server refuses plain roles.
const RESERVED: u32 = 3;

/// What the facts tell the health loop and the viewer.
#[derive(Debug)]
pub(crate) struct Hints {
    /// Asks for an early check whether the node admits new connections.
    pub(crate) check_admission: Arc<Notify>,
    /// Says that the node may admit connections again: it admitted one of ours, or sessions ended.
    pub(crate) has_room: Arc<Notify>,
    /// The newest answer.
    pub(crate) answered: watch::Sender<Option<SignOfLife>>,
    /// Asks for the views of slots and subscriptions at once: some of them changed.
    pub(crate) replication_changed: Arc<Notify>,
    /// The node's role: primaries and standbys are asked for different views.
    pub(crate) role: watch::Sender<Option<Role>>,
    /// When the figures were asked for that showed that no session waits for a lock; `None` if one may wait. Only the
    /// change between the two is notified.
    pub(crate) nobody_waits: watch::Sender<Option<Instant>>,
}

impl Hints {
    /// Tells that no session waited for a lock `at` that time; `None`: one may wait.
    fn nobody_waits(&self, at: Option<Instant>) {
        self.nobody_waits.send_if_modified(|known| std::mem::replace(known, at).is_some() != at.is_some());
    }
}

/// The facts loop of one node.
pub(crate) struct Poller {
    node: Arc<Endpoint>,
    reporter: Reporter,
    refresh: watch::Receiver<Duration>,
    up: watch::Receiver<bool>,
    hints: Hints,
    turns: Arc<Turns>,
    address: Arc<Address>,
    session: Option<FactsSession>,
    /// False once a statement that was prepared was gone: a pooler gives each transaction another session.
    prepares: bool,
    /// False once a pooler refused a transaction of several messages; `None` while that is unknown.
    takes_blocks: Option<bool>,
    /// How a pooler hands out the server's processes, as last reported.
    pooling: Option<Pooling>,
    failures: u32,
    facts: Parts,
    server: Parts,
    /// The role in the last facts.
    role: Option<Role>,
    /// `config_loaded` of the facts with which `ServerFacts` was last reported on this connection.
    config_loaded: Option<SystemTime>,
    /// The client connections at the last refresh of this connection.
    connections: Option<u32>,
    /// What the last refresh told of slots and subscriptions.
    marks: Option<[Option<i64>; 3]>,
}

impl Poller {
    pub(crate) fn new(
        node: Arc<Endpoint>,
        reporter: Reporter,
        refresh: watch::Receiver<Duration>,
        up: watch::Receiver<bool>,
        hints: Hints,
        turns: Arc<Turns>,
    ) -> Self {
        Self {
            address: turns.addresses.at(node.way()),
            node,
            reporter,
            refresh,
            up,
            hints,
            turns,
            session: None,
            prepares: true,
            takes_blocks: None,
            pooling: None,
            failures: 0,
            facts: Parts::new(sql::SESSIONS, &sql::FACTS),
            server: Parts::new("", &sql::SERVER),
            role: None,
            config_loaded: None,
            connections: None,
            marks: None,
        }
    }

    /// Runs until `stop`, then closes the connection. Returns how many it closed. Begins after `delay`, as the health loop
    /// does.
    pub(crate) async fn run(mut self, delay: Duration, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live(delay) => {}
        }
        match self.session.take() {
            Some(FactsSession { client, mut driver, busy, .. }) => {
                drop(client);
                if !busy {
                    driver.goodbye().await;
                }
                1
            }
            None => 0,
        }
    }

    async fn live(&mut self, delay: Duration) {
        sleep(delay).await;
        self.open_early().await;
        // This ends when the health loop is gone; `stop` follows.
        while self.up.wait_for(|up| *up).await.is_ok() {
            let mut up = self.up.clone();
            tokio::select! {
                _ = up.wait_for(|up| !*up) => {}
                () = Box::pin(self.poll()) => {}
            }
            // When the node goes down, its connection is closed: whatever it still sends is old. What it did not tell, the
            // one that comes back may tell.
            self.session = None;
            self.hints.nobody_waits(None);
            self.facts.forget();
            self.server.forget();
        }
    }

    /// Opens the first session while the health loop opens its own, if a turn is free: the first figures are there sooner
    /// (N1). Its error is not reported: a node that is up is tried again.
    async fn open_early(&mut self) {
        let Some(turn) = self.turns.later.free_turn() else { return };
        let (node, prepares) = (Arc::clone(&self.node), self.prepares);
        let mut up = self.up.clone();
        let open = async move {
            let session = turn.spend(Box::pin(FactsSession::open(&node, prepares))).await.ok()?;
            timeout(EARLY, up.wait_for(|up| *up)).await.ok()?.ok()?;
            Some(session)
        };
        self.session = Box::pin(open).await;
    }

    /// Refreshes again and again; runs until it is dropped, when the node goes down.
    async fn poll(&mut self) {
        let mut first = true;
        let address = Arc::clone(&self.address);
        loop {
            let turn = if first || self.session.is_none() { Some(address.first_figures.turn().await) } else { None };
            let began = Instant::now();
            let every = (*self.refresh.borrow()).max(FASTEST);
            let next = began + if first { Phase::of(self.reporter.life).to_refresh(every) } else { every };
            let refresh = Box::pin(self.refresh(next));
            let refreshed = match turn {
                Some(turn) => turn.spend(refresh).await,
                None => refresh.await,
            };
            let wait = match refreshed {
                Ok(None) => {
                    self.failures = 0;
                    Duration::ZERO
                }
                Ok(Some(_)) => {
                    self.failures = self.failures.saturating_add(1);
                    backoff::delay(self.failures - 1, fastrand::f64())
                }
                Err(error) => self.failed(error).await,
            };
            self.rest(began, wait, std::mem::take(&mut first)).await;
        }
    }

    /// Waits until the next refresh is due, but at least `wait`; after the `first` one until the node's own place in
    /// the interval. A changed refresh interval applies at once.
    async fn rest(&mut self, began: Instant, wait: Duration, first: bool) {
        let earliest = Instant::now() + wait;
        let phase = Phase::of(self.reporter.life);
        loop {
            let every = (*self.refresh.borrow_and_update()).max(FASTEST);
            let due = earliest.max(began + if first { phase.to_refresh(every) } else { every });
            let ended = async {
                match self.session.as_mut() {
                    Some(session) => while let Some(Ok(_)) = session.driver.next().await {},
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = ended => self.session = None,
                () = sleep_until(due) => return,
                changed = self.refresh.changed() => if changed.is_err() {
                    sleep(INCURABLE).await;
                },
            }
        }
    }

    async fn failed(&mut self, error: NodeError) -> Duration {
        self.hints.nobody_waits(None);
        // The statement may still run on the server: the timeout of its session ends it, while we close the connection.
        if self.session.take().is_none() && error.kind.is_server_refusal() {
            self.hints.check_admission.notify_one();
        }
        self.failures = self.failures.saturating_add(1);
        if self.prepares && error.sqlstate.as_deref().is_some_and(is_unprepared) {
            self.prepares = false;
            return Duration::ZERO;
        }
        if refuses_blocks(&error.message) {
            self.takes_blocks = Some(false);
            return Duration::ZERO;
        }
        let wait = backoff::after(&error, self.failures - 1, fastrand::f64());
        self.reporter.send(News::Facts(Err(error))).await;
        wait
    }

    /// Asks once, and opens the connection first if there is none; `next` is when it will ask again. Returns the error of
    /// the whole statement if all of its parts were answered alone.
    async fn refresh(&mut self, next: Instant) -> Result<Option<NodeError>, NodeError> {
        let session = if let Some(session) = self.session.take() {
            session
        } else {
            (self.config_loaded, self.connections) = (None, None);
            let opened = self.turns.later.wait(Box::pin(FactsSession::open(&self.node, self.prepares))).await?;
            self.hints.has_room.notify_one();
            opened
        };
        let session = self.session.insert(session);
        session.busy = true;
        let (asked, shown) = (Instant::now(), SystemTime::now());
        let Answered { answer, whole } = session.ask(&self.node, &mut self.facts, true).await?;
        let elapsed = asked.elapsed();
        self.hints.answered.send_replace(Some(SignOfLife { asked, elapsed, worked: answer.worked(), next }));
        let Some(role) = answer.role() else {
            let why = self.facts.error(Part::Role).cloned();
            self.facts.forget();
            return Err(why.or(whole).unwrap_or_else(|| untold(&self.node)));
        };
        let mut facts = sql::read_facts(&answer, role, self.facts.missing(Some(role)));
        facts.elapsed = elapsed;
        facts.clock_ahead = clock_ahead(facts.server_time, (shown, SystemTime::now()));
        let config_loaded = facts.config_loaded;
        self.hints.role.send_if_modified(|known| known.replace(role) != Some(role));
        self.hints.nobody_waits((facts.waiting_for_lock == Some(0)).then_some(asked));
        if facts.connections.zip(facts.max_connections).is_some_and(|(used, of)| used + RESERVED >= of) {
            self.hints.check_admission.notify_one();
        }
        if facts.connections < self.connections {
            self.hints.has_room.notify_one();
        }
        self.connections = facts.connections;
        self.reporter.send(News::Facts(Ok(Arc::new(facts)))).await;
        if self.role.replace(role).is_some_and(|before| before != role) {
            // Other functions work in the other role.
            self.facts.forget();
        }
        session.retry(&self.node, &mut self.facts).await?;
        let mut pooling = session.pooling(&self.node).await;
        if pooling == Some(Pooling::Transaction) {
            if self.takes_blocks.is_none() {
                session.open_block(&self.node).await?;
                self.takes_blocks = Some(true);
            } else if self.takes_blocks == Some(false) {
                pooling = Some(Pooling::Statement);
            }
        }
        let known = std::mem::replace(&mut self.pooling, pooling) == pooling;
        let reloaded =
            !known || self.config_loaded.is_none() || (config_loaded.is_some() && self.config_loaded != config_loaded);
        if reloaded || session.retry(&self.node, &mut self.server).await? {
            let answer = session.ask(&self.node, &mut self.server, false).await?.answer;
            self.config_loaded = config_loaded.or(self.config_loaded).or(Some(SystemTime::UNIX_EPOCH));
            let mut server = sql::read_server(session.version.clone(), &answer, self.server.missing(Some(role)));
            server.login_warnings.clone_from(&session.warnings);
            server.reached_at = session.dialled.address();
            server.pooling = pooling;
            server.configured = session.configured(&self.node).await?;
            self.reporter.send(News::Server(Arc::new(server))).await;
        }
        session.busy = false;
        // Last, since another server may answer: it has said who it is.
        let marks = sql::read_marks(&answer);
        if self.marks.replace(marks).is_some_and(|before| before != marks) {
            self.hints.replication_changed.notify_one();
        }
        Ok(whole)
    }
}

fn untold(node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::Sql, format!("{} does not tell whether it is a primary or a standby", node.name))
}
