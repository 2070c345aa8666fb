//! What a view table shows for nodes without rows: an error or a hint, as a line, in full, or in the border.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::views::{NodeNote, ViewTable};
use crate::tui::Theme;
use crate::tui::widgets::data_table::GUTTER;
use crate::tui::widgets::faults::put_faults;
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::wrapped;

fn who(note: &NodeNote) -> String {
    match note.nodes.as_slice() {
        [one] => one.to_string(),
        several => format!("{} nodes", several.len()),
    }
}

/// Writes into the border of the table at `area` the problems of nodes whose notes are not visible.
pub(super) fn put_faults_beyond(
    buf: &mut Buffer,
    area: Rect,
    foot: &str,
    table: &ViewTable,
    window: &Range<usize>,
    theme: &Theme,
) {
    let faults: Vec<&NodeNote> = table.faults_beyond(window).collect();
    let Some(first) = faults.last() else { return };
    let failed = faults.iter().map(|note| note.nodes.len()).sum::<usize>();
    put_faults(buf, area, foot, (&who(first), &first.message), (failed, table.nodes_asked()), theme);
}

/// The full text of a note after its sign, for wrapping.
pub(super) fn whole_note(note: &NodeNote) -> String {
    let hint = note.hint.as_ref().map(|hint| format!(" · {hint}")).unwrap_or_default();
    format!("{}: {}{hint}", who(note), note.message)
}

pub(super) fn put_note(buf: &mut Buffer, line: Rect, note: &NodeNote, theme: &Theme) {
    let who = who(note);
    let area = Rect { x: line.x + GUTTER, width: line.width.saturating_sub(GUTTER), ..line };
    let mut pen = Pen::new(buf, area);
    if area.height > 1 {
        let style = if note.fault { theme.warn } else { theme.dim };
        pen.sign(if note.fault { "✖" } else { " " }, style);
        let said = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
        return wrapped::put(buf, said, &whole_note(note), style);
    }
    if !note.fault {
        pen.gap(2).put(&who, theme.dim).gap(2).put(&note.message, theme.dim);
        return;
    }
    pen.sign("✖", theme.warn).gap(1).put(&who, theme.text).gap(2).put(&note.message, theme.warn);
    if let Some(hint) = &note.hint {
        pen.put(" · ", theme.dim).put(hint, theme.text);
    }
}
