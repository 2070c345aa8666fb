//! A screen of views: their names as tabs, and the table of the one that is shown, over all nodes. Every view is drawn by
//! this file: what it looks like stands in its data file.

mod grid;
mod totals;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::record;
use crate::app::views::{Line, NodeNote, Sheet};
use crate::app::{App, Pane};
use crate::fleet::Series;
use crate::model::NodeName;
use crate::model::view::{Value, ViewColumn, ViewScreen};
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::widgets::data_table::{DataTable, GUTTER, Order, place_scrolled};
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pane::Pane as Frame;
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::spark::Bar;
use crate::tui::widgets::wrapped::{self, Rows};
use grid::Grid;

/// Cells of a trend.
pub(super) const TREND: usize = 12;
/// What a head of no column is called where clicks are told: there is nothing to sort by.
const NO_COLUMN: usize = usize::MAX;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, screen: ViewScreen) {
    let theme = canvas.theme;
    let tabs = canvas.app.sheets.tabs(screen).len();
    let area = if tabs > 1 {
        names(canvas, Rect { height: 1, ..area }, screen);
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    } else {
        area
    };
    let Some(sheet) = canvas.app.sheet() else {
        let inner = canvas.pane(Pane::View, area, Frame { title: "Views", ..Frame::default() });
        Pen::row(canvas.buf, inner, 0).put("Reading the views …", theme.dim);
        return;
    };
    match &sheet.opened {
        Some(opened) => record::draw(canvas, area, sheet, opened),
        None => table(canvas, area, sheet),
    }
}

