//! What our sessions set, and how: in the startup packet, which costs no round trip and defines what `DISCARD
//! ALL` restores.
//!
//! A pooler such as PgBouncer refuses most settings. Then the session sets nothing: with transaction pooling, a `SET`
//! would remain on a connection that other programs use next. Statements of the user are still guarded there, by `BEGIN
//! READ ONLY` and `SET LOCAL` around each.

use std::time::Duration;

use crate::connection::wire::allowance::Limits;
use crate::model::NodeConfig;
use crate::model::protocol::QueryRequest;

/// What a session is for. It decides what the session sets and how much its server may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// The health loop's own connection.
    Probe,
    /// The figures of the server.
    Poll,
    /// Views, for screens and for rules of alerts.
    View,
    /// Statements of the user.
    Query,
    /// The form's connection test.
    Test,
}

impl SessionKind {
    /// How much the server may send. The answers to our own statements have a few kilobytes; a result of the user's
    /// statement may have 64 MB, and a single row may be that large. Apart from rows, notices arrive: a function may
    /// raise many, and they are not kept.
    pub(crate) fn limits(self) -> Limits {
        match self {
            Self::Query => Limits { row: QueryRequest::MAX_BYTES + (1 << 20), answer: 4 << 20, rows_are_wanted: true },
            // Rows of a view beyond its limits are cut where they are collected.
            Self::View => Limits { row: 4 << 20, answer: 4 << 20, rows_are_wanted: true },
            Self::Probe | Self::Poll | Self::Test => {
                Limits { row: 64 << 10, answer: 256 << 10, rows_are_wanted: false }
            }
        }
    }
}

/// Our own statements take milliseconds; one that takes longer than this is stuck.
const OWN_STATEMENT: Duration = Duration::from_secs(5);
/// Our own statements only read catalogs: if a catalog is locked, that is maintenance.
const OWN_LOCK: Duration = Duration::from_millis(500);
/// How long a statement of the user may wait for a lock, since others queue after it.
const USER_LOCK: Duration = Duration::from_secs(10);
/// We never leave a transaction open for longer than a round trip.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);

/// How long a server waits before it checks whether an idle client is still there, and between two checks. If the
/// network cut us off, the server then ends our session after about twice `IDLE`; otherwise it would keep an idle
/// session for hours. The number of checks is left to the server's system, since not every system can set it.
const IDLE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);
/// The `options` of the startup packet. A statement of the user has no `statement_timeout` here: it gets the time of
/// its batch when it runs ([`before_statement`]).
pub(crate) fn startup(node: &NodeConfig, kind: SessionKind) -> String {
    let query = kind == SessionKind::Query;
    let lock = if query { USER_LOCK } else { OWN_LOCK };
    let mut options = format!(
        "-c DateStyle=ISO -c idle_in_transaction_session_timeout={} -c lock_timeout={} \
         -c tcp_keepalives_idle={} -c tcp_keepalives_interval={}",
        IDLE_IN_TRANSACTION.as_millis(),
        lock.as_millis(),
        IDLE.as_secs(),
        AGAIN.as_secs()
    );
    if !query || node.is_read_only() {
        options += " -c default_transaction_read_only=on";
    }
    if !query {
        // A role may have others as its default: a standby takes no serializable transaction, and a deferrable one waits.
        options += " -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off";
        options += " -c search_path=pg_catalog -c statement_timeout=";
        options += &OWN_STATEMENT.as_millis().to_string();
    }
    options
}

/// Settings of newer servers only, since a server refuses a startup packet with a setting it does not know: from
/// version 12 on a server gives up an answer that the client does not take, from 14 on it also ends a statement whose
/// client is gone. A database of `SQL_ASCII` may hold any bytes, and one that is not UTF-8 would fail the whole statement:
/// there they are sent as they are.
pub(crate) fn late(server_version: Option<&str>, server_encoding: Option<&str>) -> Option<String> {
    let digits = server_version.and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next());
    let major = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0_u32);
    let settings = [
        (major >= 12, "SET tcp_user_timeout = '15s'"),
        (major >= 14, "SET client_connection_check_interval = '1s'"),
        (server_encoding == Some("SQL_ASCII"), "SET client_encoding = 'SQL_ASCII'"),
    ];
    let made: Vec<&str> = settings.into_iter().filter_map(|(needed, text)| needed.then_some(text)).collect();
    (!made.is_empty()).then(|| made.join("; "))
}

