//! What is wrong with nodes whose lines are not visible: it stands in the lower border of the table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::border::inside;
use super::pen::Pen;
use crate::text;
use crate::tui::Theme;

/// Writes into the lower border of `area`, left of its foot: the first of the problems, and how many nodes they are of
/// how many. `who` is the node, or how many nodes there are of that problem.
pub(crate) fn put_faults(
    buf: &mut Buffer,
    area: Rect,
    foot: &str,
    (who, message): (&str, &str),
    (failed, of): (usize, usize),
    theme: &Theme,
) {
    let beside = if foot.is_empty() { 0 } else { text::width(foot) as u16 + 4 };
    let inner = inside(area.intersection(buf.area));
    let line =
        Rect { y: area.bottom().saturating_sub(1), height: 1, width: inner.width.saturating_sub(beside), ..inner };
    let count = format!("; {failed} of {of} ");
    let room = usize::from(line.width).saturating_sub(text::width(&count));
    let said = format!(" ✖ {who}: {message}");
    Pen::new(buf, line.intersection(buf.area)).put(&text::fit(&said, room), theme.warn).put(&count, theme.warn);
}
