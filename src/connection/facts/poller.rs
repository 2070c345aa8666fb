//! The figures of one node, each `refresh`, on a connection of their own that is open while the node answers.
//!
//! Why not on the probe's connection: the facts statement may wait on the server for reasons that say nothing of its
//! life (a lock, a statistics file being written, a backup of many sessions to count), and a probe that stood behind it
//! would be missed. A second idle session costs the server less than one false alarm costs a person. It is one prepared
//! statement a refresh and no new session; the probe beside it is no statement at all (N11).
//!
//! What fails for a reason that the next second will not cure (rights, a version that lacks a column) is asked again
//! once a minute only, and said.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_postgres::{Client, Statement};
use tokio_util::sync::CancellationToken;

use super::sql;
use crate::connection::error;
use crate::connection::error::sqlstate::is_unprepared;
use crate::connection::report::{News, Reporter};
use crate::connection::schedule::backoff;
use crate::connection::schedule::backoff::INCURABLE;
use crate::connection::schedule::phase::{FASTEST, Phase};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::{self, Driver, SessionKind};
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::model::{ErrorKind, Facts, NodeConfig, NodeError, Role, ServerFacts, delta};

/// A facts statement that takes longer is given up, with its connection. The session's own statement timeout is
/// shorter; this bounds a server that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Facts usually take a millisecond: after this it is worth a probe (N3).
const LATE: Duration = Duration::from_millis(100);
/// `superuser_reserved_connections` by default: with no more left, everybody else is refused.
const RESERVED: u32 = 3;

/// What the facts tell the health loop and the viewer.
#[derive(Debug)]
pub(crate) struct Hints {
    /// The node may not admit new connections: check that soon.
    pub(crate) check_admission: Arc<Notify>,
    /// The node may be dead: they are late. Nothing but a reason to probe at once: late facts are no miss.
    pub(crate) probe_now: Arc<Notify>,
    /// The node's role, for who asks primaries and standbys different things.
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
    link: Option<Link>,
    /// Whether statements can be prepared: found out by trying.
    prepares: bool,
    failures: u32,
}

/// The connection, and what was prepared on it.
struct Link {
    client: Client,
    driver: Driver,
    /// `None` where a pooler gives each transaction another session, which knows nothing of it.
    statement: Option<Statement>,
    version: (String, u32),
    /// The server owes an answer.
    busy: bool,
    /// As of the `ServerFacts` last reported.
    config_loaded: Option<SystemTime>,
    /// The refresh before.
    before: Option<Arc<Facts>>,
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
        Self { node, reporter, refresh, up, hints, turns, link: None, prepares: true, failures: 0 }
    }

    /// Runs until `stop`, then closes the connection. Says how many it closed.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live() => {}
        }
        match self.link.take() {
            Some(Link { client, mut driver, busy, .. }) => {
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
        // A health loop that is gone will say no more: `stop` is on its way.
        while self.up.wait_for(|up| *up).await.is_ok() {
            let mut up = self.up.clone();
            tokio::select! {
                _ = up.wait_for(|up| !*up) => {}
                () = Box::pin(self.poll()) => {}
            }
            // A node that is down takes its connection with it; what it still sends is old.
            self.link = None;
        }
    }

    /// One refresh after the other, until the node is down.
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

    /// Until the next refresh is due, at least `wait` from now; after the `first` one at the node's own place in the
    /// interval. A refresh that was changed counts at once.
    async fn rest(&mut self, began: Instant, wait: Duration, first: bool) {
        let earliest = Instant::now() + wait;
        let phase = Phase::of(self.reporter.life);
        loop {
            let every = (*self.refresh.borrow_and_update()).max(FASTEST);
            let due = earliest.max(began + if first { phase.to_refresh(every) } else { every });
            let ended = async {
                match self.link.as_mut() {
                    Some(link) => while let Some(Ok(_)) = link.driver.next().await {},
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = ended => self.link = None,
                () = sleep_until(due) => return,
                changed = self.refresh.changed() => if changed.is_err() {
                    sleep(INCURABLE).await;
                },
            }
        }
    }

    async fn failed(&mut self, error: NodeError) -> Duration {
        // The statement may still run there: its session's own timeout ends it, and ours is closed.
        if self.link.take().is_none() && error.kind.is_server_refusal() {
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

    /// Asks once, over a connection that is opened if there is none.
    async fn refresh(&mut self) -> Result<(), NodeError> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.turns.later.wait(Box::pin(open(&self.node, self.prepares))).await?,
        };
        let link = self.link.insert(link);
        link.busy = true;
        let Link { client, driver, statement, .. } = &mut *link;
        let answer = async {
            let row = match statement {
                Some(statement) => client.query_one(&*statement, &[]).await?,
                None => client.query_typed_one(sql::FACTS, &[]).await?,
            };
            sql::read_facts(&row)
        };
        let asked = Instant::now();
        let mut facts = tell_when_late(drive(driver, &self.node, answer), &self.hints.probe_now).await?;
        facts.elapsed = asked.elapsed();
        if let Some(before) = &link.before {
            facts.replay_lag = delta::proven_replay_lag(before, &facts);
        }
        let config_loaded = facts.config_loaded;
        self.hints.role.send_if_modified(|role| role.replace(facts.role) != Some(facts.role));
        if facts.connections.zip(facts.max_connections).is_some_and(|(used, of)| used + RESERVED >= of) {
            self.hints.check_admission.notify_one();
        }
        let facts = Arc::new(facts);
        link.before = Some(Arc::clone(&facts));
        self.reporter.send(News::Facts(Ok(facts))).await;
        if link.config_loaded.is_none() || (config_loaded.is_some() && link.config_loaded != config_loaded) {
            let server = server_facts(link, &self.node).await?;
            link.config_loaded = config_loaded.or(Some(SystemTime::UNIX_EPOCH));
            self.reporter.send(News::Server(Arc::new(server))).await;
        }
        link.busy = false;
        Ok(())
    }
}

async fn open(node: &NodeConfig, prepares: bool) -> Result<Link, NodeError> {
    let session = session::open(node, SessionKind::Poll).await?;
    let (client, mut driver) = (session.client, session.driver);
    let statement = if prepares { Some(drive(&mut driver, node, client.prepare(sql::FACTS)).await?) } else { None };
    let version = (session.server_version, session.version_num);
    Ok(Link { client, driver, statement, version, busy: false, config_loaded: None, before: None })
}

async fn server_facts(link: &mut Link, node: &NodeConfig) -> Result<ServerFacts, NodeError> {
    let Link { client, driver, version, .. } = link;
    let answer = async {
        let row = client.query_typed_one(sql::SERVER, &[]).await?;
        let identifier = client.query_typed_one(sql::IDENTIFIER, &[]).await;
        let identifier = identifier.and_then(|row| row.try_get(0)).ok();
        let settings = client.query_typed(sql::SETTINGS, &[]).await?;
        sql::read_server(version.clone(), &row, identifier, &settings)
    };
    drive(driver, node, answer).await
}

async fn tell_when_late<T>(answer: impl Future<Output = T>, probe_now: &Notify) -> T {
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
    // By reference: the state of a whole round would be there twice.
    let answer = std::pin::pin!(answer);
    match limited(&heard, OUR_ANSWERS, driver.until(answer)).await {
        Some(answer) => answer.map_err(|error| error::classify_with(&error, &heard, node)),
        None => Err(error::given_up(&heard, node)),
    }
}
