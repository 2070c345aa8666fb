//! The pictures on which keys are pressed: each has enough rows to move through, with the selection in the middle.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pgwatch::app::keys::keymap::Place;
use pgwatch::config::views;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::{CellKind, ViewColumn};
use pgwatch::model::{Column, EventKind, RowSet, View};

use crate::look::Look;
use crate::scene::{NOW, Scene, name, production_with_answers};

const NODES: [&str; 4] = ["primary", "replica-1", "replica-3", "eu-primary"];
const ROWS: usize = 14;

/// A picture and its name.
#[derive(Clone)]
pub(crate) struct Standing {
    pub(crate) name: String,
    pub(crate) scene: Scene,
}

pub(crate) fn is_screen(place: Place) -> bool {
    matches!(
        place,
        Place::Nodes | Place::Detail | Place::Topology | Place::View | Place::Query | Place::Events | Place::Alerts
    )
}

/// A cell that differs from row to row and, in tables that compare nodes, from node to node.
fn cell(view: &View, column: &ViewColumn, node: usize, row: usize) -> String {
    let is_compared = view.compare.is_some_and(|at| view.columns[at].name == column.name);
    let node = if is_compared { node } else { 0 };
    match column.kind {
        CellKind::Bool => if row % 5 == 4 { "t" } else { "f" }.to_owned(),
        CellKind::Int4 | CellKind::Int8 | CellKind::Numeric => (1_000 + row * 7 + node).to_string(),
        CellKind::Float8 => format!("{}.5", 10 + row),
        CellKind::Interval => (row * 1_000).to_string(),
        CellKind::Lsn => format!("0/30000{row:02X}"),
        CellKind::Time => (NOW - 60 * row as u64).to_string(),
        CellKind::IntArray => "{}".to_owned(),
        CellKind::Text if column.wide => {
            format!(
                "select {row} from orders join customers using (customer) where placed > now() - interval '1 day' and node = {node}"
            )
        }
        CellKind::Text if column.name == "database" => "app".to_owned(),
        CellKind::Text if column.name == "state" => {
            ["active", "idle", "idle in transaction"].get(row % 3).copied().unwrap_or_default().to_owned()
        }
        CellKind::Text => format!("{}-{row:02}-{node}", column.name),
    }
}

/// Every node answers with rows of this view.
fn tell(scene: &mut Scene, view: &Arc<View>) {
    let asked: Vec<&ViewColumn> = view.asked().collect();
    let head = |column: &&ViewColumn| Column { name: column.name.clone(), type_name: String::new() };
    for (at, node) in NODES.into_iter().enumerate() {
        let mut rows = RowSet::new(asked.iter().map(head).collect());
        for row in 0..ROWS {
            let cells: Vec<String> = asked.iter().map(|column| cell(view, column, at, row)).collect();
            rows.push(cells.iter().map(|cell| Some(cell.as_str())));
        }
        let answer = ViewRows { rows, elapsed: Duration::from_millis(1), ..ViewRows::default() };
        let (node, view) = (name(node), view.name.as_str().into());
        scene.event(EventKind::View { node, view, outcome: Ok(Arc::new(answer)) });
    }
}

/// The picture that these keys lead to, drawn once so that pages have their size.
fn at(scene: &Scene, name: &str, keys: &str) -> Standing {
    let mut scene = scene.clone();
    scene.press(keys);
    Look::draw(&mut scene, (120, 40));
    // A message about these keys would hide the message about the next one.
    scene.tick(10);
    Standing { name: name.to_owned(), scene }
}

/// The table of a view, with rows.
fn table(scene: &Scene, view: &Arc<View>) -> Standing {
    let name = format!("table {}", view.name);
    let mut standing = at(scene, &name, &format!(":view {}<enter>", view.name));
    for _ in 0..3 {
        tell(&mut standing.scene, view);
        standing.scene.tick(2);
    }
    Look::draw(&mut standing.scene, (120, 40));
    Standing { name, ..at(&standing.scene, "", "<ctrl-d>jj") }
}

fn topology(scene: &Scene) -> Standing {
    let mut standing = at(scene, "topology", "2");
    for view in ["topology", "slots"] {
        tell(&mut standing.scene, &views::ours()[view]);
    }
    at(&standing.scene, "topology", "jjj")
}

fn tables(scene: &Scene) -> Vec<Standing> {
    let mut all = Vec::new();
    for view in views::ours().values() {
        let table = table(scene, view);
        let with = |what: &str, keys: &str| at(&table.scene, &format!("{}, {what}", table.name), keys);
        // These states work the same for every table.
        if view.name == "activity" || view.compare.is_some() {
            all.push(with("a row at length", "g<enter>"));
            all.push(with("a note at length", "G<enter>"));
            if view.columns.iter().any(|column| column.group) {
                all.push(with("grouped", "gb"));
            }
            all.push(with("filtered", "/-1<enter>"));
            all.push(with("frozen", "p"));
            all.push(with("one node", "o"));
            all.push(with("columns", "v"));
            all.push(with("filter line", "/"));
        }
        all.push(table);
    }
    all
}

/// Every picture, made once, as that takes a second.
pub(crate) fn all() -> &'static [Standing] {
    static ALL: LazyLock<Vec<Standing>> = LazyLock::new(make);
    &ALL
}

fn make() -> Vec<Standing> {
    let mut scene = production_with_answers();
    Look::draw(&mut scene, (120, 40));
    let mut all = vec![
        at(&scene, "nodes", "jj"),
        at(&scene, "nodes, marked", "jj<space>"),
        at(&scene, "nodes, frozen", "jjp"),
        at(&scene, "nodes, filtered", "/re<enter>"),
        at(&scene, "nodes, summary", "<tab>"),
        at(&scene, "nodes, answers", "<tab><tab>j"),
        at(&scene, "nodes, events", "<tab><tab><tab>jj"),
        at(&scene, "node", "jj<enter>"),
        at(&scene, "node, settings", "jj<enter><tab>"),
        at(&scene, "node, events", "jj<enter><tab><tab>j"),
        at(&scene, "answers", "9jj"),
        at(&scene, "editor", "9e"),
        at(&scene, "events", "0jjj"),
        at(&scene, "events, frozen", "0jjjp"),
        at(&scene, "alerts", "tj"),
        at(&scene, "add form", "a"),
        at(&scene, "edit form", "jje"),
        at(&scene, "question", "d"),
        at(&scene, "help", "?<pgdn>jj"),
        at(&scene, "command line", ":re"),
        at(&scene, "filter line", "/re"),
        topology(&scene),
    ];
    all.extend(tables(&scene));
    let empty = at(&Scene::new(Vec::new(), NOW).with_views(), "no nodes", "<esc>");
    for (screen, keys) in [("topology", "2"), ("activity", "3"), ("query", "9"), ("events", "0"), ("alerts", "t")] {
        all.push(at(&empty.scene, &format!("no nodes, {screen}"), keys));
    }
    all.push(empty);
    all
}
