//! The lists of the panes. What every list can do is the trait `Rows`, so that a key which works on one list works on all of
//! them; `App::rows` is the one place that says which list a pane shows.

pub(super) mod alerts;
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
use crate::model::NodeName;

/// What is visible of a list.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) struct Visible {
    /// Rows that fit into the pane.
    pub(in crate::app) page: usize,
    /// Lines that drawing found, where only drawing knows: of plain lines and of a row at length.
    pub(in crate::app) lines: usize,
}

/// How a sort changes: from the sort there is and the number of columns to the next one; `None` is the rows' own order.
pub(in crate::app) type NextSort<'a> = &'a dyn Fn(Option<Sort>, usize) -> Option<Sort>;

/// What every list can do. Whoever changes the filter or the sort puts the rows in order afterwards.
pub(in crate::app) trait Rows {
    /// Whether there is anything to move through.
    fn can_move(&self, visible: Visible) -> bool;
    fn cursor(&self) -> Cursor;
    fn go(&mut self, movement: Move, visible: Visible);
    /// Puts the cursor on a row, which was clicked.
    fn select(&mut self, row: usize, visible: Visible);
    /// Drawing measured the pane; `first` is the first row shown, where rows take several lines.
    fn fit(&mut self, visible: Visible, first: Option<usize>);

    fn filter(&self) -> &Filter;
    /// `nodes` are the columns of a table that compares nodes.
    fn set_filter(&mut self, source: &str, nodes: &[NodeName]);

    /// Whether only rows with a problem can be shown, and are.
    fn problems_only(&mut self) -> Option<&mut bool> {
        None
    }

    /// The first column shown beside the fixed ones, counted from 0, and how many columns there are; `None` where columns do
    /// not scroll.
    fn columns(&self) -> Option<(usize, usize)> {
        None
    }

    fn set_column(&mut self, _column: usize) {}

    /// How many columns rows can be sorted by.
    fn sortable(&self) -> usize {
        0
    }

    fn sort(&self) -> Option<Sort> {
        None
    }

    /// The head of a column that rows can be sorted by.
    fn sort_title(&self, _column: usize) -> Option<&str> {
        None
    }

    /// Why rows cannot be sorted now.
    fn unsortable(&self) -> Option<&'static str> {
        None
    }

    fn set_sort(&mut self, _next: NextSort<'_>) {}

    /// A click on the head of a column: sorts by it; once more, the other way round.
    fn sort_by(&mut self, column: usize) {
        self.set_sort(&|sort, columns| match sort {
            Some(sort) if sort.column == column => Some(Sort { descending: !sort.descending, ..sort }),
            _ => (column < columns).then_some(Sort { column, descending: false }),
        });
    }

    /// Whether long text can wrap.
    fn wraps(&self) -> bool {
        false
    }
}
