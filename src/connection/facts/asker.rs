//! The connection over which a node is asked for its figures. A statement is asked whole while it works. When the server
//! answers with an error, its parts are asked for alone, once: those that fail are left out from then on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Row, Statement};

use super::configured;
use super::parts::{Form, Parts, Tells};
use super::sql::Answer;
use crate::connection::error;
use crate::connection::error::sqlstate::is_unprepared;
use crate::connection::session::{self, Driver, SessionKind};
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::model::facts::{Configured, Part};
use crate::model::{NodeConfig, NodeError, Role};

/// How long to wait for an answer before giving up the statement and its connection. The session's own statement
/// timeout is shorter; this is for a server that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// The SQLSTATE of what a server that is in recovery, or is not, has only in the other state.
const OTHER_STATE: &str = "55000";

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server answered with an error; the session lives.
    Said(NodeError),
    /// The session cannot be used any more.
    Broken(NodeError),
}

/// The answers to a statement of parts.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    /// The error of the whole, if each of its parts was answered alone.
    pub(super) whole: Option<NodeError>,
}

/// The connection, and the statement that is prepared on it.
pub(super) struct FactsSession {
    pub(super) client: Client,
    pub(super) driver: Driver,
    /// False behind a pooler that gives each transaction another session, where a prepared statement would not exist.
    prepares: bool,
    /// The prepared statement and the form of its text.
    prepared: Option<(Form, Statement)>,
    pub(super) version: (String, u32),
    /// What the server warned of at the login.
    pub(super) warnings: Vec<String>,
    /// True while the server owes an answer.
    pub(super) busy: bool,
}

impl FactsSession {
    pub(super) async fn open(node: &NodeConfig, prepares: bool) -> Result<Self, NodeError> {
        let session = session::open(node, SessionKind::Poll).await?;
        let version = (session.server_version, session.version_num);
        Ok(Self {
            client: session.client,
            driver: session.driver,
            prepares,
            prepared: None,
            version,
            warnings: session.warnings,
            busy: false,
        })
    }

    /// Asks for the parts that work. If they fail together, finds those that do not work, and leaves them out.
    ///
    /// # Errors
    /// Only if the session cannot be used any more.
    pub(super) async fn ask(
        &mut self,
        node: &NodeConfig,
        parts: &mut Parts,
        keep: bool,
    ) -> Result<Answered, NodeError> {
        let asked = if keep && self.prepares {
            self.prepared(node, parts).await
        } else if let Some(text) = parts.statement() {
            self.row(node, &text).await.map(Some)
        } else {
            Ok(None)
        };
        match asked {
            Ok(None) => self.each(node, parts, None).await,
            Ok(Some(row)) => Ok(Answered { answer: Answer(vec![row]), whole: None }),
            Err(Failure::Said(error)) => self.each(node, parts, Some(error)).await,
            Err(Failure::Broken(error)) => Err(error),
        }
    }

    /// Asks for each part alone; `whole` is the error of all together.
    async fn each(
        &mut self,
        node: &NodeConfig,
        parts: &mut Parts,
        mut whole: Option<NodeError>,
    ) -> Result<Answered, NodeError> {
        let mut answer = Answer::default();
        for sql in parts.working().collect::<Vec<_>>() {
            let asked = self.row(node, &parts.alone(sql)).await;
            if let (Part::Role, Err(Failure::Said(_))) = (sql.part, &asked)
                && let Some(row) = self.find_role(node, parts).await?
            {
                answer.0.push(row);
            }
            match asked {
                Ok(row) => answer.0.push(row),
                Err(Failure::Said(error)) => {
                    whole = None;
                    parts.failed(sql.part, error, Instant::now(), fastrand::f64());
                }
                Err(Failure::Broken(error)) => return Err(error),
            }
        }
        Ok(Answered { answer, whole })
    }

    /// Asks again, alone, for what was left out and is due. Returns true if something works again.
    pub(super) async fn retry(&mut self, node: &NodeConfig, parts: &mut Parts) -> Result<bool, NodeError> {
        let mut back = false;
        for sql in parts.due(Instant::now()) {
            match self.row(node, &parts.alone(sql)).await {
                Ok(_) => {
                    parts.works(sql.part);
                    back = true;
                }
                Err(Failure::Said(error)) => parts.failed(sql.part, error, Instant::now(), fastrand::f64()),
                Err(Failure::Broken(error)) => return Err(error),
            }
        }
        Ok(back)
    }

