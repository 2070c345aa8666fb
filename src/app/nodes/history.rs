//! What a node was like: the last minute second by second, the last hour minute by minute, and the round trips of
//! its newest probes. Time comes in with the events and ticks; nothing here grows.

use std::time::{Duration, SystemTime};

use crate::model::HealthState;
use crate::model::history::{Ring, percentile};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
/// Round trips kept for the percentiles: ten minutes of probes at one a second.
const LATENCIES: usize = 600;

/// One second of the last minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The worst state in that second.
    pub state: HealthState,
    /// The slowest probe answered in it; `None` when none was.
    pub latency: Option<Duration>,
    /// Transactions a second, as the last refresh knew it.
    pub transactions: Option<f64>,
}

/// One minute of the last hour: how long the node was in which condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    pub healthy: Duration,
    pub degraded: Duration,
    pub down: Duration,
    /// Not asked: paused, or before the first answer.
    pub unknown: Duration,
}

impl Minute {
    fn add(&mut self, state: HealthState, time: Duration) {
        let part = match state {
            HealthState::Healthy => &mut self.healthy,
            HealthState::Degraded => &mut self.degraded,
            HealthState::Unhealthy | HealthState::Reconnecting => &mut self.down,
            HealthState::Connecting | HealthState::Disconnected => &mut self.unknown,
        };
        *part += time;
    }

    /// The worst state of the minute, for its dot; `None` where nothing is known.
    pub fn worst(&self) -> Option<HealthState> {
        if !self.down.is_zero() {
            Some(HealthState::Unhealthy)
        } else if !self.degraded.is_zero() {
            Some(HealthState::Degraded)
        } else if !self.healthy.is_zero() {
            Some(HealthState::Healthy)
        } else {
            None
        }
    }
}

/// The history of one node.
#[derive(Debug, Clone)]
pub struct History {
    seconds: Ring<Sample>,
    minutes: Ring<Minute>,
    latencies: Ring<f64>,
    rates: Ring<Option<f64>>,
    /// Up to when time was accounted.
    until: SystemTime,
    /// The second and the minute that are being filled, and how much of them has passed.
    second: Sample,
    in_second: Duration,
    minute: Minute,
    in_minute: Duration,
}

impl History {
    pub fn new(now: SystemTime) -> Self {
        Self {
            seconds: Ring::new(60),
            minutes: Ring::new(60),
            latencies: Ring::new(LATENCIES),
            rates: Ring::new(120),
            until: now,
            second: empty(HealthState::Connecting),
            in_second: Duration::ZERO,
            minute: Minute::default(),
            in_minute: Duration::ZERO,
        }
    }

    /// The last minute, oldest first, at most 60 of one second each.
    pub fn seconds(&self) -> &Ring<Sample> {
        &self.seconds
    }

    /// The last hour, oldest first, the running minute last.
    pub fn minutes(&self) -> impl Iterator<Item = &Minute> {
        let running = (!self.in_minute.is_zero()).then_some(&self.minute);
        self.minutes
            .iter()
            .skip((self.minutes.len() + usize::from(running.is_some())).saturating_sub(60))
            .chain(running)
    }

    /// Transactions a second of the newest refreshes, oldest first; `None` where one brought none.
    pub fn rates(&self) -> &Ring<Option<f64>> {
        &self.rates
    }

    /// Round trips of the newest probes in milliseconds, oldest first.
    pub fn latencies(&self) -> &Ring<f64> {
        &self.latencies
    }

    /// The round trip in milliseconds under which the share `q` of the newest probes stay.
    pub fn latency(&self, q: f64) -> Option<f64> {
        percentile(self.latencies.iter().copied(), q)
    }

    /// Share of the last hour (of what is known of it) in which the node answered, 0 to 1.
    pub fn availability(&self) -> Option<f64> {
        let (mut up, mut known) = (Duration::ZERO, Duration::ZERO);
        for minute in self.minutes() {
            up += minute.healthy + minute.degraded;
            known += minute.healthy + minute.degraded + minute.down;
        }
        (!known.is_zero()).then(|| up.as_secs_f64() / known.as_secs_f64())
    }

