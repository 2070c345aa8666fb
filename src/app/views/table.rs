//! The table of one view: what each node answered last, and how a person looks at it.

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

/// What tells a row from all others: its node and its key there.
pub(in crate::app) type RowKey = (NodeName, String);

/// State of one view's table.
#[derive(Debug, Clone)]
pub struct ViewTable {
    pub view: Arc<View>,
    /// In the order of the nodes.
    pub(in crate::app) nodes: IndexMap<NodeName, Shown>,
    /// What is shown, in its order.
    pub(in crate::app) lines: Vec<TableLine>,
    pub(in crate::app) groups: Vec<Group>,
    /// The nodes whose rows are laid side by side.
    pub(in crate::app) across: Vec<NodeName>,
    /// Characters of the widest value that is compared, among those shown.
    pub(in crate::app) across_width: usize,
    /// The total of each column that has one.
    pub(in crate::app) totals: Vec<Option<f64>>,
    /// The nodes whose rows are in totals that count copies once.
    pub(in crate::app) counted: Vec<NodeName>,
    /// How many nodes are shown, and how many of them have rows.
    pub(in crate::app) asked: usize,
    pub(in crate::app) with_rows: usize,
    /// Rows there are without filter and hiding.
    pub total: usize,
    /// Rows that the view hides, and rows that the filter leaves out of what remains.
    pub hidden: usize,
    pub left_out: usize,
    /// For each column the widest text seen, in characters.
    pub(in crate::app) widths: Vec<usize>,
    pub cursor: Cursor,
    /// First column shown beside the fixed ones, counted from 0.
    pub column: usize,
    /// 0 is the node, then the columns of the view.
    pub sort: Option<Sort>,
    pub filter: Filter,
    /// Rows that the view hides at first are shown.
    pub shows_hidden: bool,
    /// The selection stays with its row, but at the top with the first.
    pub follow: bool,
    pub marks: BTreeSet<RowKey>,
    /// The column that rows are grouped by.
    pub group: Option<usize>,
    /// Columns whose being shown is not what the view says.
    pub toggled: HashSet<usize>,
    /// The row that is shown at length.
    pub opened: Option<Opened>,
    /// The row that the cursor is to stand on.
    pub(in crate::app) sought: Option<Sought>,
    /// Answers came, or something else changed what is shown.
    pub(in crate::app) unsettled: bool,
}

/// What is shown of a node's answers.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub reading: Option<Arc<Reading>>,
    /// Why the last question brought nothing.
    pub error: Option<NodeError>,
}

/// A row at length.
#[derive(Debug, Clone)]
pub struct Opened {
    pub key: RowKey,
    /// Its node, as what is asked for it says.
    pub(in crate::app) nodes: Vec<NodeName>,
    /// How far it is scrolled.
    pub cursor: Cursor,
    /// Of its lines.
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

    /// Characters of the widest of the values laid side by side.
    pub fn across_width(&self) -> usize {
        self.across_width
    }

    /// The table of these answers, as it is shown at first.
    pub fn of(view: Arc<View>, readings: impl IntoIterator<Item = (NodeName, Arc<Reading>)>) -> Self {
        let mut table = Self::new(view);
        for (node, reading) in readings {
            table.nodes.insert(node, Shown { reading: Some(reading), error: None });
        }
        let asked: Vec<Asked> = table.nodes.keys().cloned().map(Asked::new).collect();
        table.arrange(&asked);
        table
    }

    /// The rows that are shown, in their order: those laid side by side one after the other.
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

