//! The border of a pane: rounded, with a title, a note at the top right and another at the bottom. Panes are never
//! nested.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use crate::text;
use crate::tui::Theme;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Border<'a> {
    pub(crate) title: &'a str,
    /// What is left out and why. It follows the title, so that it is not overlooked.
    pub(crate) loud: &'a str,
    pub(crate) note: &'a str,
    pub(crate) foot: &'a str,
    pub(crate) focused: bool,
}

/// The area inside a border, without a blank column on each side.
pub(crate) fn inside(area: Rect) -> Rect {
    if area.width < 4 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
}

impl Border<'_> {
    /// Draws the border and returns the area inside it, see [`inside`].
    pub(crate) fn draw(self, buf: &mut Buffer, area: Rect, theme: &Theme) -> Rect {
        let area = area.intersection(buf.area);
        if area.width < 4 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let border = if self.focused { theme.border_focus } else { theme.border };
        outline(buf, area, border);
        let title = if self.focused { theme.accent_bold } else { theme.text };
        let top = Rect { x: area.x + 2, width: area.width - 4, height: 1, ..area };
        let used = label(buf, top, self.title, title);
        let used = used + label(buf, Rect { x: top.x + used, width: top.width - used, ..top }, self.loud, theme.warn);
        let right = Rect { x: top.x + used, width: top.width - used, ..top };
        label_right(buf, right, self.note, theme.dim);
        label_right(buf, Rect { y: area.bottom() - 1, ..top }, self.foot, theme.dim);
        inside(area)
    }
}

/// Draws only the line; cells inside are not touched.
fn outline(buf: &mut Buffer, area: Rect, style: Style) {
    let within = usize::from(area.width - 2);
    let last = area.height - 1;
    Pen::row(buf, area, 0).repeat('╭', 1, style).repeat('─', within, style).repeat('╮', 1, style);
    for row in 1..last {
        Pen::row(buf, area, row).repeat('│', 1, style).gap(within).repeat('│', 1, style);
    }
    Pen::row(buf, area, last).repeat('╰', 1, style).repeat('─', within, style).repeat('╯', 1, style);
}

/// Writes a text into the border with a blank on each side. Returns its width in columns.
fn label(buf: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    if text.is_empty() || area.width < 3 {
        return 0;
    }
    let text = text::fit(text, usize::from(area.width) - 2);
    let mut pen = Pen::new(buf, area);
    pen.repeat(' ', 1, style).put(&text, style).repeat(' ', 1, style);
    pen.x() - area.x
}

fn label_right(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    if text.is_empty() || area.width < 6 {
        return;
    }
    let width = (text::width(&text::fit(text, usize::from(area.width) - 2)) + 2) as u16;
    label(buf, Rect { x: area.right() - width, width, ..area }, text, style);
}
