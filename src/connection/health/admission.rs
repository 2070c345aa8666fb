//! When to open a fresh connection beside our own: to confirm that a node is dead, or to check that a living one admits
//! new connections. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::connection::schedule::backoff;
use crate::model::{ErrorKind, NodeError};

/// How often to check that a node which answers also admits new connections. Rarely, because each check costs the
/// server a process. A hint of trouble (all its connections in use, a query that got none) brings the check forward,
/// but not within [`ADMISSION_AT_MOST`] of the last fresh connection. A request of the user is served at once.
const ADMISSION: Duration = Duration::from_mins(2);
const ADMISSION_AT_MOST: Duration = Duration::from_secs(10);
/// How soon after a refusal the next attempt may come if there seems to be room again.
const ROOM_AT_MOST: Duration = Duration::from_secs(2);
/// When the first check comes if the first connect took suspiciously long. Up to [`ADMISSION_AT_MOST`] is added at random,
/// so that many nodes are not dialled in one instant again.
const FIRST_ADMISSION: Duration = Duration::from_secs(2);
/// Time between two fresh connections that confirm a failure; the second does not wait for the answer to the first.
const SPACING: Duration = Duration::from_millis(100);

/// Our own connection to the node, on which it is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Gone,
    /// No probe is under way on it.
    Idle,
    /// A probe is under way.
    Asked,
    /// A probe was not answered within its timeout.
    Overdue,
}

/// What decides whether a fresh connection is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    pub(super) own: Own,
    /// Misses in a row.
    pub(super) failures: u32,
    /// Misses in a row that make the node unhealthy.
    pub(super) unhealthy_after: u32,
    /// Fresh connections under way.
    pub(super) opening: usize,
    /// True if the probe under way is not the only question that waits for an answer too long, so that it will probably be
    /// missed.
    pub(super) doubted: bool,
}

impl Situation {
    /// True if the node may be dead, so that there is a hurry.
    pub(super) fn is_suspect(self) -> bool {
        matches!(self.own, Own::Gone | Own::Overdue) || self.failures > 0 || self.doubted
    }

    /// True if a fresh connection that failed with `kind` was refused by a living node; otherwise it is one more sign that
    /// the node is dead.
    pub(super) fn is_refusal(self, kind: ErrorKind) -> bool {
        match self.own {
            Own::Gone => false,
            Own::Idle | Own::Asked if !self.doubted => true,
            Own::Idle | Own::Asked | Own::Overdue => kind.is_server_refusal(),
        }
    }

    /// The misses in a row if all that is under way is missed.
    fn expected(self) -> usize {
        let probe = usize::from(self.doubted && self.own == Own::Asked);
        self.failures as usize + self.opening + probe
    }
}

/// When fresh connections are due, while we have a connection of our own or have just lost it.
#[derive(Debug)]
pub(super) struct Admission {
    next_confirmation: Instant,
    next_check: Instant,
    last_opening: Option<Instant>,
    /// Why the node refuses fresh connections while our own answers, and how often in a row it did.
    refusal: Option<(NodeError, u32)>,
}

impl Admission {
    /// Our own connection was opened `now`. `doubtful`: that took suspiciously long. `jitter` is from 0 to 1.
    pub(super) fn new(now: Instant, doubtful: bool, jitter: f64) -> Self {
        let first = if doubtful { FIRST_ADMISSION + ADMISSION_AT_MOST.mul_f64(jitter) } else { ADMISSION };
        Self { next_confirmation: now, next_check: now + first, last_opening: None, refusal: None }
    }

    /// When to open a fresh connection to confirm a failure, or to see whether the node admits connections again.
    pub(super) fn next_confirmation(&self, situation: Situation) -> Option<Instant> {
        self.wants_confirmation(situation).then_some(self.next_confirmation)
    }

    /// When to check that the node admits connections.
    pub(super) fn next_check(&self, situation: Situation) -> Option<Instant> {
        let quiet = situation.own == Own::Idle && situation.opening == 0 && self.refusal.is_none();
        (quiet && !self.wants_confirmation(situation)).then_some(self.next_check)
    }

    /// A suspect node may need more misses before it counts as dead: a fresh connection is opened for each of them,
    /// those under way included. A living node that refuses gets one at a time.
    fn wants_confirmation(&self, situation: Situation) -> bool {
        if situation.is_suspect() {
            return situation.expected() < situation.unhealthy_after.max(1) as usize;
        }
        self.refusal.is_some() && situation.opening == 0
    }

    /// A fresh connection is being opened.
    pub(super) fn opening(&mut self, now: Instant) {
        self.last_opening = Some(now);
        self.next_confirmation = now + SPACING;
        self.next_check = now + ADMISSION;
    }

    /// A fresh connection was opened.
    pub(super) fn admitted(&mut self) {
        self.refusal = None;
    }

