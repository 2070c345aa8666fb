//! The table of one view: each node's newest answer, and how the user has arranged it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use indexmap::IndexMap;

use crate::app::rows::cursor::{Cursor, Move};
use crate::app::rows::filter::Filter;
use crate::app::rows::table::Sort;
use crate::model::view::{Reading, Value};
use crate::model::{NodeError, NodeName, View};

use super::lines::{Across, Asked, Group, NodeNote, RowAt, TableLine, measure};
use crate::fleet::ViewReadings;

/// What distinguishes a row from all others: its node and its key there.
pub(in crate::app) type RowKey = (NodeName, String);

/// The state of one view's table.
#[derive(Debug, Clone)]
pub struct ViewTable {
    /// The view.
    pub view: Arc<View>,
    /// What is shown of each node, in the order of the nodes.
    pub(in crate::app) nodes: IndexMap<NodeName, Shown>,
    /// The lines that are shown, in their order.
    pub(in crate::app) lines: Vec<TableLine>,
    pub(in crate::app) groups: Vec<Group>,
    /// The nodes whose rows are laid side by side.
    pub(in crate::app) across: Vec<NodeName>,
    /// The width in characters of the widest value compared among the rows shown.
    pub(in crate::app) across_width: usize,
    /// The total of each column that has one.
    pub(in crate::app) totals: Vec<Option<f64>>,
    /// The nodes whose rows are included in totals that count copies once.
    pub(in crate::app) counted: Vec<NodeName>,
    /// The number of nodes shown, and the number of those that have rows.
    pub(in crate::app) asked: usize,
    pub(in crate::app) with_rows: usize,
    /// The number of nodes shown that have not answered the first time yet.
    pub waiting: usize,
    /// The number of rows before hiding and filtering.
    pub total: usize,
    /// The number of rows that the view hides.
    pub hidden: usize,
    /// The number of the other rows that the filter leaves out.
    pub left_out: usize,
    /// For each column the width of the widest text seen, in characters.
    pub(in crate::app) widths: Vec<usize>,
    /// The selected line and the first line shown.
    pub cursor: Cursor,
    /// The first column shown beside the fixed ones, counted from 0.
    pub column: usize,
    /// The sort: column 0 is the node, then come the columns of the view.
    pub sort: Option<Sort>,
    /// The filter.
    pub filter: Filter,
    /// True if the rows that the view hides at first are shown.
    pub shows_hidden: bool,
    /// True if the selection stays with its row. On the first row it stays at the top.
    pub follow: bool,
    /// The marked rows.
    pub marks: BTreeSet<RowKey>,
    /// The column that rows are grouped by.
    pub group: Option<usize>,
    /// The columns that the user has shown or hidden, contrary to the view's file.
    pub toggled: HashSet<usize>,
    /// The row shown in full.
    pub opened: Option<Opened>,
    /// The row that the cursor is to be on.
    pub(in crate::app) sought: Option<Sought>,
    /// True if answers came, or something else changed what is shown.
    pub(in crate::app) unsettled: bool,
}

/// What is shown of a node's answers.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The newest answer.
    pub reading: Option<Arc<Reading>>,
    /// Why the last query failed; `None` if it succeeded.
    pub error: Option<NodeError>,
}

/// A row shown in full.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The row.
    pub key: RowKey,
    /// Its node, in the form in which looks name nodes.
    pub(in crate::app) nodes: Vec<NodeName>,
    /// How far it is scrolled.
    pub cursor: Cursor,
    /// The filter of its lines.
    pub filter: Filter,
}

impl ViewTable {
    pub(in crate::app) fn new(view: Arc<View>) -> Self {
        Self {
            sort: view.sort.map(|(column, descending)| Sort { column: column + 1, descending }),
            widths: vec![0; view.columns.len()],
            totals: vec![None; view.columns.len()],
            view,
            nodes: IndexMap::new(),
            counted: Vec::new(),
            asked: 0,
            with_rows: 0,
            waiting: 0,
            lines: Vec::new(),
            groups: Vec::new(),
            across: Vec::new(),
            across_width: 0,
            total: 0,
            hidden: 0,
            left_out: 0,
            cursor: Cursor::default(),
            column: 0,
            filter: Filter::default(),
            shows_hidden: false,
            follow: true,
            marks: BTreeSet::new(),
            group: None,
            toggled: HashSet::new(),
            opened: None,
            sought: None,
            unsettled: true,
        }
    }

    /// The width in characters of the widest of the values laid side by side.
    pub fn across_width(&self) -> usize {
        self.across_width
    }

    /// A table of these answers, arranged as at first.
    pub fn of(view: Arc<View>, readings: impl IntoIterator<Item = (NodeName, Arc<Reading>)>) -> Self {
        let mut table = Self::new(view);
        for (node, reading) in readings {
            table.nodes.insert(node, Shown { reading: Some(reading), error: None });
        }
        let asked: Vec<Asked> = table.nodes.keys().cloned().map(Asked::new).collect();
        table.arrange(&asked);
        table
    }

