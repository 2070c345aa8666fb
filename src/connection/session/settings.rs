//! What our sessions set, and how it is kept away from other programs.
//!
//! Nothing is set in the startup packet: a pooler may refuse it, and a trigger of the login would run under it. Everything
//! comes in the first message after the login ([`opening`]), by a statement that holds for the session only if the process
//! that answers is the one that the login named. Behind a pooler it is another one, and the settings end with their
//! transaction. There, each statement of ours is one message that begins with what it depends on ([`of_transaction`]), and
//! those of the user are guarded by `BEGIN READ ONLY` and `SET LOCAL` ([`before_statement`]).

use std::fmt::Write as _;
use std::time::Duration;

use crate::connection::wire::allowance::Limits;
use crate::connection::wire::heard::Heard;
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

    /// True if its statements may run for long: they are to end when their client is gone.
    fn may_run_long(self) -> bool {
        matches!(self, Self::View | Self::Query)
    }
}

/// The version and encoding of a server, on which its settings depend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server {
    /// 0 if it does not tell.
    major: u32,
    /// True if the database is of `SQL_ASCII`: it may hold any bytes, and one that is not UTF-8 would fail the whole
    /// statement. There they are sent as they are.
    any_bytes: bool,
}

impl Server {
    pub(crate) fn of(heard: &Heard) -> Self {
        Self::new(heard.server_version().as_deref(), heard.server_encoding().as_deref())
    }

    fn new(version: Option<&str>, encoding: Option<&str>) -> Self {
        let digits = version.and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next());
        let major = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Self { major, any_bytes: encoding == Some("SQL_ASCII") }
    }
}

/// The first version that knows a setting.
type Since = u32;
/// The oldest version that is supported. A server that does not tell its version is given what that knows.
const OLDEST: Since = 10;
type Settings = &'static [(&'static str, &'static str, Since)];

/// Our own statements only read catalogs: a lock that is held there is maintenance.
const LOCK: &str = "500ms";
/// How long a statement of the user may wait for a lock, since others queue after it.
const USER_LOCK: &str = "10s";
/// We never leave a transaction open for longer than a round trip.
const IDLE_IN_TRANSACTION: &str = "30s";
/// Our own statements take milliseconds; one that takes longer than this is stuck. That of a view has its own time.
pub(crate) const OWN_STATEMENT: Duration = Duration::from_secs(5);

/// What every session sets: how long it may be idle, how dates are written, and how the server finds out that it was cut
/// off. The server checks an idle client after 10 s and then each second, and gives up an answer that is not taken;
/// otherwise it would keep an idle session for hours. The number of checks is left to the server's system, since not every
/// system can set it.
const EVERY: Settings = &[
    ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION, OLDEST),
    ("idle_session_timeout", "0", 14),
    ("DateStyle", "ISO", OLDEST),
    ("tcp_keepalives_idle", "10", OLDEST),
    ("tcp_keepalives_interval", "1", OLDEST),
    ("tcp_user_timeout", "15s", 12),
];
/// What a session for our own statements sets in addition. Defaults of the role must not reach it: a standby takes no
/// serializable transaction, and a deferrable one waits.
const OWN_SESSION: Settings = &[
    ("default_transaction_read_only", "on", OLDEST),
    ("default_transaction_isolation", "read committed", OLDEST),
    ("default_transaction_deferrable", "off", OLDEST),
];
/// What our own statements depend on, whatever the role, the database and the server have as their defaults: which names
/// are meant, what the server tells beside its answers, how a backslash in a text, the digits of a number and the quotes
/// around a name are read and written, and for how long they may wait. The server's work for us is done by one process, uses no temporary files and is not compiled:
/// with 10,000 tables, compiling takes longer than the catalog queries themselves.
const OWN: Settings = &[
    ("client_min_messages", "error", OLDEST),
    ("search_path", "pg_catalog, pg_temp", OLDEST),
    ("standard_conforming_strings", "on", OLDEST),
    ("extra_float_digits", "3", OLDEST),
    ("quote_all_identifiers", "off", OLDEST),
    ("lock_timeout", LOCK, OLDEST),
    ("transaction_timeout", "0", 17),
    ("work_mem", "32MB", OLDEST),
    ("max_parallel_workers_per_gather", "0", OLDEST),
    ("jit", "off", 11),
];
/// What each message of ours that is a transaction begins with: its isolation may be none that a standby has, its names
/// must be those of the catalog, and a role may want to be told of each step of the server.
pub(crate) const PLAIN: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE; \
                                SET LOCAL client_min_messages = error; \
                                SET LOCAL search_path = pg_catalog, pg_temp; ";

