//! What the last frame measured, so that a click and a page key know where things are.

use super::{Action, Pane, Screen};

/// A part of the terminal, in cells from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rect {
    /// The column of the left edge.
    pub x: u16,
    /// The row of the upper edge.
    pub y: u16,
    /// The width in columns.
    pub width: u16,
    /// The height in rows.
    pub height: u16,
}

impl Rect {
    /// True if the cell lies in this part.
    pub fn contains(self, x: u16, y: u16) -> bool {
        (self.x..self.x.saturating_add(self.width)).contains(&x)
            && (self.y..self.y.saturating_add(self.height)).contains(&y)
    }
}

/// What the last frame measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// The width of the terminal, in columns.
    pub width: u16,
    /// The height of the terminal, in rows.
    pub height: u16,
    /// The visible panes, from top to bottom.
    pub panes: Vec<DrawnPane>,
    /// The tabs of the screens.
    pub tabs: Vec<(Rect, Screen)>,
    /// The hints of the key line, which can be clicked.
    pub keys: Vec<(Rect, Action)>,
    /// The fields and buttons of the open form, by [`crate::app::dialogs::form::Form::focus`]; or the choices of the
    /// open question (0 no, 1 yes).
    pub fields: Vec<(Rect, usize)>,
    /// In the open help: the number of visible lines, and of all lines.
    pub help: Option<(usize, usize)>,
}

/// One visible pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnPane {
    /// Which pane it is.
    pub pane: Pane,
    /// The pane with its border.
    pub area: Rect,
    /// The part with its rows.
    pub rows: Rect,
    /// The first row shown, counted from 0.
    pub first: usize,
    /// The number of lines in a pane of plain lines; the number of rows in a table.
    pub len: usize,
    /// If rows take several lines: for each line the row that it belongs to. Empty otherwise.
    pub numbers: Vec<usize>,
    /// The column headers: the position and the index of each column.
    pub heads: Vec<(Rect, usize)>,
    /// If a row is shown in full: for each line the column that it belongs to.
    pub columns: Vec<Option<usize>>,
    /// True if there are columns beyond the right edge.
    pub more_right: bool,
}

impl Drawn {
    /// What was measured of a pane, if it was visible.
    pub fn pane(&self, pane: Pane) -> Option<&DrawnPane> {
        self.panes.iter().find(|drawn| drawn.pane == pane)
    }

    /// The number of rows that fit into a pane; a guess before the first frame.
    pub fn page(&self, pane: Pane) -> usize {
        self.pane(pane).map_or(20, |drawn| match (drawn.numbers.first(), drawn.numbers.last()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => usize::from(drawn.rows.height.max(1)),
        })
    }
}
