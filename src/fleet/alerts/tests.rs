//! What becomes of conditions that begin, last and end.

use super::*;
use crate::config::{alerts, views};
use crate::fleet::Fleet;
use crate::model::protocol::ViewRows;
use crate::model::{
    Column, ErrorKind, Event, EventKind, Facts, Health, HealthState, NodeConfig, NodeError, Role, RowSet, ServerFacts,
};

mod ours;

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

/// A rule on the view `slots` with this text.
fn rule(text: &str) -> Arc<Rule> {
    let text = format!("title: T\nview: slots\nsays: 'slot {{slot}} holds {{retained_bytes}}'\n{text}");
    Arc::new(alerts::from_text("r", &text, "r.yaml", views::ours()).unwrap().unwrap())
}

/// An answer to the view `slots`: name and retained bytes of each slot.
fn slots(slots: &[(&str, u64)]) -> Arc<ViewRows> {
    let row = |(slot, bytes): &(&str, u64)| {
        let cells = [("slot", (*slot).to_owned()), ("retained_bytes", bytes.to_string()), ("active", "f".to_owned())];
        cells.to_vec()
    };
    answer("slots", &slots.iter().map(row).collect::<Vec<_>>())
}

/// An answer to a view: for each row the cells that are not NULL.
fn answer(view: &str, given: &[Vec<(&str, String)>]) -> Arc<ViewRows> {
    let view = &views::ours()[view];
    let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
    let mut rows = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
    for row in given {
        let cell = |of: &str| row.iter().find(|(name, _)| *name == of).map(|(_, value)| value.as_str());
        rows.push(view.asked().map(|asked| cell(&asked.name)));
    }
    Arc::new(ViewRows { rows, ..ViewRows::default() })
}

struct Stage {
    fleet: Fleet,
    /// The number of the newest journal entry that a test has read.
    read: u64,
    /// The second of the newest tick; there is one each second.
    ticked: u64,
}

impl Stage {
    fn new(rules: Vec<Arc<Rule>>) -> Self {
        let configs = ["a", "b"].map(|node| NodeConfig::new(name(node), "localhost"));
        let mut fleet = Fleet::new(configs.into(), Duration::from_secs(2), Thresholds::default(), at(0));
        fleet.take_rules(views::ours().clone(), rules);
        Self { fleet, read: 0, ticked: 0 }
    }

    fn alerts(&self) -> &Alerts {
        self.fleet.alerts()
    }

    fn answer(&mut self, second: u64, node: &str, rows: &[(&str, u64)]) -> Vec<String> {
        self.outcome(second, node, "slots", Ok(slots(rows)))
    }

    fn outcome(
        &mut self,
        second: u64,
        node: &str,
        view: &str,
        outcome: Result<Arc<ViewRows>, NodeError>,
    ) -> Vec<String> {
        self.event(second, EventKind::View { node: name(node), view: view.into(), outcome })
    }

    fn event(&mut self, second: u64, kind: EventKind) -> Vec<String> {
        self.fleet.apply(&Event { seq: 0, at: at(second), kind });
        self.new_entries()
    }

    fn tick(&mut self, second: u64) -> Vec<String> {
        for second in self.ticked..=second {
            self.fleet.advance(at(second));
        }
        self.ticked = second;
        self.new_entries()
    }

