//! A failure as people and programs see it: a kind from a closed list, a message, and a remedy.

use std::fmt;

use serde::Serialize;

/// Kind of a failure. Programs rely on the names (`machine output` in the README), so they are never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The connection was refused: no server listens there.
    Refused,
    /// There was no answer in time.
    Timeout,
    /// The host name was not resolved.
    HostNotFound,
    /// There is no route to the host.
    Unreachable,
    /// The tunnel before the server is down, so the server was not reached.
    Tunnel,
    /// TLS failed: no TLS, a wrong certificate, no common version.
    Tls,
    /// The server did not accept the role or its password.
    Authentication,
    /// The role lacks a right.
    Permission,
    /// The database does not exist.
    NoDatabase,
    /// The server, the database or the role has reached its limit of connections.
    TooManyConnections,
    /// The server is starting up or recovering.
    StartingUp,
    /// The server is shutting down.
    ShuttingDown,
    /// Somebody ended our session (`pg_terminate_backend`, an administrator command).
    Terminated,
    /// A connection that was open broke.
    ConnectionLost,
    /// The statement took longer than its time limit.
    StatementTimeout,
    /// A lock was not granted within `lock_timeout`.
    LockTimeout,
    /// The user cancelled the statement.
    Cancelled,
    /// The statement writes, and the session is read-only.
    ReadOnly,
    /// Any other error of a statement; the SQLSTATE says which.
    Sql,
    /// Our own pool was full.
    Busy,
    /// The node is not connected, or no node has that name.
    NotConnected,
    /// The configuration of the node is wrong or cannot be used.
    Config,
    /// Anything else: what answers is no PostgreSQL server, or pgwatch itself is at fault.
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
            Self::Tunnel => "tunnel",
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

    /// True if this is how a living server rejects a connection.
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

/// A failure of one node. Serialised, it is the `error` object of the machine output.
///
/// `message` and `hint` may hold text of a server: make it safe before it reaches a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeError {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// The server's SQLSTATE, where the server reported the failure.
    pub sqlstate: Option<String>,
    /// What happened, for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl NodeError {
    /// A failure without SQLSTATE and hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, sqlstate: None, message: message.into(), hint: None }
    }

    /// The same with something to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// True if the question fails until a person acts: a missing right, or a statement that does not fit the server. A
    /// conflict, a shortage, a timeout, a fault of the system and whatever a function raises may be over in a second.
    pub fn is_lasting(&self) -> bool {
        match self.sqlstate.as_deref() {
            Some(code) if matches!(self.kind, ErrorKind::Permission | ErrorKind::Sql) => {
                // Syntax or access rule, feature not supported, no such schema.
                code.starts_with("42") || matches!(code, "0A000" | "3F000")
            }
            Some(_) => false,
            // What we ourselves say: a role, an extension or a size of rows that will be the same in a second.
            None => matches!(self.kind, ErrorKind::Permission | ErrorKind::Sql),
        }
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
    fn as_str_is_the_serialised_form() {
        for kind in [ErrorKind::HostNotFound, ErrorKind::TooManyConnections, ErrorKind::Sql, ErrorKind::ReadOnly] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }
}
