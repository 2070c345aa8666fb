//! `/` and `!` on the screens that are no views: each has its own columns to name.

use pgwatch::app::Screen;
use pgwatch::config::alerts;
use pgwatch::model::NodeConfig;

use super::answers::{answer, body, pids, seen, sessions};
use crate::scene::{self, NOW, Scene, name, production};

/// What a person types on a screen, what the screen must show then, and what it must no longer show.
#[track_caller]
fn filtered(scene: &mut Scene, cases: &[(&str, &[&str], &[&str])]) {
    let rows = |text: &str| body(text).iter().map(|line| line.trim_start_matches("▸ ").to_owned()).collect::<Vec<_>>();
    let before = rows(&seen(scene, 140, 50));
    for (typed, left, gone) in cases {
        scene.press(&format!("/{}", typed.replace('<', "<<>")));
        let text = seen(scene, 140, 50);
        let has = |what: &&str| body(&text).iter().any(|line| line.contains(what));
        assert!(left.iter().all(has) && !gone.iter().any(has), "/{typed}:\n{text}");
        let out = text.lines().find(|line| line.contains(&format!("/{typed} · ")));
        assert!(out.is_some_and(|line| line.contains("left out")), "/{typed}:\n{text}");
        scene.press("<esc>");
        assert_eq!(rows(&seen(scene, 140, 50)), before, "/{typed} and back");
    }
}

#[test]
fn nodes_are_filtered_by_what_their_rows_show() {
    let mut scene = production();
    let (all, down) = (["primary", "replica-2", "eu-replica"], "connection refused");
    filtered(
        &mut scene,
        &[
            ("^eu", &["eu-primary", "eu-replica"], &["replica-1", down]),
            ("role:primary", &["eu-primary"], &["replica-1"]),
            ("!standby", &["eu-primary"], &["replica-1", down]),
            ("down", &[down], &all),
            ("refused", &[down], &all),
            // A node that is down is not healthy, whatever its state is called internally.
            ("healthy", &["primary"], &[down, "◐"]),
            ("state = degraded", &["replica-2"], &["primary"]),
            ("812 ms", &["replica-2"], &["primary"]),
            ("lag>1s", &["replica-2"], &["replica-1", "eu-replica"]),
            ("ping<100ms", &["primary"], &["◐", down]),
            ("conns>50", &["replica-2", "eu-primary"], &["replica-1"]),
            ("tps > 500", &["eu-primary"], &["replica-1"]),
            ("pool>5", &["replica-2"], &["replica-1"]),
        ],
    );
}

#[test]
fn events_are_filtered_by_node_word_and_text() {
    let mut scene = production();
    scene.press("0");
    filtered(
        &mut scene,
        &[
            ("refused", &["connection refused"], &["node added"]),
            ("node:eu-primary", &["eu-primary"], &["replica-2"]),
            ("what:down", &["reporting"], &["primary"]),
            ("severity=critical", &["down"], &["connected"]),
            ("!reporting", &["primary"], &["reporting"]),
        ],
    );
}

#[test]
fn alerts_are_filtered_by_node_age_rule_and_sentence() {
    let mut scene = production();
    scene.press("t");
    let title = |rule: &str| alerts::ours()[rule].title.as_str();
    let (full, restart, behind) = (title("connections"), title("pending_restart"), title("standby_behind"));
    filtered(
        &mut scene,
        &[
            ("restart", &[restart], &[full]),
            ("node:replica-2", &[full, behind], &[restart]),
            ("since>1m", &[full, restart], &[]),
            ("since<1m", &["No alert matches the filter."], &[full, restart]),
            ("severity:critical", &[full], &[restart]),
            ("rule:behind", &[behind], &[full]),
            ("97 of 100", &[full], &[behind]),
            ("!replica", &[restart], &[full]),
        ],
    );
}

