//! A node's answer to a view, with the rates since an earlier answer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::View;
use super::column::{LagPart, Source};
use super::key;
use super::rates::{self, Before};
use crate::model::Condition;
use crate::model::protocol::ViewRows;

/// When an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By our clock.
    pub ours: SystemTime,
    /// By the clock of the server, with which the times in its answer are compared.
    pub servers: SystemTime,
}

impl Moment {
    /// A moment at which the clock of the server shows what ours does, or is not known.
    pub fn same(at: SystemTime) -> Self {
        Self { ours: at, servers: at }
    }
}

/// One node's rows as they are shown: the cells of the answer and the rates.
#[derive(Debug, Clone)]
pub struct Reading {
    /// When the answer came, by our clock.
    pub at: SystemTime,
    /// The same by the clock of the server.
    servers: SystemTime,
    /// The answer.
    pub answer: Arc<ViewRows>,
    /// For each column of the view, a number per row; empty for columns that are not computed.
    computed: Vec<Vec<Option<f64>>>,
    /// Why the node is behind, where a column says so.
    why: Option<String>,
}

/// What is known of a node's place in its cluster: where the primary was, and how far the node is behind.
pub trait Location {
    /// How many milliseconds ago the primary was at a position; at least `measured` for one that is older than all that
    /// were seen.
    fn age(&self, position: u64, measured: Option<f64>) -> Option<f64>;
    /// How many bytes the primary is beyond a position.
    fn behind(&self, position: u64) -> Option<f64>;
    /// How old the data of the node is, in milliseconds.
    fn lag(&self) -> Option<f64>;
    /// The bytes of WAL that it has not replayed.
    fn lag_bytes(&self) -> Option<f64>;
    /// Why it is behind.
    fn why(&self) -> Option<String>;
}

/// The value of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// NULL, or a rate that cannot be computed.
    Unknown,
    /// As the server prints it.
    Text(&'a str),
    /// A number that pgwatch computed: a change per second, seconds until 0, an age, bytes behind.
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
    pub fn new(view: &View, at: Moment, answer: Arc<ViewRows>, earlier: Option<&Self>) -> Self {
        let computed = match earlier {
            Some(earlier) if view.has_rates() => {
                let before = Before { rows: &earlier.answer.rows, rates: &earlier.computed };
                rates::between(view, &before, &answer.rows, earlier.age(at.ours).as_secs_f64())
            }
            _ => Vec::new(),
        };
        Self { at: at.ours, servers: at.servers, answer, computed, why: None }
    }

    /// Fills the columns that depend on what is known of the cluster.
    pub fn locate(&mut self, view: &View, known: &impl Location) {
        self.computed.resize_with(view.columns.len(), Vec::new);
        self.why = known.why();
        let rows = &self.answer.rows;
        let place = |of: usize| match view.columns.get(of).map(|column| &column.source) {
            Some(Source::Sql { at, .. }) => Some(*at),
            _ => None,
        };
        let at = |row: usize, of: usize| position(rows.cell(row, place(of)?)?);
        let number = |row: usize, of: usize| rows.cell(row, place(of)?)?.parse().ok();
        for (column, computed) in view.columns.iter().zip(&mut self.computed) {
            let value = |row: usize| match column.source {
                Source::Age { of, otherwise } => known.age(at(row, of)?, otherwise.and_then(|of| number(row, of))),
                Source::Behind { of } => known.behind(at(row, of)?),
                Source::Lag(LagPart::Time) => known.lag(),
                Source::Lag(LagPart::Bytes) => known.lag_bytes(),
                _ => None,
            };
            if matches!(column.source, Source::Age { .. } | Source::Behind { .. } | Source::Lag(_)) {
                *computed = (0..rows.len()).map(value).collect();
            }
        }
    }

    /// The time since the answer came.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.at).unwrap_or_default()
    }

    /// What the clock of the server shows at the time `now` of ours.
    pub fn clock(&self, now: SystemTime) -> SystemTime {
        self.servers.checked_add(self.age(now)).unwrap_or(self.servers)
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
            Some(Source::Lag(LagPart::Why)) => self.why.as_deref().map_or(Value::Unknown, Value::Text),
            Some(
                Source::Rate { .. }
                | Source::Until { .. }
                | Source::Age { .. }
                | Source::Behind { .. }
                | Source::Unchanged { .. }
                | Source::Lag(_),
            ) => {
                let number = self.computed.get(column).and_then(|rows| rows.get(row)).copied().flatten();
                number.map_or(Value::Unknown, Value::Rate)
            }
            Some(Source::Trend { .. }) | None => Value::Unknown,
        }
    }

    /// True if the text of a cell is only the beginning of it.
    pub fn is_cut(&self, view: &View, row: usize, column: usize) -> bool {
        let Some(Source::Sql { at, .. }) = view.columns.get(column).map(|column| &column.source) else { return false };
        let cell = (u32::try_from(row).unwrap_or(u32::MAX), u32::try_from(*at).unwrap_or(u32::MAX));
        self.answer.cuts.binary_search(&cell).is_ok()
    }

    /// Identifies the row among those of its node.
    pub fn key(&self, view: &View, row: usize) -> String {
        key::of(view, &self.answer.rows, row)
    }
}

/// A WAL position as the server prints it (`16/B374D848`), in bytes.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |digits: &str| u32::from_str_radix(digits, 16).ok().map(u64::from);
    Some((part(high)? << 32) | part(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::view::{ByServer, CellKind, ViewColumn};
    use crate::model::{Column, RowSet};

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
        Reading::new(&view(), Moment::same(SystemTime::UNIX_EPOCH + Duration::from_secs(second)), answer, earlier)
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
