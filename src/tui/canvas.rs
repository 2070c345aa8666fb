//! What a screen draws with: the state it reads, the buffer it writes, and what it measured on the way.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::Theme;
use super::widgets::border::Border;
use super::widgets::data_table::{DrawnTable, NO_COLUMN};
use super::widgets::wrapped::Rows;
use crate::app::{self, App, Drawn, DrawnPane, Pane};

pub(crate) struct Canvas<'a> {
    pub(crate) app: &'a App,
    pub(crate) theme: &'a Theme,
    pub(crate) buf: &'a mut Buffer,
    pub(crate) drawn: Drawn,
    /// Where the terminal's cursor stands: only where text is written.
    pub(crate) cursor: Option<Position>,
}

impl Canvas<'_> {
    /// Whether this pane takes the keys now.
    pub(crate) fn is_focused(&self, pane: Pane) -> bool {
        self.app.pane == pane && self.app.dialog.is_none()
    }

    /// Frames a pane and remembers it; returns the inside.
    pub(crate) fn pane(&mut self, pane: Pane, area: Rect, border: Border<'_>) -> Rect {
        let focused = self.is_focused(pane);
        let inner = Border { focused, ..border }.draw(self.buf, area, self.theme);
        self.drawn.panes.push(DrawnPane {
            pane,
            area: to_app(area),
            rows: to_app(inner),
            first: 0,
            len: 0,
            numbers: Vec::new(),
            heads: Vec::new(),
            columns: Vec::new(),
            more_right: false,
        });
        inner
    }

    /// Notes where the rows of the pane framed last are, for the mouse and the page keys: `shown` out of `len`.
    pub(crate) fn note_rows(&mut self, rows: Rect, shown: &Rows, len: usize) {
        if let Some(pane) = self.last_pane() {
            pane.rows = to_app(rows);
            pane.first = shown.window.start;
            pane.numbers = shown.numbers();
            pane.len = len;
        }
    }

    /// Notes where the rows and the heads of a table in the pane framed last are.
    pub(crate) fn note_table(&mut self, table: DrawnTable, shown: &Rows, len: usize) {
        self.note_rows(table.rows, shown, len);
        if let Some(pane) = self.last_pane() {
            pane.more_right = table.more_right;
            let heads = table.heads.into_iter().filter(|(_, index)| *index != NO_COLUMN);
            pane.heads = heads.map(|(area, index)| (to_app(area), index)).collect();
        }
    }

    /// What was drawn into the pane framed last.
    pub(crate) fn last_pane(&mut self) -> Option<&mut DrawnPane> {
        self.drawn.panes.last_mut()
    }
}

pub(crate) fn to_app(area: Rect) -> app::Rect {
    app::Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}
