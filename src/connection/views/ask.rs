//! Asks one node for one view: over which session, by which statement, and how its rows are read.
//!
//! The statement is prepared once per session (by `PREPARE`, so that the answer is the server's own text) and then
//! executed, so the server parses and plans it once instead of every second. Behind a pooler, where the next
//! transaction may be on another session, it is sent whole.

mod fetch;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::texts::{self, Texts};
use crate::connection::error;
use crate::connection::error::sqlstate::{is_of_encoding, is_unprepared};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::dial::{CANCEL, Dialled};
use crate::connection::session::settings;
use crate::connection::session::{self, Driver, SessionKind};
use crate::connection::wire::limit::limited;
use crate::model::protocol::ViewRows;
use crate::model::view::{CellKind, Lacks, Target, Version, ViewColumn};
use crate::model::{Column, ErrorKind, NodeConfig, NodeError, Role, RowSet, View};

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
    role: Role,
    /// `None` until a view needs an extension.
    extensions: Option<Vec<Extension>>,
    /// `None` if statements cannot be prepared.
    prepared: Option<Prepared>,
    /// The `statement_timeout` last set.
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

/// The statements prepared on a session: each text with the number in its name, which is never reused.
#[derive(Default)]
struct Prepared {
    texts: Vec<(String, u32)>,
    last: u32,
}

impl Prepared {
    fn name(&self, sql: &str) -> Option<String> {
        self.texts.iter().find(|(text, _)| text == sql).map(|(_, number)| format!("pgwatch_{number}"))
    }

    fn add(&mut self, sql: &str) -> String {
        self.last += 1;
        self.texts.push((sql.to_owned(), self.last));
        format!("pgwatch_{}", self.last)
    }

    fn forget_last(&mut self) {
        self.texts.retain(|(_, number)| *number != self.last);
    }
}

/// An extension of the connected database (`pg_extension`).
struct Extension {
    name: String,
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

impl ViewSession {
    /// Opens a session for views once it is this node's turn. Cancel-safe: dropping it closes what was opened.
    pub(super) async fn open(node: &NodeConfig, turns: &Turns) -> Result<Self, NodeError> {
        let session = turns.later.wait(Box::pin(session::open(node, SessionKind::View))).await?;
        Ok(Self {
            version: Version(session.version_num / 10_000, 0),
            role: session.role,
            prepared: (!session.dialled.behind_pooler).then(Prepared::default),
            client: session.client,
            driver: session.driver,
            dialled: session.dialled,
            extensions: None,
            timeout: None,
            as_bytes: HashMap::new(),
            used: Instant::now(),
        })
    }

