//! Why no address, or none of several hosts, led to a server that we take.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::{no_answer, of_io};
use crate::model::{ErrorKind, NodeConfig, NodeError, SessionAttrs};

/// How many addresses or hosts a message names.
const NAMED: usize = 4;

/// None of the addresses of a host's name opened `within` that time. `failed`: each address that was tried, with the
/// reason if there is one.
pub(crate) fn of_addresses(failed: &[(IpAddr, Option<io::Error>)], node: &NodeConfig, within: Duration) -> NodeError {
    // An address that swallows packets may be that of the server, so it counts for more than one that refuses.
    let silent = failed.iter().any(|(_, reason)| reason.is_none());
    let first = failed.iter().find_map(|(_, reason)| reason.as_ref());
    let error = match first {
        Some(reason) if !silent => of_io(reason, node, true),
        _ => no_answer(node, within),
    };
    if failed.len() < 2 {
        return error;
    }
    let what = |reason: &Option<io::Error>| match reason {
        None => "no answer".to_owned(),
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        Some(error) => error.to_string(),
    };
    let tried: Vec<String> = failed.iter().map(|(address, reason)| format!("{address}: {}", what(reason))).collect();
    NodeError { message: format!("{} ({})", error.message, listed(&tried, ", ")), ..error }
}

/// None of a node's hosts was taken. The error of the last one if it ended the search, else the most telling one; its
/// message names all of them.
pub(crate) fn of_hosts(mut failed: Vec<NodeError>, node: &NodeConfig) -> NodeError {
    let messages: Vec<String> = failed.iter().map(|error| error.message.clone()).collect();
    let last = failed.pop();
    let ended = last.as_ref().is_some_and(|error| !leads_to_next_host(error));
    let most_telling = if ended {
        last
    } else {
        failed.into_iter().chain(last).min_by_key(|error| TELLING.iter().position(|kind| *kind == error.kind))
    };
    match most_telling {
        Some(error) if messages.len() == 1 => error,
        Some(error) => NodeError { message: listed(&messages, "; "), ..error },
        None => NodeError::new(ErrorKind::Internal, format!("{}: no host was tried", node.name)),
    }
}

/// The kinds after which the next host is tried, the most telling one first.
const TELLING: [ErrorKind; 9] = [
    ErrorKind::StartingUp,
    ErrorKind::ShuttingDown,
    ErrorKind::Config,
    ErrorKind::Tunnel,
    ErrorKind::Timeout,
    ErrorKind::ConnectionLost,
    ErrorKind::Unreachable,
    ErrorKind::Refused,
    ErrorKind::HostNotFound,
];

/// True if another host may be better. One that answers and rejects us, or whose certificate is wrong, ends the search,
/// as with libpq.
pub(crate) fn leads_to_next_host(error: &NodeError) -> bool {
    TELLING.contains(&error.kind)
}

fn listed(all: &[String], between: &str) -> String {
    let mut text = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(between);
    if all.len() > NAMED {
        let _ = write!(text, "{between}and {} more", all.len() - NAMED);
    }
    text
}

/// The configuration promises what pgwatch cannot keep.
pub(crate) fn unmet(node: &NodeConfig, why: &str) -> NodeError {
    NodeError::new(ErrorKind::Config, format!("{} is not connected to: {why}", node.address()))
        .with_hint("change the setting, or leave it out to connect without what it promises")
}

/// The server is not of the wanted kind.
pub(crate) fn unwanted(node: &NodeConfig, attrs: SessionAttrs, why: &str) -> NodeError {
    let text = format!("{} is not taken: {why}, and target_session_attrs is {}", node.address(), attrs.as_str());
    NodeError::new(ErrorKind::Config, text).with_hint("name another host, or leave target_session_attrs out")
}

/// The server at a unix socket runs as another account than `requirepeer` names.
pub(crate) fn wrong_peer(node: &NodeConfig, account: &str) -> NodeError {
    let wanted = node.connect.require_peer.as_deref().unwrap_or_default();
    let text = format!("the server at {} runs as {account}, but requirepeer is {wanted}", node.address());
    NodeError::new(ErrorKind::Authentication, text).with_hint("check who owns the socket, then correct requirepeer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn node() -> NodeConfig {
        NodeConfig::new(NodeName::parse("n").unwrap(), "db")
    }

    #[test]
    fn the_message_names_the_addresses_with_their_reasons() {
        let refused = || Some(io::Error::from(io::ErrorKind::ConnectionRefused));
        let at = |last: u8| IpAddr::from([10, 0, 0, last]);
        let within = Duration::from_secs(5);
        for (failed, kind, message) in [
            (vec![(at(1), refused())], ErrorKind::Refused, "connection refused by db:5432"),
            (
                vec![(at(1), refused()), (at(2), Some(io::ErrorKind::HostUnreachable.into()))],
                ErrorKind::Refused,
                "connection refused by db:5432 (10.0.0.1: refused, 10.0.0.2: host unreachable)",
            ),
            (
                vec![(at(1), refused()), (at(2), None)],
                ErrorKind::Timeout,
                "no answer from db:5432 within 5 s (10.0.0.1: refused, 10.0.0.2: no answer)",
            ),
            (
                (1..=6).map(|last| (at(last), None)).collect(),
                ErrorKind::Timeout,
                "no answer from db:5432 within 5 s (10.0.0.1: no answer, 10.0.0.2: no answer, 10.0.0.3: no answer, \
                 10.0.0.4: no answer, and 2 more)",
            ),
        ] {
            let error = of_addresses(&failed, &node(), within);
            assert_eq!((error.kind, error.message.as_str()), (kind, message));
            assert!(error.hint.is_some());
        }
    }

    use ErrorKind::{Authentication, Refused, StartingUp, Timeout};

    #[test]
    fn the_most_telling_host_gives_the_kind() {
        let error = |kind, text: &str| NodeError::new(kind, text);
        let of = |errors: &[(ErrorKind, &str)]| {
            let sorted = of_hosts(errors.iter().map(|(kind, text)| error(*kind, text)).collect(), &node());
            (sorted.kind, sorted.message)
        };
        assert_eq!(of(&[(Refused, "a"), (Timeout, "b")]), (Timeout, "a; b".to_owned()));
        assert_eq!(of(&[(Refused, "a"), (StartingUp, "b"), (Refused, "c")]), (StartingUp, "a; b; c".to_owned()));
        assert_eq!(of(&[(StartingUp, "a"), (Authentication, "b")]), (Authentication, "a; b".to_owned()));
        assert_eq!(of(&[(Authentication, "a")]), (Authentication, "a".to_owned()));
    }
}
