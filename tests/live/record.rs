//! The events of a manager on a real scene, and a replay of them with masked figures, so that it looks the same
//! wherever and whenever it was recorded: times, ports, round trips, sizes, counters and versions become constants.
//! States, their order, their reasons, roles, rows and errors stay as the servers made them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgwatch::model::facts::Sender;
use pgwatch::model::protocol::{DisconnectReason, NodeOutcome, QueryProgress, Tested};
use pgwatch::model::{
    ErrorKind, Event, EventKind, Facts, Health, HealthState, NodeConfig, NodeError, NodeName, PoolStats, ProbeStats,
    ServerFacts,
};

use crate::scene::{NOW, Scene};

/// A part of the scene: the keys that it begins with, the nodes whose state changes in it, and its events.
#[derive(Debug, Clone)]
pub struct Act {
    pub keys: String,
    pub nodes: Vec<NodeName>,
    pub events: Vec<Event>,
}

/// How many seconds an act takes in the replay.
const ACT: u64 = 6;
const VERSION: &str = "17.2";
const PORT: u16 = 5432;
const ROUND_TRIP: Duration = Duration::from_millis(1);
const MOMENT: Duration = Duration::from_millis(6);
/// Settings that every version has and that the demo's servers set, or leave at a default that never changed.
const SETTINGS: [&str; 9] = [
    "max_connections",
    "shared_buffers",
    "work_mem",
    "wal_level",
    "max_wal_size",
    "synchronous_commit",
    "hot_standby",
    "max_wal_senders",
    "fsync",
];

/// The nodes of a scene at constant addresses.
pub fn at_constant_addresses(nodes: &[NodeConfig]) -> Vec<NodeConfig> {
    nodes.iter().map(|node| NodeConfig { port: PORT, ..node.clone() }).collect()
}

/// A dashboard after all of these events.
pub fn replay(nodes: &[NodeConfig], acts: &[Act]) -> Scene {
    let start = NOW - acts.len() as u64 * ACT;
    let mut scene = Scene::new(at_constant_addresses(nodes), start).with_views();
    for (at, act) in acts.iter().enumerate() {
        play(&mut scene, nodes, act);
        for _ in 0..ACT {
            scene.tick(1);
            for node in nodes {
                figures(&mut scene, &node.name, &acts[..=at]);
            }
        }
    }
    scene
}

/// Applies one act. The events of a node keep their order. Which of two nodes was quicker is random, and a change of
/// state of a node that the act is not about is only a hiccup of a busy machine.
fn play(scene: &mut Scene, nodes: &[NodeConfig], act: &Act) {
    scene.press(&act.keys);
    let place = |kind: &EventKind| match subject(kind) {
        Some(name) => 1 + nodes.iter().position(|node| node.name == *name).unwrap_or(nodes.len()),
        None if matches!(kind, EventKind::Query { progress: QueryProgress::Started { .. }, .. }) => 0,
        None => usize::MAX,
    };
    let mut story: Vec<&Event> = act.events.iter().collect();
    story.sort_by_key(|event| place(&event.kind));
    for event in story {
        let hiccup = is_change(&event.kind) && subject(&event.kind).is_some_and(|node| !act.nodes.contains(node));
        if let Some(kind) = masked(&event.kind, scene.now).filter(|_| !hiccup) {
            scene.event(kind);
        }
    }
    for node in &act.nodes {
        let failed = act.events.iter().rev().find(|event| is_failed_retry(&event.kind, node));
        if let Some(event) = failed {
            scene.event(masked_figures(&event.kind, scene.now));
        }
    }
}

