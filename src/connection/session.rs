//! Opens a connection: password, address, TLS, startup, settings and first answer, with one deadline for all of it.

mod certificates;
pub(super) mod dial;
pub(super) mod endpoint;
mod opening;
mod password;
pub(super) mod rights;
pub(super) mod route;
mod server_certificate;
pub(super) mod settings;
pub(super) mod tls;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection};

use super::error;
use super::wire::heard::Heard;
use super::wire::limit::{OUR_ANSWERS, limited};
use super::wire::sockets::Sockets;
use crate::model::view::Version;
use crate::model::{NodeConfig, NodeError, Role, SessionAttrs};
use dial::{Dialled, dial};
use endpoint::Endpoint;
use opening::First;
use route::{DialError, Socket};
use tls::Connector;

pub use settings::SessionKind;

/// How long a server may take to read our goodbye, which is one write, and to close the connection.
pub(super) const GOODBYE: Duration = Duration::from_millis(300);

/// An open session that has answered once. [`Session::close`] says goodbye; dropping it closes the socket without that,
/// which an idle server accepts as well.
#[derive(Debug)]
pub struct Session {
    /// Sends statements. Its futures complete only while the driver is polled.
    pub client: Client,
    /// Moves the bytes of the session.
    pub driver: Driver,
    /// Time from the beginning of the attempt, password lookup included, to the first answer.
    pub connect_time: Duration,
    /// As the server prints it (`17.2`, `18beta1`).
    pub server_version: String,
    /// `server_version_num`, as in 170002; 0 if unknown.
    pub version_num: u32,
    /// The server's role when the session was opened; `None` if it does not tell.
    pub role: Option<Role>,
    /// What the server warned of at the login, such as a password that expires soon. Foreign text.
    pub warnings: Vec<String>,
    pub(super) dialled: Dialled,
}

impl Session {
    /// Ends the session and waits until the server has closed the connection, so that nothing of ours is left in its
    /// `pg_stat_activity`. After `within` the socket is closed anyway. Cancel-safe: dropping it closes the socket.
    pub async fn close(self, within: Duration) {
        let Self { client, mut driver, .. } = self;
        drop(client);
        let end = async { while driver.next().await.is_some() {} };
        // In any case the socket is closed when the driver is dropped.
        let _ = tokio::time::timeout(within, end).await;
    }
}

/// The half of a session that moves its bytes: nothing happens unless the driver is polled.
pub struct Driver {
    /// Never locked: the mutex makes the box `Sync`, which futures that hold a session need.
    messages: Option<Mutex<Box<dyn Messages>>>,
    pub(super) heard: Arc<Heard>,
}

impl Driver {
    /// The next asynchronous message. An error, then `None`, is the end of the connection. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
        let messages = self.messages.as_mut()?.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = limited(&self.heard, u64::MAX, std::future::poll_fn(|cx| messages.poll(cx))).await.flatten();
        if !matches!(next, Some(Ok(_))) {
            self.messages = None;
        }
        next
    }

    /// Waits for an answer of the client while moving the bytes. Cancel-safe if `answer` is.
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
                    // When the connection ends, so does the answer, which holds the reason.
                    Some(Err(_)) | None => return answer.await,
                },
            }
        }
    }

    /// Drives the connection until it ends with an error. Every other end is reported by the client.
    async fn end(&mut self) -> tokio_postgres::Error {
        loop {
            match self.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => std::future::pending().await,
            }
        }
    }

    /// For a session whose client was dropped: moves the bytes until the goodbye is sent and the socket is closed, but
    /// not longer than [`GOODBYE`].
    pub(super) async fn goodbye(&mut self) {
        let closed = async { while let Some(Ok(_)) = self.next().await {} };
        drop(tokio::time::timeout(GOODBYE, closed).await);
    }

    /// Why the connection ended, if the server sent the reason before it closed the connection.
    pub fn reason(&self, node: &NodeConfig) -> Option<NodeError> {
        error::reason(&self.heard, node)
    }

    /// Sorts an error of this session's client or driver.
    pub fn explain(&self, error: &tokio_postgres::Error, node: &NodeConfig) -> NodeError {
        error::classify_with(error, &self.heard, node)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("ended", &self.messages.is_none()).finish_non_exhaustive()
    }
}

