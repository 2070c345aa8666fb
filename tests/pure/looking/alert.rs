//! `Enter` on an alert opens its table with the cursor on the row that the alert is about. `t` begins at the worst
//! alert.

use std::sync::Arc;
use std::time::Duration;

use pgwatch::app::{Msg, Screen, update};
use pgwatch::config::alerts;
use pgwatch::model::alert::{Check, Limits, Threshold};
use pgwatch::model::condition::{Op, Operand};
use pgwatch::model::view::{CellKind, Source, ViewColumn};
use pgwatch::model::{Condition, ErrorKind, EventKind, Facts, NodeError, Role, Rule, View};

use super::answers::{answer, body, foot, seen, tell};
use crate::scene::{self, Scene, production};

/// The line with the cursor.
fn selected(text: &str) -> String {
    body(text).into_iter().find(|line| line.starts_with('▸')).unwrap_or_else(|| panic!("nothing is selected:\n{text}"))
}

fn meeting(condition: &Condition) -> String {
    match (&condition.operand, condition.op) {
        (Operand::Number(number), Op::Greater | Op::AtLeast | Op::NotEqual) => (number * 2.0 + 1.0).to_string(),
        (Operand::Number(number), Op::Less | Op::AtMost) => (number - 1.0).to_string(),
        (Operand::Number(number), Op::Equal) => number.to_string(),
        (Operand::Text(text), Op::Equal) => match text.as_str() {
            "true" => "t".to_owned(),
            "false" => "f".to_owned(),
            other => other.to_owned(),
        },
        (Operand::Text(_), _) => "other".to_owned(),
    }
}

/// The columns and values that a row needs for the rule to find it. `None` for a rule that no single answer can meet.
fn wanted(rule: &Rule) -> Option<Vec<(usize, String)>> {
    let Check::Column { column, limits } = &rule.check else { return None };
    if !rule.asks() || rule.needs_rates() {
        return None;
    }
    let value = match limits {
        Limits::Own { warning, critical } => meeting(warning.as_ref().or(critical.as_ref())?),
        Limits::OfFile(Threshold::ReplicationLag) => "86400000".to_owned(),
        Limits::OfFile(_) => (1_u64 << 40).to_string(),
    };
    let others = rule.filter.iter().map(|(at, condition)| (*at, meeting(condition)));
    Some(std::iter::once((*column, value)).chain(others).collect())
}

/// Forty quiet rows, and at place `target` a row named `target` that the rule finds.
fn rows(scene: &mut Scene, view: &View, wanted: &[(usize, String)], target: usize) {
    let cell = |row: usize, column: &ViewColumn| {
        let at = view.column(&column.name)?;
        if view.tree.is_some_and(|tree| tree.parent == at) {
            return None;
        }
        if let Some((_, value)) = wanted.iter().find(|(of, _)| *of == at && row == target) {
            return Some(value.clone());
        }
        if wanted.iter().any(|(of, _)| *of == at) {
            return None;
        }
        match column.kind {
            CellKind::Bool => Some("f".to_owned()),
            CellKind::Text if row == target => Some("target".to_owned()),
            CellKind::Text => Some(format!("row{row:02}")),
            CellKind::Lsn => Some(format!("7/{row}")),
            CellKind::IntArray => None,
            _ if row == target => Some("31415".to_owned()),
            _ => Some((50_000 + row).to_string()),
        }
    };
    tell(scene, "primary", view, 41, cell);
}

/// True if the first column of the view can show "target" or 31415.
fn is_telling(view: &View, wanted: &[(usize, String)]) -> bool {
    let sql = |column: &ViewColumn| !column.hidden && matches!(column.source, Source::Sql { .. });
    let first = view.columns.iter().position(sql);
    first.is_some_and(|at| {
        let column = &view.columns[at];
        let said = column.kind == CellKind::Text || (column.kind == CellKind::Int4 && column.unit.is_none());
        said && wanted.iter().all(|(of, _)| *of != at)
    })
}

#[test]
fn the_cursor_stands_on_the_row_of_the_alert() {
    let mut tried = 0;
    for rule in alerts::ours().values() {
        let Some(wanted) = wanted(rule).filter(|wanted| is_telling(&rule.view, wanted)) else { continue };
        tried += 1;
        let mut scene = production();
        seen(&mut scene, 200, 30);
        for _ in 0..8 {
            rows(&mut scene, &rule.view, &wanted, 20);
            scene.tick(60);
        }
        // Other rules on the same view find something in these rows as well. The list cuts long titles.
        scene.press(&format!("t/{}<enter>", rule.title));
        let text = seen(&mut scene, 200, 30);
        let title: String = rule.title.chars().take(20).collect();
        assert!(text.contains(&title), "{}:\n{text}", rule.name);
        let all = body(&text).iter().filter(|line| line.contains("primary")).count();
        let at = body(&text).iter().position(|line| line.contains(&title)).unwrap() - 1;
        assert!(at < all);
        scene.press(&"j".repeat(at));
        let is_it = |text: &str| ["target", "31415"].iter().any(|word| selected(text).contains(word));
        // Before the answer has arrived, and after it, with the row in different places.
        scene.press("<enter>");
        let text = seen(&mut scene, 200, 30);
        assert!(text.contains("only primary"), "{}:\n{text}", rule.name);
        for place in [20, 3, 38] {
            rows(&mut scene, &rule.view, &wanted, place);
            let text = seen(&mut scene, 200, 30);
            assert!(is_it(&text), "{} at {place}:\n{text}", rule.name);
        }
        // From here on the person may move the cursor away.
        scene.press("g");
        rows(&mut scene, &rule.view, &wanted, 30);
        scene.press("<esc><esc>");
        assert_eq!(scene.app.screen, Screen::Alerts, "{}", rule.name);
    }
    assert!(tried >= 6, "{tried} rules were tried");
}