    /// The living node refused a fresh connection: the next one follows after a delay that grows with each refusal.
    pub(super) fn refused(&mut self, error: NodeError, now: Instant) {
        let times = self.refusal.take().map_or(0, |(_, times)| times);
        self.next_confirmation = now + backoff::refused(error.kind, times, 0.0);
        self.refusal = Some((error, times + 1));
    }

    /// Why the node refuses fresh connections, if it does.
    pub(super) fn refusal(&self) -> Option<&NodeError> {
        self.refusal.as_ref().map(|(error, _)| error)
    }

    /// A probe was not answered in time.
    pub(super) fn probe_missed(&mut self, now: Instant) {
        self.next_confirmation = now;
    }

    /// Our own connection ended. `flaps` is how many in a row were closed at once: the wait for the next one grows with
    /// them.
    pub(super) fn connection_ended(&mut self, flaps: u32, now: Instant) {
        self.next_confirmation = now + SPACING * flaps;
    }

    /// The user asked.
    pub(super) fn check_now(&mut self, now: Instant) {
        (self.next_confirmation, self.next_check) = (now, now);
    }

    /// Something hints that the node has room again: sessions ended, or another one of ours was admitted.
    pub(super) fn has_room(&mut self, now: Instant) {
        if self.refusal.is_some() {
            let earliest = self.last_opening.map_or(now, |last| now.max(last + ROOM_AT_MOST));
            self.next_confirmation = self.next_confirmation.min(earliest);
        }
    }

