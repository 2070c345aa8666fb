//! What a screen draws with: the state that it reads, the buffer that it writes, and what it measures while drawing.

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
    /// The position of the terminal's cursor; `None` where no text is being edited.
    pub(crate) cursor: Option<Position>,
}

impl Canvas<'_> {
    /// True if this pane has the focus.
    pub(crate) fn is_focused(&self, pane: Pane) -> bool {
        self.app.pane == pane && self.app.dialog.is_none()
    }

    /// Draws the border of a pane and records the pane; returns its inside.
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

    /// Records where the rows of the last pane are, for the mouse and the page keys: `shown` of `len`.
    pub(crate) fn note_rows(&mut self, rows: Rect, shown: &Rows, len: usize) {
        if let Some(pane) = self.last_pane() {
            pane.rows = to_app(rows);
            pane.first = shown.window.start;
            pane.numbers = shown.numbers();
            pane.len = len;
        }
    }

    /// Records where the rows and column heads of a table in the last pane are.
    pub(crate) fn note_table(&mut self, table: DrawnTable, shown: &Rows, len: usize) {
        self.note_rows(table.rows, shown, len);
        if let Some(pane) = self.last_pane() {
            pane.more_right = table.more_right;
            let heads = table.heads.into_iter().filter(|(_, index)| *index != NO_COLUMN);
            pane.heads = heads.map(|(area, index)| (to_app(area), index)).collect();
        }
    }

    /// The pane that was framed last.
    pub(crate) fn last_pane(&mut self) -> Option<&mut DrawnPane> {
        self.drawn.panes.last_mut()
    }
}

pub(crate) fn to_app(area: Rect) -> app::Rect {
    app::Rect { x: area.x, y: area.y, width: area.width, height: area.height }
}
