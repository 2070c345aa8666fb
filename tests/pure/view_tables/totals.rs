//! The lines of totals: sums are sums, a maximum is called one, and copies of the same data count once.

use pgwatch::model::Role;

use super::{fleet, screen};
use crate::scene::Scene;
use crate::scene::answers::answer;

/// The words of a line of totals; empty if there is no such line.
fn line(text: &str, label: &str) -> Vec<String> {
    let found = text.lines().find_map(|line| line.strip_prefix("│ ")?.strip_prefix(label));
    let words = found.map(|line| line.trim_end_matches('│').split("  ").map(str::trim).map(str::to_owned).collect());
    words.map(|words: Vec<String>| words.into_iter().filter(|word| !word.is_empty()).collect()).unwrap_or_default()
}

fn tables(nodes: &[(&str, Role, Option<u64>)]) -> Scene {
    let nodes: Vec<_> = nodes.iter().map(|(node, role, system)| (*node, *role, "17.2", *system)).collect();
    let mut scene = fleet(&nodes);
    scene.press("7");
    for (node, ..) in nodes {
        let rows = [
            "schema=public | table=orders | total=33554432 | live=700000 | dead=10 | kind=table | system=f",
            "schema=public | table=customers | total=1048576 | live=77373 | dead=1 | kind=table | system=f",
        ];
        answer(&mut scene, node, "tables", &rows);
    }
    scene
}

#[test]
fn the_copies_of_a_table_count_once() {
    let (primary, standby) = (Role::Primary, Role::Standby);
    let once = ["33 MB", "777,373"];
    for (nodes, label, expected) in [
        // A primary listed after its standby is the one that counts, and it is named.
        (&[("replica", standby, Some(1)), ("primary", primary, Some(1))][..], "Σ primary", once),
        (&[("b", standby, Some(1)), ("a", standby, Some(1))], "Σ b", once),
        (&[("a", primary, Some(1)), ("b", primary, Some(2))], "Σ", ["66 MB", "1,554,746"]),
        (
            &[("a", primary, Some(1)), ("b", standby, Some(1)), ("c", standby, Some(2))],
            "Σ 2 of 3",
            ["66 MB", "1,554,746"],
        ),
        (&[("alone", primary, None)], "Σ", once),
    ] {
        let mut scene = tables(nodes);
        let text = screen(&mut scene, 200, 60);
        assert_eq!(line(&text, label).get(..2), Some(&expected.map(str::to_owned)[..]), "{nodes:?}\n{text}");
    }
    // It is not known which nodes are copies, so there is no total.
    let mut scene = tables(&[("a", primary, None), ("b", standby, None)]);
    let text = screen(&mut scene, 200, 60);
    assert!(!text.contains("777,373") && !text.contains("1,554,746"), "{text}");
}

#[test]
fn a_group_counts_copies_once_as_well() {
    let mut scene = tables(&[("primary", Role::Primary, Some(1)), ("replica", Role::Standby, Some(1))]);
    scene.press("b");
    let text = screen(&mut scene, 200, 60);
    assert!(text.contains("4× public") && text.contains("777,373"), "{text}");
    assert!(!text.contains("1,554,746"), "{text}");
}

#[test]
fn a_maximum_is_called_one_and_the_work_of_nodes_adds_up() {
    let mut scene = fleet(&[("primary", Role::Primary, "17.2", Some(1)), ("replica", Role::Standby, "17.2", Some(1))]);
    scene.press("3");
    answer(
        &mut scene,
        "primary",
        "activity",
        &["pid=1 | duration_ms=42000 | xact_ms=43000", "pid=2 | duration_ms=2000"],
    );
    answer(&mut scene, "replica", "activity", &["pid=3 | duration_ms=9000 | xact_ms=9000"]);
    let text = screen(&mut scene, 200, 60);
    assert!(line(&text, "max").contains(&"42 s".to_owned()), "{text}");
    assert!(!text.contains('Σ'), "{text}");
    scene.press("6");
    for node in ["primary", "replica"] {
        let row = "query_id=77 | user_id=10 | database_id=5 | toplevel=t | calls=600 | exec_ms=5000 | query=select 1";
        answer(&mut scene, node, "statements", &[row]);
    }
    let text = screen(&mut scene, 200, 60);
    assert!(line(&text, "Σ").contains(&"1,200".to_owned()), "{text}");
}

#[test]
fn the_load_of_statements_is_in_sessions() {
    let mut scene = fleet(&[("primary", Role::Primary, "17.2", Some(1)), ("replica", Role::Standby, "17.2", Some(1))]);
    scene.press("6");
    for seconds in [100.0, 100.9] {
        for (node, times) in [("primary", 1.0), ("replica", 12.0)] {
            let row = format!(
                "query_id=77 | user_id=10 | database_id=5 | toplevel=t | calls=6 | exec_s={} | exec_ms=5000 | query=select 1",
                seconds * times
            );
            answer(&mut scene, node, "statements", &[&row]);
        }
        scene.now += 3;
    }
    let text = screen(&mut scene, 120, 40);
    assert!(text.contains("AAS") && !text.contains("LOAD"), "{text}");
    for said in [" 0.30 ", " 3.60 ", " 3.90 "] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}
