//! The mouse, and what drawing measured so that a click and a page key know where things are.

use super::cursor::Move;
use super::{Action, App, Dialog, Effect, Pane, Screen};

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

/// A mouse event, reduced to what the dashboard understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub kind: MouseKind,
    pub x: u16,
    pub y: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Click,
    ScrollUp,
    ScrollDown,
    ScrollLeft,
    ScrollRight,
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
    /// Fields and buttons of the open form, by [`super::form::Form::focus`]; choices of the open confirm dialog
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

/// Rows a notch of the wheel moves.
const NOTCH: usize = 3;

impl App {
    /// A click selects what is under it, the wheel scrolls the pane under it.
    pub(super) fn click(&mut self, mouse: Mouse) -> Vec<Effect> {
        match mouse.kind {
            MouseKind::Click => return self.click_at(mouse.x, mouse.y),
            MouseKind::ScrollUp => self.wheel(mouse, Move::Up),
            MouseKind::ScrollDown => self.wheel(mouse, Move::Down),
            MouseKind::ScrollLeft => self.wheel_sideways(mouse, false),
            MouseKind::ScrollRight => self.wheel_sideways(mouse, true),
        }
        Vec::new()
    }

    fn click_at(&mut self, x: u16, y: u16) -> Vec<Effect> {
        if let Some(action) = found(&self.drawn.keys, x, y) {
            return if self.can(action) { self.perform(action) } else { Vec::new() };
        }
        if self.dialog.is_some() {
            return self.click_in_dialog(x, y);
        }
        if let Some(screen) = found(&self.drawn.tabs, x, y) {
            self.show_from_its_top(screen);
        } else if let Some(drawn) = self.pane_at(x, y) {
            self.focus(drawn.pane);
            if let Some(column) = found(&drawn.heads, x, y) {
                self.sort_column(column);
            } else if drawn.rows.contains(x, y) {
                let line = usize::from(y - drawn.rows.y);
                let row =
                    if drawn.numbers.is_empty() { Some(drawn.first + line) } else { drawn.numbers.get(line).copied() };
                if let Some(row) = row {
                    self.select_row(drawn.pane, row);
                }
            }
        }
        Vec::new()
    }

    fn click_in_dialog(&mut self, x: u16, y: u16) -> Vec<Effect> {
        let Some(at) = found(&self.drawn.fields, x, y) else { return Vec::new() };
        match &mut self.dialog {
            Some(Dialog::Confirm(_)) => return self.answer(at == 1),
            Some(Dialog::Form(form)) if at == super::Form::BUTTON => {
                form.focus = at;
                return self.accept();
            }
            Some(Dialog::Form(form)) => form.focus = at,
            Some(Dialog::Help(_) | Dialog::Columns(_)) | None => {}
        }
        Vec::new()
    }

    fn select_row(&mut self, pane: Pane, row: usize) {
        let height = self.drawn.page(pane);
        match pane {
            Pane::Nodes if row < self.nodes_table.rows.len() => self.changing_node(|app| {
                let len = app.nodes_table.rows.len();
                app.nodes_table.cursor.select(row, len, height);
            }),
            Pane::Result if row < self.query.results.len() => {
                let len = self.query.results.len();
                self.query.results.cursor.select(row, len, height);
            }
            Pane::Events if row < self.events_table.rows.len() => {
                let len = self.events_table.rows.len();
                self.events_table.cursor.select(row, len, height);
                self.hold_event();
            }
            Pane::Topology => {
                self.topology.sought = None;
                let len = self.topology.branches.len();
                self.topology.cursor.select(row, len, height);
            }
            Pane::Alerts => {
                let len = self.alerts.table.rows.len();
                self.alerts.table.cursor.select(row, len, height);
            }
            Pane::View => {
                let lines = self.drawn.pane(pane).map_or(0, |drawn| drawn.len);
                if let Some(sheet) = self.sheet_mut() {
                    match &mut sheet.opened {
                        Some(opened) => opened.cursor.select(row, lines, height),
                        None => sheet.select(row, height),
                    }
                }
            }
            _ => {}
        }
    }

    fn wheel(&mut self, mouse: Mouse, movement: Move) {
        for _ in 0..NOTCH {
            if self.dialog.is_some() {
                self.go(movement);
            } else if let Some(pane) = self.pane_at(mouse.x, mouse.y).map(|drawn| drawn.pane) {
                self.go_in(pane, movement);
            }
        }
    }

    fn wheel_sideways(&mut self, mouse: Mouse, right: bool) {
        if let Some(pane) = self.pane_at(mouse.x, mouse.y).map(|drawn| drawn.pane) {
            self.focus(pane);
            if self.can_scroll(right) {
                self.scroll_columns(right);
            }
        }
    }

    /// The pane under the mouse; none if the frame that measured it was of another screen.
    fn pane_at(&self, x: u16, y: u16) -> Option<DrawnPane> {
        let panes = self.screen.panes();
        self.drawn.panes.iter().find(|drawn| drawn.area.contains(x, y) && panes.contains(&drawn.pane)).cloned()
    }
}

fn found<T: Copy>(places: &[(Rect, T)], x: u16, y: u16) -> Option<T> {
    places.iter().find(|(rect, _)| rect.contains(x, y)).map(|(_, what)| *what)
}
