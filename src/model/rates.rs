//! Rates computed from totals: what happened between two answers of a server. A reset, a restart or a clock that went
//! back gives no rate, never a negative one.

use std::time::{Duration, SystemTime};

use super::Facts;

/// The span over which the rates of a table are taken. A server flushes its statistics once a second at most and on its
/// own schedule, out of step with our refresh: over one second, a steady load would seem to jump.
pub const TABLE_SPAN: Duration = Duration::from_secs(3);

/// Change of a counter per second; `None` if it went down or no time passed.
pub fn rate(before: Option<u64>, after: Option<u64>, seconds: f64) -> Option<f64> {
    let change = after?.checked_sub(before?)?;
    (seconds > 0.0).then(|| change as f64 / seconds)
}

/// What two refreshes of one node give together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Commits and rollbacks per second.
    pub transactions: Option<f64>,
    /// Share of commits among all transactions, 0 to 1.
    pub commit_ratio: Option<f64>,
    /// Share of blocks that were found in shared buffers, 0 to 1.
    pub cache_hit_ratio: Option<f64>,
    /// Bytes written to temporary files per second.
    pub temp_bytes: Option<f64>,
    /// Bytes of WAL written (primary) or replayed (standby) per second.
    pub wal_bytes: Option<f64>,
}

impl Rates {
    /// True if the counters ran on between the two: no reset, no crash, no clock that went back, and no promotion,
    /// after which the WAL position means something else.
    pub fn comparable(before: &Facts, after: &Facts) -> bool {
        let went_on =
            |before: Option<u64>, after: Option<u64>| before.zip(after).is_none_or(|(before, after)| after >= before);
        before.role == after.role
            && before.stats_reset == after.stats_reset
            && before.server_time <= after.server_time
            && went_on(before.commits, after.commits)
    }

    /// The rates between the two; all `None` where they are not comparable.
    pub fn between(before: &Facts, after: &Facts) -> Self {
        if !Self::comparable(before, after) {
            return Self::default();
        }
        let seconds = seconds_between(before.server_time, after.server_time);
        let commits = rate(before.commits, after.commits, seconds);
        let rollbacks = rate(before.rollbacks, after.rollbacks, seconds);
        let transactions = commits.zip(rollbacks).map(|(commits, rollbacks)| commits + rollbacks);
        Self {
            transactions,
            commit_ratio: commits.zip(transactions).and_then(|(part, whole)| ratio(part, whole)),
            cache_hit_ratio: rate(before.blocks_hit, after.blocks_hit, seconds)
                .zip(rate(before.blocks_read, after.blocks_read, seconds))
                .and_then(|(hit, read)| ratio(hit, hit + read)),
            temp_bytes: rate(before.temp_bytes, after.temp_bytes, seconds),
            wal_bytes: rate(before.wal_position, after.wal_position, seconds),
        }
    }
}

fn seconds_between(before: SystemTime, after: SystemTime) -> f64 {
    after.duration_since(before).map_or(0.0, |passed| passed.as_secs_f64())
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_counter_that_went_back_has_no_rate() {
        assert_eq!(rate(Some(10), Some(30), 2.0), Some(10.0));
        assert_eq!(rate(Some(30), Some(10), 2.0), None);
        assert_eq!(rate(None, Some(10), 2.0), None);
        assert_eq!(rate(Some(10), Some(30), 0.0), None);
    }
}
