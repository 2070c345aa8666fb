//! Screen 9: the statement, the progress of each node, and the answers.

pub(super) mod answers;

use ratatui::layout::{Position, Rect};
use unicode_segmentation::UnicodeSegmentation;

use crate::app::Pane;
use crate::app::typing::editor::Editor;
use crate::fleet::batch::{Answer, NodeAnswer};
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::pen::Pen;
use answers::note_line;

/// Minimum width for the list of nodes next to the editor, in columns.
const SIDE_BY_SIDE: u16 = 100;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let app = canvas.app;
    if app.zoomed {
        return if app.pane == Pane::Editor { editor(canvas, area) } else { answers::draw(canvas, area) };
    }
    let nodes = app.fleet.batch().map_or(0, |batch| batch.nodes.len());
    let wide = area.width >= SIDE_BY_SIDE;
    let wanted = app.query.editor.lines().len().max(if wide { nodes.min(10) } else { 0 }).max(3) + 2;
    let top = (wanted as u16).min(area.height / 3).max(3).min(area.height);
    let (upper, lower) = (Rect { height: top, ..area }, Rect { y: area.y + top, height: area.height - top, ..area });
    if wide && nodes > 0 {
        let left = area.width * 3 / 5;
        editor(canvas, Rect { width: left, ..upper });
        progress(canvas, Rect { x: area.x + left, width: area.width - left, ..upper });
    } else {
        editor(canvas, upper);
    }
    answers::draw(canvas, lower);
}

fn editor(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let note = format!("runs {}", app.where_it_runs());
    let inner = canvas.pane(Pane::Editor, area, Border { title: "Statement", note: &note, ..Border::default() });
    let editor = &app.query.editor;
    let focused = canvas.is_focused(Pane::Editor) && app.prompt.is_none();
    let (rows, cursor) = soft_wrapped(editor, usize::from(inner.width));
    let first = if focused { (cursor.0 + 1).saturating_sub(usize::from(inner.height)) } else { 0 };
    for (y, row) in (0..inner.height).zip(rows.iter().skip(first)) {
        Pen::row(canvas.buf, inner, y).put(row, theme.text);
    }
    if focused {
        let y = inner.y + (cursor.0 - first) as u16;
        canvas.cursor = Some(Position { x: inner.x + cursor.1 as u16, y });
    }
    if editor.is_empty() {
        let hint = if focused { "select … ;   Enter after the ; runs it" } else { "no statement yet" };
        Pen::row(canvas.buf, inner, 0).put(hint, theme.dim);
    }
}

/// The statement wrapped to rows of at most `width` columns, with the row and the column of its cursor.
fn soft_wrapped(editor: &Editor, width: usize) -> (Vec<String>, (usize, usize)) {
    let width = width.max(2);
    let (line, column) = editor.cursor();
    let mut rows = Vec::new();
    let mut cursor = (0, 0);
    for (number, text) in editor.lines().enumerate() {
        let (mut row, mut used) = (String::new(), 0);
        for (at, grapheme) in text.graphemes(true).chain([""]).enumerate() {
            let shown = text::safe(grapheme);
            // The cursor after the last letter needs a column too.
            let wide = text::width(&shown).max(usize::from(grapheme.is_empty()));
            if used > 0 && used + wide > width {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            if (number, at) == (line, column) {
                cursor = (rows.len(), used);
            }
            row.push_str(&shown);
            used += wide;
        }
        rows.push(row);
    }
    (rows, cursor)
}

/// The progress of each node: running ones first, then those with errors.
fn progress(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let Some(batch) = app.fleet.batch() else { return };
    let inner = Border { title: "Nodes", ..Border::default() }.draw(canvas.buf, area, theme);
    let mut nodes: Vec<&NodeAnswer> = batch.nodes.iter().collect();
    let room = usize::from(inner.height);
    if nodes.len() > room {
        nodes.sort_by_key(|node| match &node.answer {
            Answer::Waiting | Answer::Reading(_) => 0,
            Answer::Done(outcome) => 1 + u8::from(outcome.result.is_ok()),
        });
    }
    let name = nodes.iter().map(|node| node.node.as_str().len()).max().unwrap_or(0).min(20);
    let hidden = if nodes.len() > room { nodes.len() - room + 1 } else { 0 };
    for (row, node) in (0..inner.height).zip(nodes.iter().take(nodes.len() - hidden)) {
        let mut pen = Pen::row(canvas.buf, inner, row);
        let (sign, style) = match &node.answer {
            Answer::Waiting | Answer::Reading(_) => ("◌", theme.accent),
            Answer::Done(outcome) if outcome.result.is_ok() => ("●", theme.ok),
            Answer::Done(_) => ("✖", theme.bad),
        };
        pen.sign(sign, style).gap(1).column(node.node.as_str(), name, theme.text).gap(2);
        note_line(&mut pen, &node.node, &node.answer, batch, app, theme);
    }
    if hidden > 0 {
        Pen::row(canvas.buf, inner, inner.height - 1).gap(2).put(&format!("and {hidden} more"), theme.dim);
    }
}
