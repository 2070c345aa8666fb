//! Screen 1: each node as a row, the selected one in detail below, the answers to the last statement next to it, and
//! the newest events if there is room.

mod row;

use ratatui::layout::Rect;

use super::events;
use super::node::summary;
use super::query::answers;
use crate::app::panes::nodes::NodeColumn;
use crate::app::{App, Pane};
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::data_table::{Column, DataTable, Order, place_by_importance};
use crate::tui::widgets::filtered::{filtered, none_left, problems};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::wrapped::Rows;
use row::Row;

/// Minimum width for the two lower panes side by side, in columns.
const SIDE_BY_SIDE: u16 = 100;
/// Minimum width of the summary next to the other pane, in columns.
const SUMMARY_LEAST: u16 = 60;
/// Preferred and minimum height of the lower panes, in rows.
const LOWER: u16 = 13;
const LOWER_LEAST: u16 = 8;
/// Minimum height of the events pane, in rows.
const EVENTS_LEAST: u16 = 5;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let app = canvas.app;
    if app.zoomed {
        return draw_pane(canvas, app.pane, area);
    }
    let wanted = (app.nodes_table.total.max(3) + 3).min(usize::from(u16::MAX)) as u16;
    let lower = area.height.saturating_sub(wanted).clamp(LOWER_LEAST, LOWER).min(area.height / 2);
    let top = wanted.min(area.height - lower);
    let rest = area.height - top - lower;
    let (lower, events) = if rest >= EVENTS_LEAST { (lower, rest) } else { (lower + rest, 0) };
    let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };

    table(canvas, row(0, top));
    let lower_area = row(top, lower);
    if area.width >= SIDE_BY_SIDE {
        let left = (area.width * 11 / 20).clamp(SUMMARY_LEAST, 90);
        draw_pane(canvas, Pane::Summary, Rect { width: left, ..lower_area });
        draw_pane(canvas, Pane::Result, Rect { x: area.x + left, width: area.width - left, ..lower_area });
    } else {
        draw_pane(canvas, app.lower, lower_area);
    }
    if events > 0 && (area.width >= SIDE_BY_SIDE || app.lower != Pane::Events) {
        draw_pane(canvas, Pane::Events, row(top + lower, events));
    }
}

fn draw_pane(canvas: &mut Canvas<'_>, pane: Pane, area: Rect) {
    match pane {
        Pane::Nodes => table(canvas, area),
        Pane::Result => answers::draw(canvas, area),
        Pane::Events => events::draw(canvas, area),
        Pane::Summary | Pane::Settings | Pane::Editor | Pane::View | Pane::Topology | Pane::Alerts => {
            summary::draw(canvas, area);
        }
    }
}

fn table(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme, picture) = (canvas.app, canvas.theme, canvas.app.picture());
    let table = &app.nodes_table;
    let page = usize::from(area.height.saturating_sub(3));
    let shown = Rows::single(table.cursor.window(table.rows.len(), page));
    let order = note(app);
    let foot = foot(app, shown.window.len());
    let loud = filtered(problems(table.problems_only), &table.filter, table.hidden());
    let border = Border { title: "Nodes", loud: &loud, note: &order, foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Nodes, area, border);

    let columns = columns(app);
    let placed = place_by_importance(&columns, inner);
    let grid = DataTable {
        columns: &columns,
        placed: &placed,
        order: table.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        shown: &shown,
        selected: (!table.rows.is_empty()).then_some(table.cursor.at),
        focused: canvas.is_focused(Pane::Nodes),
        more: (false, false),
    };
    let drawn = grid.draw(canvas.buf, inner, theme, |buf, line, number| {
        let Some(node) = table.rows.get(number).and_then(|name| picture.nodes.get(name)) else { return };
        if table.marks.contains(node.name()) {
            Pen::new(buf, Rect { x: line.x + 1, width: 1, ..line }).put("◆", theme.secondary);
        }
        let row = Row { node, app, theme, selected: number == table.cursor.at };
        row.draw(buf, line, &columns, &placed);
    });
    if table.rows.is_empty() {
        why_empty(canvas, drawn.rows);
    }
    canvas.note_table(drawn, &shown, table.rows.len());
}

/// The columns of the table. Their widths depend only on the names of the nodes.
fn columns(app: &App) -> Vec<Column<'static>> {
    // A sign follows the name of a node that differs from the file.
    let length = |node: &crate::fleet::Node| node.name().as_str().len() + if node.unsaved.is_some() { 2 } else { 0 };
    let longest = app.picture().nodes.iter().map(length).max().unwrap_or(0) as u16;
    let name = longest.clamp(6, 28);
    NodeColumn::ALL
        .into_iter()
        .enumerate()
        .map(|(index, column)| {
            let (min, max, right, importance) = match column {
                NodeColumn::Node => (name.min(14), name, false, 0),
                NodeColumn::Role => (7, 7, false, 4),
                NodeColumn::State => (14, 14, false, 1),
                NodeColumn::Ping => (7, 8, true, 2),
                NodeColumn::Pool => (8, 14, false, 5),
                NodeColumn::Conns => (8, 9, true, 6),
                NodeColumn::Tps => (6, 7, true, 7),
                NodeColumn::Lag => (7, 9, true, 3),
                NodeColumn::LastMinute => (11, 60, false, 8),
            };
            Column { prefix: "", title: column.title(), index, min, max, right, importance }
        })
        .collect()
}

fn note(app: &App) -> String {
    let table = &app.nodes_table;
    let mut parts = Vec::new();
    if !table.marks.is_empty() {
        parts.push(format!("{} marked", table.marks.len()));
    }
    if let Some(sort) = table.sort {
        let word = NodeColumn::ALL.get(sort.column).map_or("", |column| column.word());
        parts.push(format!("by {word} {}", if sort.descending { "▼" } else { "▲" }));
    }
    parts.join(" · ")
}

/// The visible rows and their total, if not all are visible.
fn foot(app: &App, visible: usize) -> String {
    let table = &app.nodes_table;
    if visible == table.total { String::new() } else { format!("{visible} of {}", table.total) }
}

fn why_empty(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let mut pen = Pen::row(canvas.buf, area, 0);
    pen.gap(2);
    let filter = &app.nodes_table.filter;
    if !filter.is_empty() {
        pen.put(&none_left("node", filter), theme.text).put("  Esc clears it", theme.dim);
    } else if app.nodes_table.problems_only {
        pen.put("● ", theme.ok).put("No node has a problem.", theme.text).put("  ! shows all", theme.dim);
    } else {
        pen.put("No nodes yet.", theme.text);
    }
}
