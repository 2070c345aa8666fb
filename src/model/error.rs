//! A failure as people and programs see it: a kind out of a closed list, a text, and a remedy.

use std::fmt;

use serde::Serialize;

/// Kind of a failure. The names are a promise to programs (`machine output` in the README): never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    Refused,
    Timeout,
    HostNotFound,
    Unreachable,
    Tls,
    Authentication,
    Permission,
    NoDatabase,
    TooManyConnections,
    StartingUp,
    ShuttingDown,
    /// Our backend was ended by somebody (`pg_terminate_backend`, an administrator).
    Terminated,
    ConnectionLost,
    StatementTimeout,
    LockTimeout,
    Cancelled,
    ReadOnly,
    /// Any other error of a statement; the SQLSTATE says which.
    Sql,
    /// Our own pool was full.
    Busy,
    NotConnected,
    Config,
    Internal,
}

impl ErrorKind {
    /// The word that programs read; the same as its serialised form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::HostNotFound => "host_not_found",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::NoDatabase => "no_database",
            Self::TooManyConnections => "too_many_connections",
            Self::StartingUp => "starting_up",
            Self::ShuttingDown => "shutting_down",
            Self::Terminated => "terminated",
            Self::ConnectionLost => "connection_lost",
            Self::StatementTimeout => "statement_timeout",
            Self::LockTimeout => "lock_timeout",
            Self::Cancelled => "cancelled",
            Self::ReadOnly => "read_only",
            Self::Sql => "sql",
            Self::Busy => "busy",
            Self::NotConnected => "not_connected",
            Self::Config => "config",
            Self::Internal => "internal",
        }
    }

    /// True if the server itself gives this answer to a connection that it does not accept: the server is alive.
    pub fn is_server_refusal(self) -> bool {
        matches!(
            self,
            Self::TooManyConnections
                | Self::StartingUp
                | Self::ShuttingDown
                | Self::Authentication
                | Self::NoDatabase
                | Self::Permission
        )
    }
}

/// One failure of one node. Serialises to the `error` object of the machine output.
///
/// `message` and `hint` may hold text of a server: make it safe before it reaches a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeError {
    pub kind: ErrorKind,
    pub sqlstate: Option<String>,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl NodeError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, sqlstate: None, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_str_is_what_is_serialised() {
        for kind in [ErrorKind::HostNotFound, ErrorKind::TooManyConnections, ErrorKind::Sql, ErrorKind::ReadOnly] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }
}
