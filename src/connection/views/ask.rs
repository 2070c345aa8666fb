//! Asks one node for one view: over which session, by which statement, and how its rows are read.
//!
//! The statement is prepared once per session (by `PREPARE`, so that the answer is the server's own text) and then
//! executed, so the server parses and plans it once instead of every second. Behind a pooler, where the next
//! transaction may be on another session, it is sent whole, with all that it depends on before it in the same message.
//!
//! What a session remembers may change: its role's settings, the server behind a pooler, what a statement was prepared
//! for. A view that the session has answered before and that fails now, until a person acts, is asked for once more on
//! a new session. Where an extension is, and its version, is looked up each time.

mod fetch;
mod find;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::stand_ins::{Lost, StandIns};
use super::texts::{self, Texts};
use crate::connection::error;
use crate::connection::error::sqlstate::{is_of_encoding, is_unprepared};
use crate::connection::session::dial::{CANCEL, Dialled};
use crate::connection::session::endpoint::Endpoint;
use crate::connection::session::rights;
use crate::connection::session::settings::OWN_STATEMENT;
use crate::connection::session::{self, Driver, SessionKind};
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::connection::wire::ours;
use crate::model::protocol::ViewRows;
use crate::model::view::{CellKind, Lacks, Source, Target, Version, ViewColumn};
use crate::model::{Column, ErrorKind, NodeConfig, NodeError, Role, RowSet, View, quoted};

/// The most rows of a view that are kept per node. No person reads a longer table.
const MAX_ROWS: usize = 50_000;
/// The most bytes of a view that are kept per node.
const MAX_BYTES: usize = 16 << 20;
/// The session's own `statement_timeout` ends a statement. If the server does not even report that, the session is
/// given up this much later.
const GRACE: Duration = Duration::from_millis(500);
/// A view with a text in no known encoding is asked for bytes for this long, and then as usual again.
const AS_BYTES: Duration = Duration::from_mins(1);

/// A session over which views are asked for, one after the other.
pub(super) struct ViewSession {
    client: Client,
    driver: Driver,
    dialled: Dialled,
    version: Version,
    /// The server's role when the session was opened.
    role: Option<Role>,
    /// The views that it has answered.
    answered: HashSet<String>,
    /// `None` if statements cannot be prepared.
    prepared: Option<Prepared>,
    /// What does not work here.
    stand_ins: StandIns,
    /// The `statement_timeout` last set for the session.
    timeout: Option<Duration>,
    /// Until when views are asked for the bytes of their texts.
    as_bytes: HashMap<String, Instant>,
    /// When its last answer arrived.
    pub(super) used: Instant,
}

/// The texts that all sessions of a node have asked for.
pub(super) type SharedTexts = Arc<Mutex<Texts>>;

/// A poisoned lock is used as usual: what it guards is consistent after every step.
pub(super) fn lock(texts: &SharedTexts) -> MutexGuard<'_, Texts> {
    texts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The statements prepared on a session: the hash of each text with the number in its name, which is never reused.
/// The texts themselves would take 40 kB for each node.
#[derive(Default)]
struct Prepared {
    hashes: Vec<(u64, u32)>,
    /// Its keys are random, so no text can be written to have the hash of another.
    hasher: RandomState,
    last: u32,
}

impl Prepared {
    fn name(&self, sql: &str) -> Option<String> {
        let hash = self.hasher.hash_one(sql);
        self.hashes.iter().find(|(of, _)| *of == hash).map(|(_, number)| format!("pgwatch_{number}"))
    }

    fn add(&mut self, sql: &str) -> String {
        self.last += 1;
        self.hashes.push((self.hasher.hash_one(sql), self.last));
        format!("pgwatch_{}", self.last)
    }

    fn forget_last(&mut self) {
        self.hashes.retain(|(_, number)| *number != self.last);
    }
}

/// An extension of the connected database.
struct Extension {
    version: Version,
    schema: String,
}

