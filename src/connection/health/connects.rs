//! How long a node usually takes to let us in, which says how long to wait before silence means something.

use std::time::Duration;

use crate::model::history::Ring;

/// Connects that tell what is usual.
const NEWEST: usize = 7;

/// The newest connect times of one node.
#[derive(Debug)]
pub(super) struct Connects(Ring<Duration>);

impl Connects {
    pub(super) fn new() -> Self {
        Self(Ring::new(NEWEST))
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How long a connection that is to confirm a failure may take: `timeout`, or three times what is usual.
    pub(super) fn patience(&self, timeout: Duration) -> Duration {
        timeout.max(self.usual() * 3)
    }

    /// Whether all that is known is one connect that took long. It was made when many were made at once, and says little of
    /// what is usual: by it alone a node that froze would be waited for too long (N3).
    pub(super) fn are_doubtful(&self, timeout: Duration) -> bool {
        self.0.len() == 1 && self.patience(timeout) > timeout
    }

    /// The lower quartile: those that hung, on a node that was frozen for a moment, are not usual.
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
    fn one_slow_connect_is_doubted_and_a_second_one_settles_it_n3() {
        let ms = Duration::from_millis;
        let timeout = ms(400);
        let cases: [(&[u64], u64, bool); 8] = [
            (&[], 400, false),
            (&[20], 400, false),
            (&[1700], 5100, true),
            (&[1700, 20], 400, false),
            // A node that is far away, or asks somebody else for every password.
            (&[700, 650], 1950, false),
            (&[20, 30, 5000], 400, false),
            (&[3000, 20, 3000], 400, false),
            (&[9000, 20, 20, 20, 20, 20, 20, 900], 400, false),
        ];
        for (took, patience, doubtful) in cases {
            let mut connects = Connects::new();
            for time in took {
                connects.took(ms(*time));
            }
            assert_eq!(
                (connects.patience(timeout), connects.are_doubtful(timeout)),
                (ms(patience), doubtful),
                "{took:?}"
            );
        }
    }
}
