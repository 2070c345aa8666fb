//! The attempts of one connect: with the node's password, address and `sslmode`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::{CancelToken, Client, Config, Connection};

use super::password;
use super::settings::{Server, SessionKind};
use super::tls::{self, Connector, Encryption};
use crate::connection::error;
use crate::connection::wire::Wire;
use crate::connection::wire::heard::Heard;
use crate::connection::wire::limit::{OUR_ANSWERS, limited};
use crate::connection::wire::sockets::Sockets;
use crate::model::{self, ErrorKind, NodeConfig, NodeError, Secret};

/// How long a server may take to receive a cancel request, and to obey it.
pub(crate) const CANCEL: Duration = Duration::from_secs(1);

/// The driver calls our [`Connector`] only on TCP, where it begins TLS directly. So we open a unix socket ourselves.
pub(crate) async fn connect_unix(
    config: &Config,
    connector: Connector,
    path: PathBuf,
) -> Result<(Client, Connection<UnixStream, Wire<UnixStream>>), DialError> {
    let stream = UnixStream::connect(path).await.map_err(DialError::Socket)?;
    Ok(config.connect_raw(stream, connector).await?)
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum DialError {
    Driver(tokio_postgres::Error),
    Socket(std::io::Error),
}

impl From<tokio_postgres::Error> for DialError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Driver(error)
    }
}

/// What an open connection needs besides its client: what it takes to explain its end, and to cancel on it.
#[derive(Debug, Clone)]
pub(crate) struct Dialled {
    pub(crate) heard: Arc<Heard>,
    /// True if the session does not keep what is set, because a pooler hands out the server's processes: a setting that
    /// outlives its transaction would be another client's. So is it until the first answer.
    pub(crate) behind_pooler: bool,
    connector: Connector,
    socket: Option<PathBuf>,
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

    /// Asks the server to stop the session's statement, `within` this time. Returns true if the request was delivered.
    /// Cancel-safe: dropping it abandons the request.
    pub(crate) async fn cancel(&self, token: CancelToken, within: Duration) -> bool {
        let connector = self.connector.for_cancel();
        let send = async {
            match &self.socket {
                Some(path) => match UnixStream::connect(path).await {
                    Ok(stream) => token.cancel_query_raw(stream, connector).await.is_ok(),
                    Err(_) => false,
                },
                None => token.cancel_query(connector).await.is_ok(),
            }
        };
        tokio::time::timeout(within, send).await.unwrap_or(false)
    }
}

/// Makes the attempts that the node's `sslmode` allows. `connect` makes one of them. Cancel-safe if `connect` is.
pub(crate) async fn dial<T, F, A>(
    node: &NodeConfig,
    kind: SessionKind,
    sockets: &Sockets,
    connect: F,
) -> Result<(Dialled, T), NodeError>
where
    F: Fn(Config, Connector, Option<PathBuf>) -> A,
    A: Future<Output = Result<T, DialError>>,
{
    let found = password::look_up(node).await?;
    let mut attempts = tls::attempts(node).iter().peekable();
    let mut earlier: Option<NodeError> = None;
    let socket = node.is_unix_socket().then(|| socket_path(node));
    while let Some(&encryption) = attempts.peek() {
        let connector = Connector::new(node, *encryption, sockets.clone(), kind.limits());
        let dialled = Dialled {
            heard: Arc::clone(connector.heard()),
            behind_pooler: true,
            connector: connector.clone(),
            socket: socket.clone(),
        };
        let config = config(node, found.password.as_ref());
        tracing::debug!(node = %node.name, address = %node.address(), purpose = ?kind, ?encryption, "connecting");
        let error = match limited(&dialled.heard, OUR_ANSWERS, connect(config, connector, socket.clone())).await {
            Some(Ok(opened)) => {
                dialled.heard.is_ours(node.address());
                return Ok((dialled, opened));
            }
            Some(Err(DialError::Driver(error))) => found.explain(error::classify_with(&error, &dialled.heard, node)),
            Some(Err(DialError::Socket(error))) => error::of_io(&error, node, true),
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

/// `@` names an abstract socket, which is in no directory.
fn socket_path(node: &NodeConfig) -> PathBuf {
    let address = node.address();
    PathBuf::from(address.strip_prefix('@').map_or(address.clone(), |name| format!("\0{name}")))
}

/// The startup packet says who we are, and nothing that a pooler may refuse or that a trigger of the login would feel:
/// settings follow (`settings.rs`).
fn config(node: &NodeConfig, password: Option<&Secret>) -> Config {
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
        // The system also notices a broken connection, in case nothing of ours is waiting on it.
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(15));
    config.channel_binding(match node.tls.channel_binding {
        model::ChannelBinding::Disable => ChannelBinding::Disable,
        model::ChannelBinding::Prefer => ChannelBinding::Prefer,
        model::ChannelBinding::Require => ChannelBinding::Require,
    });
    if let Some(password) = password {
        config.password(password.bytes());
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
        let connect = async |config: Config, connector: Connector, _| {
            config.connect(connector).await.map(drop).map_err(DialError::from)
        };
        node.tls.mode = Mode::Require;
        node.tls.channel_binding = model::ChannelBinding::Require;
        dial(&node, SessionKind::Test, &Sockets::default(), connect).await.unwrap();
        node.tls.mode = Mode::Disable;
        let error = dial(&node, SessionKind::Test, &Sockets::default(), connect).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Authentication);
        assert!(error.message.contains("did not use channel binding"), "{error:?}");
    }
}