/// A second in the life of a node that answers: its newest figures.
fn figures(scene: &mut Scene, node: &NodeName, acts: &[Act]) {
    if scene.app.picture().nodes.get(node).is_none_or(|node| node.health.state != HealthState::Healthy) {
        return;
    }
    let mut newest = [None, None, None];
    let events = acts.iter().flat_map(|act| &act.events);
    for event in events.filter(|event| subject(&event.kind) == Some(node)) {
        match &event.kind {
            EventKind::Checked { health, .. } if health.state == HealthState::Healthy => newest[0] = Some(event),
            EventKind::Facts { facts: Ok(_), .. } => newest[1] = Some(event),
            EventKind::Pool { .. } => newest[2] = Some(event),
            _ => {}
        }
    }
    for event in newest.into_iter().flatten() {
        scene.event(masked_figures(&event.kind, scene.now));
    }
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

/// The node of an event whose order relative to other nodes is random.
fn subject(kind: &EventKind) -> Option<&NodeName> {
    match kind {
        EventKind::Connected { node, .. }
        | EventKind::Disconnected { node, .. }
        | EventKind::Health { node, .. }
        | EventKind::Checked { node, .. }
        | EventKind::Pool { node, .. }
        | EventKind::Facts { node, .. }
        | EventKind::Server { node, .. }
        | EventKind::Query { progress: QueryProgress::NodeDone { node, .. }, .. } => Some(node),
        _ => None,
    }
}

fn is_change(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Connected { .. } | EventKind::Disconnected { .. } | EventKind::Health { .. })
}

/// A retry of a lost node that failed: the next one is due.
pub fn is_failed_retry(kind: &EventKind, of: &NodeName) -> bool {
    matches!(kind, EventKind::Checked { node, health }
        if node == of && health.state == HealthState::Reconnecting && health.next_retry.is_some())
}

/// The event with its figures masked; `None` for events so frequent that their number is random.
fn masked(kind: &EventKind, now: u64) -> Option<EventKind> {
    Some(match kind.clone() {
        EventKind::Connected { node, role, .. } => {
            EventKind::Connected { node, role, server_version: VERSION.to_owned(), connect_time: MOMENT, attempt: 1 }
        }
        EventKind::Disconnected { node, reason } => {
            let reason = match reason {
                DisconnectReason::Error(error) => DisconnectReason::Error(masked_error(error)),
                other => other,
            };
            EventKind::Disconnected { node, reason }
        }
        EventKind::Health { node, from, health } => {
            EventKind::Health { node, from, health: Arc::new(masked_health(&health, now)) }
        }
        EventKind::Server { node, server } => EventKind::Server { node, server: Arc::new(masked_server(&server, now)) },
        EventKind::Tested { id, outcome } => {
            let version = |tested| Tested { server_version: VERSION.to_owned(), connect_time: MOMENT, ..tested };
            EventKind::Tested { id, outcome: outcome.map(version).map_err(masked_error) }
        }
        EventKind::Query { progress: QueryProgress::Reading { .. }, .. }
        | EventKind::Checked { .. }
        | EventKind::Facts { .. }
        // When the views of alerts are first asked is random.
        | EventKind::View { .. }
        | EventKind::Pool { .. } => return None,
        EventKind::Query { batch, progress } => EventKind::Query { batch, progress: masked_progress(progress) },
        kind => kind,
    })
}

fn masked_figures(kind: &EventKind, now: u64) -> EventKind {
    match kind.clone() {
        EventKind::Checked { node, health } => {
            EventKind::Checked { node, health: Arc::new(masked_health(&health, now)) }
        }
        EventKind::Facts { node, facts } => {
            EventKind::Facts { node, facts: facts.map(|facts| Arc::new(masked_facts(&facts, now))) }
        }
        EventKind::Pool { node, pool, .. } => {
            let pool = PoolStats { max: pool.max, open: 1, idle: 1, gets: 2, opened: 1, ..PoolStats::default() };
            EventKind::Pool { node, pool, probes: ProbeStats { probes: now + 900 - NOW, missed: 0, latency: None } }
        }
        kind => kind,
    }
}

fn masked_health(health: &Health, now: u64) -> Health {
    let then = |time: Option<SystemTime>| time.map(|_| at(now));
    Health {
        since: at(now),
        down_since: then(health.down_since),
        last_check: then(health.last_check),
        last_success: then(health.last_success),
        failures: health.failures.min(3),
        attempt: health.attempt.min(1),
        next_retry: health.next_retry.map(|_| at(NOW + 3)),
        error: health.error.clone().map(masked_error),
        latency: health.latency.map(|_| ROUND_TRIP),
        ..health.clone()
    }
}

