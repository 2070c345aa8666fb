//! The way to a node's server: which addresses its host has, which of them answers first, and the socket to it.
//!
//! A name with several addresses is tried side by side (RFC 8305 in small): the next address 250 ms after the last one
//! or as soon as one fails, and the first TCP connection that opens is used. The others are dropped before they send
//! anything.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::net::sockopt;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Config, Connection, SimpleQueryMessage};
use tokio_util::either::Either;

use super::endpoint::Endpoint;
use super::tls::Connector;
use crate::config;
use crate::connection::error;
use crate::connection::tunnel::Tunnels;
use crate::connection::tunnel::stream::TunnelStream;
use crate::connection::wire::Wire;
use crate::model::{NodeConfig, NodeError, SessionAttrs};

/// How long one address may take before the next one is tried beside it.
const NEXT: Duration = Duration::from_millis(250);
/// The share of `connect_timeout` that the addresses of a name may take: less than all of it, so that the error can name
/// them.
const SHARE: f64 = 0.9;

/// How long a server that is not taken may take to close the connection.
const GOODBYE: Duration = Duration::from_millis(300);

/// A socket of any kind.
pub(crate) type Socket = Either<Either<TcpStream, UnixStream>, TunnelStream>;

/// Where a connection goes to.
#[derive(Debug, Clone)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// A node with one host and a tunnel.
    Tunnel(Endpoint),
}

impl Peer {
    /// Connects to the same place once more. Cancel-safe.
    pub(crate) async fn connect(&self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(address) => Either::Left(Either::Left(TcpStream::connect(address).await?)),
            Self::Unix(path) => Either::Left(Either::Right(UnixStream::connect(path).await?)),
            Self::Tunnel(endpoint) => Either::Right(endpoint.tunnel_stream().await.map_err(io::Error::other)?),
        })
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum DialError {
    Driver(tokio_postgres::Error),
    /// The server is not of the wanted kind (`target_session_attrs`).
    Unwanted(&'static str),
}

impl From<tokio_postgres::Error> for DialError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}

/// The way to one host.
pub(crate) struct Route {
    pub(crate) peer: Peer,
    /// An open socket; `None` if the driver is to open it, which it can where there is only one address.
    pub(crate) socket: Option<Socket>,
}

/// Finds the way to a node with one host, and tells the driver's `config`. Cancel-safe: dropping it closes what was
/// opened.
pub(crate) async fn find(
    node: &NodeConfig,
    tunnels: &Tunnels,
    attrs: SessionAttrs,
    config: &mut Config,
) -> Result<Route, NodeError> {
    if node.tunnel.is_some() {
        let endpoint = Endpoint::new(Arc::new(node.clone()), tunnels.clone());
        let stream = endpoint.tunnel_stream().await?;
        return Ok(Route { peer: Peer::Tunnel(endpoint), socket: Some(Either::Right(stream)) });
    }
    if node.is_unix_socket() {
        let path = socket_path(node);
        let stream = UnixStream::connect(&path).await.map_err(|error| error::of_io(&error, node, true))?;
        check_peer(node, &stream)?;
        return Ok(Route { peer: Peer::Unix(path), socket: Some(Either::Left(Either::Right(stream))) });
    }
    let addresses = addresses(node).await.map_err(|error| error::of_io(&error, node, true))?;
    if let [address] = addresses.as_slice()
        && attrs == SessionAttrs::Any
        && !is_scoped(address)
    {
        config.hostaddr(address.ip());
        return Ok(Route { peer: Peer::Tcp(*address), socket: None });
    }
    let within = node.pool.connect_timeout.mul_f64(SHARE);
    let (address, stream) = race(&addresses, within, TcpStream::connect)
        .await
        .map_err(|failed| error::of_addresses(&failed, node, within))?;
    set_options(&stream, config).map_err(|error| error::of_io(&error, node, true))?;
    Ok(Route { peer: Peer::Tcp(address), socket: Some(Either::Left(Either::Left(stream))) })
}

/// True if something listens at the node. Connects and sends nothing, so it costs the server no session. Cancel-safe.
pub(crate) async fn knock(node: &NodeConfig, within: Duration) -> bool {
    let hosts = node.by_host();
    let mut knocks: FuturesUnordered<_> = hosts.iter().map(|host| knock_host(host, within)).collect();
    while let Some(taken) = knocks.next().await {
        if taken {
            return true;
        }
    }
    false
}

async fn knock_host(node: &NodeConfig, within: Duration) -> bool {
    if node.is_unix_socket() {
        // An abstract socket has no path to knock at: only the backoff decides when to try it.
        let path = socket_path(node);
        return node.host.starts_with('/') && matches!(timeout(within, UnixStream::connect(path)).await, Ok(Ok(_)));
    }
    let knock = async {
        match addresses(node).await {
            Ok(addresses) => race(&addresses, within, TcpStream::connect).await.is_ok(),
            Err(_) => false,
        }
    };
    timeout(within, knock).await.unwrap_or(false)
}

