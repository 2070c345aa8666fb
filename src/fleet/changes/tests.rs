//! Which reports of a server are changes, and which are not.

use std::time::UNIX_EPOCH;

use super::*;
use crate::fleet::{Entry, Fleet};
use crate::model::facts::Sender;
use crate::model::{Event, EventKind, Health, HealthState, NodeConfig, Thresholds};

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
}

/// Two nodes, and what the journal has said of them.
struct Stage {
    fleet: Fleet,
    second: u64,
    read: u64,
}

impl Stage {
    fn new() -> Self {
        let configs = ["a", "b"].map(|node| NodeConfig::new(name(node), "localhost"));
        let fleet = Fleet::new(configs.into(), Duration::from_secs(1), Thresholds::default(), at(0));
        let mut stage = Self { fleet, second: 0, read: 0 };
        for node in ["a", "b"] {
            let health = Health { state: HealthState::Healthy, ..Health::new(at(0)) };
            let kind = EventKind::Health { node: name(node), from: HealthState::Connecting, health: Arc::new(health) };
            stage.apply(kind);
        }
        stage
    }

    /// Two nodes, one of which has said who it is.
    fn of_a() -> Self {
        let mut stage = Self::new();
        stage.server("a", server(5, &[]));
        stage
    }

    fn apply(&mut self, kind: EventKind) -> Vec<String> {
        self.second += 1;
        self.fleet.apply(&Event { seq: 0, at: at(self.second), kind });
        let journal = &self.fleet.now().journal;
        let read = std::mem::replace(&mut self.read, journal.newest_seq());
        let new: Vec<&Entry> = journal.iter().take_while(|entry| entry.seq > read).collect();
        let told = |entry: &&Entry| {
            let node = entry.node.as_ref().unwrap();
            format!("{node} {} {}: {}", entry.severity.as_str(), entry.what, entry.text)
        };
        new.iter().rev().filter(|entry| entry.change.is_some()).map(told).collect()
    }

    fn facts(&mut self, node: &str, facts: Facts) -> Vec<String> {
        self.apply(EventKind::Facts { node: name(node), facts: Ok(Arc::new(facts)) })
    }

    fn server(&mut self, node: &str, server: ServerFacts) -> Vec<String> {
        self.apply(EventKind::Server { node: name(node), server: Arc::new(server) })
    }

    fn connected(&mut self, node: &str, role: Role) -> Vec<String> {
        let (server_version, connect_time) = ("17.2".to_owned(), Duration::from_millis(3));
        self.apply(EventKind::Connected {
            node: name(node),
            role: Some(role),
            server_version,
            connect_time,
            attempt: 1,
        })
    }
}

fn primary(timeline: u32, senders: &[&str]) -> Facts {
    let sender = |name: &&str| Sender { name: Some((*name).to_owned()), ..Sender::default() };
    let senders = Some(senders.iter().map(sender).collect());
    Facts { timeline: Some(timeline), senders, ..Facts::unknown(Role::Primary, at(0)) }
}

fn standby(receiver: &str) -> Facts {
    let senders = Some(Vec::new());
    Facts { timeline: Some(1), receiver: Some(receiver.to_owned()), senders, ..Facts::unknown(Role::Standby, at(0)) }
}

fn server(started: u64, configured: &[(&str, &str, bool)]) -> ServerFacts {
    let setting = |(name, value, pending_restart): &(&str, &str, bool)| {
        let mark = |value: &str| value.bytes().map(u64::from).sum();
        let hidden = name.ends_with("conninfo");
        Configured {
            name: (*name).to_owned(),
            value: (!hidden).then(|| (*value).to_owned()),
            mark: mark(value),
            default: "4MB".to_owned(),
            default_mark: mark("4MB"),
            pending_restart: *pending_restart,
        }
    };
    ServerFacts {
        version: "17.2".to_owned(),
        system_identifier: Some(7),
        port: Some(5432),
        started_at: Some(at(started)),
        configured: Some(configured.iter().map(setting).collect()),
        ..ServerFacts::default()
    }
}

#[test]
fn what_is_read_first_and_what_stays_the_same_is_no_change() {
    let mut stage = Stage::new();
    for _ in 0..3 {
        assert!(stage.connected("a", Role::Primary).is_empty());
        assert!(stage.facts("a", primary(3, &["s1"])).is_empty());
        assert!(stage.server("a", server(5, &[("work_mem", "8MB", false)])).is_empty());
        assert!(stage.facts("a", primary(3, &["s1"])).is_empty());
    }
    // Another cluster at the address has said nothing before.
    stage.connected("a", Role::Standby);
    assert!(stage.facts("a", standby("streaming")).is_empty());
    stage.apply(EventKind::Replaced { node: name("a"), was: 7, now: 8 });
    assert!(stage.server("a", server(99, &[])).is_empty());
    assert!(stage.facts("a", standby("streaming")).is_empty());
}

