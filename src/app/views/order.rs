//! Which rows of a view are shown in which order: some are hidden or filtered out; the rest is sorted over all nodes
//! and arranged as a tree or in groups.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::model::view::{Copies, Reading, Total, Value};
use crate::model::{NodeName, View};

use super::filter::{Seen, filter, keep_passing};
use super::lines::{Across, Asked, Candidate, Group, GroupCell, NodeNote, RowAt, TableLine, WIDEST};
use super::table::{Shown, ViewTable};
use super::tree::as_tree;

/// The sort key of a row: known values come first, numbers are compared by value.
#[derive(Debug, Clone, PartialEq)]
enum SortKey {
    Number(f64),
    Text(String),
    Unknown,
}

impl SortKey {
    fn of(value: Value<'_>, numeric: bool) -> Self {
        match value {
            Value::Unknown => Self::Unknown,
            Value::Rate(rate) => Self::Number(rate),
            Value::Text(text) if numeric => text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number),
            Value::Text(text) => Self::Text(text.to_lowercase()),
        }
    }

    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let turned = |order: Ordering| if descending { order.reverse() } else { order };
        match (self, other) {
            (Self::Unknown, Self::Unknown) => Ordering::Equal,
            (Self::Unknown, _) => Ordering::Greater,
            (_, Self::Unknown) => Ordering::Less,
            (Self::Number(a), Self::Number(b)) => turned(a.total_cmp(b)),
            (Self::Text(a), Self::Text(b)) => turned(a.cmp(b)),
            (Self::Number(_), Self::Text(_)) => turned(Ordering::Less),
            (Self::Text(_), Self::Number(_)) => turned(Ordering::Greater),
        }
    }
}

