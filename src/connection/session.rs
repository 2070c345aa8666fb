//! How one connection is opened: password, address, TLS, startup, settings, first answer, all under one deadline.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Connection, SimpleQueryMessage};

use super::heard::{Heard, Sockets};
use super::tls::{self, Connector, Encryption};
use super::{error, password, settings};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, Secret};

pub use super::settings::Purpose;

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
    heard: Arc<Heard>,
}

impl Driver {
    /// The next asynchronous message; an error, then `None`, is the end of the connection. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
        let messages = self.messages.as_mut()?.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = std::future::poll_fn(|cx| messages.poll(cx)).await;
        if !matches!(next, Some(Ok(_))) {
            self.messages = None;
        }
        next
    }

    /// Drives the connection until it ends with an error.
    async fn end(&mut self) -> tokio_postgres::Error {
        loop {
            match self.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                // Ended in order, which it does only after its client was dropped.
                None => std::future::pending().await,
            }
        }
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
pub async fn open(node: &NodeConfig, purpose: Purpose) -> Result<Session, NodeError> {
    let within = node.pool.connect_timeout;
    let attempt = Box::pin(open_unbounded(node, purpose));
    tokio::time::timeout(within, attempt).await.unwrap_or_else(|_| Err(error::no_answer(node, within)))
}

async fn open_unbounded(node: &NodeConfig, purpose: Purpose) -> Result<Session, NodeError> {
    let started = Instant::now();
    let sockets = Sockets::default();
    let (link, (client, connection)) = dial(node, purpose, &sockets, &AtomicBool::new(false), connect).await?;
    let mut driver = Driver { messages: Some(Mutex::new(connection)), heard: Arc::clone(&link.heard) };
    let answer = tokio::select! {
        // The driver first: its own error says more than what is left for whoever asks the client.
        biased;
        error = driver.end() => Err(error),
        answer = first_answer(&client, &link) => answer,
    };
    let (version_num, role) = answer.map_err(|error| error::classify_with(&error, &link.heard, node))?;
    let server_version = link.heard.server_version().unwrap_or_default();
    Ok(Session { client, driver, connect_time: started.elapsed(), server_version, version_num, role })
}

/// Version and role: the first round trip. The session's last setting travels along.
async fn first_answer(client: &Client, link: &Link) -> Result<(u32, Role), tokio_postgres::Error> {
    let ask = client.simple_query("SELECT current_setting('server_version_num'), pg_is_in_recovery()");
    let ((), rows) = futures_util::future::join(link.settle(client), ask).await;
    let rows = rows?;
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let text = |column| row.and_then(|row| row.get(column));
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

/// The driver begins TLS directly, and so reaches our [`Connector`], on TCP alone: a unix socket is opened here.
pub(super) async fn connect_unix(
    config: &Config,
    connector: Connector,
    path: PathBuf,
) -> Result<(Client, Connection<UnixStream, super::wire::Wire<UnixStream>>), DialError> {
    let stream = UnixStream::connect(path).await.map_err(DialError::Socket)?;
    Ok(config.connect_raw(stream, connector).await?)
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum DialError {
    Driver(tokio_postgres::Error),
    Socket(std::io::Error),
}

impl From<tokio_postgres::Error> for DialError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}

/// What belongs to an open connection beside its client: how to understand its end, and how to cancel on it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) heard: Arc<Heard>,
    /// A pooler stands before the server and takes no settings: what a session sets there, another's may inherit.
    pub(crate) pooled: bool,
    connector: Connector,
    socket: Option<PathBuf>,
}

impl Link {
    /// Sets what only a server of a version takes, now that the version is known.
    pub(crate) async fn settle(&self, client: &Client) {
        if let Some(statement) = self.late_settings() {
            // A platform may not have it; the session is good without.
            let _ = client.batch_execute(statement).await;
        }
    }

    pub(crate) fn late_settings(&self) -> Option<&'static str> {
        if self.pooled { None } else { settings::late(self.heard.server_version().as_deref()) }
    }

    /// Tells the server to stop working on what the session asked. Says whether the server could be told.
    pub(crate) async fn cancel(&self, token: CancelToken, within: Duration) -> bool {
        let connector = self.connector.for_cancel();
        let tell = async {
            match &self.socket {
                Some(path) => match UnixStream::connect(path).await {
                    Ok(stream) => token.cancel_query_raw(stream, connector).await.is_ok(),
                    Err(_) => false,
                },
                None => token.cancel_query(connector).await.is_ok(),
            }
        };
        tokio::time::timeout(within, tell).await.unwrap_or(false)
    }
}

