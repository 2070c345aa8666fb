//! Answers to views, and which parts of them are on the screen.

use std::sync::Arc;
use std::time::Duration;

use pgwatch::config::views;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::{CellKind, Source, ViewColumn};
use pgwatch::model::{Column, EventKind, RowSet, View};
use pgwatch::tui::ColorDepth;

use crate::scene::{self, Scene, name, theme};

/// A node's answer: the cells of each row by the names of their columns. A column that is not named is NULL.
pub(crate) fn answer(scene: &mut Scene, node: &str, view: &str, rows: &[&str]) {
    let rows = rows.iter().map(|row| row.split(" | ").map(|cell| cell.split_once('=').expect("name=value")).collect());
    let rows: Vec<Vec<(&str, &str)>> = rows.collect();
    let view = &views::ours()[view];
    let cell = |row: usize, column: &ViewColumn| {
        rows[row].iter().find(|cell| cell.0 == column.name).map(|cell| cell.1.to_owned())
    };
    tell(scene, node, view, rows.len(), cell);
}

/// Three rows from each of two nodes, different in every column. What the screen shows of them contains `alpha0` to
/// `alpha2`, or 73010 to 73012.
pub(crate) fn answer_anything(scene: &mut Scene, view: &View) {
    for node in ["primary", "replica-1"] {
        tell(scene, node, view, 3, |row, column| made_up(view, column, row, node));
    }
}

fn made_up(view: &View, column: &ViewColumn, row: usize, node: &str) -> Option<String> {
    let at = view.column(&column.name);
    if view.tree.is_some_and(|tree| Some(tree.parent) == at) {
        return None;
    }
    match column.kind {
        CellKind::Bool => Some("f".to_owned()),
        CellKind::Text if view.compare == at => Some(format!("value{row} of {node}")),
        CellKind::Text => Some(format!("alpha{row}")),
        CellKind::Lsn => Some(format!("7/{row}")),
        CellKind::IntArray => None,
        _ => Some((73_010 + row).to_string()),
    }
}

pub(crate) fn tell(
    scene: &mut Scene,
    node: &str,
    view: &View,
    rows: usize,
    cell: impl Fn(usize, &ViewColumn) -> Option<String>,
) {
    let asked: Vec<&ViewColumn> = view.asked().collect();
    let column = |column: &&ViewColumn| Column { name: column.name.clone(), type_name: String::new() };
    let mut set = RowSet::new(asked.iter().map(column).collect());
    for row in 0..rows {
        let cells: Vec<Option<String>> = asked.iter().map(|column| cell(row, column)).collect();
        set.push(cells.iter().map(Option::as_deref));
    }
    let answer = ViewRows { rows: set, elapsed: Duration::from_millis(1), ..ViewRows::default() };
    scene.event(EventKind::View { node: name(node), view: view.name.as_str().into(), outcome: Ok(Arc::new(answer)) });
}

/// The first column on the screen that distinguishes the made-up rows, and its text for each row.
pub(crate) fn telling(view: &View) -> Option<[String; 3]> {
    let mut shown = view.columns.iter().filter(|column| !column.hidden && matches!(column.source, Source::Sql { .. }));
    let first = shown.next()?;
    match (first.kind, first.unit) {
        (CellKind::Text, _) => Some([0, 1, 2].map(|row| format!("alpha{row}"))),
        (CellKind::Int4, None) if first.total.is_none() => Some([0, 1, 2].map(|row| (73_010 + row).to_string())),
        _ => None,
    }
}

pub(crate) fn seen(scene: &mut Scene, width: u16, height: u16) -> String {
    scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)))
}

/// The lines inside the frame of the main pane: headers and rows.
pub(crate) fn body(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with('╭')).skip(1);
    let inside = lines.take_while(|line| !line.starts_with('╰'));
    inside.map(|line| line.trim_matches('│').trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The key line and the line above it.
pub(crate) fn foot(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len() - 2..].join("\n")
}

/// Three sessions on the primary, one of them idle, and one on a standby.
pub(crate) fn sessions(scene: &mut Scene) {
    let primary = [
        "pid=4711 | user=app | database=shop | application=worker-3 | state=idle in transaction | duration_ms=754000 | \
         query=update orders\n  set state = $1",
        "pid=4712 | user=app | database=shop | application=web | state=active | duration_ms=42000 | \
         wait=Lock: transactionid | query=select count(*) from orders",
        "pid=4900 | user=app | database=shop | application=web | state=idle",
    ];
    answer(scene, "primary", "activity", &primary);
    let replica =
        ["pid=88 | user=report | database=shop | application=metabase | state=active | duration_ms=131000 | \
                    backend_type=client backend | query=with recent as (select * from orders) select 1"];
    answer(scene, "replica-1", "activity", &replica);
}

/// The pids on the screen.
pub(crate) fn pids(text: &str) -> Vec<&str> {
    ["4711", "4712", "4900", "88"].into_iter().filter(|pid| text.contains(&format!(" {pid} "))).collect()
}
