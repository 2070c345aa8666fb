//! Arranges rows as a tree.

use std::collections::HashMap;

use super::lines::{Candidate, RowAt, TableLine};
use crate::model::view::{Tree, Value};
use crate::model::{NodeName, View};

/// The deepest level that is drawn.
const DEEPEST: u8 = 20;

/// Places rows under the rows they belong to, for each node separately. A row whose parent is not shown is a root; of
/// several parents, the first one shown counts.
pub(super) fn as_tree(view: &View, tree: Tree, rows: &[Candidate<'_>]) -> Vec<TableLine> {
    let text = |row: &Candidate<'_>, column: usize| match row.reading.value(view, row.place.at, column) {
        Value::Text(text) => Some(text.to_owned()),
        _ => None,
    };
    let mut ids: HashMap<(NodeName, String), usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(id) = text(row, tree.id) {
            ids.entry((row.place.node.clone(), id)).or_insert(at);
        }
    }
    let parent = |(at, row): (usize, &Candidate<'_>)| {
        let parents = text(row, tree.parent)?;
        let mut parents = parents.trim_matches(['{', '}']).split(',').map(|id| id.trim_matches('"').to_owned());
        parents.find_map(|id| ids.get(&(row.place.node.clone(), id)).copied().filter(|parent| *parent != at))
    };
    let parents: Vec<Option<usize>> = rows.iter().enumerate().map(parent).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(at);
        }
    }
    let mut lines = Vec::with_capacity(rows.len());
    let mut seen = vec![false; rows.len()];
    // Second pass: rows that wait for each other in a cycle have no root, so the first one not yet visited becomes
    // it.
    for roots in [true, false] {
        for at in 0..rows.len() {
            if seen.get(at) == Some(&false) && (!roots || parents.get(at) == Some(&None)) {
                descend(at, 0, rows, &children, &mut seen, &mut lines);
            }
        }
    }
    lines
}

/// Adds a row and all rows below it. Without recursion, because a chain may be as long as there are sessions.
fn descend(
    root: usize,
    depth: u8,
    rows: &[Candidate<'_>],
    children: &HashMap<usize, Vec<usize>>,
    seen: &mut [bool],
    lines: &mut Vec<TableLine>,
) {
    let mut open = vec![(root, depth)];
    while let Some((at, depth)) = open.pop() {
        let (Some(seen), Some(row)) = (seen.get_mut(at), rows.get(at)) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        lines.push(TableLine::Row(RowAt { depth, ..row.place.clone() }));
        let below = children.get(&at).into_iter().flatten().rev();
        open.extend(below.map(|child| (*child, (depth + 1).min(DEEPEST))));
    }
}
