//! A row of a view in full: every column with its meaning, long texts complete, statements formatted.

use ratatui::layout::Rect;

use super::cell::{TREND, clock, level, trend};
use crate::app::views::{NodeNote, Opened, ViewTable, Whole};
use crate::app::{App, Filter, Pane};
use crate::model::view::{Source, Value, cell};
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::data_table::select;
use crate::tui::widgets::doc::{DocLine, draw_lines};
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pen::Pen;

/// Width of a value that is followed by its meaning, in columns.
const VALUE: usize = 32;

/// How many locks of a session are shown; a dump holds one for each table.
const LOCKS: usize = 100;
/// Width of the longest lock mode and a gap, in columns.
const MODE: usize = 22;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, table: &ViewTable, opened: &Opened) {
    let theme = canvas.theme;
    let title = format!("{} · {}", table.view.title, opened.key.0);
    let gone = table.opened_row().is_none() && table.opened_note().is_none();
    let note = if gone { "gone" } else { "" };
    let all = lines(canvas, table, usize::from(area.width.saturating_sub(4)));
    let count = all.len();
    let lines = passing(all, &opened.filter);
    let loud = filtered(Vec::new(), &opened.filter, count - lines.len());
    let foot = "y copies the value · Esc goes back";
    let inner = canvas.pane(Pane::View, area, Border { title: &title, loud: &loud, note, foot, focused: false });
    if lines.is_empty() && count > 0 {
        Pen::row(canvas.buf, inner, 0).put(&none_left("line", &opened.filter), theme.dim);
    }
    let (columns, lines): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    let shown = opened.cursor.window(lines.len(), usize::from(inner.height));
    draw_lines(canvas.buf, inner, &lines, shown.start, theme);
    if !lines.is_empty() {
        let at = opened.cursor.at.min(lines.len().saturating_sub(1)).saturating_sub(shown.start);
        select(canvas.buf, Rect { y: inner.y + at as u16, height: 1, ..inner }, true, theme);
    }
    if let Some(pane) = canvas.last_pane() {
        (pane.first, pane.len) = (shown.start, lines.len());
        pane.columns = columns;
    }
}

/// Lines, each with its column of the view, if it has one.
type Lines = Vec<(Option<usize>, DocLine)>;

fn lines(canvas: &Canvas<'_>, table: &ViewTable, width: usize) -> Lines {
    let (app, theme) = (canvas.app, canvas.theme);
    let view = &table.view;
    let of_none = |line| (None, line);
    if let Some(note) = table.opened_note() {
        return why(note, width, theme).into_iter().map(of_none).collect();
    }
    let Some((node, row)) = table.opened_row() else {
        return vec![of_none(DocLine::default().text("What was opened is no longer there.", theme.dim))];
    };
    let label = view.columns.iter().map(|column| text::width(&column.title)).max().unwrap_or(0).clamp(4, 24);
    let mut lines = Vec::new();
    let mut behind = Vec::new();
    for (at, column) in view.columns.iter().enumerate() {
        let value = table.value(node, row, at);
        let whole = app.whole(table, node, row, at);
        let fetched = whole.and_then(|whole| whole.outcome.as_ref()?.as_ref().ok());
        let value = fetched.map_or(value, |whole| Value::Text(&whole.text));
        match (column.wide, value) {
            (true, Value::Text(text)) => {
                behind.push((at, column.title.clone(), text.to_owned(), about_whole(whole)));
                continue;
            }
            (true, Value::Unknown) if column.once.is_some() && table.missing(node).is_some() => {
                let why = table.missing(node).map(|why| (why.to_owned(), true));
                behind.push((at, column.title.clone(), String::new(), why));
                continue;
            }
            _ => {}
        }
        if let Source::Trend { of } = column.source {
            let bars = trend(app.series(table, node, row, of), theme);
            let line = DocLine::default().text(column.title.clone(), theme.dim).at(label + 2).spark(bars, TREND);
            lines.push((None, line.at(label + 2 + VALUE + 2).text(column.about.clone(), theme.dim)));
            continue;
        }
        let said = cell(column, value, clock(app, table, node));
        let style =
            level(column, value, theme).unwrap_or(if value == Value::Unknown { theme.dim } else { theme.bright });
        let about = column.about.clone();
        for (n, part) in text::wrap(&said, width.saturating_sub(label + 2).max(VALUE)).into_iter().enumerate() {
            let head = if n == 0 { column.title.clone() } else { String::new() };
            let short = text::width(&part) <= VALUE;
            let mut line = DocLine::default().text(head, theme.dim).at(label + 2).text(part, style);
            if n == 0 && short {
                line = line.at(label + 2 + VALUE + 2).text(about.clone(), theme.dim);
            }
            lines.push((Some(at), line));
        }
    }
    lines.extend(chain(app, theme).into_iter().chain(locks(app, theme)).map(of_none));
    for (at, title, long, remark) in behind {
        lines.push(of_none(DocLine::default()));
        let mut head = DocLine::default().text(title, theme.dim);
        if let Some((remark, fault)) = remark {
            head = head.text(format!("  {remark}"), if fault { theme.warn } else { theme.dim });
        }
        let long = laid_out(&long, view.statement == Some(at), width, theme);
        lines.extend(std::iter::once(head).chain(long).map(|line| (Some(at), line)));
    }
    lines
}

