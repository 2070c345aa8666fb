//! Asks one node for its figures, once per `refresh`, over a connection of its own that is open while the node answers.
//!
//! It does not share the probe's connection: the server may delay the facts for reasons that do not concern its health
//! (a lock, a statistics file being written, many sessions to count), and a probe queued after them would
//! be missed. A second idle session costs the server less than a false alarm costs a person. A refresh is one prepared
//! statement and no new session; a probe is no statement at all (N11).
//!
//! A failure that the next second will not cure (missing rights, a version that lacks a column) is reported, and the
//! facts are asked for again only once a minute.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_postgres::{Client, Statement};
use tokio_util::sync::CancellationToken;

use super::{configured, sql};
use crate::connection::error;
use crate::connection::error::sqlstate::is_unprepared;
use crate::connection::report::{News, Reporter};
use crate::connection::schedule::backoff;
use crate::connection::schedule::backoff::INCURABLE;
use crate::connection::schedule::phase::{FASTEST, Phase};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::{self, Driver, SessionKind};
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, ServerFacts};

/// How long to wait for the facts before giving up the statement and its connection. The session's own statement
/// timeout is shorter; this is for a server that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Facts usually take a millisecond. After this long, the node is worth a probe (N3).
const LATE: Duration = Duration::from_millis(100);
/// The default of `superuser_reserved_connections`: when only these are left, the server refuses plain roles.
const RESERVED: u32 = 3;

/// What the facts tell the health loop and the viewer.
#[derive(Debug)]
pub(crate) struct Hints {
    /// Asks for an early check whether the node admits new connections.
    pub(crate) check_admission: Arc<Notify>,
    /// Asks for a probe at once: the facts are late, so the node may be dead. Late facts do not count as a miss.
    pub(crate) probe_now: Arc<Notify>,
    /// The node's role: primaries and standbys are asked for different views.
    pub(crate) role: watch::Sender<Option<Role>>,
}

/// The facts loop of one node.
pub(crate) struct Poller {
    node: Arc<NodeConfig>,
    reporter: Reporter,
    refresh: watch::Receiver<Duration>,
    up: watch::Receiver<bool>,
    hints: Hints,
    turns: Arc<Turns>,
    session: Option<FactsSession>,
    /// False once a statement that was prepared was gone: a pooler gives each transaction another session.
    prepares: bool,
    failures: u32,
}

/// The connection, and the statement that is prepared on it.
struct FactsSession {
    client: Client,
    driver: Driver,
    /// `None` behind a pooler that gives each transaction another session, where the statement would not exist.
    statement: Option<Statement>,
    version: (String, u32),
    /// True while the server owes an answer.
    busy: bool,
    /// `config_loaded` of the facts with which `ServerFacts` was last reported.
    config_loaded: Option<SystemTime>,
}

impl Poller {
    pub(crate) fn new(
        node: Arc<NodeConfig>,
        reporter: Reporter,
        refresh: watch::Receiver<Duration>,
        up: watch::Receiver<bool>,
        hints: Hints,
        turns: Arc<Turns>,
    ) -> Self {
        Self { node, reporter, refresh, up, hints, turns, session: None, prepares: true, failures: 0 }
    }

    /// Runs until `stop`, then closes the connection. Returns how many it closed.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live() => {}
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

    async fn live(&mut self) {
        // This ends when the health loop is gone; `stop` follows.
        while self.up.wait_for(|up| *up).await.is_ok() {
            let mut up = self.up.clone();
            tokio::select! {
                _ = up.wait_for(|up| !*up) => {}
                () = Box::pin(self.poll()) => {}
            }
            // When the node goes down, its connection is closed: whatever it still sends is old.
            self.session = None;
        }
    }

