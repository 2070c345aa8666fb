//! A table of any size. Only visible rows and columns are processed, and cells are written straight into the buffer, so
//! that 100,000 rows cost as much as one page. The first column stays while the others scroll.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::borrow::Cow;

use super::pen::Pen;
use super::wrapped::Rows;
use crate::tui::Theme;

/// Width of the cursor and the mark before a row, in columns.
pub(crate) const GUTTER: u16 = 2;

/// Width of the gap between two columns that scroll.
pub(crate) const GAP: u16 = 2;

/// The index reported for a head without a data column: a click on it does not sort.
pub(crate) const NO_COLUMN: usize = usize::MAX;

/// A column with the widths that it wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    /// Precedes the title.
    pub(crate) prefix: &'static str,
    pub(crate) title: &'a str,
    /// Its number for sorting and clicks.
    pub(crate) index: usize,
    pub(crate) min: u16,
    pub(crate) max: u16,
    pub(crate) right: bool,
    /// In a table that does not scroll, columns with the highest value are left out first; 0 is never left out.
    pub(crate) importance: u8,
}

/// A column with its place on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its index among the given columns.
    pub(crate) nth: usize,
    pub(crate) x: u16,
    pub(crate) width: u16,
}

/// Leaves out the least important columns until the rest fits `area`, then widens the rest from left to right. The
/// result depends only on the widths, so that columns do not move from frame to frame.
pub(crate) fn place_by_importance(columns: &[Column<'_>], area: Rect) -> Vec<Placed> {
    let room = area.width.saturating_sub(GUTTER);
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let width = |nth: &usize, of: fn(&Column<'_>) -> u16| columns.get(*nth).map_or(0, of);
    let total = |kept: &[usize], gap: u16| {
        kept.iter().map(|nth| width(nth, |column| column.min) + gap).sum::<u16>().saturating_sub(gap)
    };
    while kept.len() > 1 && total(&kept, 1) > room {
        let least = kept.iter().copied().max_by_key(|&nth| columns.get(nth).map_or(0, |column| column.importance));
        kept.retain(|&nth| Some(nth) != least);
    }
    let gap = if total(&kept, 2) <= room { 2 } else { 1 };
    let mut spare = room.saturating_sub(total(&kept, gap));
    let mut x = area.x + GUTTER.min(area.width);
    let mut placed = Vec::with_capacity(kept.len());
    for nth in kept {
        let Some(column) = columns.get(nth) else { continue };
        let more = column.max.saturating_sub(column.min).min(spare);
        spare -= more;
        let width = (column.min + more).min(area.right().saturating_sub(x));
        placed.push(Placed { nth, x, width });
        x = (x + width + gap).min(area.right());
    }
    placed
}

/// The `fixed` columns, then as many as fit, beginning with the `first` of the others; and true if there are more to
/// the right.
pub(crate) fn place_scrolled(columns: &[Column<'_>], fixed: usize, first: usize, area: Rect) -> (Vec<Placed>, bool) {
    let mut x = area.x + GUTTER.min(area.width);
    let mut placed = Vec::new();
    let first = fixed + first.min(columns.len().saturating_sub(fixed + 1));
    for (nth, column) in columns.iter().enumerate().filter(|(nth, _)| *nth < fixed || *nth >= first) {
        let room = area.right().saturating_sub(x);
        let width = column.max.min(room);
        // A few characters of a column, or part of a number, tell nothing, so such a column is left out unless it is
        // the only one.
        if room == 0 || (width < column.max && (width < 8 || column.right) && placed.len() > fixed) {
            return (placed, true);
        }
        placed.push(Placed { nth, x, width });
        if width < column.max {
            return (placed, true);
        }
        x = x.saturating_add(width + GAP).min(area.right());
    }
    (placed, false)
}

/// The column that a table is sorted by, and the direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) index: usize,
    pub(crate) descending: bool,
}

/// A table to be drawn.
#[derive(Debug)]
pub(crate) struct DataTable<'a> {
    pub(crate) columns: &'a [Column<'a>],
    pub(crate) placed: &'a [Placed],
    pub(crate) order: Option<Order>,
    /// The rows to show.
    pub(crate) shown: &'a Rows,
    pub(crate) selected: Option<usize>,
    pub(crate) focused: bool,
    /// True if columns are hidden to the left, and to the right.
    pub(crate) more: (bool, bool),
}

/// Where the parts of a table are on the screen.
#[derive(Debug)]
pub(crate) struct DrawnTable {
    pub(crate) rows: Rect,
    pub(crate) heads: Vec<(Rect, usize)>,
    /// True if columns are hidden to the right.
    pub(crate) more_right: bool,
}