/// The addresses of a node with one host, in the order in which they are tried.
async fn addresses(node: &NodeConfig) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = node.connect.hostaddr {
        return Ok(vec![SocketAddr::new(address, node.port)]);
    }
    let found: Vec<SocketAddr> = lookup_host((node.host.as_str(), node.port)).await?.collect();
    let found = interleaved(found);
    if found.is_empty() { Err(io::Error::other("failed to lookup address information: no address")) } else { Ok(found) }
}

/// The addresses in the system's order, but IPv6 and IPv4 in turn, so that a network without one of them costs one
/// delay only.
fn interleaved(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(found.len());
    for address in found {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let (first, second): (Vec<_>, Vec<_>) = unique.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::with_capacity(first.len() + second.len());
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return order;
        }
        order.extend(one.into_iter().chain(other));
    }
}

/// What became of each address that was tried: why it failed; `None` if it did not answer.
pub(crate) type Failed = Vec<(IpAddr, Option<io::Error>)>;

/// Opens the first address that answers, `within` that time.
async fn race<S, F: Future<Output = io::Result<S>>>(
    addresses: &[SocketAddr],
    within: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<(SocketAddr, S), Failed> {
    let mut waiting = addresses.iter().copied();
    let mut tried: Failed = Vec::new();
    let mut running = FuturesUnordered::new();
    let begin = |address: SocketAddr, at: usize| {
        let attempt = connect(address);
        async move { (address, at, attempt.await) }
    };
    let end = sleep(within);
    let mut end = std::pin::pin!(end);
    loop {
        if let Some(address) = waiting.next() {
            running.push(begin(address, tried.len()));
            tried.push((address.ip(), None));
        } else if running.is_empty() {
            return Err(tried);
        }
        tokio::select! {
            Some((address, at, opened)) = running.next() => match opened {
                Ok(stream) => return Ok((address, stream)),
                Err(error) => {
                    if let Some((_, reason)) = tried.get_mut(at) {
                        *reason = Some(error);
                    }
                }
            },
            // The next address is due.
            () = sleep(NEXT), if waiting.len() > 0 => {}
            () = &mut end => return Err(tried),
        }
    }
}

fn is_scoped(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(address) if address.scope_id() != 0)
}

/// `@` names an abstract socket, which is in no directory.
fn socket_path(node: &NodeConfig) -> PathBuf {
    let address = node.address();
    PathBuf::from(address.strip_prefix('@').map_or(address.clone(), |name| format!("\0{name}")))
}

/// `requirepeer`: the server at a unix socket must run as this account.
fn check_peer(node: &NodeConfig, stream: &UnixStream) -> Result<(), NodeError> {
    let Some(wanted) = &node.connect.require_peer else { return Ok(()) };
    let uid = stream.peer_cred().map_err(|error| error::of_io(&error, node, true))?.uid();
    let account = config::name_of_account(uid).unwrap_or_else(|| format!("the account {uid}"));
    if account == *wanted { Ok(()) } else { Err(error::wrong_peer(node, &account)) }
}

/// The options that the driver sets on the sockets that it opens itself.
fn set_options(stream: &TcpStream, config: &Config) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if let Some(user_timeout) = config.get_tcp_user_timeout() {
        sockopt::set_tcp_user_timeout(stream, u32::try_from(user_timeout.as_millis()).unwrap_or(u32::MAX))?;
    }
    if config.get_keepalives() {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, config.get_keepalives_idle())?;
        if let Some(interval) = config.get_keepalives_interval() {
            sockopt::set_tcp_keepintvl(stream, interval)?;
        }
        if let Some(count) = config.get_keepalives_retries() {
            sockopt::set_tcp_keepcnt(stream, count)?;
        }
    }
    Ok(())
}

/// Begins a session over an open socket. A server without the wanted attributes is refused.
///
/// The driver calls our [`Connector`] only on TCP, where it begins TLS directly: over a socket of ours it does so too.
pub(crate) async fn connect_raw(
    config: &Config,
    connector: Connector,
    socket: Socket,
    attrs: SessionAttrs,
) -> Result<(Client, Connection<Socket, Wire<Socket>>), DialError> {
    let (client, mut connection) = config.connect_raw(socket, connector).await?;
    if attrs == SessionAttrs::Any {
        return Ok((client, connection));
    }
    let (in_recovery, read_only) = kind_of(&client, &mut connection).await?;
    match attrs.refusal(in_recovery, read_only) {
        None => Ok((client, connection)),
        Some(why) => {
            drop(client);
            // The goodbye; in any case the socket is closed.
            let _ = timeout(GOODBYE, connection).await;
            Err(DialError::Unwanted(why))
        }
    }
}

