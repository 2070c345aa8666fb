//! A pen that writes one row from left to right and never past its end. It makes every text safe before it writes it,
//! even if the caller has done so.

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
    /// A pen for the first row of `area`, which writes nothing outside the buffer.
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

    /// The columns that are left.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    pub(crate) fn x(&self) -> u16 {
        self.x
    }

    /// Writes as much of the text as fits; `…` ends a text that was cut.
    pub(crate) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        if room > 0 {
            self.write(&text::fit(text, room), style);
        }
        self
    }

    /// Writes one of our own signs, one column wide, which needs no checks.
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

    /// Writes a text, cut to `columns`, and moves past all of them.
    pub(crate) fn column(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let columns = columns.min(self.room());
        let end = self.x + columns as u16;
        self.write(&text::fit(text, columns), style);
        self.x = end;
        self
    }

    /// [`Self::column`], right-aligned.
    pub(crate) fn column_right(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let columns = columns.min(self.room());
        let end = self.x + columns as u16;
        let text = text::fit(text, columns);
        self.x += columns.saturating_sub(text::width(&text)) as u16;
        self.write(&text, style);
        self.x = end;
        self
    }

    /// Writes a text that fits, one piece per cell.
    fn write(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        uncover(self.buf, self.x, self.y);
        if text.is_ascii() {
            // The usual case: each byte is a cell, so no grapheme needs to be found.
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

    /// Moves to this column of the screen, but neither back nor past the end.
    pub(crate) fn to(&mut self, x: u16) -> &mut Self {
        self.x = x.clamp(self.x, self.end.max(self.x));
        self
    }

    /// Writes one of our own signs `times` times.
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

/// Makes a cell visible: a wide sign drawn earlier that reaches into it from the left is erased.
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
        /// The fast path for ASCII has the same result as ratatui's own.
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
    fn half_of_a_wide_character_is_left_blank() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        Pen::new(&mut buf, Rect::new(0, 0, 6, 1)).put("日本語", Style::new());
        Pen::new(&mut buf, Rect::new(3, 0, 1, 1)).put("x", Style::new());
        assert_eq!(buf, Buffer::with_lines(["日 x語"]));
    }
}
