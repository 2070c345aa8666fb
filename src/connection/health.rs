//! The rules of health: how an observation changes a node's state. Pure: time is an argument, and nothing here
//! waits or does I/O.

mod admission;
mod attempt;
mod connects;
pub(super) mod monitor;
mod port;
mod probe;
mod retries;

use std::time::{Duration, SystemTime};

use crate::model::{ErrorKind, Health, HealthConfig, HealthState, NodeError};

/// What the health loop observed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Observation {
    /// An attempt to connect begins: the first one, or a retry.
    Attempt,
    /// The attempt failed; the next one is due after `next`.
    AttemptFailed { error: NodeError, next: Duration },
    /// A probe, or the question for the figures, was answered in time. `latency` is unknown if we ourselves were too late to measure it; `refusing` is
    /// the reason if the node refuses new connections.
    Answered { latency: Option<Duration>, refusing: Option<NodeError> },
    /// A probe was answered after its timeout, or a fresh connection or the figures answered while the probe was out: the
    /// node is slow, not dead.
    Late { latency: Option<Duration>, error: NodeError },
    /// A probe, or a connection to confirm it, got no answer in time or was refused. If that makes the node unhealthy,
    /// the first retry is due after `next`.
    Missed { error: NodeError, next: Duration },
    /// The probe's connection ended. Fresh connections will show whether the node is down.
    Lost(NodeError),
    /// A fresh connection was refused while the old one is open.
    Refusing(NodeError),
    /// We closed the connections: the node was removed or paused, or the manager shuts down.
    Left { paused: bool },
}

/// The health after the observation `seen`, by `policy`. The state has changed if `state` differs.
pub(crate) fn step(policy: &HealthConfig, health: &Health, seen: Observation, now: SystemTime) -> Health {
    let mut next = health.clone();
    match seen {
        Observation::Attempt => attempt(&mut next),
        Observation::AttemptFailed { error, next: wait } => {
            miss(&mut next, error, now);
            // The first failed attempt is an outage; a failed retry belongs to the same outage.
            if next.state != HealthState::Reconnecting {
                next.state = HealthState::Unhealthy;
            }
            next.next_retry = Some(now + wait);
        }
        Observation::Answered { latency, refusing } => {
            let slow = latency.filter(|latency| *latency > policy.slow_after).map(|latency| slow(latency, policy));
            answer(&mut next, latency, refusing.or(slow), now);
        }
        Observation::Late { latency, error } => answer(&mut next, latency, Some(error), now),
        Observation::Missed { error, next: wait } => {
            miss(&mut next, error, now);
            if next.failures >= policy.unhealthy_after.max(1) {
                next.state = HealthState::Unhealthy;
                next.next_retry = Some(now + wait);
            } else {
                next.state = HealthState::Degraded;
            }
        }
        Observation::Lost(error) => {
            miss(&mut next, error, now);
            // Living nodes end sessions too, so this alone never makes a node unhealthy (N2).
            next.failures = next.failures.min(policy.unhealthy_after.max(1) - 1);
            next.state = HealthState::Degraded;
        }
        Observation::Refusing(error) => {
            next.state = HealthState::Degraded;
            next.error = Some(error);
            next.last_check = Some(now);
        }
        Observation::Left { paused } => leave(&mut next, paused),
    }
    if next.state != health.state {
        next.since = now;
    }
    next
}

fn attempt(health: &mut Health) {
    health.next_retry = None;
    match health.state {
        HealthState::Unhealthy | HealthState::Reconnecting => {
            health.state = HealthState::Reconnecting;
            health.attempt += 1;
        }
        _ => {
            health.state = HealthState::Connecting;
            health.attempt = 1;
            health.paused = false;
        }
    }
}

fn answer(health: &mut Health, latency: Option<Duration>, trouble: Option<NodeError>, now: SystemTime) {
    health.state = if trouble.is_some() { HealthState::Degraded } else { HealthState::Healthy };
    health.error = trouble;
    health.failures = 0;
    health.attempt = 0;
    health.down_since = None;
    health.next_retry = None;
    health.last_check = Some(now);
    health.last_success = Some(now);
    health.latency = latency.or(health.latency);
}

fn miss(health: &mut Health, error: NodeError, now: SystemTime) {
    health.failures += 1;
    health.error = Some(error);
    health.last_check = Some(now);
    health.down_since = health.down_since.or(Some(now));
    health.latency = None;
}

fn leave(health: &mut Health, paused: bool) {
    health.state = HealthState::Disconnected;
    health.paused = paused;
    health.failures = 0;
    health.attempt = 0;
    health.down_since = None;
    health.next_retry = None;
    health.latency = None;
    health.error = None;
}