#[test]
fn a_promotion_is_a_role_and_a_timeline() {
    let mut stage = Stage::new();
    stage.facts("a", standby("streaming"));
    stage.server("a", server(5, &[]));
    assert_eq!(
        stage.facts("a", primary(2, &[])),
        [
            "a warning role: it was promoted: it is a primary now, and accepts writes",
            "a info timeline: it is on timeline 2 now, and was on timeline 1"
        ]
    );
    assert!(stage.facts("a", primary(2, &[])).is_empty());
}

#[test]
fn each_loss_and_return_of_wal_is_told_once() {
    let mut stage = Stage::new();
    stage.facts("a", standby("streaming"));
    stage.server("a", server(5, &[]));
    let mut told = Vec::new();
    for status in ["streaming", "stopped", "starting", "stopped", "streaming", "streaming", "waiting", "streaming"] {
        told.extend(stage.facts("a", standby(status)));
    }
    assert_eq!(
        told,
        [
            "a warning WAL streaming lost: it does not receive WAL any more: its receiver is stopped",
            "a good WAL streaming back: it receives WAL",
            "a warning WAL streaming lost: it does not receive WAL any more: its receiver is waiting",
            "a good WAL streaming back: it receives WAL",
        ]
    );
}

#[test]
fn senders_go_and_come_by_name() {
    let mut stage = Stage::new();
    stage.facts("a", primary(1, &["s1", "walreceiver", "walreceiver"]));
    stage.server("a", server(5, &[]));
    let steps: [(&[&str], &[&str]); 4] = [
        (&["walreceiver", "s1", "walreceiver"], &[]),
        (&["s1", "walreceiver"], &["a warning sender gone: walreceiver does not receive WAL from here any more"]),
        (
            &["walreceiver", "x"],
            &[
                "a warning sender gone: s1 does not receive WAL from here any more",
                "a info sender new: x receives WAL from here",
            ],
        ),
        (&["s1", "walreceiver", "x"], &["a good sender back: s1 receives WAL from here again"]),
    ];
    for (senders, told) in steps {
        assert_eq!(stage.facts("a", primary(1, senders)), told, "{senders:?}");
    }
}

#[test]
fn a_restart_is_told_once_and_not_what_ends_with_it() {
    let mut stage = Stage::new();
    stage.facts("a", primary(1, &["s1", "s2"]));
    stage.server("a", server(5, &[("work_mem", "8MB", false)]));
    stage.connected("a", Role::Primary);
    assert!(stage.facts("a", primary(1, &[])).is_empty(), "it has not said who it is");
    assert_eq!(
        stage.server("a", server(3605, &[("work_mem", "8MB", false)])),
        ["a warning restarted: the server was started again, 1 h after its last start"]
    );
    assert!(stage.facts("a", primary(1, &["s1"])).is_empty(), "s2 will come");
    stage.second += 20;
    assert_eq!(
        stage.facts("a", primary(1, &["s1"])),
        ["a warning sender gone: s2 does not receive WAL from here any more"]
    );
}

#[test]
fn settings_are_told_with_both_values_and_without_secrets() {
    let mut stage = Stage::new();
    stage.facts("a", primary(1, &[]));
    stage.server("a", server(5, &[("max_connections", "100", false), ("primary_conninfo", "password=x", false)]));
    let mut told = |configured: &[(&str, &str, bool)]| stage.server("a", server(5, configured));
    let same = ("max_connections", "100", false);
    assert_eq!(
        told(&[same, ("primary_conninfo", "password=y", false), ("work_mem", "8MB", false)]),
        ["a info settings: primary_conninfo changed, work_mem 4MB → 8MB"]
    );
    let conninfo = ("primary_conninfo", "password=y", false);
    assert_eq!(told(&[same, conninfo]), ["a info settings: work_mem 8MB → 4MB"], "back to its default");
    let waits = ("max_connections", "100", true);
    assert_eq!(told(&[waits, conninfo]), ["a warning settings: max_connections (100) waits for a restart"]);
    assert!(told(&[waits, conninfo]).is_empty(), "said already");
    assert!(told(&[same, conninfo]).is_empty(), "the file was put right");
}

#[test]
fn a_version_is_told_with_the_restart_that_brought_it() {
    let mut stage = Stage::new();
    stage.facts("a", primary(1, &[]));
    stage.server("a", server(5, &[]));
    let upgraded = ServerFacts { version: "17.3".to_owned(), ..server(65, &[]) };
    assert_eq!(
        stage.server("a", upgraded),
        [
            "a warning restarted: the server was started again, 1 min after its last start",
            "a info version: it runs PostgreSQL 17.3 now, and ran 17.2"
        ]
    );
}

