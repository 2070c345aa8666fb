//! A dialog: a box in the middle of a screen that stays readable around it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::border::Border;
use super::pen::uncover;
use crate::tui::Theme;

/// Clears a box of at most this size in the middle of `area` and draws its border; returns the inside.
pub(crate) fn dialog(
    buf: &mut Buffer,
    area: Rect,
    (width, height): (u16, u16),
    border: Border<'_>,
    theme: &Theme,
) -> (Rect, Rect) {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
        .intersection(buf.area);
    for y in outer.y..outer.bottom() {
        uncover(buf, outer.x, y);
    }
    Clear.render(outer, buf);
    buf.set_style(outer, theme.base);
    (outer, Border { focused: true, ..border }.draw(buf, outer, theme))
}
