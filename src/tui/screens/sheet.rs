//! A screen of views: their names as tabs, and the table of the one that is shown, over all nodes. Every view is drawn by
//! this file: what it looks like stands in its data file.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::record;
use crate::app::sheets::{Across, Group, GroupCell, Line, NodeNote, RowAt, Sheet};
use crate::app::{App, Pane};
use crate::model::view::{Bar, CellKind, Unit, Value, ViewColumn, ViewScreen};
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::cells::cell;
use crate::tui::widgets::data_table::{Column, DataTable, GAP, GUTTER, Order, Placed, place_scrolled};
use crate::tui::widgets::meter::meter;
use crate::tui::widgets::pane::Pane as Frame;
use crate::tui::widgets::pen::Pen;
use crate::tui::{Theme, text};

/// What a head of no column is called where clicks are told: there is nothing to sort by.
const NO_COLUMN: usize = usize::MAX;
/// No text column is wider, but the one that takes what is left.
const WIDEST: usize = 28;
/// A wide column is shown when there is so much room for it.
const WIDE_LEAST: usize = 20;
/// What other columns make room for.
const WIDE_WANTED: u16 = 34;
/// Cells of a gauge, and the blank behind it.
const GAUGE: usize = 5;

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

/// The views of the screen, the shown one marked.
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
        pen.put(&view.title, if nth == at { theme.accent_bold } else { theme.dim }).gap(3);
    }
}

fn table(canvas: &mut Canvas<'_>, area: Rect, sheet: &Sheet) {
    let (app, theme) = (canvas.app, canvas.theme);
    let with_totals = sheet.len() > 1 && sheet.columns().any(|at| sheet.total_of(at).is_some());
    let page = usize::from(area.height.saturating_sub(3 + u16::from(with_totals)));
    let window = sheet.cursor.window(sheet.len(), page);
    let (note, foot) = (note(app, sheet), foot(app, sheet, window.clone()));
    let inner =
        canvas.pane(Pane::View, area, Frame { title: &sheet.view.title, note: &note, foot: &foot, focused: false });
    let grid = Grid::new(app, sheet, theme, inner);
    let (mut placed, more_right) = place_scrolled(&grid.columns, grid.fixed, sheet.column, inner);
    if let Some(last) = placed.last_mut().filter(|last| !more_right && last.nth >= grid.fixed) {
        // Nothing stands behind the last column: it takes what is left.
        last.width = inner.right().saturating_sub(last.x);
    }
    let table = DataTable {
        columns: &grid.columns,
        placed: &placed,
        order: sheet.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        window: window.clone(),
        selected: (!sheet.is_empty()).then_some(sheet.cursor.at),
        focused: canvas.is_focused(Pane::View),
        more: (sheet.column > 0, more_right),
    };
    let height = inner.height.saturating_sub(u16::from(with_totals));
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
    if with_totals {
        grid.totals(canvas.buf, Rect { y: inner.bottom() - 1, height: 1, ..inner }, &placed);
    }
    if sheet.is_empty() {
        Pen::row(canvas.buf, drawn.rows, 0).put(&nothing(app, sheet), theme.dim);
    }
    if let Some(pane) = canvas.last_pane() {
        pane.rows = to_app(drawn.rows);
        pane.first = window.start;
        pane.len = sheet.len();
        pane.more_right = more_right;
        let heads = drawn.heads.into_iter().filter(|(_, index)| *index != NO_COLUMN);
        pane.heads = heads.map(|(area, index)| (to_app(area), index)).collect();
    }
}

/// Why there are no rows.
fn nothing(app: &App, sheet: &Sheet) -> String {
    let answered = sheet.nodes().filter(|(_, node)| node.reading.is_some()).count();
    if answered == 0 {
        let nodes = app.picture().nodes.len();
        return if nodes == 1 { "Asking the node …".to_owned() } else { format!("Asking {nodes} nodes …") };
    }
    if sheet.total == 0 {
        return sheet.view.empty.clone().unwrap_or_else(|| "No rows.".to_owned());
    }
    if !sheet.filter.is_empty() {
        return "No row matches the filter.".to_owned();
    }
    if sheet.view.compare.is_some() {
        return "Nothing differs between the nodes. i shows all of it.".to_owned();
    }
    format!("{} rows are hidden: i shows them.", sheet.total)
}

