//! Decides when a lost node is tried next. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::port::Port;
use crate::connection::schedule::backoff;
use crate::model::{ErrorKind, NodeConfig, PasswordSource};

/// A connection that ends sooner than this counts as closed at once.
const FLAP: Duration = Duration::from_millis(300);
/// After this many connections in a row that were closed at once, the node counts as lost: something accepts and hangs
/// up, and we stop hammering it.
const FLAPS: u32 = 5;
/// Time between two attempts at a server that is starting up, or two knocks at a closed port (N13).
pub(super) const QUICK: Duration = Duration::from_millis(400);
/// The same for a node whose password comes from a command, which runs with each attempt.
const QUICK_BY_COMMAND: Duration = Duration::from_secs(2);
/// How many attempts follow that quickly before the node has answered: those of two minutes at least, within which most
/// servers are up. Each may cost the server a process.
const QUICK_ONES: u32 = 300;

/// The attempts to reach one node, as far as they decide when the next one is made.
#[derive(Debug)]
pub(super) struct Retries {
    /// How long a node must have answered for its failures to be forgotten.
    lasting: Duration,
    /// Time between two quick attempts.
    quick: Duration,
    /// Retries that failed since the node last answered for that long.
    failed: u32,
    /// Failed attempts after which a quick one pays, since the node was last connected.
    quick_ones: u32,
    due: Instant,
    /// Why the node was last not reached, and when; `None` while it is connected.
    last: Option<(ErrorKind, Instant)>,
    connected_at: Instant,
    answered_at: Instant,
    /// Connections in a row that were closed at once.
    flaps: u32,
    /// What attempts and knocks show while the node is lost.
    pub(super) port: Port,
}

impl Retries {
    pub(super) fn new(node: &NodeConfig, now: Instant) -> Self {
        Self {
            lasting: node.health.interval,
            quick: if matches!(node.password, PasswordSource::Command(_)) { QUICK_BY_COMMAND } else { QUICK },
            failed: 0,
            quick_ones: 0,
            due: now,
            last: None,
            connected_at: now,
            answered_at: now,
            flaps: 0,
            port: Port::default(),
        }
    }

