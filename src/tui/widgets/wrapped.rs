//! Long text in tables, wrapped (`w`): a row is as high as its longest cell needs.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use crate::app::Cursor;
use crate::text;

/// Characters shown of one text, so that a cell of several megabytes costs no more than a screenful.
const CHARS: usize = 4_000;

/// The visible rows and their heights in lines; 1 if nothing is wrapped.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) window: Range<usize>,
    pub(crate) heights: Vec<u16>,
}

impl Rows {
    /// Rows of one line each.
    pub(crate) fn single(window: Range<usize>) -> Self {
        Self { window, heights: Vec::new() }
    }

    /// The rows around the cursor that fit into `lines`.
    pub(crate) fn of(cursor: &Cursor, len: usize, lines: u16, height: Option<impl Fn(usize) -> u16>) -> Self {
        let Some(height) = height else {
            return Self::single(cursor.window(len, usize::from(lines)));
        };
        let of = |at: usize| usize::from(height(at).clamp(1, lines.max(1)));
        let window = cursor.window_of(len, usize::from(lines), of);
        let heights = window.clone().map(|at| of(at) as u16).collect();
        Self { window, heights }
    }

    /// The rows from top to bottom, each with its part of `area`.
    pub(crate) fn areas(&self, area: Rect) -> impl Iterator<Item = (usize, Rect)> {
        let mut y = area.y;
        self.window.clone().enumerate().map_while(move |(nth, number)| {
            let height = self.heights.get(nth).copied().unwrap_or(1).min(area.bottom().saturating_sub(y));
            let row = Rect { y, height, ..area };
            y += height;
            (height > 0).then_some((number, row))
        })
    }

    /// The number of the row that each line belongs to; empty if every row is one line.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        let rows = self.window.clone().zip(&self.heights);
        rows.flat_map(|(number, height)| std::iter::repeat_n(number, usize::from(*height))).collect()
    }
}

/// The height of a text in lines.
pub(crate) fn height(said: &str, columns: u16) -> u16 {
    lines(said, columns).len().clamp(1, usize::from(u16::MAX)) as u16
}

/// Writes a text on the lines of its area; a text that does not fit ends in `…`.
pub(crate) fn put(buf: &mut Buffer, area: Rect, said: &str, style: Style) {
    if area.height <= 1 {
        Pen::new(buf, area).put(&one_line(said), style);
        return;
    }
    let lines = lines(said, area.width);
    for (row, line) in (0..area.height).zip(&lines) {
        let is_cut = row + 1 == area.height && lines.len() > usize::from(area.height);
        let line = if is_cut { Cow::Owned(format!("{line}…")) } else { Cow::Borrowed(line.as_str()) };
        Pen::row(buf, area, row).put(&line, style);
    }
}

fn lines(said: &str, columns: u16) -> Vec<String> {
    let start = said.char_indices().nth(CHARS).and_then(|(at, _)| said.get(..at)).unwrap_or(said);
    text::wrap(&one_line(start), usize::from(columns))
}

/// Collapses line breaks and runs of blanks, which have no meaning in a cell.
pub(crate) fn one_line(said: &str) -> Cow<'_, str> {
    if said.contains(['\n', '\t', '\r']) || said.contains("  ") {
        // As much as any screen can show.
        Cow::Owned(said.split_whitespace().take(CHARS / 2).collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(said)
    }
}
