//! What the filter of the journal sees.

use std::borrow::Cow;

use crate::app::rows::filter::{Column, Fields};
use crate::fleet::journal::Entry;

/// What a filter may name in an entry.
pub(in crate::app) const COLUMNS: [Column<'static>; 4] =
    [Column::text("node"), Column::text("what"), Column::text("text"), Column::text("severity")];

impl Fields for Entry {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..3
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        Cow::Borrowed(match column {
            0 => self.node.as_ref().map_or("", |node| node.as_str()),
            1 => &self.what,
            2 => &self.text,
            _ => self.severity.as_str(),
        })
    }
}
