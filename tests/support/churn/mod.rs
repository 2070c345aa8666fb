//! Churn: nodes, servers, the network and statements change at random for a given time. Then the resources that the
//! program holds at the end are compared with those that it held once it was warm. [`dashboard`] drives the whole
//! program in a terminal, [`manager`] the connection manager as a library, both in one [`weather`].
//!
//! All random choices come from one seed, which is printed: `PGWATCH_SEED` repeats a run, as far as the servers' own
//! timing allows.
#![allow(clippy::print_stdout, reason = "the seed, and how to repeat a run that failed")]

pub mod dashboard;
pub mod manager;
pub mod weather;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::report::{seconds, table};

/// How many names the nodes share.
pub const NAMES: usize = 8;
/// The program is warm after a tenth of a run, or after this, whichever comes first.
const WARM: Duration = Duration::from_mins(5);
/// How long a figure must stay the same before it counts: longer than an idle thread or session is kept.
const STILL: Duration = Duration::from_secs(6);
/// How long to wait for that.
const SETTLING: Duration = Duration::from_mins(2);
/// How long a session may take to end after its socket closed.
const A_MOMENT: Duration = Duration::from_secs(5);

/// The seed of a run, from `PGWATCH_SEED` or random.
pub fn seed() -> u64 {
    let given = std::env::var("PGWATCH_SEED").ok().map(|seed| seed.parse().expect("PGWATCH_SEED is a number"));
    given.unwrap_or_else(|| fastrand::u64(..))
}

/// The length of a run.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    Cycles(u64),
    Time(Duration),
}

impl Length {
    /// This share of the run.
    pub fn part(self, share: f64) -> Self {
        match self {
            Self::Cycles(cycles) => Self::Cycles((cycles as f64 * share).round() as u64),
            Self::Time(time) => Self::Time(time.mul_f64(share)),
        }
    }
}

/// The progress of a run and what was done in it. Says how to repeat the run if it fails.
struct Course {
    length: Length,
    seed: u64,
    begun: Instant,
    done: u64,
    kinds: BTreeMap<&'static str, u64>,
}

impl Course {
    fn begin(length: Length, seed: u64) -> Self {
        println!("PGWATCH_SEED={seed}");
        Self { length, seed, begun: Instant::now(), done: 0, kinds: BTreeMap::new() }
    }

    fn count(&mut self, kind: &'static str) {
        self.done += 1;
        *self.kinds.entry(kind).or_default() += 1;
    }

    fn share(&self) -> f64 {
        match self.length {
            Length::Cycles(cycles) => self.done as f64 / cycles as f64,
            Length::Time(time) => self.begun.elapsed().as_secs_f64() / time.as_secs_f64(),
        }
    }

    fn is_warm(&self) -> bool {
        self.share() >= 0.1 || self.begun.elapsed() >= WARM
    }

    fn is_over(&self) -> bool {
        self.share() >= 1.0
    }

    fn end(&mut self, part: &'static str, figures: Vec<Figure>) -> Outcome {
        let kinds = std::mem::take(&mut self.kinds);
        Outcome { part, seed: self.seed, cycles: self.done, took: self.begun.elapsed(), kinds, figures }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("failed in cycle {}; to repeat it: PGWATCH_SEED={}", self.done, self.seed);
        }
    }
}

/// A resource: how much was held when the program was warm, and at the end.
#[derive(Debug, Clone)]
pub struct Figure {
    pub what: &'static str,
    pub unit: &'static str,
    pub warm: f64,
    pub end: f64,
    /// The most that may be held at the end.
    pub allowed: f64,
}

impl Figure {
    /// A count that must not have grown.
    fn same(what: &'static str, warm: usize, end: usize) -> Self {
        Self { what, unit: "", warm: warm as f64, end: end as f64, allowed: warm as f64 }
    }

    /// A count that must be zero at the end.
    fn gone(what: &'static str, end: usize) -> Self {
        Self { what, unit: "", warm: 0.0, end: end as f64, allowed: 0.0 }
    }

    /// Memory in MB, which is never exactly the same twice: the journal of 5,000 events alone takes two while it fills
    /// up.
    fn memory(warm: f64, end: f64) -> Self {
        Self { what: "resident memory", unit: " MB", warm, end, allowed: (warm * 1.1).max(warm + 4.0) }
    }

    pub fn holds(&self) -> bool {
        self.end <= self.allowed
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    pub part: &'static str,
    pub seed: u64,
    pub cycles: u64,
    pub took: Duration,
    pub kinds: BTreeMap<&'static str, u64>,
    pub figures: Vec<Figure>,
}

impl Outcome {
    pub fn holds(&self) -> bool {
        self.figures.iter().all(Figure::holds)
    }

    /// A sentence and a table.
    pub fn text(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let number = |value: f64, figure: &Figure| {
            let digits = usize::from(!figure.unit.is_empty());
            format!("{value:.digits$}{}", figure.unit)
        };
        let row = |figure: &Figure| {
            let verdict = if figure.holds() { "holds" } else { "LEAKS" };
            let [warm, end, allowed] = [figure.warm, figure.end, figure.allowed].map(|value| number(value, figure));
            [figure.what.to_owned(), warm, end, allowed, verdict.to_owned()]
        };
        let rows: Vec<[String; 5]> = self.figures.iter().map(row).collect();
        let head = format!(
            "{}: {} cycles in {} from the seed {} ({}).",
            self.part,
            self.cycles,
            seconds(self.took),
            self.seed,
            kinds.join(", ")
        );
        let table =
            table(&["held", "when warm", "at the end", "at most", ""], rows.iter().map(<[String; 5]>::as_slice));
        format!("{head}\n\n{table}")
    }

    /// Fails the test with the table and the way to repeat it unless every resource is within its limit.
    #[track_caller]
    pub fn assert_holds(&self) {
        println!("{}", self.text());
        assert!(self.holds(), "to repeat it: PGWATCH_SEED={}\n{}", self.seed, self.text());
    }
}

/// Sleeps where passing time is the purpose: between two cycles, and between two samples of slow things.
pub fn pass(time: Duration) {
    #[allow(clippy::disallowed_methods, reason = "a pause is part of the churn")]
    std::thread::sleep(time);
}

/// Measures until the value has been the same for a while.
fn settled<T: PartialEq + std::fmt::Debug>(mut measure: impl FnMut() -> T) -> T {
    let begun = Instant::now();
    let (mut last, mut since) = (measure(), Instant::now());
    while since.elapsed() < STILL {
        assert!(begun.elapsed() < SETTLING, "it never comes to rest: {last:?}");
        pass(Duration::from_millis(300));
        let now = measure();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// Measures until the value is good, or for as long as settling may take; returns the last value.
fn settled_as<T>(mut measure: impl FnMut() -> T, good: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let now = measure();
        if good(&now) || begun.elapsed() >= SETTLING {
            return now;
        }
        pass(Duration::from_millis(300));
    }
}