    /// The new journal entries about alerts: node, what happened, severity and text.
    fn new_entries(&mut self) -> Vec<String> {
        let journal = &self.fleet.now().journal;
        let new = journal.iter().take_while(|entry| entry.seq > self.read).collect::<Vec<_>>();
        self.read = journal.newest().map_or(0, |entry| entry.seq);
        let text = |entry: &&Entry| {
            let node = entry.node.clone().unwrap_or_default();
            format!("{node} {} {:?}: {}", entry.what, entry.severity, entry.text)
        };
        new.iter().rev().filter(|entry| entry.what.starts_with("alert")).map(text).collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_condition_must_last_and_must_be_gone_for_a_while() {
    let mut stage = Stage::new(vec![rule("column: retained_bytes\nwarning: '>1kB'\nfor: 60s\n")]);
    assert_eq!(stage.answer(0, "a", &[("s", 2048)]), NOTHING);
    assert_eq!(stage.answer(30, "a", &[("s", 2048)]), NOTHING);
    assert_eq!(stage.tick(70), NOTHING, "nobody has seen it hold so long");
    assert_eq!(stage.answer(60, "a", &[("s", 3072)]), ["a alert Warning: slot s holds 3.0 kB"]);
    assert_eq!(stage.alerts().count(), (1, Some(AlertSeverity::Warning)));
    // A condition that comes and goes is one alert.
    assert_eq!(stage.answer(90, "a", &[]), NOTHING);
    assert_eq!(stage.answer(95, "a", &[("s", 2048)]), NOTHING);
    assert_eq!(stage.tick(200), NOTHING);
    assert_eq!(stage.answer(300, "a", &[("s", 1)]), NOTHING);
    assert_eq!(stage.tick(309), NOTHING);
    assert_eq!(stage.tick(310), ["a alert over Good: after 5 min: slot s holds 2.0 kB"]);
    assert_eq!(stage.alerts().count(), (0, None));
    // A condition shorter than the rule's duration leaves no trace.
    assert_eq!(stage.answer(400, "a", &[("s", 2048)]), NOTHING);
    assert_eq!(stage.answer(430, "a", &[]), NOTHING);
    assert_eq!(stage.answer(470, "a", &[("s", 2048)]), NOTHING);
}

#[test]
fn two_names_of_one_server_tell_an_alert_once() {
    for (databases, alerts) in [(["x", "x"], 1), (["x", "y"], 2)] {
        let mut stage = Stage::new(vec![rule("column: retained_bytes\nwarning: '>1kB'\n")]);
        for (node, database) in ["a", "b"].into_iter().zip(databases) {
            let config = NodeConfig { database: database.to_owned(), ..NodeConfig::new(name(node), "localhost") };
            stage.event(0, EventKind::NodeEdited { node: Box::new(config) });
            let health = Health { state: HealthState::Healthy, ..Health::new(at(0)) };
            let from = HealthState::Connecting;
            stage.event(0, EventKind::Health { node: name(node), from, health: Arc::new(health) });
            let server = ServerFacts {
                system_identifier: Some(7),
                started_at: Some(at(0)),
                port: Some(1),
                ..ServerFacts::default()
            };
            stage.event(0, EventKind::Server { node: name(node), server: Arc::new(server) });
        }
        let raised: Vec<String> =
            ["a", "b"].into_iter().flat_map(|node| stage.answer(1, node, &[("s", 2048)])).collect();
        assert_eq!(raised.len(), alerts, "{databases:?}: {raised:?}");
        assert_eq!(stage.alerts().count().0, 2, "the list has both");
        let over: Vec<String> = ["a", "b"].into_iter().flat_map(|node| stage.answer(2, node, &[])).collect();
        let over = over.into_iter().chain(stage.tick(30)).filter(|entry| entry.contains("over")).count();
        assert_eq!(over, alerts, "{databases:?}");
    }
}

#[test]
fn each_row_of_each_node_is_an_alert_and_one_that_gets_worse_is_reported_again() {
    let rule = rule("column: retained_bytes\nthreshold: slot_retention\n");
    let mut stage = Stage::new(vec![rule]);
    let reported = stage.answer(0, "a", &[("s", 1 << 30), ("t", 2 << 30), ("u", 1)]);
    assert_eq!(reported, ["a alert Warning: slot s holds 1.0 GB", "a alert Warning: slot t holds 2.0 GB"]);
    assert_eq!(stage.answer(1, "b", &[("s", 20 << 30)]), ["b alert Critical: slot s holds 20 GB"]);
    assert_eq!(stage.alerts().count(), (3, Some(AlertSeverity::Critical)));
    assert_eq!(stage.alerts().worst(&name("a")), Some(AlertSeverity::Warning));
    // Acknowledged, until it gets worse.
    let first = stage.alerts().fired().next().unwrap().id();
    stage.fleet.acknowledge(&first);
    assert_eq!(stage.alerts().count().0, 2);
    assert_eq!(
        stage.answer(2, "a", &[("s", 11 << 30), ("t", 2 << 30)]),
        ["a alert worse Critical: slot s holds 11 GB"]
    );
    assert_eq!(stage.alerts().count().0, 3);
    // If its rule has no duration, the alert is over with the next answer.
    assert_eq!(stage.answer(3, "b", &[]), ["b alert over Good: after 2 s: slot s holds 20 GB"]);
}

#[test]
fn of_rows_with_the_same_key_the_worst_counts() {
    let mut stage = Stage::new(vec![rule("column: retained_bytes\nthreshold: slot_retention\n")]);
    let reported = stage.answer(0, "a", &[("s", 20 << 30), ("s", 2 << 30)]);
    assert_eq!(reported, ["a alert Critical: slot s holds 20 GB"]);
    assert_eq!(stage.answer(1, "a", &[("s", 2 << 30), ("s", 20 << 30)]), NOTHING);
    assert_eq!(stage.alerts().worst(&name("a")), Some(AlertSeverity::Critical));
}

/// The figures of a refresh come before what rarely changes on a server.
#[test]
fn a_rule_on_what_rarely_changes_is_judged_as_soon_as_that_is_known() {
    let mut stage = Stage::new(vec![Arc::clone(&alerts::ours()["pending_restart"])]);
    let facts = Ok(Arc::new(Facts::unknown(Role::Primary, at(0))));
    assert_eq!(stage.event(0, EventKind::Facts { node: name("a"), facts }), NOTHING);
    let server = Arc::new(ServerFacts { pending_restart: Some(2), ..ServerFacts::default() });
    let reported = stage.event(0, EventKind::Server { node: name("a"), server });
    assert_eq!(reported, ["a alert Warning: changed settings that need a restart: 2"]);
}

#[test]
fn what_a_node_does_not_say_ends_nothing() {
    let mut stage = Stage::new(vec![rule("column: active\nwarning: '= false'\n")]);
    assert_eq!(stage.answer(0, "a", &[("s", 1)]).len(), 1);
    let late = NodeError::new(ErrorKind::StatementTimeout, "timed out");
    assert_eq!(stage.outcome(60, "a", "slots", Err(late)), NOTHING);
    assert_eq!(stage.tick(1000), NOTHING);
    assert_eq!(stage.alerts().count().0, 1);
    let none = NodeError::new(ErrorKind::Sql, "not available on a primary");
    assert_eq!(stage.outcome(1060, "a", "slots", Err(none)).len(), 1, "a promotion");
    assert_eq!(stage.answer(1100, "b", &[("s", 1)]).len(), 1);
    stage.event(1101, EventKind::NodeRemoved { node: name("b"), sessions_closed: 0, cancelled: 0 });
    assert_eq!(stage.alerts().count().0, 0, "removed");
}

#[test]
fn rules_read_again_keep_what_did_not_change() {
    let text = "column: active\nwarning: '= false'\n";
    let mut stage = Stage::new(vec![rule(text)]);
    stage.answer(0, "a", &[("s", 1)]);
    stage.fleet.take_rules(views::ours().clone(), vec![rule(text)]);
    assert_eq!(stage.alerts().count().0, 1);
    stage.fleet.take_rules(views::ours().clone(), vec![rule(&text.replace("warning", "critical"))]);
    assert_eq!(stage.alerts().count().0, 0);
}

#[test]
fn a_view_is_asked_at_the_pace_of_the_most_impatient_rule() {
    let rules =
        ["every: 5m\n", "every: 30s\n"].map(|every| rule(&format!("column: active\nwarning: '= false'\n{every}")));
    let stage = Stage::new(rules.into());
    let asked: Vec<(&str, Duration)> =
        stage.alerts().asked().map(|(view, every)| (view.name.as_str(), every)).collect();
    assert_eq!(asked, [("slots", Duration::from_secs(30))]);
    assert!(Stage::new(Vec::new()).alerts().asked().next().is_none());
}

#[test]
fn the_shape_that_all_nodes_tell_together_must_last_too() {
    let rule = Arc::clone(&alerts::ours()["topology"]);
    assert_eq!(rule.lasting, Duration::from_secs(35));
    let mut stage = Stage::new(vec![rule]);
    for node in ["a", "b"] {
        let health = Arc::new(Health { state: HealthState::Healthy, ..Health::new(at(0)) });
        stage.event(0, EventKind::Health { node: name(node), from: HealthState::Connecting, health });
    }
    let tells = |stage: &mut Stage, second: u64, node: &str, role: &str, timeline: &str| {
        let own =
            [("kind", "self"), ("name", node), ("role", role), ("system_identifier", "7"), ("timeline", timeline)];
        let kind = if role == "primary" { "sender" } else { "receiver" };
        let edge = [("kind", kind), ("name", "b"), ("state", "streaming")];
        let row = |cells: &[(&'static str, &str)]| {
            cells.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(stage.tick(second), NOTHING);
        stage.outcome(second, node, "topology", Ok(answer("topology", &[row(&own), row(&edge)])));
        stage.tick(second)
    };
    assert_eq!(tells(&mut stage, 0, "a", "primary", "2"), NOTHING);
    assert_eq!(tells(&mut stage, 10, "b", "standby", "1"), NOTHING);
    assert_eq!(tells(&mut stage, 30, "a", "primary", "2"), NOTHING);
    assert_eq!(stage.tick(45), ["b alert Critical: b is on timeline 1 while a, which it receives from, is on 2"]);
    assert_eq!(stage.alerts().worst(&name("b")), Some(AlertSeverity::Critical));
    // It has followed after all.
    assert_eq!(tells(&mut stage, 60, "b", "standby", "2"), NOTHING);
    assert_eq!(stage.tick(71).len(), 1, "over");
}

#[test]
fn rates_are_taken_over_ten_seconds_at_least() {
    let text =
        "title: T\nview: subscriptions\ncolumn: apply_error_rate\ncritical: '>0'\nsays: '{apply_errors} errors'\n";
    let rule = alerts::from_text("r", text, "r.yaml", views::ours()).unwrap().unwrap();
    let mut stage = Stage::new(vec![Arc::new(rule)]);
    let mut errors = |second: u64, errors: u64| {
        let row = vec![("subscription", "s".to_owned()), ("apply_errors", errors.to_string())];
        stage.outcome(second, "a", "subscriptions", Ok(answer("subscriptions", &[row])))
    };
    assert_eq!(errors(0, 5), NOTHING);
    assert_eq!(errors(60, 7), ["a alert Critical: 7 errors"]);
    // The view was asked every second meanwhile, and an error occurred within the last ten seconds.
    assert_eq!(errors(61, 8), NOTHING);
    assert_eq!(errors(65, 8), NOTHING);
    assert_eq!(errors(70, 8), NOTHING);
    assert_eq!(errors(71, 8), ["a alert over Good: after 11 s: 8 errors"]);
}

/// The machine slept, or pgwatch was stopped: that a condition held before and holds again does not say that it lasted.
#[test]
fn time_in_which_nobody_watched_does_not_count() {
    let mut stage = Stage::new(vec![rule("column: retained_bytes\nwarning: '>1kB'\nfor: 60s\n")]);
    assert_eq!(stage.answer(0, "a", &[("s", 2048)]), NOTHING);
    assert_eq!(stage.tick(30), NOTHING);
    stage.fleet.advance(at(3630));
    assert_eq!(stage.fleet.now().journal.newest().map(|entry| entry.what.as_str()), Some("not watched"));
    stage.ticked = 3630;
    assert_eq!(stage.answer(3631, "a", &[("s", 2048)]), NOTHING);
    assert_eq!(stage.tick(3660), NOTHING);
    assert_eq!(stage.answer(3660, "a", &[("s", 2048)]).len(), 1, "60 s in all");
    // What was found gone before is over, and lasted as long as it was seen.
    assert_eq!(stage.answer(3670, "a", &[]), NOTHING);
    stage.fleet.advance(at(9000));
    let ended = stage.new_entries();
    assert_eq!(ended, ["a alert over Good: after 1 min: slot s holds 2.0 kB"]);
}

/// A figure that goes to and fro about its limit is told once it has been better for a while.
#[test]
fn an_alert_that_is_only_a_warning_now_is_better_after_the_quiet_time() {
    let mut stage = Stage::new(vec![rule("column: retained_bytes\nwarning: '>1GB'\ncritical: '>10GB'\nfor: 4s\n")]);
    let mut told = Vec::new();
    for (second, gigabytes) in [(0, 11), (4, 11), (5, 9), (6, 11), (7, 9), (10, 9), (11, 9), (12, 11), (13, 0), (17, 0)]
    {
        for line in stage.answer(second, "a", &[("s", gigabytes << 30)]) {
            told.push(format!("{second} s {line}"));
        }
    }
    assert_eq!(
        told,
        [
            "4 s a alert Critical: slot s holds 11 GB",
            "11 s a alert better Warning: slot s holds 9.0 GB",
            "12 s a alert worse Critical: slot s holds 11 GB",
            "17 s a alert over Good: after 13 s: slot s holds 11 GB"
        ]
    );
}

/// A function that the role may not use any more takes a value away: that is no good news.
#[test]
fn an_alert_whose_value_is_not_told_any_more_is_not_over_and_the_rule_is_not_judged() {
    let mut stage = Stage::new(vec![rule("column: retained_bytes\nwarning: '>1kB'\nwhere: {active: '= false'}\n")]);
    let not_judged = |stage: &Stage| stage.fleet.not_judged().into_iter().map(|of| of.reason).collect::<Vec<_>>();
    let untold = |active: &str, missing: Option<&str>| {
        let rows = answer("slots", &[vec![("slot", "s".to_owned()), ("active", active.to_owned())]]);
        let missing = missing.map(str::to_owned);
        Ok(Arc::new(ViewRows { rows: rows.rows.clone(), missing, ..ViewRows::default() }))
    };
    let health = Arc::new(Health { state: HealthState::Healthy, ..Health::new(at(0)) });
    stage.event(0, EventKind::Health { node: name("a"), from: HealthState::Connecting, health });
    assert_eq!(stage.answer(1, "a", &[("s", 2048)]), ["a alert Warning: slot s holds 2.0 kB"]);
    assert_eq!(stage.outcome(2, "a", "slots", untold("f", Some("denied"))), NOTHING);
    assert_eq!(not_judged(&stage), ["denied"]);
    assert_eq!(stage.tick(100), NOTHING);
    // What it may see decides: a slot with a reader.
    let mut told = stage.outcome(101, "a", "slots", untold("t", Some("denied")));
    told.extend(stage.tick(111));
    assert_eq!(told, ["a alert over Good: after 1 min: slot s holds 2.0 kB"]);
    assert_eq!(not_judged(&stage), NOTHING);
}
