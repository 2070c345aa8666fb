//! libpq's `sslmode` in practice: which attempts a mode allows, and how each of them secures its socket.
//!
//! The driver is set to begin TLS directly, so that every TCP connection passes through our [`Connector`]: it asks the
//! server for TLS itself, as the mode says, and returns a [`Wire`] with or without TLS below it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::certificates;
use super::settings::SessionKind;
use crate::connection::wire::allowance::Limits;
use crate::connection::wire::fault::TlsError;
use crate::connection::wire::heard::Heard;
use crate::connection::wire::metered::Metered;
use crate::connection::wire::sockets::Sockets;
use crate::connection::wire::{Secured, Transport, Wire};
use crate::model::{NodeConfig, SslMode, TlsConfig};

/// How one attempt uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    Plain,
    /// TLS if the server offers it.
    IfOffered,
    Required,
}

/// The attempts that a node's mode allows, in order: a later one is made only if the server refused the former because
/// of its encryption. `require` and the `verify` modes never fall back. Unix sockets never use TLS.
pub(crate) fn attempts(node: &NodeConfig) -> &'static [Encryption] {
    if node.is_unix_socket() {
        return &[Encryption::Plain];
    }
    match node.tls.mode {
        SslMode::Disable => &[Encryption::Plain],
        SslMode::Allow => &[Encryption::Plain, Encryption::Required],
        SslMode::Prefer => &[Encryption::IfOffered, Encryption::Plain],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Encryption::Required],
    }
}

/// Makes the [`Wire`] of each connection of one attempt.
#[derive(Clone)]
pub(crate) struct Connector {
    encryption: Encryption,
    tls: TlsConfig,
    host: String,
    heard: Arc<Heard>,
    cancels: bool,
    sockets: Sockets,
}

impl Connector {
    pub(crate) fn new(node: &NodeConfig, encryption: Encryption, sockets: Sockets, limits: Limits) -> Self {
        let heard = Heard::new(limits);
        heard.require_auth(node.connect.require_auth.clone());
        Self { encryption, tls: node.tls.clone(), host: node.host.clone(), heard, cancels: false, sockets }
    }

    /// A connector for a connection that carries a cancel request: secured in the same way, with a [`Heard`] of its
    /// own.
    pub(crate) fn for_cancel(&self) -> Self {
        let heard = Heard::new(SessionKind::Test.limits());
        Self { heard, cancels: true, sockets: Sockets::default(), ..self.clone() }
    }

    pub(crate) fn heard(&self) -> &Arc<Heard> {
        &self.heard
    }

    async fn secure<S>(self, socket: S) -> Result<Wire<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = self.sockets.open(&self.heard);
        let mut socket = Metered::new(socket, Arc::clone(&self.heard));
        let begins = match self.encryption {
            Encryption::Plain => false,
            Encryption::IfOffered | Encryption::Required => self.tls.direct || offers_tls(&mut socket).await?,
        };
        let transport = if begins {
            let trust = certificates::trust(&self.tls)?;
            let connector = tokio_native_tls::TlsConnector::from(trust.connector.clone());
            let stream: Secured<S> = connector.connect(&self.host, BufReader::new(socket)).await?;
            trust.check(stream.get_ref(), &self.host)?;
            if self.tls.cert.is_some() {
                self.heard.showed_certificate();
            }
            Transport::Tls(Box::new(stream))
        } else if self.encryption == Encryption::Required {
            return Err(TlsError::NotSupported);
        } else {
            Transport::Plain(socket)
        };
        Ok(Wire::new(transport, self.heard, self.cancels, open))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("encryption", &self.encryption)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Sends `SSLRequest` and reads the single byte that answers it, so that an attacker cannot insert bytes before TLS.
async fn offers_tls<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S) -> Result<bool, TlsError> {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    socket.write_all(&SSL_REQUEST).await?;
    match socket.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(TlsError::NotPostgres),
    }
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Wire<S>;
    type TlsConnect = Self;
    type Error = TlsError;

    fn make_tls_connect(&mut self, _host: &str) -> Result<Self, TlsError> {
        Ok(self.clone())
    }
}

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Wire<S>;
    type Error = TlsError;
    type Future = Pin<Box<dyn Future<Output = Result<Wire<S>, TlsError>> + Send>>;

    fn connect(self, socket: S) -> Self::Future {
        Box::pin(self.secure(socket))
    }
}
