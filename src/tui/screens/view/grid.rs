//! The columns of a view table, and how each kind of line is drawn.

mod height;

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cell::{TREND, clock, is_stale, level, trend};
use super::totals::TotalLine;
use crate::app::App;
use crate::app::views::{Across, Group, GroupCell, RowAt, ViewTable};
use crate::fleet::Series;
use crate::model::view::{Bar as Gauge, CellKind, Source, Total, Unit, Value, ViewColumn, cell_within};
use crate::text;
use crate::tui::Theme;
use crate::tui::widgets::data_table::{Column, GAP, GUTTER, NO_COLUMN, Placed};
use crate::tui::widgets::meter::meter;
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::spark::spark;
use crate::tui::widgets::wrapped::{self, one_line};

/// Maximum width of a text column, except of the one that takes the rest.
const WIDEST: usize = 28;
/// Minimum width at which a wide column is shown.
const WIDE_LEAST: usize = 20;
/// The width of a wide column for which others are shortened.
const WIDE_WANTED: u16 = 34;
/// Precedes the head of a column whose groups show their highest value.
const MAX: &str = "MAX ";
/// Width of a gauge, in cells, without the blank after it.
const GAUGE: usize = 5;

/// What a column of the table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Node,
    /// A column of the view.
    Data(usize),
    /// The compared value of one of the nodes that are side by side.
    Across(usize),
}

/// The columns of a table, and how its lines are drawn.
pub(super) struct Grid<'a> {
    app: &'a App,
    table: &'a ViewTable,
    theme: &'a Theme,
    pub(super) columns: Vec<Column<'a>>,
    /// What each column shows.
    of: Vec<Shows>,
    pub(super) fixed: usize,
}

impl<'a> Grid<'a> {
    pub(super) fn new(app: &'a App, table: &'a ViewTable, theme: &'a Theme, area: Rect) -> Self {
        let column = |title, index, width: usize, right| {
            let width = width as u16;
            Column { prefix: "", title, index, min: width, max: width, right, importance: 0 }
        };
        let (mut columns, mut of) = (Vec::new(), Vec::new());
        let across = table.across();
        let alone = app.views.only.as_ref().map_or(app.picture().nodes.len(), Vec::len) < 2;
        let nodes = !alone && across.is_empty();
        if nodes {
            let name = app.picture().nodes.names().map(|name| name.as_str().len()).max().unwrap_or(4).clamp(4, 16);
            let title = if table.group.is_some() { "NODES" } else { "NODE" };
            columns.push(column(title, 0, name.max(title.len()), false));
            of.push(Shows::Node);
        }
        for at in shown(table) {
            // Side by side shows only the compared column, after the key.
            if !across.is_empty() && !table.view.key.contains(&at) {
                continue;
            }
            let Some(data) = table.view.columns.get(at) else { continue };
            let right = data.kind.is_number() || data.kind == CellKind::Lsn;
            // Room for the arrow of the current sort.
            let arrow = if table.sort.is_some_and(|sort| sort.column == at + 1) { 2 } else { 0 };
            let wanted = wanted(data, table.width(at)).max(total_width(data, table.total_of(at)));
            let prefix = if table.group.is_some() && data.total == Some(Total::Max) { MAX } else { "" };
            let wanted = wanted.max(prefix.len() + text::width(&data.title) + arrow);
            let gauge = if data.bar.is_some() { GAUGE + 1 } else { 0 };
            // The first column of a tree is indented by its depth.
            let gauge = gauge + if columns.len() == usize::from(nodes) { 2 * usize::from(table.depth()) } else { 0 };
            // A group is preceded by the number of its rows.
            let times = if table.group == Some(at) { 5 } else { 0 };
            columns.push(Column { prefix, ..column(&data.title, at + 1, wanted + gauge + times, right) });
            of.push(Shows::Data(at));
        }
        for (at, node) in across.iter().enumerate() {
            let wanted = table.across_width().min(WIDEST);
            columns.push(column(node.as_str(), NO_COLUMN, wanted.max(node.as_str().len()), false));
            of.push(Shows::Across(at));
        }
        // The node, and the key of its rows.
        let keys = if across.is_empty() { 1 } else { table.view.key.len() };
        let fixed = (usize::from(nodes) + keys).min(columns.len());
        shrink_wide(&mut columns, &of, table, area);
        Self { app, table, theme, columns, of, fixed }
    }

    pub(super) fn row(&self, buf: &mut Buffer, line: Rect, row: &RowAt, placed: &[Placed]) {
        let old = is_stale(self.app, self.table, &row.node);
        let marked = !self.table.marks.is_empty() && self.is_marked(row);
        if marked {
            Pen::new(buf, Rect { x: line.x + 1, width: 1, ..line }).put("•", self.theme.accent);
        }
        for place in placed {
            let within = Rect { x: place.x, width: place.width, ..line };
            match self.of.get(place.nth) {
                Some(Shows::Node) => {
                    let style = if old || row.depth > 0 { self.theme.dim } else { self.theme.text };
                    wrapped::put(buf, within, row.node.as_str(), style);
                }
                Some(Shows::Data(at)) => {
                    // The last of the fixed columns shows the place in the tree.
                    let depth = if place.nth + 1 == self.fixed { row.depth } else { 0 };
                    self.cell(buf, within, (*at, row), depth, old);
                }
                Some(Shows::Across(_)) | None => {}
            }
        }
    }

