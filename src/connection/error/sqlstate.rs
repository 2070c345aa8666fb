//! What a server's SQLSTATE means for people: its kind and a remedy.

use crate::model::{ErrorKind, NodeConfig, NodeError, SslMode, quoted};

/// True if a prepared statement does not exist, or exists already: a pooler gave us the session of another client.
pub(crate) fn is_unprepared(sqlstate: &str) -> bool {
    matches!(sqlstate, "26000" | "42P05")
}

/// True for what PgBouncer says to `BEGIN` in statement mode, before it closes the connection.
pub(crate) fn refuses_blocks(message: &str) -> bool {
    message.contains("transaction blocks not allowed")
}

/// True if a text is in no encoding that the server or the client can convert.
pub(crate) fn is_of_encoding(sqlstate: &str) -> bool {
    matches!(sqlstate, "22021" | "22P05")
}

/// Sorts a server's error by its SQLSTATE, and by its English text where one code means two things. For a server that
/// speaks another language the remedy covers both. `fatal`: the error ended the session.
pub(super) fn of_sqlstate(code: &str, message: &str, fatal: bool, node: &NodeConfig) -> NodeError {
    use ErrorKind as Kind;
    let says = |word: &str| message.contains(word);
    let (user, database) = (quoted(&node.user), quoted(&node.database));
    let (kind, hint) = match code {
        "28P01" => (Kind::Authentication, "check user and password".to_owned()),
        "28000" if says("pg_hba.conf") => (Kind::Authentication, hba_hint(node)),
        "28000" => {
            (Kind::Authentication, "check that the role exists, may log in and is admitted by pg_hba.conf".to_owned())
        }
        "3D000" | "57P04" => (Kind::NoDatabase, "check the database name".to_owned()),
        "55000" if fatal => {
            (Kind::NoDatabase, "the database has ALLOW_CONNECTIONS false: connect to another one".to_owned())
        }
        "08P01" if fatal && (says("authentication failed") || says("no such user")) => {
            (Kind::Authentication, "the pooler rejects it: check user, password and the pooler's auth_file".to_owned())
        }
        "08P01" if fatal && (says("no such database") || says("does not exist")) => {
            (Kind::NoDatabase, "check the database name".to_owned())
        }
        // Of MULE_INTERNAL, the only encoding without a conversion to UTF8.
        "0A000" if fatal && says("MULE_INTERNAL") => {
            (Kind::Sql, "pgwatch speaks UTF8: connect to a database of that server in another encoding".to_owned())
        }
        "42501" if fatal => (Kind::Permission, format!("GRANT CONNECT ON DATABASE {database} TO {user}")),
        "42501" => (Kind::Permission, Denied::of(message).map_or_else(|| named(&user), |denied| denied.grant(&user))),
        "53300" if says("for role") => {
            (Kind::TooManyConnections, format!("close sessions, or ALTER ROLE {user} CONNECTION LIMIT ..."))
        }
        "53300" if says("for database") => {
            (Kind::TooManyConnections, format!("close sessions, or ALTER DATABASE {database} CONNECTION LIMIT ..."))
        }
        "53300" => {
            (Kind::TooManyConnections, "close sessions, raise max_connections, or use a connection pooler".to_owned())
        }
        "08P01" if fatal && says("more connections") => {
            (Kind::TooManyConnections, "raise the pooler's limit on client connections, or close some".to_owned())
        }
        "57P03" if says("shutting down") => (Kind::ShuttingDown, "the server is being stopped".to_owned()),
        "57P03" if STARTS.into_iter().any(says) => {
            (Kind::StartingUp, "wait until recovery has reached a consistent state".to_owned())
        }
        "57P03" => (
            Kind::StartingUp,
            "the server is starting up, recovering or shutting down: its message says which".to_owned(),
        ),
        "57P01" if says("postmaster exit") => {
            (Kind::Terminated, "the server's main process died: check its log".to_owned())
        }
        "57P01" => (Kind::Terminated, "ended by pg_terminate_backend or a shutdown of the server".to_owned()),
        "57P02" => (Kind::Terminated, "a server process crashed: check the server's log".to_owned()),
        "57P05" => (Kind::Terminated, "ended by idle_session_timeout of the server".to_owned()),
        "25P03" => (Kind::Terminated, "ended by idle_in_transaction_session_timeout of the server".to_owned()),
        "57014" if says("timeout") => (
            Kind::StatementTimeout,
            "raise the timeout, or make the statement cheaper: EXPLAIN shows its plan".to_owned(),
        ),
        "25P04" => (Kind::StatementTimeout, "ended by transaction_timeout of the server".to_owned()),
        "57014" if says("user request") => (Kind::Cancelled, "cancelled with pg_cancel_backend".to_owned()),
        "57014" => (
            Kind::Cancelled,
            "cancelled with pg_cancel_backend or by a timeout of the server: its message says which".to_owned(),
        ),
        "55P03" => (Kind::LockTimeout, "another session holds a conflicting lock: see pg_blocking_pids()".to_owned()),
        "25006" => (Kind::ReadOnly, read_only_hint(node)),
        _ if code.starts_with("08") => (Kind::ConnectionLost, String::new()),
        _ => (Kind::Sql, String::new()),
    };
    let connecting_kind = fatal && !matches!(kind, Kind::Sql);
    let message = if connecting_kind { format!("{}: {message}", node.address()) } else { message.to_owned() };
    // A SQLSTATE has five letters or digits. Anything else is dropped, since programs rely on the format.
    let sqlstate = (code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| code.to_owned());
    NodeError { kind, sqlstate, message, hint: (!hint.is_empty()).then_some(hint) }
}

