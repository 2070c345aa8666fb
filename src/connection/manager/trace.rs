//! The log entry of an event: changes at `info` and `warn`, queries at `debug`, each probe and each figure at `trace`.
//! Text of a server is quoted, its control characters escaped. Of a failed statement only the SQLSTATE is logged, since
//! the server's message repeats the statement's values.

use tracing::{debug, info, trace, warn};

use crate::model::protocol::{DisconnectReason, QueryProgress};
use crate::model::{EventKind, Health, NodeError, NodeName};

/// Writes `kind` to the log, if the log takes its level.
pub(super) fn event(kind: &EventKind) {
    match kind {
        EventKind::Connected { node, role, server_version, connect_time, attempt } => {
            let role = role.map_or("unknown", |role| role.as_str());
            info!(%node, role, ?server_version, ?connect_time, attempt, "connected");
        }
        EventKind::Disconnected { node, reason: DisconnectReason::Error(error) } => {
            warn!(%node, kind = ?error.kind, error = ?error.message, "disconnected");
        }
        EventKind::Disconnected { node, reason } => info!(%node, ?reason, "disconnected"),
        EventKind::Health { node, from, health } => health_change(node, from.as_str(), health),
        EventKind::Checked { node, health } => {
            trace!(%node, latency = ?health.latency, failures = health.failures, "probed");
        }
        EventKind::NodeAdded { node } => {
            info!(node = %node.name, address = %node.address(), user = ?node.user, database = ?node.database, "node added");
        }
        EventKind::NodeEdited { node } => {
            info!(node = %node.name, address = %node.address(), user = ?node.user, database = ?node.database, "node edited");
        }
        EventKind::NodeRemoved { node, sessions_closed, cancelled } => {
            info!(%node, sessions_closed, cancelled, "node removed");
        }
        EventKind::Pool { node, pool, .. } => trace!(%node, ?pool, "pool"),
        EventKind::Facts { node, facts: Ok(_) } => trace!(%node, "figures"),
        EventKind::Facts { node, facts: Err(error) } => debug!(%node, error = ?error.message, "no figures"),
        EventKind::Server { node, .. } => trace!(%node, "settings"),
        EventKind::View { node, view, outcome: Ok(rows) } => {
            trace!(%node, %view, rows = rows.rows.len(), elapsed = ?rows.elapsed, "view");
        }
        EventKind::View { node, view, outcome: Err(error) } => {
            debug!(%node, %view, error = ?error.message, "no view");
        }
        EventKind::Text { node, outcome, .. } => {
            trace!(%node, error = ?outcome.as_ref().err().map(|error| &error.message), "text");
        }
        EventKind::Replaced { node, was, now } => warn!(%node, was, now, "another cluster"),
        EventKind::Query { batch, progress } => query(batch.0, progress),
        EventKind::Refused { node, error } => info!(?node, %error, "command refused"),
        EventKind::Tested { outcome, .. } => {
            debug!(error = ?outcome.as_ref().err().map(|error| &error.message), "connection tested");
        }
        EventKind::Draining { queries, .. } => info!(queries, "leaving"),
        EventKind::Stopped(report) => info!(?report, "stopped"),
    }
}

fn health_change(node: &NodeName, from: &str, health: &Health) {
    let to = health.state.as_str();
    let error = health.error.as_ref().map(|error: &NodeError| &error.message);
    if health.state.answers() || error.is_none() {
        info!(%node, from, to, ?error, "health");
    } else {
        warn!(%node, from, to, ?error, failures = health.failures, attempt = health.attempt, "health");
    }
}

fn query(batch: u64, progress: &QueryProgress) {
    match progress {
        QueryProgress::Started { .. } => debug!(batch, "query started"),
        QueryProgress::Reading { .. } => trace!(batch, "rows come"),
        QueryProgress::NodeDone { node, outcome } => match &outcome.result {
            Ok(rows) => debug!(batch, %node, elapsed = ?outcome.elapsed, rows = rows.row_count, "query answered"),
            Err(error) => {
                let sqlstate = &error.sqlstate;
                debug!(batch, %node, elapsed = ?outcome.elapsed, kind = ?error.kind, ?sqlstate, "query failed");
            }
        },
        QueryProgress::Cancelled => debug!(batch, "query cancelled"),
        QueryProgress::Done { elapsed } => debug!(batch, ?elapsed, "query done"),
    }
}
