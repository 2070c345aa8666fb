//! How times, durations and unknown facts are written for programs: RFC 3339 in UTC with microseconds, milliseconds as
//! numbers, `null` for an unknown fact.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::PoolStats;

/// `2026-11-23T20:21:59.123456Z`. There are always six digits, so that lines sort as text. A time outside the calendar
/// (a broken clock) is written as the epoch.
pub(super) fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Milliseconds to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// The current figures of a pool, without its totals, which only the event log has.
#[derive(Debug, Serialize)]
pub(super) struct PoolGauge {
    max: u32,
    open: u32,
    active: u32,
    idle: u32,
    waiting: u32,
}

impl From<PoolStats> for PoolGauge {
    fn from(pool: PoolStats) -> Self {
        Self { max: pool.max, open: pool.open, active: pool.active, idle: pool.idle, waiting: pool.waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_six_digits_and_a_z() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_465_319_123_400);
        assert_eq!(time(at), "2026-11-23T20:21:59.123400Z");
        assert_eq!(time(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn durations_are_milliseconds() {
        assert_eq!(serde_json::to_string(&millis(Duration::from_micros(410))).unwrap(), "0.41");
        assert_eq!(serde_json::to_string(&millis(Duration::from_secs(5))).unwrap(), "5000.0");
    }
}
