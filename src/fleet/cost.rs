//! What our own questions cost the servers: statements and their time, over the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// The time over which the cost is averaged.
const SPAN: Duration = Duration::from_secs(10);

/// Our own statements that were answered lately.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    answers: VecDeque<(SystemTime, Duration)>,
    since: Option<SystemTime>,
}

/// What pgwatch asks of all servers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostRate {
    /// Statements per second.
    pub statements: f64,
    /// Time spent per second, from each statement to its answer. It includes the network, so the servers' own time is
    /// less.
    pub time: Duration,
}

impl Cost {
    pub(in crate::fleet) fn add(&mut self, at: SystemTime, elapsed: Duration) {
        self.since.get_or_insert(at);
        self.answers.push_back((at, elapsed));
        self.forget(at);
    }

    /// Begins again: nobody watched for a while.
    pub(in crate::fleet) fn restart(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, now: SystemTime) {
        let old = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > SPAN);
        while self.answers.front().is_some_and(|(at, _)| old(*at)) {
            self.answers.pop_front();
        }
    }

    /// The rate over the last ten seconds; `None` in the first two seconds after the first answer.
    pub fn rate(&self, now: SystemTime) -> Option<CostRate> {
        let span = now.duration_since(self.since?).unwrap_or_default().min(SPAN).as_secs_f64();
        if span < 2.0 {
            return None;
        }
        let recent = self.answers.iter().filter(|(at, _)| now.duration_since(*at).is_ok_and(|age| age <= SPAN));
        let (count, time) =
            recent.fold((0_u32, Duration::ZERO), |(count, time), (_, elapsed)| (count + 1, time + *elapsed));
        Some(CostRate { statements: f64::from(count) / span, time: time.div_f64(span) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_the_last_seconds_count() {
        let at = |second: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let mut cost = Cost::default();
        assert_eq!(cost.rate(at(0)), None);
        for second in 0..30 {
            cost.add(at(second), Duration::from_millis(3));
            cost.add(at(second), Duration::from_millis(1));
        }
        assert_eq!(cost.rate(at(29)), Some(CostRate { statements: 2.2, time: Duration::from_micros(4_400) }));
        assert_eq!(cost.rate(at(100)).map(|rate| rate.statements), Some(0.0));
    }
}