/// Why there are no rows.
enum Failure {
    /// The server answered with an error; the session lives.
    Said(NodeError),
    /// The server cannot have this view, so it was not asked.
    Lacks(String),
    /// The session cannot be used any more.
    Broken(NodeError),
    /// The statement is not prepared on the session that a pooler gave us.
    Unprepared,
}

/// What becomes of a session after a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Usable,
    /// It answered the view before and cannot now: what it remembers may be out of date.
    Outdated,
    /// It ended, or the server still owes an answer.
    Broken,
}

impl ViewSession {
    /// Opens a session for views. Cancel-safe: dropping it closes what was opened.
    pub(super) async fn open(node: &Endpoint) -> Result<Self, NodeError> {
        let session = Box::pin(session::open_to(node, SessionKind::View)).await?;
        Ok(Self {
            version: Version(session.version_num / 10_000, 0),
            role: session.role,
            prepared: (!session.dialled.behind_pooler).then(Prepared::default),
            client: session.client,
            driver: session.driver,
            dialled: session.dialled,
            answered: HashSet::new(),
            stand_ins: StandIns::default(),
            timeout: None,
            as_bytes: HashMap::new(),
            used: Instant::now(),
        })
    }

    /// Asks for a view. Also returns what becomes of the session. Dropping the future closes the session, but
    /// the server continues the statement until its timeout: to stop that as well, call [`ViewSession::abandon`].
    /// `wish` counts up when the user wants everything at once.
    pub(super) async fn ask(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Option<Role>,
        shared: &SharedTexts,
        wish: u64,
    ) -> (Result<ViewRows, NodeError>, After) {
        let role = self.role_of(role);
        self.stand_ins.renew(wish, Instant::now());
        let mut tried = false;
        loop {
            let began = Instant::now();
            let outcome = self.in_time(node, view.timeout, async |on| on.rows_of(node, view, role).await).await;
            match outcome {
                // A text in no known encoding: its bytes can always be sent.
                Ok(answer) if answer.unread && !self.asks_bytes(view) => self.ask_bytes(view),
                Err(Failure::Said(error)) if is_encoding(&error) && !self.asks_bytes(view) => self.ask_bytes(view),
                // If the result was cut, the server is still sending the rest, so the session is not used again.
                Ok(answer) => {
                    let Answer { rows, cuts, complete, lost, .. } = answer;
                    let (missing, incomplete) = lost.map_or((None, false), |lost| (Some(lost.why), lost.rows));
                    let mut rows =
                        ViewRows { rows, cuts, truncated: !complete, missing, incomplete, ..ViewRows::default() };
                    let lives = complete && self.add_texts(node, view, role, &mut rows, shared, wish).await;
                    rows.elapsed = began.elapsed();
                    self.answered.insert(view.name.clone());
                    return (Ok(rows), if lives { After::Usable } else { After::Broken });
                }
                Err(Failure::Unprepared) => {
                    self.prepared = None;
                    self.dialled.behind_pooler = true;
                }
                Err(Failure::Said(error)) => {
                    // What does not work takes away what needs it, not the whole view.
                    if !std::mem::replace(&mut tried, true) {
                        let finding =
                            self.in_time(node, view.timeout, async |on| on.finds(node, view, role, &error).await);
                        match Box::pin(finding).await {
                            Ok(true) => continue,
                            Err(Failure::Broken(error)) => return (Err(error), After::Broken),
                            Ok(false) | Err(_) => {}
                        }
                    }
                    let error = error::of_ours(error);
                    if self.answered.remove(&view.name) && error.is_lasting() {
                        return (Err(error), After::Outdated);
                    }
                    let error = self.with_remedy(view, error).await;
                    return (Err(error), After::Usable);
                }
                Err(Failure::Lacks(why)) => {
                    return (Ok(ViewRows { not_applicable: Some(why), ..ViewRows::default() }), After::Usable);
                }
                Err(Failure::Broken(error)) => return (Err(error), After::Broken),
            }
        }
    }

