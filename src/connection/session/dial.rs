//! The attempts of one connect: at each host, with the node's password and `sslmode`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::{CancelToken, Config};

use super::endpoint::Endpoint;
use super::password;
use super::route::{self, DialError, Peer, Route, Socket};
use super::settings::{Server, SessionKind};
use super::tls::{self, Connector, Encryption};
use crate::connection::error;
use crate::connection::tunnel::Tunnels;
use crate::connection::wire::heard::Heard;
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::connection::wire::sockets::Sockets;
use crate::model::{self, ErrorKind, NodeConfig, NodeError, Secret, SessionAttrs};

/// How long a server may take to receive a cancel request, and to obey it.
pub(crate) const CANCEL: Duration = Duration::from_secs(1);

/// What an open connection needs besides its client: what it takes to explain its end, and to cancel on it.
#[derive(Debug, Clone)]
pub(crate) struct Dialled {
    pub(crate) heard: Arc<Heard>,
    /// True if the session does not keep what is set, because a pooler hands out the server's processes: a setting that
    /// outlives its transaction would be another client's. So is it until the first answer.
    pub(crate) behind_pooler: bool,
    connector: Connector,
    peer: Peer,
}

impl Dialled {
    /// What the settings of the session depend on.
    pub(crate) fn server(&self) -> Server {
        Server::of(&self.heard)
    }

    /// Takes in which process of the server answered first, and whether the next transaction still had the settings.
    pub(super) fn found(&mut self, address: String, pid: Option<i32>, has_settings: bool) {
        let named = pid.is_some() && pid == self.heard.pid();
        self.behind_pooler = !(named && has_settings);
        // A server that does not tell the process may still be the one that the login named.
        if let (true, Some(pid)) = (self.behind_pooler, pid) {
            self.heard.is_lent(address, pid);
        }
    }

    /// The address that the session is connected to; `None` for a unix socket, and through a tunnel.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.peer {
            Peer::Tcp(address) => Some(address),
            Peer::Unix(_) | Peer::Tunnel(_) => None,
        }
    }

    /// Asks the server to stop the session's statement, `within` this time. Returns true if the request was delivered.
    /// Cancel-safe: dropping it abandons the request.
    pub(crate) async fn cancel(&self, token: CancelToken, within: Duration) -> bool {
        let connector = self.connector.for_cancel();
        // The very server of the session: its name may lead to another one by now.
        let send = async {
            match self.peer.connect().await {
                Ok(socket) => token.cancel_query_raw(socket, connector).await.is_ok(),
                Err(_) => false,
            }
        };
        tokio::time::timeout(within, send).await.unwrap_or(false)
    }
}

/// Tries the hosts of a node in order until one of them is reached, as libpq does: one that answers and does not want us
/// ends it. All but the last have a share of `connect_timeout` each. `connect` makes one attempt. Cancel-safe if
/// `connect` is.
pub(crate) async fn dial<T, F, A>(
    node: &Endpoint,
    kind: SessionKind,
    sockets: &Sockets,
    connect: F,
) -> Result<(Dialled, T), NodeError>
where
    F: Fn(Config, Connector, Option<Socket>, SessionAttrs) -> A,
    A: Future<Output = Result<T, DialError>>,
{
    if let Some(why) = node.connect.unmet.first() {
        return Err(error::unmet(node, why));
    }
    let mut hosts = node.by_host();
    if node.connect.random_order {
        fastrand::shuffle(&mut hosts);
    }
    let wanted: &[SessionAttrs] = match node.connect.session_attrs {
        SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
        ref attrs => std::slice::from_ref(attrs),
    };
    let mut turns: Vec<(SessionAttrs, &NodeConfig)> = Vec::with_capacity(hosts.len() * wanted.len());
    for attrs in wanted {
        turns.extend(hosts.iter().map(|host| (*attrs, &**host)));
    }
    let share = node.pool.connect_timeout / u32::try_from(turns.len()).unwrap_or(1).max(1);
    let last = turns.len() - 1;
    let mut failed = Vec::new();
    for (turn, (attrs, host)) in turns.into_iter().enumerate() {
        let began = Instant::now();
        let attempt = Box::pin(dial_host(host, node.tunnels(), attrs, kind, sockets, &connect));
        let opened = if turn == last {
            attempt.await
        } else {
            tokio::time::timeout(share, attempt).await.unwrap_or_else(|_| Err(error::no_answer(host, share)))
        };
        match opened {
            Ok((dialled, opened)) => {
                dialled.heard.is_ours(node.address());
                return Ok((dialled, opened));
            }
            Err(error) => {
                let error = node.tunnels().explain(host, began, error).await;
                let ends = !error::leads_to_next_host(&error);
                failed.push(error);
                if ends {
                    break;
                }
            }
        }
    }
    Err(error::of_hosts(failed, node))
}