    /// Finds another way to tell the role of a server that does not allow `pg_is_in_recovery()`. Returns its answer.
    async fn find_role(&mut self, node: &NodeConfig, parts: &mut Parts) -> Result<Option<Row>, NodeError> {
        let role = |tells: Tells| format!("select {} as standby", tells.sql());
        let mut tells = match self.row(node, &role(Tells::Parameter)).await {
            Ok(_) => Some(Tells::Parameter),
            Err(Failure::Said(_)) => None,
            Err(Failure::Broken(error)) => return Err(error),
        };
        // Each of these works in one of the two states only.
        for (sql, works, fails) in [
            ("select pg_current_wal_lsn()", Role::Primary, Role::Standby),
            ("select pg_is_wal_replay_paused()", Role::Standby, Role::Primary),
        ] {
            if tells.is_some() {
                break;
            }
            tells = match self.row(node, sql).await {
                Ok(_) => Some(Tells::Shown(works)),
                Err(Failure::Said(error)) if error.sqlstate.as_deref() == Some(OTHER_STATE) => {
                    Some(Tells::Shown(fails))
                }
                Err(Failure::Said(_)) => None,
                Err(Failure::Broken(error)) => return Err(error),
            };
        }
        let Some(tells) = tells else { return Ok(None) };
        parts.tell_by(tells);
        match self.row(node, &role(tells)).await {
            Ok(row) => Ok(Some(row)),
            Err(Failure::Said(_)) => Ok(None),
            Err(Failure::Broken(error)) => Err(error),
        }
    }

    /// The answer to all parts that work, by a statement that stays prepared; `None` if nothing is left to ask.
    async fn prepared(&mut self, node: &NodeConfig, parts: &Parts) -> Result<Option<Row>, Failure> {
        let form = parts.form();
        if self.prepared.as_ref().is_none_or(|(of, _)| *of != form) {
            self.prepared = None;
            let Some(text) = parts.statement() else { return Ok(None) };
            let Self { client, driver, .. } = self;
            let statement = drive(client, driver, node, client.prepare(&text)).await?;
            self.prepared = Some((form, statement));
        }
        let Self { client, driver, prepared: Some((_, statement)), .. } = self else {
            return Err(Failure::Broken(error::given_up(&self.driver.heard, node)));
        };
        drive(client, driver, node, client.query_one(&*statement, &[])).await.map(Some)
    }

    /// What the server's configuration sets; `None` where the server does not tell.
    ///
    /// # Errors
    /// Only if the session cannot be used any more.
    pub(super) async fn configured(&mut self, node: &NodeConfig) -> Result<Option<Vec<Configured>>, NodeError> {
        let Self { client, driver, .. } = self;
        match drive(client, driver, node, client.query_typed(configured::CONFIGURED, &[])).await {
            Ok(rows) => Ok(configured::read(&rows).ok()),
            Err(Failure::Said(_)) => Ok(None),
            Err(Failure::Broken(error)) => Err(error),
        }
    }

    async fn row(&mut self, node: &NodeConfig, text: &str) -> Result<Row, Failure> {
        let Self { client, driver, .. } = self;
        drive(client, driver, node, client.query_typed_one(text, &[])).await
    }
}

/// Waits for an answer, and reads it, while moving the connection's bytes.
async fn drive<T>(
    client: &Client,
    driver: &mut Driver,
    node: &NodeConfig,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    let heard = Arc::clone(&driver.heard);
    // Pinned here and passed by reference: by value, the state of the whole round would exist twice.
    let answer = std::pin::pin!(answer);
    let failed = match timeout(PATIENCE, limited(&heard, OUR_ANSWERS, driver.until(answer))).await {
        Ok(Some(Ok(answer))) => return Ok(answer),
        Ok(Some(Err(failed))) => failed,
        Ok(None) => return Err(Failure::Broken(error::given_up(&heard, node))),
        Err(_) => return Err(Failure::Broken(error::no_answer(node, PATIENCE))),
    };
    let error = error::classify_with(&failed, &heard, node);
    let unprepared = error.sqlstate.as_deref().is_some_and(is_unprepared);
    let lives = failed.as_db_error().is_some() && !client.is_closed() && heard.fatal().is_none();
    Err(if lives && !unprepared { Failure::Said(error::of_ours(error)) } else { Failure::Broken(error) })
}
