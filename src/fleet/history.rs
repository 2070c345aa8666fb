//! A node's past: one sample per second for the last minute, one span per ten seconds for the last hour, and the
//! round trips of its newest probes. Time is passed in with events and ticks; memory is fixed.
//!
//! Time in which nobody watched the node is a gap: it belongs to no state, and no figure is drawn for it.

use std::time::{Duration, SystemTime};

use crate::model::HealthState;
use crate::model::history::{Ring, percentiles};

/// Time passes once a second, or a little later on a busy machine. After more than this, nobody watched.
pub(super) const UNWATCHED: Duration = Duration::from_secs(3);
/// The state of time in which nobody watched: nothing is known of the node.
const UNKNOWN: HealthState = HealthState::Connecting;
const SECOND: Duration = Duration::from_secs(1);
/// The length of one span of the last hour.
const SPAN: Duration = Duration::from_secs(10);
/// The number of spans kept: one hour.
const SPANS: usize = 360;
/// Round trips kept for the percentiles: those of ten minutes, at one probe a second.
const LATENCIES: usize = 600;

/// One second of the last minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The worst state in that second; one of those without an answer where nobody watched.
    pub state: HealthState,
    /// The slowest probe answered in that second; `None` if none was answered.
    pub latency: Option<Duration>,
    /// Transactions per second, as of the newest refresh; `None` where nobody watched.
    pub transactions: Option<f64>,
}

/// Ten seconds of the last hour: how long the node was in each condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The time spent healthy.
    pub healthy: Duration,
    /// The time spent degraded.
    pub degraded: Duration,
    /// The time spent unhealthy or reconnecting.
    pub down: Duration,
    /// The time without a check: paused, before the first answer, or while nobody watched.
    pub unknown: Duration,
}

impl Span {
    fn add(&mut self, state: HealthState, time: Duration) {
        let part = match state {
            HealthState::Healthy => &mut self.healthy,
            HealthState::Degraded => &mut self.degraded,
            HealthState::Unhealthy | HealthState::Reconnecting => &mut self.down,
            HealthState::Connecting | HealthState::Disconnected => &mut self.unknown,
        };
        *part += time;
    }

    fn known(&self) -> Duration {
        self.healthy + self.degraded + self.down
    }

    /// The worst state in the span; `None` where nothing is known.
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
    spans: Ring<Span>,
    /// How many spans were ever completed.
    counted: usize,
    latencies: Ring<f64>,
    /// The time up to which the history is accounted.
    until: SystemTime,
    /// The current second and the current span, and how much of each has passed.
    second: Sample,
    in_second: Duration,
    span: Span,
    in_span: Duration,
}

impl History {
    /// An empty history that begins now.
    pub fn new(now: SystemTime) -> Self {
        Self {
            seconds: Ring::new(60),
            spans: Ring::new(SPANS),
            counted: 0,
            latencies: Ring::new(LATENCIES),
            until: now,
            second: empty(HealthState::Connecting),
            in_second: Duration::ZERO,
            span: Span::default(),
            in_span: Duration::ZERO,
        }
    }

    /// The last minute, oldest first: at most 60 samples of one second each.
    pub fn seconds(&self) -> &Ring<Sample> {
        &self.seconds
    }