/// What is to be said of a cut text, and whether something is wrong.
fn about_whole(whole: Option<&Whole>) -> Option<(String, bool)> {
    match &whole?.outcome {
        None => Some(("the whole text is being fetched".to_owned(), false)),
        Some(Err(why)) => Some((format!("the whole text could not be fetched: {why}"), true)),
        Some(Ok(text)) if text.cut => Some(("the rest is too long to be fetched".to_owned(), false)),
        Some(Ok(_)) => None,
    }
}

/// The lines that pass the filter. Lines of one column pass together, as the text may match across a line break.
fn passing(lines: Lines, filter: &Filter) -> Lines {
    if filter.passes_all() {
        return lines;
    }
    let same = |(a, _): &(Option<usize>, DocLine), (b, _): &(Option<usize>, DocLine)| a.is_some() && a == b;
    let passes = |lines: &[(Option<usize>, DocLine)]| {
        let said: Vec<String> = lines.iter().map(|(_, line)| line.plain().trim().to_owned()).collect();
        filter.passes(said.join(" ").as_str())
    };
    let kept: Vec<bool> =
        lines.chunk_by(same).flat_map(|of_column| std::iter::repeat_n(passes(of_column), of_column.len())).collect();
    lines.into_iter().zip(kept).filter_map(|(line, kept)| kept.then_some(line)).collect()
}

/// Why nodes returned no rows, and the remedy.
fn why(note: &NodeNote, width: usize, theme: &Theme) -> Vec<DocLine> {
    let names = note.nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let parts = [
        Some((&names, theme.text)),
        Some((&note.message, theme.warn)),
        note.hint.as_ref().map(|hint| (hint, theme.text)),
    ];
    let lines = parts.into_iter().flatten().flat_map(|(said, style)| {
        text::wrap(said, width).into_iter().map(move |line| DocLine::default().text(line, style))
    });
    lines.collect()
}

/// The sessions that wait for each other around this one, the root first.
fn chain(app: &App, theme: &Theme) -> Vec<DocLine> {
    let (chain, Some(locks)) = (app.chain(), app.views.get("locks")) else { return Vec::new() };
    if chain.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![DocLine::default(), DocLine::default().text("WHO WAITS FOR WHOM", theme.dim)];
    for (row, is_own) in chain {
        let said = |name: &str| {
            let at = locks.view.column(name)?;
            let column = locks.view.columns.get(at)?;
            match locks.value(&row.node, row.at, at) {
                Value::Unknown => None,
                value => Some(cell(column, value, clock(app, locks, &row.node)).into_owned()),
            }
        };
        let indent = "  ".repeat(usize::from(row.depth) + 1);
        let style = if is_own { theme.accent_bold } else { theme.text };
        let mut line = DocLine::default().text(indent, theme.dim).text(said("id").unwrap_or_default(), style);
        line = line.text(format!("  {}", said("state").unwrap_or_default()), theme.dim);
        if let (Some(mode), Some(object)) = (said("mode"), said("object")) {
            let waits = said("waiting_ms").map(|waits| format!(" {waits}")).unwrap_or_default();
            line = line.text(format!("  waits{waits} for {mode} on {object}"), theme.warn);
        }
        if let Some(held) = said("held") {
            line = line.text(format!("  holds {held}"), theme.text);
        }
        lines.push(line);
    }
    lines
}

/// The locks that the session waits for and holds.
fn locks(app: &App, theme: &Theme) -> Vec<DocLine> {
    let Some((locks, node, rows)) = app.locks_of_session().filter(|(_, _, rows)| !rows.is_empty()) else {
        return Vec::new();
    };
    let mut lines = vec![DocLine::default(), DocLine::default().text("LOCKS", theme.dim)];
    for row in rows.iter().take(LOCKS) {
        let said = |name: &str| {
            let at = locks.view.column(name);
            at.map(|at| locks.value(node, *row, at).to_string()).unwrap_or_default()
        };
        let state = said("state");
        let style = if state == "held" { theme.text } else { theme.warn };
        let line = DocLine::default().at(2).text(state, style).at(10).text(said("mode"), style);
        lines.push(line.at(10 + MODE).text(said("object"), style));
    }
    if let Some(more) = rows.len().checked_sub(LOCKS).filter(|more| *more > 0) {
        lines.push(DocLine::default().at(2).text(format!("and {more} more, in the table of all locks"), theme.dim));
    }
    lines
}

/// A formatted statement; other texts as they are.
fn laid_out(long: &str, is_statement: bool, width: usize, theme: &Theme) -> Vec<DocLine> {
    let formatted = if is_statement { crate::tui::statement::laid_out(long) } else { long.to_owned() };
    let wrapped = text::wrap(&formatted, width.saturating_sub(2));
    wrapped.into_iter().map(|line| DocLine::default().text("  ", theme.text).text(line, theme.text)).collect()
}