    /// The role to ask as. A server that does not tell its own is asked as a primary: most of those have no standbys.
    fn role_of(&self, role: Option<Role>) -> Role {
        role.or(self.role).unwrap_or(Role::Primary)
    }

    /// Runs `work` and gives it up some time after the server should have.
    async fn in_time<T>(
        &mut self,
        node: &NodeConfig,
        within: Duration,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let heard = Arc::clone(&self.driver.heard);
        let done = limited(&heard, u64::MAX, timeout(within + GRACE, work(self))).await;
        self.used = Instant::now();
        match done {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(Failure::Broken(error::too_late(node, within))),
            None => Err(Failure::Broken(error::given_up(&heard, node))),
        }
    }

    fn asks_bytes(&self, view: &View) -> bool {
        self.as_bytes.get(&view.name).is_some_and(|until| Instant::now() < *until)
    }

    fn ask_bytes(&mut self, view: &View) {
        self.as_bytes.insert(view.name.clone(), Instant::now() + AS_BYTES);
    }

    /// What is to be set for the session before a statement of this view.
    fn setting(&mut self, view: &View) -> Option<String> {
        if self.dialled.behind_pooler || self.timeout == Some(view.timeout) {
            return None;
        }
        self.timeout = Some(view.timeout);
        Some(format!("SET statement_timeout = {}", view.timeout.as_millis()))
    }

    async fn rows_of(&mut self, node: &NodeConfig, view: &View, role: Role) -> Result<Answer, Failure> {
        let sql = self.statement(node, view, role, View::sql).await?;
        let (sql, lost) = self.stand_ins.apply(view, sql, role);
        let as_bytes = self.asks_bytes(view);
        let mut before = Vec::from_iter(self.setting(view));
        let statement = match &mut self.prepared {
            None => self.dialled.message(SessionKind::View, view.timeout, &sql).into_owned(),
            Some(prepared) => prepared.name(&sql).unwrap_or_else(|| {
                let name = prepared.add(&sql);
                // One allocation of the right size: the longest statement has 9 kB.
                before.push(["PREPARE ", &name, " AS ", &sql].concat());
                name
            }),
        };
        let execute = if self.prepared.is_some() { format!("EXECUTE {statement}") } else { statement };
        let address = node.address();
        let Self { client, driver, .. } = self;
        let answer = async {
            // Everything is sent at once, and answered in order.
            let settling = futures_util::future::try_join_all(before.iter().map(|text| client.batch_execute(text)));
            Ok(futures_util::future::join(settling, read(client, &execute, view, &address, as_bytes)).await)
        };
        let (settled, rows) = match driver.until(answer).await {
            Ok(answers) => answers,
            Err(error) => return Err(self.failed(node, &error)),
        };
        if let Err(error) = settled {
            // The reason why it could not be prepared says more than the error that it does not exist.
            if let Some(prepared) = &mut self.prepared {
                prepared.forget_last();
            }
            return Err(self.failed(node, &error));
        }
        let rows = rows.map_err(|error| self.failed(node, &error))?;
        Ok(Answer { lost, ..rows })
    }

    fn failed(&self, node: &NodeConfig, failure: &tokio_postgres::Error) -> Failure {
        let heard = &self.driver.heard;
        let error = error::classify_with(failure, heard, node);
        if self.prepared.is_some() && error.sqlstate.as_deref().is_some_and(is_unprepared) {
            return Failure::Unprepared;
        }
        if !error::is_said(failure, &self.client, heard) {
            return Failure::Broken(error);
        }
        Failure::Said(error)
    }

    /// Adds what would help to the error of a view that the role may not read.
    async fn with_remedy(&mut self, view: &View, error: NodeError) -> NodeError {
        if error.kind != ErrorKind::Permission {
            return error;
        }
        let Self { client, driver, dialled, .. } = self;
        let heard = Arc::clone(&driver.heard);
        let asking = async { Ok(rights::remedy(client, dialled, &error, view.rights.as_deref()).await) };
        let asked = limited(&heard, OUR_ANSWERS, timeout(GRACE, driver.until(asking))).await;
        match asked {
            Some(Ok(Ok(Some(hint)))) => error.with_hint(hint),
            _ => error,
        }
    }