/// Databases, and a template with wrong checksums, which the view hides by default.
fn databases(scene: &mut Scene) {
    let template = "database=template1 | template=t | checksum_failures=3";
    answer(scene, "primary", "databases", &["database=shop | template=f", template, "database=app | template=f"]);
}

/// The title of the rule about sessions that are idle in a transaction.
fn idle() -> &'static str {
    &alerts::ours()["idle_in_transaction"].title
}

/// An alert about a session that is idle in a transaction.
fn with_idle_session() -> Scene {
    let mut scene = production();
    seen(&mut scene, 140, 40);
    sessions(&mut scene, true);
    scene.press("t");
    let text = seen(&mut scene, 140, 40);
    let at = body(&text).iter().position(|line| line.contains(idle())).expect(&text) - 1;
    scene.press(&"j".repeat(at));
    scene
}

fn sessions(scene: &mut Scene, idle: bool) {
    let mut rows =
        vec!["pid=1 | user=app | state=active | duration_ms=9000000 | backend_type=walsender | query=select 1"];
    if idle {
        rows.push("pid=4711 | user=app | state=idle in transaction | duration_ms=754000 | backend_type=client backend");
    }
    rows.push("pid=2 | user=app | state=active | duration_ms=800 | backend_type=walsender | query=select 2");
    answer(scene, "primary", "activity", &rows);
}

#[test]
fn whatever_hides_the_row_is_cleared() {
    // A filter, a group, or a row opened at length on an earlier visit.
    for earlier in ["3/nobody<enter>t", "3bt", "3<enter>t"] {
        let mut scene = with_idle_session();
        sessions(&mut scene, true);
        let mut other = scene.clone();
        other.press("1");
        other.press(earlier.trim_end_matches('t'));
        sessions(&mut other, true);
        seen(&mut other, 140, 40);
        other.press("t");
        let text = seen(&mut other, 140, 40);
        let at = body(&text).iter().position(|line| line.contains(idle())).expect(&text) - 1;
        other.press(&"j".repeat(at));
        other.press("<enter>");
        sessions(&mut other, true);
        let text = seen(&mut other, 140, 40);
        assert!(selected(&text).contains("4711"), "{earlier}:\n{text}");
    }
    // The view itself hides the row.
    let mut scene = production();
    seen(&mut scene, 140, 40);
    databases(&mut scene);
    scene.press("t/template1<enter>");
    let text = seen(&mut scene, 140, 40);
    assert!(body(&text).iter().any(|line| line.contains("template1")), "{text}");
    scene.press("<enter>");
    databases(&mut scene);
    let text = seen(&mut scene, 140, 40);
    assert!(selected(&text).contains("template1"), "{text}");
}

#[test]
fn a_row_that_is_gone_is_reported() {
    let mut scene = with_idle_session();
    scene.press("<enter>");
    scene.now += 1;
    sessions(&mut scene, false);
    let text = seen(&mut scene, 140, 40);
    assert!(foot(&text).contains("the row that the alert is about is no longer there"), "{text}");
}

#[test]
fn the_alerts_begin_at_the_worst_one_and_show_its_remedy() {
    let mut scene = production();
    let remedy = |scene: &mut Scene| {
        let text = seen(scene, 120, 40);
        text.split_once("What to do").expect(&text).1.lines().nth(1).unwrap().trim_matches('│').trim().to_owned()
    };
    scene.press("t");
    let worst = remedy(&mut scene);
    assert!(worst.starts_with("97 of 100 connections"), "{worst}");
    scene.press("G");
    let last = remedy(&mut scene);
    assert_ne!(last, worst);
    for keys in ["1t", "3t", "t", "1:alerts<enter>"] {
        scene.press("G");
        scene.press(keys);
        assert_eq!(remedy(&mut scene), worst, "{keys}");
    }
    // The way back from the node of an alert leads to the alert.
    scene.press("G<enter>");
    assert_eq!(scene.app.screen, Screen::Detail);
    scene.press("<esc>");
    assert_eq!(remedy(&mut scene), last);
}