/// What is shown: which nodes, grouped by what.
fn note(app: &App, sheet: &Sheet) -> String {
    let mut parts = Vec::new();
    match &app.sheets.only {
        Some(only) => match only.as_slice() {
            [one] => parts.push(format!("only {one}")),
            several => parts.push(format!("{} marked nodes", several.len())),
        },
        None if app.picture().nodes.len() > 1 => parts.push(format!("all {} nodes", app.picture().nodes.len())),
        None => {}
    }
    if let Some(column) = sheet.group.and_then(|group| sheet.view.columns.get(group)) {
        parts.push(format!("by {}", column.title.to_lowercase()));
    }
    if let Some(every) = sheet.view.every.filter(|every| *every > app.refresh) {
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
    if !sheet.filter.is_empty() {
        parts.push(format!("/{}", sheet.filter.source()));
    }
    let hidden = sheet.hidden();
    if hidden > 0 {
        let word = sheet.view.hide.first().map_or("more", |hide| hide.word.as_str());
        let word = if sheet.filter.is_empty() && sheet.view.compare.is_none() { word } else { "left out" };
        parts.push(format!("{} {word}", text::count(hidden as u64)));
    }
    if let Some((name, age)) = oldest(app, sheet) {
        parts.push(format!("{name} {} old", text::age(age)));
    }
    let cut = sheet.nodes().filter(|(_, node)| node.reading.as_ref().is_some_and(|reading| reading.answer.truncated));
    if cut.count() > 0 {
        parts.push("cut".to_owned());
    }
    if window.len() < sheet.len() {
        parts.push(format!("{}–{} of {}", window.start + 1, window.end, text::count(sheet.len() as u64)));
    }
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
    let every = sheet.view.every.unwrap_or_default().max(app.refresh);
    let age = picture.at.duration_since(reading.at).unwrap_or_default();
    !answers || age > every * 3 + std::time::Duration::from_secs(2)
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

fn put_note(buf: &mut Buffer, line: Rect, note: &NodeNote, theme: &Theme) {
    let who = match note.nodes.as_slice() {
        [one] => one.to_string(),
        several => format!("{} nodes", several.len()),
    };
    let mut pen = Pen::new(buf, Rect { x: line.x + GUTTER, width: line.width.saturating_sub(GUTTER), ..line });
    pen.sign("✖", theme.warn).gap(1).put(&who, theme.text).gap(2).put(&note.message, theme.warn);
    if let Some(hint) = &note.hint {
        pen.put(" · ", theme.dim).put(hint, theme.text);
    }
}

/// What a column of the table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Node,
    /// A column of the view.
    Data(usize),
    /// The compared value on one of the nodes that are laid side by side.
    Across(usize),
}

/// The columns of a table, and how its lines are drawn.
struct Grid<'a> {
    app: &'a App,
    sheet: &'a Sheet,
    theme: &'a Theme,
    columns: Vec<Column<'a>>,
    /// What each of them shows.
    of: Vec<Shows>,
    fixed: usize,
}

impl<'a> Grid<'a> {
    fn new(app: &'a App, sheet: &'a Sheet, theme: &'a Theme, area: Rect) -> Self {
        let column = |title, index, width: usize, right| {
            let width = width as u16;
            Column { title, index, min: width, max: width, right, importance: 0 }
        };
        let (mut columns, mut of) = (Vec::new(), Vec::new());
        let across = sheet.across();
        let alone = app.sheets.only.as_ref().map_or(app.picture().nodes.len(), Vec::len) < 2;
        let nodes = !alone && across.is_empty();
        if nodes {
            let name = app.picture().nodes.names().map(|name| name.as_str().len()).max().unwrap_or(4).clamp(4, 16);
            let title = if sheet.group.is_some() { "NODES" } else { "NODE" };
            columns.push(column(title, 0, name.max(title.len()), false));
            of.push(Shows::Node);
        }
        for at in shown(sheet) {
            // Side by side stands what is compared, behind what tells the rows apart.
            if !across.is_empty() && !sheet.view.key.contains(&at) {
                continue;
            }
            let Some(data) = sheet.view.columns.get(at) else { continue };
            let right = data.kind.is_number() || data.kind == CellKind::Lsn;
            // Room for the arrow of a sort, where it stands now.
            let arrow = if sheet.sort.is_some_and(|sort| sort.column == at + 1) { 2 } else { 0 };
            let wanted = wanted(data, sheet.width(at)).max(text::width(&data.title) + arrow);
            let gauge = if data.bar.is_some() { GAUGE + 1 } else { 0 };
            columns.push(column(&data.title, at + 1, wanted + gauge, right));
            of.push(Shows::Data(at));
        }
        for (at, node) in across.iter().enumerate() {
            let wanted = sheet.across_width().min(WIDEST);
            columns.push(column(node.as_str(), NO_COLUMN, wanted.max(node.as_str().len()), false));
            of.push(Shows::Across(at));
        }
        // The node, and what tells its rows apart.
        let keys = if across.is_empty() { 1 } else { sheet.view.key.len() };
        let fixed = (usize::from(nodes) + keys).min(columns.len());
        shrink_wide(&mut columns, &of, sheet, area);
        Self { app, sheet, theme, columns, of, fixed }
    }