    /// A connection was opened, on which the node is probed from now on.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected_at = now;
        self.quick_ones = 0;
        self.last = None;
        self.port = Port::default();
    }

    /// Takes in why the node is not reached.
    pub(super) fn failed(&mut self, kind: ErrorKind, now: Instant) {
        self.last = Some((kind, now));
        self.port.failed(kind);
    }

    /// Takes in that the node answered, in time or late.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered_at = now;
    }

    /// Takes in that our own connection ended. Returns how many in a row were closed at once: 0 if this one was open
    /// for a while.
    pub(super) fn connection_ended(&mut self, now: Instant) -> u32 {
        let short = now.saturating_duration_since(self.connected_at) < FLAP;
        self.flaps = if short { self.flaps + 1 } else { 0 };
        self.flaps
    }

    /// True if [`FLAPS`] connections in a row were closed at once: the node counts as lost.
    pub(super) fn is_flapping(&self) -> bool {
        self.flaps >= FLAPS
    }

    fn lasted(&self) -> bool {
        self.answered_at.saturating_duration_since(self.connected_at) >= self.lasting
    }

    /// Plans the next retry in case the node is lost now, by an error of this kind. Returns the wait until then.
    /// `answers`: the node has counted as living so far. `jitter` is from 0 to 1.
    pub(super) fn plan(&mut self, kind: ErrorKind, answers: bool, now: Instant, jitter: f64) -> Duration {
        let failed = if answers && self.lasted() { 0 } else { self.failed };
        if kind == ErrorKind::StartingUp {
            self.quick_ones = self.quick_ones.saturating_add(1);
        }
        let wait = backoff::refused(kind, failed, jitter);
        self.due = now + wait;
        wait
    }

    /// True if it pays to look for the server every moment: nothing listens, or it says that it is starting up.
    pub(super) fn wants_scout(&self) -> bool {
        self.is_starting() || self.port.is_worth_a_knock()
    }

    fn is_starting(&self) -> bool {
        self.last.is_some_and(|(kind, _)| kind == ErrorKind::StartingUp) && self.quick_ones <= QUICK_ONES
    }

    /// Brings the next retry forward, since this node looks for all nodes at its address.
    pub(super) fn hurry(&mut self) {
        if let Some((_, at)) = self.last
            && self.is_starting()
        {
            self.at_latest(at + self.quick);
        }
    }

    /// True if the server itself is away, which concerns all nodes at its address.
    pub(super) fn is_away(&self) -> bool {
        use ErrorKind::{
            ConnectionLost, HostNotFound, Refused, ShuttingDown, StartingUp, Terminated, Timeout, Unreachable,
        };
        let Some((kind, _)) = self.last else { return false };
        matches!(
            kind,
            Refused | Timeout | Unreachable | HostNotFound | StartingUp | ShuttingDown | ConnectionLost | Terminated
        )
    }

    /// Takes in that an attempt failed in this way after nothing was answered for the time `held`. If the other side closed
    /// it, what held it is gone: the next one follows at once.
    pub(super) fn released(&mut self, kind: ErrorKind, held: Duration, now: Instant) {
        if kind == ErrorKind::ConnectionLost && held >= self.quick && self.quick_ones < QUICK_ONES {
            self.quick_ones += 1;
            self.at_latest(now);
        }
    }

    /// Brings the next retry forward to this time.
    pub(super) fn at_latest(&mut self, due: Instant) {
        self.due = self.due.min(due);
    }

    /// When the next retry is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Takes in that a node with an open connection is lost. If it had answered for a while, its count of failures
    /// starts again.
    pub(super) fn lost(&mut self) {
        if self.lasted() {
            self.failed = 0;
        }
    }

    /// Takes in that an attempt, and the connection it may have opened, has ended.
    pub(super) fn attempt_is_over(&mut self) {
        self.failed = self.failed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    const SECOND: Duration = Duration::from_secs(1);

    /// Its interval is a second.
    fn node() -> NodeConfig {
        NodeConfig::new(NodeName::parse("n").unwrap(), "h")
    }

    /// The seconds to wait after attempts that failed in this way, in order.
    fn waits(kinds: impl IntoIterator<Item = ErrorKind>) -> Vec<u64> {
        let now = Instant::now();
        let mut retries = Retries::new(&node(), now);
        let wait = |kind| {
            let wait = retries.plan(kind, false, now, 0.0);
            assert_eq!(retries.due(), now + wait);
            retries.attempt_is_over();
            wait.as_secs()
        };
        kinds.into_iter().map(wait).collect()
    }

    #[test]
    fn retries_come_less_and_less_often_but_not_while_a_server_starts() {
        use ErrorKind::{Refused, StartingUp};
        assert_eq!(waits([Refused; 7]), [1, 2, 4, 8, 16, 30, 30]);
        // A server that is starting up may be ready at any moment.
        assert_eq!(waits([StartingUp; 7]), [1, 2, 4, 5, 5, 5, 5]);
        assert_eq!(waits([Refused, Refused, Refused, StartingUp, Refused]), [1, 2, 4, 5, 16]);
    }

    #[test]
    fn a_node_that_looks_for_all_tries_a_starting_server_each_400_ms_for_two_minutes_n13() {
        for (kind, quick) in
            [(ErrorKind::StartingUp, true), (ErrorKind::ShuttingDown, false), (ErrorKind::Refused, false)]
        {
            let now = Instant::now();
            let mut retries = Retries::new(&node(), now);
            retries.failed(kind, now);
            retries.plan(kind, false, now, 0.0);
            retries.hurry();
            assert_eq!(retries.due() - now, if quick { QUICK } else { SECOND }, "{kind:?}");
        }
        let now = Instant::now();
        let mut retries = Retries::new(&node(), now);
        let mut quick = 0;
        loop {
            retries.failed(ErrorKind::StartingUp, now);
            retries.plan(ErrorKind::StartingUp, false, now, 0.0);
            retries.attempt_is_over();
            retries.hurry();
            if retries.due() - now > QUICK {
                break;
            }
            quick += 1;
        }
        assert_eq!((QUICK * quick, retries.due() - now), (SECOND * 120, SECOND * 5));
        retries.connected(now);
        assert!(!retries.wants_scout());
        retries.failed(ErrorKind::StartingUp, now);
        retries.plan(ErrorKind::StartingUp, false, now, 0.0);
        retries.hurry();
        assert_eq!(retries.due() - now, QUICK, "a connection forgets how long the server was starting");
    }

    #[test]
    fn an_attempt_that_hung_and_was_closed_is_repeated_at_once_n13() {
        use ErrorKind::{Authentication, ConnectionLost, Timeout};
        for (kind, held, at_once) in [
            (ConnectionLost, 399, false),
            (ConnectionLost, 400, true),
            (Timeout, 5000, false),
            // A server that is slow to refuse a password must not be asked more often.
            (Authentication, 5000, false),
        ] {
            let now = Instant::now();
            let mut retries = Retries::new(&node(), now);
            retries.plan(kind, false, now, 0.0);
            retries.released(kind, Duration::from_millis(held), now);
            assert_eq!(retries.due() == now, at_once, "{kind:?} {held}");
        }
    }

    #[test]
    fn a_node_that_answered_for_a_while_starts_afresh() {
        // Seconds from the connection to the last answer; the wait planned while the node counts as living, and when it
        // is lost.
        for (answered, living, lost) in [(0, 4, 4), (1, 1, 1)] {
            let now = Instant::now();
            let mut retries = Retries::new(&node(), now);
            retries.attempt_is_over();
            retries.attempt_is_over();
            retries.connected(now);
            retries.answered(now + SECOND * answered);
            let mut wait = |answers| retries.plan(ErrorKind::ConnectionLost, answers, now, 0.0).as_secs();
            assert_eq!((wait(true), wait(false)), (living, 4), "{answered} s");
            retries.lost();
            assert_eq!(retries.plan(ErrorKind::ConnectionLost, false, now, 0.0).as_secs(), lost, "{answered} s");
        }
    }

    #[test]
    fn the_fifth_connection_in_a_row_that_is_closed_at_once_makes_a_node_lost() {
        let now = Instant::now();
        let mut retries = Retries::new(&node(), now);
        for (open, flaps, flapping) in [
            (299, 1, false),
            (0, 2, false),
            (300, 0, false),
            (10, 1, false),
            (10, 2, false),
            (10, 3, false),
            (10, 4, false),
            (10, 5, true),
            (10, 6, true),
            (5000, 0, false),
        ] {
            retries.connected(now);
            let ended = retries.connection_ended(now + Duration::from_millis(open));
            assert_eq!((ended, retries.is_flapping()), (flaps, flapping), "{open} ms");
        }
    }
}
