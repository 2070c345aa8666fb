//! Rates out of totals: what happened between two answers of a server. A reset, a restart or a clock that went
//! back gives no rate at all, never a negative one.

use std::time::SystemTime;

use super::Facts;

/// Change of a counter a second; `None` when it went down or no time passed.
pub fn rate(before: Option<u64>, after: Option<u64>, seconds: f64) -> Option<f64> {
    let change = after?.checked_sub(before?)?;
    (seconds > 0.0).then(|| change as f64 / seconds)
}

/// What two refreshes of one node say together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Commits and rollbacks a second.
    pub transactions: Option<f64>,
    /// Commits of all transactions, 0 to 1.
    pub commit_ratio: Option<f64>,
    /// Blocks found in shared buffers of all asked for, 0 to 1.
    pub cache_hit_ratio: Option<f64>,
    /// Bytes of temporary files a second.
    pub temp_bytes: Option<f64>,
    /// Bytes of WAL written (primary) or replayed (standby) a second.
    pub wal_bytes: Option<f64>,
}

impl Rates {
    pub fn between(before: &Facts, after: &Facts) -> Self {
        let seconds = seconds_between(before.server_time, after.server_time);
        // A position says nothing of a rate across a promotion: it counted something else before.
        let same_role = before.role == after.role;
        if before.stats_reset != after.stats_reset {
            return Self {
                wal_bytes: rate(before.wal_position, after.wal_position, seconds).filter(|_| same_role),
                ..Self::default()
            };
        }
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
            wal_bytes: rate(before.wal_position, after.wal_position, seconds).filter(|_| same_role),
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
