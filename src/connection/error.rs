//! Sorts every failure of a node once, at the edge, into a kind, a text for people and a remedy.

mod lost;
mod reach;
pub(super) mod sqlstate;
mod tls;

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

use super::wire::fault::{Ended, Fault, TlsError, alert_of};
use super::wire::heard::Heard;
use crate::model::{ErrorKind, NodeConfig, NodeError, quoted};
use crate::sql::secrets::{masked_message, masked_message_of};
use lost::lost;
pub(crate) use reach::{leads_to_next_host, of_addresses, of_hosts, unmet, unwanted, wrong_peer};
use sqlstate::of_sqlstate;

/// How many characters of a server's text an error keeps.
const MAX_TEXT: usize = 4_000;

/// True if the server answered with an error that leaves the session alive.
pub(crate) fn is_said(error: &tokio_postgres::Error, client: &Client, heard: &Heard) -> bool {
    error.as_db_error().is_some() && !client.is_closed() && heard.fatal().is_none()
}

/// Sorts an error that the driver reports.
pub fn classify(error: &tokio_postgres::Error, node: &NodeConfig) -> NodeError {
    if let Some(error) = error.as_db_error() {
        return of_server(error, node);
    }
    // The driver distinguishes its kinds of errors by their text alone.
    let what = error.to_string();
    let source = error.source();
    if let Some(error) = source.and_then(|source| source.downcast_ref::<TlsError>()) {
        return tls::of_tls(error, node);
    }
    let why = source.map_or(what.clone(), ToString::to_string);
    let authenticating = what.starts_with("authentication error");
    if let Some(error) = source.and_then(|source| source.downcast_ref::<io::Error>()) {
        let connecting = what.starts_with("error connecting");
        if authenticating {
            return of_authentication(&format!("the server violates the SCRAM protocol: {why}"), node);
        }
        if why.starts_with("unknown authentication") {
            return of_authentication("the server asks for a method that pgwatch does not support", node);
        }
        if is_misread(error) && !connecting {
            let why = if why.ends_with("field missing") { "an error response without its fields" } else { &why };
            return not_postgres(node, why);
        }
        return of_io(error, node, connecting);
    }
    if authenticating || why == "password missing" {
        return of_authentication(&why, node);
    }
    if error.is_closed() {
        return lost(node, "");
    }
    if what.starts_with("error encoding") {
        return NodeError::new(
            ErrorKind::Sql,
            "the statement cannot be sent: it contains a NUL character or is too long",
        );
    }
    if what.starts_with("unexpected message") {
        return not_postgres(node, "an unexpected message");
    }
    NodeError::new(ErrorKind::Internal, format!("{}: {why}", node.address()))
}

/// True if the driver itself cannot read the bytes it got; false if the system reports the error of a socket.
fn is_misread(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::InvalidInput, io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
    error.raw_os_error().is_none() && kinds.contains(&error.kind())
}

/// The error for a peer that is not a PostgreSQL server, or a broken one.
fn not_postgres(node: &NodeConfig, why: &str) -> NodeError {
    of_fault(&Fault::NotPostgres(why.to_owned()), node)
}

/// Why we ended a connection.
fn of_fault(fault: &Fault, node: &NodeConfig) -> NodeError {
    if let Fault::Authentication(method) = fault {
        let text = format!(
            "{} asks for the authentication method {}, which require_auth does not allow: nothing was sent",
            node.address(),
            method.as_str()
        );
        return NodeError::new(ErrorKind::Authentication, text)
            .with_hint("correct the server's pg_hba.conf or require_auth, or somebody else answers in its place");
    }
    let (kind, hint) = match fault {
        Fault::Authentication(_) => (ErrorKind::Authentication, ""),
        Fault::NotPostgres(_) => (ErrorKind::Internal, "check that a PostgreSQL server listens on this host and port"),
        Fault::TooLarge { .. } => (ErrorKind::Sql, "select fewer or shorter values, with left() or substring()"),
        Fault::Endless => {
            (ErrorKind::Internal, "check host and port; a statement that raises notices in a loop has the same effect")
        }
    };
    NodeError::new(kind, format!("{}: {fault}", node.address())).with_hint(hint)
}

/// Why we stopped waiting for the driver.
pub(crate) fn given_up(heard: &Heard, node: &NodeConfig) -> NodeError {
    reason(heard, node).unwrap_or_else(|| not_postgres(node, "no readable answer"))
}

/// Sorts an error with what the stream has read: the server says why it ends a session before the stream ends.
pub(crate) fn classify_with(error: &tokio_postgres::Error, heard: &Heard, node: &NodeConfig) -> NodeError {
    if error.as_db_error().is_some() {
        return classify(error, node);
    }
    reason(heard, node).or_else(|| too_many_rounds(heard, node)).unwrap_or_else(|| classify(error, node))
}

