//! Draws the app state, and changes nothing of it. [`draw`] draws a frame, [`Renderer`] makes bytes of it, and
//! [`Terminal`] shows them.

mod ascii;
mod canvas;
mod chrome;
mod clipboard;
pub mod decoder;
mod header;
pub mod input;
pub mod output;
pub mod renderer;
mod screens;
mod statement;
mod tabs;
pub mod terminal;
pub mod theme;
mod widgets;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;

pub use renderer::Renderer;
pub use terminal::{Terminal, TerminalOptions};
pub use theme::{ColorDepth, Theme, ThemeOptions};

use crate::app::{self, App, Dialog, Drawn};
use canvas::Canvas;
use widgets::pen::Pen;

/// Columns and rows of the smallest terminal with room for a dashboard.
const LEAST: (u16, u16) = (80, 24);

/// Draws the state into a blank buffer. Returns where things are, for the mouse and the page keys, and the place of the
/// cursor if text is being edited.
pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) -> (Drawn, Option<Position>) {
    let area = buf.area;
    if [theme.base.fg, theme.base.bg].iter().any(|color| color.is_some_and(|color| color != Color::Reset)) {
        buf.set_style(area, theme.base);
    }
    let drawn = Drawn { width: area.width, height: area.height, ..Drawn::default() };
    let mut canvas = Canvas { app, theme, buf: &mut *buf, drawn, cursor: None };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(&mut canvas, area);
    } else {
        picture(&mut canvas, area);
    }
    let (drawn, cursor) = (canvas.drawn, canvas.cursor);
    if theme.ascii {
        ascii::to_ascii(buf);
    }
    (drawn, cursor)
}

fn picture(canvas: &mut Canvas<'_>, area: Rect) {
    let line = |y: u16| Rect { y, height: 1, ..area };
    let body = Rect { y: area.y + 2, height: area.height - 4, ..area };
    header::draw(canvas, line(area.y));
    tabs::draw(canvas, line(area.y + 1));
    match canvas.app.screen {
        app::Screen::Nodes | app::Screen::Detail if canvas.app.is_empty() => empty(canvas, body),
        app::Screen::Nodes => screens::nodes::draw(canvas, body),
        app::Screen::Detail => screens::node::draw(canvas, body),
        app::Screen::Topology => screens::topology::draw(canvas, body),
        app::Screen::View(screen) => screens::view::draw(canvas, body, screen),
        app::Screen::Query => screens::query::draw(canvas, body),
        app::Screen::Events => screens::events::draw(canvas, body),
        app::Screen::Alerts => screens::alerts::draw(canvas, body),
    }
    match &canvas.app.dialog {
        Some(Dialog::Form(form)) => screens::form::draw(canvas, form_area(canvas.app, body), form),
        Some(Dialog::Confirm(confirm)) => screens::confirm::draw(canvas, body, confirm),
        Some(Dialog::Columns(cursor)) => screens::columns::draw(canvas, body, cursor),
        Some(Dialog::Help(scrolled)) => screens::help::draw(canvas, body, scrolled),
        None => {}
    }
    chrome::event_line(canvas, line(area.bottom() - 2));
    chrome::key_line(canvas, line(area.bottom() - 1));
}

/// Without nodes, the form is above the text on what to write into a file, so that both are visible.
fn form_area(app: &App, body: Rect) -> Rect {
    if app.is_empty() { Rect { height: screens::form::HEIGHT.min(body.height), ..body } } else { body }
}

fn empty(canvas: &mut Canvas<'_>, body: Rect) {
    let form = matches!(canvas.app.dialog, Some(Dialog::Form(_)));
    let above = if form { screens::form::HEIGHT.min(body.height) } else { 1 };
    screens::empty::draw(canvas, Rect { y: body.y + above, height: body.height - above, ..body });
}

/// Shows that there is no room, and still the number of nodes in each state.
fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let counts = app.picture().nodes.counts();
    let buf: &mut Buffer = canvas.buf;
    let mut pen = Pen::row(buf, area, 0);
    let states = header::states(counts, theme).into_iter().filter(|(sign, count, _)| *count > 0 || *sign != "◌");
    for (sign, count, style) in states {
        pen.sign(sign, style).gap(1).put(&count.to_string(), style).gap(2);
    }
    Pen::row(buf, area, 1).put(&format!("pgwatch needs {}x{}", LEAST.0, LEAST.1), theme.text);
    Pen::row(buf, area, 2).put(&format!("this terminal is {}x{}", area.width, area.height), theme.dim);
    Pen::row(buf, area, 3).put("q quits", theme.dim);
}
