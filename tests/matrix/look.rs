//! What a person sees in a frame: its lines, the selected one, the header, the foot.

use pgwatch::app::{Msg, update};
use pgwatch::tui::{ColorDepth, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;

use crate::scene::{self, Scene, theme};

pub(crate) struct Look {
    pub(crate) lines: Vec<String>,
    /// The colours of each line.
    styles: Vec<Vec<(Color, Color)>>,
    /// The selected line.
    pub(crate) selected: Option<usize>,
    /// The position of the cursor in a text field.
    cursor: Position,
    /// The key of the screen that is highlighted in the line of tabs.
    pub(crate) tab: Option<char>,
}

fn dark() -> Theme {
    theme("dark", ColorDepth::True)
}

impl Look {
    /// Draws one frame, and reports the measured sizes to the app.
    pub(crate) fn draw(scene: &mut Scene, (width, height): (u16, u16)) -> Self {
        let theme = dark();
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        let _ = update(&mut scene.app, Msg::Frame);
        let (drawn, cursor) = pgwatch::tui::draw(&scene.app, &theme, &mut buf);
        let _ = update(&mut scene.app, Msg::Drawn(drawn));
        Self::of(&buf, cursor.unwrap_or_default(), &theme)
    }

    fn of(buf: &Buffer, cursor: Position, theme: &Theme) -> Self {
        let lines: Vec<String> = scene::text(buf).lines().map(str::to_owned).collect();
        let cells = |y: u16| (0..buf.area.width).map(move |x| &buf[(x, y)]);
        let style = |y: u16| cells(y).map(|cell| (cell.fg, cell.bg)).collect();
        let chosen = |y: &u16| {
            let of_selection = cells(*y).filter(|cell| Some(cell.bg) == theme.selection.bg).count();
            of_selection * 3 > usize::from(buf.area.width)
        };
        let body = 2..buf.area.height - 2;
        let selected = body.clone().find(chosen).map(usize::from);
        let lit = (0..buf.area.width).map(|x| &buf[(x, 1)]).find(|cell| Some(cell.bg) == theme.patch.bg);
        let tab = lit.and_then(|cell| cell.symbol().chars().next());
        Self { lines, styles: (0..buf.area.height).map(style).collect(), selected, cursor, tab }
    }

    /// What a terminal shows. Digits are replaced, as figures change by themselves.
    pub(crate) fn of_terminal(screen: &vt100::Screen) -> Self {
        let theme = dark();
        let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
        let mut buf = Buffer::empty(Rect::new(0, 0, columns, rows));
        for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            let Some(cell) = screen.cell(y, x) else { continue };
            let symbol = if cell.has_contents() { cell.contents() } else { " " };
            buf[(x, y)].set_symbol(symbol).set_fg(color(cell.fgcolor())).set_bg(color(cell.bgcolor()));
        }
        let (y, x) = screen.cursor_position();
        let cursor = if screen.hide_cursor() { Position::ORIGIN } else { Position::new(x, y) };
        let mut look = Self::of(&buf, cursor, &theme);
        for line in &mut look.lines {
            *line = line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
        }
        look
    }

    pub(crate) fn header(&self) -> &str {
        &self.lines[0]
    }

    pub(crate) fn tabs(&self) -> &str {
        &self.lines[1]
    }

    pub(crate) fn body(&self) -> &[String] {
        &self.lines[2..self.lines.len() - 2]
    }

    /// The line above the keys.
    pub(crate) fn foot(&self) -> &str {
        self.lines[self.lines.len() - 2].trim()
    }

    pub(crate) fn keys(&self) -> &str {
        self.lines[self.lines.len() - 1].trim()
    }

    /// The text of the selected row.
    pub(crate) fn row(&self) -> Option<&str> {
        self.lines.get(self.selected?).map(String::as_str)
    }

    /// True if the body shows this.
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.body().iter().any(|line| line.contains(text))
    }

    /// The titles of the body's frames, including the notes beside them.
    pub(crate) fn frames(&self) -> Vec<&str> {
        let frames = self.body().iter().flat_map(|line| line.split('╭').skip(1));
        frames.filter_map(|rest| rest.split_once('╮')).map(|(title, _)| title.trim_matches(['─', ' '])).collect()
    }

    pub(crate) fn has_frame(&self, words: &str) -> bool {
        self.frames().iter().any(|frame| frame.contains(words))
    }

    /// True if the body looks different from before, in words or colours.
    pub(crate) fn differs(&self, before: &Self) -> bool {
        let body = 1..self.lines.len() - 2;
        self.body() != before.body() || self.styles[body.clone()] != before.styles[body] || self.cursor != before.cursor
    }

    /// True if the frame is exactly the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.lines == other.lines && self.styles == other.styles && self.cursor == other.cursor
    }

    /// What the foot says now that it did not say before.
    pub(crate) fn said(&self, before: &Self) -> Option<String> {
        let text = |line: &str| line.trim_start_matches(['·', '•', '●', '◐', '✖', '○', 'ℹ', ' ']).to_owned();
        if self.foot() != before.foot() && !self.foot().is_empty() {
            return Some(text(self.foot()));
        }
        (self.keys() != before.keys() && self.keys().starts_with('✖')).then(|| text(self.keys()))
    }
}

fn color(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
