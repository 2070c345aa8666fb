//! Lines of mixed pieces that scroll, for panes of labels and values.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::meter::meter;
use super::pen::Pen;
use super::spark::{Bar, spark};
use crate::tui::Theme;

#[derive(Debug)]
enum Piece {
    Text(Cow<'static, str>, Style),
    /// One of our own signs, repeated.
    Signs(&'static str, usize, Style),
    /// Moves to this column of the line.
    At(usize),
    Meter(f64, usize, Style),
    Spark(Vec<Bar>, usize),
}

/// One line, built from left to right.
#[derive(Debug, Default)]
pub(crate) struct DocLine(Vec<Piece>);

impl DocLine {
    pub(crate) fn text(mut self, text: impl Into<Cow<'static, str>>, style: Style) -> Self {
        self.0.push(Piece::Text(text.into(), style));
        self
    }

    pub(crate) fn sign(mut self, sign: &'static str, style: Style) -> Self {
        match self.0.last_mut() {
            Some(Piece::Signs(last, times, same)) if *last == sign && *same == style => *times += 1,
            _ => self.0.push(Piece::Signs(sign, 1, style)),
        }
        self
    }

    pub(crate) fn at(mut self, column: usize) -> Self {
        self.0.push(Piece::At(column));
        self
    }

    pub(crate) fn meter(mut self, share: f64, cells: usize, style: Style) -> Self {
        self.0.push(Piece::Meter(share, cells, style));
        self
    }

    pub(crate) fn spark(mut self, bars: Vec<Bar>, cells: usize) -> Self {
        self.0.push(Piece::Spark(bars, cells));
        self
    }

    /// Its text, with a blank between pieces in separate columns.
    pub(crate) fn plain(&self) -> String {
        let mut plain = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text, _) => plain.push_str(text),
                Piece::At(_) if !plain.is_empty() => plain.push(' '),
                Piece::At(_) | Piece::Signs(..) | Piece::Meter(..) | Piece::Spark(..) => {}
            }
        }
        plain
    }

    fn draw(&self, pen: &mut Pen<'_>, theme: &Theme) {
        let start = pen.x();
        for piece in &self.0 {
            match piece {
                Piece::Text(text, style) => {
                    pen.put(text, *style);
                }
                Piece::Signs(sign, times, style) => {
                    for _ in 0..*times {
                        pen.sign(sign, *style);
                    }
                }
                Piece::At(column) => {
                    pen.to(start.saturating_add(*column as u16));
                }
                Piece::Meter(share, cells, style) => meter(pen, *share, *cells, *style, theme),
                Piece::Spark(bars, cells) => spark(pen, bars.iter().copied(), *cells),
            }
        }
    }
}

/// Draws the lines from `first` on, and returns their number.
pub(crate) fn draw_lines(buf: &mut Buffer, area: Rect, lines: &[DocLine], first: usize, theme: &Theme) -> usize {
    for (row, line) in (0..area.height).zip(lines.iter().skip(first)) {
        line.draw(&mut Pen::row(buf, area, row), theme);
    }
    lines.len()
}
