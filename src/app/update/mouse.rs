//! The mouse: clicks and the wheel, by what the last frame measured.

use crate::app::rows::cursor::Move;
use crate::app::{App, Dialog, DrawnPane, Effect, Mouse, MouseKind, Rect};

/// The number of rows that one notch of the wheel moves.
const NOTCH: usize = 3;

impl App {
    /// Handles the mouse: a click selects what is under the pointer, the wheel scrolls the pane under it.
    pub(in crate::app) fn click(&mut self, mouse: Mouse) -> Vec<Effect> {
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
            Some(Dialog::Form(form)) if at == crate::app::Form::BUTTON => {
                form.focus = at;
                return self.accept();
            }
            Some(Dialog::Form(form)) => form.focus = at,
            Some(Dialog::Help(_) | Dialog::Columns(_)) | None => {}
        }
        Vec::new()
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

    /// The pane under the pointer; `None` if the measured frame showed another screen.
    fn pane_at(&self, x: u16, y: u16) -> Option<DrawnPane> {
        let panes = self.screen.panes();
        self.drawn.panes.iter().find(|drawn| drawn.area.contains(x, y) && panes.contains(&drawn.pane)).cloned()
    }
}

fn found<T: Copy>(places: &[(Rect, T)], x: u16, y: u16) -> Option<T> {
    places.iter().find(|(rect, _)| rect.contains(x, y)).map(|(_, what)| *what)
}
