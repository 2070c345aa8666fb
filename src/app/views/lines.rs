//! The lines of a view's table: what each of them shows, and how wide its cells are.

use crate::model::view::{Reading, Value};
use crate::model::{NodeName, View};

/// The number of rows of each node that are measured for the width of a column.
const WIDTH_ROWS: usize = 500;
/// The greatest width that is measured, in characters.
pub(in crate::app) const WIDEST: usize = 200;

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum TableLine {
    /// A row.
    Row(RowAt),
    /// The group at this index.
    Group(usize),
    /// Rows with the same key, laid side by side.
    Across(Across),
    /// Nodes that have no rows to show, and why.
    Note(NodeNote),
}

/// A row of a node's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAt {
    /// The node.
    pub node: NodeName,
    /// The index of the row in the node's answer.
    pub at: usize,
    /// Its depth in the tree; 0 for a root.
    pub depth: u8,
}

/// Rows with the same key on several nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Across {
    /// One of them, whose key represents all.
    pub first: RowAt,
    /// For each node of [`super::ViewTable::across`]: the index of its row; `None` if it has no such row.
    pub rows: Vec<Option<usize>>,
}

/// Nodes that have the same message in place of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeNote {
    /// The nodes.
    pub nodes: Vec<NodeName>,
    /// The message.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// True if something is wrong; false if these nodes simply cannot have rows of the view.
    pub fault: bool,
}

/// A node whose rows are to be shown.
#[derive(Debug, Clone)]
pub(in crate::app) struct Asked {
    pub(in crate::app) name: NodeName,
    /// Why it does not answer at all; `None` if it answers.
    pub(in crate::app) silent: Option<String>,
    /// True if that is wrong: it is neither paused nor being connected to.
    pub(in crate::app) is_down: bool,
    /// The system identifier of its cluster, where that is known: nodes with the same one hold the same data.
    pub(in crate::app) system: Option<u64>,
    pub(in crate::app) database: String,
    pub(in crate::app) is_primary: bool,
}

impl Asked {
    /// A node of which nothing more is known.
    pub(in crate::app) fn new(name: NodeName) -> Self {
        Self { name, silent: None, is_down: false, system: None, database: String::new(), is_primary: false }
    }
}

/// Rows that share a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The value.
    pub value: String,
    /// The number of rows.
    pub rows: usize,
    /// The number of nodes that have such rows.
    pub nodes: usize,
    /// For each column: its total, or a row with the value that all share.
    pub cells: Vec<GroupCell>,
}

/// The cell of a group in one column.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupCell {
    /// The total of the column.
    Total(f64),
    /// The value of this row, which all rows share.
    Same(RowAt),
    /// The rows have different values, which have no total.
    Mixed,
}

/// A row that may be shown.
pub(in crate::app) struct Candidate<'a> {
    pub(in crate::app) place: RowAt,
    pub(in crate::app) reading: &'a Reading,
    /// True if the row counts in totals that count copies of the same data once.
    pub(in crate::app) counts: bool,
}

/// Measures the columns. Widths only grow, so that nothing jumps from one answer to the next.
pub(in crate::app) fn measure(view: &View, reading: &Reading, widths: &mut [usize]) {
    for (at, width) in widths.iter_mut().enumerate() {
        for row in 0..reading.len().min(WIDTH_ROWS) {
            if let Value::Text(text) = reading.value(view, row, at) {
                // A text has at most as many characters as bytes, so a text that is short in bytes need not be
                // counted.
                let chars = if text.len() <= *width { 0 } else { text.chars().take(WIDEST).count() };
                *width = chars.max(*width);
            }
        }
    }
}