impl DataTable<'_> {
    /// Draws the heads and then each visible row by calling `row` with the buffer, the row's area and its number.
    pub(crate) fn draw(
        &self,
        buf: &mut Buffer,
        area: Rect,
        theme: &Theme,
        mut row: impl FnMut(&mut Buffer, Rect, usize),
    ) -> DrawnTable {
        let heads = self.heads(buf, area, theme);
        let rows = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
        for (number, line) in self.shown.areas(rows) {
            let selected = self.selected == Some(number);
            if selected && self.focused {
                Pen::new(buf, line).put("▸", theme.accent_bold);
            }
            row(buf, line, number);
            if selected {
                select(buf, line, self.focused, theme);
            }
        }
        DrawnTable { rows, heads, more_right: self.more.1 }
    }

    fn heads(&self, buf: &mut Buffer, area: Rect, theme: &Theme) -> Vec<(Rect, usize)> {
        let mut heads = Vec::with_capacity(self.placed.len());
        for placed in self.placed {
            let Some(column) = self.columns.get(placed.nth) else { continue };
            let cell = Rect { x: placed.x, width: placed.width, height: area.height.min(1), ..area };
            let order = self.order.filter(|order| order.index == column.index);
            let style = if order.is_some() { theme.accent } else { theme.dim };
            let arrow = order.map_or("", |order| if order.descending { " ▼" } else { " ▲" });
            let width = usize::from(placed.width);
            let title = width.saturating_sub(arrow.chars().count());
            let mut pen = Pen::new(buf, cell);
            let said = if column.prefix.is_empty() {
                Cow::Borrowed(column.title)
            } else {
                Cow::Owned([column.prefix, column.title].concat())
            };
            if column.right {
                pen.column_right(&said, title, style).put(arrow, style);
            } else {
                pen.put(&crate::text::fit(&said, title), style).put(arrow, style);
            }
            heads.push((cell, column.index));
        }
        let (left, right) = self.more;
        if left && let Some(second) = self.placed.get(1) {
            Pen::new(buf, Rect { x: second.x.saturating_sub(1), width: 1, ..area }).put("‹", theme.accent_bold);
        }
        if right {
            Pen::new(buf, Rect { x: area.right().saturating_sub(1), width: 1, ..area }).put("›", theme.accent_bold);
        }
        heads
    }
}

/// Applies the selection to a finished row.
pub(crate) fn select(buf: &mut Buffer, line: Rect, focused: bool, theme: &Theme) {
    let style = if focused { theme.selection } else { theme.selection_idle };
    let style = if focused && theme.selection_is_reversed() {
        // The bar has one colour: the row's own colours would be coloured blocks, and its dim parts unreadable.
        style.fg(Color::Reset).bg(Color::Reset).remove_modifier(Modifier::DIM)
    } else {
        style
    };
    buf.set_style(line, style);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(min: u16, max: u16, importance: u8) -> Column<'static> {
        Column { prefix: "", title: "COLUMN", index: 0, min, max, right: false, importance }
    }

    #[test]
    fn the_least_important_column_is_dropped_first_and_the_first_one_never() {
        let columns = [column(8, 12, 0), column(6, 6, 2), column(6, 20, 1)];
        let nths = |width| -> Vec<_> {
            place_by_importance(&columns, Rect::new(0, 0, width, 1)).iter().map(|p| (p.nth, p.width)).collect()
        };
        assert_eq!(nths(60), [(0, 12), (1, 6), (2, 20)]);
        assert_eq!(nths(30), [(0, 12), (1, 6), (2, 6)]);
        assert_eq!(nths(20), [(0, 10), (2, 6)]);
        assert_eq!(nths(12), [(0, 10)]);
        assert_eq!(nths(5), [(0, 3)]);
    }

    #[test]
    fn the_first_column_stays_while_the_others_scroll() {
        let columns = [column(4, 4, 0), column(4, 10, 0), column(4, 10, 0), column(4, 10, 0)];
        let placed = |first| {
            let (placed, more) = place_scrolled(&columns, 1, first, Rect::new(0, 0, 30, 1));
            (placed.iter().map(|p| p.nth).collect::<Vec<_>>(), more)
        };
        assert_eq!(placed(0), (vec![0, 1, 2], true));
        assert_eq!(placed(1), (vec![0, 2, 3], false));
        assert_eq!(placed(9), (vec![0, 3], false));
    }

    proptest! {
        #[test]
        fn columns_stay_inside(
            widths in proptest::collection::vec((0u16..20, 0u16..40, 0u8..9), 0..12), width in 0u16..200, first in 0usize..14,
        ) {
            let columns: Vec<_> = widths.iter().map(|&(min, more, importance)| column(min, min + more, importance)).collect();
            let area = Rect::new(3, 0, width, 1);
            for placed in place_by_importance(&columns, area).iter().chain(&place_scrolled(&columns, 1, first, area).0) {
                prop_assert!(placed.x + placed.width <= area.right());
            }
        }
    }
}
