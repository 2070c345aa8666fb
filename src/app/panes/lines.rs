//! Plain lines without a selection, as on the page of a node.

use super::{Rows, Visible};
use crate::app::rows::cursor::Move;
use crate::app::{Cursor, Filter};
use crate::fleet::Nodes;

/// How far lines are scrolled, and which of them are shown.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    pub cursor: Cursor,
    pub filter: Filter,
}

impl Rows for Lines {
    fn can_move(&self, visible: Visible) -> bool {
        visible.lines > visible.page
    }

    fn cursor(&self) -> Cursor {
        self.cursor
    }

    fn go(&mut self, movement: Move, visible: Visible) {
        self.cursor.scroll(movement, visible.lines, visible.page);
    }

    fn select(&mut self, _row: usize, _visible: Visible) {}

    fn fit(&mut self, _visible: Visible, _first: Option<usize>) {}

    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn set_filter(&mut self, source: &str, _nodes: &Nodes) {
        self.filter = Filter::new(source, &[]);
        self.cursor = Cursor::default();
    }
}
