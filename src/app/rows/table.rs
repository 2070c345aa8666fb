//! A table of keyed rows: which are shown in which order, which is selected, which are marked.

use std::collections::BTreeSet;

use super::cursor::{Cursor, Move};
use super::filter::{Column, Filter};

/// By which column rows are sorted; without one they stand in their own order (nodes as in the file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub column: usize,
    pub descending: bool,
}

/// What the rows of a table are known by, and what that makes of the table.
pub trait Key: Clone + Ord {
    /// The columns that a filter may name.
    fn filtered() -> Vec<Column<'static>>;

    /// The heads of the columns that rows can be sorted by.
    const SORTED_BY: &'static [&'static str] = &[];
    /// How many columns can be scrolled, if they scroll.
    const SCROLLS: Option<usize> = None;
    /// Whether only rows with a problem can be shown.
    const HAS_PROBLEMS: bool = false;
    /// Whether long text can wrap.
    const WRAPS: bool = false;
    /// The newest row comes first: at the top it stays selected, below it the selected row does.
    const NEWEST_FIRST: bool = false;
}

/// State of a table whose rows are known by a key that outlives their place.
#[derive(Debug, Clone)]
pub struct Table<K> {
    /// The keys shown, in order: after filter and sort.
    pub rows: Vec<K>,
    /// Rows there are without the filter.
    pub total: usize,
    pub cursor: Cursor,
    /// First column shown beside the fixed first one, counted from 0.
    pub column: usize,
    pub sort: Option<Sort>,
    pub filter: Filter,
    /// Only rows with a problem.
    pub problems_only: bool,
    /// The selection stays with its row when rows move; else it stays at its place.
    pub follow: bool,
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

    pub fn selected(&self) -> Option<&K> {
        self.rows.get(self.cursor.at)
    }

    /// Rows left out by filter and `!`.
    pub fn hidden(&self) -> usize {
        self.total.saturating_sub(self.rows.len())
    }

    pub fn is_filtered(&self) -> bool {
        self.problems_only || !self.filter.is_empty()
    }

    /// Puts new rows in; the selection follows its row, or stays at its place where the row is gone.
    pub fn set_rows(&mut self, rows: Vec<K>, total: usize, page: usize) {
        let selected = if self.follow { self.selected().cloned() } else { None };
        self.rows = rows;
        self.total = total;
        let at = selected.and_then(|key| self.position(&key)).unwrap_or(self.cursor.at);
        self.select(at, page);
    }

    /// Puts the cursor on a row.
    pub fn select(&mut self, row: usize, page: usize) {
        self.cursor.select(row, self.rows.len(), page);
        self.hold();
    }

    fn hold(&mut self) {
        if K::NEWEST_FIRST {
            self.follow = self.cursor.at > 0;
        }
    }

    pub fn position(&self, key: &K) -> Option<usize> {
        self.rows.iter().position(|row| row == key)
    }

    pub fn go(&mut self, movement: Move, page: usize) {
        self.cursor.go(movement, self.rows.len(), page);
        self.hold();
    }

    /// Selects the row of that key, if it is shown.
    pub fn select_key(&mut self, key: &K, page: usize) {
        if let Some(at) = self.position(key) {
            self.select(at, page);
        }
    }

    /// Marks the selected row, or takes its mark away, and goes one down, so that marking a run is one key.
    pub fn toggle_mark(&mut self, page: usize) {
        let Some(key) = self.selected().cloned() else { return };
        if !self.marks.remove(&key) {
            self.marks.insert(key);
        }
        self.go(Move::Down, page);
    }
}

/// The next sort of `s`: through the columns, then back to the rows' own order.
pub fn next_sort(sort: Option<Sort>, columns: usize) -> Option<Sort> {
    let column = sort.map_or(0, |sort| sort.column + 1);
    (column < columns).then_some(Sort { column, descending: false })
}

/// The sort column moved left (`<`) or right (`>`), staying at the ends.
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
    fn the_selection_follows_its_row_only_when_told() {
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
