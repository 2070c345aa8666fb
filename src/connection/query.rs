//! One statement on one node: checkout, run, collect the rows as they arrive, cancel on the server.
//!
//! It takes two round trips. The first opens a read-only transaction (on a read-only node) and lets the server parse
//! the statement, which yields the column types and refuses several statements at once. The second runs it by the
//! simple protocol, whose values are the server's own text. What follows a statement (`ROLLBACK`, `DISCARD ALL`) is
//! sent without waiting for the answer: the server executes it before anything that is sent on that session later.

pub(super) mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use tokio_postgres::{Client, SimpleQueryMessage, Statement};
use tokio_util::sync::CancellationToken;

use super::error;
use super::error::sqlstate;
use super::pool::NodePool;
use super::pool::pooled::Checkout;
use super::session::dial::CANCEL;
use super::session::settings::SessionKind;
use super::session::{rights, settings};
use super::wire::limit::{OUR_ANSWERS, TYPE_ANSWERS, limited};
use crate::model::protocol::{NodeOutcome, NodeRows, QueryRequest};
use crate::model::{ErrorKind, NodeConfig, NodeError};
use crate::sql::{self, read_only};
use rows::Rows;

/// The lowest OID of a type that is not built in.
const FIRST_USER_TYPE: u32 = 16_384;

/// How long to ask what would help a role that lacks a right.
const REMEDY: Duration = Duration::from_millis(500);

/// Runs the request's statement on the pool's node. Returns at the latest `request.timeout` after `started`, plus a
/// second to cancel on the server. Calls `reading` with the number of rows kept so far: every 1,000 rows, or every 200
/// ms.
///
/// Errors are in the outcome. Cancel-safe: dropping it cancels the statement on the server and closes the session.
pub async fn run(
    pool: &NodePool,
    request: &QueryRequest,
    started: Instant,
    cancel: &CancellationToken,
    reading: &(dyn Fn(usize) + Sync),
) -> NodeOutcome {
    let node = pool.node();
    let job = Job { pool, request, deadline: started + request.timeout, reading };
    let result = match refuse(request, node) {
        Some(error) => Err(error),
        None => job.run(started, cancel).await,
    };
    NodeOutcome { elapsed: started.elapsed(), result }
}

fn refuse(request: &QueryRequest, node: &NodeConfig) -> Option<NodeError> {
    if request.statement.contains('\0') {
        return Some(NodeError::new(
            ErrorKind::Sql,
            "the statement contains a NUL character, which PostgreSQL does not accept",
        ));
    }
    let what = read_only::leaves(&request.statement).filter(|_| node.is_read_only())?;
    let text = format!("{what} is refused: {} is read-only", node.name);
    Some(NodeError::new(ErrorKind::ReadOnly, text).with_hint(sqlstate::read_only_hint(node)))
}

struct Job<'a> {
    pool: &'a NodePool,
    request: &'a QueryRequest,
    deadline: Instant,
    reading: &'a (dyn Fn(usize) + Sync),
}

/// Why a statement was stopped.
#[derive(Clone, Copy)]
enum Stop {
    Cancelled,
    TooLate,
}

