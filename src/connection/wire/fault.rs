//! Why a connection is ended by us, or never came about: what the peer sent, or how securing the socket failed.

/// What a server sent that made us end the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the peer does not speak the PostgreSQL protocol ({0})")]
    NotPostgres(String),
    #[error("{what} of {} MB is larger than the limit of {} MB", length >> 20, kept >> 20)]
    TooLarge { what: &'static str, length: usize, kept: usize },
    #[error("the peer keeps sending data that was not requested")]
    Endless,
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
    #[error("{0}")]
    Io(#[from] std::io::Error),
}
