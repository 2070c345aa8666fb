//! What the last frame measured, so that a click and a page key know where things are.

use super::{Action, Pane, Screen};

/// A part of the terminal, in cells from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rect {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Rect {
    pub fn contains(self, x: u16, y: u16) -> bool {
        (self.x..self.x.saturating_add(self.width)).contains(&x)
            && (self.y..self.y.saturating_add(self.height)).contains(&y)
    }
}

/// What the last frame measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    pub width: u16,
    pub height: u16,
    /// The panes that were visible, top to bottom.
    pub panes: Vec<DrawnPane>,
    /// The tabs of the screens.
    pub tabs: Vec<(Rect, Screen)>,
    /// The hints of the key line, which can be clicked.
    pub keys: Vec<(Rect, Action)>,
    /// Fields and buttons of the open form, by [`crate::app::dialogs::form::Form::focus`]; choices of the open confirm dialog
    /// (0 no, 1 yes).
    pub fields: Vec<(Rect, usize)>,
    /// The open help: lines shown, and lines there are.
    pub help: Option<(usize, usize)>,
}

/// One visible pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnPane {
    pub pane: Pane,
    /// With its border.
    pub area: Rect,
    /// Where its rows stand, one a line from row `first` on.
    pub rows: Rect,
    pub first: usize,
    /// How many lines there are to scroll over in a pane of plain lines; rows of a table otherwise.
    pub len: usize,
    /// Where rows take several lines: the row that each line is of.
    pub numbers: Vec<usize>,
    /// The column heads: where each stands, and which column it is.
    pub heads: Vec<(Rect, usize)>,
    /// Of a row shown at length, the column that each line is of.
    pub columns: Vec<Option<usize>>,
    /// There are columns beyond the right edge.
    pub more_right: bool,
}

impl Drawn {
    pub fn pane(&self, pane: Pane) -> Option<&DrawnPane> {
        self.panes.iter().find(|drawn| drawn.pane == pane)
    }

    /// Rows that fit into a pane; a guess before the first frame.
    pub fn page(&self, pane: Pane) -> usize {
        self.pane(pane).map_or(20, |drawn| match (drawn.numbers.first(), drawn.numbers.last()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => usize::from(drawn.rows.height.max(1)),
        })
    }
}