impl Job<'_> {
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    async fn run(&self, started: Instant, cancel: &CancellationToken) -> Result<NodeRows, NodeError> {
        let node = self.pool.node();
        let mut tries = 0;
        let mut earlier = None;
        let mut as_bytes = false;
        loop {
            tries += 1;
            let session = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(error::cancelled(node)),
                // The error of the earlier session is reported: it says more than "no session was free in time".
                session = self.pool.get(self.left()) => session.map_err(|error| earlier.unwrap_or(error))?,
            };
            let running = Running { session: Some(session), pool: self.pool };
            let stop = tokio::select! {
                biased;
                outcome = self.explained(&running, as_bytes) => match outcome {
                    Ok(done) => return Ok(running.finish(done)),
                    // The session had ended in the pool before the statement reached it: nothing ran.
                    Err(Failure::NotBegun(error)) if tries <= node.pool.max => {
                        earlier = Some(error);
                        continue;
                    }
                    Err(Failure::Said(error)) => {
                        running.finish(Done { complete: true, ..Done::default() });
                        // A value that cannot be converted would cost all rows. What only reads may run again.
                        let unconverted = error.sqlstate.as_deref().is_some_and(sqlstate::is_of_encoding);
                        if as_bytes || !unconverted || !node.is_read_only() {
                            return Err(error);
                        }
                        as_bytes = true;
                        earlier = Some(error);
                        continue;
                    }
                    Err(Failure::NotBegun(error) | Failure::Broken(error)) => return Err(error),
                },
                () = cancel.cancelled() => Stop::Cancelled,
                () = tokio::time::sleep_until(self.deadline.into()) => Stop::TooLate,
            };
            let obeyed = running.abandon().await;
            return Err(match stop {
                Stop::Cancelled => error::cancelled(node),
                Stop::TooLate if obeyed => error::too_late(node, self.request.timeout),
                Stop::TooLate => error::no_answer(node, started.elapsed()),
            });
        }
    }

    /// Runs the statement on a session, and asks what would help if it lacks a right.
    async fn explained(&self, running: &Running<'_>, as_bytes: bool) -> Result<Done, Failure> {
        match (self.on(running, as_bytes).await, &running.session) {
            (Err(Failure::Said(error)), Some(session)) if error.kind == ErrorKind::Permission => {
                let heard = &session.dialled.heard;
                let ask = async {
                    if heard.transaction() != b'I' {
                        session.client.batch_execute("ROLLBACK").await.ok()?;
                    }
                    rights::remedy(&session.client, &session.dialled, &error, None).await
                };
                let asked = limited(heard, OUR_ANSWERS, tokio::time::timeout(REMEDY, ask)).await;
                Err(Failure::Said(match asked {
                    Some(Ok(Some(hint))) => error.with_hint(hint),
                    _ => error,
                }))
            }
            (outcome, _) => outcome,
        }
    }

    /// Runs the statement on a session. The server's answer is not trusted. `as_bytes`: its values come as the server keeps
    /// them.
    async fn on(&self, running: &Running<'_>, as_bytes: bool) -> Result<Done, Failure> {
        let Some(session) = &running.session else { return Ok(Done::default()) };
        let node = self.pool.node();
        let heard = &session.dialled.heard;
        let given_up = || Failure::Broken(error::given_up(heard, node));
        if session.dialled.behind_pooler && self.pool.takes_no_blocks() {
            return limited(heard, u64::MAX, self.alone(session, as_bytes)).await.ok_or_else(given_up)?;
        }
        let prepared = limited(heard, TYPE_ANSWERS, self.prepare(session)).await.ok_or_else(given_up)??;
        let types: Vec<String> = prepared.columns().iter().map(|column| column.type_().name().to_owned()).collect();
        if uses_looked_up_types(&prepared) {
            session.discard();
            if session.dialled.behind_pooler {
                limited(heard, OUR_ANSWERS, unprepare(&session.client)).await.ok_or_else(given_up)?;
            }
        }
        // Kept until the statement has run, unless it runs outside of the transaction that parsed it.
        let kept = (!session.dialled.behind_pooler || node.is_read_only()).then_some(prepared);
        if kept.is_none() {
            session.client.batch_execute("ROLLBACK").await.map_err(|error| self.failure(session, &error))?;
        }
        heard.clear();
        let read = self.read(session, &self.request.statement, &types, as_bytes);
        limited(heard, u64::MAX, read).await.ok_or_else(given_up)?
    }

    /// Runs the statement where a pooler takes no transaction of several messages: in one, with what guards it. The server
    /// does not refuse several statements there, so the words of the text decide.
    async fn alone(&self, session: &Checkout, as_bytes: bool) -> Result<Done, Failure> {
        let statement = &self.request.statement;
        if !sql::is_single(statement) {
            let error = NodeError::new(ErrorKind::Sql, "a pooler in statement mode takes one statement at a time");
            return Err(Failure::Said(NodeError { sqlstate: Some("42601".to_owned()), ..error }));
        }
        let before = settings::before_alone(self.pool.node(), self.request.timeout);
        session.dialled.heard.clear();
        self.read(session, &format!("{before}{statement}"), &[], as_bytes).await
    }

    /// Opens the transaction and lets the server parse the statement.
    async fn prepare(&self, session: &Checkout) -> Result<Statement, Failure> {
        let (client, heard) = (&session.client, &session.dialled.heard);
        let not_begun = |error| Err(Failure::NotBegun(error::classify_with(error, heard, self.pool.node())));
        let before = settings::before_statement(self.pool.node(), session.dialled.behind_pooler, self.request.timeout);
        let open = async { if before.is_empty() { Ok(()) } else { client.batch_execute(&before).await } };
        let (opened, prepared) = futures_util::future::join(open, client.prepare(&self.request.statement)).await;
        match opened.and(prepared) {
            Ok(prepared) => Ok(prepared),
            // The server sent something it must not: another session would get the same.
            Err(error) if heard.found_fault().is_some() => Err(self.failure(session, &error)),
            Err(error) if client.is_closed() || error.is_closed() || heard.fatal().is_some() => {
                if session.dialled.behind_pooler
                    && heard.fatal().is_some_and(|why| sqlstate::refuses_blocks(&why.message))
                {
                    self.pool.found_no_blocks();
                }
                not_begun(&error)
            }
            // Behind a pooler another program may have left a prepared statement of that name, or removed ours.
            Err(error) if session.dialled.behind_pooler && code_of(&error).is_some_and(sqlstate::is_unprepared) => {
                not_begun(&error)
            }
            Err(error) => Err(self.failure(session, &error)),
        }
    }

    /// Runs the statement and collects its rows.
    async fn read(
        &self,
        session: &Checkout,
        statement: &str,
        types: &[String],
        as_bytes: bool,
    ) -> Result<Done, Failure> {
        let (client, heard) = (&session.client, &session.dialled.heard);
        let failure = |error: tokio_postgres::Error| self.failure(session, &error);
        // Both in one message, which is read in the encoding of before. The transaction is read-only, and ends it.
        let raw = as_bytes.then(|| format!("SET LOCAL client_encoding = 'SQL_ASCII'; {statement}"));
        let statement = raw.as_deref().unwrap_or(statement);
        let stream = client.simple_query_raw(statement).await.map_err(failure)?;
        let mut stream = std::pin::pin!(stream);
        let mut rows = Rows::new(self.request, types);
        let mut affected = 0;
        while let Some(message) = stream.next().await {
            match message.map_err(failure)? {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows.describe(columns.iter().map(tokio_postgres::SimpleColumn::name));
                }
                SimpleQueryMessage::Row(row) => {
                    if !rows.push(&row) {
                        return Ok(Done { rows: rows.finish(0, heard.take_notices()), complete: false });
                    }
                    if let Some(count) = rows.progress_due() {
                        (self.reading)(count);
                        // Rows that arrive without a pause must not delay a cancel or the deadline.
                        tokio::task::yield_now().await;
                    }
                }
                SimpleQueryMessage::CommandComplete(count) => affected = count,
                _ => {}
            }
        }
        Ok(Done { rows: rows.finish(affected, heard.take_notices()), complete: true })
    }

    /// What an error means for the statement and for its session.
    fn failure(&self, session: &Checkout, error: &tokio_postgres::Error) -> Failure {
        let heard = &session.dialled.heard;
        let sorted = error::classify_with(error, heard, self.pool.node());
        if heard.wants_copy() {
            Failure::Broken(error::no_copy())
        } else if error::is_said(error, &session.client, heard) {
            Failure::Said(error::of_statement(self.in_block(sorted), &self.request.statement))
        } else {
            Failure::Broken(sorted)
        }
    }

    /// `VACUUM` and similar statements cannot run inside a transaction block, and ours is what makes the node
    /// read-only.
    fn in_block(&self, error: NodeError) -> NodeError {
        let node = self.pool.node();
        if error.sqlstate.as_deref() == Some("25001") && node.is_read_only() {
            NodeError { kind: ErrorKind::ReadOnly, hint: Some(sqlstate::read_only_hint(node)), ..error }
        } else {
            error
        }
    }
}

