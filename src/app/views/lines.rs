//! The lines of a view's table: what each of them shows, and how wide its cells are.

use crate::model::view::{Reading, Value};
use crate::model::{NodeName, View};

/// How many rows of each node are measured for the width of a column.
const WIDTH_ROWS: usize = 500;
/// The widest that a column is measured, in characters.
pub(in crate::app) const WIDEST: usize = 200;

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum TableLine {
    Row(RowAt),
    /// The `at`-th of the groups.
    Group(usize),
    /// Rows of the same key, laid side by side.
    Across(Across),
    /// Nodes that have no rows to show, and why.
    Note(NodeNote),
}

/// A row of a node's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAt {
    pub node: NodeName,
    pub at: usize,
    /// How many rows of the tree it stands under.
    pub depth: u8,
}

/// Rows of the same key on several nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Across {
    /// One of them, whose key stands for all.
    pub first: RowAt,
    /// For each of [`super::ViewTable::across`] the row's number there; `None` where the node has none.
    pub rows: Vec<Option<usize>>,
}

/// Nodes that say the same instead of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeNote {
    pub nodes: Vec<NodeName>,
    pub message: String,
    pub hint: Option<String>,
    /// Something is wrong; else they cannot have rows of the view, which is no fault.
    pub fault: bool,
}

/// A node whose rows are to be shown.
#[derive(Debug, Clone)]
pub(in crate::app) struct Asked {
    pub(in crate::app) name: NodeName,
    /// Why it answers nothing at all.
    pub(in crate::app) silent: Option<String>,
    /// What tells nodes of which cluster it holds the data, where that is known.
    pub(in crate::app) system: Option<u64>,
    pub(in crate::app) database: String,
    pub(in crate::app) is_primary: bool,
}

impl Asked {
    /// One of which no more is known.
    pub(in crate::app) fn new(name: NodeName) -> Self {
        Self { name, silent: None, system: None, database: String::new(), is_primary: false }
    }
}

/// Rows that share a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub value: String,
    pub rows: usize,
    /// The nodes they are of.
    pub nodes: usize,
    /// For each column its total, or the row whose value all share.
    pub cells: Vec<GroupCell>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GroupCell {
    Total(f64),
    /// The same in all of them.
    Same(RowAt),
    Mixed,
}

/// A row under consideration.
pub(in crate::app) struct Candidate<'a> {
    pub(in crate::app) place: RowAt,
    pub(in crate::app) reading: &'a Reading,
    /// Totals of what the nodes of a cluster hold copies of take it in.
    pub(in crate::app) counts: bool,
}

/// Widths only grow: nothing jumps from one answer to the next.
pub(in crate::app) fn measure(view: &View, reading: &Reading, widths: &mut [usize]) {
    for (at, width) in widths.iter_mut().enumerate() {
        for row in 0..reading.len().min(WIDTH_ROWS) {
            if let Value::Text(text) = reading.value(view, row, at) {
                // Bytes at least as many as characters: long texts need not be counted.
                let chars = if text.len() <= *width { 0 } else { text.chars().take(WIDEST).count() };
                *width = chars.max(*width);
            }
        }
    }
}
