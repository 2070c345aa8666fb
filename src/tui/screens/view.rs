//! A screen of views: their names as tabs, and the table of the current one, over all nodes. This file draws every
//! view; the data file of a view says how.

mod cell;
mod grid;
mod note;
mod record;
mod totals;

use ratatui::layout::Rect;

use crate::app::views::{Shown, TableLine, ViewTable};
use crate::app::{App, Pane};
use crate::model::NodeName;
use crate::model::view::ViewScreen;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::data_table::{DataTable, Order, place_scrolled};
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::wrapped::Rows;
use cell::is_stale;
use grid::Grid;
use note::{put_faults_beyond, put_note};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, screen: ViewScreen) {
    let theme = canvas.theme;
    let tabs = canvas.app.views.tabs(screen).len();
    let area = if tabs > 1 {
        names(canvas, Rect { height: 1, ..area }, screen);
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    } else {
        area
    };
    let Some(table) = canvas.app.view_table() else {
        let inner = canvas.pane(Pane::View, area, Border { title: "Views", ..Border::default() });
        Pen::row(canvas.buf, inner, 0).put("Reading the views …", theme.dim);
        return;
    };
    match &table.opened {
        Some(opened) => record::draw(canvas, area, table, opened),
        None => draw_table(canvas, area, table),
    }
}

/// The views of the screen, with the current one marked; those that no node can have are dim.
fn names(canvas: &mut Canvas<'_>, line: Rect, screen: ViewScreen) {
    let (app, theme) = (canvas.app, canvas.theme);
    let shown = app.views.shown(screen).map(|view| view.name.clone());
    let tabs = app.views.tabs(screen);
    let at = tabs.iter().position(|view| shown.as_deref() == Some(&view.name)).unwrap_or_default();
    // Tabs at the front are dropped until the current one is visible.
    let width = |tabs: &[&std::sync::Arc<crate::model::View>]| {
        tabs.iter().map(|view| text::width(&view.title) + 3).sum::<usize>()
    };
    let fits = |first: &usize| tabs.get(*first..=at).is_none_or(|tabs| width(tabs) + 2 <= usize::from(line.width));
    let first = (0..=at).find(fits).unwrap_or(at);
    let mut pen = Pen::new(canvas.buf, line);
    pen.put(if first > 0 { "‹ " } else { "  " }, theme.accent_bold);
    for (nth, view) in tabs.iter().enumerate().skip(first) {
        let style = match nth {
            nth if nth == at => theme.accent_bold,
            _ if app.is_unavailable(view) => theme.dim,
            _ => theme.text,
        };
        pen.put(&view.title, style).gap(3);
    }
}

fn draw_table(canvas: &mut Canvas<'_>, area: Rect, table: &ViewTable) {
    let (app, theme) = (canvas.app, canvas.theme);
    let within = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    let grid = Grid::new(app, table, theme, within);
    let (mut placed, more_right) = place_scrolled(&grid.columns, grid.fixed, table.column, within);
    if let Some(last) = placed.last_mut().filter(|last| !more_right && last.nth >= grid.fixed) {
        // The last column takes the rest.
        last.width = within.right().saturating_sub(last.x);
    }
    let totals = totals::lines(table, &grid.in_sight(&placed));
    let below = totals.len() as u16;
    let page = area.height.saturating_sub(3 + below);
    let height = app.wrap.then_some(|at| table.line(at).map_or(1, |line| grid.height(line, &placed, within.width)));
    let rows = Rows::of(&table.cursor, table.len(), page, height);
    let window = rows.window.clone();
    let (note, foot) = (note(app, table), foot(app, table, window.clone()));
    let loud = filtered(only(app), &table.filter, table.left_out);
    let border = Border { title: &table.view.title, loud: &loud, note: &note, foot: &foot, focused: false };
    let inner = canvas.pane(Pane::View, area, border);
    put_faults_beyond(canvas.buf, area, &foot, table, &window, theme);
    let data_table = DataTable {
        columns: &grid.columns,
        placed: &placed,
        order: table.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        shown: &rows,
        selected: (!table.is_empty()).then_some(table.cursor.at),
        focused: canvas.is_focused(Pane::View),
        more: (table.column > 0, more_right),
    };
    let height = inner.height.saturating_sub(below);
    let drawn =
        data_table.draw(canvas.buf, Rect { height, ..inner }, theme, |buf, line, number| match table.line(number) {
            Some(TableLine::Row(row)) => grid.row(buf, line, row, &placed),
            Some(TableLine::Across(across)) => grid.across(buf, line, across, &placed),
            Some(TableLine::Group(at)) => {
                if let Some(group) = table.groups().get(*at) {
                    grid.group(buf, line, group, &placed);
                }
            }
            Some(TableLine::Note(note)) => put_note(buf, line, note, theme),
            None => {}
        });
    for (total, y) in totals.iter().zip(inner.y + height..inner.bottom()) {
        grid.totals(canvas.buf, Rect { y, height: 1, ..inner }, total, &placed);
    }
    let notes = (0..table.len())
        .filter(|at| matches!(table.line(*at), Some(TableLine::Note(_))))
        .take(usize::from(page))
        .count();
    if table.is_empty() || (notes == table.len() && (table.left_out > 0 || is_answered(table))) {
        Pen::row(canvas.buf, drawn.rows, notes as u16).put(&nothing(app, table), theme.dim);
    }
    canvas.note_table(drawn, &rows, table.len());
}