/// A connection over any stream.
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

/// Opens a session, at the latest after `node.pool.connect_timeout`. Cancel-safe: dropping it closes what was opened.
///
/// # Errors
/// The reason, sorted; [`ErrorKind::Timeout`](crate::model::ErrorKind::Timeout) if nothing answered in time.
pub async fn open(node: &NodeConfig, kind: SessionKind) -> Result<Session, NodeError> {
    open_to(&node.clone().into(), kind).await
}

/// [`open`] for a node of a manager, whose tunnels it shares.
pub(super) async fn open_to(node: &Endpoint, kind: SessionKind) -> Result<Session, NodeError> {
    let within = node.pool.connect_timeout;
    let logged_in = AtomicBool::new(false);
    let attempt = Box::pin(open_unbounded(node, kind, &logged_in));
    tokio::time::timeout(within, attempt).await.unwrap_or_else(|_| {
        Err(if logged_in.load(Ordering::Relaxed) {
            error::no_answer_after_login(node, within)
        } else {
            error::no_answer(node, within)
        })
    })
}

/// The same, however long it takes. `logged_in` becomes true when the login is over and the first answer is waited for.
pub(super) async fn open_unbounded(
    node: &Endpoint,
    kind: SessionKind,
    logged_in: &AtomicBool,
) -> Result<Session, NodeError> {
    let started = Instant::now();
    let sockets = Sockets::default();
    let (mut dialled, (client, connection)) = dial(node, kind, &sockets, connect).await?;
    logged_in.store(true, Ordering::Relaxed);
    let heard = Arc::clone(&dialled.heard);
    let mut driver = Driver { messages: Some(Mutex::new(connection)), heard: Arc::clone(&heard) };
    let answer = tokio::select! {
        // The driver first: its own error says more than the one that the client returns.
        biased;
        error = driver.end() => Some(Err(error)),
        answer = limited(&heard, OUR_ANSWERS, dialled.open(&client, node, kind)) => answer,
    };
    let answer = answer.ok_or_else(|| error::given_up(&heard, node))?;
    let First { version_num, role } = answer.map_err(|error| error::classify_with(&error, &heard, node))?;
    let server_version = heard.server_version().unwrap_or_default();
    let version_num = version_num.or_else(|| number(&server_version)).unwrap_or(0);
    let warnings = heard.warnings();
    Ok(Session {
        client,
        driver,
        connect_time: started.elapsed(),
        server_version,
        version_num,
        role,
        warnings,
        dialled,
    })
}

/// The number of a version as servers print it: 150004 of `15.4`.
fn number(version: &str) -> Option<u32> {
    let Version(major, minor) = Version::parse(version)?;
    major.checked_mul(10_000)?.checked_add(minor)
}

type Opened = (Client, Box<dyn Messages>);

async fn connect(
    config: Config,
    connector: Connector,
    socket: Option<Socket>,
    attrs: SessionAttrs,
) -> Result<Opened, DialError> {
    if let Some(socket) = socket {
        let (client, connection) = route::connect_raw(&config, connector, socket, attrs).await?;
        return Ok((client, Box::new(connection)));
    }
    let (client, connection) = config.connect(connector).await?;
    Ok((client, Box::new(connection)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_version_is_read_from_what_platforms_print() {
        for (version, expected) in [
            ("17.2", Some(170_002)),
            ("19devel", Some(190_000)),
            ("15.3.0", Some(150_003)),
            ("11.2-YB-2.20.0.0-b0", Some(110_002)),
            ("13.0.0", Some(130_000)),
            ("12.12", Some(120_012)),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(number(version), expected, "{version}");
        }
    }
}
