//! An event as a line: when, where and what.

use super::pen::Pen;
use super::severity;
use crate::app::App;
use crate::fleet::journal::Entry;
use crate::text;
use crate::tui::Theme;

/// Width of `unhealthy → reconnecting`, in columns.
const WHAT: usize = 24;

/// Width of the longest name, in columns: the same in every line.
pub(crate) fn name_width(app: &App) -> usize {
    app.picture().nodes.names().map(|name| name.as_str().len()).max().unwrap_or(0).clamp(8, 20)
}

/// Draws `14:03:08  ✖ reporting   healthy → unhealthy   connection refused`, without the name if `name` is 0.
pub(crate) fn draw_line(pen: &mut Pen<'_>, line: &Entry, name: usize, app: &App, theme: &Theme) {
    let (sign, style) = severity::sign(line.severity, theme);
    pen.column(&theme.time_of_day(line.at, app.now), 8, theme.dim).gap(2).sign(sign, style).gap(1);
    if name > 0 {
        pen.column(line.node.as_ref().map_or("", |node| node.as_str()), name, style).gap(2);
    }
    // If there is little room, the padding of this column is left for the reason.
    let short = if pen.room() < 3 * WHAT { text::width(&line.what).clamp(WHAT - 6, WHAT) } else { WHAT };
    let what = if line.text.is_empty() { pen.room() } else { short };
    pen.column(&line.what, what, theme.text).gap(2).put(&line.text, theme.dim);
}