/// True if no node failed, and one that can have rows has none.
fn is_answered(table: &ViewTable) -> bool {
    let is_fault = |at| matches!(table.line(at), Some(TableLine::Note(note)) if note.fault);
    let has_none =
        |shown: &Shown| shown.reading.as_ref().is_some_and(|reading| reading.answer.not_applicable.is_none());
    !(0..table.len()).any(is_fault) && table.nodes().any(|(_, shown)| has_none(shown))
}

/// Why there are no rows.
fn nothing(app: &App, table: &ViewTable) -> String {
    if table.left_out > 0 {
        return none_left("row", &table.filter);
    }
    let is_shown = |name: &NodeName| app.views.only.as_ref().is_none_or(|only| only.contains(name));
    let nodes = app.picture().nodes.names().filter(|name| is_shown(name)).count();
    let answered = table.nodes().filter(|(name, node)| is_shown(name) && node.reading.is_some()).count();
    match nodes.saturating_sub(answered) {
        0 if nodes == 0 => return "There are no nodes yet: a adds one.".to_owned(),
        0 => {}
        1 if nodes == 1 => return "Asking the node …".to_owned(),
        left if answered == 0 => return format!("Asking {left} nodes …"),
        left => return format!("No rows from {answered} of {nodes} nodes; asking {left} …"),
    }
    if table.total == 0 {
        return table.view.empty.clone().unwrap_or_else(|| "No rows.".to_owned());
    }
    if table.view.compare.is_some() {
        return "Nothing differs between the nodes. i shows all of it.".to_owned();
    }
    format!("{} rows are hidden: i shows them.", text::count(table.total as u64))
}

/// The nodes that are shown, if not all are.
fn only(app: &App) -> Vec<String> {
    match app.views.only.as_deref() {
        Some([one]) => vec![format!("only {one}")],
        Some(several) => vec![format!("only {} marked nodes", several.len())],
        None => Vec::new(),
    }
}

/// Which nodes are shown, and what they are grouped by.
fn note(app: &App, table: &ViewTable) -> String {
    let mut parts = Vec::new();
    if app.views.only.is_none() && app.picture().nodes.len() > 1 {
        parts.push(format!("all {} nodes", app.picture().nodes.len()));
    }
    if let Some(column) = table.group.and_then(|group| table.view.columns.get(group)) {
        parts.push(format!("by {}", column.title.to_lowercase()));
    }
    if let Some(every) = table.view.every.filter(|every| *every > app.fleet.refresh) {
        parts.push(format!("every {}", text::period(every)));
    }
    if !table.marks.is_empty() {
        parts.push(format!("{} marked", table.marks.len()));
    }
    parts.join(" · ")
}

/// What is left out, how old the rows are, and which of them are visible.
fn foot(app: &App, table: &ViewTable, window: std::ops::Range<usize>) -> String {
    let mut parts = Vec::new();
    if table.hidden > 0 {
        let word = table.view.hide.first().map_or("more", |hide| hide.word.as_str());
        let word = if table.view.compare.is_none() { word } else { "the same" };
        parts.push(format!("{} {word}", text::count(table.hidden as u64)));
    }
    if let Some((name, age)) = oldest(app, table) {
        parts.push(format!("{name} {} old", text::age(age)));
    }
    if table.waiting > 0 && !table.is_empty() {
        parts.push(format!("asking {}", table.waiting));
    }
    let cut = table.nodes().filter(|(_, node)| node.reading.as_ref().is_some_and(|reading| reading.answer.truncated));
    if cut.count() > 0 {
        parts.push("cut".to_owned());
    }
    parts.push(text::part(&window, table.len()));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// The node with the oldest rows, if these are stale.
fn oldest<'a>(app: &App, table: &'a ViewTable) -> Option<(&'a str, std::time::Duration)> {
    let stale = table.nodes().filter_map(|(name, node)| {
        let age = app.picture().at.duration_since(node.reading.as_ref()?.at).unwrap_or_default();
        is_stale(app, table, name).then_some((name.as_str(), age))
    });
    stale.max_by_key(|(_, age)| *age)
}