/// What a role may not use, by the message of a server that speaks English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied<'a> {
    pub(crate) what: DeniedKind,
    pub(crate) name: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeniedKind {
    Function,
    Relation,
    Schema,
}

impl<'a> Denied<'a> {
    pub(crate) fn of(message: &'a str) -> Option<Self> {
        let rest = message.strip_prefix("permission denied for ")?;
        let kinds = [
            ("function ", DeniedKind::Function),
            ("table ", DeniedKind::Relation),
            ("view ", DeniedKind::Relation),
            ("materialized view ", DeniedKind::Relation),
            ("foreign table ", DeniedKind::Relation),
            ("sequence ", DeniedKind::Relation),
            // Of any kind, before version 11.
            ("relation ", DeniedKind::Relation),
            ("schema ", DeniedKind::Schema),
        ];
        let (what, rest) = kinds.into_iter().find_map(|(word, what)| Some((what, rest.strip_prefix(word)?)))?;
        let end = [": ", " (at character "].into_iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        Some(Self { what, name: rest.get(..end)? })
    }

    /// The statement that grants the role, which is quoted, what a query needs.
    pub(crate) fn grant(self, role: &str) -> String {
        self.what.grant(&quoted(self.name), role)
    }
}

impl DeniedKind {
    /// The same for objects that are named as SQL takes them.
    pub(crate) fn grant(self, objects: &str, role: &str) -> String {
        match self {
            Self::Function => format!("GRANT EXECUTE ON FUNCTION {objects} TO {role}"),
            Self::Relation => format!("GRANT SELECT ON {objects} TO {role}"),
            Self::Schema => format!("GRANT USAGE ON SCHEMA {objects} TO {role}"),
        }
    }
}

/// The remedy where only the message says what is missing.
pub(crate) fn named(role: &str) -> String {
    format!("grant {role} the privilege that the message names")
}

/// What a server that speaks English sends before it accepts connections.
const STARTS: [&str; 3] = ["starting up", "accepting connections", "recovery"];

fn hba_hint(node: &NodeConfig) -> String {
    let tls = match node.tls.mode {
        SslMode::Disable => ", or choose sslmode=require if the server requires TLS",
        _ => "",
    };
    format!("add a line for user \"{}\" and database \"{}\" to the server's pg_hba.conf{tls}", node.user, node.database)
}

