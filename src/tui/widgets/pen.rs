//! A pen that writes one row from left to right and never past its end. All text on the screen goes through it, so
//! what a server sent is made safe here and nowhere else.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::text;

#[derive(Debug)]
pub(crate) struct Pen<'b> {
    buf: &'b mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl<'b> Pen<'b> {
    /// Writes the first row of `area`; nothing at all where that is outside the buffer.
    pub(crate) fn new(buf: &'b mut Buffer, area: Rect) -> Self {
        let area = Rect { height: area.height.min(1), ..area }.intersection(buf.area);
        let end = if area.height == 0 { area.x } else { area.right() };
        Self { x: area.x, y: area.y, end, buf }
    }

    /// A pen for the `n`th row of `area`.
    pub(crate) fn row(buf: &'b mut Buffer, area: Rect, n: u16) -> Self {
        if n >= area.height {
            return Self::new(buf, Rect { height: 0, ..area });
        }
        Self::new(buf, Rect { y: area.y.saturating_add(n), height: 1, ..area })
    }

    /// Columns left.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    pub(crate) fn x(&self) -> u16 {
        self.x
    }

    /// Writes as much as there is room for; `…` ends what was cut.
    pub(crate) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        if room > 0 {
            self.write(&text::fit(text, room), style);
        }
        self
    }

    /// One sign of ours, a column wide: nothing of it needs to be looked at.
    pub(crate) fn sign(&mut self, sign: &'static str, style: Style) -> &mut Self {
        if self.room() > 0 {
            uncover(self.buf, self.x, self.y);
            if let Some(cell) = self.buf.cell_mut((self.x, self.y)) {
                cell.set_symbol(sign).set_style(style);
            }
            self.x += 1;
        }
        self
    }

    /// Writes in a column of `columns`, then stands behind it.
    pub(crate) fn column(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let columns = columns.min(self.room());
        let end = self.x + columns as u16;
        self.write(&text::fit(text, columns), style);
        self.x = end;
        self
    }

    /// The same, right-aligned.
    pub(crate) fn column_right(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let columns = columns.min(self.room());
        let end = self.x + columns as u16;
        let text = text::fit(text, columns);
        self.x += columns.saturating_sub(text::width(&text)) as u16;
        self.write(&text, style);
        self.x = end;
        self
    }

    /// Writes a text that fits, a piece a cell.
    fn write(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        uncover(self.buf, self.x, self.y);
        if text.is_ascii() {
            // Most of what is written: a byte is a cell, and nobody has to look where the next letter begins.
            for byte in text.bytes() {
                if let Some(cell) = self.buf.cell_mut((self.x, self.y)) {
                    cell.set_char(char::from(byte)).set_style(style);
                }
                self.x += 1;
            }
            return;
        }
        for (piece, columns) in text::pieces(text) {
            let end = self.x.saturating_add(columns as u16).min(self.end);
            if let Some(cell) = self.buf.cell_mut((self.x, self.y)) {
                cell.set_symbol(piece).set_style(style);
            }
            for x in self.x + 1..end {
                if let Some(cell) = self.buf.cell_mut((x, self.y)) {
                    cell.reset();
                }
            }
            self.x = end;
        }
    }

    pub(crate) fn gap(&mut self, columns: usize) -> &mut Self {
        self.x += columns.min(self.room()) as u16;
        self
    }

    /// Stands at this column of the screen, but never past the end or before where it is.
    pub(crate) fn to(&mut self, x: u16) -> &mut Self {
        self.x = x.clamp(self.x, self.end.max(self.x));
        self
    }

    /// One sign of ours, `times` over.
    pub(crate) fn repeat(&mut self, sign: char, times: usize, style: Style) -> &mut Self {
        if times > 0 && self.room() > 0 {
            uncover(self.buf, self.x, self.y);
        }
        for _ in 0..times.min(self.room()) {
            if let Some(cell) = self.buf.cell_mut((self.x, self.y)) {
                cell.set_char(sign).set_style(style);
            }
            self.x += 1;
        }
        self
    }
}

/// Makes a cell one that is seen: a wide sign that reaches into it from the left, of a picture below, gives way.
pub(crate) fn uncover(buf: &mut Buffer, x: u16, y: u16) {
    let Some(left) = x.checked_sub(1).and_then(|x| buf.cell_mut((x, y))) else { return };
    if text::width(left.symbol()) > 1 {
        left.set_symbol(" ");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier};

    use super::*;

    #[test]
    fn nothing_is_written_past_the_end_or_outside() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        Pen::new(&mut buf, Rect::new(1, 0, 5, 1)).put("ab", Style::new()).gap(1).put("long", Style::new());
        assert_eq!(buf, Buffer::with_lines([" ab l…  "]));
        Pen::new(&mut buf, Rect::new(4, 3, 9, 2)).put("outside", Style::new()).repeat('x', 9, Style::new());
        Pen::row(&mut buf, Rect::new(0, 0, 8, 1), 1).column("outside", 9, Style::new());
        assert_eq!(buf, Buffer::with_lines([" ab l…  "]));
        Pen::new(&mut buf, Rect::new(0, 0, 8, 1)).column_right("1", 3, Style::new()).put("\x1b[2J", Style::new());
        assert_eq!(buf, Buffer::with_lines([" a1\\x1b…"]));
        Pen::new(&mut buf, Rect::new(6, 0, 2, 1))
            .sign("●", Style::new())
            .sign("◐", Style::new())
            .sign("✖", Style::new());
        assert_eq!(buf, Buffer::with_lines([" a1\\x1●◐"]));
    }

    proptest! {
        /// The short way for letters of one byte leaves what ratatui's own way does.
        #[test]
        fn ascii_is_written_as_ratatui_writes_it(text in "[ -~]{0,12}", x in 0_u16..12, columns in 0_usize..12) {
            let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
            let columns = columns.min(usize::from(12 - x));
            let mut ours = Buffer::with_lines(["·◐ä·◐ä·◐ä·◐ä"]);
            let mut theirs = ours.clone();
            Pen::new(&mut ours, Rect::new(x, 0, columns as u16, 1)).put(&text, style);
            theirs.set_stringn(x, 0, text::fit(&text, columns), columns, style);
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn half_of_a_wide_sign_is_none() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        Pen::new(&mut buf, Rect::new(0, 0, 6, 1)).put("日本語", Style::new());
        Pen::new(&mut buf, Rect::new(3, 0, 1, 1)).put("x", Style::new());
        assert_eq!(buf, Buffer::with_lines(["日 x語"]));
    }
}
