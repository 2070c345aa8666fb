//! `w` in tables, alerts and the topology: long text is shown in full, and selecting, clicking and paging go by rows.

use pgwatch::app::{Mouse, MouseKind, Msg, update};
use pgwatch::config::views;
use pgwatch::model::view::{CellKind, Source, ViewColumn};
use pgwatch::model::{Command, View};

use super::answers::{answer, body, foot, seen, tell};
use crate::scene::{Scene, production};

const LONG: &str = "lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy eirmod tempor invidunt";

/// True if the first column that a row shows is text.
fn begins_with_text(view: &View) -> bool {
    let shown = |column: &&ViewColumn| !column.hidden && !matches!(column.source, Source::Trend { .. });
    view.columns.iter().find(shown).is_some_and(|column| column.kind == CellKind::Text)
}

/// A view with thirty rows of long texts, which begin with `alpha` and end with `omega` and their number.
fn opened(view: &View, width: u16) -> Scene {
    let mut scene = production();
    seen(&mut scene, width, 40);
    scene.press(&format!(":view {}<enter>", view.name));
    for node in ["primary", "replica-1"] {
        let cell = |row: usize, column: &ViewColumn| {
            let at = view.column(&column.name);
            if view.tree.is_some_and(|tree| Some(tree.parent) == at) {
                return None;
            }
            match column.kind {
                CellKind::Bool => Some("f".to_owned()),
                CellKind::Text if view.compare == at => Some(format!("{node} {LONG}")),
                CellKind::Text => Some(format!("alpha{row:02} {LONG} omega{row:02}")),
                CellKind::Lsn => Some(format!("7/{row}")),
                CellKind::IntArray => None,
                _ => Some((1000 - row).to_string()),
            }
        };
        tell(&mut scene, node, view, 30, cell);
    }
    seen(&mut scene, width, 40);
    scene.press("go");
    seen(&mut scene, width, 40);
    scene
}

/// The numbers of the rows that begin and end on the screen, and that of the selected one.
fn rows_on(text: &str) -> (Vec<String>, Option<String>) {
    let after =
        |line: &String, word: &str| line.split_once(word).map(|(_, rest)| rest.chars().take(2).collect::<String>());
    let lines = body(text);
    let shown = lines.iter().filter_map(|line| after(line, "omega")).collect();
    (shown, lines.iter().find(|line| line.starts_with('▸')).and_then(|line| after(line, "alpha")))
}

#[test]
fn every_table_wraps_its_long_text_and_goes_by_rows() {
    let mut tried = 0;
    for view in views::ours().values().filter(|view| begins_with_text(view) && view.compare.is_none()) {
        for width in [80, 120] {
            tried += 1;
            let mut scene = opened(view, width);
            let plain = seen(&mut scene, width, 40);
            scene.press("w");
            let text = seen(&mut scene, width, 40);
            let (shown, selected) = rows_on(&text);
            assert!(shown.len() > 1, "{} at {width}:\n{text}", view.name);
            let mut selected = selected.unwrap_or_else(|| panic!("{} at {width}:\n{text}", view.name));
            assert!(shown.contains(&selected), "{} at {width}: the selected row is whole:\n{text}", view.name);
            // Down to the end and up again, row by row: the selected row is always on the screen, in full.
            let mut seen_rows = vec![selected.clone()];
            for _ in 1..30 {
                scene.press("j");
                let text = seen(&mut scene, width, 40);
                let (shown, now) = rows_on(&text);
                let now = now.unwrap_or_else(|| panic!("{} at {width}: nothing selected\n{text}", view.name));
                assert!(now != selected && shown.contains(&now), "{} at {width}:\n{text}", view.name);
                selected = now;
                seen_rows.push(selected.clone());
            }
            seen_rows.sort();
            seen_rows.dedup();
            assert_eq!(seen_rows.len(), 30, "{} at {width}", view.name);
            // A page down begins where the last one ended, or earlier.
            scene.press("g");
            let first = rows_on(&seen(&mut scene, width, 40)).0;
            scene.press("<pgdn>");
            let second = rows_on(&seen(&mut scene, width, 40)).0;
            assert!(second.last() != first.last(), "{} at {width}", view.name);
            // A click on any line of a row selects that row.
            scene.press("g");
            let text = seen(&mut scene, width, 40);
            let wanted = rows_on(&text).0[1].clone();
            let y = text.lines().position(|line| line.contains(&format!("omega{wanted}"))).unwrap() as u16;
            update(&mut scene.app, Msg::Mouse(Mouse { kind: MouseKind::Click, x: 5, y }));
            let text = seen(&mut scene, width, 40);
            assert_eq!(rows_on(&text).1, Some(wanted), "{} at {width}:\n{text}", view.name);
            scene.press("gw");
            assert_eq!(body(&seen(&mut scene, width, 40)), body(&plain), "{} at {width}: as before", view.name);
        }
    }
    assert!(tried >= 20, "{tried}");
}