/// The driver refuses to hash a password more often than this, since a server could keep it busy for hours.
const MOST_ROUNDS: u32 = 100_000;

/// The server asks for more rounds of hashing than the driver does.
fn too_many_rounds(heard: &Heard, node: &NodeConfig) -> Option<NodeError> {
    let rounds = heard.scram_rounds().filter(|rounds| *rounds > MOST_ROUNDS)?;
    let user = quoted(&node.user);
    let text = format!(
        "the password of user {user} at {} was stored with {rounds} SCRAM iterations, and pgwatch takes {MOST_ROUNDS} at most",
        node.address()
    );
    let hint = format!(
        "store it again with fewer: SET scram_iterations = {MOST_ROUNDS}; then set the same password by ALTER ROLE {user} \
         PASSWORD or \\password of psql"
    );
    Some(NodeError::new(ErrorKind::Authentication, text).with_hint(hint))
}

/// The error without what it quotes of its statement, if that holds a secret.
pub(crate) fn of_statement(error: NodeError, statement: &str) -> NodeError {
    let shown = |text: &str| masked_message_of(text, statement).into_owned();
    NodeError { message: shown(&error.message), hint: error.hint.as_deref().map(shown), ..error }
}

/// The error of one of our own statements, for people who do not see the statement: without the position in it, and
/// what the server lacks as a sentence.
pub(crate) fn of_ours(error: NodeError) -> NodeError {
    const UNDEFINED: [&str; 4] = ["42883", "42P01", "42703", "42704"];
    let end = error.message.rfind(" (at character ").unwrap_or(error.message.len());
    let message = error.message.get(..end).unwrap_or_default();
    match message.strip_suffix(" does not exist") {
        Some(what) if error.sqlstate.as_deref().is_some_and(|code| UNDEFINED.contains(&code)) => {
            NodeError { message: format!("this server has no {what}"), hint: None, ..error }
        }
        _ => NodeError { message: message.to_owned(), ..error },
    }
}

/// Why a connection ended, if its stream has read the reason.
pub(crate) fn reason(heard: &Heard, node: &NodeConfig) -> Option<NodeError> {
    if let Some(fatal) = heard.fatal() {
        return Some(of_sqlstate(&fatal.sqlstate, &fatal.message, true, node));
    }
    if let Some(fault) = heard.found_fault() {
        return Some(of_fault(&fault, node));
    }
    let Ended { how, alert } = heard.how_it_ended()?;
    Some(match alert {
        Some(alert) => tls::of_alert(alert, &how, node),
        None if heard.is_judged() => tls::rejected(node),
        None => lost(node, &how),
    })
}

/// The server sent no answer for `after`.
pub fn no_answer(node: &NodeConfig, after: Duration) -> NodeError {
    NodeError::new(ErrorKind::Timeout, format!("no answer from {} within {}", node.way(), seconds(after)))
        .with_hint("the server hangs, or packets are dropped: check the machine, the network and firewalls")
}

/// The server, or a pooler in front of it, accepted the login and then did not answer.
pub(crate) fn no_answer_after_login(node: &NodeConfig, after: Duration) -> NodeError {
    let text = format!("{} accepts the login, but does not answer within {}", node.address(), seconds(after));
    NodeError::new(ErrorKind::Timeout, text).with_hint(
        "the server hangs; or a pooler is in front of it whose connections are all in use, or that cannot reach it",
    )
}

/// All connections of our own pool are in use.
pub(crate) fn busy(node: &NodeConfig, waited: Duration, waiting: u32) -> NodeError {
    let max = node.pool.max;
    let text = format!(
        "all {max} connections of the pool to {} are in use ({waiting} more are waiting, waited {})",
        node.name,
        seconds(waited)
    );
    NodeError::new(ErrorKind::Busy, text).with_hint("wait for a query to end, cancel one, or raise pool.max")
}

pub(crate) fn cancelled(node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::Cancelled, format!("cancelled on {}", node.name))
}

/// The statement ran into its own time limit, and the server was told to cancel it.
pub(crate) fn too_late(node: &NodeConfig, timeout: Duration) -> NodeError {
    let text = format!("cancelled on {} after {}, its time limit", node.name, seconds(timeout));
    NodeError::new(ErrorKind::StatementTimeout, text)
        .with_hint("raise the timeout, or make the statement cheaper: EXPLAIN shows its plan")
}

pub(crate) fn no_copy() -> NodeError {
    NodeError::new(ErrorKind::Sql, "COPY from or to the client is not supported")
        .with_hint("use SELECT or INSERT, COPY with a file on the server, or psql")
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
    }
}

