//! Collects the rows of one node's answer, within the limits of its request.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryRow;

use crate::model::figures::count;
use crate::model::protocol::{NodeRows, QueryRequest, ServerNotice};
use crate::model::{Column, RowSet};
use crate::sql::secrets::{masked_message_of, masked_plan};

/// Rows between two reports of progress.
const REPORT_ROWS: usize = 1_000;
/// Time between two reports of progress when the server sends slowly.
const REPORT_TIME: Duration = Duration::from_millis(200);

pub(crate) struct Rows<'a> {
    request: &'a QueryRequest,
    types: &'a [String],
    kept: RowSet,
    truncated: Option<String>,
    reported: usize,
    reported_at: Instant,
}

impl<'a> Rows<'a> {
    /// `types`: those of the columns, as far as the server described them when it parsed the statement.
    pub(crate) fn new(request: &'a QueryRequest, types: &'a [String]) -> Self {
        Self { request, types, kept: RowSet::default(), truncated: None, reported: 0, reported_at: Instant::now() }
    }

    pub(crate) fn describe<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let type_name = |at: usize| self.types.get(at).cloned().unwrap_or_default();
        let columns = names.enumerate().map(|(at, name)| Column { name: name.to_owned(), type_name: type_name(at) });
        self.kept = RowSet::new(columns.collect());
    }

    /// Keeps the row if there is room. Returns `false` when the result is cut here.
    pub(crate) fn push(&mut self, row: &SimpleQueryRow) -> bool {
        if self.kept.len() >= self.request.max_rows {
            self.truncated = Some(format!("cut at {} rows", count(self.request.max_rows as u64)));
            return false;
        }
        let cells = || (0..row.len()).map(|at| row.try_get(at).unwrap_or(Some(NO_TEXT)));
        let size = cells().flatten().map(str::len).sum::<usize>() + row.len() * size_of::<u32>();
        let room = self.request.max_bytes.saturating_sub(self.kept.bytes());
        if size <= room {
            self.kept.push(cells());
            return true;
        }
        self.truncated = Some(format!("cut at {}", megabytes(self.request.max_bytes)));
        if self.kept.is_empty() {
            // A single row that is too large is kept up to the limit.
            let mut room = room;
            self.kept.push(cells().map(|cell| {
                let kept = cell.map(|text| text.get(..text.floor_char_boundary(room)).unwrap_or_default());
                room -= kept.map_or(0, str::len);
                kept
            }));
        }
        false
    }

    /// The number of rows so far, when a report of progress is due.
    pub(crate) fn progress_due(&mut self) -> Option<usize> {
        let count = self.kept.len();
        let many = count - self.reported >= REPORT_ROWS;
        if !many && self.reported_at.elapsed() < REPORT_TIME {
            return None;
        }
        self.reported = count;
        self.reported_at = Instant::now();
        Some(count)
    }

    pub(crate) fn finish(self, affected: u64, mut notices: Vec<ServerNotice>) -> NodeRows {
        let statement = &self.request.statement;
        for notice in &mut notices {
            if let Cow::Owned(message) = masked_message_of(&notice.message, statement) {
                notice.message = message;
            }
        }
        let row_count =
            if self.kept.columns().is_empty() && self.kept.is_empty() { affected } else { self.kept.len() as u64 };
        NodeRows { rows: without_secrets(self.kept), row_count, truncated: self.truncated, notices }
    }
}

/// The lines of a plan without secrets: it shows the values of statements, views and functions that others have written.
/// All other rows are as they came.
fn without_secrets(rows: RowSet) -> RowSet {
    let [Column { name, .. }] = rows.columns() else { return rows };
    if name != PLAN {
        return rows;
    }
    // A text of several lines is in several rows.
    let lines: Vec<&str> = (0..rows.len()).map(|row| rows.cell(row, 0).unwrap_or_default()).collect();
    let plan = lines.join("\n");
    let Cow::Owned(shown) = masked_plan(&plan) else { return rows };
    let mut kept = RowSet::new(rows.columns().to_vec());
    if rows.len() == 1 {
        kept.push([Some(shown.as_str())]);
    } else {
        shown.split('\n').for_each(|line| kept.push([Some(line)]));
    }
    kept
}

/// The column of an answer to `EXPLAIN`.
const PLAN: &str = "QUERY PLAN";

/// A database with encoding `SQL_ASCII` may hold any bytes.
const NO_TEXT: &str = "(bytes that are not UTF-8)";

fn megabytes(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MB", bytes >> 20) } else { format!("{} bytes", count(bytes as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_for_people() {
        assert_eq!([7, 1_000, 100_000, 1_234_567].map(count), ["7", "1,000", "100,000", "1,234,567"]);
        assert_eq!(megabytes(64 << 20), "64 MB");
        assert_eq!(megabytes(1_000), "1,000 bytes");
    }
}
