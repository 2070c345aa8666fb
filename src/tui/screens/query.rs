//! Screen 9: the statement, how far each node is, and the answers (C6, D3).

use ratatui::layout::{Position, Rect};
use unicode_segmentation::UnicodeSegmentation;

use super::answers;
use super::node_row::reason;
use crate::app::typing::editor::Editor;
use crate::app::{App, Pane};
use crate::fleet::batch::{Answer, Batch, NodeAnswer};
use crate::model::{ErrorKind, NodeName};
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::pane::Pane as Frame;
use crate::tui::widgets::pen::Pen;

/// From this width on the list of nodes stands beside the editor.
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
    let inner = canvas.pane(Pane::Editor, area, Frame { title: "Statement", note: &note, ..Frame::default() });
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

/// The statement in rows of at most `width` columns, and the row and column of its cursor.
fn soft_wrapped(editor: &Editor, width: usize) -> (Vec<String>, (usize, usize)) {
    let width = width.max(2);
    let (line, column) = editor.cursor();
    let mut rows = Vec::new();
    let mut cursor = (0, 0);
    for (number, text) in editor.lines().enumerate() {
        let (mut row, mut used) = (String::new(), 0);
        for (at, grapheme) in text.graphemes(true).chain([""]).enumerate() {
            let shown = text::safe(grapheme);
            // The cursor behind the last letter needs a column too.
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

/// How far each node is: those still at it first, then the errors.
fn progress(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let Some(batch) = app.fleet.batch() else { return };
    let inner = Frame { title: "Nodes", ..Frame::default() }.draw(canvas.buf, area, theme);
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

/// `5 of 7 answered in 44 ms · 1 differs`
pub(super) fn outcome(batch: &Batch, app: &App) -> String {
    if batch.refused.is_some() {
        return "refused".to_owned();
    }
    let (answered, all) = (batch.answered(), batch.nodes.len());
    let time = text::duration(batch.runtime(app.now));
    let said = if batch.is_running() {
        let done = answered + batch.failed();
        let what = if batch.cancelled { "cancelling" } else { "running" };
        format!("{what}: {done} of {all} nodes · {}", text::age(batch.runtime(app.now)))
    } else {
        format!("{answered} of {all} answered in {time}")
    };
    match batch.differing().len() {
        0 => said,
        1 => said + " · 1 differs",
        several => format!("{said} · {several} differ"),
    }
}

/// A node without rows in a few words: `running 1.2 s`, `0 rows`, `timed out`, the error.
pub(super) fn note_line(pen: &mut Pen<'_>, node: &NodeName, answer: &Answer, batch: &Batch, app: &App, theme: &Theme) {
    match answer {
        Answer::Waiting => {
            let what = if batch.cancelled { "cancelling " } else { "running " };
            pen.put(what, theme.dim).put(&text::age(batch.runtime(app.now)), theme.dim);
        }
        Answer::Reading(rows) => {
            pen.put(&text::count(*rows as u64), theme.text).put(" rows so far", theme.dim);
        }
        Answer::Done(outcome) => match &outcome.result {
            Ok(rows) => {
                let word = if rows.row_count == 1 { " row " } else { " rows " };
                pen.put(&text::count(rows.row_count), theme.text).put(word, theme.dim);
                pen.put(&text::duration(outcome.elapsed), theme.dim);
                if let Some(cut) = &rows.truncated {
                    pen.put(" · ", theme.dim).put(cut, theme.warn);
                }
                if let Some(notice) = rows.notices.first() {
                    pen.put(" · ", theme.dim).put(&notice.severity, theme.warn).put(": ", theme.dim);
                    pen.put(&notice.message, theme.text);
                }
            }
            Err(error) => {
                let mild = matches!(error.kind, ErrorKind::Cancelled | ErrorKind::StatementTimeout);
                let room = pen.room();
                let message = match app.picture().nodes.get(node) {
                    Some(node) => reason(&error.message, &node.config.address(), room),
                    None => (&error.message).into(),
                };
                pen.put(&message, if mild { theme.warn } else { theme.bad });
                if let Some(hint) = &error.hint {
                    pen.put(" · ", theme.dim).put(hint, theme.dim);
                }
            }
        },
    }
}
