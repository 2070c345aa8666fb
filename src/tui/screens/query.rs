//! Screen 9: the statement, how far each node is, and all answers as one table that scrolls both ways; errors stand
//! in place of the rows they cost (C6, D3). The table is also a pane of screen 1.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_segmentation::UnicodeSegmentation;

use crate::app::query::{Answer, Batch, NodeAnswer};
use crate::app::results::{Cell, Line, Results, is_numeric};
use crate::app::{App, Pane};
use crate::model::ErrorKind;
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::widgets::data_table::{Column, DataTable, Order, Placed, place_scrolled};
use crate::tui::widgets::input_line::input_line;
use crate::tui::widgets::pane::Pane as Frame;
use crate::tui::widgets::pen::Pen;
use crate::tui::{Theme, text};

/// A cell of text is cut at this width; the last column may take what is left.
const WIDEST: usize = 40;
/// From this width on the list of nodes stands beside the editor.
const SIDE_BY_SIDE: u16 = 100;
/// What a head of no column is called where clicks are told: there is nothing to sort by.
const NO_COLUMN: usize = usize::MAX;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let app = canvas.app;
    if app.zoomed {
        return if app.pane == Pane::Editor { editor(canvas, area) } else { result(canvas, area) };
    }
    let nodes = app.query.batch.as_ref().map_or(0, |batch| batch.nodes.len());
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
    result(canvas, lower);
}

fn editor(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let marked = app.nodes_table.marks.len();
    let note = match (marked, app.picture().nodes.len()) {
        (0, 1) => "runs on the node".to_owned(),
        (0, all) => format!("runs on all {all} nodes"),
        (1, _) => "runs on the marked node".to_owned(),
        (marked, _) => format!("runs on {marked} marked nodes"),
    };
    let inner = canvas.pane(Pane::Editor, area, Frame { title: "Statement", note: &note, ..Frame::default() });
    let editor = &app.query.editor;
    let focused = canvas.is_focused(Pane::Editor) && app.prompt.is_none();
    let (row, column) = editor.cursor();
    let first = (row + 1).saturating_sub(usize::from(inner.height));
    for (y, (number, line)) in (0..inner.height).zip(editor.lines().enumerate().skip(first)) {
        let line_area = Rect { y: inner.y + y, height: 1, ..inner };
        let at: usize = if number == row { line.graphemes(true).take(column).map(str::len).sum() } else { 0 };
        let cursor = input_line(canvas.buf, line_area, line, at, theme.text);
        if number == row && focused {
            canvas.cursor = Some(cursor);
        }
    }
    if editor.is_empty() {
        let hint = if focused { "select … ;   Enter behind the ; runs it" } else { "no statement yet" };
        Pen::row(canvas.buf, inner, 0).put(hint, theme.dim);
        if focused {
            canvas.cursor = Some(Position { x: inner.x, y: inner.y });
        }
    }
}

/// How far each node is: those still at it first, then the errors.
fn progress(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let Some(batch) = &app.query.batch else { return };
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
        pen.put(sign, style).gap(1).column(node.node.as_str(), name, theme.text).gap(2);
        note_line(&mut pen, &node.answer, batch, app, theme);
    }
    if hidden > 0 {
        Pen::row(canvas.buf, inner, inner.height - 1).gap(2).put(&format!("and {hidden} more"), theme.dim);
    }
}