pub(crate) fn of_io(error: &io::Error, node: &NodeConfig, connecting: bool) -> NodeError {
    let address = node.address();
    if !connecting {
        let text = error.to_string();
        return alert_of(error).map_or_else(|| lost(node, &text), |alert| tls::of_alert(alert, &text, node));
    }
    let text = error.to_string();
    let (kind, message, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            ErrorKind::Refused,
            format!("connection refused by {address}"),
            "check that the server is running and listens there (listen_addresses, port)",
        ),
        io::ErrorKind::NotFound if node.is_unix_socket() => (
            ErrorKind::Refused,
            format!("no server listens on the socket {address}"),
            "check that the server is running, and its unix_socket_directories and port",
        ),
        io::ErrorKind::PermissionDenied => (
            ErrorKind::Permission,
            format!("permission denied to connect to {address}"),
            "the operating system denies it: check the permissions of the socket directory, or a firewall",
        ),
        io::ErrorKind::TimedOut => return NodeError::new(ErrorKind::Timeout, format!("no answer from {address}")),
        _ if text.contains("lookup address") || text.contains("could not resolve") => (
            ErrorKind::HostNotFound,
            format!("the host name {} cannot be resolved", node.host),
            "check the name and the DNS settings",
        ),
        _ => (
            ErrorKind::Unreachable,
            format!("{address} cannot be reached: {text}"),
            "check address, network, VPN and firewall",
        ),
    };
    NodeError::new(kind, message).with_hint(hint)
}

fn of_authentication(why: &str, node: &NodeConfig) -> NodeError {
    let who = format!("user \"{}\" at {}", node.user, node.address());
    if why == "password missing" {
        return NodeError::new(
            ErrorKind::Authentication,
            format!("the server asks for the password of {who}, and none is configured"),
        )
        .with_hint("set password, password_command or PGPASSWORD, or add a line to ~/.pgpass");
    }
    let error = NodeError::new(ErrorKind::Authentication, format!("authentication failed for {who}: {why}"));
    if why.contains("method") || why.contains("mechanism") {
        return error.with_hint(
            "check the server's pg_hba.conf: pgwatch supports scram-sha-256, md5, password, cert and trust",
        );
    }
    error
}

/// The beginning of a text that may be very long: the error is kept, and sent with each probe.
fn within(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn of_server(error: &DbError, node: &NodeConfig) -> NodeError {
    // A pooler sends its severity as text only.
    let fatal =
        matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) || error.severity() == "FATAL";
    let mut message = masked_message(error.message()).into_owned();
    if let Some(detail) = error.detail() {
        message = format!("{message}: {}", masked_message(detail));
    }
    if let Some(ErrorPosition::Original(at)) = error.position() {
        message = format!("{message} (at character {at})");
    }
    let mut sorted = of_sqlstate(error.code().code(), &within(&message, MAX_TEXT), fatal, node);
    // The server's own hint about a statement is more precise than ours.
    if let Some(hint) = error.hint() {
        sorted.hint = Some(within(&masked_message(hint), MAX_TEXT));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn node() -> NodeConfig {
        NodeConfig::new(NodeName::parse("n1").unwrap(), "10.0.0.9")
    }

    #[test]
    fn an_error_of_our_own_statement_says_what_the_server_lacks() {
        for (code, message, said) in [
            (
                "42883",
                "function pg_ls_waldir() does not exist (at character 8)",
                "this server has no function pg_ls_waldir()",
            ),
            (
                "42P01",
                "relation \"pg_stat_io\" does not exist (at character 8)",
                "this server has no relation \"pg_stat_io\"",
            ),
            ("42703", "column s.wal_status does not exist (at character 8)", "this server has no column s.wal_status"),
            ("3D000", "database \"x\" does not exist", "database \"x\" does not exist"),
            ("42501", "permission denied for function f (at character 8)", "permission denied for function f"),
        ] {
            let error = NodeError { sqlstate: Some(code.to_owned()), ..NodeError::new(ErrorKind::Sql, message) };
            assert_eq!(of_ours(error).message, said);
        }
    }

    #[test]
    fn each_system_error_has_its_kind_and_text() {
        for (error, kind, text) in [
            (
                io::Error::from(io::ErrorKind::ConnectionRefused),
                ErrorKind::Refused,
                "connection refused by 10.0.0.9:5432",
            ),
            (
                io::Error::from(io::ErrorKind::HostUnreachable),
                ErrorKind::Unreachable,
                "10.0.0.9:5432 cannot be reached",
            ),
            (
                io::Error::other("failed to lookup address information: Name or service not known"),
                ErrorKind::HostNotFound,
                "the host name 10.0.0.9 cannot be resolved",
            ),
        ] {
            let sorted = of_io(&error, &node(), true);
            assert_eq!(sorted.kind, kind);
            assert!(sorted.message.starts_with(text), "{}", sorted.message);
        }
    }
}
