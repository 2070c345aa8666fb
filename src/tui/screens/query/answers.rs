//! All answers to a statement as one table that scrolls in both directions; a failed node has its error in place of
//! rows. A pane of the query screen and of screen 1.

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::panes::answers::{AnswerLine, Cell, Results, is_numeric};
use crate::app::{App, Pane};
use crate::fleet::batch::{Answer, Batch};
use crate::model::{ErrorKind, NodeName};
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::data_table::{Column, DataTable, GAP, GUTTER, NO_COLUMN, Order, Placed, place_scrolled};
use crate::tui::widgets::faults::put_faults;
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::reason::reason;
use crate::tui::widgets::wrapped::Rows;

/// Limits of the width of a column, in columns, if not all fit: two thirds of the room, but at most [`WIDEST`] and at
/// least [`LEAST`].
const WIDEST: usize = 40;
const LEAST: usize = 16;

/// The answers as one table.
pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let results = &app.query.results;
    let Some(batch) = app.fleet.batch() else {
        let inner = canvas.pane(Pane::Result, area, Border { title: "Query", ..Border::default() });
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
    let page = if app.wrap { page - page / 2 } else { page };
    let shown = Rows::single(results.cursor.window(results.len(), page));
    let foot = foot(results, shown.window.clone(), if here { "" } else { &said });
    let loud = filtered(Vec::new(), &results.filter, results.hidden());
    let width = width.saturating_sub(text::width(&loud) + 2);
    let border = Border { title, loud: &loud, note: &text::fit(note, width), foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Result, area, border);
    if let Some(refused) = &batch.refused {
        Pen::row(canvas.buf, inner, 0).put("✖ ", theme.bad).put(refused, theme.bad);
        return;
    }
    let (inner, below) = split_for_record(app, inner);
    if let Some(below) = below {
        record(canvas.buf, below, results, theme);
    }
    let grid = Grid::new(app, batch, theme, inner.width);
    let (mut placed, more_right) = place_scrolled(&grid.columns, grid.fixed, results.column, inner);
    if let Some(last) = placed.last_mut().filter(|last| !more_right && last.nth >= grid.fixed) {
        // The last column takes what it needs of the rest.
        let wanted = grid.columns.get(last.nth).map_or(0, |column| results.width(column.index));
        let room = usize::from(inner.right().saturating_sub(last.x));
        last.width = last.width.max(wanted.min(room) as u16);
    }
    let table = DataTable {
        columns: &grid.columns,
        placed: &placed,
        order: results.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        shown: &shown,
        selected: (here || canvas.is_focused(Pane::Result)).then_some(results.cursor.at),
        focused: canvas.is_focused(Pane::Result),
        more: (results.column > 0, more_right),
    };
    let drawn = table.draw(canvas.buf, inner, theme, |buf, line, number| {
        if let Some(row) = results.line(number) {
            grid.draw(buf, line, row, &placed);
        }
    });
    if results.is_empty() {
        let nothing = || none_left("row", &results.filter);
        let said = if results.looked_at().is_some() { "Looking …".to_owned() } else { nothing() };
        Pen::row(canvas.buf, drawn.rows, 0).put(&said, theme.dim);
    }
    put_faults_beyond(canvas.buf, area, &foot, batch, results, &shown.window, theme);
    canvas.note_table(drawn, &shown, results.len());
}

/// Writes into the border the errors of nodes whose lines are not visible.
fn put_faults_beyond(
    buf: &mut Buffer,
    area: Rect,
    foot: &str,
    batch: &Batch,
    results: &Results,
    window: &std::ops::Range<usize>,
    theme: &Theme,
) {
    let visible: HashSet<&NodeName> = window.clone().filter_map(|at| Some(results.line(at)?.node())).collect();
    let failed = batch.nodes.iter().filter_map(|node| Some((&node.node, node.answer.error()?)));
    let mut beyond = failed.filter(|(node, _)| !visible.contains(node));
    let Some((node, error)) = beyond.next() else { return };
    let count = 1 + beyond.count();
    put_faults(buf, area, foot, (node.as_str(), &error.message), (count, batch.nodes.len()), theme);
}

/// If long text is wrapped (`w`), splits off the lower half for the selected row in full.
fn split_for_record(app: &App, inner: Rect) -> (Rect, Option<Rect>) {
    if !app.wrap {
        return (inner, None);
    }
    let below = inner.height.saturating_sub(1) / 2;
    let table = Rect { height: inner.height - below, ..inner };
    (table, Some(Rect { y: table.bottom(), height: below, ..inner }))
}

