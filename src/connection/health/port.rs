//! What a knock at a lost node's port reveals (N13). [`Port`] draws the conclusions and is pure; `monitor/reaching.rs`
//! knocks, at the addresses that an attempt would dial (`session/route.rs`).
//!
//! A knock is a TCP connect that sends nothing, so it costs the server no session. It distinguishes a closed port
//! (nothing listens, or the network drops packets) from an open one. A port that opens is worth an attempt at once,
//! however long the backoff is. A server that accepts the knock but has not answered the attempt hangs: it is left
//! alone until the next attempt, because it would find every knock in its queue when it continues, and will then answer
//! the attempt that is still open.

use crate::model::ErrorKind;

/// The port of a lost node, as the attempts and knocks so far show it.
#[derive(Debug, Default)]
pub(super) struct Port {
    shut: bool,
    knock: bool,
    /// The last attempt got no answer at all.
    silent: bool,
}

impl Port {
    /// Takes in an attempt that failed.
    pub(super) fn failed(&mut self, kind: ErrorKind) {
        self.silent = matches!(kind, ErrorKind::Timeout | ErrorKind::Unreachable);
        self.shut = kind == ErrorKind::Refused || (self.silent && self.shut);
        self.knock = self.shut || self.silent || GOES_DOWN.contains(&kind);
    }

    /// True if a knock before the next attempt may show something new.
    pub(super) fn is_worth_a_knock(&self) -> bool {
        self.knock
    }

    /// Takes in whether a knock was accepted. Returns true if the node should be tried at once.
    pub(super) fn knocked(&mut self, taken: bool) -> bool {
        let opened = taken && self.shut;
        self.shut = !taken;
        self.knock = !(taken && self.silent);
        opened
    }
}

/// After these errors a server often closes its port, and opens it again when it is back. One that is starting up has
/// just opened it, and is asked in full as often as others are knocked at.
const GOES_DOWN: [ErrorKind; 3] = [ErrorKind::ShuttingDown, ErrorKind::ConnectionLost, ErrorKind::Terminated];

#[cfg(test)]
mod tests {
    use super::*;

    /// Knocks after attempts that failed in this way. Returns whether each knock causes an attempt at once, and whether
    /// another one is worthwhile.
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
        assert_eq!(after(&[Refused, StartingUp], &[]), (vec![], false), "its answer says that it is open");
        assert_eq!(after(&[Authentication], &[]), (vec![], false));
    }

    /// The network came back during the attempt, but too late for it.
    #[test]
    fn a_shut_port_counts_as_shut_after_a_silent_attempt_n13() {
        let mut port = Port::default();
        port.failed(ErrorKind::Timeout);
        assert!(!port.knocked(false));
        port.failed(ErrorKind::Timeout);
        assert!(port.is_worth_a_knock() && port.knocked(true));
        // That attempt got no answer either: now the server is the cause.
        port.failed(ErrorKind::Timeout);
        assert!(!port.knocked(true) && !port.is_worth_a_knock());
    }
}
