//! The list of the topology screen: its lines, what its filter sees, and the lines that the filter leaves.

use crate::fleet::Nodes;
use std::borrow::Cow;

use super::{Rows, Visible};
use crate::app::Cursor;
use crate::app::rows::cursor::Move;
use crate::app::rows::filter::{Column, Fields, Filter};
use crate::fleet::topology::{Branch, Edge, ShapeFault};
use crate::model::view::Unit;
use crate::model::{Condition, NodeName, figures};

/// The state of screen 2.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// The nodes, and the servers that they report, each under the one that it receives from.
    pub branches: Vec<Branch>,
    /// What is wrong with the shape.
    pub faults: Vec<ShapeFault>,
    /// The selected line and the first line shown.
    pub cursor: Cursor,
    /// The filter.
    pub filter: Filter,
    /// The node that the cursor is to be on; `None` once the cursor was moved.
    pub(in crate::app) sought: Option<NodeName>,
    /// True if the shape may differ from the one shown.
    pub(in crate::app) unsettled: bool,
    /// The number of branches that the filter leaves out.
    pub branches_left_out: usize,
    /// The number of faults that the filter leaves out.
    pub faults_left_out: usize,
}

/// The columns of a line that a filter may name.
const COLUMNS: [Column<'static>; 9] = [
    Column::text("node"),
    Column::text("role"),
    Column { title: "TL", ..Column::number("timeline", None) },
    Column::text("receives"),
    Column::number("lag", Some(Unit::Ms)),
    Column::number("bytes", Some(Unit::Bytes)),
    Column::text("slot"),
    Column::text("position"),
    Column::text("note"),
];
const TIMELINE: usize = 2;
const LAG: usize = 4;
const BYTES: usize = 5;
const NOTE: usize = 8;

impl Rows for Topology {
    fn can_move(&self, _visible: Visible) -> bool {
        !self.branches.is_empty()
    }

    fn cursor(&self) -> Cursor {
        self.cursor
    }

    fn go(&mut self, movement: Move, visible: Visible) {
        self.sought = None;
        self.cursor.go(movement, self.branches.len(), visible.page);
    }

    fn select(&mut self, row: usize, visible: Visible) {
        self.sought = None;
        self.cursor.select(row, self.branches.len(), visible.page);
    }

    fn fit(&mut self, _visible: Visible, first: Option<usize>) {
        self.cursor.offset = first.unwrap_or(self.cursor.offset);
    }

    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn set_filter(&mut self, source: &str, _nodes: &Nodes) {
        self.filter = Filter::new(source, &COLUMNS);
    }

    fn wraps(&self) -> bool {
        true
    }
}

impl Fields for Branch {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..COLUMNS.len()
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        let edge = self.edge.as_ref();
        let said = match column {
            0 => Some(Cow::Borrowed(self.name.as_str())),
            1 => self.role.map(|role| Cow::Borrowed(role.as_str())),
            TIMELINE => self.timeline.as_deref().map(Cow::Borrowed),
            3 => edge.map(|edge| Cow::Owned(edge.receives())),
            LAG => edge.and_then(Edge::lag_said).map(Cow::Owned),
            BYTES => edge.and_then(|edge| edge.lag_bytes).map(|bytes| Cow::Owned(figures::bytes(bytes))),
            6 => edge.and_then(|edge| edge.slot.as_deref()).map(Cow::Borrowed),
            7 => self.position.as_deref().map(Cow::Borrowed),
            _ => {
                let (word, said) = self.note();
                Some(Cow::Owned(format!("{word}{said}")))
            }
        };
        said.unwrap_or_default()
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        let edge = self.edge.as_ref();
        match column {
            LAG => condition.holds_number(edge.and_then(|edge| edge.lag_ms)),
            BYTES => condition.holds_number(edge.and_then(|edge| edge.lag_bytes)),
            column => condition.holds(Some(&self.text(column))),
        }
    }
}

/// A fault as a filter sees it: its node, and its text in place of the note.
impl Fields for ShapeFault {
    fn seen(&self) -> impl Iterator<Item = usize> {
        std::iter::once(NOTE)
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        Cow::Borrowed(match column {
            0 => self.node.as_str(),
            NOTE => &self.text,
            _ => "",
        })
    }
}

/// The branches that pass the filter, each under the nearest remaining line above it.
pub(in crate::app) fn passing(branches: Vec<Branch>, filter: &Filter) -> Vec<Branch> {
    if filter.passes_all() {
        return branches;
    }
    // The depths of the remaining lines under which the next one can be placed.
    let mut above: Vec<usize> = Vec::new();
    let mut left: Vec<(usize, Branch)> = Vec::new();
    for branch in branches.into_iter().filter(|branch| filter.passes(branch)) {
        let depth = branch.more.len();
        while above.last().is_some_and(|last| *last >= depth) {
            above.pop();
        }
        left.push((above.len(), branch));
        above.push(depth);
    }
    let depths: Vec<usize> = left.iter().map(|(depth, _)| *depth).collect();
    let more = |at: usize, level: usize| {
        let below = depths.iter().skip(at + 1);
        below.take_while(|depth| **depth >= level).any(|depth| *depth == level)
    };
    let lines = left.into_iter().enumerate();
    lines
        .map(|(at, (depth, branch))| Branch { more: (1..=depth).map(|level| more(at, level)).collect(), ..branch })
        .collect()
}
