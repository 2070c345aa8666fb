//! Pictures of the states that servers are in: the last answer of each node to the views on the screen, its figures
//! masked, drawn in a dashboard of its own. What the state is made of (rows, words, who stands under whom) stays what the
//! servers said; process ids, ports and identifiers are numbered anew, times, sizes and counters become constants.
#![allow(clippy::print_stdout, reason = "which version was there to be pictured")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pgwatch::app::Effect;
use pgwatch::config::views;
use pgwatch::demo::Install;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::{CellKind, Unit, ViewColumn};
use pgwatch::model::{Command, Event, EventKind, HealthState, NodeConfig, NodeName, Role, RowSet, View};
use pgwatch::tui::ColorDepth;
use tokio::time::Instant;

use super::Live;
use crate::scene::{self, NOW, Scene, healthy, theme};
use crate::support::wait::PATIENCE;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
/// The version whose answers the pictures are of: others know more or less.
const MAJOR: u32 = 15;
const PORT: usize = 5432;

/// Opens a screen, waits until it shows something and every node has answered once more, and compares its pictures at
/// three sizes. `exact` are the columns whose numbers are part of the state.
pub async fn pictures(live: &mut Live, place: &str, keys: &str, exact: &[&str], shown: impl Fn(&str) -> bool) {
    live.press(keys);
    live.until(place, &shown).await;
    let major = Install::find().expect("a PostgreSQL server").major();
    if major != MAJOR {
        println!("{place}: the pictures are of PostgreSQL {MAJOR}, this is {major}: not compared");
        return;
    }
    let nodes = live.nodes.clone();
    let opened = opened(&nodes);
    let views = looked(&opened.clone().press(keys));
    let from = live.watched.seen.len();
    live.press("r");
    let deadline = Instant::now() + PATIENCE;
    let mut scene = loop {
        let answers = answers(&live.watched.seen[from..], &views);
        if answers.len() == views.len() * nodes.len() {
            let mut scene = told(opened.clone(), keys, &nodes, &views, &answers, exact);
            // A state that comes and goes may be away in these answers.
            if shown(&scene::text(&scene.draw(120, 40, &theme("dark", ColorDepth::True)))) {
                break scene;
            }
        }
        assert!(Instant::now() < deadline, "{place}: not shown by the answers of {:?}", answers.keys());
        live.step().await;
    };
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    for (width, height) in SIZES {
        let text = scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)));
        settings.bind(|| insta::assert_snapshot!(format!("states__{place}_{width}x{height}"), text));
    }
}

type Answers = BTreeMap<(NodeName, String), Arc<ViewRows>>;

/// The dashboard with the screen that the keys open, told of these answers.
fn told(
    mut scene: Scene,
    keys: &str,
    nodes: &[NodeConfig],
    views: &[Arc<View>],
    answers: &Answers,
    exact: &[&str],
) -> Scene {
    let mask = Mask::of(nodes, answers, exact);
    scene.press(keys);
    for view in views {
        for node in nodes {
            let answer = &answers[&(node.name.clone(), view.name.clone())];
            let rows = mask.rows(view, &answer.rows);
            let answer = ViewRows { rows, elapsed: Duration::from_millis(1), truncated: answer.truncated };
            let (node, view) = (node.name.clone(), view.name.as_str().into());
            scene.event(EventKind::View { node, view, outcome: Ok(Arc::new(answer)) });
        }
    }
    scene
}

/// A dashboard whose nodes are all healthy.
fn opened(nodes: &[NodeConfig]) -> Scene {
    let port = |at: usize| (PORT + at) as u16;
    let nodes: Vec<NodeConfig> =
        nodes.iter().enumerate().map(|(at, node)| NodeConfig { port: port(at), ..node.clone() }).collect();
    let mut scene = Scene::new(nodes.clone(), NOW).with_views();
    for node in nodes {
        let (connect_time, server_version) = (Duration::from_millis(6), format!("{MAJOR}.0"));
        let (node, role) = (node.name, Role::Primary);
        scene.health(node.as_str(), HealthState::Connecting, healthy(NOW, Duration::from_millis(1)));
        scene.event(EventKind::Connected { node, role, server_version, connect_time, attempt: 1 });
    }
    scene.draw(120, 40, &theme("dark", ColorDepth::True));
    scene
}

/// The views that the screen needs, without those that alerts need.
fn looked(effects: &[Effect]) -> Vec<Arc<View>> {
    let looks = effects.iter().rev().find_map(|effect| match effect {
        Effect::Send(Command::Look(looks)) => Some(looks),
        _ => None,
    });
    let looks = looks.expect("a screen that asks for views").iter();
    looks.filter(|look| look.pace.is_none()).map(|look| Arc::clone(&look.view)).collect()
}

