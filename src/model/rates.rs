//! Rates computed from totals: what happened between two answers of a server. A reset, a restart or a clock that went
//! back gives no rate, never a negative one.

use std::time::{Duration, SystemTime};

use super::Facts;

/// Change of a counter per second; `None` if it went down or no time passed.
pub fn rate(before: Option<u64>, after: Option<u64>, seconds: f64) -> Option<f64> {
    let change = after?.checked_sub(before?)?;
    (seconds > 0.0).then(|| change as f64 / seconds)
}

/// The replay lag of a standby, limited to what two consecutive refreshes can prove. `now() -
/// pg_last_xact_replay_timestamp()` counts from the last *commit* that was replayed. That commit may be old because the
/// primary was quiet, while the next one is just coming in; or the primary's clock may be wrong. WAL that had been
/// received at the earlier refresh and is replayed now lags by less than the time between the two; half of that time is
/// the best estimate.
pub fn proven_replay_lag(before: &Facts, after: &Facts) -> Option<Duration> {
    let lag = after.replay_lag?;
    let received = before.wal_position.zip(before.replay_lag_bytes).map(|(replayed, behind)| replayed + behind);
    let caught_up = received.zip(after.wal_position).is_some_and(|(received, replayed)| replayed >= received);
    let between = after.server_time.duration_since(before.server_time).ok();
    Some(between.filter(|_| caught_up && before.role == after.role).map_or(lag, |between| lag.min(between / 2)))
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
    use crate::model::Role;

    fn standby(at: u64, replayed: u64, behind: u64, lag: u64) -> Facts {
        Facts {
            server_time: SystemTime::UNIX_EPOCH + Duration::from_secs(at),
            wal_position: Some(replayed),
            replay_lag_bytes: Some(behind),
            replay_lag: Some(Duration::from_secs(lag)),
            ..Facts::unknown(Role::Standby, SystemTime::UNIX_EPOCH)
        }
    }

    #[test]
    fn a_quiet_primary_causes_no_lag() {
        let lag = |before: &Facts, after: &Facts| proven_replay_lag(before, after).map(|lag| lag.as_secs_f64());
        let before = standby(100, 1000, 50, 0);
        // Everything of a second ago has been replayed, so the age of the last commit does not matter.
        assert_eq!(lag(&before, &standby(101, 1050, 200, 60)), Some(0.5));
        assert_eq!(lag(&before, &standby(101, 1300, 0, 0)), Some(0.0));
        // Some of it has not been replayed yet: the lag is real.
        assert_eq!(lag(&before, &standby(101, 1049, 200, 60)), Some(60.0));
        assert_eq!(lag(&before, &Facts { replay_lag: None, ..standby(101, 2000, 0, 0) }), None);
    }

    #[test]
    fn a_counter_that_went_back_has_no_rate() {
        assert_eq!(rate(Some(10), Some(30), 2.0), Some(10.0));
        assert_eq!(rate(Some(30), Some(10), 2.0), None);
        assert_eq!(rate(None, Some(10), 2.0), None);
        assert_eq!(rate(Some(10), Some(30), 0.0), None);
    }
}