#[test]
fn answers_are_filtered_by_text_and_by_column() {
    let mut scene = production();
    let batch = scene.run("select id, note from notes");
    let columns = [("id", "int4"), ("note", "text")];
    let rows = [vec![Some("1"), Some("first")], vec![Some("20"), None], vec![Some("300"), Some("last")]];
    scene.answer(batch, "primary", std::time::Duration::from_millis(3), Ok(scene::rows(&columns, rows)));
    scene.press("9<esc>");
    let mut grid = scene.clone();
    let text = |scene: &mut Scene| seen(scene, 140, 50);
    for (typed, left) in [
        ("first", &["first"][..]),
        ("id>=20", &["NULL", "last"]),
        ("id > 100", &["last"]),
        ("note:st$", &["first", "last"]),
        ("note=last", &["last"]),
        ("!note:st", &["NULL"]),
        ("null", &["NULL"]),
    ] {
        grid.press(&format!("/{typed}"));
        let shown = text(&mut grid);
        let found: Vec<&str> =
            ["first", "NULL", "last"].into_iter().filter(|word| shown.contains(&format!(" {word} "))).collect();
        assert_eq!(found, left, "/{typed}:\n{shown}");
        assert!(shown.contains(&format!("/{typed} · {} left out", 3 - left.len())), "/{typed}:\n{shown}");
        grid.press("<esc>");
        assert!(!text(&mut grid).contains("left out"));
    }
}

fn shape(scene: &mut Scene) {
    let own = |role: &str, name: &str| {
        format!(
            "kind=self | name={name} | role={role} | timeline=3 | system_identifier=7712 | port=5432 | position=2A/10F8"
        )
    };
    let senders = [
        &(own("primary", "primary") + " | quorum=ANY 1 (replica_1)"),
        "kind=sender | name=replica_1 | slot=replica_1 | slot_type=physical | state=streaming | sync_state=quorum",
        "kind=sender | name=replica_2 | slot=replica_2 | slot_type=physical | state=catchup",
        "kind=sender | name=warehouse | host=10.4.0.8 | slot=warehouse | slot_type=logical | state=streaming",
    ];
    answer(scene, "primary", "topology", &senders);
    for (node, receiver) in [("replica-1", "replica_1"), ("replica-2", "replica_2")] {
        let receives = format!(
            "kind=receiver | name={receiver} | host=10.0.0.1 | peer_port=5432 | slot={receiver} | state=streaming"
        );
        answer(scene, node, "topology", &[&own("standby", node), &receives]);
    }
    answer(scene, "primary", "slots", &["slot=reporting | active=f | retained_bytes=7300000000 | wal_age_ms=600000"]);
}

#[test]
fn a_shape_without_problems_is_told_from_one_that_is_not_known_yet() {
    let node = NodeConfig::new(name("primary"), "10.0.0.1");
    let mut scene = Scene::new(vec![node], NOW).with_views();
    scene.press("2");
    assert!(seen(&mut scene, 140, 50).contains("Asking the nodes …"));
    let own = "kind=self | name=primary | role=primary | timeline=3 | system_identifier=7712 | port=5432";
    answer(&mut scene, "primary", "topology", &[own]);
    assert!(seen(&mut scene, 140, 50).contains("No problems found."));
}

#[test]
fn topology_is_filtered_by_nodes_and_notes() {
    let mut scene = production();
    seen(&mut scene, 140, 50);
    scene.press("2");
    shape(&mut scene);
    filtered(
        &mut scene,
        &[
            ("warehouse", &["warehouse (10.4.0.8)"], &["replica-1", "● primary"]),
            ("catchup", &["replica-2"], &["replica-1"]),
            ("role:standby", &["replica-1", "replica-2"], &["● primary"]),
            ("lag>1s", &["replica-2"], &["replica-1"]),
            ("bytes>1MB", &["replica-2"], &["replica-1"]),
            ("note:sync", &["● primary"], &["replica-1"]),
            ("not in the file", &["warehouse"], &["replica-1"]),
            ("does not answer", &["reporting"], &["replica-1"]),
            ("!node:replica", &["● primary", "reporting"], &["replica-1"]),
        ],
    );
    // The filter applies to the sentences below too, and the screen counts the hidden ones.
    scene.press("/has no reader<enter>");
    let text = seen(&mut scene, 140, 50);
    assert!(text.contains("slot reporting on") && text.contains("No node matches the filter."), "{text}");
    scene.press("<esc>/replica<enter>");
    let text = seen(&mut scene, 140, 50);
    assert!(!text.contains("has no reader") && text.contains("Problems  1 left out"), "{text}");
    assert!(!text.contains("No problems found"), "{text}");
}

