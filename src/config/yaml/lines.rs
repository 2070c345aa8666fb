//! Converts the offset of a byte to a line and a column.

use std::cell::Cell;

use crate::config::diagnostic::Position;

/// The lines of a text.
pub(super) struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
    /// The byte that was asked for last, and its column. Counting goes on from there, as values are asked for in the
    /// order of the text and a line may have megabytes.
    last: Cell<(usize, usize)>,
}

impl<'text> Lines<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, last: Cell::new((0, 1)) }
    }

    pub(super) fn position(&self, byte: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let (known, column) = self.last.get();
        let (from, column) = if (start..=byte).contains(&known) { (known, column) } else { (start, 1) };
        let column = column + self.text.get(from..byte).map_or(0, |between| between.chars().count());
        self.last.set((byte, column));
        Position { line, column }
    }
}