#[test]
fn a_wrong_shape_opens_the_topology_on_its_node() {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    // A standby is promoted beside its primary.
    for node in ["replica-3", "primary"].map(scene::name) {
        let facts = &scene.app.picture().nodes.get(&node).unwrap().facts.as_ref().unwrap().1;
        let facts = Arc::new(Facts { role: Role::Primary, ..(**facts).clone() });
        scene.event(EventKind::Facts { node, facts: Ok(facts) });
    }
    scene.tick(1);
    scene.press("t/split brain<enter>");
    let text = seen(&mut scene, 120, 40);
    let of = body(&text)[1].split_whitespace().nth(1).unwrap().to_owned();
    scene.press("<enter>");
    seen(&mut scene, 120, 40);
    assert_eq!(scene.app.screen, Screen::Topology);
    scene.press("<enter>");
    let text = seen(&mut scene, 120, 40);
    assert!(text.contains(&format!("╭─ {of} ─")), "{of}:\n{text}");
}

/// The rules are read while the nodes connect: figures that arrived first are judged too, whatever the refresh.
#[test]
fn figures_that_came_before_the_rules_are_judged() {
    let mut scene = production();
    let views = pgwatch::config::views::ours();
    let mut rule = Rule::clone(&alerts::ours()["connections"]);
    rule.lasting = Duration::ZERO;
    let _ = update(&mut scene.app, Msg::Views(views.clone(), Vec::new(), Vec::new()));
    assert!(!seen(&mut scene, 120, 40).contains("1 alert"));
    let _ = update(&mut scene.app, Msg::Views(views.clone(), vec![Arc::new(rule)], Vec::new()));
    scene.tick(1);
    assert!(seen(&mut scene, 120, 40).contains("1 alert"), "{}", seen(&mut scene, 120, 40));
}

/// No alert is good news only where all rules could be applied.
#[test]
fn what_could_not_be_judged_is_said_on_the_alerts_screen_and_on_the_node() {
    let mut scene = production();
    let all: Vec<String> = scene.app.fleet.now().nodes.names().map(ToString::to_string).collect();
    scene.press("t");
    let text = seen(&mut scene, 120, 40);
    assert!(text.contains("still to be judged on 6 nodes"), "{text}");
    let views: std::collections::BTreeSet<&str> =
        alerts::ours().values().filter(|rule| rule.asks()).map(|rule| rule.view.name.as_str()).collect();
    for (node, view) in all.iter().flat_map(|node| views.iter().map(move |view| (node, view))) {
        scene::answers::lacks(&mut scene, node, view, "nothing of it");
    }
    let text = seen(&mut scene, 120, 40);
    assert!(!text.contains("judged"), "{text}");
    let denied = NodeError::new(ErrorKind::Sql, "permission denied for table pg_sequence");
    for node in ["primary", "replica-1"] {
        scene::answers::fails(&mut scene, node, "sequences", denied.clone());
    }
    let reason = "not judged: permission denied for table pg_sequence";
    let text = seen(&mut scene, 120, 40);
    assert!(text.contains("1 rule not judged on 2 nodes"), "{text}");
    assert!(seen(&mut scene, 200, 60).contains("? 1 not judged"), "in the header");
    let line = body(&text).into_iter().find(|line| line.contains(reason)).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("? 2 nodes") && line.contains("Sequence is running out"), "{text}");
    // The list is filtered by it, the row says all, and opens the nodes of it.
    for keys in ["/rule:seque<enter>", "<esc>/permission<enter>"] {
        scene.press(keys);
        let text = seen(&mut scene, 80, 24);
        assert!(text.contains("(sequence_end) is not judged on primary, replica-1"), "{text}");
    }
    assert!(scene.press("<space>").is_empty());
    assert!(seen(&mut scene, 120, 40).contains("this is no alert"), "{}", seen(&mut scene, 120, 40));
    scene.press("<enter>");
    assert!(seen(&mut scene, 120, 40).contains("only 2 marked nodes"), "{}", seen(&mut scene, 120, 40));
    // The page of the node has it too, and no other page.
    scene.press("<esc><esc><esc>1");
    for (node, is_said) in [("replica-2", false), ("replica-1", true)] {
        scene.press(&format!("<esc>/{node}<enter>"));
        let text = seen(&mut scene, 80, 24);
        assert_eq!(text.contains("─ 1 rule not judged ─"), is_said, "{node}:\n{text}");
        let text = seen(&mut scene, 120, 40);
        assert_eq!(text.contains("Not judged: sequence_end: permission denied"), is_said, "{node}:\n{text}");
    }
    // Who does not answer is down, and says that.
    scene::goes_down(&mut scene, "replica-1");
    let text = seen(&mut scene, 120, 40);
    assert!(!text.contains("ot judged"), "{text}");
    scene.press("t");
    assert!(seen(&mut scene, 120, 40).contains("1 rule not judged on 1 node "), "{}", seen(&mut scene, 120, 40));
}