fn answers(seen: &[Event], views: &[Arc<View>]) -> Answers {
    let answered = seen.iter().filter_map(|event| match &event.kind {
        EventKind::View { node, view, outcome: Ok(answer) } => {
            Some(((node.clone(), view.to_string()), Arc::clone(answer)))
        }
        _ => None,
    });
    answered.filter(|((_, name), _)| views.iter().any(|view| view.name == *name)).collect()
}

/// The values of a column, where there is one of that name.
fn column<'a>(rows: &'a RowSet, name: &str) -> impl Iterator<Item = &'a str> {
    let at = rows.columns().iter().position(|column| column.name == name);
    (0..rows.len()).filter_map(move |row| rows.cell(row, at?))
}

/// What stands for the numbers that differ from run to run.
struct Mask<'a> {
    numbers: BTreeMap<String, String>,
    exact: &'a [&'a str],
}

impl<'a> Mask<'a> {
    fn of(nodes: &[NodeConfig], answers: &Answers, exact: &'a [&'a str]) -> Self {
        let of_all = |name: &'static str| answers.values().flat_map(move |answer| column(&answer.rows, name));
        let numbered = |(at, number): (usize, &str), first: usize| (number.to_owned(), (first + at).to_string());
        let ports = nodes.iter().enumerate().map(|(at, node)| (node.port.to_string(), (PORT + at).to_string()));
        let systems: BTreeSet<&str> = of_all("system_identifier").collect();
        let systems = systems.into_iter().enumerate().map(|found| numbered(found, 7_001));
        let mut mask = Self { numbers: ports.chain(systems).collect(), exact };
        // In the order of what their rows say but for these numbers, whichever process was the first.
        let unnamed = of_all("pid").map(|pid| (pid.to_owned(), "#".to_owned()));
        let anonymous = Self { numbers: mask.numbers.clone().into_iter().chain(unnamed).collect(), exact };
        let mut pids: Vec<&str> = Vec::new();
        for ((_, name), answer) in answers {
            let at = answer.rows.columns().iter().position(|column| column.name == "pid");
            let rows = anonymous.in_order(&views::ours()[name], &answer.rows);
            for pid in rows.into_iter().filter_map(|row| answer.rows.cell(row, at?)) {
                if !pids.contains(&pid) {
                    pids.push(pid);
                }
            }
        }
        mask.numbers.extend(pids.into_iter().enumerate().map(|found| numbered(found, 101)));
        mask
    }

    fn rows(&self, view: &View, rows: &RowSet) -> RowSet {
        let mut set = RowSet::new(rows.columns().to_vec());
        for row in self.in_order(view, rows) {
            set.push(self.row(view, rows, row).iter().map(Option::as_deref));
        }
        set
    }

    /// The rows in the order of their masked cells; without sessions of ours, which come and go.
    fn in_order(&self, view: &View, rows: &RowSet) -> Vec<usize> {
        let application = rows.columns().iter().position(|column| column.name == "application");
        let is_ours = |row: &usize| application.is_some_and(|at| rows.cell(*row, at) == Some("pgwatch"));
        let mut order: Vec<usize> = (0..rows.len()).filter(|row| !is_ours(row)).collect();
        order.sort_by_cached_key(|row| self.row(view, rows, *row));
        order
    }

    fn row(&self, view: &View, rows: &RowSet, row: usize) -> Vec<Option<String>> {
        let masked = |(column, cell): (&ViewColumn, Option<&str>)| cell.map(|cell| self.cell(column, cell));
        view.asked().zip(rows.row(row)).map(masked).collect()
    }

    fn cell(&self, column: &ViewColumn, cell: &str) -> String {
        if self.exact.contains(&column.name.as_str()) {
            return cell.to_owned();
        }
        let is_identity = column.name.ends_with("pid") || column.name.ends_with("port");
        let constant = match (column.unit, column.kind) {
            (Some(Unit::Ms), _) => "1500",
            (Some(Unit::Seconds), _) => "40",
            (Some(Unit::Bytes | Unit::BytesPerSecond), _) => "81920",
            (Some(Unit::Percent), _) => "12.5",
            (Some(Unit::Lsn), _) | (_, CellKind::Lsn) => "0/3000060",
            (Some(Unit::Time), _) | (_, CellKind::Time) => return (NOW - 3600).to_string(),
            (None, kind) if kind.is_number() && !is_identity => "3",
            // Counters in words.
            _ if column.name == "detail" => return self.text(cell, 0),
            _ => return self.text(cell, 1),
        };
        constant.to_owned()
    }

    /// Numbers that are known are named anew, others of more digits than these become 99.
    fn text(&self, text: &str, kept: usize) -> String {
        let mut masked = String::new();
        let mut rest = text;
        while let Some((before, digits)) = rest.find(|c: char| c.is_ascii_digit()).map(|at| rest.split_at(at)) {
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let (number, after) = digits.split_at(end);
            let known = self.numbers.get(number).map(String::as_str);
            masked.push_str(before);
            masked.push_str(known.unwrap_or(if end > kept { "99" } else { number }));
            rest = after;
        }
        masked + rest
    }
}