/// The counters of a steady load; a figure that the server did not report stays unknown.
fn masked_facts(facts: &Facts, now: u64) -> Facts {
    let seconds = now + 1_000 - NOW;
    let total = |counter: Option<u64>, a_second: u64| counter.map(|_| seconds * a_second);
    Facts {
        server_time: at(now),
        clock_ahead: 0,
        role: facts.role,
        connections: facts.connections.map(|_| 4),
        max_connections: facts.max_connections,
        active: facts.active.map(|_| 1),
        idle: facts.idle.map(|_| 3),
        idle_in_transaction: facts.idle_in_transaction.map(|_| 0),
        waiting_for_lock: facts.waiting_for_lock.map(|_| 0),
        oldest_transaction: None,
        commits: total(facts.commits, 310),
        rollbacks: total(facts.rollbacks, 1),
        blocks_read: total(facts.blocks_read, 3),
        blocks_hit: total(facts.blocks_hit, 997),
        temp_bytes: facts.temp_bytes.map(|_| 0),
        deadlocks: facts.deadlocks.map(|_| 0),
        stats_reset: None,
        wal_position: total(facts.wal_position, 2_200_000),
        // Whether the last transaction has been replayed at this moment is random.
        received: total(facts.received, 2_200_000),
        commit_age: facts.commit_age.map(|_| 0.0),
        replay_paused: facts.replay_paused,
        receiver: facts.receiver.clone(),
        receiver_silent: facts.receiver_silent.map(|_| Duration::ZERO),
        senders: facts.senders.as_ref().map(|senders| senders.iter().map(|_| Sender::default()).collect()),
        logical_senders: Vec::new(),
        timeline: facts.timeline,
        config_loaded: None,
        missing: facts.missing.clone(),
        elapsed: Duration::from_millis(1),
    }
}

fn masked_server(server: &ServerFacts, now: u64) -> ServerFacts {
    let mut settings = server.settings.clone();
    settings.retain(|setting| SETTINGS.contains(&setting.name.as_str()));
    ServerFacts {
        version: VERSION.to_owned(),
        version_num: 170_002,
        started_at: server.started_at.map(|_| at(now - 41 * 86_400)),
        system_identifier: server.system_identifier.map(|_| 7_441_290_887_651_234_567),
        cluster_name: server.cluster_name.clone(),
        settings,
        configured: None,
        pending_restart: server.pending_restart,
        port: None,
        restores: server.restores,
        apply_delay: server.apply_delay,
        receiver_timeout: server.receiver_timeout,
        wal_segment: server.wal_segment,
        rights: server.rights.clone(),
        missing: server.missing.clone(),
        login_warnings: server.login_warnings.clone(),
        ..ServerFacts::default()
    }
}

fn masked_progress(progress: QueryProgress) -> QueryProgress {
    match progress {
        QueryProgress::NodeDone { node, outcome } => {
            let result = outcome.result.clone().map_err(masked_error);
            QueryProgress::NodeDone { node, outcome: Arc::new(NodeOutcome { elapsed: MOMENT, result }) }
        }
        QueryProgress::Done { .. } => QueryProgress::Done { elapsed: MOMENT },
        progress => progress,
    }
}

/// Removes ports and times: a number before a unit becomes `N`.
fn masked_error(error: NodeError) -> NodeError {
    // How a killed server's sessions end (with a last message, closed, reset) is a race between its processes.
    let error = match error.kind {
        ErrorKind::ConnectionLost | ErrorKind::Terminated => {
            NodeError::new(ErrorKind::ConnectionLost, "the connection was lost")
        }
        _ => error,
    };
    NodeError { message: masked_text(&error.message), hint: error.hint.as_deref().map(masked_text), ..error }
}

fn masked_text(text: &str) -> String {
    let mask = |word: &str, next: Option<&&str>| {
        let unit = next.is_some_and(|unit| matches!(unit.trim_end_matches([',', ':', ')']), "ms" | "s"));
        let number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        match word.split_once("127.0.0.1:") {
            Some((before, port)) => {
                let after = port.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}127.0.0.1:{PORT}{after}")
            }
            None if unit && number => "N".to_owned(),
            None => word.to_owned(),
        }
    };
    let words: Vec<&str> = text.split(' ').collect();
    let masked = words.iter().enumerate().map(|(at, word)| mask(word, words.get(at + 1)));
    masked.collect::<Vec<String>>().join(" ")
}