/// Makes the attempts that the `sslmode` of a node with one host allows. Cancel-safe if `connect` is.
async fn dial_host<T, F, A>(
    node: &NodeConfig,
    tunnels: &Tunnels,
    attrs: SessionAttrs,
    kind: SessionKind,
    sockets: &Sockets,
    connect: &F,
) -> Result<(Dialled, T), NodeError>
where
    F: Fn(Config, Connector, Option<Socket>, SessionAttrs) -> A,
    A: Future<Output = Result<T, DialError>>,
{
    let found = password::look_up(node).await?;
    let mut attempts = tls::attempts(node).iter().peekable();
    let mut earlier: Option<NodeError> = None;
    while let Some(&encryption) = attempts.peek() {
        let connector = Connector::new(node, *encryption, sockets.clone(), kind.limits());
        let mut config = config(node, found.password.as_ref());
        tracing::debug!(node = %node.name, address = %node.address(), purpose = ?kind, ?encryption, "connecting");
        let Route { peer, socket } = route::find(node, tunnels, attrs, &mut config).await?;
        let dialled =
            Dialled { heard: Arc::clone(connector.heard()), behind_pooler: true, connector: connector.clone(), peer };
        let error = match limited(&dialled.heard, OUR_ANSWERS, connect(config, connector, socket, attrs)).await {
            Some(Ok(opened)) => return Ok((dialled, opened)),
            Some(Err(DialError::Driver(error))) => found.explain(error::classify_with(&error, &dialled.heard, node)),
            Some(Err(DialError::Unwanted(why))) => error::unwanted(node, attrs, why),
            None => error::given_up(&dialled.heard, node),
        };
        tracing::debug!(node = %node.name, purpose = ?kind, kind = ?error.kind, error = ?error.message, "no connection");
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

/// True if the server may accept the other way, with or without TLS: not if only the password was wrong.
fn may_differ(error: &NodeError) -> bool {
    error.kind == ErrorKind::Tls || error.sqlstate.as_deref() == Some("28000")
}

fn both(earlier: &NodeError, error: NodeError, last: Encryption) -> NodeError {
    let (first, second) = if last == Encryption::Plain { ("with", "without") } else { ("without", "with") };
    let message = format!("{second} TLS: {}; {first} TLS: {}", error.message, earlier.message);
    NodeError { message, ..error }
}

/// The startup packet says who we are and has the `options` of the user. It has nothing of ours that a pooler may refuse
/// or that a trigger of the login would feel: settings follow (`settings.rs`).
fn config(node: &NodeConfig, password: Option<&Secret>) -> Config {
    let tcp = &node.connect.tcp;
    let mut config = Config::new();
    config
        .host(&node.host)
        .port(node.port)
        .dbname(&node.database)
        .user(&node.user)
        .application_name("pgwatch")
        // `Direct` makes the driver call our connector at once, which then does what the node's own mode says.
        .ssl_mode(SslMode::Require)
        .ssl_negotiation(SslNegotiation::Direct)
        // The system also notices a broken connection, in case nothing of ours is waiting on it: after 15 s, as the server
        // does. By then it has asked five times, since one packet of an idle session may be lost.
        .keepalives(tcp.keepalives.unwrap_or(true))
        .keepalives_idle(tcp.keepalives_idle.unwrap_or(Duration::from_secs(10)))
        .keepalives_interval(tcp.keepalives_interval.unwrap_or(Duration::from_secs(1)))
        .keepalives_retries(tcp.keepalives_count.unwrap_or(5))
        .tcp_user_timeout(tcp.user_timeout.unwrap_or(Duration::from_secs(15)));
    config.channel_binding(match node.tls.channel_binding {
        model::ChannelBinding::Disable => ChannelBinding::Disable,
        model::ChannelBinding::Prefer => ChannelBinding::Prefer,
        model::ChannelBinding::Require => ChannelBinding::Require,
    });
    if let Some(password) = password {
        config.password(password.bytes());
    }
    if let Some(options) = &node.connect.options {
        config.options(options);
    }
    config
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::X509;

    use super::*;
    use crate::demo::Cluster;
    use crate::model::SslMode as Mode;

    /// With a `TCP_USER_TIMEOUT`, Linux gives up once it is over and the last question is unanswered, whatever the number of
    /// questions is meant to be.
    #[test]
    fn one_lost_packet_ends_no_idle_session() {
        let name = crate::model::NodeName::parse("n").unwrap();
        let config = config(&NodeConfig::new(name, "db"), None);
        let (idle, timeout) = (config.get_keepalives_idle(), *config.get_tcp_user_timeout().unwrap());
        let interval = config.get_keepalives_interval().unwrap();
        assert_eq!(idle + interval * 5, timeout);
        assert_eq!(config.get_keepalives_retries(), Some(5));
    }

    /// A session that insists on SCRAM-SHA-256-PLUS opens over our stream, and only over the stream's own TLS.
    #[tokio::test]
    async fn scram_is_bound_to_the_tls_channel() {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut cert = X509::builder().unwrap();
        cert.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        cert.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        cert.set_pubkey(&key).unwrap();
        cert.sign(&key, MessageDigest::sha256()).unwrap();
        let cluster = Cluster::builder()
            .config("ssl", "on")
            .config("ssl_cert_file", "server.crt")
            .config("ssl_key_file", "server.key")
            .file("server.crt", cert.build().to_pem().unwrap())
            .file("server.key", key.private_key_to_pem_pkcs8().unwrap())
            .start()
            .unwrap();
        let mut node = cluster.primary().node_config();
        let connect = async |config: Config, connector: Connector, _, _| {
            config.connect(connector).await.map(drop).map_err(DialError::from)
        };
        node.tls.mode = Mode::Require;
        node.tls.channel_binding = model::ChannelBinding::Require;
        dial(&node.clone().into(), SessionKind::Test, &Sockets::default(), connect).await.unwrap();
        node.tls.mode = Mode::Disable;
        let error = dial(&node.clone().into(), SessionKind::Test, &Sockets::default(), connect).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Authentication);
        assert!(error.message.contains("did not use channel binding"), "{error:?}");
    }
}