    fn row(&self, buf: &mut Buffer, line: Rect, row: &RowAt, placed: &[Placed]) {
        let old = is_stale(self.app, self.sheet, &row.node);
        let marked = !self.sheet.marks.is_empty() && self.is_marked(row);
        if marked {
            Pen::new(buf, Rect { x: line.x + 1, width: 1, ..line }).put("•", self.theme.accent);
        }
        for place in placed {
            let within = Rect { x: place.x, width: place.width, ..line };
            match self.of.get(place.nth) {
                Some(Shows::Node) => {
                    let style = if old || row.depth > 0 { self.theme.dim } else { self.theme.text };
                    Pen::new(buf, within).put(row.node.as_str(), style);
                }
                Some(Shows::Data(at)) => {
                    // What stands in front of the columns of the tree shows where the row belongs.
                    let depth = if place.nth + 1 == self.fixed { row.depth } else { 0 };
                    self.cell(buf, within, (*at, row), depth, old);
                }
                Some(Shows::Across(_)) | None => {}
            }
        }
    }

    /// One row a node, what is not as on most of them marked.
    fn across(&self, buf: &mut Buffer, line: Rect, across: &Across, placed: &[Placed]) {
        let (sheet, theme) = (self.sheet, self.theme);
        let compare = sheet.view.compare.unwrap_or_default();
        let values: Vec<Value<'_>> = sheet
            .across()
            .iter()
            .zip(&across.rows)
            .map(|(node, row)| row.map_or(Value::Unknown, |row| sheet.value(node, row, compare)))
            .collect();
        let times = |value: &Value<'_>| values.iter().filter(|other| *other == value).count();
        // Of two that are as many, the first is as good as the other.
        let usual = values.iter().rev().max_by_key(|value| times(value)).copied();
        for place in placed {
            let within = Rect { x: place.x, width: place.width, ..line };
            match self.of.get(place.nth) {
                Some(Shows::Data(at)) => self.cell(buf, within, (*at, &across.first), 0, false),
                Some(Shows::Across(at)) => {
                    let value = values.get(*at).copied().unwrap_or(Value::Unknown);
                    let style = if Some(value) == usual { theme.text } else { theme.warn };
                    let said = match (value, across.rows.get(*at)) {
                        (Value::Text(text), _) => one_line(text),
                        (_, Some(Some(_))) => Cow::Borrowed("NULL"),
                        _ => Cow::Borrowed(text::UNKNOWN),
                    };
                    Pen::new(buf, within).put(&said, style);
                }
                Some(Shows::Node) | None => {}
            }
        }
    }

    fn is_marked(&self, row: &RowAt) -> bool {
        let reading = self.sheet.node(&row.node).and_then(|node| node.reading.as_ref());
        reading.is_some_and(|reading| {
            self.sheet.marks.contains(&(row.node.clone(), reading.key(&self.sheet.view, row.at)))
        })
    }

    fn cell(&self, buf: &mut Buffer, within: Rect, (at, row): (usize, &RowAt), depth: u8, old: bool) {
        let (theme, sheet) = (self.theme, self.sheet);
        let Some(column) = sheet.view.columns.get(at) else { return };
        let value = sheet.value(&row.node, row.at, at);
        let said = cell(column, value, self.app.picture().at);
        let style =
            if old || value == Value::Unknown { theme.dim } else { level(column, value, theme).unwrap_or(theme.text) };
        let mut pen = Pen::new(buf, within);
        if let Some(share) = self.share(column, value, row) {
            let full = if style == theme.text { theme.ok } else { style };
            meter(&mut pen, share, GAUGE, full, theme);
            pen.gap(1);
        }
        let room = pen.room();
        if depth > 0 {
            let indent = "  ".repeat(usize::from(depth - 1)) + "└ ";
            pen.put(&indent, theme.border).put(&said, style);
        } else if column.kind.is_number() || column.kind == CellKind::Lsn {
            pen.column_right(&said, room, style);
        } else {
            pen.put(&one_line(&said), style);
        }
    }

    fn share(&self, column: &ViewColumn, value: Value<'_>, row: &RowAt) -> Option<f64> {
        let of = match column.bar? {
            Bar::Of(number) => number,
            Bar::OfColumn(at) => self.sheet.value(&row.node, row.at, at).number()?,
        };
        let number = value.number()?;
        (of > 0.0).then(|| number / of)
    }