    /// A statement of a view for this server, as `sql` makes it.
    async fn statement(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Role,
        sql: impl for<'a> FnOnce(&'a View, Target<'a>) -> Result<String, Lacks>,
    ) -> Result<String, Failure> {
        let as_bytes = self.asks_bytes(view);
        let Some(name) = &view.extension else {
            let lacks = |lacks| Failure::Lacks(lacking("PostgreSQL", lacks, self.version));
            return sql(view, Target { version: self.version, role, schema: None, as_bytes }).map_err(lacks);
        };
        let Extension { version, schema } = self.extension(node, name, role).await?;
        let lacks = |lacks| Failure::Lacks(lacking(name, lacks, version));
        sql(view, Target { version, role, schema: Some(&schema), as_bytes }).map_err(lacks)
    }

    /// The extension in the connected database, or why it is not there.
    async fn extension(&mut self, node: &NodeConfig, name: &str, role: Role) -> Result<Extension, Failure> {
        let literal = name.replace('\'', "''");
        let installed = format!(
            "select e.extversion, n.nspname from pg_catalog.pg_extension e \
             join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = '{literal}'"
        );
        if let Some([Some(version), Some(schema)]) = self.first(node, &installed).await? {
            let version = Version::parse(&version).unwrap_or(Version(0, 0));
            return Ok(Extension { version, schema });
        }
        // A server with a control file that it cannot read does not say what it offers.
        let available = format!("select 1, null from pg_catalog.pg_available_extensions where name = '{literal}'");
        match self.first(node, &available).await {
            Ok(Some(_)) | Err(Failure::Said(_)) => {}
            Ok(None) => {
                return Err(Failure::Lacks(format!("{name} is not installed, and the server does not offer it")));
            }
            Err(failure) => return Err(failure),
        }
        let error = NodeError::new(ErrorKind::Sql, format!("{name} is not installed in database {}", node.database));
        let place = if role == Role::Standby { "in that database on the primary" } else { "in that database" };
        Err(Failure::Said(error.with_hint(format!("run CREATE EXTENSION {} {place}", quoted(name)))))
    }

    /// The first two cells of the first row of one of our own statements.
    async fn first(&mut self, node: &NodeConfig, sql: &str) -> Result<Option<[Option<String>; 2]>, Failure> {
        let sql = self.dialled.message(SessionKind::View, OWN_STATEMENT, sql);
        let Self { client, driver, .. } = self;
        let answer = driver.until(client.simple_query(&sql)).await;
        let messages = answer.map_err(|error| self.failed(node, &error))?;
        let cells = |message: &SimpleQueryMessage| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some([0, 1].map(|at| row.try_get(at).ok().flatten().map(str::to_owned)))
        };
        Ok(messages.iter().find_map(cells))
    }

    /// Waits until the server ends the session, or sends something that ends it. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        while let Some(Ok(_)) = self.driver.next().await {}
    }

    /// Says goodbye and closes the session. Call it only when the server owes no answer.
    pub(super) async fn close(self) {
        let Self { client, mut driver, .. } = self;
        drop(client);
        driver.goodbye().await;
    }

    /// Tells the server to stop, and closes the session once it has, at the latest after [`CANCEL`].
    pub(super) async fn abandon(self) {
        let Self { client, mut driver, dialled, .. } = self;
        let token = client.cancel_token();
        // The answer is not read: the driver says goodbye after it.
        drop(client);
        let ended = async { while let Some(Ok(_)) = driver.next().await {} };
        let cancelled = dialled.cancel(token, CANCEL);
        drop(timeout(CANCEL, futures_util::future::join(cancelled, ended)).await);
    }
}

