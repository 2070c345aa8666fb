//! The results of a bench: for each figure its trials, by run. Everything is measured in [`Plan::runs`] rounds, one
//! after the other, so that a machine that is busy for a minute spoils one round of each figure and not all rounds of
//! one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::report::seconds;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    pub runs: usize,
    /// How long the cost of a dashboard is measured.
    pub window: Duration,
    /// Faults per run.
    pub faults: usize,
}

impl Plan {
    pub const FULL: Self = Self { runs: 3, window: Duration::from_secs(30), faults: 4 };
    /// For checking that everything works; the figures mean little.
    pub const QUICK: Self = Self { runs: 1, window: Duration::from_secs(5), faults: 1 };
}

/// Trials by the name of the figure and by run. Times are in seconds.
#[derive(Default)]
pub struct Readings {
    figures: BTreeMap<&'static str, Vec<Vec<f64>>>,
}

impl Readings {
    /// Adds the trials of a run.
    pub fn add(&mut self, figure: &'static str, trials: impl IntoIterator<Item = f64>) {
        self.figures.entry(figure).or_default().push(trials.into_iter().collect());
    }

    pub fn add_times(&mut self, figure: &'static str, trials: impl IntoIterator<Item = Duration>) {
        self.add(figure, trials.into_iter().map(|time| time.as_secs_f64()));
    }

    fn runs(&self, figure: &str) -> &[Vec<f64>] {
        self.figures.get(figure).unwrap_or_else(|| panic!("{figure} was not measured"))
    }

    /// The median over all runs of the value below which this share of a run's trials lies.
    pub fn quantile(&self, figure: &str, share: f64) -> f64 {
        let mut each: Vec<f64> = self.runs(figure).iter().map(|trials| lowest(&mut trials.clone(), share)).collect();
        lowest(&mut each, 0.5)
    }

    /// The median over all runs of a run's median.
    pub fn median(&self, figure: &str) -> f64 {
        self.quantile(figure, 0.5)
    }

    /// The worst trial of all runs.
    pub fn worst(&self, figure: &str) -> f64 {
        self.runs(figure).iter().flatten().copied().fold(f64::NAN, f64::max)
    }

    /// The sum of all trials of all runs, for counts.
    pub fn sum(&self, figure: &str) -> f64 {
        self.runs(figure).iter().flatten().sum()
    }

    /// A time in the form `median (worst ...)`.
    pub fn time(&self, figure: &str) -> String {
        format!("{} (worst {})", time(self.median(figure)), time(self.worst(figure)))
    }
}

/// Formats seconds for people.
pub fn time(secs: f64) -> String {
    seconds(Duration::from_secs_f64(secs))
}

fn lowest(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}