fn slow(latency: Duration, policy: &HealthConfig) -> NodeError {
    let text = format!("slow: answered after {} ms", latency.as_millis());
    NodeError::new(ErrorKind::Timeout, text)
        .with_hint(format!("health.slow_after is {} ms for this node", policy.slow_after.as_millis()))
}

#[cfg(test)]
mod tests {
    use HealthState::{Connecting, Degraded, Disconnected, Healthy, Reconnecting, Unhealthy};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn error(kind: ErrorKind) -> NodeError {
        NodeError::new(kind, "trouble")
    }
    fn ok(ms: u64) -> Observation {
        Observation::Answered { latency: Some(Duration::from_millis(ms)), refusing: None }
    }
    fn late() -> Observation {
        Observation::Late { latency: Some(Duration::from_millis(700)), error: error(ErrorKind::Timeout) }
    }
    fn missed() -> Observation {
        Observation::Missed { error: error(ErrorKind::Timeout), next: SECOND }
    }
    fn refused() -> Observation {
        Observation::Missed { error: error(ErrorKind::Refused), next: SECOND }
    }
    fn failed() -> Observation {
        Observation::AttemptFailed { error: error(ErrorKind::Refused), next: SECOND }
    }
    fn lost() -> Observation {
        Observation::Lost(error(ErrorKind::Terminated))
    }
    fn refusing() -> Observation {
        Observation::Refusing(error(ErrorKind::TooManyConnections))
    }
    fn ok_but_refusing() -> Observation {
        Observation::Answered { latency: None, refusing: Some(error(ErrorKind::TooManyConnections)) }
    }
    fn left(paused: bool) -> Observation {
        Observation::Left { paused }
    }
    use Observation::Attempt;

    /// Walks a new node through the observations, one second apart. Returns state, misses in a row and attempt after
    /// each.
    fn walk(policy: &HealthConfig, story: &str, steps: Vec<(Observation, HealthState, u32, u32)>) -> Health {
        let mut now = SystemTime::UNIX_EPOCH;
        let mut health = Health::new(now);
        for (number, (seen, state, failures, attempt)) in steps.into_iter().enumerate() {
            now += SECOND;
            let what = format!("{story}: step {number}, {seen:?}");
            let next = step(policy, &health, seen, now);
            assert_eq!((next.state, next.failures, next.attempt), (state, failures, attempt), "{what}");
            assert_eq!(next.since, if next.state == health.state { health.since } else { now }, "{what}: since");
            assert_eq!(next.next_retry.is_some(), next.state == Unhealthy || retry_shown(&next), "{what}: next retry");
            let jumped = next.state == Reconnecting && !matches!(health.state, Unhealthy | Reconnecting);
            assert!(!jumped, "{what}: unhealthy comes before reconnecting");
            health = next;
        }
        health
    }

    /// True between two retries, but not while one runs.
    fn retry_shown(health: &Health) -> bool {
        health.state == Reconnecting && health.next_retry.is_some()
    }