    /// The last hour, oldest first; the current span is last.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        let running = (!self.in_span.is_zero()).then_some(&self.span);
        self.spans.iter().skip((self.spans.len() + usize::from(running.is_some())).saturating_sub(SPANS)).chain(running)
    }

    /// The worst state in each of at most `cells` parts of the last hour, oldest first. A part is ten seconds at the
    /// start and grows to minutes. Its boundaries stay where they are, so that trouble does not move along the strip.
    pub fn strip(&self, cells: usize) -> Vec<Option<HealthState>> {
        const SCALES: [usize; 4] = [1, 3, 6, 12];
        let cells = cells.max(1);
        let spans: Vec<&Span> = self.spans().collect();
        // One part more, as the oldest and the newest may both be incomplete.
        let fits = |scale: &usize| spans.len().div_ceil(*scale) < cells;
        let scale = SCALES.into_iter().find(fits).unwrap_or_else(|| SPANS.div_ceil(cells));
        let running = usize::from(!self.in_span.is_zero());
        let first = self.counted + running - spans.len();
        let mut strip = Vec::with_capacity(cells + 1);
        let mut rest = spans.as_slice();
        let mut take = scale - first % scale;
        while !rest.is_empty() {
            let (part, more) = rest.split_at(take.min(rest.len()));
            // The highest of healthy, degraded and unhealthy, which are declared in this order.
            strip.push(part.iter().filter_map(|span| span.worst()).max_by_key(|state| *state as u8));
            (rest, take) = (more, scale);
        }
        strip.drain(..strip.len().saturating_sub(cells));
        strip
    }

    /// How much of the last hour is known.
    pub fn known(&self) -> Duration {
        self.spans().map(Span::known).sum()
    }

    /// True if nothing is known of some time after the first that is known.
    pub fn has_gaps(&self) -> bool {
        let mut spans = self.spans().skip_while(|span| span.known().is_zero());
        // Nothing is known of the beginning of the first one: of the time before the first answer.
        spans.next();
        spans.any(|span| !span.unknown.is_zero())
    }

    /// The round trips of the newest probes in milliseconds, oldest first.
    pub fn latencies(&self) -> &Ring<f64> {
        &self.latencies
    }

    /// For each share, 0 to 1, the round trip in milliseconds that this share of the newest probes does not exceed;
    /// `None` without probes.
    pub fn latency<const N: usize>(&self, shares: [f64; N]) -> Option<[f64; N]> {
        percentiles(self.latencies.iter().copied(), shares)
    }

    /// The median of the newest round trips: a single slow probe does not change it.
    pub fn usual_latency(&self) -> Option<Duration> {
        const NEWEST: usize = 5;
        percentiles(self.latencies.newest(NEWEST).copied(), [0.5]).map(|[ms]| Duration::from_secs_f64(ms / 1e3))
    }

    /// The share of the known part of the last hour in which the node answered, 0 to 1; `None` if nothing is known.
    pub fn availability(&self) -> Option<f64> {
        let (mut up, mut known) = (Duration::ZERO, Duration::ZERO);
        for span in self.spans() {
            up += span.healthy + span.degraded;
            known += span.known();
        }
        (!known.is_zero()).then(|| up.as_secs_f64() / known.as_secs_f64())
    }

    /// Takes in the round trip of a probe that was answered.
    pub(super) fn probe(&mut self, latency: Option<Duration>) {
        let Some(latency) = latency else { return };
        self.latencies.push(latency.as_secs_f64() * 1e3);
        self.second.latency = self.second.latency.max(Some(latency));
    }

    /// Takes in the transactions per second of the newest refresh.
    pub(super) fn keep_rate(&mut self, rate: Option<f64>) {
        self.second.transactions = rate;
    }

    /// Accounts the time up to `at`: it was spent in `state` up to `seen`, and nobody watched after that. If time went
    /// back, nothing is accounted.
    pub(super) fn advance(&mut self, at: SystemTime, state: HealthState, seen: SystemTime) {
        let time = at.duration_since(self.until).unwrap_or_default();
        let watched = seen.min(at).duration_since(self.until).unwrap_or_default();
        self.until = at;
        self.spend(watched, state);
        if watched < time {
            self.second.transactions = None;
            self.spend(time.saturating_sub(watched), UNKNOWN);
        }
    }

    /// Accounts the time up to `at`, in which nobody watched.
    pub(super) fn skip(&mut self, at: SystemTime) {
        self.advance(at, UNKNOWN, SystemTime::UNIX_EPOCH);
    }

    /// Accounts time. What is longer than the history is left out.
    fn spend(&mut self, time: Duration, state: HealthState) {
        let mut left = time.min(SPAN * SPANS as u32);
        self.second.state = worse(self.second.state, state);
        while !left.is_zero() {
            let step = left.min(SECOND.saturating_sub(self.in_second)).min(SPAN.saturating_sub(self.in_span));
            left -= step;
            self.in_second += step;
            self.in_span += step;
            self.span.add(state, step);
            if self.in_second == SECOND {
                let next = Sample { transactions: self.second.transactions, ..empty(state) };
                self.seconds.push(std::mem::replace(&mut self.second, next));
                self.in_second = Duration::ZERO;
            }
            if self.in_span == SPAN {
                self.spans.push(std::mem::take(&mut self.span));
                self.counted += 1;
                self.in_span = Duration::ZERO;
            }
        }
    }
}

fn empty(state: HealthState) -> Sample {
    Sample { state, latency: None, transactions: None }
}

