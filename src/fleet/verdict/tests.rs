//! The sentence for fleets in trouble, and for quiet ones.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::fleet::Fleet;
use crate::model::protocol::ViewRows;
use crate::model::{
    Column, ErrorKind, Event, EventKind, Facts, Grade, Health, HealthState, NodeConfig, NodeError, NodeName, Role,
    RowSet, ServerFacts, Thresholds,
};

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn name(node: &str) -> NodeName {
    NodeName::parse(node).unwrap()
}

struct Stage(Fleet);

impl Stage {
    /// Healthy nodes: `p` is a primary on timeline 1, the others are standbys that stream.
    fn new(nodes: &[&str]) -> Self {
        let configs = nodes.iter().map(|node| NodeConfig::new(name(node), *node));
        let mut stage = Self(Fleet::new(configs.collect(), Duration::from_secs(1), Thresholds::default(), at(0)));
        stage.0.take_rules(
            crate::config::views::ours().clone(),
            vec![Arc::clone(&crate::config::alerts::ours()["topology"])],
        );
        for node in nodes {
            stage.health(0, node, HealthState::Healthy);
            stage.server(node, 7, 0);
            let role = if node.starts_with('p') { Role::Primary } else { Role::Standby };
            stage.facts(0, node, role, 1, "streaming");
        }
        stage.0.advance(at(0));
        stage
    }

    fn event(&mut self, second: u64, kind: EventKind) {
        self.0.apply(&Event { seq: 0, at: at(second), kind });
    }

    fn health(&mut self, second: u64, node: &str, state: HealthState) {
        let error = (!state.answers()).then(|| NodeError::new(ErrorKind::Refused, "connection refused"));
        let health = Arc::new(Health { state, error, ..Health::new(at(second)) });
        self.event(second, EventKind::Health { node: name(node), from: HealthState::Connecting, health });
    }

    /// The server that started at `started`, of the cluster `system`.
    fn server(&mut self, node: &str, system: u64, started: u64) {
        let own = u64::from(node.bytes().map(u32::from).sum::<u32>());
        let server = ServerFacts {
            system_identifier: Some(system),
            started_at: Some(at(if started == 0 { own } else { started })),
            port: Some(5432),
            restores: Some(false),
            ..ServerFacts::default()
        };
        self.event(0, EventKind::Server { node: name(node), server: Arc::new(server) });
    }

    fn facts(&mut self, second: u64, node: &str, role: Role, timeline: u32, receiver: &str) {
        let facts = Facts {
            wal_position: Some(1000),
            received: Some(1000),
            receiver: Some(receiver.to_owned()),
            timeline: Some(timeline),
            ..Facts::unknown(role, at(second))
        };
        self.event(second, EventKind::Facts { node: name(node), facts: Ok(Arc::new(facts)) });
    }

    /// The node `under` receives from `above`.
    fn streams(&mut self, second: u64, above: &str, under: &str) {
        let view = &crate::config::views::ours()["topology"];
        let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
        let mut rows = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
        let cells =
            [("kind", "receiver"), ("name", under), ("host", above), ("peer_port", "5432"), ("state", "streaming")];
        rows.push(
            view.asked().map(|asked| cells.iter().find(|(name, _)| *name == asked.name).map(|(_, value)| *value)),
        );
        let outcome = Ok(Arc::new(ViewRows { rows, ..ViewRows::default() }));
        self.event(second, EventKind::View { node: name(under), view: "topology".into(), outcome });
    }

    fn says(&mut self, second: u64) -> (Grade, String) {
        self.0.advance(at(second));
        let verdict = &self.0.now().verdict;
        (verdict.severity, verdict.message.clone())
    }
}

fn ok(text: &str) -> (Grade, String) {
    (Grade::Ok, text.to_owned())
}

fn critical(text: &str) -> (Grade, String) {
    (Grade::Critical, text.to_owned())
}

/// It does not wait for time to pass: the header of the next frame says what its rows say.
#[test]
fn a_node_that_goes_down_is_said_with_the_next_frame() {
    let mut stage = Stage::new(&["p", "a", "b"]);
    stage.health(1, "a", HealthState::Unhealthy);
    stage.0.settle();
    assert_eq!(stage.0.now().verdict.message, "a is down");
    stage.health(1, "b", HealthState::Unhealthy);
    stage.0.keep();
    assert_eq!(stage.0.now().verdict.message, "a and b are down");
}

