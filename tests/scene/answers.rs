//! What a node of a scene answers when it is asked for a view.

use std::sync::Arc;

use pgwatch::config::views;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::{Column, EventKind, NodeError, RowSet};

use super::{Scene, ms, name};

/// A node's answer: the cells of each row by the names of their columns. A column that is not named is NULL, and a text
/// with `…` in it is cut there.
pub fn answer(scene: &mut Scene, node: &str, view: &str, rows: &[&str]) {
    let asked: Vec<&str> = views::ours()[view].asked().map(|column| column.name.as_str()).collect();
    let column = |name: &&str| Column { name: (*name).to_owned(), type_name: String::new() };
    let mut set = RowSet::new(asked.iter().map(column).collect());
    let mut cuts = Vec::new();
    for (place, row) in (0..).zip(rows) {
        let cells: Vec<(&str, &str)> = row.split(" | ").map(|cell| cell.split_once('=').expect("name=value")).collect();
        for (name, _) in &cells {
            assert!(asked.contains(name), "{view} has no {name}");
        }
        let is_cut = |name: &str| cells.iter().any(|cell| cell.0 == name && cell.1.contains('…'));
        cuts.extend((0..).zip(&asked).filter(|(_, name)| is_cut(name)).map(|(at, _)| (place, at)));
        set.push(asked.iter().map(|name| cells.iter().find(|cell| cell.0 == *name).map(|cell| cell.1)));
    }
    let answer = ViewRows { rows: set, cuts, elapsed: ms(1), ..ViewRows::default() };
    scene.event(EventKind::View { node: name(node), view: view.into(), outcome: Ok(Arc::new(answer)) });
}

/// The node could not answer.
pub fn fails(scene: &mut Scene, node: &str, view: &str, error: NodeError) {
    scene.event(EventKind::View { node: name(node), view: view.into(), outcome: Err(error) });
}

/// The node cannot have rows of the view.
pub fn lacks(scene: &mut Scene, node: &str, view: &str, why: &str) {
    let answer = ViewRows { not_applicable: Some(why.to_owned()), ..ViewRows::default() };
    scene.event(EventKind::View { node: name(node), view: view.into(), outcome: Ok(Arc::new(answer)) });
}