    /// Refreshes again and again; runs until it is dropped, when the node goes down.
    async fn poll(&mut self) {
        let mut first = true;
        loop {
            let began = Instant::now();
            let wait = match Box::pin(timeout(PATIENCE, self.refresh())).await {
                Ok(Ok(())) => {
                    self.failures = 0;
                    Duration::ZERO
                }
                Ok(Err(error)) => self.failed(error).await,
                Err(_) => self.failed(error::no_answer(&self.node, PATIENCE)).await,
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
        // The statement may still run on the server: the timeout of its session ends it, while we close the connection.
        if self.session.take().is_none() && error.kind.is_server_refusal() {
            self.hints.check_admission.notify_one();
        }
        self.failures = self.failures.saturating_add(1);
        if self.prepares && error.sqlstate.as_deref().is_some_and(is_unprepared) {
            self.prepares = false;
            return Duration::ZERO;
        }
        let wait = if matches!(error.kind, ErrorKind::Permission | ErrorKind::Sql) {
            INCURABLE
        } else {
            backoff::delay(self.failures - 1, fastrand::f64())
        };
        self.reporter.send(News::Facts(Err(error))).await;
        wait
    }

    /// Asks once, and opens the connection first if there is none.
    async fn refresh(&mut self) -> Result<(), NodeError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.turns.later.wait(Box::pin(open(&self.node, self.prepares))).await?,
        };
        let session = self.session.insert(session);
        session.busy = true;
        let FactsSession { client, driver, statement, .. } = &mut *session;
        let answer = async {
            let row = match statement {
                Some(statement) => client.query_one(&*statement, &[]).await?,
                None => client.query_typed_one(sql::FACTS, &[]).await?,
            };
            sql::read_facts(&row)
        };
        let asked = Instant::now();
        let mut facts = probe_if_late(drive(driver, &self.node, answer), &self.hints.probe_now).await?;
        facts.elapsed = asked.elapsed();
        let config_loaded = facts.config_loaded;
        self.hints.role.send_if_modified(|role| role.replace(facts.role) != Some(facts.role));
        if facts.connections.zip(facts.max_connections).is_some_and(|(used, of)| used + RESERVED >= of) {
            self.hints.check_admission.notify_one();
        }
        self.reporter.send(News::Facts(Ok(Arc::new(facts)))).await;
        if session.config_loaded.is_none() || (config_loaded.is_some() && session.config_loaded != config_loaded) {
            let server = server_facts(session, &self.node).await?;
            session.config_loaded = config_loaded.or(Some(SystemTime::UNIX_EPOCH));
            self.reporter.send(News::Server(Arc::new(server))).await;
        }
        session.busy = false;
        Ok(())
    }
}

async fn open(node: &NodeConfig, prepares: bool) -> Result<FactsSession, NodeError> {
    let session = session::open(node, SessionKind::Poll).await?;
    let (client, mut driver) = (session.client, session.driver);
    let statement = if prepares { Some(drive(&mut driver, node, client.prepare(sql::FACTS)).await?) } else { None };
    let version = (session.server_version, session.version_num);
    Ok(FactsSession { client, driver, statement, version, busy: false, config_loaded: None })
}

async fn server_facts(session: &mut FactsSession, node: &NodeConfig) -> Result<ServerFacts, NodeError> {
    let FactsSession { client, driver, version, .. } = session;
    let answer = async {
        let row = client.query_typed_one(sql::SERVER, &[]).await?;
        let identifier = client.query_typed_one(sql::IDENTIFIER, &[]).await;
        let identifier = identifier.and_then(|row| row.try_get(0)).ok();
        let settings = client.query_typed(sql::SETTINGS, &[]).await?;
        let configured = client.query_typed(configured::CONFIGURED, &[]).await;
        let configured = configured.and_then(|rows| configured::read(&rows)).ok();
        let server = sql::read_server(version.clone(), &row, identifier, &settings)?;
        Ok(ServerFacts { configured, ..server })
    };
    drive(driver, node, answer).await
}

async fn probe_if_late<T>(answer: impl Future<Output = T>, probe_now: &Notify) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = timeout(LATE, &mut answer).await {
        return answer;
    }
    probe_now.notify_one();
    answer.await
}

/// Waits for an answer, and reads it, while moving the connection's bytes.
async fn drive<T>(
    driver: &mut Driver,
    node: &NodeConfig,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, NodeError> {
    let heard = Arc::clone(&driver.heard);
    // Pinned here and passed by reference: by value, the state of the whole round would exist twice.
    let answer = std::pin::pin!(answer);
    match limited(&heard, OUR_ANSWERS, driver.until(answer)).await {
        Some(answer) => answer.map_err(|error| error::classify_with(&error, &heard, node)),
        None => Err(error::given_up(&heard, node)),
    }
}