    /// Draws the values of all nodes in one row; values that differ from the most common one are marked.
    pub(super) fn across(&self, buf: &mut Buffer, line: Rect, across: &Across, placed: &[Placed]) {
        let (table, theme) = (self.table, self.theme);
        let compare = table.view.compare.unwrap_or_default();
        let values: Vec<Value<'_>> = table
            .across()
            .iter()
            .zip(&across.rows)
            .map(|(node, row)| row.map_or(Value::Unknown, |row| table.value(node, row, compare)))
            .collect();
        let times = |value: &Value<'_>| values.iter().filter(|other| *other == value).count();
        // Among equally common values, the first is taken.
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
                    wrapped::put(buf, within, &said, style);
                }
                Some(Shows::Node) | None => {}
            }
        }
    }

    fn is_marked(&self, row: &RowAt) -> bool {
        let reading = self.table.node(&row.node).and_then(|node| node.reading.as_ref());
        reading.is_some_and(|reading| {
            self.table.marks.contains(&(row.node.clone(), reading.key(&self.table.view, row.at)))
        })
    }

    fn cell(&self, buf: &mut Buffer, within: Rect, (at, row): (usize, &RowAt), depth: u8, old: bool) {
        let (theme, table) = (self.theme, self.table);
        let Some(column) = table.view.columns.get(at) else { return };
        if let Source::Trend { of } = column.source {
            let bars = trend(self.app.series(table, &row.node, row.at, of), theme);
            return spark(&mut Pen::new(buf, within), bars.into_iter(), usize::from(within.width));
        }
        let value = table.value(&row.node, row.at, at);
        let unusual = column.unusual && self.app.series(table, &row.node, row.at, at).is_some_and(Series::is_unusual);
        let plain = if unusual { theme.accent } else { theme.text };
        let style =
            if old || value == Value::Unknown { theme.dim } else { level(column, value, theme).unwrap_or(plain) };
        let mut pen = Pen::new(buf, within);
        if let Some(share) = self.share(column, value, row) {
            let full = if style == theme.text { theme.ok } else { style };
            meter(&mut pen, share, GAUGE, full, theme);
            pen.gap(1);
        }
        let room = pen.room();
        let said = cell_within(
            column,
            value,
            clock(self.app, table, &row.node),
            if unusual { room.saturating_sub(2) } else { room },
        );
        let said = if unusual { Cow::Owned(format!("▲ {said}")) } else { said };
        if depth > 0 {
            let indent = "  ".repeat(usize::from(depth - 1)) + "└ ";
            pen.put(&indent, theme.border);
            let rest = Rect { x: pen.x(), width: pen.room() as u16, ..within };
            wrapped::put(buf, rest, &said, style);
        } else if column.kind.is_number() || column.kind == CellKind::Lsn {
            pen.column_right(&said, room, style);
        } else {
            let rest = Rect { x: pen.x(), width: room as u16, ..within };
            wrapped::put(buf, rest, &said, style);
        }
    }

    /// The share (0 to 1) that the bar of a value shows; `None` if the whole is unknown or 0.
    fn share(&self, column: &ViewColumn, value: Value<'_>, row: &RowAt) -> Option<f64> {
        let of = match column.bar? {
            Gauge::Of(number) => number,
            Gauge::OfColumn(at) => self.table.value(&row.node, row.at, at).number()?,
        };
        let number = value.number()?;
        (of > 0.0).then(|| number / of)
    }

    pub(super) fn group(&self, buf: &mut Buffer, line: Rect, group: &Group, placed: &[Placed]) {
        let theme = self.theme;
        for place in placed {
            let area = Rect { x: place.x, width: place.width, ..line };
            let Some(Shows::Data(at)) = self.of.get(place.nth) else {
                Pen::new(buf, area).put(&format!("{}", group.nodes), theme.text);
                continue;
            };
            let Some(column) = self.table.view.columns.get(*at) else { continue };
            if Some(*at) == self.table.group {
                let value = if group.value.is_empty() { text::UNKNOWN } else { &group.value };
                let mut pen = Pen::new(buf, area);
                pen.put(&times(group), theme.accent);
                let rest = Rect { x: pen.x(), width: pen.room() as u16, ..area };
                wrapped::put(buf, rest, value, theme.bright);
                continue;
            }
            match group.cells.get(*at) {
                Some(GroupCell::Total(total)) => {
                    let (value, width) = (Value::Rate(*total), usize::from(place.width));
                    let said = cell_within(column, value, self.app.picture().at, width);
                    let style = level(column, value, theme).unwrap_or(theme.text);
                    Pen::new(buf, area).column_right(&said, width, style);
                }
                Some(GroupCell::Same(row)) => self.cell(buf, area, (*at, row), 0, false),
                Some(GroupCell::Mixed) | None => {}
            }
        }
    }

    /// The visible columns of the view.
    pub(super) fn in_sight(&self, placed: &[Placed]) -> Vec<usize> {
        let data = |place: &Placed| if let Some(Shows::Data(at)) = self.of.get(place.nth) { Some(*at) } else { None };
        placed.iter().filter_map(data).collect()
    }

    /// Draws a line of totals of the rows shown.
    pub(super) fn totals(&self, buf: &mut Buffer, line: Rect, total: &TotalLine, placed: &[Placed]) {
        let theme = self.theme;
        // The label has the room up to the first total, as the names of nodes have none.
        let label =
            placed.iter().find(|place| self.total_at(place, total).is_some()).map_or(line.right(), |place| place.x);
        Pen::new(buf, Rect { width: label.saturating_sub(line.x), ..line }).put(&total.label, theme.accent);
        for place in placed {
            let Some((column, value)) = self.total_at(place, total) else { continue };
            let width = usize::from(place.width);
            let said = cell_within(column, Value::Rate(value), self.app.picture().at, width);
            Pen::new(buf, Rect { x: place.x, width: place.width, ..line }).column_right(&said, width, theme.bright);
        }
    }

    fn total_at(&self, place: &Placed, total: &TotalLine) -> Option<(&ViewColumn, f64)> {
        let Some(Shows::Data(at)) = self.of.get(place.nth) else { return None };
        let column = self.table.view.columns.get(*at).filter(|column| total.shows(column))?;
        Some((column, self.table.total_of(*at)?))
    }
}