#[test]
fn two_names_of_one_server_tell_a_change_once() {
    let mut stage = Stage::new();
    for node in ["a", "b"] {
        stage.facts(node, standby("streaming"));
        stage.server(node, server(5, &[]));
    }
    assert_eq!(stage.facts("b", primary(2, &[])).len(), 2);
    assert!(stage.facts("a", primary(2, &[])).is_empty());
    // Two servers that are promoted are two changes.
    let mut stage = Stage::new();
    for (node, started) in [("a", 5), ("b", 6)] {
        stage.facts(node, standby("streaming"));
        stage.server(node, server(started, &[]));
    }
    assert_eq!(stage.facts("b", primary(2, &[])).len(), 2);
    assert_eq!(stage.facts("a", primary(2, &[])).len(), 2);
}

/// A primary whose senders are these processes.
fn sending(processes: &[(i32, &str)]) -> Facts {
    let sender = |(pid, name): &(i32, &str)| {
        let (name, state) = (Some((*name).to_owned()), Some("streaming".to_owned()));
        Sender { pid: *pid, name, state, ..Sender::default() }
    };
    Facts { senders: Some(processes.iter().map(sender).collect()), ..primary(1, &[]) }
}

#[test]
fn a_stream_that_was_back_before_anybody_looked_is_told_once() {
    let mut stage = Stage::of_a();
    assert!(stage.facts("a", sending(&[(1, "s1"), (2, "s2")])).is_empty());
    assert_eq!(
        stage.facts("a", sending(&[(1, "s1"), (3, "s2")])),
        ["a info sender back: s2 receives WAL from here again, after a break"]
    );
    assert!(stage.facts("a", sending(&[(1, "s1"), (3, "s2")])).is_empty());
    // All connect again after a restart.
    stage.server("a", server(6, &[]));
    assert!(stage.facts("a", sending(&[(4, "s1"), (5, "s2")])).is_empty());
    // One of two that have one name may be either.
    let mut stage = Stage::of_a();
    stage.facts("a", sending(&[(1, "walreceiver"), (2, "walreceiver")]));
    assert!(stage.facts("a", sending(&[(1, "walreceiver"), (3, "walreceiver")])).is_empty());
}

#[test]
fn a_stream_that_breaks_again_and_again_is_told_to_be_unsteady() {
    let mut stage = Stage::of_a();
    stage.facts("a", sending(&[(1, "s")]));
    let mut told = Vec::new();
    for pid in 2..22 {
        told.extend(stage.facts("a", sending(&[])));
        told.extend(stage.facts("a", sending(&[(pid, "s")])));
    }
    let (gone, back) = (
        "a warning sender gone: s does not receive WAL from here any more",
        "a good sender back: s receives WAL from here again",
    );
    let unsteady = "a warning sender unsteady: s loses the WAL stream again and again: 3 breaks within 4 s";
    assert_eq!(told, [gone, back, gone, back, unsteady]);
    let mut later = Vec::new();
    for _ in 0..70 {
        later.extend(stage.facts("a", sending(&[(21, "s")])));
    }
    assert_eq!(later, ["a good sender back: s receives WAL from here steadily again, after 20 breaks"]);
    assert_eq!(stage.facts("a", sending(&[])), [gone], "what breaks once now is told at once");
}

#[test]
fn an_unsteady_stream_that_stays_away_is_told_to_be_lost() {
    let mut stage = Stage::of_a();
    let mut told = Vec::new();
    for status in ["streaming", "stopped", "streaming", "stopped", "streaming", "stopped"] {
        told.extend(stage.facts("a", standby(status)));
    }
    assert_eq!(told.len(), 5);
    assert_eq!(
        told[4],
        "a warning WAL streaming unsteady: it loses the WAL stream again and again: 3 breaks within 4 s"
    );
    told.clear();
    for _ in 0..30 {
        told.extend(stage.facts("a", standby("stopped")));
    }
    assert_eq!(told, ["a warning WAL streaming lost: it does not receive WAL any more, after 3 breaks"]);
    assert_eq!(stage.facts("a", standby("streaming")), ["a good WAL streaming back: it receives WAL"]);
    // What is a primary now receives nothing, and should not.
    for status in ["stopped", "streaming", "stopped", "streaming", "stopped"] {
        stage.facts("a", standby(status));
    }
    told.clear();
    for _ in 0..30 {
        told.extend(stage.facts("a", primary(1, &[])));
    }
    assert_eq!(told, ["a warning role: it was promoted: it is a primary now, and accepts writes"]);
}
