//! What identifies a row among those of its node: the cells of the view's key columns.

use super::View;
use super::column::Source;
use crate::model::RowSet;

/// The key of a row: the texts of its key's cells.
pub(super) fn of(view: &View, rows: &RowSet, row: usize) -> String {
    let mut key = String::new();
    for at in cells(view) {
        key.push_str(rows.cell(row, at).unwrap_or_default());
        key.push('\u{1f}');
    }
    key
}

/// The positions of the key's cells in a row of the answer.
pub(super) fn cells(view: &View) -> impl Iterator<Item = usize> {
    view.key.iter().filter_map(|column| match view.columns.get(*column)?.source {
        Source::Sql { at, .. } => Some(at),
        _ => None,
    })
}
