//! All answers of a batch as one table with the node in front of each row. The rows stay where the manager put them:
//! this is an index over them, so that drawing a frame costs the same with a hundred thousand rows.

use crate::fleet::Nodes;
use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

use crate::model::rows::Column;
use crate::model::{Condition, NodeName, RowSet};

use super::{NextSort, Rows, Visible};
use crate::app::rows::cursor::{Cursor, Move};
use crate::app::rows::filter::{self, Fields, Filter};
use crate::app::rows::table::Sort;
use crate::fleet::batch::{Answer, Batch};

/// The most lines that are sorted on the screen; beyond that, `ORDER BY` on the server does it better.
pub const SORT_LIMIT: usize = 200_000;
/// The number of rows filtered immediately on a keystroke, and the number filtered after each further frame, so that
/// keys never lag.
const FIRST_LOOK: usize = 1_000;
const LOOK: usize = 10_000;
/// The number of rows of each node that are measured for the width of a column.
const WIDTH_ROWS: usize = 200;

/// The combined table.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// The columns of all answers by name, in the order of their first appearance, without the node.
    columns: Vec<Column>,
    /// The width in columns of the widest cell of each column, header included, among the first rows of each node.
    widths: Vec<usize>,
    spans: Vec<Span>,
    /// The number of all lines.
    total: usize,
    /// The lines shown, in order; `None` if neither filter nor sort applies and all are shown.
    order: Option<Vec<u32>>,
    /// The number of lines filtered so far.
    looked: usize,
    /// The selected line and the first line shown.
    pub cursor: Cursor,
    /// The first column shown beside the node, counted from 0.
    pub column: usize,
    /// What the lines are sorted by.
    pub sort: Option<Sort>,
    /// The filter.
    pub filter: Filter,
}

/// The lines of one node.
#[derive(Debug, Clone)]
struct Span {
    node: NodeName,
    answer: Answer,
    first: usize,
    lines: usize,
    /// For each column of the table: its index in this answer.
    map: Vec<Option<usize>>,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub enum AnswerLine<'a> {
    /// A row of a node's answer.
    Row {
        /// The node.
        node: &'a NodeName,
        /// The row.
        row: Row<'a>,
    },
    /// A node without rows to show: it is still running, has failed, or returned no rows.
    Note {
        /// The node.
        node: &'a NodeName,
        /// How far it is, or how it ended.
        answer: &'a Answer,
    },
}

/// The cells of one row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    rows: &'a RowSet,
    map: &'a [Option<usize>],
    at: usize,
}

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A value.
    Text(&'a str),
    /// NULL.
    Null,
    /// The node's answer has no such column.
    Absent,
}

impl<'a> Row<'a> {
    /// The cell in a column of the table.
    pub fn cell(&self, column: usize) -> Cell<'a> {
        match self.map.get(column).copied().flatten() {
            Some(column) => self.rows.cell(self.at, column).map_or(Cell::Null, Cell::Text),
            None => Cell::Absent,
        }
    }

    /// The row's index in the node's answer, from 0.
    pub fn number(&self) -> usize {
        self.at
    }
}

/// A row as a filter sees it: the node, then its cells.
struct Seen<'a> {
    node: &'a NodeName,
    row: Row<'a>,
    columns: usize,
}

impl Fields for Seen<'_> {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..self.columns
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        Cow::Borrowed(match column.checked_sub(1).map(|column| self.row.cell(column)) {
            None => self.node.as_str(),
            Some(Cell::Text(text)) => text,
            Some(Cell::Null) => "NULL",
            Some(Cell::Absent) => "",
        })
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        match column.checked_sub(1).map(|column| self.row.cell(column)) {
            None => condition.holds(Some(self.node.as_str())),
            Some(Cell::Text(text)) => condition.holds(Some(text)),
            Some(Cell::Null | Cell::Absent) => false,
        }
    }
}

impl<'a> AnswerLine<'a> {
    /// The node that the line belongs to.
    pub fn node(&self) -> &'a NodeName {
        match self {
            Self::Row { node, .. } | Self::Note { node, .. } => node,
        }
    }
}

impl Results {
    /// The columns of all answers, without the node.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The width of a column, as far as rows were measured.
    pub fn width(&self, column: usize) -> usize {
        self.widths.get(column).copied().unwrap_or_default()
    }

    /// The number of lines shown.
    pub fn len(&self) -> usize {
        self.order.as_ref().map_or(self.total, Vec::len)
    }

    /// True if no line is shown.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of lines that the filter leaves out.
    pub fn hidden(&self) -> usize {
        self.total - self.len()
    }

