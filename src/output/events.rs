//! Events as JSON, one object a line.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::json::{millis, time};
use crate::model::change::{SettingChange, What};
use crate::model::protocol::{DisconnectReason, LeaveReason, QueryProgress, ShutdownReport};
use crate::model::{BatchId, Change, ErrorKind, Event, EventKind, Health, HealthState, NodeError, NodeName};

/// The line of an event, with its number in the log; `None` for what is not logged (answered probes, figures, the
/// screen's own questions). `set_back` is how far the machine's clock was set back: the line has the time that it shows.
pub fn line(seq: u64, event: &Event, set_back: Duration) -> Option<String> {
    let (name, node, fields) = describe(event)?;
    Some(written(seq, event.at.checked_sub(set_back).unwrap_or(event.at), name, node, fields))
}

/// The first line of a log: who writes it, and which nodes are watched.
pub fn started(seq: u64, at: SystemTime, cluster: Option<&str>, nodes: &[NodeName]) -> String {
    let fields = json!({
        "version": env!("CARGO_PKG_VERSION"), "cluster": cluster, "nodes": nodes, "pid": std::process::id()
    });
    written(seq, at, "started", None, fields)
}

/// The last line of a log: why pgwatch ended, and what closing took. `report` is `None` if the manager did not say.
pub fn stopped(seq: u64, at: SystemTime, reason: LeaveReason, report: Option<ShutdownReport>) -> String {
    let fields = json!({
        "reason": reason.as_str(),
        "elapsed_ms": report.map(|report| millis(report.elapsed)),
        "sessions_closed": report.map(|report| report.sessions_closed),
        "queries_cancelled": report.map(|report| report.queries_cancelled)
    });
    written(seq, at, "stopped", None, fields)
}

/// The line of a change of a server, with its number in the log. It is found a moment after the event that shows it, and
/// is not dated before the line above it, which came at `last`.
pub fn change(seq: u64, last: SystemTime, change: &Change) -> String {
    let (name, mut fields) = changed(&change.what);
    if let Value::Object(fields) = &mut fields {
        let severity = match &change.what {
            What::Alert { severity, .. } => severity.as_str(),
            _ => change.severity.as_str(),
        };
        fields.insert("severity".to_owned(), severity.into());
        fields.insert("message".to_owned(), change.message.as_str().into());
    }
    written(seq, change.at.max(last), name, Some(&change.node), fields)
}

/// The name of a change and its own fields.
fn changed(what: &What) -> (&'static str, Value) {
    match what {
        What::Role { from, to } => ("role", json!({ "from": from, "to": to })),
        What::Timeline { from, to } => ("timeline", json!({ "from": from, "to": to })),
        What::Restarted { from, to } => ("restarted", json!({ "from": time(*from), "to": time(*to) })),
        What::Version { from, to } => ("version", json!({ "from": from, "to": to })),
        What::Replication { side, name, turn } => {
            ("replication", json!({ "side": side.as_str(), "name": name, "change": turn.as_str() }))
        }
        What::Settings(changed) => {
            let setting = |of: &SettingChange| json!({ "name": of.name, "from": of.from, "to": of.to, "pending_restart": of.pending_restart });
            ("settings", json!({ "changed": changed.iter().map(setting).collect::<Vec<_>>() }))
        }
        What::Alert { rule, turn, .. } => ("alert", json!({ "rule": rule, "change": turn.as_str() })),
        What::Objects { of, turn, names } => {
            ("objects", json!({ "type": of.as_str(), "names": names, "change": turn.as_str() }))
        }
    }
}

/// The fields that all lines have, then those of the event.
fn written(seq: u64, at: SystemTime, event: &str, node: Option<&NodeName>, fields: Value) -> String {
    let mut line = Map::new();
    line.insert("at".to_owned(), time(at).into());
    line.insert("seq".to_owned(), seq.into());
    line.insert("event".to_owned(), event.into());
    if let Some(node) = node {
        line.insert("node".to_owned(), node.as_str().into());
    }
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    format!("{}\n", Value::Object(line))
}

