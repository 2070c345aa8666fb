//! How long to wait before a lost node is tried again, and before a question that failed is asked again. Pure.

use std::time::Duration;

use crate::model::{ErrorKind, NodeError};

/// Whole seconds before attempt 1, 2, 3 and so on; the last one repeats.
const SECONDS: [u64; 6] = [1, 2, 4, 8, 16, 30];
/// The share of the delay that `jitter` may add, so that nodes lost together are not all dialled again at once.
const JITTER: f64 = 0.1;
/// The longest wait: a node that answers again must be noticed within 31 s (N13).
const LONGEST: Duration = Duration::from_millis(30_500);

/// The longest wait where all connections of a server are in use, or it is starting up: that may be over at any moment,
/// and asking costs the server little.
const PASSING: Duration = Duration::from_secs(5);

/// How long to wait before repeating a query that fails until a person acts (rights, a version, an extension).
pub(crate) const INCURABLE: Duration = Duration::from_mins(1);

/// The wait after a question has failed with this error and had failed `failed` times before in a row: a minute if the
/// next second cannot cure it, else the backoff of [`refused`].
pub(crate) fn after(error: &NodeError, failed: u32, jitter: f64) -> Duration {
    if error.is_lasting() { INCURABLE } else { refused(error.kind, failed, jitter) }
}

/// The wait after `failed` failed retries, plus up to ten percent by `jitter` (0 to 1); at most [`LONGEST`].
pub(crate) fn delay(failed: u32, jitter: f64) -> Duration {
    let step = usize::try_from(failed).unwrap_or(usize::MAX).min(SECONDS.len() - 1);
    let base = Duration::from_secs(SECONDS.get(step).copied().unwrap_or(30));
    base.mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)).min(LONGEST)
}

/// The wait after `failed` failed attempts at a server that refuses for this reason.
pub(crate) fn refused(kind: ErrorKind, failed: u32, jitter: f64) -> Duration {
    let wait = delay(failed, jitter);
    let passes = matches!(kind, ErrorKind::TooManyConnections | ErrorKind::StartingUp);
    if passes { wait.min(PASSING) } else { wait }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_thirty_seconds() {
        let waits: Vec<u64> = (0..9).map(|failed| delay(failed, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
        assert_eq!(delay(u32::MAX, 0.0), Duration::from_secs(30));
    }

    #[test]
    fn what_the_next_second_may_cure_is_asked_again_at_once() {
        let error = |kind, sqlstate: Option<&str>| NodeError {
            sqlstate: sqlstate.map(str::to_owned),
            ..NodeError::new(kind, "no")
        };
        let passing =
            ["40001", "40P01", "53200", "55000", "55006", "57014", "58030", "XX000", "XX001", "22012", "P0001"];
        for sqlstate in passing {
            let error = error(ErrorKind::Sql, Some(sqlstate));
            assert!(!error.is_lasting(), "{sqlstate}");
            assert_eq!([0, 1, 9].map(|failed| after(&error, failed, 0.0).as_secs()), [1, 2, 30], "{sqlstate}");
        }
        for sqlstate in ["42P01", "42883", "42703", "42601", "42501", "0A000", "3F000"] {
            assert_eq!(after(&error(ErrorKind::Sql, Some(sqlstate)), 0, 0.0), INCURABLE, "{sqlstate}");
        }
        for (kind, sqlstate, lasts) in [
            (ErrorKind::Permission, Some("42501"), true),
            (ErrorKind::Sql, None, true),
            (ErrorKind::TooManyConnections, Some("53300"), false),
            (ErrorKind::LockTimeout, Some("55P03"), false),
            (ErrorKind::StatementTimeout, Some("57014"), false),
            (ErrorKind::Terminated, Some("57P01"), false),
            (ErrorKind::ConnectionLost, None, false),
            (ErrorKind::Timeout, None, false),
        ] {
            assert_eq!(error(kind, sqlstate).is_lasting(), lasts, "{kind:?} {sqlstate:?}");
        }
    }

    #[test]
    fn jitter_adds_ten_percent_at_most() {
        assert_eq!(delay(0, 1.0), Duration::from_millis(1100));
        assert_eq!(delay(4, 0.5), Duration::from_millis(16_800));
        assert_eq!(delay(5, 1.0), Duration::from_millis(30_500));
        assert_eq!(delay(0, 7.0), delay(0, 1.0));
        assert_eq!(delay(0, -1.0), delay(0, 0.0));
    }
}