    /// The line at this place of the table as it is shown.
    pub fn line(&self, at: usize) -> Option<AnswerLine<'_>> {
        match &self.order {
            Some(order) => self.stored(*order.get(at)? as usize),
            None => self.stored(at),
        }
    }

    /// The selected line.
    pub fn selected(&self) -> Option<AnswerLine<'_>> {
        self.line(self.cursor.at)
    }

    /// Selects the first line of the node after that of the selected line, or of the node before it.
    pub(in crate::app) fn go_to_neighbour(&mut self, next: bool, page: usize) {
        let Some(node) = self.selected().map(|line| line.node().clone()) else { return };
        let Some(at) = self.spans.iter().position(|span| span.node == node) else { return };
        let wanted = if next { at + 1 } else { at.saturating_sub(1) };
        let Some(node) = self.spans.get(wanted).map(|span| &span.node) else { return };
        let found = match &self.order {
            None => self.spans.get(wanted).map(|span| span.first),
            Some(_) => (0..self.len()).find(|at| self.line(*at).is_some_and(|line| line.node() == node)),
        };
        let len = self.len();
        if let Some(at) = found {
            self.cursor.select(at, len, page);
        }
    }

    fn is_sortable(&self) -> bool {
        self.total <= SORT_LIMIT
    }

    fn stored(&self, at: usize) -> Option<AnswerLine<'_>> {
        let span = self.spans.get(self.spans.partition_point(|span| span.first + span.lines <= at))?;
        let node = &span.node;
        Some(match span.answer.rows().filter(|rows| has_rows(&rows.rows)) {
            Some(rows) => AnswerLine::Row { node, row: Row { rows: &rows.rows, map: &span.map, at: at - span.first } },
            None => AnswerLine::Note { node, answer: &span.answer },
        })
    }

    /// Takes in the newest answers. The selection stays with its row.
    pub(in crate::app) fn rebuild(&mut self, batch: Option<&Batch>) {
        let selected = self.selected().map(|line| (line.node().clone(), row_number(line)));
        self.spans.clear();
        self.columns.clear();
        self.total = 0;
        let nodes = batch.map_or(&[][..], |batch| &batch.nodes);
        for node in nodes {
            let map = self.map_columns(&node.answer);
            let rows = node.answer.rows().map(|rows| &rows.rows).filter(|rows| has_rows(rows));
            let lines = rows.map_or(1, RowSet::len);
            let (node, answer) = (node.node.clone(), node.answer.clone());
            self.spans.push(Span { node, answer, first: self.total, lines, map });
            self.total += lines;
        }
        self.measure();
        if !self.filter.is_empty() {
            // The columns that the filter names may have come with this answer.
            self.filter = self.filter_of(self.filter.source());
        }
        self.arrange();
        let kept = selected.filter(|_| self.order.is_none()).and_then(|(node, row)| {
            let span = self.spans.iter().find(|span| span.node == node)?;
            Some(span.first + row.min(span.lines - 1))
        });
        self.cursor.at = kept.unwrap_or(self.cursor.at).min(self.len().saturating_sub(1));
    }

    /// Takes in how far the nodes are, when no rows have come or gone.
    pub(in crate::app) fn update_notes(&mut self, batch: &Batch) {
        for (span, node) in self.spans.iter_mut().zip(&batch.nodes) {
            span.answer = node.answer.clone();
        }
    }

    /// Applies the filter and the sort again. Notes are always shown: an error is part of the answer.
    pub(in crate::app) fn arrange(&mut self) {
        self.order = None;
        self.looked = self.total;
        let sort = self.sort.filter(|_| self.is_sortable());
        if self.filter.passes_all() && sort.is_none() {
            return;
        }
        if let Some(sort) = sort {
            let mut order = self.passing(0..self.total);
            let numeric = self.columns.get(sort.column).is_some_and(|column| is_numeric(&column.type_name));
            order.sort_by_cached_key(|at| self.sort_key(*at as usize, sort.column, numeric));
            if sort.descending {
                let known = order.partition_point(|at| self.sort_key(*at as usize, sort.column, numeric).0 == 0);
                order.get_mut(..known).unwrap_or_default().reverse();
            }
            self.order = Some(order);
        } else {
            self.order = Some(Vec::new());
            self.looked = 0;
            self.look(FIRST_LOOK);
        }
        self.cursor.at = self.cursor.at.min(self.len().saturating_sub(1));
    }

    /// Filters the next lines. Returns false if all lines were filtered already.
    pub(in crate::app) fn look_on(&mut self) -> bool {
        self.look(LOOK)
    }

    fn look(&mut self, lines: usize) -> bool {
        if self.looked >= self.total {
            return false;
        }
        let end = (self.looked + lines).min(self.total);
        let found = self.passing(self.looked..end);
        self.order.get_or_insert_default().extend(found);
        self.looked = end;
        true
    }

    /// The share of the lines filtered so far; `None` once all are.
    pub fn looked_at(&self) -> Option<f64> {
        (self.looked < self.total).then(|| self.looked as f64 / self.total as f64)
    }

    fn passing(&self, lines: std::ops::Range<usize>) -> Vec<u32> {
        lines.filter(|at| self.passes(*at)).map(|at| at as u32).collect()
    }

    /// The filter of a line, which may name the node and the columns of the answers.
    fn filter_of(&self, source: &str) -> Filter {
        let mut columns = vec![filter::Column::text("node")];
        for column in &self.columns {
            let name = column.name.as_str();
            let is_number = is_numeric(&column.type_name);
            columns.push(if is_number { filter::Column::number(name, None) } else { filter::Column::text(name) });
        }
        Filter::new(source, &columns)
    }

    fn passes(&self, at: usize) -> bool {
        let Some(AnswerLine::Row { node, row }) = self.stored(at) else { return true };
        self.filter.passes(&Seen { node, row, columns: self.columns.len() + 1 })
    }

    /// Sorts known values first, then NULL and notes; numbers by value.
    fn sort_key(&self, at: usize, column: usize, numeric: bool) -> (u8, Number, String) {
        match self.stored(at) {
            Some(AnswerLine::Row { row, .. }) => match row.cell(column) {
                Cell::Text(text) if numeric => match text.parse() {
                    Ok(number) => (0, Number(number), String::new()),
                    Err(_) => (0, Number(f64::NAN), text.to_owned()),
                },
                Cell::Text(text) => (0, Number(0.0), text.to_owned()),
                Cell::Null => (1, Number(0.0), String::new()),
                Cell::Absent => (2, Number(0.0), String::new()),
            },
            Some(AnswerLine::Note { .. }) | None => (3, Number(0.0), String::new()),
        }
    }

    /// The index in the table of each column of an answer; new columns are appended. Two columns of one answer with
    /// the same name remain two.
    fn map_columns(&mut self, answer: &Answer) -> Vec<Option<usize>> {
        let mut map = vec![None; self.columns.len()];
        let Some(rows) = answer.rows() else { return map };
        for (from, column) in rows.rows.columns().iter().enumerate() {
            let free =
                |(at, known): (usize, &Column)| (known.name == column.name && map.get(at) == Some(&None)).then_some(at);
            if let Some(at) = self.columns.iter().enumerate().find_map(free) {
                map[at] = Some(from);
            } else {
                self.columns.push(column.clone());
                map.push(Some(from));
            }
        }
        map
    }

    fn measure(&mut self) {
        self.widths = self.columns.iter().map(|column| column.name.chars().map(shown).sum()).collect();
        for span in &self.spans {
            let Some(rows) = span.answer.rows() else { continue };
            for (width, from) in self.widths.iter_mut().zip(&span.map) {
                let Some(from) = *from else { continue };
                for row in 0..rows.rows.len().min(WIDTH_ROWS) {
                    let cell = rows.rows.cell(row, from).map_or(4, |text| text.chars().take(200).map(shown).sum());
                    *width = cell.max(*width);
                }
            }
        }
    }
}

