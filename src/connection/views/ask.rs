//! Asks one node for one view: over which session, by which statement, and how its rows are read.
//!
//! The statement is prepared once per session (by `PREPARE`, so that the answer is the server's own text) and then
//! executed, so the server parses and plans it once instead of every second. Behind a pooler, where the next
//! transaction may be on another session, it is sent whole.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::stand_ins::StandIns;
use crate::connection::error;
use crate::connection::error::sqlstate::is_unprepared;
use crate::connection::schedule::turns::Turns;
use crate::connection::session::dial::{CANCEL, Dialled};
use crate::connection::session::settings;
use crate::connection::session::{self, Driver, SessionKind};
use crate::connection::wire::limit::limited;
use crate::model::protocol::ViewRows;
use crate::model::view::{CellKind, Lacks, Version, ViewColumn};
use crate::model::{Column, ErrorKind, NodeConfig, NodeError, Role, RowSet, View};
use crate::sql::secrets::masked;

/// The most rows of a view that are kept per node. No person reads a longer table.
const MAX_ROWS: usize = 50_000;
/// The most bytes of a view that are kept per node.
const MAX_BYTES: usize = 16 << 20;
/// The session's own `statement_timeout` ends a statement. If the server does not even report that, the session is
/// given up this much later.
const GRACE: Duration = Duration::from_millis(500);

/// A session over which views are asked for, one after the other.
pub(super) struct ViewSession {
    client: Client,
    driver: Driver,
    dialled: Dialled,
    version: Version,
    /// The server's role when the session was opened.
    role: Option<Role>,
    /// `None` until a view needs an extension.
    extensions: Option<Vec<Extension>>,
    /// `None` if statements cannot be prepared.
    prepared: Option<Prepared>,
    /// The functions that do not work here.
    stand_ins: StandIns,
    /// The `statement_timeout` last set.
    timeout: Option<Duration>,
    /// When its last answer arrived.
    pub(super) used: Instant,
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
            stand_ins: StandIns::default(),
            timeout: None,
            used: Instant::now(),
        })
    }

    /// Asks for a view. Also returns whether the session can be used again. Dropping the future closes the session, but
    /// the server continues the statement until its timeout: to stop that as well, call [`ViewSession::abandon`].
    pub(super) async fn ask(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Option<Role>,
    ) -> (Result<ViewRows, NodeError>, bool) {
        // A server that does not tell its role is asked as a primary: most servers that hide it have no standbys.
        let role = role.or(self.role).unwrap_or(Role::Primary);
        let heard = Arc::clone(&self.driver.heard);
        let bound = view.timeout + GRACE;
        let mut probed = false;
        loop {
            let began = Instant::now();
            let asked = limited(&heard, u64::MAX, timeout(bound, self.rows_of(node, view, role))).await;
            self.used = Instant::now();
            let outcome = match asked {
                Some(Ok(outcome)) => outcome,
                Some(Err(_)) => Err(Failure::Broken(error::too_late(node, view.timeout))),
                None => Err(Failure::Broken(error::given_up(&heard, node))),
            };
            match outcome {
                // If the result was cut, the server is still sending the rest, so the session is not used again.
                Ok((rows, complete)) => {
                    let rows = ViewRows { rows, elapsed: began.elapsed(), truncated: !complete, not_applicable: None };
                    return (Ok(rows), complete);
                }
                Err(Failure::Unprepared) => self.prepared = None,
                Err(Failure::Said(error)) => {
                    // A function that does not work takes away what needs it, not the whole view.
                    match limited(&heard, u64::MAX, timeout(bound, self.find(node, view, role, &error, probed))).await {
                        Some(Ok(Ok(true))) => probed = true,
                        Some(Ok(Ok(false))) => return (Err(error), true),
                        Some(Ok(Err(broken))) => return (Err(broken), false),
                        Some(Err(_)) | None => return (Err(error), false),
                    }
                }
                Err(Failure::Lacks(why)) => {
                    return (Ok(ViewRows { not_applicable: Some(why), ..ViewRows::default() }), true);
                }
                Err(Failure::Broken(error)) => return (Err(error), false),
            }
        }
    }

    /// The rows, and whether they are complete.
    async fn rows_of(&mut self, node: &NodeConfig, view: &View, role: Role) -> Result<(RowSet, bool), Failure> {
        let sql = self.statement(node, view, role).await?;
        let sql = self.stand_ins.apply(sql, role, Instant::now());
        let mut before = Vec::new();
        if !self.dialled.behind_pooler && self.timeout.is_none() {
            before.push(settings::of_views(self.version.0).to_owned());
        }
        if !self.dialled.behind_pooler && self.timeout != Some(view.timeout) {
            before.push(format!("SET statement_timeout = {}", view.timeout.as_millis()));
            self.timeout = Some(view.timeout);
        }
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
            Ok(futures_util::future::join(settling, read(client, &execute, view)).await)
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

    /// After an error of a view: finds the functions in it that do not work, once. True if there are any.
    async fn find(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Role,
        error: &NodeError,
        probed: bool,
    ) -> Result<bool, NodeError> {
        let Ok(sql) = self.statement(node, view, role).await else { return Ok(false) };
        let probes = if probed { Vec::new() } else { self.stand_ins.probes(&sql, error, role) };
        let mut found = false;
        for (probe, text) in probes {
            if let Err(error) = self.driver.until(self.client.batch_execute(&text)).await {
                if error.as_db_error().is_none() || self.client.is_closed() {
                    return Err(self.driver.explain(&error, node));
                }
                self.stand_ins.failed(probe, Instant::now());
                found = true;
            }
        }
        Ok(found)
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
        Failure::Said(error::of_ours(NodeError { hint, ..error }))
    }

    /// The statement of a view for this server.
    async fn statement(&mut self, node: &NodeConfig, view: &View, role: Role) -> Result<String, Failure> {
        let Some(name) = &view.extension else {
            let lacks = |lacks| Failure::Lacks(lacking("PostgreSQL", lacks, self.version));
            return view.sql(self.version, role, None).map_err(lacks);
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
        view.sql(extension.version, role, Some(&extension.schema)).map_err(lacks)
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

/// Reads the rows of a statement. Returns `false` if there were more than are kept, so that the server still sends
/// them.
async fn read(client: &Client, statement: &str, view: &View) -> Result<(RowSet, bool), tokio_postgres::Error> {
    let columns =
        view.asked().map(|column| Column { name: column.name.clone(), type_name: column.kind.pg_type().to_owned() });
    let mut rows = RowSet::new(columns.collect());
    // The columns that may hold texts of statements: all long ones.
    let long = |(at, column): (usize, &ViewColumn)| (column.kind == CellKind::Text && column.wide).then_some(at);
    let statements: Vec<usize> = view.asked().enumerate().filter_map(long).collect();
    let stream = client.simple_query_raw(statement).await?;
    let mut stream = std::pin::pin!(stream);
    while let Some(message) = stream.next().await {
        if let SimpleQueryMessage::Row(row) = message? {
            if rows.len() >= MAX_ROWS || rows.bytes() >= MAX_BYTES {
                return Ok((rows, false));
            }
            // Bytes that are not UTF-8 (a database of `SQL_ASCII`) become NULL.
            let cells = (0..row.len()).map(|at| row.try_get(at).unwrap_or(None));
            let cells: Vec<_> = cells
                .enumerate()
                .map(|(at, cell)| if statements.contains(&at) { cell.map(masked) } else { cell.map(Cow::Borrowed) })
                .collect();
            rows.push(cells.iter().map(Option::as_deref));
        }
    }
    Ok((rows, true))
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
