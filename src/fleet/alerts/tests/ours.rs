//! What our own rules find in answers, and what they do not.

use super::*;

/// The alerts on `a` after answers to the view of one of our rules, at the pace of the rule but at least once a minute: the cells of its one row.
fn found(rule: &str, minutes: std::ops::Range<u64>, row: impl Fn(f64) -> Vec<(&'static str, String)>) -> Vec<String> {
    let rule = Arc::clone(&alerts::ours()[rule]);
    let view = rule.view.name.clone();
    let every = rule.every.as_secs().min(60);
    let mut stage = Stage::new(vec![rule]);
    for second in (minutes.start * 60..=(minutes.end - 1) * 60).step_by(every as usize) {
        stage.outcome(second, "a", &view, Ok(answer(&view, &[row(second as f64 / 60.0)])));
    }
    stage.alerts().fired().map(|held| held.alert.finding.message.clone()).collect()
}

#[test]
fn a_slot_without_a_reader_is_quiet_while_it_moves_or_retains_nothing() {
    // Bytes that it retains, seconds of age, and how far it moves each minute.
    let slot = |retained: &str, age: f64, moves: f64| {
        let retained = retained.to_owned();
        move |minute: f64| {
            let read = (1e9 + moves * minute).to_string();
            let cells = [("retained_bytes", retained.clone()), ("wal_age_ms", (age * 1e3).to_string()), ("read", read)];
            let same =
                [("slot", "s"), ("active", "f"), ("temporary", "f")].map(|(name, value)| (name, value.to_owned()));
            same.into_iter().chain(cells).collect()
        }
    };
    let unread = ["slot s has no reader and retains 50 MB of WAL"];
    assert_eq!(found("slot_unread", 0..8, slot("52428800", 600.0, 0.0)), unread, "it stands still");
    assert_eq!(found("slot_unread", 0..8, slot("52428800", 600.0, 1.0)), NOTHING, "it is moved now and then");
    assert_eq!(found("slot_unread", 0..8, slot("52428800", 5.0, 0.0)), NOTHING, "what it retains is young");
    assert_eq!(found("slot_unread", 0..8, slot("500000", 1e9, 0.0)), NOTHING, "nothing is written");
    assert_eq!(found("slot_unread", 0..4, slot("52428800", 600.0, 0.0)), NOTHING, "its reader may come back");
    assert_eq!(found("slot_unread", 0..1, slot("52428800", 600.0, 0.0)), NOTHING, "one answer does not tell");
    assert!(alerts::ours()["slot_unread"].needs_rates() && alerts::ours()["slot_growing"].needs_rates());
}

#[test]
fn a_standby_that_is_late_on_purpose_or_paused_or_catches_up_is_no_fault() {
    const MB: f64 = 1_048_576.0;
    // Bytes behind and seconds behind, both with their growth per minute, and bytes replayed per minute.
    let standby = |(behind, more): (f64, f64), (late, later): (f64, f64), replayed: f64| {
        move |minute: f64| {
            let [seconds, bytes] = [late + later * minute, behind + more * minute];
            vec![
                ("pid", "7".to_owned()),
                ("application", "s1".to_owned()),
                ("client", "10.0.0.7".to_owned()),
                ("replay_bytes", (bytes * MB).to_string()),
                ("measured_lag_ms", (seconds * 1e3).to_string()),
                ("lag_s", seconds.to_string()),
                ("replayed", (replayed * MB * minute).to_string()),
                ("position_bytes", ((replayed + more) * MB * minute).to_string()),
            ]
        }
    };
    let said = ["s1 at 10.0.0.7 is 2.0 GB behind and does not catch up: it replays 5.0 MB/s, and 7.0 MB/s is written"];
    assert_eq!(found("catch_up", 0..8, standby((1208.0, 120.0), (60.0, 30.0), 300.0)), said);
    assert_eq!(
        found("catch_up", 0..8, standby((1000.0, 50.0), (3600.0, 0.0), 300.0)),
        NOTHING,
        "an hour late on purpose"
    );
    assert_eq!(found("catch_up", 0..8, standby((1000.0, 50.0), (60.0, 60.0), 0.0)), NOTHING, "paused");
    assert_eq!(found("catch_up", 0..8, standby((2000.0, -100.0), (60.0, 10.0), 300.0)), NOTHING, "it catches up");
    assert_eq!(found("catch_up", 0..8, standby((10.0, 1.0), (60.0, 10.0), 300.0)), NOTHING, "little");
    assert_eq!(found("catch_up", 0..4, standby((1000.0, 120.0), (60.0, 30.0), 300.0)), NOTHING, "a bulk load");
}

/// The databases of two nodes, of which one is invalid. Which of the two says so?
#[test]
fn of_copies_the_primary_speaks_and_without_one_the_first() {
    let says = |servers: [(Role, Option<u64>, u64); 2], first: &str| {
        let mut stage = Stage::new(vec![Arc::clone(&alerts::ours()["invalid_database"])]);
        let names = if first == "a" { ["a", "b"] } else { ["b", "a"] };
        let know = |stage: &mut Stage, node: &str| {
            let (role, system, started) = servers[usize::from(node == "b")];
            let health = Arc::new(Health { state: HealthState::Healthy, ..Health::new(at(0)) });
            stage.event(0, EventKind::Health { node: name(node), from: HealthState::Connecting, health });
            let facts = Ok(Arc::new(Facts::unknown(role, at(0))));
            stage.event(0, EventKind::Facts { node: name(node), facts });
            let known = ServerFacts {
                system_identifier: system,
                started_at: Some(at(started)),
                port: Some(5432),
                ..ServerFacts::default()
            };
            stage.event(0, EventKind::Server { node: name(node), server: Arc::new(known) });
        };
        let row = [("database", "half"), ("invalid", "t")].map(|(name, value)| (name, value.to_owned())).to_vec();
        for node in names {
            know(&mut stage, node);
            stage.outcome(1, node, "databases", Ok(answer("databases", std::slice::from_ref(&row))));
        }
        stage.tick(2);
        let mut said: Vec<String> = stage.alerts().found_now().map(|alert| alert.node.to_string()).collect();
        said.sort();
        said.concat()
    };
    let (primary, standby) = (Role::Primary, Role::Standby);
    // Whoever answers first.
    for first in ["a", "b"] {
        assert_eq!(says([(standby, Some(7), 1), (primary, Some(7), 2)], first), "b", "the primary");
        assert_eq!(says([(standby, Some(7), 1), (standby, Some(7), 2)], first), "a", "the first standby");
        assert_eq!(says([(primary, Some(7), 1), (primary, Some(7), 1)], first), "a", "one server with two names");
        assert_eq!(says([(primary, Some(7), 1), (primary, Some(7), 2)], first), "ab", "two primaries");
        assert_eq!(says([(standby, Some(7), 1), (primary, Some(8), 2)], first), "ab", "two clusters");
        assert_eq!(says([(standby, None, 1), (primary, None, 2)], first), "ab", "nobody knows");
    }
}