/// The views of the screen, the shown one marked; dim are those that no node can have.
fn names(canvas: &mut Canvas<'_>, line: Rect, screen: ViewScreen) {
    let (app, theme) = (canvas.app, canvas.theme);
    let shown = app.sheets.shown(screen).map(|view| view.name.clone());
    let tabs = app.sheets.tabs(screen);
    let at = tabs.iter().position(|view| shown.as_deref() == Some(&view.name)).unwrap_or_default();
    // Those in front leave where the shown one would not be seen.
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

fn table(canvas: &mut Canvas<'_>, area: Rect, sheet: &Sheet) {
    let (app, theme) = (canvas.app, canvas.theme);
    let within = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    let grid = Grid::new(app, sheet, theme, within);
    let (mut placed, more_right) = place_scrolled(&grid.columns, grid.fixed, sheet.column, within);
    if let Some(last) = placed.last_mut().filter(|last| !more_right && last.nth >= grid.fixed) {
        // Nothing stands behind the last column: it takes what is left.
        last.width = within.right().saturating_sub(last.x);
    }
    let totals = totals::lines(sheet, &grid.in_sight(&placed));
    let below = totals.len() as u16;
    let page = area.height.saturating_sub(3 + below);
    let height = app.wrap.then_some(|at| sheet.line(at).map_or(1, |line| grid.height(line, &placed, within.width)));
    let rows = Rows::of(&sheet.cursor, sheet.len(), page, height);
    let window = rows.window.clone();
    let (note, foot) = (note(app, sheet), foot(app, sheet, window.clone()));
    let loud = filtered(only(app), &sheet.filter, sheet.left_out);
    let frame = Frame { title: &sheet.view.title, loud: &loud, note: &note, foot: &foot, focused: false };
    let inner = canvas.pane(Pane::View, area, frame);
    let beside = text::width(&foot) as u16 + 4;
    let border = Rect { y: area.bottom().saturating_sub(1), height: 1, ..inner };
    put_faults(canvas.buf, Rect { width: border.width.saturating_sub(beside), ..border }, sheet, &window, theme);
    let table = DataTable {
        columns: &grid.columns,
        placed: &placed,
        order: sheet.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        shown: &rows,
        selected: (!sheet.is_empty()).then_some(sheet.cursor.at),
        focused: canvas.is_focused(Pane::View),
        more: (sheet.column > 0, more_right),
    };
    let height = inner.height.saturating_sub(below);
    let drawn = table.draw(canvas.buf, Rect { height, ..inner }, theme, |buf, line, number| match sheet.line(number) {
        Some(Line::Row(row)) => grid.row(buf, line, row, &placed),
        Some(Line::Across(across)) => grid.across(buf, line, across, &placed),
        Some(Line::Group(at)) => {
            if let Some(group) = sheet.groups().get(*at) {
                grid.group(buf, line, group, &placed);
            }
        }
        Some(Line::Note(note)) => put_note(buf, line, note, theme),
        None => {}
    });
    for (total, y) in totals.iter().zip(inner.y + height..inner.bottom()) {
        grid.totals(canvas.buf, Rect { y, height: 1, ..inner }, total, &placed);
    }
    let notes =
        (0..sheet.len()).filter(|at| matches!(sheet.line(*at), Some(Line::Note(_)))).take(usize::from(page)).count();
    if sheet.is_empty() || (sheet.left_out > 0 && notes == sheet.len()) {
        Pen::row(canvas.buf, drawn.rows, notes as u16).put(&nothing(app, sheet), theme.dim);
    }
    if let Some(pane) = canvas.last_pane() {
        pane.rows = to_app(drawn.rows);
        pane.first = window.start;
        pane.numbers = rows.numbers();
        pane.len = sheet.len();
        pane.more_right = more_right;
        let heads = drawn.heads.into_iter().filter(|(_, index)| *index != NO_COLUMN);
        pane.heads = heads.map(|(area, index)| (to_app(area), index)).collect();
    }
}

/// Why there are no rows.
fn nothing(app: &App, sheet: &Sheet) -> String {
    if sheet.left_out > 0 {
        return none_left("row", &sheet.filter);
    }
    let is_shown = |name: &NodeName| app.sheets.only.as_ref().is_none_or(|only| only.contains(name));
    let nodes = app.picture().nodes.names().filter(|name| is_shown(name)).count();
    let answered = sheet.nodes().filter(|(name, node)| is_shown(name) && node.reading.is_some()).count();
    match nodes.saturating_sub(answered) {
        0 if nodes == 0 => return "There are no nodes yet: a adds one.".to_owned(),
        0 => {}
        1 if nodes == 1 => return "Asking the node …".to_owned(),
        left if answered == 0 => return format!("Asking {left} nodes …"),
        left => return format!("No rows from {answered} of {nodes} nodes; asking {left} …"),
    }
    if sheet.total == 0 {
        return sheet.view.empty.clone().unwrap_or_else(|| "No rows.".to_owned());
    }
    if sheet.view.compare.is_some() {
        return "Nothing differs between the nodes. i shows all of it.".to_owned();
    }
    format!("{} rows are hidden: i shows them.", text::count(sheet.total as u64))
}

/// The nodes that are shown, where not all are.
fn only(app: &App) -> Vec<String> {
    match app.sheets.only.as_deref() {
        Some([one]) => vec![format!("only {one}")],
        Some(several) => vec![format!("only {} marked nodes", several.len())],
        None => Vec::new(),
    }
}

/// What is shown: which nodes, grouped by what.
fn note(app: &App, sheet: &Sheet) -> String {
    let mut parts = Vec::new();
    if app.sheets.only.is_none() && app.picture().nodes.len() > 1 {
        parts.push(format!("all {} nodes", app.picture().nodes.len()));
    }
    if let Some(column) = sheet.group.and_then(|group| sheet.view.columns.get(group)) {
        parts.push(format!("by {}", column.title.to_lowercase()));
    }
    if let Some(every) = sheet.view.every.filter(|every| *every > app.fleet.refresh) {
        parts.push(format!("every {}", text::period(every)));
    }
    if !sheet.marks.is_empty() {
        parts.push(format!("{} marked", sheet.marks.len()));
    }
    parts.join(" · ")
}

/// What is left out, how old it is, and where in it we are.
fn foot(app: &App, sheet: &Sheet, window: std::ops::Range<usize>) -> String {
    let mut parts = Vec::new();
    if sheet.hidden > 0 {
        let word = sheet.view.hide.first().map_or("more", |hide| hide.word.as_str());
        let word = if sheet.view.compare.is_none() { word } else { "the same" };
        parts.push(format!("{} {word}", text::count(sheet.hidden as u64)));
    }
    if let Some((name, age)) = oldest(app, sheet) {
        parts.push(format!("{name} {} old", text::age(age)));
    }
    let cut = sheet.nodes().filter(|(_, node)| node.reading.as_ref().is_some_and(|reading| reading.answer.truncated));
    if cut.count() > 0 {
        parts.push("cut".to_owned());
    }
    parts.push(text::part(&window, sheet.len()));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// The node whose rows are oldest, where they are no longer what it would answer now.
fn oldest<'a>(app: &App, sheet: &'a Sheet) -> Option<(&'a str, std::time::Duration)> {
    let stale = sheet.nodes().filter_map(|(name, node)| {
        let age = app.picture().at.duration_since(node.reading.as_ref()?.at).unwrap_or_default();
        is_stale(app, sheet, name).then_some((name.as_str(), age))
    });
    stale.max_by_key(|(_, age)| *age)
}

/// Whether a node's rows are older than the pace of the view allows for, or the node is gone.
fn is_stale(app: &App, sheet: &Sheet, name: &crate::model::NodeName) -> bool {
    let picture = app.picture();
    let answers = picture.nodes.get(name).is_some_and(|node| node.health.state.answers());
    let Some(reading) = sheet.node(name).and_then(|node| node.reading.as_ref()) else { return false };
    if reading.answer.not_applicable.is_some() {
        // It is rarely asked again, and had nothing that could grow old.
        return false;
    }
    let every = sheet.view.every.unwrap_or_default().max(app.fleet.refresh);
    let age = picture.at.duration_since(reading.at).unwrap_or_default();
    !answers || age > every * 3 + std::time::Duration::from_secs(2)
}

/// The last answers of a column of a node's row, against the highest of them.
pub(super) fn trend(app: &App, table: &Sheet, (node, row): (&NodeName, usize), of: usize, theme: &Theme) -> Vec<Bar> {
    let values: Vec<f64> = app.series(table, node, row, of).into_iter().flat_map(Series::recent).collect();
    let highest = values.iter().copied().fold(0.0, f64::max);
    let share = |value: &f64| if highest > 0.0 { value / highest } else { 0.0 };
    values.iter().map(|value| Bar::Level(share(value), theme.secondary)).collect()
}

/// The style that a threshold gives a value.
pub(super) fn level(column: &ViewColumn, value: Value<'_>, theme: &Theme) -> Option<Style> {
    let meets = |condition: &Option<crate::model::Condition>| {
        condition.as_ref().is_some_and(|condition| match value {
            Value::Text(text) => condition.holds(Some(text)),
            Value::Rate(rate) => condition.holds_number(Some(rate)),
            Value::Unknown => false,
        })
    };
    if meets(&column.critical) {
        Some(theme.bad)
    } else if meets(&column.warning) {
        Some(theme.warn)
    } else {
        None
    }
}

fn who(note: &NodeNote) -> String {
    match note.nodes.as_slice() {
        [one] => one.to_string(),
        several => format!("{} nodes", several.len()),
    }
}

/// In the border: what is wrong with nodes whose notes are out of sight.
fn put_faults(buf: &mut Buffer, line: Rect, sheet: &Sheet, window: &std::ops::Range<usize>, theme: &Theme) {
    let faults: Vec<&NodeNote> = sheet.faults_beyond(window).collect();
    let Some(first) = faults.last() else { return };
    let failed = faults.iter().map(|note| note.nodes.len()).sum::<usize>();
    let count = format!("; {failed} of {} ", sheet.nodes_asked());
    let said = format!(" ✖ {}: {}", who(first), first.message);
    let room = usize::from(line.width).saturating_sub(text::width(&count));
    Pen::new(buf, line).put(&text::fit(&said, room), theme.warn).put(&count, theme.warn);
}

/// What a note says behind its sign, where that is wrapped.
fn whole_note(note: &NodeNote) -> String {
    let hint = note.hint.as_ref().map(|hint| format!(" · {hint}")).unwrap_or_default();
    format!("{}: {}{hint}", who(note), note.message)
}

fn put_note(buf: &mut Buffer, line: Rect, note: &NodeNote, theme: &Theme) {
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