/// The event's name, the node it is about, and its further fields.
fn describe(event: &Event) -> Option<(&'static str, Option<&NodeName>, Value)> {
    Some(match &event.kind {
        EventKind::Connected { node, role, server_version, connect_time, attempt } => {
            let fields = json!({
                "role": role, "server_version": server_version, "connect_ms": millis(*connect_time), "attempt": attempt
            });
            ("connected", Some(node), fields)
        }
        EventKind::Disconnected { node, reason } => {
            ("disconnected", Some(node), json!({ "reason": disconnect_reason(reason) }))
        }
        EventKind::Health { node, from, health } => ("health", Some(node), health_change(event.at, *from, health)),
        EventKind::NodeAdded { node } => ("node_added", Some(&node.name), json!({})),
        EventKind::NodeEdited { node } => ("node_edited", Some(&node.name), json!({})),
        EventKind::NodeRemoved { node, sessions_closed, cancelled } => {
            let fields = json!({ "sessions_closed": sessions_closed, "cancelled": cancelled });
            ("node_removed", Some(node), fields)
        }
        EventKind::Pool { node, pool, probes } => {
            let fields = json!({
                "max": pool.max, "open": pool.open, "active": pool.active, "idle": pool.idle, "waiting": pool.waiting,
                "gets": pool.gets, "waited": pool.waited, "timed_out": pool.timed_out,
                "opened": pool.opened, "closed": pool.closed,
                "probes": probes.probes, "probes_missed": probes.missed, "latency_ms": probes.latency.map(millis)
            });
            ("pool", Some(node), fields)
        }
        // As text: programs read JSON numbers as floating point, which cannot hold these exactly.
        EventKind::Replaced { node, was, now } => {
            let fields = json!({ "was": was.to_string(), "system_identifier": now.to_string() });
            ("replaced", Some(node), fields)
        }
        EventKind::Query { batch, progress } => {
            let (node, fields) = query(*batch, progress)?;
            ("query", node, fields)
        }
        EventKind::Checked { .. }
        | EventKind::Facts { .. }
        | EventKind::Server { .. }
        | EventKind::View { .. }
        | EventKind::Text { .. }
        | EventKind::Refused { .. }
        | EventKind::Tested { .. }
        | EventKind::Draining { .. }
        | EventKind::Stopped(_) => return None,
    })
}

fn disconnect_reason(reason: &DisconnectReason) -> Value {
    match reason {
        DisconnectReason::Error(error) => json!(error),
        DisconnectReason::Removed => json!({ "kind": "removed" }),
        DisconnectReason::Edited => json!({ "kind": "edited" }),
        DisconnectReason::Paused => json!({ "kind": "paused" }),
        DisconnectReason::Shutdown => json!({ "kind": "shutdown" }),
    }
}

fn health_change(at: SystemTime, from: HealthState, health: &Health) -> Value {
    let next_retry = health.next_retry.map(|next| millis(next.duration_since(at).unwrap_or_default()));
    json!({
        "from": from, "to": health.state, "error": health.error,
        "failures": health.failures, "attempt": health.attempt, "next_retry_ms": next_retry
    })
}

fn query(batch: BatchId, progress: &QueryProgress) -> Option<(Option<&NodeName>, Value)> {
    let line = |phase: &str, ok: Option<bool>, row_count: Option<u64>, elapsed: Option<Duration>, error: Value| {
        json!({
            "batch": batch.0, "phase": phase, "ok": ok, "row_count": row_count,
            "elapsed_ms": elapsed.map(millis), "error": error
        })
    };
    Some(match progress {
        QueryProgress::Started { .. } => (None, line("started", None, None, None, Value::Null)),
        QueryProgress::Reading { .. } => return None,
        QueryProgress::NodeDone { node, outcome } => {
            let (rows, error) = match &outcome.result {
                Ok(rows) => (Some(rows.row_count), Value::Null),
                Err(error) => (None, json!(without_values(error))),
            };
            (Some(node), line("node_done", Some(rows.is_some()), rows, Some(outcome.elapsed), error))
        }
        QueryProgress::Cancelled => (None, line("cancelled", None, None, None, Value::Null)),
        QueryProgress::Done { elapsed } => (None, line("done", None, None, Some(*elapsed), Value::Null)),
    })
}