fn code_of(error: &tokio_postgres::Error) -> Option<&str> {
    error.code().map(tokio_postgres::error::SqlState::code)
}

/// True if the driver had to look up a type. For that it prepared statements of its own on the session, which `DISCARD
/// ALL` would drop while the driver still relies on them.
fn uses_looked_up_types(prepared: &Statement) -> bool {
    let columns = prepared.columns().iter().map(tokio_postgres::Column::type_);
    columns.chain(prepared.params()).any(|of_type| of_type.oid() >= FIRST_USER_TYPE)
}

#[derive(Default)]
struct Done {
    rows: NodeRows,
    /// True if the server has finished; false if the result was cut and the server still sends.
    complete: bool,
}

enum Failure {
    /// The session was dead before the statement reached it.
    NotBegun(NodeError),
    /// The server answered with an error; the session lives.
    Said(NodeError),
    /// The session cannot be used any more.
    Broken(NodeError),
}

/// A session on which a statement runs. On every way out, either the statement is cancelled on the server or the session
/// is cleaned.
struct Running<'a> {
    session: Option<Checkout>,
    pool: &'a NodePool,
}

impl Running<'_> {
    /// If the server has finished, cleans the session and gives it back.
    fn finish(mut self, done: Done) -> NodeRows {
        if let Some(session) = self.session.take_if(|_| done.complete) {
            clean(&session, self.pool.node());
        }
        done.rows
    }

    /// Tells the server to stop, and waits for that, but not longer than [`CANCEL`]. Returns true if the server
    /// stopped.
    async fn abandon(mut self) -> bool {
        let Some(session) = self.session.take() else { return false };
        // Spawned, so that the server gets the cancel request even if this future is dropped.
        let stopped = self.pool.tasks().spawn(stop(session));
        stopped.await.unwrap_or(false)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool.tasks().spawn(stop(session));
        }
    }
}