    /// The rows that are shown, in their order: for rows laid side by side, one after the other.
    pub fn rows(&self) -> impl Iterator<Item = (&NodeName, usize)> {
        self.lines.iter().flat_map(|line| match line {
            TableLine::Row(row) => vec![(&row.node, row.at)],
            TableLine::Across(across) => {
                let rows = self.across.iter().zip(&across.rows);
                rows.filter_map(|(node, row)| Some((node, (*row)?))).collect()
            }
            TableLine::Group(_) | TableLine::Note(_) => Vec::new(),
        })
    }

    /// What is shown of a node's answers.
    pub fn node(&self, node: &NodeName) -> Option<&Shown> {
        self.nodes.get(node)
    }

    /// What is shown of each node's answers, in the order of the nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, &Shown)> {
        self.nodes.iter()
    }

    /// Takes in what nodes answered and arranges the rows. The selection stays with its row.
    pub(in crate::app) fn settle(&mut self, asked: &[Asked], readings: Option<&ViewReadings>, page: usize) {
        self.unsettled = false;
        // Read the selection before the rows that it indexes are replaced. At the top, the first row stays selected,
        // whichever row that is.
        let selected = if self.follow && self.cursor.at > 0 { self.selected_key() } else { None };
        let known = |node: &NodeName| readings.is_some_and(|readings| readings.node(node).is_some());
        if !self.nodes.keys().all(known) {
            self.nodes.retain(|node, _| known(node));
            self.marks.retain(|(node, _)| known(node));
        }
        for (name, of) in readings.into_iter().flat_map(ViewReadings::nodes) {
            let shown = self.nodes.entry(name.clone()).or_default();
            shown.error = of.error().cloned();
            if shown.reading.as_ref().map(Arc::as_ptr) != of.newest().map(Arc::as_ptr) {
                shown.reading = of.newest().cloned();
                if let Some(reading) = &shown.reading {
                    measure(&self.view, reading, &mut self.widths);
                }
            }
        }
        self.arrange(asked);
        let at = selected.and_then(|key| self.position(&key)).unwrap_or(self.cursor.at);
        self.cursor.select(at, self.lines.len(), page);
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True without any line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line at this place.
    pub fn line(&self, at: usize) -> Option<&TableLine> {
        self.lines.get(at)
    }

    /// The depth of the deepest row in the tree.
    pub fn depth(&self) -> u8 {
        let depth = |line: &TableLine| if let TableLine::Row(row) = line { row.depth } else { 0 };
        if self.view.tree.is_some() { self.lines.iter().map(depth).max().unwrap_or(0) } else { 0 }
    }

    /// The nodes whose rows are laid side by side; empty if each row has its own line.
    pub fn across(&self) -> &[NodeName] {
        &self.across
    }

    /// The groups, if rows are grouped.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The total of a column, if it has one.
    pub fn total_of(&self, column: usize) -> Option<f64> {
        self.totals.get(column).copied().flatten()
    }

    /// The nodes whose rows are included in totals that count copies once.
    pub fn counted(&self) -> &[NodeName] {
        &self.counted
    }

    /// The number of nodes shown.
    pub fn nodes_asked(&self) -> usize {
        self.asked
    }

    /// The number of nodes that have rows shown.
    pub fn nodes_with_rows(&self) -> usize {
        self.with_rows
    }

    /// The notes of nodes with something wrong that are below the visible lines.
    pub fn faults_beyond<'a>(&'a self, window: &'a std::ops::Range<usize>) -> impl Iterator<Item = &'a NodeNote> {
        // Notes are the last lines.
        let notes = self.lines.iter().enumerate().rev().map_while(|(at, line)| match line {
            TableLine::Note(note) => Some((at, note)),
            _ => None,
        });
        notes.filter(|(at, note)| note.fault && !window.contains(at)).map(|(_, note)| note)
    }

    /// The width of the widest text seen in a column, in characters.
    pub fn width(&self, column: usize) -> usize {
        self.widths.get(column).copied().unwrap_or_default()
    }

    /// The selected line.
    pub fn selected(&self) -> Option<&TableLine> {
        self.lines.get(self.cursor.at)
    }

    /// The node of the selected line.
    pub fn selected_node(&self) -> Option<&NodeName> {
        match self.selected()? {
            TableLine::Row(row) | TableLine::Across(Across { first: row, .. }) => Some(&row.node),
            TableLine::Note(note) => note.nodes.first(),
            TableLine::Group(_) => None,
        }
    }

    /// True if the selected line is a row or a group, which can be marked.
    pub(in crate::app) fn can_mark(&self) -> bool {
        self.opened.is_none() && self.selected_key().is_some()
    }

    /// Selects the line that was clicked.
    pub(in crate::app) fn select(&mut self, at: usize, page: usize) {
        self.sought = None;
        let len = self.lines.len();
        self.cursor.select(at, len, page);
    }

    pub(in crate::app) fn selected_key(&self) -> Option<RowKey> {
        match self.selected()? {
            TableLine::Row(row) | TableLine::Across(Across { first: row, .. }) => {
                Some((row.node.clone(), self.nodes.get(&row.node)?.reading.as_ref()?.key(&self.view, row.at)))
            }
            TableLine::Group(at) => self.groups.get(*at).map(|group| (NodeName::default(), group.value.clone())),
            TableLine::Note(_) => None,
        }
    }

    pub(in crate::app) fn position(&self, key: &RowKey) -> Option<usize> {
        let reading = self.nodes.get(&key.0).and_then(|node| node.reading.as_ref());
        let is = |at: usize| reading.is_some_and(|reading| reading.key(&self.view, at) == key.1);
        let place = self.across.iter().position(|node| *node == key.0);
        self.lines.iter().position(|line| match line {
            TableLine::Row(row) => row.node == key.0 && is(row.at),
            TableLine::Across(across) => {
                let at = place.and_then(|place| across.rows.get(place).copied().flatten());
                at.is_some_and(is)
            }
            TableLine::Group(at) => self.groups.get(*at).is_some_and(|group| group.value == key.1),
            TableLine::Note(_) => false,
        })
    }

    /// A cell of a node's row.
    pub fn value(&self, node: &NodeName, row: usize, column: usize) -> Value<'_> {
        let reading = self.nodes.get(node).and_then(|node| node.reading.as_ref());
        reading.map_or(Value::Unknown, |reading| reading.value(&self.view, row, column))
    }

    /// True if the table shows the beginning of a text only.
    pub fn is_cut(&self, node: &NodeName, row: usize, column: usize) -> bool {
        let reading = self.nodes.get(node).and_then(|node| node.reading.as_ref());
        reading.is_some_and(|reading| reading.is_cut(&self.view, row, column))
    }

    /// Why a text is missing from the rows of a node; `None` if none is.
    pub fn missing(&self, node: &NodeName) -> Option<&str> {
        self.nodes.get(node)?.reading.as_ref()?.answer.missing.as_deref()
    }

    /// The key of a node's row, which distinguishes it from the node's other rows.
    pub fn key(&self, node: &NodeName, row: usize) -> Option<String> {
        Some(self.nodes.get(node)?.reading.as_ref()?.key(&self.view, row))
    }

    /// The columns that are shown, in their order.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        let columns = self.view.columns.iter().enumerate();
        columns.filter(|(at, column)| column.hidden == self.toggled.contains(at)).map(|(at, _)| at)
    }

    /// The node of the row shown in full, and its current index there; `None` once the row is gone.
    pub fn opened_row(&self) -> Option<(&NodeName, usize)> {
        let (node, key) = &self.opened.as_ref()?.key;
        let reading = self.nodes.get(node)?.reading.as_ref()?;
        (0..reading.len()).find(|row| reading.key(&self.view, *row) == *key).map(|row| (node, row))
    }

    /// The message of the node without rows that is shown in full; `None` if a row is shown in full.
    pub fn opened_note(&self) -> Option<&NodeNote> {
        let (node, key) = &self.opened.as_ref()?.key;
        let said = self.lines.iter().find_map(|line| match line {
            TableLine::Note(said) if said.nodes.contains(node) => Some(said),
            _ => None,
        });
        said.filter(|_| key.is_empty())
    }

    pub(in crate::app) fn go(&mut self, movement: Move, page: usize) {
        self.sought = None;
        let len = self.lines.len();
        self.cursor.go(movement, len, page);
    }
}

/// A row that is looked for until an answer of its node has it, or shows that it is gone.
#[derive(Debug, Clone)]
pub(in crate::app) struct Sought {
    pub(in crate::app) key: RowKey,
    /// Answers older than this do not show that it is gone.
    pub(in crate::app) since: SystemTime,
}

impl ViewTable {
    /// Whether the row is in the newest answer of its node; and whether that answer is new enough to show that it is
    /// gone.
    pub(in crate::app) fn look_up_sought(&self, sought: &Sought) -> (bool, bool) {
        let (node, key) = &sought.key;
        let Some(reading) = self.node(node).and_then(|node| node.reading.as_ref()) else { return (false, false) };
        let is_there = (0..reading.len()).any(|row| reading.key(&self.view, row) == *key);
        (is_there, reading.at >= sought.since)
    }

    pub(in crate::app) fn rows_at(&self) -> impl Iterator<Item = &RowAt> {
        self.lines.iter().filter_map(|line| if let TableLine::Row(row) = line { Some(row) } else { None })
    }
}
