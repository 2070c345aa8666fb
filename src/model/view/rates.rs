//! The rates of a view's counters: what changed between two answers of a node, per second.

use std::cell::LazyCell;
use std::collections::HashMap;

use super::column::Source;
use super::{View, key};
use crate::model::RowSet;

/// The change of each counter per second, for each row of `after`. A new row has none, nor has a counter that went
/// down: it was reset, or the server restarted.
pub(super) fn between(view: &View, before: &RowSet, after: &RowSet, seconds: f64) -> Vec<Vec<Option<f64>>> {
    // Usually each row is where it was before; then no keys are built.
    let places =
        LazyCell::new(|| (0..before.len()).map(|row| (key::of(view, before, row), row)).collect::<HashMap<_, _>>());
    let keys: Vec<usize> = key::cells(view).collect();
    let stays = |row: usize| row < before.len() && keys.iter().all(|at| before.cell(row, *at) == after.cell(row, *at));
    let earlier = |row: usize| if stays(row) { Some(row) } else { places.get(&key::of(view, after, row)).copied() };
    let earlier: Vec<Option<usize>> = (0..after.len()).map(earlier).collect();
    let number = |rows: &RowSet, row: usize, at: usize| rows.cell(row, at).and_then(|text| text.parse::<f64>().ok());
    // The value now and its change per second, row by row.
    let changes = |of: usize| -> Vec<Option<(f64, f64)>> {
        let Some(Source::Sql { at, .. }) = view.columns.get(of).map(|column| &column.source) else { return Vec::new() };
        let change = |(row, earlier): (usize, &Option<usize>)| {
            let now = number(after, row, *at)?;
            let change = now - number(before, (*earlier)?, *at)?;
            (seconds > 0.0).then(|| (now, change / seconds))
        };
        earlier.iter().enumerate().map(change).collect()
    };
    let rates = view.columns.iter().map(|each| match each.source {
        Source::Rate { of } => {
            changes(of).into_iter().map(|change| Some(change?.1).filter(|rate| *rate >= 0.0)).collect()
        }
        Source::Until { of } => changes(of).into_iter().map(|change| change.map(until)).collect(),
        Source::Sql { .. } | Source::Age { .. } | Source::Behind { .. } | Source::Lag(_) | Source::Trend { .. } => {
            Vec::new()
        }
    });
    rates.collect()
}

/// Seconds until a value that changes at this rate is 0; infinite if it does not fall.
fn until((now, change): (f64, f64)) -> f64 {
    if now <= 0.0 {
        0.0
    } else if change < 0.0 {
        now / -change
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_value_will_reach_zero_and_another_never() {
        for (change, seconds) in
            [((100.0, -10.0), 10.0), ((0.0, 5.0), 0.0), ((7.0, 0.0), f64::INFINITY), ((7.0, 1.0), f64::INFINITY)]
        {
            assert!(until(change).total_cmp(&seconds).is_eq(), "{change:?}");
        }
    }
}