/// The number of rows of a group, written before the value that they share.
fn times(group: &Group) -> String {
    format!("{}× ", group.rows)
}

/// The columns that are shown; with groups, the grouping one comes first.
fn shown(table: &ViewTable) -> Vec<usize> {
    let mut columns: Vec<usize> = table.columns().filter(|at| Some(*at) != table.group).collect();
    if let Some(group) = table.group {
        columns.insert(0, group);
    }
    columns
}

/// Width of a total, in columns.
fn total_width(column: &ViewColumn, total: Option<f64>) -> usize {
    match (total, column.unit) {
        (Some(total), None)
            if total >= 0.0 && column.kind != CellKind::Float8 && !matches!(column.source, Source::Rate { .. }) =>
        {
            text::count(total as u64).len()
        }
        _ => 0,
    }
}

/// Width of a value, in columns: independent of the value, so that columns do not change their widths.
fn wanted(column: &ViewColumn, widest: usize) -> usize {
    let mark = if column.unusual { 2 } else { 0 };
    mark + match (column.kind, column.unit) {
        _ if matches!(column.source, Source::Trend { .. }) => TREND,
        (CellKind::Bool, _) => 3,
        (_, Some(Unit::Ms | Unit::Seconds | Unit::Bytes)) => 7,
        (_, Some(Unit::BytesPerSecond | Unit::PerSecond)) => 9,
        (_, Some(Unit::Percent)) => 6,
        (_, Some(Unit::Time)) => 10,
        (_, None) if matches!(column.source, Source::Rate { .. }) => 5,
        (kind, _) if kind.is_number() && column.total.is_some() => widest + widest.saturating_sub(1) / 3,
        (CellKind::Text, _) if column.wide => widest.max(WIDE_LEAST),
        _ => widest.clamp(3, WIDEST),
    }
}

/// A wide column takes the room that those before it leave. If that is little, those are cut to the widths in their
/// file: a hidden statement is worse than a cut name.
fn shrink_wide(columns: &mut [Column<'_>], of: &[Shows], table: &ViewTable, area: Rect) {
    let data = |of: &Shows| match of {
        Shows::Data(at) => table.view.columns.get(*at),
        Shows::Node | Shows::Across(_) => None,
    };
    let Some(wide) = of.iter().position(|at| data(at).is_some_and(|data| data.wide)) else { return };
    let room = area.width.saturating_sub(GUTTER);
    let before = |columns: &[Column<'_>]| columns.iter().take(wide).map(|column| column.max + GAP).sum::<u16>();
    if before(columns) + WIDE_WANTED > room {
        for (column, at) in columns.iter_mut().zip(of).take(wide) {
            let least = (column.prefix.len() + text::width(column.title)) as u16;
            let most = data(at).and_then(|data| data.width).unwrap_or(column.max);
            column.max = column.max.min(most.max(least));
        }
    }
    // The columns after the grouping one must stay visible.
    let grouped = table.group.is_some() && of.get(wide) == table.group.map(Shows::Data).as_ref();
    let room = if grouped { room / 2 } else { room.saturating_sub(before(columns)) }.max(WIDE_LEAST as u16);
    if let Some(column) = columns.get_mut(wide) {
        column.max = column.max.min(room);
    }
}
