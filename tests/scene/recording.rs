//! Events of the manager as lines of YAML: written by hand, or recorded from real servers by
//! `cargo test --test real -- --ignored recording`. Only what the fleet's verdicts depend on is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgwatch::config::views;
use pgwatch::fleet::{Fleet, topology};
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::{
    Alert, Column, ErrorKind, Event, EventKind, Facts, Health, HealthState, NodeConfig, NodeError, NodeName, Role,
    RowSet, ServerFacts, Thresholds,
};
use serde::{Deserialize, Serialize};

/// What is asked of the nodes of a recording: the shape is made from both.
pub const VIEWS: [&str; 2] = ["topology", "slots"];

/// A recording, or a story written by hand.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    pub about: String,
    pub nodes: Vec<String>,
    pub events: Vec<Line>,
}

/// One event; without a kind, only time passes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Seconds since the beginning.
    pub at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<String>,
    /// The figures of a refresh: the role, and what else they say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
    /// Seconds since the last commit that a standby replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_age: Option<f64>,
    /// The status of the WAL receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// Where WAL ends on a primary; on a standby, what is replayed and what was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<(u32, u32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "is_false", default)]
    pub removed: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn role(text: &str) -> Role {
    match text {
        "primary" => Role::Primary,
        "standby" => Role::Standby,
        other => panic!("no role {other:?}"),
    }
}

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Keeps an answer's text as it was, with the columns that the view asks for.
fn answer(view: &str, rows: &[BTreeMap<String, String>]) -> Arc<ViewRows> {
    let view = views::ours().get(view).unwrap_or_else(|| panic!("no view {view:?}"));
    let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
    let mut set = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
    for row in rows {
        for name in row.keys() {
            assert!(view.asked().any(|asked| asked.name == *name), "{} has no {name}", view.name);
        }
        set.push(view.asked().map(|asked| row.get(&asked.name).map(String::as_str)));
    }
    Arc::new(ViewRows { rows: set, ..ViewRows::default() })
}

impl Line {
    /// What happened to the fleet; `None` if only time passed.
    fn event(&self, at: SystemTime, fleet: &Fleet) -> Option<Event> {
        let node = NodeName::parse(self.node.as_deref()?).unwrap();
        let kind = if let Some(state) = &self.health {
            let all = [
                HealthState::Connecting,
                HealthState::Healthy,
                HealthState::Degraded,
                HealthState::Unhealthy,
                HealthState::Reconnecting,
                HealthState::Disconnected,
            ];
            let state = all.into_iter().find(|known| known.as_str() == state);
            let error = self.error.as_ref().map(|error| NodeError::new(ErrorKind::Refused, error.clone()));
            let state = state.unwrap_or_else(|| panic!("no state {:?}", self.health));
            let health = Arc::new(Health { state, error, ..Health::new(at) });
            let known = fleet.now().nodes.get(&node);
            let from = known.map_or(HealthState::Connecting, |known| known.health.state);
            EventKind::Health { node, from, health }
        } else if let Some(text) = &self.facts {
            let facts = Facts {
                timeline: self.timeline,
                commit_age: self.commit_age,
                receiver: self.receiver.clone(),
                wal_position: self.position,
                received: self.received,
                connections: self.connections.map(|(open, _)| open),
                max_connections: self.connections.map(|(_, most)| most),
                ..Facts::unknown(role(text), at)
            };
            EventKind::Facts { node, facts: Ok(Arc::new(facts)) }
        } else if let Some(system) = self.system {
            let server = ServerFacts { system_identifier: Some(system), ..ServerFacts::default() };
            EventKind::Server { node, server: Arc::new(server) }
        } else if let Some(view) = &self.view {
            let outcome = match &self.error {
                Some(error) => Err(NodeError::new(ErrorKind::Sql, error.clone())),
                None => Ok(answer(view, self.rows.as_deref().unwrap_or_default())),
            };
            EventKind::View { node, view: view.as_str().into(), outcome }
        } else if self.removed {
            EventKind::NodeRemoved { node, sessions_closed: 0, cancelled: 0 }
        } else {
            panic!("what happened? {self:?}");
        };
        Some(Event { seq: 0, at, kind })
    }