/// `5 of 7 answered in 44 ms · 1 differs`
fn outcome(batch: &Batch, app: &App) -> String {
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

/// The answers as one table.
pub(crate) fn result(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let results = &app.query.results;
    let Some(batch) = &app.query.batch else {
        let inner = canvas.pane(Pane::Result, area, Frame { title: "Query", ..Frame::default() });
        nothing_asked(canvas.buf, inner, app, theme);
        return;
    };
    let here = app.screen == crate::app::Screen::Query;
    let statement = one_line(&batch.statement);
    let said = outcome(batch, app);
    let title = if here { "Answers" } else { "Query" };
    let note = if here { said.as_str() } else { statement.as_str() };
    let width = usize::from(area.width).saturating_sub(title.len() + 10);
    let page = usize::from(area.height.saturating_sub(3));
    let window = results.cursor.window(results.len(), page);
    let foot = foot(results, window.clone(), if here { "" } else { &said });
    let inner =
        canvas.pane(Pane::Result, area, Frame { title, note: &text::fit(note, width), foot: &foot, focused: false });
    if let Some(refused) = &batch.refused {
        Pen::row(canvas.buf, inner, 0).put("✖ ", theme.bad).put(refused, theme.bad);
        return;
    }
    let sheet = Sheet::new(app, batch, theme);
    let (placed, more_right) = place_scrolled(&sheet.columns, sheet.fixed, results.column, inner);
    let grid = DataTable {
        columns: &sheet.columns,
        placed: &placed,
        order: results.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        window: window.clone(),
        selected: (here || canvas.is_focused(Pane::Result)).then_some(results.cursor.at),
        focused: canvas.is_focused(Pane::Result),
        more: (results.column > 0, more_right),
    };
    let drawn = grid.draw(canvas.buf, inner, theme, |buf, line, number| {
        if let Some(row) = results.line(number) {
            sheet.draw(buf, line, row, &placed);
        }
    });
    if results.is_empty() {
        Pen::row(canvas.buf, drawn.rows, 0).put("No row matches the filter.", theme.dim);
    }
    if let Some(pane) = canvas.last_pane() {
        pane.rows = to_app(drawn.rows);
        pane.first = window.start;
        pane.len = results.len();
        pane.more_right = more_right;
        let heads = drawn.heads.into_iter().filter(|(_, index)| *index != NO_COLUMN);
        pane.heads = heads.map(|(area, index)| (to_app(area), index)).collect();
    }
}

fn nothing_asked(buf: &mut Buffer, inner: Rect, app: &App, theme: &Theme) {
    Pen::row(buf, inner, 0).put("Nothing asked yet.", theme.text);
    if app.screen == crate::app::Screen::Query {
        Pen::row(buf, inner, 1).put("Write a statement above; all nodes answer side by side.", theme.dim);
    } else {
        Pen::row(buf, inner, 1)
            .put(":", theme.accent_bold)
            .put(" select …  asks all nodes, or the marked ones", theme.dim);
        Pen::row(buf, inner, 2).put("9", theme.accent_bold).put(" opens the editor", theme.dim);
    }
}

fn foot(results: &Results, window: std::ops::Range<usize>, said: &str) -> String {
    let mut parts = Vec::new();
    if !results.filter.is_empty() {
        parts.push(format!("/{}", results.filter.source()));
    }
    if window.len() < results.len() {
        let len = text::count(results.len() as u64);
        parts.push(format!(
            "{}–{} of {len} rows",
            text::count(window.start as u64 + 1),
            text::count(window.end as u64)
        ));
    }
    if !said.is_empty() {
        parts.push(said.to_owned());
    }
    parts.join(" · ")
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The table's columns and how its lines are drawn.
struct Sheet<'a> {
    app: &'a App,
    batch: &'a Batch,
    theme: &'a Theme,
    columns: Vec<Column<'a>>,
    /// Columns that do not scroll: the node, and its rows and time where every node has one line.
    fixed: usize,
    differing: Vec<usize>,
}

impl<'a> Sheet<'a> {
    fn new(app: &'a App, batch: &'a Batch, theme: &'a Theme) -> Self {
        let results = &app.query.results;
        let name = batch.nodes.iter().map(|node| node.node.as_str().len()).max().unwrap_or(4).clamp(4, 24) as u16;
        let column = |title, index, width, right| Column { title, index, min: width, max: width, right, importance: 0 };
        let mut columns = vec![column("NODE", NO_COLUMN, name, false)];
        if results.len() == batch.nodes.len() {
            columns.push(column("ROWS", NO_COLUMN, 7, true));
            columns.push(column("TIME", NO_COLUMN, 7, true));
        }
        let fixed = columns.len();
        for (index, data) in results.columns().iter().enumerate() {
            let width = results.width(index).max(text::width(&data.name).min(WIDEST)).clamp(1, WIDEST) as u16;
            // Room for the arrow of a sort, so that the column does not jump when it is sorted.
            columns.push(column(&data.name, index, width.max(3), is_numeric(&data.type_name)));
        }
        Self { app, batch, theme, columns, fixed, differing: batch.differing() }
    }

    fn draw(&self, buf: &mut Buffer, line: Rect, row: Line<'_>, placed: &[Placed]) {
        let theme = self.theme;
        let answered = self.batch.nodes.iter().position(|node| node.node == *row.node());
        let answer = answered.and_then(|at| self.batch.nodes.get(at)).map(|node| &node.answer);
        for place in placed.iter().take(self.fixed) {
            let mut pen = Pen::new(buf, Rect { x: place.x, width: place.width, ..line });
            let width = usize::from(place.width);
            match place.nth {
                0 => {
                    pen.put(row.node().as_str(), theme.text);
                }
                1 => {
                    let rows = answer.and_then(Answer::rows).map(|rows| text::count(rows.row_count));
                    pen.column_right(rows.as_deref().unwrap_or(text::UNKNOWN), width, theme.text);
                }
                _ => {
                    let time = match answer {
                        Some(Answer::Done(outcome)) => text::duration(outcome.elapsed),
                        _ => text::age(self.batch.runtime(self.app.now)),
                    };
                    pen.column_right(&time, width, theme.dim);
                }
            }
        }
        match row {
            Line::Row { row, .. } => {
                let differs = answered.is_some_and(|at| self.differing.contains(&at));
                for place in placed.iter().skip(self.fixed) {
                    let Some(column) = self.columns.get(place.nth) else { continue };
                    let mut pen = Pen::new(buf, Rect { x: place.x, width: place.width, ..line });
                    let (said, style) = match row.cell(column.index) {
                        Cell::Text(text) => (text, if differs { theme.patch_warn } else { theme.text }),
                        Cell::Null => ("NULL", theme.border),
                        Cell::Absent => (text::UNKNOWN, theme.border),
                    };
                    if column.right {
                        pen.column_right(said, usize::from(place.width), style);
                    } else {
                        pen.put(said, style);
                    }
                }
            }
            Line::Note { answer, .. } => {
                let last = placed.get(self.fixed.saturating_sub(1));
                let x = last.map_or(line.x, |last| (last.x + last.width + 2).min(line.right()));
                let mut pen = Pen::new(buf, Rect { x, width: line.right() - x, ..line });
                note_line(&mut pen, answer, self.batch, self.app, theme);
            }
        }
    }
}

/// A node without rows in a few words: `running 1.2 s`, `0 rows`, `timed out`, the error.
fn note_line(pen: &mut Pen<'_>, answer: &Answer, batch: &Batch, app: &App, theme: &Theme) {
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
                pen.put(&error.message, if mild { theme.warn } else { theme.bad });
                if let Some(hint) = &error.hint {
                    pen.put(" · ", theme.dim).put(hint, theme.dim);
                }
            }
        },
    }
}
