//! Pictures of the states of servers: the last answer of each node to the views on the screen, its figures masked,
//! drawn in a separate dashboard. What makes up the state (rows, words, the order of the tree) stays as the servers
//! sent it; process ids, ports and identifiers are renumbered; times, sizes, counters and positions in the WAL become
//! constants. Rows that do not belong to the scene, such as the server's own settings and processes, are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pgwatch::app::Effect;
use pgwatch::config::views;
use pgwatch::demo::Install;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::{CellKind, Unit, ViewColumn};
use pgwatch::model::{Command, Event, EventKind, HealthState, NodeConfig, NodeName, Role, RowSet, View};
use pgwatch::tui::ColorDepth;
use regex::{Captures, Regex};
use tokio::time::Instant;

use super::Live;
use crate::scene::{self, NOW, Scene, healthy, theme};
use crate::support::here::not_run;
use crate::support::wait::{PATIENCE, SOON};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
/// The version whose answers the pictures show; other versions report more or less.
const MAJOR: u32 = 15;
const PORT: usize = 5432;

/// A row belongs to the scene if each of these columns has one of these values. Columns that a view does not have are
/// ignored.
pub type Only<'a> = &'a [(&'a str, &'a [&'a str])];

/// Opens a screen, waits until it satisfies the condition and every node has answered once more, and compares its
/// pictures at three sizes. `exact` are the columns whose numbers are part of the state, `only` says which rows are.
pub async fn pictures(
    live: &mut Live,
    place: &str,
    keys: &str,
    exact: &[&str],
    only: Only<'_>,
    shown: impl Fn(&str) -> bool,
) {
    live.press(keys);
    live.until(place, &shown).await;
    let major = Install::find().expect("a PostgreSQL server").major();
    if major != MAJOR {
        not_run(&format!("the picture {place}"), &format!("it is of PostgreSQL {MAJOR}, this is {major}"));
        return;
    }
    let nodes = live.nodes.clone();
    let opened = opened(&nodes, &live.watched.seen);
    let views = looked(&opened.clone().press(keys));
    let mut deadline = Instant::now() + PATIENCE;
    let mut texts: Option<[String; 3]> = None;
    // An answer may lack a transient row, or have another wait event for a moment: then the next answers count.
    while !texts.as_ref().is_some_and(|texts| is_kept(place, texts)) && Instant::now() < deadline {
        let from = live.watched.seen.len();
        live.press("r");
        let asked = Instant::now();
        let answers = loop {
            let answers = answers(&live.watched.seen[from..], &views);
            if answers.len() == views.len() * nodes.len() {
                break answers;
            }
            assert!(asked.elapsed() < PATIENCE, "{place}: no answers but of {:?}", answers.keys());
            live.step().await;
        };
        let mut scene = told(opened.clone(), keys, &nodes, &views, &answers, &Mask::of(&nodes, &answers, exact, only));
        if shown(&scene::text(&scene.draw(120, 40, &theme("dark", ColorDepth::True)))) {
            if texts.is_none() {
                deadline = deadline.min(Instant::now() + SOON);
            }
            texts = Some(SIZES.map(|(width, height)| drawn(&mut scene, width, height)));
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    let texts = texts.unwrap_or_else(|| panic!("{place}: not shown by the answers to its views"));
    for ((width, height), text) in SIZES.into_iter().zip(texts) {
        settings.bind(|| insta::assert_snapshot!(format!("states__{place}_{width}x{height}"), text));
    }
}

fn drawn(scene: &mut Scene, width: u16, height: u16) -> String {
    scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)))
}

/// True if these pictures match the stored ones.
fn is_kept(place: &str, texts: &[String; 3]) -> bool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    SIZES.iter().zip(texts).all(|((width, height), text)| {
        let kept =
            fs::read_to_string(folder.join(format!("states__{place}_{width}x{height}.snap"))).unwrap_or_default();
        kept.splitn(3, "---\n").nth(2).is_some_and(|kept| kept.trim_end() == text.trim_end())
    })
}

type Answers = BTreeMap<(NodeName, String), Arc<ViewRows>>;

/// The dashboard with the screen that the keys open, after these answers.
fn told(
    mut scene: Scene,
    keys: &str,
    nodes: &[NodeConfig],
    views: &[Arc<View>],
    answers: &Answers,
    mask: &Mask<'_>,
) -> Scene {
    scene.press(keys);
    for view in views {
        for node in nodes {
            let answer = &answers[&(node.name.clone(), view.name.clone())];
            let rows = mask.rows(view, &answer.rows);
            let answer = ViewRows { rows, elapsed: Duration::from_millis(1), ..ViewRows::clone(answer) };
            let (node, view) = (node.name.clone(), view.name.as_str().into());
            scene.event(EventKind::View { node, view, outcome: Ok(Arc::new(answer)) });
        }
    }
    scene
}

/// A dashboard whose nodes are all healthy, and have the roles that they had last.
fn opened(nodes: &[NodeConfig], seen: &[Event]) -> Scene {
    let role = |name: &NodeName| {
        seen.iter().rev().find_map(|event| match &event.kind {
            EventKind::Facts { node, facts: Ok(facts) } if node == name => Some(facts.role),
            EventKind::Connected { node, role, .. } if node == name => *role,
            _ => None,
        })
    };
    let port = |at: usize| (PORT + at) as u16;
    let nodes: Vec<NodeConfig> =
        nodes.iter().enumerate().map(|(at, node)| NodeConfig { port: port(at), ..node.clone() }).collect();
    let mut scene = Scene::new(nodes.clone(), NOW).with_views();
    for node in nodes {
        let (connect_time, server_version) = (Duration::from_millis(6), format!("{MAJOR}.0"));
        let role = Some(role(&node.name).unwrap_or(Role::Primary));
        let node = node.name;
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

/// The values of a column, if there is one with that name.
fn column<'a>(rows: &'a RowSet, name: &str) -> impl Iterator<Item = &'a str> {
    let at = rows.columns().iter().position(|column| column.name == name);
    (0..rows.len()).filter_map(move |row| rows.cell(row, at?))
}

/// The replacements of numbers that differ from run to run.
struct Mask<'a> {
    numbers: BTreeMap<String, String>,
    exact: &'a [&'a str],
    only: Only<'a>,
}