/// Tells whether the settings of [`opening`] are still there: the value that they give to
/// `idle_in_transaction_session_timeout`.
pub(crate) const MARK: (&str, &str) = ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION);

/// The messages that make the settings of a session. Each answers with the number of the server's process, and what it
/// sets outlives its transaction only if that is `pid`. The first one is needed; others set what a server of that version
/// may refuse on its platform.
pub(crate) fn opening(node: &NodeConfig, kind: SessionKind, server: Server, pid: Option<i32>) -> Vec<String> {
    let own = OWN_STATEMENT.as_millis().to_string();
    let mut settings: Vec<(&str, &str)> = known(EVERY, server).collect();
    match kind {
        SessionKind::Query => {
            settings.push(("lock_timeout", USER_LOCK));
            if node.is_read_only() {
                settings.push(("default_transaction_read_only", "on"));
            }
        }
        // After its first questions, which are transactions with settings of their own, it sends no statement.
        SessionKind::Probe => {
            settings.extend([
                ("default_transaction_read_only", "on"),
                ("lock_timeout", LOCK),
                ("statement_timeout", &own),
            ]);
        }
        SessionKind::Poll | SessionKind::View | SessionKind::Test => {
            settings.extend(known(OWN_SESSION, server).chain(known(OWN, server)));
            settings.push(("statement_timeout", &own));
        }
    }
    if server.any_bytes {
        settings.push(("client_encoding", "SQL_ASCII"));
    }
    let mut messages = vec![setting(&settings, pid)];
    if kind.may_run_long() && server.major >= 14 {
        // Some systems cannot do it.
        messages.push(setting(&[("client_connection_check_interval", "1s")], pid));
    }
    messages
}

/// Those of the settings that the server knows.
fn known<'a>(settings: Settings, server: Server) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_known = move |since: Since| since <= server.major || since == OLDEST;
    settings.iter().filter(move |(.., since)| is_known(*since)).map(|(name, value, _)| (*name, *value))
}

fn setting(settings: &[(&str, &str)], pid: Option<i32>) -> String {
    let local = pid.map_or("true".to_owned(), |pid| format!("pg_backend_pid() <> ({pid})"));
    let mut message = format!("{PLAIN}SELECT pg_backend_pid()");
    for (name, value) in settings {
        let _ = write!(message, ", set_config('{name}', '{value}', {local})");
    }
    message
}

/// What a statement of ours begins with behind a pooler, where it is one message and so a transaction of its own: nothing
/// that is set there outlives it. `timeout` is for the statement.
pub(crate) fn of_transaction(kind: SessionKind, server: Server, timeout: Duration) -> String {
    let mut message = PLAIN.to_owned();
    let plain = |name: &str| matches!(name, "client_min_messages" | "search_path");
    let settings = known(OWN, server).chain([("DateStyle", "ISO")]);
    for (name, value) in settings.filter(|(name, _)| !plain(name)) {
        let _ = write!(message, "SET LOCAL {name} = '{value}'; ");
    }
    if server.any_bytes && kind == SessionKind::View {
        message += "SET LOCAL client_encoding = 'SQL_ASCII'; ";
    }
    // The clock of the role's own timeout runs already: 0 stops it.
    let _ = write!(message, "SET LOCAL statement_timeout = 0; SET LOCAL statement_timeout = {}; ", timeout.as_millis());
    message
}

/// What runs before a statement of the user, in one message: a read-only transaction if the node is read-only, and a
/// time limit slightly longer than the batch's own, in case the cancel request gets lost. In whole seconds, because
/// each text is an entry of its own in the server's `pg_stat_statements`.
pub(crate) fn before_statement(node: &NodeConfig, behind_pooler: bool, timeout: Duration) -> String {
    let timeout = user_timeout(timeout);
    match (node.is_read_only(), behind_pooler) {
        (true, false) => format!("BEGIN READ ONLY; SET LOCAL statement_timeout = '{timeout}s'"),
        (true, true) => format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = '{timeout}s'; SET LOCAL lock_timeout = '{USER_LOCK}'; \
             SET LOCAL DateStyle = 'ISO'"
        ),
        (false, false) => format!("SET statement_timeout = '{timeout}s'"),
        // Only to parse it: nothing may remain on the connection, and the statement may be one that cannot run inside a
        // transaction block.
        (false, true) => "BEGIN READ ONLY".to_owned(),
    }
}