    #[test]
    fn probes_lead_through_the_promised_states() {
        let policy = HealthConfig::default();
        let stories = [
            ("first answer", vec![(Attempt, Connecting, 0, 1), (ok(1), Healthy, 0, 0)]),
            ("first answer is slow", vec![(Attempt, Connecting, 0, 1), (ok(300), Degraded, 0, 0)]),
            (
                "first attempt fails",
                vec![
                    (Attempt, Connecting, 0, 1),
                    (failed(), Unhealthy, 1, 1),
                    (Attempt, Reconnecting, 1, 2),
                    (failed(), Reconnecting, 2, 2),
                    (Attempt, Reconnecting, 2, 3),
                    (ok(1), Healthy, 0, 0),
                ],
            ),
            (
                "one lost probe never flips it",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (missed(), Degraded, 1, 0),
                    (late(), Degraded, 0, 0),
                    (ok(1), Healthy, 0, 0),
                ],
            ),
            (
                "three misses in a row",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (missed(), Degraded, 1, 0),
                    (missed(), Degraded, 2, 0),
                    (missed(), Unhealthy, 3, 0),
                    (Attempt, Reconnecting, 3, 1),
                    (failed(), Reconnecting, 4, 1),
                    (Attempt, Reconnecting, 4, 2),
                    (ok(1), Healthy, 0, 0),
                    (missed(), Degraded, 1, 0),
                ],
            ),
            (
                "a late answer clears the misses",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (missed(), Degraded, 1, 0),
                    (missed(), Degraded, 2, 0),
                    (late(), Degraded, 0, 0),
                    (missed(), Degraded, 1, 0),
                    (missed(), Degraded, 2, 0),
                    (ok(251), Degraded, 0, 0),
                    (ok(250), Healthy, 0, 0),
                ],
            ),
        ];
        for (story, steps) in stories {
            walk(&policy, story, steps);
        }
    }

    #[test]
    fn ended_and_refused_sessions_lead_through_the_promised_states() {
        let policy = HealthConfig::default();
        let stories = [
            (
                "killed: the session ends, fresh connects are refused",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (lost(), Degraded, 1, 0),
                    (refused(), Degraded, 2, 0),
                    (refused(), Unhealthy, 3, 0),
                ],
            ),
            (
                "only our session was terminated",
                vec![(ok(1), Healthy, 0, 0), (lost(), Degraded, 1, 0), (ok(1), Healthy, 0, 0)],
            ),
            (
                "lost after two misses is not the last straw",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (missed(), Degraded, 1, 0),
                    (missed(), Degraded, 2, 0),
                    (lost(), Degraded, 2, 0),
                    (refused(), Unhealthy, 3, 0),
                ],
            ),
            (
                "refuses new connections while the old one answers",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (refusing(), Degraded, 0, 0),
                    (ok_but_refusing(), Degraded, 0, 0),
                    (ok(1), Healthy, 0, 0),
                ],
            ),
            (
                "paused and resumed",
                vec![
                    (ok(1), Healthy, 0, 0),
                    (left(true), Disconnected, 0, 0),
                    (Attempt, Connecting, 0, 1),
                    (ok(1), Healthy, 0, 0),
                    (left(false), Disconnected, 0, 0),
                ],
            ),
            (
                "paused while reconnecting",
                vec![(failed(), Unhealthy, 1, 1), (Attempt, Reconnecting, 1, 2), (left(true), Disconnected, 0, 0)],
            ),
        ];
        for (story, steps) in stories {
            walk(&policy, story, steps);
        }
    }

    #[test]
    fn a_threshold_of_one_still_needs_a_miss() {
        let policy = HealthConfig { unhealthy_after: 1, ..HealthConfig::default() };
        walk(&policy, "missed", vec![(ok(1), Healthy, 0, 0), (missed(), Unhealthy, 1, 0)]);
        walk(
            &policy,
            "terminated",
            vec![
                (ok(1), Healthy, 0, 0),
                (lost(), Degraded, 0, 0),
                (ok(1), Healthy, 0, 0),
                (lost(), Degraded, 0, 0),
                (refused(), Unhealthy, 1, 0),
            ],
        );
    }

    #[test]
    fn an_outage_begins_with_its_first_miss_and_ends_with_an_answer() {
        let policy = HealthConfig::default();
        let down = walk(
            &policy,
            "down",
            vec![
                (ok(1), Healthy, 0, 0),
                (lost(), Degraded, 1, 0),
                (refused(), Degraded, 2, 0),
                (refused(), Unhealthy, 3, 0),
                (Attempt, Reconnecting, 3, 1),
            ],
        );
        let second = |n| SystemTime::UNIX_EPOCH + Duration::from_secs(n);
        assert_eq!((down.down_since, down.last_success), (Some(second(2)), Some(second(1))));
        assert_eq!((down.latency, down.error.as_ref().map(|e| e.kind)), (None, Some(ErrorKind::Refused)));
        let up = step(&policy, &down, ok(1), second(9));
        assert_eq!((up.down_since, up.last_success, up.error), (None, Some(second(9)), None));
    }

    #[test]
    fn the_first_retry_is_due_at_the_time_given_with_the_miss() {
        let policy = HealthConfig { unhealthy_after: 1, ..HealthConfig::default() };
        let now = SystemTime::UNIX_EPOCH;
        let seen = Observation::Missed { error: error(ErrorKind::Timeout), next: 2 * SECOND };
        let down = step(&policy, &Health::new(now), seen, now);
        assert_eq!(down.next_retry, Some(now + 2 * SECOND));
    }

    #[test]
    fn our_own_delay_does_not_count_as_latency() {
        let policy = HealthConfig::default();
        let up = step(&policy, &Health::new(SystemTime::UNIX_EPOCH), ok(2), SystemTime::UNIX_EPOCH);
        let stalled = Observation::Answered { latency: None, refusing: None };
        let after = step(&policy, &up, stalled, SystemTime::UNIX_EPOCH + SECOND);
        assert_eq!((after.state, after.latency), (Healthy, Some(Duration::from_millis(2))));
    }
}
