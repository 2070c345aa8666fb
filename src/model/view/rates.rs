//! What two answers of a node give together: the rates of a view's counters, per second, and how long values have been
//! the same.

use std::cell::LazyCell;
use std::collections::HashMap;

use super::column::{Source, Unit};
use super::{View, key};
use crate::model::RowSet;

/// An earlier answer, and the rates that were computed for it.
pub(super) struct Before<'a> {
    pub(super) rows: &'a RowSet,
    pub(super) rates: &'a [Vec<Option<f64>>],
}

/// The change of each counter per second, for each row of `after`. A new row has none, nor has a counter that went
/// down: it was reset, or the server restarted.
pub(super) fn between(view: &View, earlier: &Before<'_>, after: &RowSet, seconds: f64) -> Vec<Vec<Option<f64>>> {
    let before = earlier.rows;
    // Usually each row is where it was before; then no keys are built.
    let by_key =
        LazyCell::new(|| (0..before.len()).map(|row| (key::of(view, before, row), row)).collect::<HashMap<_, _>>());
    let keys: Vec<usize> = key::cells(view).collect();
    let stays = |row: usize| row < before.len() && keys.iter().all(|at| before.cell(row, *at) == after.cell(row, *at));
    let place = |row: usize| if stays(row) { Some(row) } else { by_key.get(&key::of(view, after, row)).copied() };
    let places: Vec<Option<usize>> = (0..after.len()).map(place).collect();
    let number = |rows: &RowSet, row: usize, at: usize| rows.cell(row, at).and_then(|text| text.parse::<f64>().ok());
    // The value now and its change per second, row by row.
    let changes = |of: usize| -> Vec<Option<(f64, f64)>> {
        let Some(Source::Sql { at, .. }) = view.columns.get(of).map(|column| &column.source) else { return Vec::new() };
        let change = |(row, place): (usize, &Option<usize>)| {
            let now = number(after, row, *at)?;
            let change = now - number(before, (*place)?, *at)?;
            (seconds > 0.0).then(|| (now, change / seconds))
        };
        places.iter().enumerate().map(change).collect()
    };
    // How long a value has been the same, in seconds.
    let unchanged = |column: usize, of: usize, second: f64| -> Vec<Option<f64>> {
        let Some(Source::Sql { at, .. }) = view.columns.get(of).map(|column| &column.source) else { return Vec::new() };
        let length = |(row, place): (usize, &Option<usize>)| {
            let (now, place) = (after.cell(row, *at)?, (*place)?);
            let same = before.cell(place, *at) == Some(now);
            let so_far = earlier.rates.get(column).and_then(|rates| rates.get(place)).copied().flatten();
            Some(if same { so_far.unwrap_or(0.0) + seconds * second } else { 0.0 })
        };
        places.iter().enumerate().map(length).collect()
    };
    let rates = view.columns.iter().enumerate().map(|(column, each)| match each.source {
        Source::Rate { of } => {
            changes(of).into_iter().map(|change| Some(change?.1).filter(|rate| *rate >= 0.0)).collect()
        }
        Source::Until { of } => changes(of).into_iter().map(|change| change.map(until)).collect(),
        Source::Unchanged { of } => unchanged(column, of, if each.unit == Some(Unit::Ms) { 1000.0 } else { 1.0 }),
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
