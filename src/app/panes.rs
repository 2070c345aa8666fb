//! The lists of the panes. The trait `Rows` is what every list can do, so that a key which works on one list works on
//! all of them. Only `App::rows` knows which list a pane shows.

pub mod alerts;
pub mod answers;
pub(super) mod events;
pub(super) mod lines;
pub mod nodes;
mod table;
pub(super) mod topology;
mod view;

use super::rows::cursor::{Cursor, Move};
use super::rows::filter::Filter;
use super::rows::table::Sort;
use crate::fleet::Nodes;

/// How much of a list is visible.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) struct Visible {
    /// The number of rows that fit into the pane.
    pub(in crate::app) page: usize,
    /// The number of lines, where only drawing knows it: in plain lines and in a row shown in full.
    pub(in crate::app) lines: usize,
}

/// Changes a sort: takes the current one and the number of columns, returns the next one; `None` is the original
/// order.
pub(in crate::app) type NextSort<'a> = &'a dyn Fn(Option<Sort>, usize) -> Option<Sort>;

/// What every list can do. The caller arranges the rows after changing the filter or the sort.
pub(in crate::app) trait Rows {
    /// True if there is anything to move through.
    fn can_move(&self, visible: Visible) -> bool;
    fn cursor(&self) -> Cursor;
    fn go(&mut self, movement: Move, visible: Visible);
    /// Puts the cursor on the row that was clicked.
    fn select(&mut self, row: usize, visible: Visible);
    /// Adjusts to what drawing measured. `first` is the first row shown, where rows take several lines.
    fn fit(&mut self, visible: Visible, first: Option<usize>);

    fn filter(&self) -> &Filter;
    /// Sets the filter. `nodes` are the columns of a table that compares nodes.
    fn set_filter(&mut self, source: &str, nodes: &Nodes);

    /// Whether only rows with a problem are shown; `None` if the list cannot do that.
    fn problems_only(&mut self) -> Option<&mut bool> {
        None
    }

    /// The first column shown beside the fixed ones, counted from 0, and the number of columns; `None` if columns do
    /// not scroll.
    fn columns(&self) -> Option<(usize, usize)> {
        None
    }

    fn set_column(&mut self, _column: usize) {}

    /// The number of columns that rows can be sorted by.
    fn sortable(&self) -> usize {
        0
    }

    fn sort(&self) -> Option<Sort> {
        None
    }

    /// The header of a column that rows can be sorted by.
    fn sort_title(&self, _column: usize) -> Option<&str> {
        None
    }

    /// Why rows cannot be sorted now; `None` if they can.
    fn unsortable(&self) -> Option<&'static str> {
        None
    }

    fn set_sort(&mut self, _next: NextSort<'_>) {}

    /// Handles a click on a column header: sorts by the column; a second click reverses the order.
    fn sort_by(&mut self, column: usize) {
        self.set_sort(&|sort, columns| match sort {
            Some(sort) if sort.column == column => Some(Sort { descending: !sort.descending, ..sort }),
            _ => (column < columns).then_some(Sort { column, descending: false }),
        });
    }

    /// True if long text can wrap.
    fn wraps(&self) -> bool {
        false
    }
}
