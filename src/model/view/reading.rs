//! A node's answer to a view, with the rates since an earlier answer.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::View;
use super::column::Source;
use crate::model::protocol::ViewRows;
use crate::model::{Condition, RowSet};

/// One node's rows as they are shown: the cells of the answer and the rates.
#[derive(Debug, Clone)]
pub struct Reading {
    /// When the answer came.
    pub at: SystemTime,
    /// The answer.
    pub answer: Arc<ViewRows>,
    /// For each column of the view, a rate per row; empty for columns that are no rates.
    rates: Vec<Vec<Option<f64>>>,
}

/// The value of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// NULL, or a rate that cannot be computed.
    Unknown,
    /// As the server prints it.
    Text(&'a str),
    /// A change per second, or seconds until 0: computed from two answers.
    Rate(f64),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Rate(rate) => write!(f, "{rate:.3}"),
        }
    }
}

impl Value<'_> {
    /// The value as a number, if it is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Unknown => None,
            Self::Text(text) => text.parse().ok(),
            Self::Rate(rate) => Some(rate),
        }
    }

    /// True if the value meets a condition; [`Self::Unknown`] meets none.
    pub fn meets(self, condition: &Condition) -> bool {
        match self {
            Self::Unknown => false,
            Self::Text(text) => condition.holds(Some(text)),
            Self::Rate(rate) => condition.holds_number(Some(rate)),
        }
    }
}

impl Reading {
    /// The reading of an answer that came at `at`; rates are computed against `earlier`.
    pub fn new(view: &View, at: SystemTime, answer: Arc<ViewRows>, earlier: Option<&Self>) -> Self {
        let rates = match earlier {
            Some(earlier) if view.has_rates() => {
                let seconds = at.duration_since(earlier.at).map_or(0.0, |passed| passed.as_secs_f64());
                rates(view, &earlier.answer.rows, &answer.rows, seconds)
            }
            _ => Vec::new(),
        };
        Self { at, answer, rates }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.answer.rows.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.answer.rows.is_empty()
    }

    /// The value of a cell; [`Value::Unknown`] where there is none.
    pub fn value(&self, view: &View, row: usize, column: usize) -> Value<'_> {
        match view.columns.get(column).map(|column| &column.source) {
            Some(Source::Sql { at, .. }) => self.answer.rows.cell(row, *at).map_or(Value::Unknown, Value::Text),
            Some(Source::Rate { .. } | Source::Until { .. }) => {
                let rate = self.rates.get(column).and_then(|rates| rates.get(row)).copied().flatten();
                rate.map_or(Value::Unknown, Value::Rate)
            }
            Some(Source::Trend { .. }) | None => Value::Unknown,
        }
    }

    /// Identifies the row among those of its node.
    pub fn key(&self, view: &View, row: usize) -> String {
        key(view, &self.answer.rows, row)
    }
}

fn key(view: &View, rows: &RowSet, row: usize) -> String {
    let mut key = String::new();
    for at in key_cells(view) {
        key.push_str(rows.cell(row, at).unwrap_or_default());
        key.push('\u{1f}');
    }
    key
}

/// The positions of the key's cells in a row of the answer.
fn key_cells(view: &View) -> impl Iterator<Item = usize> {
    view.key.iter().filter_map(|column| match view.columns.get(*column)?.source {
        Source::Sql { at, .. } => Some(at),
        _ => None,
    })
}

/// The change of each counter per second, for each row of `after`. A new row has none, nor has a counter that went
/// down: it was reset, or the server restarted.
fn rates(view: &View, before: &RowSet, after: &RowSet, seconds: f64) -> Vec<Vec<Option<f64>>> {
    // Usually each row is where it was before; then no keys are built.
    let places =
        LazyCell::new(|| (0..before.len()).map(|row| (key(view, before, row), row)).collect::<HashMap<_, _>>());
    let keys: Vec<usize> = key_cells(view).collect();
    let stays = |row: usize| row < before.len() && keys.iter().all(|at| before.cell(row, *at) == after.cell(row, *at));
    let earlier = |row: usize| if stays(row) { Some(row) } else { places.get(&key(view, after, row)).copied() };
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
        Source::Sql { .. } | Source::Trend { .. } => Vec::new(),
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
    use std::time::Duration;

    use super::*;
    use crate::model::Column;
    use crate::model::view::{ByServer, CellKind, ViewColumn};

    fn view() -> View {
        let sql = |at| Source::Sql { sql: ByServer::same("x"), at };
        let columns = vec![
            ViewColumn::new("rate", CellKind::Float8, Source::Rate { of: 2 }),
            ViewColumn::new("id", CellKind::Text, sql(0)),
            ViewColumn::new("n", CellKind::Int8, sql(1)),
        ];
        View { key: vec![1], ..View::new("v", ByServer::same("t"), columns) }
    }

    fn reading(second: u64, rows: &[(&str, Option<&str>)], earlier: Option<&Reading>) -> Reading {
        let names = ["id", "n"].map(|name| Column { name: name.to_owned(), type_name: String::new() });
        let mut set = RowSet::new(names.into());
        for (id, n) in rows {
            set.push([Some(*id), *n]);
        }
        let answer = Arc::new(ViewRows { rows: set, ..ViewRows::default() });
        Reading::new(&view(), SystemTime::UNIX_EPOCH + Duration::from_secs(second), answer, earlier)
    }

    #[test]
    fn a_falling_value_will_reach_zero_and_another_never() {
        for (change, seconds) in
            [((100.0, -10.0), 10.0), ((0.0, 5.0), 0.0), ((7.0, 0.0), f64::INFINITY), ((7.0, 1.0), f64::INFINITY)]
        {
            assert!(until(change).total_cmp(&seconds).is_eq(), "{change:?}");
        }
    }

    #[test]
    fn rates_follow_the_key_and_are_never_negative() {
        let before = reading(10, &[("a", Some("100")), ("b", Some("50")), ("c", None)], None);
        let after =
            reading(12, &[("b", Some("60")), ("a", Some("7")), ("c", Some("1")), ("d", Some("9"))], Some(&before));
        let rates: Vec<Value<'_>> = (0..4).map(|row| after.value(&view(), row, 0)).collect();
        assert_eq!(rates, [Value::Rate(5.0), Value::Unknown, Value::Unknown, Value::Unknown]);
        assert_eq!(after.value(&view(), 0, 2), Value::Text("60"));
        assert_eq!(after.value(&view(), 0, 2).number(), Some(60.0));
        assert_eq!(before.value(&view(), 0, 0), Value::Unknown);
        let same_instant = reading(12, &[("b", Some("61"))], Some(&after));
        assert_eq!(same_instant.value(&view(), 0, 0), Value::Unknown);
    }
}