    /// Something hints that the node may not admit connections.
    pub(super) fn check_soon(&mut self, now: Instant) {
        let earliest = self.last_opening.map_or(now, |last| last + ADMISSION_AT_MOST);
        self.next_check = self.next_check.min(earliest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FULL: ErrorKind = ErrorKind::TooManyConnections;

    fn situation(own: Own, failures: u32, opening: usize) -> Situation {
        Situation { own, failures, unhealthy_after: 3, opening, doubted: false }
    }

    fn refusal() -> NodeError {
        NodeError::new(FULL, "too many")
    }

    #[test]
    fn a_fresh_connection_confirms_or_checks() {
        let now = Instant::now();
        let cases = [
            // Own connection, misses, connections in progress; then the confirmation and the check of a node that
            // admits connections.
            (Own::Idle, 0, 0, false, true),
            (Own::Asked, 0, 0, false, false),
            (Own::Idle, 0, 1, false, false),
            (Own::Overdue, 0, 0, true, false),
            (Own::Overdue, 1, 0, true, false),
            (Own::Overdue, 1, 1, true, false),
            (Own::Overdue, 1, 2, false, false),
            (Own::Overdue, 2, 1, false, false),
            (Own::Idle, 1, 0, true, false),
            (Own::Idle, 1, 2, false, false),
            (Own::Gone, 0, 0, true, false),
            (Own::Gone, 0, 2, true, false),
            (Own::Gone, 0, 3, false, false),
        ];
        let admission = Admission::new(now, false, 0.0);
        for (own, failures, opening, confirmation, check) in cases {
            let situation = situation(own, failures, opening);
            let due = (admission.next_confirmation(situation).is_some(), admission.next_check(situation).is_some());
            assert_eq!(due, (confirmation, check), "{situation:?}");
        }
        // A node that refuses is asked by one connection at a time, without a check at the same time.
        let mut admission = Admission::new(now, false, 0.0);
        admission.refused(refusal(), now);
        for (own, opening, confirmation) in [(Own::Idle, 0, true), (Own::Asked, 0, true), (Own::Idle, 1, false)] {
            let situation = situation(own, 0, opening);
            let due = (admission.next_confirmation(situation).is_some(), admission.next_check(situation).is_some());
            assert_eq!(due, (confirmation, false), "{situation:?}");
        }
    }

    /// The probe in doubt is one of the misses that are to be expected.
    #[test]
    fn two_connections_confirm_a_node_whose_probe_is_in_doubt_n3() {
        let admission = Admission::new(Instant::now(), false, 0.0);
        for (own, failures, opening, wanted) in [
            (Own::Asked, 0, 0, true),
            (Own::Asked, 0, 1, true),
            (Own::Asked, 0, 2, false),
            (Own::Asked, 1, 1, false),
            (Own::Overdue, 1, 1, true),
            (Own::Overdue, 1, 2, false),
        ] {
            let situation = Situation { doubted: true, ..situation(own, failures, opening) };
            assert_eq!(admission.next_confirmation(situation).is_some(), wanted, "{situation:?}");
        }
    }

    #[test]
    fn a_threshold_of_zero_counts_as_one() {
        let admission = Admission::new(Instant::now(), false, 0.0);
        let situation = Situation { unhealthy_after: 0, ..situation(Own::Gone, 0, 0) };
        assert!(admission.next_confirmation(situation).is_some());
    }

    #[test]
    fn the_first_check_of_a_doubtful_node_comes_early() {
        let now = Instant::now();
        for (doubtful, jitter, seconds) in [(false, 1.0, 120), (true, 0.0, 2), (true, 0.5, 7), (true, 1.0, 12)] {
            let check = Admission::new(now, doubtful, jitter).next_check(situation(Own::Idle, 0, 0));
            assert_eq!(check, Some(now + SECOND * seconds), "{doubtful} {jitter}");
        }
    }

    #[test]
    fn hints_bring_a_check_forward_but_not_within_ten_seconds_of_the_last() {
        let (now, idle) = (Instant::now(), situation(Own::Idle, 0, 0));
        let mut admission = Admission::new(now, false, 0.0);
        admission.check_soon(now + SECOND);
        assert_eq!(admission.next_check(idle), Some(now + SECOND), "none was made before");
        admission.opening(now + SECOND);
        assert_eq!(admission.next_check(idle), Some(now + SECOND * 121));
        admission.check_soon(now + SECOND * 3);
        assert_eq!(admission.next_check(idle), Some(now + SECOND * 11));
        admission.check_soon(now + SECOND * 60);
        assert_eq!(admission.next_check(idle), Some(now + SECOND * 11), "never later");
        admission.check_now(now + SECOND * 4);
        assert_eq!(admission.next_check(idle), Some(now + SECOND * 4), "the user need not wait");
    }

    #[test]
    fn confirmations_keep_their_distance() {
        let (now, gone) = (Instant::now(), situation(Own::Gone, 0, 0));
        let mut admission = Admission::new(now, false, 0.0);
        assert_eq!(admission.next_confirmation(gone), Some(now));
        admission.opening(now);
        assert_eq!(admission.next_confirmation(gone), Some(now + SPACING));
        admission.probe_missed(now);
        assert_eq!(admission.next_confirmation(gone), Some(now));
        admission.connection_ended(3, now);
        assert_eq!(admission.next_confirmation(gone), Some(now + SPACING * 3));
    }

    #[test]
    fn a_node_that_refuses_is_checked_less_and_less_often() {
        let (now, idle) = (Instant::now(), situation(Own::Idle, 0, 0));
        let mut admission = Admission::new(now, false, 0.0);
        let denied = NodeError::new(ErrorKind::Authentication, "no");
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            admission.refused(denied.clone(), now);
            assert_eq!(admission.next_confirmation(idle), Some(now + SECOND * seconds));
            assert_eq!(admission.refusal(), Some(&denied));
        }
        admission.admitted();
        // A connection may be free again at any moment.
        for seconds in [1, 2, 4, 5, 5] {
            admission.refused(refusal(), now);
            assert_eq!(admission.next_confirmation(idle), Some(now + SECOND * seconds));
        }
        admission.admitted();
        assert_eq!((admission.refusal(), admission.next_confirmation(idle)), (None, None));
    }

    #[test]
    fn a_node_that_has_room_again_is_checked_soon() {
        let (now, idle) = (Instant::now(), situation(Own::Idle, 0, 0));
        let mut admission = Admission::new(now, false, 0.0);
        admission.has_room(now);
        assert_eq!(admission.next_confirmation(idle), None, "it admits connections");
        let denied = NodeError::new(ErrorKind::Permission, "no");
        for _ in 0..6 {
            admission.opening(now);
            admission.refused(denied.clone(), now);
        }
        assert_eq!(admission.next_confirmation(idle), Some(now + SECOND * 30));
        admission.has_room(now + SECOND);
        assert_eq!(admission.next_confirmation(idle), Some(now + SECOND * 2), "not at once after the last one");
        admission.has_room(now + SECOND * 5);
        assert_eq!(admission.next_confirmation(idle), Some(now + SECOND * 2), "never later");
        admission.refused(denied, now + SECOND * 2);
        admission.has_room(now + SECOND * 7);
        assert_eq!(admission.next_confirmation(idle), Some(now + SECOND * 7));
    }

    #[test]
    fn a_node_that_refuses_is_alive() {
        for (own, kind, refusal) in [
            (Own::Idle, ErrorKind::Timeout, true),
            (Own::Asked, ErrorKind::Refused, true),
            (Own::Overdue, ErrorKind::Timeout, false),
            (Own::Overdue, FULL, true),
            (Own::Gone, FULL, false),
        ] {
            assert_eq!(situation(own, 0, 0).is_refusal(kind), refusal, "{own:?} {kind:?}");
        }
        let doubted = Situation { doubted: true, ..situation(Own::Asked, 0, 0) };
        assert_eq!(
            [ErrorKind::Timeout, ErrorKind::Refused, FULL].map(|kind| doubted.is_refusal(kind)),
            [false, false, true]
        );
    }
}
