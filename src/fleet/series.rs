//! The recent figures of each row: for sparklines, and to recognise an unusual value.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use crate::model::View;
use crate::model::view::{Reading, Source};

/// The number of answers that a sparkline shows.
const RECENT: usize = 60;
/// Means of ten seconds each are kept, for ten minutes.
const BIN: Duration = Duration::from_secs(10);
const BINS: u32 = 60;
/// The number of means needed before a value can be called unusual.
const KNOWN: usize = 6;
/// Only this many rows of a node are followed; a person does not read further down.
const ROWS: usize = 500;

/// The past of the rows of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Past(HashMap<String, HashMap<usize, Series>>);

/// The past of one figure.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The newest values, oldest first; `None` where the series was not watched.
    recent: VecDeque<Option<f64>>,
    /// The means, and when each was complete.
    bins: VecDeque<(SystemTime, f64)>,
    /// The mean in progress: when it began, the sum, the number of values.
    filling: Option<(SystemTime, f64, u32)>,
}

impl Past {
    pub(super) fn add(&mut self, view: &View, reading: &Reading) {
        let followed: Vec<usize> = followed(view).collect();
        if followed.is_empty() {
            return;
        }
        let mut rows = HashMap::new();
        for row in 0..reading.len().min(ROWS) {
            let key = reading.key(view, row);
            let mut figures = self.0.remove(&key).unwrap_or_default();
            for column in &followed {
                if let Some(value) = reading.value(view, row, *column).number() {
                    figures.entry(*column).or_default().add(reading.at, value);
                }
            }
            rows.insert(key, figures);
        }
        // Rows that are gone are dropped.
        self.0 = rows;
    }

    /// Nothing was seen for a while: a gap in each series.
    pub(super) fn skip(&mut self) {
        for series in self.0.values_mut().flat_map(HashMap::values_mut) {
            series.skip();
        }
    }

    pub(super) fn of(&self, key: &str, column: usize) -> Option<&Series> {
        self.0.get(key)?.get(&column)
    }
}

/// The columns whose past is kept.
fn followed(view: &View) -> impl Iterator<Item = usize> {
    let trends = view.columns.iter().filter_map(|column| match column.source {
        Source::Trend { of } => Some(of),
        _ => None,
    });
    let unusual = view.columns.iter().enumerate().filter(|(_, column)| column.unusual).map(|(at, _)| at);
    trends.chain(unusual)
}

impl Series {
    /// The newest values, oldest first; `None` where the series was not watched.
    pub fn recent(&self) -> impl Iterator<Item = Option<f64>> {
        self.recent.iter().copied()
    }

    fn add(&mut self, at: SystemTime, value: f64) {
        self.keep(Some(value));
        while self.bins.front().is_some_and(|(then, _)| at.duration_since(*then).is_ok_and(|age| age > BIN * BINS)) {
            self.bins.pop_front();
        }
        let (since, sum, count) = self.filling.unwrap_or((at, 0.0, 0));
        let (sum, count) = (sum + value, count + 1);
        if at.duration_since(since).is_ok_and(|age| age < BIN) {
            self.filling = Some((since, sum, count));
            return;
        }
        self.bins.push_back((at, sum / f64::from(count)));
        self.filling = None;
    }

    /// Nothing was seen for a while.
    fn skip(&mut self) {
        self.filling = None;
        if self.recent.back().is_some_and(Option::is_some) {
            self.keep(None);
        }
    }

    fn keep(&mut self, value: Option<f64>) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(value);
    }

    /// True if the newest value is far above those of the last ten minutes.
    pub fn is_unusual(&self) -> bool {
        let Some(now) = self.recent.back().copied().flatten().filter(|_| self.bins.len() >= KNOWN) else {
            return false;
        };
        let count = self.bins.len() as f64;
        let mean = self.bins.iter().map(|(_, bin)| bin).sum::<f64>() / count;
        let variance = self.bins.iter().map(|(_, bin)| (bin - mean).powi(2)).sum::<f64>() / count;
        // Tiny values are not unusual, however much they grew.
        now > mean + 4.0 * variance.sqrt() && now > 2.0 * mean && now > 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_above_the_last_minutes_is_unusual() {
        let at = |second: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let mut series = Series::default();
        for second in 0..40 {
            series.add(at(second), 100.0);
            assert!(!series.is_unusual(), "too little is known");
        }
        for second in 40..200 {
            series.add(at(second), if second % 2 == 0 { 90.0 } else { 110.0 });
            assert!(!series.is_unusual(), "it wavers as ever");
        }
        series.add(at(200), 500.0);
        assert!(series.is_unusual());
        assert_eq!(series.recent.len(), RECENT);
        for second in 201..900 {
            series.add(at(second), 500.0);
        }
        assert!(!series.is_unusual(), "it is what it is now");
        series.skip();
        series.skip();
        series.add(at(900 + 3600), 5000.0);
        assert_eq!(series.recent().skip(RECENT - 3).collect::<Vec<_>>(), [Some(500.0), None, Some(5000.0)]);
        assert!(!series.is_unusual(), "nothing is known of the last ten minutes");
    }
}
