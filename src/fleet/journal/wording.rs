//! Turns events into entries of the journal. Events that repeat all the time (probes, figures, pool statistics) get
//! no entry.

use std::time::Duration;

use crate::model::protocol::{DisconnectReason, QueryProgress};
use crate::model::{ErrorKind, EventKind, Health, HealthState, NodeName};

use super::Severity;
use super::trouble::{BLIND, DOWN, Part, SHAKEN, Wording};
use crate::fleet::batch::Batch;
use crate::fleet::nodes::Nodes;

/// The entry for an event. It compares the event with the nodes and the batch as they were before.
pub(in crate::fleet) fn of(kind: &EventKind, nodes: &Nodes, batch: Option<&Batch>) -> Option<Wording> {
    match kind {
        EventKind::Connected { node, role, server_version, connect_time, .. } => {
            let took = milliseconds(*connect_time);
            let role = role.map(|role| format!(", {}", role.as_str())).unwrap_or_default();
            let text = format!("in {took}, PostgreSQL {server_version}{role}");
            Some(line(node, Severity::Good, "connected", text).of(Part::Return))
        }
        EventKind::Disconnected { node, reason } => disconnected(node, reason),
        EventKind::Health { node, from, health } => {
            let what = format!("{} → {}", from.as_str(), health.state.as_str());
            let part = match health.state {
                HealthState::Healthy => Part::Well,
                HealthState::Degraded => Part::Trouble(SHAKEN),
                HealthState::Unhealthy | HealthState::Reconnecting => Part::Trouble(DOWN),
                HealthState::Connecting | HealthState::Disconnected => Part::End,
            };
            Some(line(node, severity(health), &what, why(health)).of(part))
        }
        EventKind::Checked { node, health } => {
            let known = nodes.get(node)?.health.error.as_ref().map(|error| &error.message);
            let error = health.error.as_ref().filter(|error| known != Some(&error.message))?;
            let what = format!("attempt {}", health.attempt);
            Some(line(node, Severity::Info, &what, error.message.clone()).of(Part::Attempt))
        }
        EventKind::NodeAdded { node } => {
            let known = nodes.get(&node.name).is_some_and(|known| !known.removing);
            let text = format!("{}/{}", node.address(), node.database);
            (!known).then(|| line(&node.name, Severity::Added, "node added", text))
        }
        EventKind::NodeEdited { node } => {
            let text = format!("{}/{}", node.address(), node.database);
            Some(line(&node.name, Severity::Info, "node edited", text))
        }
        EventKind::NodeRemoved { node, sessions_closed, cancelled } => {
            let mut text = counted(*sessions_closed, "session closed", "sessions closed");
            if *cancelled > 0 {
                text.push_str(", ");
                text.push_str(&counted(*cancelled, "query cancelled", "queries cancelled"));
            }
            Some(line(node, Severity::Removed, "node removed", text))
        }
        // An error of the figures gets an entry when it begins, not at every refresh.
        EventKind::Facts { node, facts: Err(error) } => {
            let reported = nodes.get(node).and_then(|node| node.facts_error.as_ref());
            let new = reported.is_none_or(|reported| reported.kind != error.kind || reported.message != error.message);
            // What the server refuses says nothing of its health.
            let is_answer = matches!(error.kind, ErrorKind::Permission | ErrorKind::Sql);
            let part = if is_answer { Part::Alone } else { Part::Trouble(BLIND) };
            new.then(|| line(node, Severity::Warning, "no figures", error.message.clone()).of(part))
        }
        // The same warning comes with each session: it gets an entry when it is new.
        EventKind::Server { node, server } => {
            let known = nodes.get(node).and_then(|node| node.server.as_ref()).map(|server| &server.login_warnings);
            let is_new = |warning: &&String| known.is_none_or(|known| !known.contains(*warning));
            let new: Vec<&str> = server.login_warnings.iter().filter(is_new).map(String::as_str).collect();
            (!new.is_empty()).then(|| line(node, Severity::Warning, "warning at login", new.join("; ")))
        }
        EventKind::Replaced { node, was, now } => {
            let text = format!("the system identifier changed from {was} to {now}: this is a different cluster");
            Some(line(node, Severity::Warning, "another cluster", text))
        }
        EventKind::Query { batch: id, progress: QueryProgress::Done { elapsed } } => {
            batch.filter(|batch| batch.id == *id).map(|batch| finished(batch, *elapsed))
        }
        EventKind::Refused { node, error } => Some(Wording {
            node: node.clone(),
            severity: Severity::Warning,
            what: "refused".to_owned(),
            text: error.to_string(),
            part: Part::Alone,
        }),
        _ => None,
    }
}

fn line(node: &NodeName, severity: Severity, what: &str, text: String) -> Wording {
    Wording { node: Some(node.clone()), severity, what: what.to_owned(), text, part: Part::Alone }
}

/// A connection that ended on request gets no entry: the request has its own.
fn disconnected(node: &NodeName, reason: &DisconnectReason) -> Option<Wording> {
    match reason {
        DisconnectReason::Error(error) => {
            let line = line(node, Severity::Warning, "connection lost", error.message.clone());
            Some(line.of(Part::Trouble(SHAKEN)))
        }
        DisconnectReason::Edited
        | DisconnectReason::Paused
        | DisconnectReason::Removed
        | DisconnectReason::Shutdown => None,
    }
}

fn severity(health: &Health) -> Severity {
    match health.state {
        HealthState::Healthy => Severity::Good,
        HealthState::Degraded => Severity::Warning,
        HealthState::Unhealthy | HealthState::Reconnecting => Severity::Critical,
        HealthState::Connecting | HealthState::Disconnected => Severity::Info,
    }
}

fn why(health: &Health) -> String {
    let latency = || health.latency.map(|time| format!("answered in {}", milliseconds(time))).unwrap_or_default();
    match (health.state, &health.error) {
        (HealthState::Disconnected, _) if health.paused => "paused".to_owned(),
        (HealthState::Healthy, _) | (_, None) => latency(),
        (_, Some(error)) if health.failures > 1 => {
            format!("{}; {} probes missed", error.message, health.failures)
        }
        (_, Some(error)) => error.message.clone(),
    }
}

fn finished(batch: &Batch, elapsed: Duration) -> Wording {
    // A statement that a person cancelled did not fail.
    let (answered, failed) = (batch.answered(), if batch.cancelled { 0 } else { batch.failed() });
    let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let text = format!("{answered} of {} answered in {}{failures}", batch.nodes.len(), milliseconds(elapsed));
    let what = if batch.cancelled { "query cancelled" } else { "query done" };
    let severity = if failed > 0 { Severity::Warning } else { Severity::Info };
    Wording { node: None, severity, what: what.to_owned(), text, part: Part::Alone }
}

fn counted(count: u32, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {several}") }
}

/// `0.4 ms`, `12 ms`; longer times in seconds.
fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 0.05 {
        "<0.1 ms".to_owned()
    } else if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1e3)
    }
}
