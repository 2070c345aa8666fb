//! Nodes that were removed, that fail, and that have nothing to show.

use pgwatch::model::{ErrorKind, EventKind, Health, HealthState, NodeError, Role};
use pgwatch::tui::ColorDepth;

use super::{fleet, screen};
use crate::scene::answers::{answer, fails, lacks};
use crate::scene::{Scene, name, theme};

fn two() -> Scene {
    fleet(&[("primary", Role::Primary, "17.2", Some(1)), ("replica", Role::Standby, "17.2", Some(1))])
}

fn remove(scene: &mut Scene, node: &str) {
    scene.event(EventKind::NodeRemoved { node: name(node), sessions_closed: 1, cancelled: 0 });
}

/// A view for each screen, and a row of it.
const ROWS: [(&str, &str, &str); 5] = [
    ("3", "activity", "pid=4711 | query=select 1"),
    ("4<tab>", "held_locks", "id=4711 | pid=4711 | state=held | mode=Exclusive | object=orders | tag=1"),
    ("5<tab><tab>", "slots", "slot=orders | active=f | retained_bytes=1000"),
    ("7", "tables", "schema=public | table=orders | total=1000"),
    (":settings<enter>", "settings", "name=work_mem | value=4MB"),
];

#[test]
fn a_node_that_was_removed_is_gone_from_every_table_at_the_next_frame() {
    for (keys, view, row) in ROWS {
        let mut scene = two();
        scene.press(keys);
        for node in ["primary", "replica"] {
            answer(&mut scene, node, view, &[row]);
        }
        if view == "settings" {
            scene.press("i");
        }
        let text = screen(&mut scene, 120, 40);
        assert!(text.contains("replica"), "{view}\n{text}");
        scene.tick(1);
        remove(&mut scene, "replica");
        // An answer that was under way arrives late.
        answer(&mut scene, "replica", view, &[row]);
        for later in [0, 60] {
            scene.tick(later);
            answer(&mut scene, "primary", view, &[row]);
            let text = screen(&mut scene, 120, 40);
            let table = text.lines().skip(2).take(36).collect::<Vec<_>>().join("\n");
            assert!(!table.contains("replica"), "{view}, {later} s later\n{text}");
        }
    }
}

#[test]
fn a_node_that_was_removed_is_gone_from_topology() {
    let mut scene = two();
    scene.press("2");
    let own = |role: &str| format!("kind=self | name=x | role={role} | timeline=1 | system_identifier=77 | port=5432");
    answer(&mut scene, "primary", "topology", &[&own("primary")]);
    answer(&mut scene, "replica", "topology", &[&own("standby")]);
    answer(&mut scene, "replica", "slots", &["slot=orders | active=f | retained_bytes=100000000 | wal_age_ms=600000"]);
    assert!(screen(&mut scene, 120, 40).contains("slot orders on replica has no reader"));
    remove(&mut scene, "replica");
    let text = screen(&mut scene, 120, 40);
    assert!(!text.lines().skip(2).take(35).any(|line| line.contains("replica")), "{text}");
}

#[test]
fn a_frozen_picture_keeps_the_rows_until_it_goes_on() {
    let mut scene = two();
    scene.press("3");
    for node in ["primary", "replica"] {
        answer(&mut scene, node, "activity", &["pid=4711 | query=select 1"]);
    }
    screen(&mut scene, 120, 40);
    scene.press("p");
    remove(&mut scene, "replica");
    let rows = |text: &str| text.lines().filter(|line| line.contains("4711")).count();
    let text = screen(&mut scene, 120, 40);
    assert_eq!(rows(&text), 2, "{text}");
    scene.press("p");
    let text = screen(&mut scene, 120, 40);
    assert_eq!(rows(&text), 1, "{text}");
}

#[test]
fn a_fault_of_a_node_is_visible_however_many_rows_there_are() {
    let pids: Vec<String> = (1000..1100).map(|pid| format!("pid={pid} | query=select {pid}")).collect();
    let rows: Vec<&str> = pids.iter().map(String::as_str).collect();
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut scene = two();
        scene.press("3");
        answer(&mut scene, "primary", "activity", &rows);
        let error = NodeError::new(ErrorKind::Permission, "permission denied for view pg_stat_activity");
        fails(&mut scene, "replica", "activity", error);
        for keys in ["", "<pgdn>"] {
            scene.press(keys);
            let text = screen(&mut scene, width, height);
            let border = text.lines().find(|line| line.starts_with('╰')).unwrap();
            assert!(border.contains("✖ replica: permission denied"), "{keys}\n{text}");
            assert!(border.contains("; 1 of 2"), "{keys}\n{text}");
        }
        // The last row is the note itself.
        scene.press("G");
        let text = screen(&mut scene, width, height);
        assert_eq!(text.matches("permission denied").count(), 1, "{text}");
    }
}