#[test]
fn a_quiet_fleet_is_described() {
    assert_eq!(Stage::new(&["p", "a", "b", "c"]).says(1), ok("one primary, 3 standbys streaming"));
    assert_eq!(Stage::new(&["p", "a"]).says(1), ok("one primary, one standby streaming"));
    assert_eq!(Stage::new(&["a", "b"]).says(1), ok("2 standbys streaming"));
    assert_eq!(Stage::new(&[]).says(1), ok("no nodes"));
    let mut stage = Stage::new(&["p", "a", "b"]);
    stage.health(1, "b", HealthState::Disconnected);
    assert_eq!(stage.says(1), ok("one primary, one standby streaming, one node paused"));
    // Another cluster beside it.
    let mut stage = Stage::new(&["p", "p2"]);
    stage.server("p2", 8, 0);
    assert_eq!(stage.says(1), ok("2 primaries"));
}

#[test]
fn two_names_of_one_server_are_one_and_two_servers_are_a_split_brain() {
    let mut stage = Stage::new(&["p", "p2", "a"]);
    stage.server("p", 7, 55);
    stage.server("p2", 7, 55);
    assert_eq!(stage.says(1), ok("one primary, one standby streaming"));
    stage.server("p2", 7, 56);
    assert_eq!(stage.says(1), critical("split brain: p (timeline 1) and p2 (timeline 1)"));
}

#[test]
fn a_promotion_beside_a_primary_that_answers_is_seen_at_its_next_answer() {
    let mut stage = Stage::new(&["p", "a"]);
    stage.facts(10, "p", Role::Primary, 1, "stopped");
    stage.facts(11, "a", Role::Primary, 2, "stopped");
    // What p said before may be a thing of the past.
    assert_eq!(stage.says(11).0, Grade::Ok);
    stage.facts(12, "p", Role::Primary, 1, "stopped");
    stage.0.settle();
    assert_eq!(stage.0.now().verdict.severity, Grade::Critical, "with the next frame");
    assert_eq!(stage.says(12), critical("split brain: p (timeline 1) and a (timeline 2)"));
    stage.health(13, "p", HealthState::Unhealthy);
    assert_eq!(stage.says(13), critical("p is down"));
}

#[test]
fn a_cluster_without_its_primary_and_standbys_in_trouble_are_named_with_what_hangs_on_them() {
    let mut stage = Stage::new(&["p", "a", "b"]);
    stage.health(1, "p", HealthState::Unhealthy);
    assert_eq!(stage.says(1), critical("no primary: p is down"));
    let mut stage = Stage::new(&["p", "a", "b"]);
    stage.streams(1, "p", "a");
    stage.streams(1, "a", "b");
    assert_eq!(stage.says(1), ok("one primary, 2 standbys streaming"));
    stage.facts(2, "a", Role::Standby, 1, "stopped");
    stage.facts(43, "p", Role::Primary, 1, "stopped");
    stage.facts(43, "a", Role::Standby, 1, "stopped");
    let said = stage.says(43);
    assert_eq!(
        said,
        (Grade::Critical, "a receives nothing for 41 s: its WAL receiver does not run, b behind it".to_owned())
    );
    // A replay that is paused keeps nothing from those below.
    stage.facts(44, "a", Role::Standby, 1, "streaming");
    stage.facts(44, "b", Role::Standby, 1, "streaming");
    assert_eq!(stage.says(44), ok("one primary, 2 standbys streaming"));
    let paused = Facts {
        wal_position: Some(1000),
        receiver: Some("streaming".to_owned()),
        replay_paused: Some(true),
        ..Facts::unknown(Role::Standby, at(45))
    };
    stage.event(45, EventKind::Facts { node: name("a"), facts: Ok(Arc::new(paused)) });
    assert_eq!(stage.says(45), (Grade::Warning, "a: replay is paused".to_owned()));
    let mut stage = Stage::new(&["p", "a", "b", "c", "d", "e"]);
    for node in ["a", "b", "c", "d", "e"] {
        stage.health(1, node, HealthState::Unhealthy);
    }
    assert_eq!(stage.says(1), critical("a, b, c and 2 more are down"));
}
