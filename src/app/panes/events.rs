//! The journal as a list, and what its filter sees.

use std::borrow::Cow;

use crate::app::rows::filter::{Column, Fields};
use crate::app::rows::table::Key;
use crate::fleet::journal::Entry;

/// An entry is identified by its number.
impl Key for u64 {
    fn filtered() -> Vec<Column<'static>> {
        vec![Column::text("node"), Column::text("what"), Column::text("text"), Column::text("severity")]
    }

    const SCROLLS: Option<usize> = Some(usize::MAX);
    const HAS_PROBLEMS: bool = true;
    const WRAPS: bool = true;
    const NEWEST_FIRST: bool = true;
}

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
