//! What the filter of a view's table sees: the cells as the screen shows them, or as the server sent them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::SystemTime;

use regex::Regex;

use crate::app::rows::filter::{Column, Fields, Filter};
use crate::model::view::{Reading, Unit, Value, cell};
use crate::model::{Condition, NodeName, View};

use super::lines::Candidate;

/// The name of the node in a filter.
const NODE: Column<'static> = Column::text("node");

/// The filter of a line for the table of a view. It may name the node, the columns of the view and, where nodes are
/// compared, each node.
pub(in crate::app) fn filter(source: &str, view: &View, nodes: &[NodeName]) -> Filter {
    let columns = std::iter::once(NODE).chain(view.columns.iter().map(Column::of));
    let nodes = nodes.iter().filter(|_| view.compare.is_some()).map(|node| Column::text(node.as_str()));
    Filter::new(source, &columns.chain(nodes).collect::<Vec<_>>())
}

/// Keeps the rows that pass. Rows laid side by side pass together: the value of one node is seen beside those of the
/// others.
pub(in crate::app) fn keep_passing(filter: &Filter, at: &Seen<'_>, rows: &mut Vec<Candidate<'_>>) {
    if filter.passes_all() {
        return;
    }
    let row = |row: &Candidate<'_>| {
        filter.finds(&Row { table: at, node: &row.place.node, reading: row.reading, at: row.place.at })
    };
    if at.view.compare.is_none() {
        return rows.retain(|candidate| row(candidate) != filter.inverts());
    }
    let key = |row: &Candidate<'_>| row.reading.key(at.view, row.place.at);
    let found: HashSet<String> = rows.iter().filter(|candidate| row(candidate)).map(key).collect();
    rows.retain(|candidate| found.contains(&key(candidate)) != filter.inverts());
}

/// What all rows of a table share.
pub(in crate::app) struct Seen<'a> {
    pub(in crate::app) view: &'a View,
    /// The columns that are shown; 0 is the node.
    pub(in crate::app) columns: Vec<usize>,
    /// The nodes that are asked, in their order.
    pub(in crate::app) nodes: &'a [NodeName],
}

struct Row<'a> {
    table: &'a Seen<'a>,
    node: &'a NodeName,
    reading: &'a Reading,
    at: usize,
}

impl Row<'_> {
    /// The value of a column; for a compared node, its value in the row.
    fn value(&self, column: usize) -> (Option<usize>, Value<'_>) {
        let view = self.table.view;
        let at = match column.checked_sub(view.columns.len() + 1) {
            Some(node) if self.table.nodes.get(node) == Some(self.node) => view.compare,
            Some(_) => None,
            None => column.checked_sub(1),
        };
        (at, at.map_or(Value::Unknown, |at| self.reading.value(view, self.at, at)))
    }
}

impl Fields for Row<'_> {
    fn seen(&self) -> impl Iterator<Item = usize> {
        self.table.columns.iter().copied()
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        match self.value(column) {
            _ if column == 0 => Cow::Borrowed(self.node.as_str()),
            (_, Value::Unknown) | (None, _) => Cow::Borrowed(""),
            (Some(at), value) => match self.table.view.columns.get(at) {
                Some(column) => cell(column, value, self.reading.clock(self.reading.at)),
                None => Cow::Borrowed(""),
            },
        }
    }

    fn says(&self, column: usize, regex: &Regex) -> bool {
        let said = self.text(column);
        if regex.is_match(&said) || (breaks(&said) && regex.is_match(&one_line(&said))) {
            return true;
        }
        // The screen writes times, sizes and shares in other units than the server sends, so a search for 40 means
        // neither number.
        match self.value(column) {
            (Some(at), Value::Text(sent))
                if self.table.view.columns.get(at).is_some_and(|column| column.unit.is_none()) =>
            {
                sent != said && regex.is_match(sent)
            }
            _ => false,
        }
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        match self.value(column) {
            _ if column == 0 => condition.holds(Some(self.node.as_str())),
            (None, _) => false,
            (Some(at), value) => {
                let is_time = self.table.view.columns.get(at).is_some_and(|column| column.unit == Some(Unit::Time));
                match value.number().filter(|_| is_time) {
                    Some(since) => condition.holds_number(Some(age(self.reading.clock(self.reading.at), since))),
                    None => value.meets(condition),
                }
            }
        }
    }
}

/// The age in seconds of a time given in seconds since 1970.
fn age(now: SystemTime, since: f64) -> f64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64()) - since
}

fn breaks(text: &str) -> bool {
    text.contains(['\n', '\t', '\r']) || text.contains("  ")
}

/// The text as a cell shows it: line breaks and runs of blanks become one blank.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