/// Cancels what runs on the session and closes it: a late cancel must not hit the session's next statement.
async fn stop(session: Checkout) -> bool {
    session.discard();
    let heard = Arc::clone(&session.dialled.heard);
    let until = tokio::time::Instant::now() + CANCEL;
    let obeyed = if session.client.is_closed() {
        false
    } else {
        let mut answers = heard.answers();
        let before = *answers.borrow_and_update();
        let delivered = session.dialled.cancel(session.client.cancel_token(), CANCEL).await;
        let answered = tokio::time::timeout_at(until, answers.wait_for(|count| *count > before)).await;
        delivered && matches!(answered, Ok(Ok(_)))
    };
    drop(session);
    if !obeyed {
        // The session would wait for an answer for as long as the system keeps the socket.
        heard.cut();
    }
    obeyed
}

/// Removes what a statement leaves on the session: a transaction, settings, temporary tables, advisory locks. The first
/// poll of each future sends its statement, and the server executes them in order, before anything that is sent on that
/// session later.
fn clean(session: &Checkout, node: &NodeConfig) {
    let (client, dialled) = (&session.client, &session.dialled);
    let send = |statement: &str| drop(client.batch_execute(statement).now_or_never());
    if dialled.heard.transaction() != b'I' {
        send("ROLLBACK");
    }
    // Behind a pooler, other programs use the session too.
    if !dialled.behind_pooler {
        send("DISCARD ALL");
        dialled.settings(node, SessionKind::Query).iter().for_each(|message| send(message));
    }
}

/// Removes the statements that the driver has prepared since the transaction began. Behind a pooler it would leave those
/// with which it looks up types to other programs. A pooler that knows prepared statements gives them names of its own,
/// and removes them itself.
async fn unprepare(client: &Client) {
    const ASK: &str = "SELECT pg_catalog.concat('DEALLOCATE ', name) FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql \
                       AND name OPERATOR(pg_catalog.~) '^s[0-9]+$' AND prepare_time OPERATOR(pg_catalog.>=) pg_catalog.now()";
    let Ok(names) = client.simple_query(ASK).await else { return };
    let remove = names.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
        _ => None,
    });
    // What fails ends with the transaction, and the error of the statement that follows says why.
    let _ = client.batch_execute(&remove.collect::<Vec<_>>().join("; ")).await;
}