/// Positions in the WAL, and all other numbers.
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b|[0-9]+").unwrap());
const POSITION: &str = "0/3000060";

impl<'a> Mask<'a> {
    fn of(nodes: &[NodeConfig], answers: &Answers, exact: &'a [&'a str], only: Only<'a>) -> Self {
        let of_all = |name: &'static str| answers.values().flat_map(move |answer| column(&answer.rows, name));
        let numbered = |(at, number): (usize, &str), first: usize| (number.to_owned(), (first + at).to_string());
        let ports = nodes.iter().enumerate().map(|(at, node)| (node.port.to_string(), (PORT + at).to_string()));
        let systems: BTreeSet<&str> = of_all("system_identifier").collect();
        let systems = systems.into_iter().enumerate().map(|found| numbered(found, 7_001));
        let mut mask = Self { numbers: ports.chain(systems).collect(), exact, only };
        // In the order of the rows' text without these numbers, so that it does not matter which process came first.
        let unnamed = of_all("pid").map(|pid| (pid.to_owned(), "#".to_owned()));
        let anonymous = Self { numbers: mask.numbers.clone().into_iter().chain(unnamed).collect(), exact, only };
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

    /// The rows of the scene in the order of their masked cells; without our own sessions, which come and go.
    fn in_order(&self, view: &View, rows: &RowSet) -> Vec<usize> {
        let at = |name: &str| rows.columns().iter().position(|column| column.name == name);
        let application = at("application");
        let is_ours = |row: usize| application.is_some_and(|at| rows.cell(row, at) == Some("pgwatch"));
        let only: Vec<_> = self.only.iter().filter_map(|(column, values)| Some((at(column)?, values))).collect();
        let is_of_scene =
            |row: usize| only.iter().all(|(at, values)| values.contains(&rows.cell(row, *at).unwrap_or_default()));
        let mut order: Vec<usize> = (0..rows.len()).filter(|row| !is_ours(*row) && is_of_scene(*row)).collect();
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
            (Some(Unit::Lsn), _) | (_, CellKind::Lsn) => POSITION,
            (Some(Unit::Time), _) | (_, CellKind::Time) => return (NOW - 3600).to_string(),
            (None, kind) if kind.is_number() && !is_identity => "3",
            // Counters within a text.
            _ if column.name == "detail" => return self.text(cell, 0),
            _ => return self.text(cell, 1),
        };
        constant.to_owned()
    }

    /// Known numbers are replaced by their new ones, others with more digits than `kept` become 99.
    fn text(&self, text: &str, kept: usize) -> String {
        let masked = |found: &Captures<'_>| match (self.numbers.get(&found[0]), &found[0]) {
            (_, position) if position.contains('/') => POSITION.to_owned(),
            (Some(known), _) => known.clone(),
            (None, number) => if number.len() > kept { "99" } else { number }.to_owned(),
        };
        NUMBERS.replace_all(text, masked).into_owned()
    }
}