/// The state that a second is remembered by: a problem outweighs health.
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

    /// Accounts time in which somebody watched.
    fn watched(history: &mut History, at: SystemTime, state: HealthState) {
        history.advance(at, state, at);
    }

    #[test]
    fn time_in_which_nobody_watched_is_a_gap() {
        let mut history = History::new(at(0));
        history.keep_rate(Some(5.0));
        watched(&mut history, at(6_000), HealthState::Healthy);
        assert!(!history.has_gaps());
        history.skip(at(66_000));
        history.keep_rate(Some(7.0));
        watched(&mut history, at(72_000), HealthState::Healthy);
        assert_eq!((history.known(), history.availability()), (Duration::from_secs(12), Some(1.0)));
        assert!(history.has_gaps());
        let drawn: Vec<_> = history.seconds().iter().map(|second| (second.state, second.transactions)).collect();
        let (newest, unwatched) = drawn.iter().rev().partition::<Vec<_>, _>(|(_, rate)| rate.is_some());
        assert!(
            newest.len() == 6 && newest.iter().all(|second| *second == (HealthState::Healthy, Some(7.0))),
            "{newest:?}"
        );
        assert!(unwatched.iter().all(|(state, _)| *state == UNKNOWN), "{unwatched:?}");
        assert_eq!(history.strip(30).iter().filter(|state| state.is_none()).count(), 5);
        // Seen up to a moment only: the rest is not known.
        history.advance(at(80_000), HealthState::Unhealthy, at(75_000));
        assert_eq!(history.known(), Duration::from_secs(15));
        assert_eq!(history.availability(), Some(0.8));
        // An hour later, nothing is known, and what comes then counts alone.
        history.skip(at(9_000_000));
        assert_eq!((history.known(), history.availability()), (Duration::ZERO, None));
        watched(&mut history, at(9_005_000), HealthState::Unhealthy);
        assert_eq!((history.availability(), history.has_gaps()), (Some(0.0), false));
    }

    #[test]
    fn seconds_keep_the_worst_state_and_the_slowest_probe() {
        let mut history = History::new(at(0));
        history.probe(Some(Duration::from_millis(3)));
        history.probe(Some(Duration::from_millis(1)));
        watched(&mut history, at(400), HealthState::Healthy);
        watched(&mut history, at(600), HealthState::Unhealthy);
        watched(&mut history, at(2_000), HealthState::Healthy);
        let seconds: Vec<_> = history.seconds().iter().map(|second| (second.state, second.latency)).collect();
        assert_eq!(seconds, [(HealthState::Unhealthy, Some(Duration::from_millis(3))), (HealthState::Healthy, None)]);
    }

    #[test]
    fn an_hour_is_kept_and_its_availability_known() {
        let mut history = History::new(at(0));
        assert_eq!(history.availability(), None);
        watched(&mut history, at(60_000), HealthState::Connecting);
        assert_eq!(history.availability(), None);
        watched(&mut history, at(150_000), HealthState::Healthy);
        watched(&mut history, at(180_000), HealthState::Unhealthy);
        assert_eq!(history.availability(), Some(0.75));
        assert_eq!(history.known(), Duration::from_mins(2));
        watched(&mut history, at(10_000_000), HealthState::Healthy);
        assert_eq!(history.spans().count(), SPANS);
        assert_eq!(history.seconds().len(), 60);
    }

    #[test]
    fn the_strip_is_fine_at_first_and_keeps_trouble_in_its_place() {
        let mut history = History::new(at(0));
        assert_eq!(history.strip(30), []);
        watched(&mut history, at(10_000), HealthState::Connecting);
        watched(&mut history, at(25_000), HealthState::Healthy);
        watched(&mut history, at(26_000), HealthState::Unhealthy);
        watched(&mut history, at(35_000), HealthState::Healthy);
        let (up, down) = (Some(HealthState::Healthy), Some(HealthState::Unhealthy));
        assert_eq!(history.strip(30), [None, up, down, up]);
        watched(&mut history, at(600_000), HealthState::Healthy);
        assert_eq!(history.strip(30).len(), 20, "half a minute each");
        assert_eq!(history.strip(30).first(), Some(&down));
        for minute in 11..180 {
            watched(&mut history, at(minute * 60_000 - 30_000), HealthState::Healthy);
            watched(&mut history, at(minute * 60_000), HealthState::Healthy);
            assert!(history.strip(30).len() <= 30, "{minute}");
        }
        watched(&mut history, at(180 * 60_000 + 5_000), HealthState::Unhealthy);
        let ends = |history: &History| history.strip(30).iter().rev().position(|state| *state == down);
        assert_eq!(ends(&history), Some(0));
        watched(&mut history, at(181 * 60_000 + 50_000), HealthState::Healthy);
        assert_eq!(ends(&history), Some(0), "still within its two minutes");
        watched(&mut history, at(183 * 60_000), HealthState::Healthy);
        assert_eq!(ends(&history), Some(1));
    }

    #[test]
    fn a_clock_that_goes_back_accounts_nothing() {
        let mut history = History::new(at(5_000));
        watched(&mut history, at(1_000), HealthState::Healthy);
        assert_eq!(history.availability(), None);
        watched(&mut history, at(2_000), HealthState::Healthy);
        assert_eq!(history.availability(), Some(1.0));
    }
}
