//! The time by which pgwatch measures: the machine's clock, as long as that goes forward.
//!
//! All times of ours (events, states, alerts, the next attempt to connect) come from here, so the age of one is never
//! negative, and a clock that is set back changes no order and no length. If the clock is set forward, or the machine
//! slept, this time goes forward with it: nobody watched meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The clock may fall back this far (it is disciplined, or our two clocks are not read at one instant): time stands
/// still until it has caught up.
const TOLERANCE: Duration = Duration::from_secs(1);

static LAST: Mutex<Option<Point>> = Mutex::new(None);

/// A time of ours, and when it was read by the clock that nobody can set.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    time: SystemTime,
    read: Instant,
}

impl Point {
    /// The time at `read`, where the machine's clock shows `shown`.
    fn next(self, shown: SystemTime, read: Instant) -> Self {
        let gone_on = self.time + read.saturating_duration_since(self.read);
        let time = if gone_on > shown + TOLERANCE { gone_on } else { self.time.max(shown) };
        Self { time, read }
    }
}

/// The time now.
pub fn now() -> SystemTime {
    read().0
}

/// How far the machine's clock has been set back since pgwatch started: by so much earlier are times of day, for people
/// and in logs.
pub fn set_back() -> Duration {
    let (time, shown) = read();
    time.duration_since(shown).ok().filter(|ahead| *ahead > TOLERANCE).unwrap_or_default()
}

/// The time now, and what the machine's clock shows.
fn read() -> (SystemTime, SystemTime) {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let (shown, read) = (SystemTime::now(), Instant::now());
    let point = last.map_or(Point { time: shown, read }, |last| last.next(shown, read));
    *last = Some(point);
    (point.time, shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_whatever_happens_to_the_clock() {
        let (begin, epoch) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_hours(100));
        let mut point = Point { time: epoch, read: begin };
        // What happens; seconds since the start by the clock that nobody can set, by the machine's clock, and ours.
        let steps: [(&str, f64, f64, f64); 10] = [
            ("nothing", 1.0, 1.0, 1.0),
            ("the clock is slowed down", 2.0, 1.5, 1.5),
            ("it falls back a little", 2.2, 1.2, 1.5),
            ("it has caught up", 4.0, 3.6, 3.6),
            ("the machine slept for an hour", 5.0, 3605.0, 3605.0),
            ("the clock is set back by two hours", 6.0, -3594.0, 3606.0),
            ("it goes on", 66.0, -3534.0, 3666.0),
            ("it is set forward again", 67.0, 3667.0, 3667.0),
            ("it goes on", 68.0, 3668.0, 3668.0),
            ("it is set forward by an hour", 69.0, 7269.0, 7269.0),
        ];
        for (what, monotonic, shown, time) in steps {
            let shown = epoch - Duration::from_hours(2) + Duration::from_secs_f64(shown + 7200.0);
            point = point.next(shown, begin + Duration::from_secs_f64(monotonic));
            assert_eq!(point.time, epoch + Duration::from_secs_f64(time), "{what}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_machine_while_nobody_sets_it() {
        let shown = SystemTime::now();
        assert!(now() >= shown && now() <= SystemTime::now() + TOLERANCE);
        assert_eq!(set_back(), Duration::ZERO);
    }
}