impl ViewTable {
    /// Arranges the rows of these nodes.
    pub(in crate::app) fn arrange(&mut self, asked: &[Asked]) {
        let view = std::sync::Arc::clone(&self.view);
        let names: Vec<NodeName> = asked.iter().map(|node| node.name.clone()).collect();
        if view.compare.is_some() && !self.filter.is_empty() {
            // The filter may name nodes, which come and go.
            self.filter = filter(self.filter.source(), &view, &names);
        }
        let (mut count, mut waiting) = (0, 0);
        let mut rows = Vec::new();
        let mut notes: Vec<NodeNote> = Vec::new();
        let mut with_rows: Vec<(&Asked, Range<usize>)> = Vec::new();
        for node in asked {
            let name = &node.name;
            let said = self.nodes.get(name);
            if let Some(reading) = said.and_then(|said| said.reading.as_ref()) {
                count += reading.len();
                let shown = (0..reading.len()).filter(|row| self.shows(&view, reading, *row));
                let place = |at| RowAt { node: name.clone(), at, depth: 0 };
                let first = rows.len();
                rows.extend(shown.map(|at| Candidate { place: place(at), reading, counts: true }));
                if first < rows.len() {
                    with_rows.push((node, first..rows.len()));
                }
            }
            let has_answered = said.is_some_and(|said| said.reading.is_some() || said.error.is_some());
            waiting += usize::from(!has_answered && node.silent.is_none());
            let Some(note) = note(node, said) else { continue };
            match notes.iter_mut().find(|other| other.message == note.message && other.fault == note.fault) {
                Some(other) => other.nodes.push(name.clone()),
                None => notes.push(note),
            }
        }
        notes.sort_by_key(|note| !note.fault);
        self.counted = count_copies_once(&view, &with_rows, &mut rows);
        (self.asked, self.with_rows, self.waiting) = (asked.len(), with_rows.len(), waiting);
        if view.compare.is_some() && !self.shows_hidden {
            keep_differences(&view, &mut rows);
        }
        let (hidden, before) = (count - rows.len(), rows.len());
        self.filter_rows(&view, &names, &mut rows);
        let left_out = before - rows.len();
        self.sort_rows(&view, &mut rows);
        let totals = self.totals_of(&view, &rows);
        let compares = view.compare.filter(|_| self.group.is_none());
        let across = if compares.is_some() { nodes_of(asked, &rows) } else { Vec::new() };
        let width = |row: &Candidate<'_>| match row.reading.value(&view, row.place.at, compares.unwrap_or_default()) {
            Value::Text(text) => text.chars().take(WIDEST).count(),
            _ => 0,
        };
        self.across_width = if across.is_empty() { 0 } else { rows.iter().map(width).max().unwrap_or(0) };
        let (lines, groups) = match (self.group, view.tree) {
            (Some(column), _) => self.grouped(&view, column, &rows),
            (None, _) if across.len() > 1 => (side_by_side(&view, &across, &rows), Vec::new()),
            (None, Some(tree)) => (as_tree(&view, tree, &rows), Vec::new()),
            (None, None) => (rows.into_iter().map(|row| TableLine::Row(row.place)).collect(), Vec::new()),
        };
        self.across = if across.len() > 1 { across } else { Vec::new() };
        self.lines = lines;
        self.lines.extend(notes.into_iter().map(TableLine::Note));
        (self.groups, self.totals, self.total) = (groups, totals, count);
        (self.hidden, self.left_out) = (hidden, left_out);
    }

    fn shows(&self, view: &View, reading: &Reading, row: usize) -> bool {
        let hides = |hide: &crate::model::view::Hide| reading.value(view, row, hide.column).meets(&hide.condition);
        self.shows_hidden || !view.hide.iter().any(hides)
    }

    /// Removes the rows that do not pass the filter.
    fn filter_rows(&self, view: &View, nodes: &[NodeName], rows: &mut Vec<Candidate<'_>>) {
        if self.filter.passes_all() {
            return;
        }
        // In a comparison, nodes are column headers, not cells.
        let node = (nodes.len() > 1 && view.compare.is_none()).then_some(0);
        let columns = node.into_iter().chain(self.columns().map(|column| column + 1)).collect();
        keep_passing(&self.filter, &Seen { view, columns, nodes }, rows);
    }

    fn sort_rows(&self, view: &View, rows: &mut Vec<Candidate<'_>>) {
        let Some(sort) = self.sort else { return };
        let Some(column) = sort.column.checked_sub(1) else {
            if sort.descending {
                // Reverses the order of the nodes; each node's rows keep their own order.
                let places: HashMap<NodeName, usize> =
                    rows.iter().enumerate().map(|(at, row)| (row.place.node.clone(), at)).collect();
                rows.sort_by_key(|row| std::cmp::Reverse(places.get(&row.place.node).copied()));
            }
            return;
        };
        let numeric = view.columns.get(column).is_some_and(|column| column.kind.is_number());
        let mut keyed: Vec<(SortKey, Candidate<'_>)> = rows
            .drain(..)
            .map(|row| (SortKey::of(row.reading.value(view, row.place.at, column), numeric), row))
            .collect();
        keyed.sort_by(|a, b| a.0.compare(&b.0, sort.descending));
        rows.extend(keyed.into_iter().map(|(_, row)| row));
    }

    /// The totals of the shown columns.
    fn totals_of(&self, view: &View, rows: &[Candidate<'_>]) -> Vec<Option<f64>> {
        let columns = self.columns().filter_map(|at| Some((at, view.columns.get(at)?.total?)));
        let columns: Vec<(usize, Total)> = columns.collect();
        let mut totals: Vec<Option<f64>> = vec![None; view.columns.len()];
        // Row by row, because cells are stored that way.
        for row in rows {
            for (at, total) in &columns {
                if matches!(total, Total::Once(_)) && !row.counts {
                    continue;
                }
                let value = row.reading.value(view, row.place.at, *at).number();
                if let (Some(value), Some(so_far)) = (value, totals.get_mut(*at)) {
                    *so_far = total_of(*total, so_far.iter().copied().chain([value]));
                }
            }
        }
        totals
    }

    /// Groups rows with the same value into one line each, in the order of the sort column's totals, or the largest
    /// group first.
    fn grouped(&self, view: &View, column: usize, rows: &[Candidate<'_>]) -> (Vec<TableLine>, Vec<Group>) {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut members: Vec<(String, Vec<&Candidate<'_>>)> = Vec::new();
        for row in rows {
            let value = match row.reading.value(view, row.place.at, column) {
                Value::Text(text) => text.to_owned(),
                Value::Rate(_) | Value::Unknown => String::new(),
            };
            let at = *places.entry(value.clone()).or_insert(members.len());
            match members.get_mut(at) {
                Some((_, of)) => of.push(row),
                None => members.push((value, vec![row])),
            }
        }
        let mut groups: Vec<Group> = members.into_iter().map(|(value, rows)| group(view, value, &rows)).collect();
        let sort = self.sort.and_then(|sort| Some((sort.column.checked_sub(1)?, sort.descending)));
        let figure = |group: &Group| match sort.and_then(|(column, _)| group.cells.get(column)) {
            Some(GroupCell::Total(total)) => *total,
            _ => group.rows as f64,
        };
        groups.sort_by(|a, b| figure(b).total_cmp(&figure(a)));
        if sort.is_some_and(|(_, descending)| !descending) {
            groups.reverse();
        }
        ((0..groups.len()).map(TableLine::Group).collect(), groups)
    }
}

fn group(view: &View, value: String, rows: &[&Candidate<'_>]) -> Group {
    let cell = |(at, column): (usize, &crate::model::view::ViewColumn)| {
        if let Some(total) = column.total {
            let counted = rows.iter().filter(|row| row.counts || !matches!(total, Total::Once(_)));
            let numbers = counted.filter_map(|row| row.reading.value(view, row.place.at, at).number());
            return total_of(total, numbers).map_or(GroupCell::Mixed, GroupCell::Total);
        }
        let mut values = rows.iter().map(|row| row.reading.value(view, row.place.at, at));
        let first = values.next();
        let same = values.all(|value| Some(value) == first);
        match rows.first() {
            Some(row) if same => GroupCell::Same(row.place.clone()),
            _ => GroupCell::Mixed,
        }
    };
    let nodes: HashSet<&NodeName> = rows.iter().map(|row| &row.place.node).collect();
    let cells = view.columns.iter().enumerate().map(cell).collect();
    Group { value, rows: rows.len(), nodes: nodes.len(), cells }
}

fn total_of(total: Total, values: impl Iterator<Item = f64>) -> Option<f64> {
    match total {
        Total::Sum | Total::Once(_) => values.reduce(|a, b| a + b),
        Total::Max => values.reduce(f64::max),
    }
}

/// The message of a node in place of its rows, or beside them.
fn note(node: &Asked, said: Option<&Shown>) -> Option<NodeNote> {
    let of = |message: String, hint, fault| Some(NodeNote { nodes: vec![node.name.clone()], message, hint, fault });
    let why_not = || said?.reading.as_ref()?.answer.not_applicable.clone();
    match (&node.silent, said.and_then(|said| said.error.as_ref())) {
        (Some(silent), _) => of(silent.clone(), None, node.is_down),
        (None, Some(error)) => of(error.message.clone(), error.hint.clone(), true),
        (None, None) => match said?.reading.as_ref()?.answer.missing.clone() {
            Some(missing) => of(missing, None, true),
            None => of(why_not()?, None, false),
        },
    }
}

/// Of nodes that hold copies of the same data, counts only one: the primary, else the first that has rows. Returns
/// the nodes that are counted; none if it is unknown which of several nodes hold copies.
fn count_copies_once(view: &View, nodes: &[(&Asked, Range<usize>)], rows: &mut [Candidate<'_>]) -> Vec<NodeName> {
    let Some(copies) = view.copies() else { return Vec::new() };
    let is_known = nodes.len() < 2 || nodes.iter().all(|(node, _)| node.system.is_some());
    let data = |node: &Asked| match copies {
        Copies::Database => (node.system, Some(node.database.clone())),
        Copies::Cluster => (node.system, None),
    };
    let mut counted: HashMap<_, &Asked> = HashMap::new();
    for (node, _) in nodes.iter().filter(|_| is_known) {
        let best = counted.entry(data(node)).or_insert(node);
        if node.is_primary && !best.is_primary {
            *best = node;
        }
    }
    let is_counted = |node: &&Asked| counted.get(&data(node)).is_some_and(|best| best.name == node.name);
    for (node, own) in nodes {
        let counts = is_counted(node);
        for row in rows.get_mut(own.clone()).unwrap_or_default() {
            row.counts = counts;
        }
    }
    nodes.iter().map(|(node, _)| *node).filter(is_counted).map(|node| node.name.clone()).collect()
}

/// The nodes that have rows, in their own order.
fn nodes_of(asked: &[Asked], rows: &[Candidate<'_>]) -> Vec<NodeName> {
    let with_rows: HashSet<&NodeName> = rows.iter().map(|row| &row.place.node).collect();
    asked.iter().map(|node| &node.name).filter(|name| with_rows.contains(name)).cloned().collect()
}

fn side_by_side(view: &View, nodes: &[NodeName], rows: &[Candidate<'_>]) -> Vec<TableLine> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut lines: Vec<Across> = Vec::new();
    for row in rows {
        let at = *places.entry(row.reading.key(view, row.place.at)).or_insert(lines.len());
        if at == lines.len() {
            lines.push(Across { first: row.place.clone(), rows: vec![None; nodes.len()] });
        }
        let node = nodes.iter().position(|node| *node == row.place.node);
        let cell = lines.get_mut(at).zip(node).and_then(|(line, node)| line.rows.get_mut(node));
        if let Some(cell) = cell {
            *cell = Some(row.place.at);
        }
    }
    lines.into_iter().map(TableLine::Across).collect()
}

/// Keeps the rows whose compared value is not the same on every node that answered, and sorts rows with the same key
/// together.
fn keep_differences(view: &View, rows: &mut Vec<Candidate<'_>>) {
    let Some(column) = view.compare else { return };
    let nodes: HashSet<&NodeName> = rows.iter().map(|row| &row.place.node).collect();
    let mut values: HashMap<String, (usize, Option<String>, bool)> = HashMap::new();
    for row in rows.iter() {
        let entry = values.entry(row.reading.key(view, row.place.at)).or_insert((0, None, true));
        entry.0 += 1;
        // NULL is an unknown value, not a difference.
        if let Value::Text(value) = row.reading.value(view, row.place.at, column) {
            entry.2 &= entry.1.get_or_insert_with(|| value.to_owned()) == value;
        }
    }
    let of = nodes.len();
    let differs = |row: &Candidate<'_>| {
        let found = values.get(&row.reading.key(view, row.place.at));
        found.is_some_and(|(count, _, same)| !same || *count != of)
    };
    rows.retain(differs);
    rows.sort_by_cached_key(|row| row.reading.key(view, row.place.at));
}
