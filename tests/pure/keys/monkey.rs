//! Any keys in any order, while nodes come and go: nothing breaks, and every selection is a row.

use pgwatch::app::update::available::hints::{help, hints};
use pgwatch::app::{Effect, Mouse, MouseKind, Msg, Pane, update};
use pgwatch::model::protocol::QueryProgress;
use pgwatch::model::{Command, ErrorKind, EventKind, HealthState, NodeConfig, NodeError};
use proptest::prelude::*;

use super::dashboard::{Dashboard, name};

const KEYS: &[&str] = &[
    "j",
    "k",
    "G",
    "g",
    "<pgdn>",
    "<pgup>",
    "<ctrl-d>",
    "<ctrl-u>",
    "h",
    "l",
    "<enter>",
    "<esc>",
    "<tab>",
    "<shift-tab>",
    "1",
    "9",
    "0",
    "[",
    "]",
    "<space>",
    "a",
    "e",
    "d",
    "y",
    "n",
    "r",
    "p",
    "P",
    "+",
    "-",
    "s",
    "S",
    "<<>",
    ">",
    "/",
    "!",
    "f",
    "z",
    "w",
    ":",
    "?",
    "q",
    "x",
    "ä",
    "<backspace>",
    "<left>",
    "<right>",
    "<up>",
    "<down>",
    "<ctrl-t>",
    "<f1>",
    "<f5>",
    ":select 1<enter>",
    "/re<enter>",
    ":node replica<enter>",
];

const NODES: [&str; 4] = ["primary", "replica", "reporting", "late"];

/// One step: a key, or something that happens by itself.
fn step(dashboard: &mut Dashboard, what: usize, which: usize) {
    let node = name(NODES[which % NODES.len()]);
    let known = dashboard.app.picture().nodes.get(&node).is_some();
    match what {
        0 if known => {
            dashboard.health(node.as_str(), HealthState::Unhealthy, Some(NodeError::new(ErrorKind::Refused, "no")));
        }
        1 if known => dashboard.health(node.as_str(), HealthState::Healthy, None),
        2 => drop(dashboard.tell(EventKind::NodeRemoved { node, sessions_closed: 1, cancelled: 0 })),
        3 => drop(dashboard.tell(EventKind::NodeAdded { node: Box::new(NodeConfig::new(node, "h")) })),
        4 => drop(dashboard.wait(1)),
        5 => dashboard.draw([Pane::Nodes, Pane::Result, Pane::Events, Pane::Settings][which % 4], which as u16 % 9),
        6 => {
            let kind = [MouseKind::Click, MouseKind::ScrollDown, MouseKind::ScrollRight][which % 3];
            update(&mut dashboard.app, Msg::Mouse(Mouse { kind, x: 5, y: which as u16 % 20 }));
        }
        7 => drop(update(&mut dashboard.app, Msg::Paste("select 1;\nselect 2".to_owned()))),
        _ => answer(dashboard, KEYS[which % KEYS.len()]),
    }
}

/// Presses keys; statements that this starts end at once.
fn answer(dashboard: &mut Dashboard, keys: &str) {
    for effect in dashboard.effects(keys) {
        if let Effect::Send(Command::Run(request)) = effect {
            let elapsed = std::time::Duration::from_millis(1);
            dashboard.tell(EventKind::Query { batch: request.batch, progress: QueryProgress::Done { elapsed } });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_and_every_selection_is_a_row(steps in proptest::collection::vec((0..24usize, 0..1000usize), 0..120)) {
        let mut dashboard = Dashboard::healthy();
        for (what, which) in steps {
            step(&mut dashboard, what, which);
            let app = &dashboard.app;
            prop_assert!(app.nodes_table.rows.is_empty() || app.nodes_table.selected().is_some());
            prop_assert!(app.events_table.rows.is_empty() || app.events_table.selected().is_some());
            prop_assert!(app.query.results.is_empty() || app.query.results.selected().is_some());
            for row in &app.nodes_table.rows {
                prop_assert!(app.picture().nodes.get(row).is_some(), "{row} is shown and not there");
            }
            for seq in &app.events_table.rows {
                prop_assert!(app.picture().journal.get(*seq).is_some(), "line {seq} is shown and not there");
            }
            prop_assert!(app.screen.panes().contains(&app.pane));
            prop_assert!(hints(app).iter().all(|hint| app.can(hint.action)));
            prop_assert!(!help(app).is_empty());
        }
    }
}