    fn group(&self, buf: &mut Buffer, line: Rect, group: &Group, placed: &[Placed]) {
        let theme = self.theme;
        for place in placed {
            let area = Rect { x: place.x, width: place.width, ..line };
            let Some(Shows::Data(at)) = self.of.get(place.nth) else {
                Pen::new(buf, area).put(&format!("{}", group.nodes), theme.text);
                continue;
            };
            let Some(column) = self.sheet.view.columns.get(*at) else { continue };
            if Some(*at) == self.sheet.group {
                let value = if group.value.is_empty() { text::UNKNOWN } else { &group.value };
                let mut pen = Pen::new(buf, area);
                pen.put(&format!("{}× ", group.rows), theme.accent).put(&one_line(value), theme.bright);
                continue;
            }
            match group.cells.get(*at) {
                Some(GroupCell::Total(total)) => {
                    let said = cell(column, Value::Rate(*total), self.app.picture().at);
                    let style = level(column, Value::Rate(*total), theme).unwrap_or(theme.text);
                    Pen::new(buf, area).column_right(&figure(&said, *total), usize::from(place.width), style);
                }
                Some(GroupCell::Same(row)) => self.cell(buf, area, (*at, row), 0, false),
                Some(GroupCell::Mixed) | None => {}
            }
        }
    }

    /// The sums of what is shown.
    fn totals(&self, buf: &mut Buffer, line: Rect, placed: &[Placed]) {
        let theme = self.theme;
        Pen::new(buf, line).put("Σ", theme.accent);
        for place in placed {
            let Some(Shows::Data(at)) = self.of.get(place.nth) else { continue };
            let (Some(total), Some(column)) = (self.sheet.total_of(*at), self.sheet.view.columns.get(*at)) else {
                continue;
            };
            let said = cell(column, Value::Rate(total), self.app.picture().at);
            let mut pen = Pen::new(buf, Rect { x: place.x, width: place.width, ..line });
            pen.column_right(&figure(&said, total), usize::from(place.width), theme.bright);
        }
    }
}

/// A total that has no digits of the server's own.
fn figure(said: &str, total: f64) -> Cow<'_, str> {
    if said.is_empty() { Cow::Owned(text::count(total.max(0.0) as u64)) } else { Cow::Borrowed(said) }
}

/// The columns that are shown; grouped, the one that is grouped by stands first.
fn shown(sheet: &Sheet) -> Vec<usize> {
    let mut columns: Vec<usize> = sheet.columns().filter(|at| Some(*at) != sheet.group).collect();
    if let Some(group) = sheet.group {
        columns.insert(0, group);
    }
    columns
}

/// Columns that a value needs: the same whatever it is, so that nothing jumps.
fn wanted(column: &ViewColumn, widest: usize) -> usize {
    match (column.kind, column.unit) {
        (CellKind::Bool, _) => 3,
        (_, Some(Unit::Ms | Unit::Seconds | Unit::Bytes)) => 7,
        (_, Some(Unit::BytesPerSecond | Unit::PerSecond)) => 9,
        (_, Some(Unit::Percent)) => 6,
        (_, Some(Unit::Time)) => 10,
        (kind, _) if kind.is_number() && column.total.is_some() => widest + widest.saturating_sub(1) / 3,
        (CellKind::Text, _) if column.wide => widest.max(WIDE_LEAST),
        _ => widest.clamp(3, WIDEST),
    }
}

/// A wide column takes what those before it leave. Where that is little, they are cut to the widths that their file gives:
/// a statement that is not seen says less than a name that is cut.
fn shrink_wide(columns: &mut [Column<'_>], of: &[Shows], sheet: &Sheet, area: Rect) {
    let data = |of: &Shows| match of {
        Shows::Data(at) => sheet.view.columns.get(*at),
        Shows::Node | Shows::Across(_) => None,
    };
    let Some(wide) = of.iter().position(|at| data(at).is_some_and(|data| data.wide)) else { return };
    let room = area.width.saturating_sub(GUTTER);
    let before = |columns: &[Column<'_>]| columns.iter().take(wide).map(|column| column.max + GAP).sum::<u16>();
    if before(columns) + WIDE_WANTED > room {
        for (column, at) in columns.iter_mut().zip(of).take(wide) {
            let least = text::width(column.title) as u16;
            let most = data(at).and_then(|data| data.width).unwrap_or(column.max);
            column.max = column.max.min(most.max(least));
        }
    }
    let room = room.saturating_sub(before(columns)).max(WIDE_LEAST as u16);
    if let Some(column) = columns.get_mut(wide) {
        column.max = column.max.min(room);
    }
}

/// Line breaks and runs of blanks say nothing in a cell.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\t', '\r']) || text.contains("  ") {
        // As much as any screen is wide.
        Cow::Owned(text.split_whitespace().take(200).collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(text)
    }
}
