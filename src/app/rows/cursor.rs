//! A place in a list of rows, and how keys move it. It knows rows only by index; what they are is up to the list.

use std::ops::Range;

/// The selected row and the first row shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The index of the selected row.
    pub at: usize,
    /// The index of the first row shown.
    pub offset: usize,
}

/// A movement that a key triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
}

impl Cursor {
    /// Moves the selection among `len` rows, of which `page` fit on the screen, and keeps it visible.
    pub fn go(&mut self, movement: Move, len: usize, page: usize) {
        let page = page.max(1);
        let at = match movement {
            Move::Up => self.at.saturating_sub(1),
            Move::Down => self.at.saturating_add(1),
            Move::First => 0,
            Move::Last => usize::MAX,
            Move::PageUp => self.at.saturating_sub(page),
            Move::PageDown => self.at.saturating_add(page),
            Move::HalfUp => self.at.saturating_sub(page.div_ceil(2)),
            Move::HalfDown => self.at.saturating_add(page.div_ceil(2)),
        };
        self.select(at, len, page);
    }

    /// Selects a row, or the last one if there are fewer, and keeps it visible.
    pub fn select(&mut self, at: usize, len: usize, page: usize) {
        self.at = at.min(len.saturating_sub(1));
        self.offset = self.window(len, page).start;
    }

    /// Scrolls plain lines, of which none is selected: only `offset` is used.
    pub fn scroll(&mut self, movement: Move, len: usize, page: usize) {
        let mut by_line = Self { at: self.offset, offset: self.offset };
        by_line.go(movement, len, page);
        self.offset = by_line.at.min(len.saturating_sub(page));
        self.at = self.offset;
    }

    /// The rows to show if `page` of them fit. The selected row is among them, and the page is full if there are
    /// enough rows.
    pub fn window(&self, len: usize, page: usize) -> Range<usize> {
        let page = page.max(1);
        let at = self.at.min(len.saturating_sub(1));
        let lowest = (at + 1).saturating_sub(page);
        let start = self.offset.clamp(lowest, at).min(len.saturating_sub(page));
        start..len.min(start + page)
    }

    /// The same for rows of several lines each: as many rows as fit into `lines`. The selected row is always among
    /// them.
    pub fn window_of(&self, len: usize, lines: usize, height: impl Fn(usize) -> usize) -> Range<usize> {
        if len == 0 {
            return 0..0;
        }
        let at = self.at.min(len - 1);
        let mut used = height(at);
        let (mut start, mut end) = (at, at + 1);
        let grow_up = |start: &mut usize, used: &mut usize, least: usize| {
            while let Some(above) = start.checked_sub(1).filter(|above| *above >= least) {
                let more = height(above);
                if *used + more > lines {
                    return;
                }
                (*start, *used) = (above, *used + more);
            }
        };
        grow_up(&mut start, &mut used, self.offset.min(at));
        while end < len {
            let more = height(end);
            if used + more > lines {
                return start..end;
            }
            (end, used) = (end + 1, used + more);
        }
        // No page is half empty if there are rows above to fill it.
        grow_up(&mut start, &mut used, 0);
        start..end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn movements_stay_inside_and_in_sight() {
        let cases = [
            (Move::Down, 0, 10, 4, 1, 0),
            (Move::Up, 0, 10, 4, 0, 0),
            (Move::Last, 0, 10, 4, 9, 6),
            (Move::PageDown, 0, 10, 4, 4, 1),
            (Move::HalfDown, 9, 10, 4, 9, 6),
            (Move::PageUp, 9, 10, 4, 5, 5),
            (Move::Down, 0, 0, 4, 0, 0),
        ];
        for (movement, at, len, page, expected, offset) in cases {
            let mut cursor = Cursor::default();
            cursor.select(at, len, page);
            cursor.go(movement, len, page);
            assert_eq!((cursor.at, cursor.offset), (expected, offset), "{movement:?} from {at} of {len}");
        }
    }

    #[test]
    fn plain_lines_scroll_until_the_last_page_is_full() {
        let mut cursor = Cursor::default();
        cursor.scroll(Move::Last, 10, 4);
        assert_eq!(cursor.offset, 6);
        cursor.scroll(Move::Down, 10, 4);
        assert_eq!(cursor.offset, 6);
        cursor.scroll(Move::Up, 10, 4);
        assert_eq!(cursor.offset, 5);
        cursor.scroll(Move::Down, 3, 4);
        assert_eq!(cursor.offset, 0);
    }

    proptest! {
        #[test]
        fn rows_of_many_lines_fit_and_the_selected_one_is_shown(
            heights in proptest::collection::vec(1..6usize, 1..40), at in 0..50usize, offset in 0..50usize, lines in 6..30usize,
        ) {
            let cursor = Cursor { at, offset };
            let len = heights.len();
            let window = cursor.window_of(len, lines, |row| heights[row]);
            prop_assert!(window.contains(&at.min(len - 1)));
            let used = heights[window.clone()].iter().sum::<usize>();
            prop_assert!(used <= lines);
            let fits = |row: Option<usize>| row.and_then(|row| heights.get(row)).is_some_and(|more| used + more <= lines);
            prop_assert!(!fits(Some(window.end)), "there is room below");
            prop_assert!(window.end < len || !fits(window.start.checked_sub(1)), "there is room above");
        }

        #[test]
        fn the_window_always_holds_the_selected_row(at in 0..300usize, offset in 0..300usize, len in 0..200usize, page in 0..50usize) {
            let cursor = Cursor { at, offset };
            let window = cursor.window(len, page);
            prop_assert!(window.end <= len);
            if len > 0 {
                prop_assert!(window.contains(&at.min(len - 1)));
                prop_assert_eq!(window.len(), len.min(page.max(1)));
            }
        }
    }
}