/// The selected row: each column on a line of its own, its value wrapped.
fn record(buf: &mut Buffer, area: Rect, results: &Results, theme: &Theme) {
    /// Characters shown of one value, so that a cell of several megabytes costs no more than a screenful.
    const CHARS: usize = 4_000;
    let columns = results.columns();
    let label = columns.iter().map(|column| text::width(&text::safe(&column.name))).max().unwrap_or(0).clamp(4, 24);
    let width = usize::from(area.width).saturating_sub(label + 2);
    Pen::row(buf, area, 0).repeat('╌', usize::from(area.width), theme.border);
    let mut rows = 1..area.height;
    let mut part = |name: &str, value: &str, style| {
        let value: String = value.chars().take(CHARS).collect();
        for (n, line) in text::wrap(&value, width).iter().enumerate() {
            let Some(row) = rows.next() else { return };
            Pen::row(buf, area, row).column(if n == 0 { name } else { "" }, label, theme.dim).gap(2).put(line, style);
        }
    };
    match results.selected() {
        Some(AnswerLine::Row { row, .. }) => {
            for (n, column) in columns.iter().enumerate() {
                match row.cell(n) {
                    Cell::Text(value) => part(&column.name, value, theme.text),
                    Cell::Null => part(&column.name, "NULL", theme.border),
                    Cell::Absent => {}
                }
            }
        }
        Some(AnswerLine::Note { answer, .. }) => {
            if let Some(error) = answer.error() {
                part("error", &error.message, theme.bad);
                part("hint", error.hint.as_deref().unwrap_or_default(), theme.text);
            }
        }
        None => {}
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
    if let Some(share) = results.looked_at() {
        parts.push(format!("looked at {}", text::percent(share)));
    }
    if window.len() < results.len() {
        parts.push(format!("{} rows", text::part(&window, results.len())));
    }
    if !said.is_empty() {
        parts.push(said.to_owned());
    }
    parts.join(" · ")
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Maximum width of a column: as large as possible so that all fit, but not below that limit. Beyond that, the table
/// scrolls.
fn widest(wants: &[usize], room: usize) -> usize {
    let least = (room * 2 / 3).clamp(LEAST, WIDEST);
    let total = |widest: usize| wants.iter().map(|want| want.min(&widest) + usize::from(GAP)).sum::<usize>();
    let mut widest = room.max(least);
    while widest > least && total(widest) > room + usize::from(GAP) {
        widest -= 1;
    }
    widest
}

/// The columns of the table, and how its lines are drawn.
struct Grid<'a> {
    app: &'a App,
    batch: &'a Batch,
    theme: &'a Theme,
    columns: Vec<Column<'a>>,
    /// How many columns do not scroll: the node, and its rows and time if every node has one line.
    fixed: usize,
    differing: Vec<usize>,
}

impl<'a> Grid<'a> {
    fn new(app: &'a App, batch: &'a Batch, theme: &'a Theme, width: u16) -> Self {
        let results = &app.query.results;
        let name = batch.nodes.iter().map(|node| node.node.as_str().len()).max().unwrap_or(4).clamp(4, 24) as u16;
        let column = |title, index, width, right| Column {
            prefix: "",
            title,
            index,
            min: width,
            max: width,
            right,
            importance: 0,
        };
        let mut columns = vec![column("NODE", NO_COLUMN, name, false)];
        if results.len() == batch.nodes.len() {
            columns.push(column("ROWS", NO_COLUMN, 7, true));
            columns.push(column("TIME", NO_COLUMN, 7, true));
        }
        let fixed = columns.len();
        let taken: u16 = columns.iter().map(|column| column.max + GAP).sum::<u16>() + GUTTER;
        // Includes the arrow of a sort, so that the column does not change its width when it is sorted.
        let wanted = |index: usize, name: &str| results.width(index).max(text::width(&text::safe(name))).max(3);
        let wants: Vec<usize> =
            results.columns().iter().enumerate().map(|(index, data)| wanted(index, &data.name)).collect();
        let widest = widest(&wants, usize::from(width.saturating_sub(taken)));
        for ((index, data), want) in results.columns().iter().enumerate().zip(wants) {
            columns.push(column(&data.name, index, want.min(widest) as u16, is_numeric(&data.type_name)));
        }
        Self { app, batch, theme, columns, fixed, differing: batch.differing() }
    }

    fn draw(&self, buf: &mut Buffer, line: Rect, row: AnswerLine<'_>, placed: &[Placed]) {
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
                    let rows = answer.and_then(Answer::rows).map(|rows| text::count_within(rows.row_count, width));
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
            AnswerLine::Row { row, .. } => {
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
                        let width = usize::from(place.width);
                        pen.column_right(&text::number_within(said, width), width, style);
                    } else {
                        pen.put(said, style);
                    }
                }
            }
            AnswerLine::Note { answer, .. } => {
                let last = placed.get(self.fixed.saturating_sub(1));
                let x = last.map_or(line.x, |last| (last.x + last.width + 2).min(line.right()));
                let mut pen = Pen::new(buf, Rect { x, width: line.right() - x, ..line });
                note_line(&mut pen, row.node(), answer, self.batch, self.app, theme);
            }
        }
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

/// The state of a node without rows in a few words: `running 1.2 s`, `0 rows`, `timed out`, the error.
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