pub(crate) fn read_only_hint(node: &NodeConfig) -> String {
    if node.is_read_only() {
        "pgwatch opens read-only sessions: start it with --read-write, or set read_only: false for this node".to_owned()
    } else {
        "the server itself is read-only: check whether it is a standby".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn node() -> NodeConfig {
        NodeConfig::new(NodeName::parse("n1").unwrap(), "10.0.0.9")
    }

    #[test]
    fn hints_are_sql_for_any_name() {
        let mut node = node();
        "mon-ro".clone_into(&mut node.user);
        "My \"db\"".clone_into(&mut node.database);
        for (code, message, fatal, hint) in [
            ("42501", "no", true, "GRANT CONNECT ON DATABASE \"My \"\"db\"\"\" TO \"mon-ro\""),
            (
                "42501",
                "permission denied for function pg_ls_waldir",
                false,
                "GRANT EXECUTE ON FUNCTION pg_ls_waldir TO \"mon-ro\"",
            ),
            ("42501", "permission denied for table My Table", false, "GRANT SELECT ON \"My Table\" TO \"mon-ro\""),
            (
                "42501",
                "permission denied for relation t (at character 9)",
                false,
                "GRANT SELECT ON \"t\" TO \"mon-ro\"",
            ),
            ("42501", "permission denied for schema s: why", false, "GRANT USAGE ON SCHEMA \"s\" TO \"mon-ro\""),
            ("42501", "keine Berechtigung", false, "grant \"mon-ro\" the privilege that the message names"),
            ("42501", "must be owner of table t", false, "grant \"mon-ro\" the privilege that the message names"),
            ("53300", "for role", true, "close sessions, or ALTER ROLE \"mon-ro\" CONNECTION LIMIT ..."),
            (
                "0A000",
                "conversion between UTF8 and MULE_INTERNAL is not supported",
                true,
                "pgwatch speaks UTF8: connect to a database of that server in another encoding",
            ),
        ] {
            assert_eq!(of_sqlstate(code, message, fatal, &node).hint.as_deref(), Some(hint), "{message}");
        }
    }

    #[test]
    fn each_sqlstate_has_its_kind() {
        for (code, message, fatal, kind) in [
            ("28P01", "password authentication failed for user \"x\"", true, ErrorKind::Authentication),
            ("28000", "no pg_hba.conf entry for host", true, ErrorKind::Authentication),
            ("08P01", "SASL authentication failed", true, ErrorKind::Authentication),
            ("3D000", "database \"x\" does not exist", true, ErrorKind::NoDatabase),
            ("53300", "sorry, too many clients already", true, ErrorKind::TooManyConnections),
            ("57P03", "the database system is starting up", true, ErrorKind::StartingUp),
            ("57P03", "the database system is not accepting connections", true, ErrorKind::StartingUp),
            ("57P03", "the database system is shutting down", true, ErrorKind::ShuttingDown),
            ("57P03", "das Datenbanksystem fährt hoch", true, ErrorKind::StartingUp),
            ("57014", "storniere Anfrage wegen Benutzeraufforderung", false, ErrorKind::Cancelled),
            ("53300", "too many connections for role \"pgwatch\"", true, ErrorKind::TooManyConnections),
            ("57P01", "terminating connection due to administrator command", true, ErrorKind::Terminated),
            ("57014", "canceling statement due to statement timeout", false, ErrorKind::StatementTimeout),
            ("57014", "canceling statement due to user request", false, ErrorKind::Cancelled),
            ("55P03", "canceling statement due to lock timeout", false, ErrorKind::LockTimeout),
            ("25006", "cannot execute INSERT in a read-only transaction", false, ErrorKind::ReadOnly),
            ("42501", "permission denied for table t", false, ErrorKind::Permission),
            ("42P01", "relation \"t\" does not exist", false, ErrorKind::Sql),
        ] {
            let sorted = of_sqlstate(code, message, fatal, &node());
            assert_eq!(sorted.kind, kind, "{message}");
            assert_eq!(sorted.sqlstate.as_deref(), Some(code));
            assert!(sorted.hint.is_some() || kind == ErrorKind::Sql, "{message} has no remedy");
        }
    }
}
