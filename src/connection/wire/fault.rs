//! Why a connection is ended by us, or never came about: what the peer sent, or how securing the socket failed.

use std::path::Path;

use crate::model::AuthMethod;

/// What a server sent that made us end the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the peer does not speak the PostgreSQL protocol ({0})")]
    NotPostgres(String),
    #[error("{what} of {} MB is larger than the limit of {} MB", length >> 20, kept >> 20)]
    TooLarge { what: &'static str, length: usize, kept: usize },
    #[error("the peer keeps sending data that was not requested")]
    Endless,
    #[error("the server asks for the authentication method {}, which is not allowed", .0.as_str())]
    Authentication(AuthMethod),
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The system's reason; empty if there is none.
    pub(crate) how: String,
    /// The TLS alert that the server sent.
    pub(crate) alert: Option<u8>,
}

/// Why a socket could not be secured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the server does not support TLS")]
    NotSupported,
    #[error("the peer does not speak the PostgreSQL protocol")]
    NotPostgres,
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Handshake(#[from] native_tls::Error),
    /// The handshake succeeded, but the server is not the right one.
    #[error("the server's certificate is not accepted")]
    Peer(PeerFault),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl TlsError {
    /// A file of the setting `what` that cannot be used.
    pub(crate) fn of_file(what: &str, path: &Path, why: &str) -> Self {
        Self::Certificate(format!("{what} {} cannot be used: {why}", path.display()))
    }
}

/// What is wrong with a server that has a certificate of a trusted authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerFault {
    /// It is for other names. Foreign text.
    WrongName { names: Vec<String>, common_name: Option<String> },
    /// It is revoked, or no list says that it is not: the result of the verification by code and text.
    Revocation { code: i32, text: String },
    /// It did not agree to speak PostgreSQL.
    NoAlpn,
    /// It cannot be read.
    Unchecked(String),
}

/// `ERR_LIB_SSL` of OpenSSL.
pub(crate) const LIBRARY_SSL: i32 = 20;

/// The number of the alert that a reason of OpenSSL stands for: what the peer sent.
pub(crate) fn alert_of_reason(reason: i32) -> Option<u8> {
    // SSL_AD_REASON_OFFSET.
    u8::try_from(reason.checked_sub(1000)?).ok()
}

/// The alert in an error of a stream with TLS. In TLS 1.3 a server judges our certificate after the handshake.
pub(crate) fn alert_of(error: &std::io::Error) -> Option<u8> {
    let error = error.get_ref()?.downcast_ref::<openssl::ssl::Error>()?;
    let errors = error.ssl_error()?.errors().iter().filter(|error| error.library_code() == LIBRARY_SSL);
    errors.map(openssl::error::Error::reason_code).find_map(alert_of_reason)
}
