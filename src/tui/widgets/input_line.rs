//! A line of text that is being edited, scrolled so that the cursor is always visible.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

use super::pen::Pen;
use crate::text;

/// Draws `text` in the first row of `area`; `cursor` is a byte offset. Returns the position of the cursor.
pub(crate) fn input_line(buf: &mut Buffer, area: Rect, text: &str, cursor: usize, style: Style) -> Position {
    let room = usize::from(area.width);
    let (before, after) = text.split_at_checked(cursor.min(text.len())).unwrap_or((text, ""));
    let before = text::safe(before);
    // One column is needed for the cursor itself.
    let mut too_much = (text::width(&before) + 1).saturating_sub(room);
    let mut shown = before.as_ref();
    for grapheme in before.graphemes(true) {
        if too_much == 0 {
            break;
        }
        too_much = too_much.saturating_sub(text::width(grapheme));
        shown = shown.get(grapheme.len()..).unwrap_or("");
    }
    let mut pen = Pen::new(buf, area);
    pen.put(shown, style);
    let x = pen.x().min(area.right().saturating_sub(1));
    pen.put(after, style);
    Position { x, y: area.y }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str, cursor: usize) -> (Buffer, u16) {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        let at = input_line(&mut buf, Rect::new(0, 0, 6, 1), text, cursor, Style::new());
        (buf, at.x)
    }

    #[test]
    fn the_cursor_stays_visible() {
        assert_eq!(drawn("abc", 1), (Buffer::with_lines(["abc   "]), 1));
        assert_eq!(drawn("abcdefgh", 8), (Buffer::with_lines(["defgh "]), 5));
        assert_eq!(drawn("abcdefgh", 0), (Buffer::with_lines(["abcde…"]), 0));
        assert_eq!(drawn("\x1b", 1), (Buffer::with_lines(["\\x1b  "]), 4));
        assert_eq!(drawn("é", 1).1, 1, "a place inside a character is no place");
    }
}