#[test]
fn groups_compared_values_and_notes_wrap_too() {
    let drift = &views::ours()["drift"];
    let mut scene = opened(drift, 120);
    scene.press("<esc>w");
    let text = seen(&mut scene, 120, 40);
    let words = text.split_whitespace().filter(|word| *word == "invidunt").count();
    assert!(words >= 3, "{text}");
    let activity = &views::ours()["activity"];
    let mut scene = opened(activity, 80);
    scene.press("bw");
    let text = seen(&mut scene, 80, 40);
    assert!(text.contains("× alpha00") && text.contains("omega00"), "{text}");
    let mut scene = production();
    seen(&mut scene, 80, 24);
    scene.press("6");
    let long = format!("pg_stat_statements is not installed {LONG} finis");
    let error = pgwatch::model::NodeError::new(pgwatch::model::ErrorKind::Sql, long).with_hint("create it");
    let node = crate::scene::name("primary");
    scene.event(pgwatch::model::EventKind::View { node, view: "statements".into(), outcome: Err(error) });
    assert!(!seen(&mut scene, 80, 24).contains("create it"));
    scene.press("w");
    let text = seen(&mut scene, 80, 24);
    assert!(text.contains("finis") && text.contains("create it"), "{text}");
}

#[test]
fn alerts_wrap_their_sentences() {
    let mut scene = production();
    seen(&mut scene, 80, 40);
    let user = "a_user_whose_name_is_as_long_as_names_of_users_may_be_in_pg";
    for pid in 1..=8 {
        let rows: Vec<String> = (1..=pid)
            .map(|pid| format!("pid=470{pid} | user={user} | database=shop | state=idle in transaction | duration_ms=754000 | backend_type=client backend"))
            .collect();
        answer(&mut scene, "primary", "activity", &rows.iter().map(String::as_str).collect::<Vec<_>>());
    }
    scene.press("t");
    let holds = |text: &str| body(text).iter().filter(|line| line.contains("vacuum")).count();
    assert_eq!(holds(&seen(&mut scene, 80, 40)), 0);
    scene.press("w");
    let text = seen(&mut scene, 80, 40);
    assert!(holds(&text) > 3, "{text}");
    for _ in 0..10 {
        scene.press("j");
        let text = seen(&mut scene, 80, 40);
        let remedy = text.split_once("What to do").unwrap().1;
        let pid = remedy.split_whitespace().find(|word| word.starts_with("470"));
        if let Some(pid) = pid {
            assert!(body(&text).iter().any(|line| line.contains(pid)), "the selected one is on the screen:\n{text}");
        }
    }
}

#[test]
fn the_topology_wraps_names_notes_and_sentences() {
    let mut scene = production();
    seen(&mut scene, 80, 40);
    scene.press("2");
    let quorum = "ANY 2 (replica_1, replica_2, replica_3, eu_replica_1, eu_replica_2, the_last_of_them)";
    let own = format!(
        "kind=self | name=primary | role=primary | timeline=3 | system_identifier=7712 | port=5432 | quorum={quorum}"
    );
    let slot = "a_slot_of_a_reader_with_a_long_name";
    let sender = format!(
        "kind=sender | name=a_reader_that_nobody_has_put_into_the_file | host=10.4.0.8 | slot={slot} | slot_type=logical | state=streaming"
    );
    for (width, height) in [(80, 40), (120, 40)] {
        answer(&mut scene, "primary", "topology", &[&own, &sender]);
        let before = seen(&mut scene, width, height);
        assert!(!before.contains("the_last_of_them"), "{before}");
        scene.press("w");
        let text = seen(&mut scene, width, height);
        for word in ["the_last_of_them", "(10.4.0.8)", "not in the file"] {
            assert!(body(&text).iter().any(|line| line.contains(word)), "{word} at {width}:\n{text}");
        }
        // The cursor moves from node to node.
        let mut lines: Vec<String> = Vec::new();
        for _ in 0..8 {
            scene.press("y").into_iter().for_each(|effect| {
                if let pgwatch::app::Effect::Copy(name) = effect {
                    lines.push(name);
                }
            });
            scene.press("j");
            seen(&mut scene, width, height);
        }
        lines.dedup();
        assert_eq!(lines.len(), 8, "{lines:?}");
        scene.press("gw");
        assert_eq!(body(&seen(&mut scene, width, height)), body(&before), "{width}");
    }
    // A fault is never cut.
    let lost = "slot=a_slot_whose_reader_has_been_away_for_so_long_that_its_wal_went | active=f | wal_status=lost";
    answer(&mut scene, "primary", "slots", &[lost]);
    let text = seen(&mut scene, 80, 40);
    assert!(text.contains("rebuild the reader"), "{text}");
}

#[test]
fn where_nothing_is_cut_the_foot_says_so() {
    for (keys, said) in
        [("", "not wrapped"), ("<enter>", "not wrapped"), ("3<enter>", "an open row is wrapped already")]
    {
        let mut scene = production();
        seen(&mut scene, 120, 40);
        answer(&mut scene, "primary", "activity", &["pid=1 | state=active | duration_ms=5"]);
        scene.press(keys);
        answer(&mut scene, "primary", "activity", &["pid=1 | state=active | duration_ms=5"]);
        seen(&mut scene, 120, 40);
        if keys == "3<enter>" {
            scene.press("<esc><enter>");
        }
        let effects = scene.press("w");
        assert!(!effects.iter().any(|effect| matches!(effect, pgwatch::app::Effect::Send(Command::Run(_)))));
        assert!(!scene.app.wrap, "{keys}");
        let text = seen(&mut scene, 120, 40);
        assert!(foot(&text).contains(said), "{keys}:\n{text}");
    }
}