    /// What is kept of an event; `None` for what the verdicts do not depend on.
    pub fn of(event: &Event, since: SystemTime) -> Option<Self> {
        let seconds = event.at.duration_since(since).unwrap_or_default().as_secs_f64();
        let at = (seconds * 10.0).round() / 10.0;
        Some(match &event.kind {
            EventKind::Health { node, health, .. } => Self {
                at,
                node: Some(node.to_string()),
                health: Some(health.state.as_str().to_owned()),
                error: health.error.as_ref().map(|error| error.kind.as_str().to_owned()),
                ..Self::default()
            },
            EventKind::Facts { node, facts: Ok(facts) } => Self {
                at,
                node: Some(node.to_string()),
                facts: Some(facts.role.as_str().to_owned()),
                timeline: facts.timeline,
                commit_age: facts.commit_age.map(|age| (age * 10.0).round() / 10.0),
                receiver: facts.receiver.clone(),
                position: facts.wal_position,
                received: facts.received,
                ..Self::default()
            },
            EventKind::Server { node, server } => {
                Self { at, node: Some(node.to_string()), system: server.system_identifier, ..Self::default() }
            }
            EventKind::View { node, view, outcome } => {
                let rows = outcome.as_ref().ok().map(|answer| {
                    let names = answer.rows.columns();
                    let cell =
                        |row: usize, at: usize| Some((names[at].name.clone(), answer.rows.cell(row, at)?.to_owned()));
                    let row = |row: usize| (0..names.len()).filter_map(|at| cell(row, at)).collect();
                    (0..answer.rows.len()).map(row).collect()
                });
                let error = outcome.as_ref().err().map(|error| error.kind.as_str().to_owned());
                Self { at, node: Some(node.to_string()), view: Some(view.to_string()), rows, error, ..Self::default() }
            }
            _ => return None,
        })
    }
}

impl Recording {
    /// Plays all of it to a fleet that judges by the rules that are built in; time passes once a second.
    pub fn play(&self) -> Fleet {
        let nodes = self.nodes.iter().map(|name| NodeConfig::new(NodeName::parse(name).unwrap(), name));
        let mut fleet = Fleet::new(nodes.collect(), Duration::from_secs(2), Thresholds::default(), start());
        fleet.take_rules(views::ours().clone(), pgwatch::config::alerts::ours().values().cloned().collect());
        for view in VIEWS {
            fleet.follow(&views::ours()[view]);
        }
        let mut now = start();
        for line in &self.events {
            let at = start() + Duration::from_secs_f64(line.at);
            while now + Duration::from_secs(1) <= at {
                now += Duration::from_secs(1);
                fleet.advance(now);
            }
            if let Some(event) = line.event(at, &fleet) {
                fleet.apply(&event);
            }
        }
        fleet
    }
}

/// What a fleet says at its end: the alerts that hold, the shape and what is wrong with it, the journal, oldest first.
pub fn verdict(fleet: &Fleet) -> String {
    let mut lines = vec!["alerts:".to_owned()];
    lines.extend(fleet.alerts().fired().map(|held| {
        let Alert { rule, node, finding, .. } = &held.alert;
        format!("  {node} {} {}: {}", finding.severity.as_str(), rule.name, finding.message)
    }));
    let (branches, faults) = topology::shape(fleet.now());
    lines.push("shape:".to_owned());
    lines.extend(branches.into_iter().map(|branch| {
        let role = branch.role.map_or("?", Role::as_str);
        let receives = branch.edge.map_or(String::new(), |edge| format!(", receives: {}", edge.receives()));
        format!("  {}{} {role}{receives}", "  ".repeat(branch.more.len()), branch.name)
    }));
    lines.push("faults:".to_owned());
    lines.extend(faults.into_iter().map(|fault| format!("  {}: {}", fault.severity.as_str(), fault.text)));
    lines.push("journal:".to_owned());
    lines.extend(fleet.now().journal.iter().rev().map(|entry| {
        let at = entry.at.duration_since(start()).unwrap_or_default().as_secs();
        let node = entry.node.as_ref().map_or("-", |node| node.as_str());
        format!("  {at} s {node} {}: {}", entry.what, entry.text)
    }));
    lines.join("\n")
}