/// What a session for views sets in addition: the server's work for us stays in one process, uses no temporary files
/// and is not compiled; with 10,000 tables, compiling takes longer than the catalog queries themselves. A backslash in a
/// text, the digits of a number and the quotes around a name are the same whatever the role has as its default. Set after
/// the start, so that `pg_settings.reset_val` is still the server's own value. Version 10 does not know `jit`.
pub(crate) fn of_views(major: u32) -> &'static str {
    const SETTINGS: &str = "SET work_mem = '32MB'; SET max_parallel_workers_per_gather = 0; \
                            SET standard_conforming_strings = on; SET extra_float_digits = 3; SET quote_all_identifiers = off";
    const AND_JIT: &str = "SET work_mem = '32MB'; SET max_parallel_workers_per_gather = 0; \
                           SET standard_conforming_strings = on; SET extra_float_digits = 3; SET quote_all_identifiers = off; \
                           SET jit = off";
    if major >= 11 { AND_JIT } else { SETTINGS }
}

/// What runs before a statement of the user, in one message: a read-only transaction if the node is read-only, and a
/// time limit slightly longer than the batch's own, in case the cancel request gets lost. In whole seconds, because
/// each text is an entry of its own in the server's `pg_stat_statements`.
pub(crate) fn before_statement(node: &NodeConfig, behind_pooler: bool, timeout: Duration) -> String {
    let timeout = (timeout.as_secs() + 3).min(86_400);
    let lock = USER_LOCK.as_millis();
    match (node.is_read_only(), behind_pooler) {
        (true, false) => format!("BEGIN READ ONLY; SET LOCAL statement_timeout = '{timeout}s'"),
        (true, true) => format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = '{timeout}s'; SET LOCAL lock_timeout = {lock}; \
             SET LOCAL DateStyle = 'ISO'"
        ),
        (false, false) => format!("SET statement_timeout = '{timeout}s'"),
        // Nothing may remain on the connection, and the statement may be one that cannot run inside a transaction
        // block.
        (false, true) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    #[test]
    fn sessions_are_read_only_unless_the_user_said_otherwise() {
        let mut node = NodeConfig::new(NodeName::parse("n").unwrap(), "h");
        assert!(startup(&node, SessionKind::Query).contains("default_transaction_read_only=on"));
        node.read_only = Some(false);
        assert!(!startup(&node, SessionKind::Query).contains("read_only"));
        assert!(startup(&node, SessionKind::Probe).contains("default_transaction_read_only=on"));
        assert!(startup(&node, SessionKind::Poll).contains("search_path=pg_catalog"));
        let isolation = "default_transaction_isolation=read\\ committed";
        assert!(startup(&node, SessionKind::Probe).contains(isolation), "a role's default may be serializable");
        assert!(!startup(&node, SessionKind::Query).contains("isolation"), "the user's own statements keep it");
        assert!(startup(&node, SessionKind::Query).contains("tcp_keepalives_idle=10"), "a client that was cut off");
        assert!(!startup(&node, SessionKind::Query).contains("search_path"));
    }

    #[test]
    fn late_settings_depend_on_the_version() {
        let sets = |version, name| late(Some(version), Some("UTF8")).is_some_and(|text| text.contains(name));
        assert_eq!((late(Some("11.22"), None), late(Some("9.6.24"), Some("LATIN1"))), (None, None));
        assert_eq!(late(Some("11.22"), Some("SQL_ASCII")).as_deref(), Some("SET client_encoding = 'SQL_ASCII'"));
        for (version, check) in [("12.1", false), ("13.14", false), ("14.0", true), ("18beta1", true)] {
            assert!(sets(version, "tcp_user_timeout"), "{version}");
            assert_eq!(sets(version, "client_connection_check_interval"), check, "{version}");
        }
        assert_eq!(late(None, None), None);
    }
}