#[test]
fn drift_is_filtered_by_row_and_keeps_all_nodes_of_it() {
    let mut scene = production();
    seen(&mut scene, 140, 50);
    scene.press("c");
    for (node, memory, version) in
        [("primary", "64MB", "1.10"), ("replica-1", "64MB", "1.10"), ("replica-2", "4MB", "1.8")]
    {
        let rows = [
            &format!("kind=setting | name=work_mem | value={memory}"),
            "kind=setting | name=shared_buffers | value=8GB",
            &format!("kind=extension | name=pg_stat_statements | value={version}"),
        ];
        answer(&mut scene, node, "drift", &rows.map(|row: &str| row));
    }
    filtered(
        &mut scene,
        &[
            // The values of the other nodes stay beside the one that the filter found.
            ("64MB", &["work_mem", "4MB"], &["pg_stat"]),
            ("^1\\.8$", &["pg_stat_statements", "1.10"], &["work_mem"]),
            ("!64MB", &["pg_stat_statements"], &["work_mem"]),
            ("kind:setting", &["work_mem"], &["pg_stat"]),
            ("replica-2:4MB", &["work_mem"], &["pg_stat"]),
            ("replica-1:4MB", &["64MB"], &["pg_stat"]),
            ("primary=1.10", &["pg_stat_statements"], &["work_mem"]),
            // The nodes are column headers, not rows.
            ("replica", &["No row matches the filter."], &["work_mem"]),
        ],
    );
}

#[test]
fn the_lines_of_a_row_at_length_are_filtered() {
    let mut scene = production();
    seen(&mut scene, 140, 50);
    scene.press("3");
    sessions(&mut scene);
    seen(&mut scene, 140, 50);
    scene.press("<enter>/application<enter>");
    let text = seen(&mut scene, 140, 50);
    assert!(text.contains("worker-3") && !text.contains("DURATION") && text.contains("/application · "), "{text}");
    scene.press("<esc>");
    let text = seen(&mut scene, 140, 50);
    assert!(text.contains("DURATION") && !text.contains("left out"), "the row stays open:\n{text}");
    scene.press("/update orders set state<enter>");
    let text = seen(&mut scene, 140, 50);
    assert!(text.contains("QUERY") && !text.contains("DURATION"), "broken lines are found as one text:\n{text}");
    scene.press("<esc><esc>");
    assert_eq!(pids(&seen(&mut scene, 160, 40)), ["4711", "4712", "88"]);
}

#[test]
fn the_settings_of_a_node_are_filtered() {
    let mut scene = production();
    scene.press("<enter>");
    seen(&mut scene, 140, 50);
    scene.press("<tab>/work_mem<enter>");
    let text = seen(&mut scene, 140, 50);
    assert!(text.contains("work_mem") && !text.contains("shared_buffers") && text.contains("/work_mem · "), "{text}");
    scene.press("<esc>");
    let text = seen(&mut scene, 140, 50);
    assert!(text.contains("shared_buffers") && !text.contains("left out"), "{text}");
    assert_eq!(scene.app.screen, Screen::Detail);
}

#[test]
fn nodes_with_alerts_are_problems() {
    let mut scene = production();
    let rows = |scene: &mut Scene| {
        let text = seen(scene, 140, 50);
        ["primary", "replica-1", "replica-2", "reporting"]
            .map(|node| body(&text).iter().any(|line| line.trim_start_matches("▸ ").starts_with(&format!("{node} "))))
    };
    scene.press("!");
    assert_eq!(rows(&mut scene), [true, false, true, true], "an alert, none, slow, down");
    assert!(seen(&mut scene, 140, 50).contains("problems only · 4 left out"));
    scene.press("<esc>");
    assert_eq!(rows(&mut scene), [true; 4]);
    // A node whose alerts have all been acknowledged is no problem.
    scene.press("t/primary<enter><space>1!");
    assert_eq!(rows(&mut scene), [false, false, true, true]);
    scene.press("<tab><tab>!");
    assert_eq!(rows(&mut scene), [true; 4], "from the answers below as well");
}
