//! The connection over which a node is asked for its figures. A statement is asked whole while it works. When the server
//! answers with an error, its parts are asked for alone, once: those that fail are left out from then on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

use super::configured;
use super::parts::{Form, Parts, Tells};
use super::sql::Answer;
use super::told::Told;
use crate::connection::error;
use crate::connection::error::sqlstate::is_unprepared;
use crate::connection::session::dial::Dialled;
use crate::connection::session::endpoint::Endpoint;
use crate::connection::session::settings::OWN_STATEMENT;
use crate::connection::session::{self, Driver, GOODBYE, SessionKind};
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::model::facts::{Configured, Part, Pooling};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role};

/// How long to wait for an answer before giving up the statement and its connection. The session's own statement
/// timeout is shorter; this is for a server that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for a session that is to show how a pooler hands out the server's processes.
const RIVAL: Duration = Duration::from_millis(500);
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
    pub(super) dialled: Dialled,
    /// Whether another session was there in time, to compare the processes of both.
    compared: Option<bool>,
    /// The prepared statement and the form of its text.
    prepared: Option<(Form, Statement)>,
    pub(super) version: (String, u32),
    /// What the server warned of at the login.
    pub(super) warnings: Vec<String>,
    /// True while the server owes an answer.
    pub(super) busy: bool,
}

impl FactsSession {
    /// `prepares`: false if a prepared statement was gone once. Then a pooler is in between.
    pub(super) async fn open(node: &Endpoint, prepares: bool) -> Result<Self, NodeError> {
        let mut session = session::open_to(node, SessionKind::Poll).await?;
        session.dialled.behind_pooler |= !prepares;
        let version = (session.server_version, session.version_num);
        Ok(Self {
            client: session.client,
            driver: session.driver,
            dialled: session.dialled,
            compared: None,
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
        let asked = if keep && !self.dialled.behind_pooler {
            self.prepared(node, parts).await
        } else if let Some(text) = parts.statement() {
            self.row(node, &text).await.map(Some)
        } else {
            Ok(None)
        };
        match asked {
            Ok(None) => self.each(node, parts, None).await,
            Ok(Some(told)) => Ok(Answered { answer: Answer(vec![told]), whole: None }),
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
    async fn find_role(&mut self, node: &NodeConfig, parts: &mut Parts) -> Result<Option<Told>, NodeError> {
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
    async fn prepared(&mut self, node: &NodeConfig, parts: &Parts) -> Result<Option<Told>, Failure> {
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
        let row = drive(client, driver, node, client.query_one(&*statement, &[])).await?;
        Ok(Some(Told::Row(row)))
    }

    /// How a pooler hands out the server's processes, as far as it has shown.
    pub(super) async fn pooling(&mut self, node: &NodeConfig) -> Option<Pooling> {
        let heard = Arc::clone(&self.dialled.heard);
        if heard.pooling() == Some(Pooling::Session) {
            if self.compared.is_none() {
                self.compared = Some(self.open_rival(node).await);
            }
            if self.compared == Some(false) {
                return Some(Pooling::Unknown);
            }
        }
        heard.pooling()
    }

    /// Opens another session for a moment. Behind a pooler it has the process of this one, which is idle, unless that is
    /// kept for this session. Returns true if it was there in time.
    async fn open_rival(&self, node: &NodeConfig) -> bool {
        match timeout(RIVAL, Box::pin(session::open(node, SessionKind::Test))).await {
            Ok(Ok(rival)) => {
                rival.close(GOODBYE).await;
                true
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Opens a transaction and ends it, which shows whether a pooler takes one of several messages. If not, it ends the
    /// session.
    ///
    /// # Errors
    /// If the session cannot be used any more.
    pub(super) async fn open_block(&mut self, node: &NodeConfig) -> Result<(), NodeError> {
        let Self { client, driver, .. } = self;
        let block = async {
            client.batch_execute("BEGIN").await?;
            client.batch_execute("ROLLBACK").await
        };
        match drive(client, driver, node, block).await {
            Ok(()) | Err(Failure::Said(_)) => Ok(()),
            Err(Failure::Broken(error)) => Err(error),
        }
    }

    /// What the server's configuration sets; `None` where the server does not tell.
    ///
    /// # Errors
    /// Only if the session cannot be used any more.
    pub(super) async fn configured(&mut self, node: &NodeConfig) -> Result<Option<Vec<Configured>>, NodeError> {
        match self.rows(node, configured::CONFIGURED).await {
            Ok(rows) => Ok(configured::read(&rows)),
            Err(Failure::Said(_)) => Ok(None),
            Err(Failure::Broken(error)) => Err(error),
        }
    }

    /// The first row.
    async fn row(&mut self, node: &NodeConfig, text: &str) -> Result<Told, Failure> {
        let rows = self.rows(node, text).await?;
        rows.into_iter().next().ok_or_else(|| Failure::Said(NodeError::new(ErrorKind::Sql, "the answer has no row")))
    }

    async fn rows(&mut self, node: &NodeConfig, text: &str) -> Result<Vec<Told>, Failure> {
        if self.dialled.behind_pooler {
            return self.whole(node, text).await;
        }
        let Self { client, driver, .. } = self;
        let rows = drive(client, driver, node, client.query_typed(text, &[])).await?;
        Ok(rows.into_iter().map(Told::Row).collect())
    }

    /// Asks in one message with all that the statement depends on, which is a transaction of its own.
    async fn whole(&mut self, node: &NodeConfig, text: &str) -> Result<Vec<Told>, Failure> {
        let knows_process = self.dialled.heard.pooling().is_some();
        let process = if knows_process { "pg_backend_pid()" } else { "null" };
        let statement = format!("select row_to_json(told), {process} from ({text}) told");
        let message = self.dialled.message(SessionKind::Poll, OWN_STATEMENT, &statement);
        let Self { client, driver, dialled, .. } = self;
        let messages = drive(client, driver, node, client.simple_query(&message)).await?;
        let mut told = Vec::new();
        for message in &messages {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let cell = |at| row.try_get(at).ok().flatten();
            if let Some(pid) = cell(1).and_then(|pid| pid.parse().ok()) {
                dialled.heard.answered_by(pid);
            }
            told.extend(cell(0).and_then(|row| serde_json::from_str(row).ok()).map(Told::Json));
        }
        Ok(told)
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
    let lives = error::is_said(&failed, client, &heard);
    Err(if lives && !unprepared { Failure::Said(error::of_ours(error)) } else { Failure::Broken(error) })
}