#[test]
fn a_table_that_a_node_cannot_have_is_noted_last_and_is_no_fault() {
    let mut scene = two();
    scene.press("5<tab>");
    lacks(&mut scene, "primary", "receivers", "not available on a primary");
    answer(&mut scene, "replica", "receivers", &["sender_host=10.0.0.1 | sender_port=5432"]);
    let dark = theme("dark", ColorDepth::True);
    let buf = scene.draw(120, 40, &dark);
    let text = crate::scene::text(&buf);
    assert!(!text.contains('✖'), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let note = lines.iter().position(|line| line.contains("not available on a primary")).unwrap();
    let row = lines.iter().position(|line| line.contains("10.0.0.1")).unwrap();
    assert!(row < note, "{text}");
    let x = lines[note].split("not av").next().unwrap().chars().count() as u16;
    let dim = (0..120).find(|x| buf[(*x, 1)].symbol() == "2").map(|x| buf[(x, 1)].fg);
    assert_eq!(Some(buf[(x, note as u16)].fg), dim, "{text}");
    // The node is asked again once a minute, and its answer is not stale in between.
    scene.tick(50);
    answer(&mut scene, "replica", "receivers", &["sender_host=10.0.0.1 | sender_port=5432"]);
    let text = screen(&mut scene, 120, 40);
    assert!(!text.contains(" old"), "{text}");
}

#[test]
fn a_table_counts_as_empty_only_after_all_nodes_answered() {
    let mut scene = two();
    scene.press("4");
    let empty = pgwatch::config::views::ours()["locks"].empty.as_deref().unwrap();
    assert!(screen(&mut scene, 120, 40).contains("Asking 2 nodes"));
    answer(&mut scene, "primary", "locks", &[]);
    let text = screen(&mut scene, 120, 40);
    assert!(!text.contains(empty) && text.contains("No rows from 1 of 2 nodes; asking 1"), "{text}");
    fails(&mut scene, "replica", "locks", NodeError::new(ErrorKind::Timeout, "no answer within 5 s"));
    let text = screen(&mut scene, 120, 40);
    assert!(!text.contains(empty) && text.contains("no answer within 5 s"), "{text}");
    answer(&mut scene, "replica", "locks", &[]);
    assert!(screen(&mut scene, 120, 40).contains(empty));
}

/// Somebody wants it so: no screen, count or alert takes a paused node for one with a fault.
#[test]
fn a_paused_node_is_no_problem_anywhere() {
    let mut scene = two();
    for node in ["primary", "replica"] {
        answer(&mut scene, node, "slots", &["slot=orders | slot_type=physical | active=t | wal_status=lost"]);
    }
    assert_eq!(scene.app.fleet.alerts().count().0, 2);
    let paused = Health { state: HealthState::Disconnected, paused: true, ..Health::new(scene.app.now) };
    scene.health("replica", HealthState::Healthy, paused);
    assert_eq!(scene.app.fleet.alerts().count().0, 1, "nothing is known of it");
    let problem = |scene: &Scene| {
        let node = scene.app.picture().nodes.get(&name("replica")).unwrap();
        node.has_problem(&scene.app.fleet.thresholds)
    };
    assert!(!problem(&scene));
    for (keys, view, row) in ROWS {
        scene.press(keys);
        answer(&mut scene, "primary", view, &[row]);
        let text = screen(&mut scene, 120, 40);
        let header = text.lines().next().unwrap_or_default();
        assert!(header.contains("● 1  ○ 1") && !text.contains('✖'), "{view}\n{text}");
    }
    scene.press("1");
    let text = screen(&mut scene, 120, 40);
    assert!(text.contains("○ paused"), "{text}");
    // Connected to again, it is not down either.
    let again = Health::new(scene.app.now);
    scene.health("replica", HealthState::Disconnected, again);
    let text = screen(&mut scene, 120, 40);
    assert!(text.lines().next().is_some_and(|header| header.contains("● 1  ◌ 1")), "{text}");
}
