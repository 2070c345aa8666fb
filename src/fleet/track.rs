//! Where the end of a server's WAL was seen, and when: what tells how old a position is by one clock.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// How many positions are kept. Older ones are thinned out, so that hours fit.
const MOST: usize = 240;

/// The positions at which the end of a server's WAL was seen, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Track(VecDeque<Seen>);

/// A position, and from when to when it was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    position: u64,
    first: SystemTime,
    last: SystemTime,
}

/// When a server was at a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reached {
    /// It has not passed it.
    Now,
    /// It passed it at that time.
    At(SystemTime),
    /// It had passed it when it was first seen, at that time.
    Before(SystemTime),
    /// Nothing was seen of it.
    Unknown,
}

impl Track {
    /// Takes in where the end of WAL is now. A position that went back begins a new track, as does a clock that did.
    pub(super) fn note(&mut self, at: SystemTime, position: u64) {
        if self.0.back().is_some_and(|last| position < last.position || at < last.last) {
            self.0.clear();
        }
        match self.0.back_mut() {
            Some(last) if last.position == position => last.last = at,
            _ => self.0.push_back(Seen { position, first: at, last: at }),
        }
        if self.0.len() > MOST {
            let mut place = 0;
            // Every other one of the older half goes; the very first stays, as it says how far back the track reaches.
            self.0.retain(|_| {
                place += 1;
                place == 1 || place > MOST / 2 || place % 2 == 0
            });
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// True if nothing was seen yet.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest position.
    pub(super) fn end(&self) -> Option<u64> {
        self.0.back().map(|seen| seen.position)
    }

    /// When it was first seen beyond a position; `None` if it was not.
    pub(super) fn passed(&self, position: u64) -> Option<SystemTime> {
        Some(self.0.get(self.0.partition_point(|seen| seen.position <= position))?.first)
    }

    /// When the newest position was first seen.
    pub(super) fn since(&self) -> Option<SystemTime> {
        self.0.back().map(|seen| seen.first)
    }

    /// When the newest position was first seen; `None` if it was there from the beginning.
    pub(super) fn moved(&self) -> Option<SystemTime> {
        self.0.back().filter(|_| self.0.len() > 1).map(|seen| seen.first)
    }

    /// When the server was at `position`. Between two positions that were seen, it is taken to have moved evenly.
    pub(super) fn reached(&self, position: u64) -> Reached {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return Reached::Unknown };
        if position >= last.position {
            return Reached::Now;
        }
        if position < first.position {
            return Reached::Before(first.first);
        }
        let next = self.0.partition_point(|seen| seen.position <= position);
        let (Some(before), Some(after)) = (self.0.get(next - 1), self.0.get(next)) else { return Reached::Unknown };
        let share = (position - before.position) as f64 / (after.position - before.position) as f64;
        let between = after.first.duration_since(before.last).unwrap_or(Duration::ZERO);
        Reached::At(before.last + between.mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(second)
    }

    fn track(seen: &[(f64, u64)]) -> Track {
        let mut track = Track::default();
        for (second, position) in seen {
            track.note(at(*second), *position);
        }
        track
    }

    #[test]
    fn a_position_is_as_old_as_the_moment_at_which_the_server_left_it() {
        let track = track(&[(0.0, 100), (1.0, 100), (2.0, 100), (3.0, 200), (4.0, 300)]);
        let cases = [
            (99, Reached::Before(at(0.0))),
            // It was there until the third second.
            (100, Reached::At(at(2.0))),
            (150, Reached::At(at(2.5))),
            (200, Reached::At(at(3.0))),
            (250, Reached::At(at(3.5))),
            (300, Reached::Now),
            (301, Reached::Now),
        ];
        for (position, reached) in cases {
            assert_eq!(track.reached(position), reached, "{position}");
        }
        assert_eq!(Track::default().reached(1), Reached::Unknown);
        assert_eq!(track.moved(), Some(at(4.0)));
    }

    #[test]
    fn a_position_or_a_clock_that_goes_back_begins_a_new_track() {
        assert_eq!(track(&[(0.0, 100), (1.0, 50)]).reached(40), Reached::Before(at(1.0)));
        assert_eq!(track(&[(9.0, 100), (1.0, 150)]).reached(120), Reached::Before(at(1.0)));
        assert_eq!(track(&[(0.0, 100)]).moved(), None);
    }

    #[test]
    fn hours_fit() {
        let day: Vec<(f64, u64)> =
            (0..86_400).map(|second| (f64::from(second), u64::from(second as u32) * 1000)).collect();
        let track = track(&day);
        assert!(track.0.len() <= MOST, "{}", track.0.len());
        for ago in [1_u64, 10, 100, 1_000, 10_000, 80_000] {
            let position = (86_399 - ago) * 1000;
            let Reached::At(when) = track.reached(position) else { panic!("{:?}", track.reached(position)) };
            let said = at(86_399.0).duration_since(when).unwrap().as_secs_f64();
            assert!((said - ago as f64).abs() < 0.01 * ago as f64 + 0.01, "{ago}: {said}");
        }
        assert_eq!(track.reached(0), Reached::At(at(0.0)));
    }
}