    /// What a node answered, as it is shown.
    pub fn node(&self, node: &NodeName) -> Option<&Shown> {
        self.nodes.get(node)
    }

    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, &Shown)> {
        self.nodes.iter()
    }

    /// Takes over what nodes answered and puts the rows in order; the selection stays with its row.
    pub(in crate::app) fn settle(&mut self, asked: &[Asked], readings: Option<&ViewReadings>, page: usize) {
        self.unsettled = false;
        // Read the selection before the rows that it indexes are replaced. At the top the first row stays selected, whichever
        // that is.
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

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn line(&self, at: usize) -> Option<&TableLine> {
        self.lines.get(at)
    }

    /// How deep the tree is.
    pub fn depth(&self) -> u8 {
        let depth = |line: &TableLine| if let TableLine::Row(row) = line { row.depth } else { 0 };
        if self.view.tree.is_some() { self.lines.iter().map(depth).max().unwrap_or(0) } else { 0 }
    }

    /// The nodes whose rows are laid side by side; none where each row stands for itself.
    pub fn across(&self) -> &[NodeName] {
        &self.across
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The total of a column, where it has one.
    pub fn total_of(&self, column: usize) -> Option<f64> {
        self.totals.get(column).copied().flatten()
    }

    /// The nodes whose rows are in totals that count copies once.
    pub fn counted(&self) -> &[NodeName] {
        &self.counted
    }

    /// How many nodes are shown.
    pub fn nodes_asked(&self) -> usize {
        self.asked
    }

    /// How many of them have rows that are shown.
    pub fn nodes_with_rows(&self) -> usize {
        self.with_rows
    }

    /// What is wrong with nodes, where the notes of it are lines that the window does not show.
    pub fn faults_beyond<'a>(&'a self, window: &'a std::ops::Range<usize>) -> impl Iterator<Item = &'a NodeNote> {
        // Notes are the last lines.
        let notes = self.lines.iter().enumerate().rev().map_while(|(at, line)| match line {
            TableLine::Note(note) => Some((at, note)),
            _ => None,
        });
        notes.filter(|(at, note)| note.fault && !window.contains(at)).map(|(_, note)| note)
    }

    /// Characters of the widest text seen in a column.
    pub fn width(&self, column: usize) -> usize {
        self.widths.get(column).copied().unwrap_or_default()
    }

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

    /// Whether the selected line is a row or a group, which can be marked.
    pub(in crate::app) fn can_mark(&self) -> bool {
        self.opened.is_none() && self.selected_key().is_some()
    }

    /// Selects a line that was clicked.
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

    /// The key of a node's row, which tells it from the node's other rows.
    pub fn key(&self, node: &NodeName, row: usize) -> Option<String> {
        Some(self.nodes.get(node)?.reading.as_ref()?.key(&self.view, row))
    }

    /// The columns that are shown, in their order.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        let columns = self.view.columns.iter().enumerate();
        columns.filter(|(at, column)| column.hidden == self.toggled.contains(at)).map(|(at, _)| at)
    }

    /// Where the row shown at length stands now; `None` once it is gone.
    pub fn opened_row(&self) -> Option<(&NodeName, usize)> {
        let (node, key) = &self.opened.as_ref()?.key;
        let reading = self.nodes.get(node)?.reading.as_ref()?;
        (0..reading.len()).find(|row| reading.key(&self.view, *row) == *key).map(|row| (node, row))
    }

    /// Why the node of what is shown at length says nothing, where it is that which was opened.
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

/// A row that is looked for until an answer of its node tells where it is, or that it is gone.
#[derive(Debug, Clone)]
pub(in crate::app) struct Sought {
    pub(in crate::app) key: RowKey,
    /// Answers that are older than this do not tell that it is gone.
    pub(in crate::app) since: SystemTime,
}

impl ViewTable {
    /// Whether the row is in the last answer of its node, and whether that answer is one that tells.
    pub(in crate::app) fn tells_of(&self, sought: &Sought) -> (bool, bool) {
        let (node, key) = &sought.key;
        let Some(reading) = self.node(node).and_then(|node| node.reading.as_ref()) else { return (false, false) };
        let is_there = (0..reading.len()).any(|row| reading.key(&self.view, row) == *key);
        (is_there, reading.at >= sought.since)
    }

    pub(in crate::app) fn rows_at(&self) -> impl Iterator<Item = &RowAt> {
        self.lines.iter().filter_map(|line| if let TableLine::Row(row) = line { Some(row) } else { None })
    }
}
