//! How long a lost node is left alone before the next attempt. Pure.

use std::time::Duration;

/// Whole seconds before attempt 1, 2, 3 ...; the last one repeats.
const SECONDS: [u64; 6] = [1, 2, 4, 8, 16, 30];
/// Share of the delay that `jitter` may add: nodes lost together do not come back in one burst.
const JITTER: f64 = 0.1;
/// Nobody waits longer: a node that answers again is to be seen within 31 s (N13).
const LONGEST: Duration = Duration::from_millis(30_500);

/// How long to wait before a query is tried again that only a person can make possible (rights, a version, an
/// extension).
pub(crate) const INCURABLE: Duration = Duration::from_mins(1);

/// The wait after `failed` failed retries, with `jitter` (0 to 1) times ten percent on top, [`LONGEST`] at most.
pub(crate) fn delay(failed: u32, jitter: f64) -> Duration {
    let step = usize::try_from(failed).unwrap_or(usize::MAX).min(SECONDS.len() - 1);
    let base = Duration::from_secs(SECONDS.get(step).copied().unwrap_or(30));
    base.mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_thirty_seconds() {
        let waits: Vec<u64> = (0..9).map(|failed| delay(failed, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
        assert_eq!(delay(u32::MAX, 0.0), Duration::from_secs(30));
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