impl Rows for Results {
    fn can_move(&self, _visible: Visible) -> bool {
        !self.is_empty()
    }

    fn cursor(&self) -> Cursor {
        self.cursor
    }

    fn go(&mut self, movement: Move, visible: Visible) {
        let len = self.len();
        self.cursor.go(movement, len, visible.page);
    }

    fn select(&mut self, row: usize, visible: Visible) {
        let len = self.len();
        if row < len {
            self.cursor.select(row, len, visible.page);
        }
    }

    fn fit(&mut self, visible: Visible, _first: Option<usize>) {
        let len = self.len();
        self.cursor.select(self.cursor.at, len, visible.page);
    }

    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn set_filter(&mut self, source: &str, _nodes: &Nodes) {
        self.filter = self.filter_of(source);
    }

    fn columns(&self) -> Option<(usize, usize)> {
        Some((self.column, self.columns.len()))
    }

    fn set_column(&mut self, column: usize) {
        self.column = column;
    }

    fn sortable(&self) -> usize {
        self.columns.len()
    }

    fn sort(&self) -> Option<Sort> {
        self.sort
    }

    fn sort_title(&self, column: usize) -> Option<&str> {
        self.columns.get(column).map(|column| column.name.as_str())
    }

    fn unsortable(&self) -> Option<&'static str> {
        (!self.is_sortable()).then_some("too many rows to sort here: add ORDER BY to the statement")
    }

    fn set_sort(&mut self, next: NextSort<'_>) {
        self.sort = next(self.sort, self.columns.len());
    }

    fn wraps(&self) -> bool {
        true
    }
}

/// A float with a total order, to sort by.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Number(f64);

impl Eq for Number {}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The approximate width of a character on the screen: control characters are shown as escapes.
fn shown(c: char) -> usize {
    match c.width() {
        _ if c.is_ascii_graphic() || c == ' ' => 1,
        _ if matches!(c, '\n' | '\r' | '\t') => 2,
        None => 4,
        Some(0) if matches!(c, '\u{200b}'..='\u{206f}' | '\u{feff}') => 6,
        Some(width) => width,
    }
}

/// True for an answer with rows to show; one without rows, or with rows without columns, is a note.
fn has_rows(rows: &RowSet) -> bool {
    !rows.is_empty() && !rows.columns().is_empty()
}

fn row_number(line: AnswerLine<'_>) -> usize {
    match line {
        AnswerLine::Row { row, .. } => row.number(),
        AnswerLine::Note { .. } => 0,
    }
}

/// True if values of the type are numbers: they are sorted by value and aligned right.
pub fn is_numeric(type_name: &str) -> bool {
    matches!(type_name, "int2" | "int4" | "int8" | "oid" | "float4" | "float8" | "numeric" | "xid" | "xid8" | "cid")
}