/// Drops the message of a failed statement: the server quotes values in it (`invalid input syntax for type integer:
/// "..."`), which do not belong in a log.
fn without_values(error: &NodeError) -> NodeError {
    if error.kind != ErrorKind::Sql {
        return error.clone();
    }
    NodeError { message: "the statement failed".to_owned(), hint: None, ..error.clone() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::change::{AlertTurn, Severity, Side, Turn};
    use crate::model::protocol::{NodeOutcome, NodeRows};
    use crate::model::view::RowKind;
    use crate::model::{AlertSeverity, PoolStats, ProbeStats, Role};

    fn name() -> NodeName {
        NodeName::parse("primary").unwrap()
    }

    fn event(kind: EventKind) -> Event {
        Event { seq: 7, at: SystemTime::UNIX_EPOCH + Duration::from_millis(1500), kind }
    }

    fn refused() -> NodeError {
        NodeError::new(ErrorKind::Refused, "connection refused")
    }

    fn described(kind: EventKind) -> String {
        match describe(&event(kind)) {
            Some((name, node, fields)) => format!("{name} {} {fields}", node.map_or("-", NodeName::as_str)),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn each_event_has_the_promised_fields() {
        let mut health = Health::new(SystemTime::UNIX_EPOCH);
        health.state = HealthState::Reconnecting;
        health.failures = 3;
        health.next_retry = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2));
        health.error = Some(refused());
        let health = Arc::new(health);
        let failed = |kind| NodeOutcome {
            elapsed: Duration::from_micros(1200),
            result: Err(NodeError::new(kind, "invalid input: \"hunter2\"")),
        };
        let done = |outcome| EventKind::Query {
            batch: BatchId(4),
            progress: QueryProgress::NodeDone { node: name(), outcome: Arc::new(outcome) },
        };
        let rows = NodeOutcome {
            elapsed: Duration::from_millis(3),
            result: Ok(NodeRows { row_count: 2, ..NodeRows::default() }),
        };
        let lines = [
            EventKind::Connected {
                node: name(),
                role: Some(Role::Primary),
                server_version: "17.2".to_owned(),
                connect_time: Duration::from_micros(6200),
                attempt: 1,
            },
            EventKind::Disconnected { node: name(), reason: DisconnectReason::Error(refused()) },
            EventKind::Disconnected { node: name(), reason: DisconnectReason::Removed },
            EventKind::Health { node: name(), from: HealthState::Unhealthy, health: health.clone() },
            EventKind::Checked { node: name(), health },
            EventKind::NodeRemoved { node: name(), sessions_closed: 2, cancelled: 1 },
            EventKind::Pool { node: name(), pool: PoolStats::default(), probes: ProbeStats::default() },
            EventKind::Replaced { node: name(), was: 7_441_290_887_651_234_567, now: 8 },
            done(rows),
            done(failed(ErrorKind::Sql)),
            EventKind::Query { batch: BatchId(4), progress: QueryProgress::Done { elapsed: Duration::from_millis(4) } },
        ]
        .map(described);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        connected primary {"role":"primary","server_version":"17.2","connect_ms":6.2,"attempt":1}
        disconnected primary {"reason":{"kind":"refused","sqlstate":null,"message":"connection refused","hint":null}}
        disconnected primary {"reason":{"kind":"removed"}}
        health primary {"from":"unhealthy","to":"reconnecting","error":{"kind":"refused","sqlstate":null,"message":"connection refused","hint":null},"failures":3,"attempt":1,"next_retry_ms":500.0}
        nothing
        node_removed primary {"sessions_closed":2,"cancelled":1}
        pool primary {"max":0,"open":0,"active":0,"idle":0,"waiting":0,"gets":0,"waited":0,"timed_out":0,"opened":0,"closed":0,"probes":0,"probes_missed":0,"latency_ms":null}
        replaced primary {"was":"7441290887651234567","system_identifier":"8"}
        query primary {"batch":4,"phase":"node_done","ok":true,"row_count":2,"elapsed_ms":3.0,"error":null}
        query primary {"batch":4,"phase":"node_done","ok":false,"row_count":null,"elapsed_ms":1.2,"error":{"kind":"sql","sqlstate":null,"message":"the statement failed","hint":null}}
        query - {"batch":4,"phase":"done","ok":null,"row_count":null,"elapsed_ms":4.0,"error":null}
        "#);
    }

    #[test]
    fn each_change_has_the_promised_fields() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
        let again = start + Duration::from_secs(90);
        let setting = SettingChange {
            name: "work_mem".to_owned(),
            from: Some("4MB".to_owned()),
            to: None,
            pending_restart: true,
        };
        let sender = Some("s1".to_owned());
        let lines = [
            What::Role { from: Role::Standby, to: Role::Primary },
            What::Timeline { from: 1, to: 2 },
            What::Restarted { from: start, to: again },
            What::Version { from: "17.2".to_owned(), to: "17.3".to_owned() },
            What::Replication { side: Side::Sender, name: sender, turn: Turn::Gone },
            What::Replication { side: Side::Receiver, name: None, turn: Turn::Lost },
            What::Settings(vec![setting]),
            What::Alert { rule: "connections".to_owned(), severity: AlertSeverity::Critical, turn: AlertTurn::Cleared },
            What::Objects { of: RowKind::Table, turn: Turn::New, names: vec!["public.t".to_owned()] },
        ]
        .map(|what| {
            let severity = Severity::Good;
            let line = Change { at: start, node: name(), severity, message: "m".to_owned(), what };
            change(7, again, &line)
        });
        insta::assert_snapshot!(lines.concat(), @r#"
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"role","node":"primary","from":"standby","to":"primary","severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"timeline","node":"primary","from":1,"to":2,"severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"restarted","node":"primary","from":"1970-01-01T00:00:10.000000Z","to":"1970-01-01T00:01:40.000000Z","severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"version","node":"primary","from":"17.2","to":"17.3","severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"replication","node":"primary","side":"sender","name":"s1","change":"gone","severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"replication","node":"primary","side":"receiver","name":null,"change":"lost","severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"settings","node":"primary","changed":[{"name":"work_mem","from":"4MB","to":null,"pending_restart":true}],"severity":"good","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"alert","node":"primary","rule":"connections","change":"cleared","severity":"critical","message":"m"}
        {"at":"1970-01-01T00:01:40.000000Z","seq":7,"event":"objects","node":"primary","type":"table","names":["public.t"],"change":"new","severity":"good","message":"m"}
        "#);
    }
}
