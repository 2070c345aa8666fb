//! How long a node usually takes to accept a connection, from which follows how long to wait for one before silence
//! counts as a failure.

use std::time::Duration;

use crate::model::HealthState;
use crate::model::history::Ring;

/// How many of the newest connects the usual time is taken from.
const NEWEST: usize = 7;

/// The newest connect times of one node.
#[derive(Debug)]
pub(super) struct Connects(Ring<Duration>);

impl Connects {
    pub(super) fn new() -> Self {
        Self(Ring::new(NEWEST))
    }

    /// Takes in how long a connect took, in the `state` that the node had before. One that found the node down may have
    /// waited until it was back, so its time is not a usual one.
    pub(super) fn took(&mut self, time: Duration, state: HealthState) {
        if !matches!(state, HealthState::Unhealthy | HealthState::Reconnecting) {
            self.0.push(time);
        }
    }

    /// How long a connection that confirms a failure may take: `timeout`, or three times the usual time if that is
    /// longer.
    pub(super) fn patience(&self, timeout: Duration) -> Duration {
        timeout.max(self.usual() * 3)
    }

    /// True while the only sample is one slow connect made in the start-up rush: too poor a baseline, by which a frozen
    /// node would be waited for too long (N3).
    pub(super) fn are_doubtful(&self, timeout: Duration) -> bool {
        self.0.len() == 1 && self.patience(timeout) > timeout
    }

    /// The lower quartile, so that a few connects to a node that froze for a moment do not count as usual.
    fn usual(&self) -> Duration {
        let mut times: Vec<Duration> = self.0.iter().copied().collect();
        times.sort_unstable();
        times.get(times.len().saturating_sub(1) / 4).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_connect_is_doubtful_and_a_second_one_confirms_it_n3() {
        let ms = Duration::from_millis;
        let timeout = ms(400);
        let cases: [(&[u64], u64, bool); 8] = [
            (&[], 400, false),
            (&[20], 400, false),
            (&[1700], 5100, true),
            (&[1700, 20], 400, false),
            // A distant node, or one that asks another server about each password.
            (&[700, 650], 1950, false),
            (&[20, 30, 5000], 400, false),
            (&[3000, 20, 3000], 400, false),
            (&[9000, 20, 20, 20, 20, 20, 20, 900], 400, false),
        ];
        for (took, patience, doubtful) in cases {
            let mut connects = Connects::new();
            for time in took {
                connects.took(ms(*time), HealthState::Healthy);
            }
            assert_eq!(
                (connects.patience(timeout), connects.are_doubtful(timeout)),
                (ms(patience), doubtful),
                "{took:?}"
            );
        }
    }

    #[test]
    fn a_connect_that_waited_until_the_node_was_back_is_not_usual_n3() {
        use HealthState::{Connecting, Degraded, Healthy, Reconnecting, Unhealthy};
        let timeout = Duration::from_millis(400);
        for (state, counts) in
            [(Connecting, true), (Healthy, true), (Degraded, true), (Unhealthy, false), (Reconnecting, false)]
        {
            let mut connects = Connects::new();
            connects.took(Duration::from_millis(700), state);
            assert_eq!(connects.patience(timeout) > timeout, counts, "{state:?}");
        }
    }
}
