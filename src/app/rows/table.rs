//! A table of keyed rows: which rows are shown in which order, which one is selected, which are marked.

use std::collections::BTreeSet;

use super::cursor::{Cursor, Move};
use super::filter::{Column, Filter};

/// The column that rows are sorted by. Without a sort they are in their original order (nodes as in the file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The index of the column.
    pub column: usize,
    /// True if the order is reversed.
    pub descending: bool,
}

/// The key of a table's rows, and what it determines about the table.
pub trait Key: Clone + Ord {
    /// The columns that a filter may name.
    fn filtered() -> Vec<Column<'static>>;

    /// The headers of the columns that rows can be sorted by.
    const SORTED_BY: &'static [&'static str] = &[];
    /// The number of columns that scroll; `None` if they do not.
    const SCROLLS: Option<usize> = None;
    /// True if the table can be limited to rows with a problem.
    const HAS_PROBLEMS: bool = false;
    /// True if long text can wrap.
    const WRAPS: bool = false;
    /// True if the newest row comes first: the selection then stays on the first row if it is there, else with its
    /// row.
    const NEWEST_FIRST: bool = false;
}

/// The state of a table whose rows are identified by a key, wherever they move.
#[derive(Debug, Clone)]
pub struct Table<K> {
    /// The keys of the rows shown, in order, after filter and sort.
    pub rows: Vec<K>,
    /// The number of rows without the filter.
    pub total: usize,
    /// The selected row and the first row shown.
    pub cursor: Cursor,
    /// The first column shown beside the fixed one, counted from 0.
    pub column: usize,
    /// The sort; `None` for the original order.
    pub sort: Option<Sort>,
    /// The filter.
    pub filter: Filter,
    /// True if only rows with a problem are shown.
    pub problems_only: bool,
    /// True if the selection stays with its row when rows move; false if it stays at its place.
    pub follow: bool,
    /// The keys of the marked rows.
    pub marks: BTreeSet<K>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            total: 0,
            cursor: Cursor::default(),
            column: 0,
            sort: None,
            filter: Filter::default(),
            problems_only: false,
            follow: false,
            marks: BTreeSet::new(),
        }
    }
}

impl<K: Key> Table<K> {
    /// An empty table whose selection stays with its row.
    pub fn following() -> Self {
        Self { follow: true, ..Self::default() }
    }

    /// The key of the selected row.
    pub fn selected(&self) -> Option<&K> {
        self.rows.get(self.cursor.at)
    }

    /// The number of rows left out by the filter and `!`.
    pub fn hidden(&self) -> usize {
        self.total.saturating_sub(self.rows.len())
    }

    /// True if a filter or `!` may leave out rows.
    pub fn is_filtered(&self) -> bool {
        self.problems_only || !self.filter.is_empty()
    }

    /// Replaces the rows. The selection follows its row; if the row is gone, it stays at its place.
    pub fn set_rows(&mut self, rows: Vec<K>, total: usize, page: usize) {
        let selected = if self.follow { self.selected().cloned() } else { None };
        self.rows = rows;
        self.total = total;
        let at = selected.and_then(|key| self.position(&key)).unwrap_or(self.cursor.at);
        self.select(at, page);
    }

    /// Selects a row by its index.
    pub fn select(&mut self, row: usize, page: usize) {
        self.cursor.select(row, self.rows.len(), page);
        self.hold();
    }

    fn hold(&mut self) {
        if K::NEWEST_FIRST {
            self.follow = self.cursor.at > 0;
        }
    }

    /// The index of the row with this key, if it is shown.
    pub fn position(&self, key: &K) -> Option<usize> {
        self.rows.iter().position(|row| row == key)
    }

    /// Moves the selection.
    pub fn go(&mut self, movement: Move, page: usize) {
        self.cursor.go(movement, self.rows.len(), page);
        self.hold();
    }

    /// Selects the row with this key, if it is shown.
    pub fn select_key(&mut self, key: &K, page: usize) {
        if let Some(at) = self.position(key) {
            self.select(at, page);
        }
    }

    /// Marks the selected row or removes its mark, and selects the next row, so that several rows are marked by
    /// repeating one key.
    pub fn toggle_mark(&mut self, page: usize) {
        let Some(key) = self.selected().cloned() else { return };
        if !self.marks.remove(&key) {
            self.marks.insert(key);
        }
        self.go(Move::Down, page);
    }
}

/// The sort order after pressing `s`: each column in turn, then the original order.
pub fn next_sort(sort: Option<Sort>, columns: usize) -> Option<Sort> {
    let column = sort.map_or(0, |sort| sort.column + 1);
    (column < columns).then_some(Sort { column, descending: false })
}

/// The sort order after moving the sort column left (`<`) or right (`>`). It stops at the ends.
pub fn shift_sort(sort: Option<Sort>, columns: usize, right: bool) -> Option<Sort> {
    let Some(sort) = sort else { return (columns > 0).then_some(Sort { column: 0, descending: false }) };
    let column = if right { (sort.column + 1).min(columns.saturating_sub(1)) } else { sort.column.saturating_sub(1) };
    Some(Sort { column, ..sort })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Key for &str {
        fn filtered() -> Vec<Column<'static>> {
            Vec::new()
        }
    }

    impl Key for i32 {
        fn filtered() -> Vec<Column<'static>> {
            Vec::new()
        }
    }

    #[test]
    fn the_selection_follows_its_row_only_on_request() {
        for (follow, expected) in [(true, "c"), (false, "d")] {
            let mut table = Table { follow, ..Table::default() };
            table.set_rows(vec!["a", "b", "c", "d"], 4, 10);
            table.select_key(&"c", 10);
            table.set_rows(vec!["c", "a", "d"], 4, 10);
            assert_eq!(table.selected(), Some(&expected));
            assert_eq!(table.hidden(), 1);
        }
    }

    #[test]
    fn a_row_that_left_gives_its_place_to_the_next() {
        let mut table = Table::following();
        table.set_rows(vec![1, 2, 3], 3, 10);
        table.select_key(&3, 10);
        table.set_rows(vec![1, 2], 2, 10);
        assert_eq!(table.selected(), Some(&2));
        table.set_rows(Vec::new(), 0, 10);
        assert_eq!(table.selected(), None);
    }

    #[test]
    fn sorting_goes_round_and_ends_in_the_own_order() {
        let mut sort = None;
        let mut seen = Vec::new();
        for _ in 0..4 {
            sort = next_sort(sort, 3);
            seen.push(sort.map(|sort| sort.column));
        }
        assert_eq!(seen, [Some(0), Some(1), Some(2), None]);
        assert_eq!(shift_sort(Some(Sort { column: 2, descending: true }), 3, true).map(|sort| sort.column), Some(2));
        assert_eq!(shift_sort(None, 0, true), None);
    }
}