/// What is sent before a statement of the user in the same message, where a pooler refuses a transaction of several
/// messages (PgBouncer in statement mode).
pub(crate) fn before_alone(node: &NodeConfig, timeout: Duration) -> String {
    if !node.is_read_only() {
        return String::new();
    }
    let timeout = user_timeout(timeout);
    format!(
        "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{timeout}s'; SET LOCAL lock_timeout = '{USER_LOCK}'; \
         SET LOCAL DateStyle = 'ISO'; "
    )
}

/// In seconds.
fn user_timeout(batch: Duration) -> u64 {
    (batch.as_secs() + 3).min(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn node() -> NodeConfig {
        NodeConfig::new(NodeName::parse("n").unwrap(), "h")
    }

    fn messages(kind: SessionKind, version: &str, encoding: &str) -> Vec<String> {
        opening(&node(), kind, Server::new(Some(version), Some(encoding)), Some(7))
    }

    #[test]
    fn sessions_are_read_only_unless_the_user_said_otherwise() {
        let read_only = "set_config('default_transaction_read_only', 'on', pg_backend_pid() <> (7))";
        let server = Server::new(Some("17.2"), Some("UTF8"));
        for kind in [SessionKind::Probe, SessionKind::Poll, SessionKind::View, SessionKind::Test, SessionKind::Query] {
            assert!(messages(kind, "17.2", "UTF8")[0].contains(read_only), "{kind:?}");
        }
        let written = NodeConfig { read_only: Some(false), ..node() };
        assert!(!opening(&written, SessionKind::Query, server, None)[0].contains("transaction_read_only"));
        assert!(opening(&written, SessionKind::View, server, Some(7))[0].contains(read_only));
    }

    #[test]
    fn no_session_waits_for_long() {
        for kind in [SessionKind::Probe, SessionKind::Poll, SessionKind::View, SessionKind::Test, SessionKind::Query] {
            let message = &messages(kind, "17.2", "UTF8")[0];
            // The time of the user's own statement is set with it.
            let own = (kind != SessionKind::Query).then_some("'statement_timeout'");
            for name in ["'lock_timeout'", "'idle_in_transaction_session_timeout'"].into_iter().chain(own) {
                assert!(message.contains(name), "{kind:?} {name}");
            }
        }
    }

    #[test]
    fn the_users_own_statements_keep_the_defaults_of_the_role() {
        let message = &messages(SessionKind::Query, "17.2", "UTF8")[0];
        for name in ["search_path', ", "isolation', ", "transaction_timeout", "conforming", "statement_timeout", "jit"]
        {
            assert!(!message.contains(name), "{name}: {message}");
        }
        for name in ["idle_session_timeout", "lock_timeout', '10s'", "DateStyle", "tcp_user_timeout"] {
            assert!(message.contains(name), "{name}: {message}");
        }
    }

    #[test]
    fn a_server_is_given_what_it_knows() {
        let sets = |kind, version, name: &str| messages(kind, version, "UTF8").concat().contains(name);
        for (version, name, expected) in [
            ("10.23", "jit", false),
            ("11.22", "jit", true),
            ("11.22", "tcp_user_timeout", false),
            ("12.1", "tcp_user_timeout", true),
            ("13.14", "idle_session_timeout", false),
            ("13.14", "client_connection_check_interval", false),
            ("14.0", "idle_session_timeout', '0'", true),
            ("14.0", "client_connection_check_interval", true),
            ("16.9", "transaction_timeout'", false),
            ("17.0", "transaction_timeout', '0'", true),
            ("18beta1", "client_connection_check_interval", true),
            ("", "search_path", true),
            ("", "jit", false),
        ] {
            assert_eq!(sets(SessionKind::View, version, name), expected, "{version} {name}");
        }
        assert!(
            !sets(SessionKind::Probe, "17.0", "search_path', "),
            "a login of the probe's is to cost the server little"
        );
        assert!(!sets(SessionKind::Poll, "17.0", "client_connection_check_interval"), "a timer each second");
        assert!(messages(SessionKind::Poll, "17.0", "SQL_ASCII")[0].contains("client_encoding"));
    }

    #[test]
    fn without_the_number_of_a_process_nothing_outlives_a_transaction() {
        let server = Server::new(Some("17.2"), Some("UTF8"));
        let message = &opening(&node(), SessionKind::View, server, None)[0];
        assert!(message.contains("set_config('jit', 'off', true)"), "{message}");
        let message = of_transaction(SessionKind::View, server, Duration::from_secs(2));
        let mut statements = message.trim_end_matches("; ").split("; ");
        assert!(statements.next().is_some_and(|first| first.starts_with("SET TRANSACTION")));
        assert!(statements.all(|statement| statement.starts_with("SET LOCAL ")), "{message}");
        assert!(message.ends_with("SET LOCAL statement_timeout = 2000; "), "{message}");
    }
}
