//! The whole dashboard on real servers, as a person sees it: faults appear and go, queries are answered, whatever a
//! server says and whatever size the window has.

use crate::support::command::file;
use crate::support::pty::Tui;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::Stage;
use crate::support::wait::{PATIENCE, SOON};

/// The row of a node on the Nodes screen.
fn row(screen: &vt100::Screen, node: &str) -> String {
    let text = screen.contents();
    // The header may name it too.
    text.lines().skip(1).find(|line| line.contains(&format!(" {node} "))).unwrap_or_default().to_owned()
}

#[track_caller]
fn wait_row(tui: &Tui, node: &str, words: &[&str]) {
    tui.wait_for(&format!("{node}: {words:?}"), PATIENCE, |screen| {
        let row = row(screen, node);
        words.iter().all(|word| row.contains(word))
    });
}

/// The row shows since when, why and the next try; the node recovers by itself.
#[test]
fn a_killed_node_is_shown_down_and_healthy_again() {
    let stage = Stage::new();
    let standby = stage.cluster.server("standby1");
    standby.kill().unwrap();
    wait_row(&stage.tui, "standby1", &["✖", "refused", "try"]);
    wait_row(&stage.tui, "primary", &["● healthy"]);
    standby.start().unwrap();
    wait_row(&stage.tui, "standby1", &["● healthy"]);
}

/// Connections stay open, but the node does not answer.
#[test]
fn a_frozen_node_is_shown_down_and_thawed_healthy() {
    let stage = Stage::new();
    let standby = stage.cluster.server("standby1");
    standby.freeze().unwrap();
    wait_row(&stage.tui, "standby1", &["✖"]);
    wait_row(&stage.tui, "primary", &["● healthy"]);
    standby.thaw().unwrap();
    wait_row(&stage.tui, "standby1", &["● healthy"]);
}

/// There is no error: the dashboard opens, says that all nodes are down, and finds the first one that answers.
#[test]
fn the_dashboard_opens_while_all_nodes_are_down() {
    let cluster = cluster().start().unwrap();
    cluster.primary().stop(pgwatch::demo::StopMode::Fast).unwrap();
    let config = ConfigFile::new("", cluster.servers());
    let tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
    wait_row(&tui, "primary", &["✖", "refused"]);
    cluster.primary().start().unwrap();
    wait_row(&tui, "primary", &["● healthy"]);
}

/// Each node answers separately, and its answer is shown, not obeyed.
#[test]
fn a_query_answers_from_every_node_and_is_shown_not_obeyed() {
    let mut stage = Stage::new();
    stage.cluster.server("standby1").kill().unwrap();
    wait_row(&stage.tui, "standby1", &["✖"]);
    stage.tui.press(":select 41 + 1 as answer, E'\\x1b]0;pwned\\x07\\x1b[2J' as evil<enter>");
    // First beside the nodes, where there is little room, then in full on its own screen.
    stage.tui.wait_for("the answer of the primary", SOON, |screen| {
        row(screen, "standby1").contains("✖") && screen.contents().contains(" 42 ")
    });
    stage.tui.press("9");
    stage.tui.wait_text(r"\x1b]0;pwned\x07\x1b[2J", SOON);
    stage.tui.wait_for("why the other has none", SOON, |screen| {
        let text = screen.contents();
        text.lines().any(|line| line.contains("standby1") && line.contains("refused"))
    });
    let raw = String::from_utf8_lossy(&stage.tui.raw()).into_owned();
    assert!(!raw.contains("\u{1b}]0;"), "the title was set");
    stage.tui.press("1");
    wait_row(&stage.tui, "primary", &["● healthy"]);
}

/// Readable from 80x24; a smaller window says so, and no size breaks it.
#[test]
fn the_window_may_take_any_size_at_any_moment() {
    let mut stage = Stage::new();
    for (cols, rows) in [(80, 24), (300, 100), (81, 25), (200, 60)] {
        stage.tui.resize(cols, rows);
        wait_row(&stage.tui, "standby1", &["● healthy"]);
    }
    for (cols, rows) in [(79, 24), (20, 5), (1, 1)] {
        stage.tui.resize(cols, rows);
    }
    stage.tui.resize(60, 20);
    stage.tui.wait_for("too small", SOON, |screen| {
        screen.contents().contains("80x24") || screen.contents().contains("80×24")
    });
    stage.tui.resize(120, 40);
    stage.wait_healthy(2);
    stage.tui.press("q");
    stage.assert_left_clean();
}

/// A key is handled at once, even if it arrives together with a change of the window's size.
#[test]
fn a_key_with_a_new_size_is_answered() {
    let config = file("nodes: {n: {host: 127.0.0.1, port: 1, user: pgwatch}}\n");
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
    tui.wait_text("LAST MINUTE", SOON);
    for (n, (cols, rows)) in [(100, 30), (120, 40)].into_iter().cycle().enumerate().take(200) {
        tui.press("<c-u>:");
        tui.resize(cols, rows);
        tui.press(&format!("#{n}."));
        tui.wait_text(&format!(":#{n}."), SOON);
        tui.press("<c-u><enter>");
    }
}
