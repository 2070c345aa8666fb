//! How one connection is opened: password, address, TLS, startup, settings, first answer, all under one deadline.

mod certificates;
pub(super) mod dial;
mod password;
pub(super) mod settings;
pub(super) mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, SimpleQueryMessage};

use super::error;
use super::wire::heard::Heard;
use super::wire::limit::{OUR_ANSWERS, limited};
use super::wire::sockets::Sockets;
use crate::model::{NodeConfig, NodeError, Role};
use dial::{DialError, Dialled, connect_unix, dial};
use tls::Connector;

pub use settings::SessionKind;

/// How long to wait for a server to take our goodbye, which is one write, and to close the connection.
pub(super) const GOODBYE: Duration = Duration::from_millis(300);

/// An open session that has answered. It says goodbye through [`Session::close`]; dropping it closes the socket
/// without a word, which a server that is idle takes as well.
#[derive(Debug)]
pub struct Session {
    pub client: Client,
    pub driver: Driver,
    pub connect_time: Duration,
    /// As the server prints it (`17.2`, `18beta1`).
    pub server_version: String,
    /// `server_version_num`, as in 170002; 0 where unknown.
    pub version_num: u32,
    pub role: Role,
    pub(super) dialled: Dialled,
}

impl Session {
    /// Ends the session and waits until the server has hung up, so that nothing of ours is left in its
    /// `pg_stat_activity`; no longer than `within`, after which the socket is closed anyhow.
    pub async fn close(self, within: Duration) {
        let Self { client, mut driver, .. } = self;
        drop(client);
        let end = async { while driver.next().await.is_some() {} };
        // Too late or not, the socket is closed when the driver is dropped.
        let _ = tokio::time::timeout(within, end).await;
    }
}

/// The half that moves the bytes: nothing happens on a session unless its driver is polled.
pub struct Driver {
    /// Never locked: the lock makes it shareable by reference, which futures that hold a session need.
    messages: Option<Mutex<Box<dyn Messages>>>,
    pub(super) heard: Arc<Heard>,
}

impl Driver {
    /// The next asynchronous message; an error, then `None`, is the end of the connection. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
        let messages = self.messages.as_mut()?.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = limited(&self.heard, u64::MAX, std::future::poll_fn(|cx| messages.poll(cx))).await.flatten();
        if !matches!(next, Some(Ok(_))) {
            self.messages = None;
        }
        next
    }

    /// Waits for an answer of the client while moving the bytes.
    pub(super) async fn until<T>(
        &mut self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                message = self.next() => match message {
                    Some(Ok(_)) => {}
                    // The answer ends with the connection: it knows why.
                    Some(Err(_)) | None => return answer.await,
                },
            }
        }
    }

    /// Drives the connection until it ends with an error; the client knows of every other end.
    async fn end(&mut self) -> tokio_postgres::Error {
        loop {
            match self.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => std::future::pending().await,
            }
        }
    }

    /// Moves the bytes of a session whose client was dropped until it has sent its goodbye and the socket is closed; no
    /// longer than [`GOODBYE`].
    pub(super) async fn goodbye(&mut self) {
        let closed = async { while let Some(Ok(_)) = self.next().await {} };
        drop(tokio::time::timeout(GOODBYE, closed).await);
    }

    /// Why the connection ended, as far as the server said before it hung up.
    pub fn reason(&self, node: &NodeConfig) -> Option<NodeError> {
        error::reason(&self.heard, node)
    }

    /// What `error` of this session's client or driver means.
    pub fn explain(&self, error: &tokio_postgres::Error, node: &NodeConfig) -> NodeError {
        error::classify_with(error, &self.heard, node)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("ended", &self.messages.is_none()).finish_non_exhaustive()
    }
}

/// A connection of whatever stream.
trait Messages: Send {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>>;
}

impl<S, T> Messages for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> {
        self.poll_message(cx)
    }
}

/// Opens a session. The whole attempt is bounded by `node.pool.connect_timeout`. Cancel-safe: dropping it closes
/// what was opened.
///
/// # Errors
/// Why not, sorted; kind `timeout` where nothing answered in time.
pub async fn open(node: &NodeConfig, kind: SessionKind) -> Result<Session, NodeError> {
    let within = node.pool.connect_timeout;
    let attempt = Box::pin(open_unbounded(node, kind));
    tokio::time::timeout(within, attempt).await.unwrap_or_else(|_| Err(error::no_answer(node, within)))
}

async fn open_unbounded(node: &NodeConfig, kind: SessionKind) -> Result<Session, NodeError> {
    let started = Instant::now();
    let sockets = Sockets::default();
    let (dialled, (client, connection)) = dial(node, kind, &sockets, &AtomicBool::new(false), connect).await?;
    let mut driver = Driver { messages: Some(Mutex::new(connection)), heard: Arc::clone(&dialled.heard) };
    let answer = tokio::select! {
        // The driver first: its own error says more than what is left for whoever asks the client.
        biased;
        error = driver.end() => Some(Err(error)),
        answer = limited(&dialled.heard, OUR_ANSWERS, first_answer(&client, &dialled)) => answer,
    };
    let answer = answer.ok_or_else(|| error::given_up(&dialled.heard, node))?;
    let (version_num, role) = answer.map_err(|error| error::classify_with(&error, &dialled.heard, node))?;
    let server_version = dialled.heard.server_version().unwrap_or_default();
    Ok(Session { client, driver, connect_time: started.elapsed(), server_version, version_num, role, dialled })
}

/// Version and role: the first round trip. The session's last setting travels along.
async fn first_answer(client: &Client, dialled: &Dialled) -> Result<(u32, Role), tokio_postgres::Error> {
    let ask = client.simple_query("SELECT current_setting('server_version_num'), pg_is_in_recovery()");
    let ((), rows) = futures_util::future::join(dialled.settle(client), ask).await;
    let rows = rows?;
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    // What is missing, or is no text, is not known: `get` would panic.
    let text = |column| row.and_then(|row| row.try_get(column).ok().flatten());
    let version = text(0).and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok((version, if text(1) == Some("t") { Role::Standby } else { Role::Primary }))
}

type Opened = (Client, Box<dyn Messages>);

async fn connect(config: Config, connector: Connector, socket: Option<PathBuf>) -> Result<Opened, DialError> {
    if let Some(path) = socket {
        let (client, connection) = connect_unix(&config, connector, path).await?;
        return Ok((client, Box::new(connection)));
    }
    let (client, connection) = config.connect(connector).await?;
    Ok((client, Box::new(connection)))
}