/// What a server answered to a view.
struct Answer {
    rows: RowSet,
    cuts: Vec<(u32, u32)>,
    /// False if there were more rows than are kept, so that the server still sends them.
    complete: bool,
    /// True if there is a text that is not UTF-8.
    unread: bool,
    /// What the rows lack.
    lost: Option<Lost>,
}

/// The cells of a row; the outer `None` is one whose bytes are not UTF-8.
fn cells(row: &SimpleQueryRow) -> impl Iterator<Item = Option<Option<&str>>> {
    (0..row.len()).map(|at| row.try_get(at).ok())
}

/// An answer without rows.
pub(super) fn no_rows(view: &View) -> RowSet {
    let column = |of: &ViewColumn| Column { name: of.name.clone(), type_name: of.kind.pg_type().to_owned() };
    RowSet::new(view.asked().map(column).collect())
}

/// Reads the rows of a statement.
async fn read(
    client: &Client,
    statement: &str,
    view: &View,
    address: &str,
    as_bytes: bool,
) -> Result<Answer, tokio_postgres::Error> {
    let mut answer = Answer { rows: no_rows(view), cuts: Vec::new(), complete: true, unread: false, lost: None };
    // For each column the cell with the size of its text, which follow all the others.
    let mut next = view.asked().count()..;
    let long: Vec<&str> = view.sized().map(|column| column.name.as_str()).collect();
    let size = |of: &ViewColumn| if long.contains(&of.name.as_str()) { next.next() } else { None };
    let sizes: Vec<Option<usize>> = view.asked().map(size).collect();
    let pid = view.own.and_then(|own| view.columns.get(own)).and_then(|column| match column.source {
        Source::Sql { at, .. } => Some(at),
        _ => None,
    });
    // Our sessions as of the question, and those that began before its first row came.
    let mut own = ours::at(address);
    let stream = client.simple_query_raw(statement).await?;
    let mut stream = std::pin::pin!(stream);
    while let Some(message) = stream.next().await {
        if let SimpleQueryMessage::Row(row) = message? {
            if pid.is_some() && answer.rows.is_empty() {
                own.extend(ours::at(address));
            }
            let pid = pid.and_then(|pid| row.try_get(pid).ok().flatten()?.parse::<i32>().ok());
            if pid.is_some_and(|pid| own.contains(&pid)) {
                continue;
            }
            if answer.rows.len() >= MAX_ROWS || answer.rows.bytes() >= MAX_BYTES {
                answer.complete = false;
                return Ok(answer);
            }
            let told: Vec<Option<Option<&str>>> = cells(&row).collect();
            answer.unread |= told.iter().any(Option::is_none);
            let told = |at: usize| told.get(at).copied().flatten().flatten();
            let place = answer.rows.len() as u32;
            let mut cuts = Vec::new();
            let shown = |(at, column): (usize, &ViewColumn)| {
                let cell = told(at)?;
                if column.kind != CellKind::Text {
                    // The server's clock was set back, so something began in its future.
                    let in_future = column.kind == CellKind::Interval && cell.starts_with('-');
                    return Some(Cow::Borrowed(if in_future { "0" } else { cell }));
                }
                let size = sizes.get(at).copied().flatten().and_then(told);
                let (text, cut) = texts::of_row(column, cell, size, as_bytes);
                if cut {
                    cuts.push((place, at as u32));
                }
                Some(text)
            };
            let shown: Vec<Option<Cow<'_, str>>> = view.asked().enumerate().map(shown).collect();
            answer.rows.push(shown.iter().map(Option::as_deref));
            answer.cuts.append(&mut cuts);
        }
    }
    Ok(answer)
}

fn is_encoding(error: &NodeError) -> bool {
    error.sqlstate.as_deref().is_some_and(is_of_encoding)
}

fn lacking(of: &str, lacks: Lacks, version: Version) -> String {
    match lacks {
        Lacks::Version(needed) => format!("needs {of} {needed} or newer, this is {version}"),
        Lacks::Role(role) => format!("not available on a {}", other(role).as_str()),
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::Primary => Role::Standby,
        Role::Standby => Role::Primary,
    }
}