    /// A probe was answered.
    pub(super) fn probe(&mut self, latency: Option<Duration>) {
        let Some(latency) = latency else { return };
        self.latencies.push(latency.as_secs_f64() * 1e3);
        self.second.latency = self.second.latency.max(Some(latency));
    }

    /// A refresh was answered.
    pub(super) fn transactions(&mut self, rate: Option<f64>) {
        self.rates.push(rate);
        self.keep_rate(rate);
    }

    pub(super) fn keep_rate(&mut self, rate: Option<f64>) {
        self.second.transactions = rate;
    }

    /// Accounts the time up to `at`, all of it spent in `state`. A clock that went back accounts nothing; after a
    /// sleep of the machine, what is older than the history is left out.
    pub(super) fn advance(&mut self, at: SystemTime, state: HealthState) {
        let mut left = at.duration_since(self.until).unwrap_or_default().min(60 * MINUTE);
        self.until = at;
        self.second.state = worse(self.second.state, state);
        while !left.is_zero() {
            let step = left.min(SECOND.saturating_sub(self.in_second)).min(MINUTE.saturating_sub(self.in_minute));
            left -= step;
            self.in_second += step;
            self.in_minute += step;
            self.minute.add(state, step);
            if self.in_second == SECOND {
                let next = Sample { transactions: self.second.transactions, ..empty(state) };
                self.seconds.push(std::mem::replace(&mut self.second, next));
                self.in_second = Duration::ZERO;
            }
            if self.in_minute == MINUTE {
                self.minutes.push(std::mem::take(&mut self.minute));
                self.in_minute = Duration::ZERO;
            }
        }
    }
}

fn empty(state: HealthState) -> Sample {
    Sample { state, latency: None, transactions: None }
}

/// The state that a second is remembered by: trouble outlasts health.
fn worse(a: HealthState, b: HealthState) -> HealthState {
    let rank = |state| match state {
        HealthState::Connecting => 0,
        HealthState::Disconnected => 1,
        HealthState::Healthy => 2,
        HealthState::Degraded => 3,
        HealthState::Reconnecting => 4,
        HealthState::Unhealthy => 5,
    };
    if rank(a) > rank(b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn seconds_keep_the_worst_state_and_the_slowest_probe() {
        let mut history = History::new(at(0));
        history.probe(Some(Duration::from_millis(3)));
        history.probe(Some(Duration::from_millis(1)));
        history.advance(at(400), HealthState::Healthy);
        history.advance(at(600), HealthState::Unhealthy);
        history.advance(at(2_000), HealthState::Healthy);
        let seconds: Vec<_> = history.seconds().iter().map(|second| (second.state, second.latency)).collect();
        assert_eq!(seconds, [(HealthState::Unhealthy, Some(Duration::from_millis(3))), (HealthState::Healthy, None)]);
    }

    #[test]
    fn an_hour_is_kept_and_its_availability_known() {
        let mut history = History::new(at(0));
        assert_eq!(history.availability(), None);
        history.advance(at(60_000), HealthState::Connecting);
        assert_eq!(history.availability(), None);
        history.advance(at(150_000), HealthState::Healthy);
        history.advance(at(180_000), HealthState::Unhealthy);
        assert_eq!(history.availability(), Some(0.75));
        let worst: Vec<_> = history.minutes().map(Minute::worst).collect();
        assert_eq!(worst, [None, Some(HealthState::Healthy), Some(HealthState::Unhealthy)]);
        history.advance(at(10_000_000), HealthState::Healthy);
        assert_eq!(history.minutes().count(), 60);
        assert_eq!(history.seconds().len(), 60);
    }

    #[test]
    fn a_clock_that_goes_back_accounts_nothing() {
        let mut history = History::new(at(5_000));
        history.advance(at(1_000), HealthState::Healthy);
        assert_eq!(history.availability(), None);
        history.advance(at(2_000), HealthState::Healthy);
        assert_eq!(history.availability(), Some(1.0));
    }
}
