//! The sessions of a pool: how bb8 opens one, when it discards one, and one that is checked out.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bb8::ManageConnection;
use bb8_postgres::PostgresConnectionManager;
use tokio::sync::watch;
use tokio_postgres::{Client, Config};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::error;
use crate::connection::session::dial::{Dialled, dial};
use crate::connection::session::endpoint::Endpoint;
use crate::connection::session::route::{DialError, Socket, connect_raw};
use crate::connection::session::settings::SessionKind;
use crate::connection::session::tls::Connector;
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::connection::wire::sockets::Sockets;
use crate::model::{ErrorKind, NodeError, SessionAttrs};

/// The type of bb8's pool for our sessions.
pub(crate) type Pool = bb8::Pool<Manager>;

/// Opens the sessions of one pool. Each gets a [`PostgresConnectionManager`] of its own, since password and
/// certificates are looked up again each time.
#[derive(Debug)]
pub(crate) struct Manager {
    node: Arc<Endpoint>,
    sockets: Sockets,
    tasks: TaskTracker,
    /// Cancelled when the pool is discarded: bb8 must not open another session for it.
    retired: CancellationToken,
}

/// A session of the pool.
#[derive(Debug)]
pub(crate) struct PooledSession {
    pub(crate) client: Client,
    pub(crate) dialled: Dialled,
    /// True if the session must not be used again: it is closed when it is given back.
    discard: AtomicBool,
}

impl PooledSession {
    pub(crate) fn discard(&self) {
        self.discard.store(true, Ordering::Relaxed);
    }
}

impl Manager {
    pub(crate) fn new(node: Arc<Endpoint>, sockets: Sockets, tasks: TaskTracker, retired: CancellationToken) -> Self {
        Self { node, sockets, tasks, retired }
    }

    async fn open(&self) -> Result<PooledSession, NodeError> {
        let connect = |config: Config, connector: Connector, socket: Option<Socket>, attrs: SessionAttrs| {
            let tasks = self.tasks.clone();
            async move {
                let Some(socket) = socket else {
                    return Ok(PostgresConnectionManager::new(config, connector).connect().await?);
                };
                let (client, connection) = connect_raw(&config, connector, socket, attrs).await?;
                tasks.spawn(connection);
                Ok::<_, DialError>(client)
            }
        };
        let (mut dialled, client) = dial(&self.node, SessionKind::Query, &self.sockets, connect).await?;
        let heard = Arc::clone(&dialled.heard);
        match limited(&heard, OUR_ANSWERS, dialled.open(&client, &self.node, SessionKind::Query)).await {
            Some(Ok(_)) => Ok(PooledSession { client, dialled, discard: AtomicBool::new(false) }),
            Some(Err(error)) => Err(error::classify_with(&error, &heard, &self.node)),
            None => Err(error::given_up(&heard, &self.node)),
        }
    }
}

impl ManageConnection for Manager {
    type Connection = PooledSession;
    type Error = NodeError;

    async fn connect(&self) -> Result<PooledSession, NodeError> {
        let within = self.node.pool.connect_timeout;
        let attempt = tokio::time::timeout(within, Box::pin(self.open()));
        match self.retired.run_until_cancelled(attempt).await {
            Some(Ok(opened)) => opened,
            Some(Err(_)) => Err(error::no_answer(&self.node, within)),
            None => Err(NodeError::new(ErrorKind::NotConnected, format!("{} is not connected", self.node.name))),
        }
    }

    /// Never called by our pool: the check would cost one round trip per checkout, and we notice an ended session
    /// without it.
    async fn is_valid(&self, session: &mut PooledSession) -> Result<(), NodeError> {
        let asked = session.client.simple_query("").await;
        asked.map(drop).map_err(|error| error::classify_with(&error, &session.dialled.heard, &self.node))
    }

    fn has_broken(&self, session: &mut PooledSession) -> bool {
        session.discard.load(Ordering::Relaxed) || session.client.is_closed() || self.retired.is_cancelled()
    }
}

/// Takes the errors of connects for which no caller waits. Those of a discarded pool are dropped.
#[derive(Debug, Clone)]
pub(crate) struct ErrorsTo {
    pub(crate) errors: watch::Sender<Option<NodeError>>,
    pub(crate) retired: CancellationToken,
}

impl bb8::ErrorSink<NodeError> for ErrorsTo {
    fn sink(&self, error: NodeError) {
        if !self.retired.is_cancelled() {
            self.errors.send_replace(Some(error));
        }
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<NodeError>> {
        Box::new(self.clone())
    }
}

/// A session that is checked out. Dropping it gives it back, unless it is broken or was marked `discard`.
pub(crate) struct Checkout {
    session: bb8::PooledConnection<'static, Manager>,
    /// How many sessions are checked out.
    active: Arc<AtomicU32>,
}

impl Checkout {
    pub(crate) fn new(session: bb8::PooledConnection<'static, Manager>, active: &Arc<AtomicU32>) -> Self {
        active.fetch_add(1, Ordering::Relaxed);
        session.dialled.heard.works_for_user(true);
        Self { session, active: Arc::clone(active) }
    }
}

impl Deref for Checkout {
    type Target = PooledSession;

    fn deref(&self) -> &PooledSession {
        &self.session
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        self.session.dialled.heard.works_for_user(false);
        self.active.fetch_sub(1, Ordering::Relaxed);
    }
}