/// Makes the attempts that the node's `sslmode` allows, and one more without settings where a pooler refuses them,
/// which `pooled` remembers. `connect` makes one attempt.
pub(super) async fn dial<T, F, A>(
    node: &NodeConfig,
    purpose: Purpose,
    sockets: &Sockets,
    pooled: &AtomicBool,
    connect: F,
) -> Result<(Link, T), NodeError>
where
    F: Fn(Config, Connector, Option<PathBuf>) -> A,
    A: Future<Output = Result<T, DialError>>,
{
    let password = password::look_up(node).await?;
    let mut options = (!pooled.load(Ordering::Relaxed)).then(|| settings::startup(node, purpose));
    let mut attempts = tls::attempts(node).iter().peekable();
    let mut earlier: Option<NodeError> = None;
    let socket = node.is_unix_socket().then(|| socket_path(node));
    while let Some(&encryption) = attempts.peek() {
        let connector = Connector::new(node, *encryption, sockets.clone());
        let link = Link {
            heard: Arc::clone(connector.heard()),
            pooled: options.is_none(),
            connector: connector.clone(),
            socket: socket.clone(),
        };
        let config = config(node, password.as_ref(), options.as_deref());
        let error = match connect(config, connector, socket.clone()).await {
            Ok(opened) => return Ok((link, opened)),
            Err(DialError::Driver(error)) => error::classify_with(&error, &link.heard, node),
            Err(DialError::Socket(error)) => error::of_io(&error, node, true),
        };
        if options.is_some() && refuses_options(&error) {
            options = None;
            pooled.store(true, Ordering::Relaxed);
            continue;
        }
        attempts.next();
        if attempts.peek().is_none() || !may_differ(&error) {
            return Err(match earlier {
                Some(earlier) if earlier.message != error.message => both(&earlier, error, *encryption),
                _ => error,
            });
        }
        earlier = Some(error);
    }
    Err(earlier.unwrap_or_else(|| NodeError::new(ErrorKind::Internal, "no attempt was made")))
}

/// Whether the other way, with or without TLS, may be let in: not where only the password was wrong.
fn may_differ(error: &NodeError) -> bool {
    error.kind == ErrorKind::Tls || error.sqlstate.as_deref() == Some("28000")
}

fn both(earlier: &NodeError, error: NodeError, last: Encryption) -> NodeError {
    let (first, second) = if last == Encryption::Plain { ("with", "without") } else { ("without", "with") };
    let message = format!("{second} TLS: {}; {first} TLS: {}", error.message, earlier.message);
    NodeError { message, ..error }
}

/// PgBouncer (08P01), and whatever else stands before a server and wants no settings (42704 and the like are faults
/// of ours that must not keep anybody from connecting).
fn refuses_options(error: &NodeError) -> bool {
    match error.sqlstate.as_deref() {
        Some("08P01") => error.message.contains("parameter") || error.message.contains("options"),
        Some("42704" | "22023" | "0A000") => true,
        _ => false,
    }
}

/// `@` names a socket that is in no directory.
fn socket_path(node: &NodeConfig) -> PathBuf {
    let address = node.address();
    PathBuf::from(address.strip_prefix('@').map_or(address.clone(), |name| format!("\0{name}")))
}

fn config(node: &NodeConfig, password: Option<&Secret>, options: Option<&str>) -> Config {
    let mut config = Config::new();
    config
        .host(&node.host)
        .port(node.port)
        .dbname(&node.database)
        .user(&node.user)
        .application_name("pgwatch")
        // "Begin TLS at once": which is where our connector takes over and does what the node's own mode says.
        .ssl_mode(SslMode::Require)
        .ssl_negotiation(SslNegotiation::Direct)
        // A link that was cut is noticed by the system too, should nothing of ours be waiting on it.
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(15));
    if let Some(password) = password {
        config.password(password.expose());
    }
    if let Some(options) = options {
        config.options(options);
    }
    config
}
