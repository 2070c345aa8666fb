//! The lines of totals below a table: sums, sums without copies, and maxima, each with a label.

use crate::app::views::ViewTable;
use crate::model::view::{Total, ViewColumn};

/// A line of totals of one type.
pub(super) struct TotalLine {
    /// The label at the start of the line.
    pub(super) label: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All sums.
    Sums,
    /// Sums over all rows, next to a line that leaves out copies.
    SumsOfAll,
    Once,
    Max,
}

impl TotalLine {
    pub(super) fn shows(&self, column: &ViewColumn) -> bool {
        match (self.kind, column.total) {
            (Kind::Sums, Some(Total::Sum | Total::Once(_)))
            | (Kind::SumsOfAll, Some(Total::Sum))
            | (Kind::Once, Some(Total::Once(_)))
            | (Kind::Max, Some(Total::Max)) => true,
            (_, _) => false,
        }
    }
}

/// The lines of totals for the visible columns; none if the table has only one row.
pub(super) fn lines(table: &ViewTable, columns: &[usize]) -> Vec<TotalLine> {
    if table.len() < 2 {
        return Vec::new();
    }
    let (with_rows, counted) = (table.nodes_with_rows(), table.counted());
    let sums = match counted {
        // No row is a copy, or it is unknown which are.
        _ if table.view.copies().is_none() || counted.len() == with_rows => vec![(Kind::Sums, "Σ".to_owned())],
        [] => vec![(Kind::SumsOfAll, "Σ".to_owned())],
        [one] => vec![(Kind::SumsOfAll, "Σ".to_owned()), (Kind::Once, format!("Σ {one}"))],
        several => {
            let label = format!("Σ {} of {with_rows}", several.len());
            vec![(Kind::SumsOfAll, "Σ".to_owned()), (Kind::Once, label)]
        }
    };
    let has_total = |line: &TotalLine| {
        let shows = |at: &usize| table.view.columns.get(*at).is_some_and(|column| line.shows(column));
        columns.iter().any(|at| shows(at) && table.total_of(*at).is_some())
    };
    let lines = sums.into_iter().chain([(Kind::Max, "max".to_owned())]);
    lines.map(|(kind, label)| TotalLine { label, kind }).filter(has_total).collect()
}
