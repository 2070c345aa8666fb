//! A table of keyed rows as a list.

use super::{NextSort, Rows, Visible};
use crate::app::rows::cursor::{Cursor, Move};
use crate::app::rows::filter::Filter;
use crate::app::rows::table::{Key, Sort, Table};
use crate::fleet::Nodes;

impl<K: Key> Rows for Table<K> {
    fn can_move(&self, _visible: Visible) -> bool {
        !self.rows.is_empty()
    }

    fn cursor(&self) -> Cursor {
        self.cursor
    }

    fn go(&mut self, movement: Move, visible: Visible) {
        self.go(movement, visible.page);
    }

    fn select(&mut self, row: usize, visible: Visible) {
        if row < self.rows.len() {
            self.select(row, visible.page);
        }
    }

    fn fit(&mut self, visible: Visible, first: Option<usize>) {
        self.cursor.select(self.cursor.at, self.rows.len(), visible.page);
        self.cursor.offset = first.unwrap_or(self.cursor.offset);
    }

    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn set_filter(&mut self, source: &str, _nodes: &Nodes) {
        self.filter = Filter::new(source, &K::filtered());
    }

    fn problems_only(&mut self) -> Option<&mut bool> {
        K::HAS_PROBLEMS.then_some(&mut self.problems_only)
    }

    fn columns(&self) -> Option<(usize, usize)> {
        K::SCROLLS.map(|columns| (self.column, columns))
    }

    fn set_column(&mut self, column: usize) {
        self.column = column;
    }

    fn sortable(&self) -> usize {
        K::SORTED_BY.len()
    }

    fn sort(&self) -> Option<Sort> {
        self.sort
    }

    fn sort_title(&self, column: usize) -> Option<&str> {
        K::SORTED_BY.get(column).copied()
    }

    fn set_sort(&mut self, next: NextSort<'_>) {
        self.sort = next(self.sort, K::SORTED_BY.len());
    }

    fn wraps(&self) -> bool {
        K::WRAPS
    }
}