/// Whether the server is in recovery, and whether its sessions are read-only by default.
async fn kind_of(
    client: &Client,
    connection: &mut Connection<Socket, Wire<Socket>>,
) -> Result<(bool, bool), tokio_postgres::Error> {
    let answer = client.simple_query(
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only')",
    );
    let mut answer = std::pin::pin!(answer);
    let rows = tokio::select! {
        biased;
        rows = &mut answer => rows?,
        // Then the answer holds the reason.
        _ = connection => answer.await?,
    };
    let on = |at: usize| {
        let cell = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(at).ok().flatten(),
            _ => None,
        });
        matches!(cell, Some("t" | "on"))
    };
    Ok((on(0), on(1)))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use tokio::task::JoinSet;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn families_take_turns() {
        let found = ["[::1]:1", "[::2]:1", "[::2]:1", "10.0.0.1:1", "[::3]:1", "10.0.0.2:1"].map(address);
        let order: Vec<String> = interleaved(found.to_vec()).iter().map(|address| address.ip().to_string()).collect();
        assert_eq!(order, ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]);
        assert_eq!(interleaved(Vec::new()), []);
    }

    /// What an address does, and after how many milliseconds.
    #[derive(Clone, Copy)]
    enum Does {
        Opens(u64),
        Refuses(u64),
        Nothing,
    }

    /// Races addresses that do this. Returns the port of the winner or the reasons, the milliseconds it took, and when
    /// each was begun.
    async fn raced(what: &[Does]) -> (Result<u16, Vec<String>>, u128, Vec<u128>) {
        let addresses: Vec<SocketAddr> =
            (1..=what.len()).map(|port| SocketAddr::new([127, 0, 0, 1].into(), port as u16)).collect();
        let began = tokio::time::Instant::now();
        let starts = Mutex::new(Vec::new());
        let connect = |address: SocketAddr| {
            starts.lock().unwrap().push(began.elapsed().as_millis());
            let does = what[usize::from(address.port()) - 1];
            async move {
                match does {
                    Does::Opens(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Ok(address.port())
                    }
                    Does::Refuses(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    Does::Nothing => std::future::pending().await,
                }
            }
        };
        let won = race(&addresses, Duration::from_secs(4), connect).await;
        let reason =
            |(_, error): (IpAddr, Option<io::Error>)| error.map_or("silent".to_owned(), |error| error.to_string());
        let won = won.map(|(_, port)| port).map_err(|failed| failed.into_iter().map(reason).collect());
        (won, began.elapsed().as_millis(), starts.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_that_answers_wins() {
        use Does::{Nothing, Opens, Refuses};
        assert_eq!(raced(&[Opens(10), Opens(1)]).await, (Ok(1), 10, vec![0]), "one is enough");
        assert_eq!(raced(&[Nothing, Opens(5)]).await, (Ok(2), 255, vec![0, 250]), "the first swallows packets");
        assert_eq!(raced(&[Refuses(3), Opens(5)]).await, (Ok(2), 8, vec![0, 3]), "the next one at once");
        assert_eq!(raced(&[Opens(300), Opens(100)]).await, (Ok(1), 300, vec![0, 250]), "the slower one goes on");
        assert_eq!(raced(&[Nothing, Refuses(1), Opens(1)]).await, (Ok(3), 252, vec![0, 250, 251]));
        assert_eq!(raced(&[Nothing, Nothing, Nothing, Opens(0)]).await.0, Ok(4));
        let refused = "connection refused".to_owned();
        assert_eq!(
            raced(&[Refuses(1), Refuses(1)]).await,
            (Err(vec![refused.clone(), refused.clone()]), 2, vec![0, 1])
        );
        let (failed, after, _) = raced(&[Nothing, Refuses(1)]).await;
        assert_eq!((failed, after), (Err(vec!["silent".to_owned(), refused]), 4000));
        assert_eq!(raced(&[]).await.0, Err(vec![]));
    }

    /// A listener whose queue is full swallows packets, as a dead machine does.
    #[tokio::test]
    async fn an_address_that_swallows_packets_delays_by_a_moment() {
        let full = socket_with_a_full_queue().await;
        let good = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [full.address, good.local_addr().unwrap()];
        let began = Instant::now();
        let (won, _) = race(&addresses, Duration::from_secs(20), TcpStream::connect).await.unwrap();
        assert_eq!(won, addresses[1]);
        assert!(began.elapsed() >= NEXT && began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[allow(dead_code, reason = "what is held keeps the queue full")]
    struct Full {
        address: SocketAddr,
        held: (tokio::net::TcpListener, Vec<TcpStream>, JoinSet<io::Result<TcpStream>>),
    }

    async fn socket_with_a_full_queue() -> Full {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(address("127.0.0.1:0")).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let (mut opened, mut attempts) = (Vec::new(), JoinSet::new());
        loop {
            attempts.spawn(TcpStream::connect(address));
            match timeout(Duration::from_millis(200), attempts.join_next()).await {
                Ok(taken) => opened.extend(taken.unwrap().unwrap()),
                // Its packets are swallowed.
                Err(_) => return Full { address, held: (listener, opened, attempts) },
            }
        }
    }
}
