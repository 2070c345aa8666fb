//! What knocking at a lost node's port tells (N13). [`Port`] decides what follows from it and is pure; `monitor.rs` knocks.
//!
//! A knock is a connect that says nothing, so it costs the server no session. It tells a port that is shut (nothing
//! listens, or nothing comes through) from one that is open, and a port that opens is worth an attempt at once, however
//! long the backoff would wait. A server that takes the knock and has not answered the attempt hangs: it is left alone
//! until the next attempt, since it would find every knock in its queue when it goes on.

use std::time::Duration;

use tokio::time::timeout;

use crate::model::{ErrorKind, NodeConfig};

/// The port of a lost node, as far as attempts and knocks have told.
#[derive(Debug, Default)]
pub(super) struct Port {
    shut: bool,
    knock: bool,
    /// The last attempt was not answered at all.
    silent: bool,
}

impl Port {
    /// An attempt failed.
    pub(super) fn failed(&mut self, kind: ErrorKind) {
        self.silent = matches!(kind, ErrorKind::Timeout | ErrorKind::Unreachable);
        self.shut = kind == ErrorKind::Refused || (self.silent && self.shut);
        self.knock = self.shut || self.silent || GOES_DOWN.contains(&kind);
    }

    /// Whether a knock before the next attempt may tell something.
    pub(super) fn is_worth_a_knock(&self) -> bool {
        self.knock
    }

    /// A knock was taken, or was not. Says whether to try at once.
    pub(super) fn knocked(&mut self, taken: bool) -> bool {
        let opened = taken && self.shut;
        self.shut = !taken;
        self.knock = !(taken && self.silent);
        opened
    }
}

/// After these a server often closes its port, and opens it again when it is back.
const GOES_DOWN: [ErrorKind; 4] =
    [ErrorKind::ShuttingDown, ErrorKind::StartingUp, ErrorKind::ConnectionLost, ErrorKind::Terminated];

/// Whether something listens at the node's address: a bare connect that says nothing, so it costs the server no
/// session. Asked once a second at most, where nothing listens or comes through.
pub(super) async fn knock(node: &NodeConfig, within: Duration) -> bool {
    let opened = if node.host.starts_with('/') {
        timeout(within, tokio::net::UnixStream::connect(node.address())).await.map(|opened| opened.is_ok())
    } else if node.is_unix_socket() {
        // An abstract socket has no path to knock at: the backoff alone tries it.
        Ok(false)
    } else {
        let address = (node.host.as_str(), node.port);
        timeout(within, tokio::net::TcpStream::connect(address)).await.map(|opened| opened.is_ok())
    };
    opened.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knocks after attempts that failed in this way: whether each brings an attempt at once, and whether one more may
    /// tell something.
    fn after(attempts: &[ErrorKind], knocks: &[bool]) -> (Vec<bool>, bool) {
        let mut port = Port::default();
        for kind in attempts {
            port.failed(*kind);
        }
        let tries = knocks.iter().map(|taken| port.knocked(*taken)).collect();
        (tries, port.is_worth_a_knock())
    }

    #[test]
    fn a_port_that_opens_is_tried_at_once_n13() {
        use ErrorKind::{Authentication, Refused, StartingUp, Terminated, Timeout, Unreachable};
        assert_eq!(after(&[Refused], &[false, false, true]), (vec![false, false, true], true));
        assert_eq!(after(&[Terminated], &[true, false, true]), (vec![false, false, true], true), "it closed first");
        assert_eq!(after(&[Timeout], &[false, true]), (vec![false, true], false), "the link is back");
        assert_eq!(after(&[Unreachable], &[false, true]), (vec![false, true], false));
        assert_eq!(after(&[Timeout], &[true]), (vec![false], false), "a server that hangs is left alone");
        assert_eq!(after(&[Refused, StartingUp], &[true]), (vec![false], true), "its answer says that it is open");
        assert_eq!(after(&[Authentication], &[]), (vec![], false));
    }

    /// The link came back during the attempt, but too late for it.
    #[test]
    fn what_was_shut_before_a_silent_attempt_is_shut_after_it_n13() {
        let mut port = Port::default();
        port.failed(ErrorKind::Timeout);
        assert!(!port.knocked(false));
        port.failed(ErrorKind::Timeout);
        assert!(port.is_worth_a_knock() && port.knocked(true));
        // That attempt was not answered either: now it is the server.
        port.failed(ErrorKind::Timeout);
        assert!(!port.knocked(true) && !port.is_worth_a_knock());
    }
}