    /// Asks for a view. Also returns whether the session can be used again. Dropping the future closes the session, but
    /// the server continues the statement until its timeout: to stop that as well, call [`ViewSession::abandon`].
    /// `wish` counts up when the user wants everything at once.
    pub(super) async fn ask(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Option<Role>,
        shared: &SharedTexts,
        wish: u64,
    ) -> (Result<ViewRows, NodeError>, bool) {
        let role = role.unwrap_or(self.role);
        loop {
            let began = Instant::now();
            let outcome = self.in_time(node, view.timeout, async |on| on.rows_of(node, view, role).await).await;
            match outcome {
                // A text in no known encoding: its bytes can always be sent.
                Ok(answer) if answer.unread && !self.asks_bytes(view) => self.ask_bytes(view),
                Err(Failure::Said(error)) if is_encoding(&error) && !self.asks_bytes(view) => self.ask_bytes(view),
                // If the result was cut, the server is still sending the rest, so the session is not used again.
                Ok(answer) => {
                    let Answer { rows, cuts, complete, .. } = answer;
                    let mut rows = ViewRows { rows, cuts, truncated: !complete, ..ViewRows::default() };
                    let lives = complete && self.add_texts(node, view, role, &mut rows, shared, wish).await;
                    rows.elapsed = began.elapsed();
                    return (Ok(rows), lives);
                }
                Err(Failure::Unprepared) => self.prepared = None,
                Err(Failure::Said(error)) => return (Err(error), true),
                Err(Failure::Lacks(why)) => {
                    return (Ok(ViewRows { not_applicable: Some(why), ..ViewRows::default() }), true);
                }
                Err(Failure::Broken(error)) => return (Err(error), false),
            }
        }
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

    /// What is to be set before a statement of this view.
    fn settings(&mut self, view: &View) -> Vec<String> {
        let mut before = Vec::new();
        if !self.dialled.behind_pooler && self.timeout.is_none() {
            before.push(settings::of_views(self.version.0).to_owned());
        }
        if !self.dialled.behind_pooler && self.timeout != Some(view.timeout) {
            before.push(format!("SET statement_timeout = {}", view.timeout.as_millis()));
            self.timeout = Some(view.timeout);
        }
        before
    }

    async fn rows_of(&mut self, node: &NodeConfig, view: &View, role: Role) -> Result<Answer, Failure> {
        let sql = self.statement(node, view, role, View::sql).await?;
        let as_bytes = self.asks_bytes(view);
        let mut before = self.settings(view);
        let statement = match &mut self.prepared {
            None => sql,
            Some(prepared) => prepared.name(&sql).unwrap_or_else(|| {
                let name = prepared.add(&sql);
                before.push(format!("PREPARE {name} AS {sql}"));
                name
            }),
        };
        let execute = if self.prepared.is_some() { format!("EXECUTE {statement}") } else { statement };
        let Self { client, driver, .. } = self;
        let answer = async {
            // Everything is sent at once, and answered in order.
            let settling = futures_util::future::try_join_all(before.iter().map(|text| client.batch_execute(text)));
            Ok(futures_util::future::join(settling, read(client, &execute, view, as_bytes)).await)
        };
        let (settled, rows) = match driver.until(answer).await {
            Ok(answers) => answers,
            Err(error) => return Err(self.failed(node, view, &error)),
        };
        if let Err(error) = settled {
            // The reason why it could not be prepared says more than the error that it does not exist.
            if let Some(prepared) = &mut self.prepared {
                prepared.forget_last();
            }
            return Err(self.failed(node, view, &error));
        }
        rows.map_err(|error| self.failed(node, view, &error))
    }

    fn failed(&self, node: &NodeConfig, view: &View, failure: &tokio_postgres::Error) -> Failure {
        let heard = &self.driver.heard;
        let error = error::classify_with(failure, heard, node);
        if self.prepared.is_some() && error.sqlstate.as_deref().is_some_and(is_unprepared) {
            return Failure::Unprepared;
        }
        let lives = failure.as_db_error().is_some() && !self.client.is_closed() && heard.fatal().is_none();
        if !lives {
            return Failure::Broken(error);
        }
        let hint = match (error.kind, &view.rights) {
            (ErrorKind::Permission, Some(rights)) => Some(format!("GRANT {rights} TO {}", node.user)),
            _ => error.hint.clone(),
        };
        Failure::Said(NodeError { hint, ..error })
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
        if self.extensions.is_none() {
            self.extensions = Some(self.list_extensions(node).await?);
        }
        let known = self.extensions.iter().flatten().find(|extension| extension.name == *name);
        let Some(extension) = known else {
            let error =
                NodeError::new(ErrorKind::Sql, format!("{name} is not installed in database {}", node.database));
            let hint = format!("run CREATE EXTENSION {name} in that database");
            // A person may install the extension meanwhile: look again next time.
            self.extensions = None;
            return Err(Failure::Said(error.with_hint(hint)));
        };
        let lacks = |lacks| Failure::Lacks(lacking(name, lacks, extension.version));
        sql(view, Target { version: extension.version, role, schema: Some(&extension.schema), as_bytes }).map_err(lacks)
    }

    async fn list_extensions(&mut self, node: &NodeConfig) -> Result<Vec<Extension>, Failure> {
        const EXTENSIONS: &str = "select e.extname, e.extversion, n.nspname \
            from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace";
        let Self { client, driver, .. } = self;
        let answer = driver.until(client.simple_query(EXTENSIONS)).await;
        let messages =
            answer.map_err(|error| Failure::Broken(error::classify_with(&error, &self.driver.heard, node)))?;
        let extension = |message: &SimpleQueryMessage| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            let text = |at| row.try_get(at).ok().flatten().map(str::to_owned);
            Some(Extension { name: text(0)?, version: Version::parse(&text(1)?)?, schema: text(2)? })
        };
        Ok(messages.iter().filter_map(extension).collect())
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
}

/// The cells of a row; the outer `None` is one whose bytes are not UTF-8.
fn cells(row: &SimpleQueryRow) -> impl Iterator<Item = Option<Option<&str>>> {
    (0..row.len()).map(|at| row.try_get(at).ok())
}

/// Reads the rows of a statement.
async fn read(client: &Client, statement: &str, view: &View, as_bytes: bool) -> Result<Answer, tokio_postgres::Error> {
    let columns: Vec<&ViewColumn> = view.asked().collect();
    let column = |of: &&ViewColumn| Column { name: of.name.clone(), type_name: of.kind.pg_type().to_owned() };
    let rows = RowSet::new(columns.iter().map(column).collect());
    let mut answer = Answer { rows, cuts: Vec::new(), complete: true, unread: false };
    // For each column the cell with the size of its text, which follow all the others.
    let mut next = columns.len()..;
    let long: Vec<&str> = view.sized().map(|column| column.name.as_str()).collect();
    let size = |of: &&ViewColumn| if long.contains(&of.name.as_str()) { next.next() } else { None };
    let sizes: Vec<Option<usize>> = columns.iter().map(size).collect();
    let stream = client.simple_query_raw(statement).await?;
    let mut stream = std::pin::pin!(stream);
    while let Some(message) = stream.next().await {
        if let SimpleQueryMessage::Row(row) = message? {
            if answer.rows.len() >= MAX_ROWS || answer.rows.bytes() >= MAX_BYTES {
                answer.complete = false;
                return Ok(answer);
            }
            let told: Vec<Option<Option<&str>>> = cells(&row).collect();
            answer.unread |= told.iter().any(Option::is_none);
            let told = |at: usize| told.get(at).copied().flatten().flatten();
            let place = answer.rows.len() as u32;
            let mut cuts = Vec::new();
            let shown = |(at, column): (usize, &&ViewColumn)| {
                let cell = told(at)?;
                if column.kind != CellKind::Text {
                    return Some(Cow::Borrowed(cell));
                }
                let size = sizes.get(at).copied().flatten().and_then(told);
                let (text, cut) = texts::of_row(column, cell, size, as_bytes);
                if cut {
                    cuts.push((place, at as u32));
                }
                Some(text)
            };
            let shown: Vec<Option<Cow<'_, str>>> = columns.iter().enumerate().map(shown).collect();
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
