//! Which rules could not be applied to which nodes, and why: no alert of theirs does not mean that nothing is wrong.
//! Pure.

use std::sync::Arc;

use super::nodes::Node;
use super::picture::Picture;
use crate::model::alert::{Check, facts};
use crate::model::facts::Part;
use crate::model::view::Value;
use crate::model::{ErrorKind, NodeError, NotJudged, Role, Rule, Thresholds};

/// Every rule and node of which it is so. A node that does not answer is not judged either, and says so itself.
pub(super) fn of(picture: &Picture, rules: &[Arc<Rule>], thresholds: &Thresholds) -> Vec<NotJudged> {
    let mut found = Vec::new();
    for node in picture.nodes.iter().filter(|node| node.health.state.answers()) {
        for rule in rules {
            let reason = if rule.asks() { of_view(picture, node, rule, thresholds) } else { of_figures(node, rule) };
            found.extend(reason.map(|reason| NotJudged { rule: rule.name.clone(), node: node.name().clone(), reason }));
        }
    }
    found
}

/// Why a rule on a view could not be applied; `None` if it was, or if the node has nothing of the view.
fn of_view(picture: &Picture, node: &Node, rule: &Rule, thresholds: &Thresholds) -> Option<String> {
    let view = &rule.view;
    let answers = picture.readings.of(&view.name)?;
    let reading = match answers.node(node.name()).and_then(super::readings::NodeReadings::last) {
        None => return Some(format!("no answer to the view {} in time", view.name)),
        Some(Err(error)) => {
            return Some(said(error));
        }
        Some(Ok(reading)) => reading,
    };
    if reading.answer.not_applicable.is_some() {
        return None;
    }
    if reading.answer.truncated {
        return Some(format!("the answer to the view {} was cut", view.name));
    }
    if let Some(why) = reading.answer.missing.as_ref().filter(|_| rule.is_open(reading, thresholds)) {
        return Some(why.clone());
    }
    lacks_rights(node, view.rights.as_deref())
}

/// The right that the view needs and our role lacks. Who reads all data only sees more rows with it, not other values.
fn lacks_rights(node: &Node, needed: Option<&str>) -> Option<String> {
    let needed = needed?;
    let held = &node.server.as_ref()?.rights;
    let lacks = !held.iter().any(|right| right == needed)
        && matches!(needed, "pg_read_all_stats" | "pg_monitor" | "pg_read_all_settings");
    lacks.then(|| hidden(node))
}

fn hidden(node: &Node) -> String {
    format!("the server hides what it needs from {}", node.hidden_from())
}

/// Why a rule on the figures of a refresh could not be applied.
fn of_figures(node: &Node, rule: &Rule) -> Option<String> {
    let Check::Column { column, .. } = rule.check else { return None };
    let name = rule.view.columns.get(column)?.name.as_str();
    let Some((_, facts)) = &node.facts else {
        let reason = node.facts_error.as_ref().map(|error| error.message.clone());
        return Some(reason.unwrap_or_else(|| "no figures in time".to_owned()));
    };
    if let Some(error) = node.facts_error.as_ref().filter(|error| error.kind != ErrorKind::NotConnected) {
        return Some(error.message.clone());
    }
    let known = super::alerts::known(node, &[]);
    let reading = facts::reading(std::time::SystemTime::UNIX_EPOCH, facts, node.server.as_deref(), known);
    let missing = node.why_missing(parts_of(name));
    // A lag that is measured without one of its parts may be more than it seems.
    let is_lag = matches!(name, "late_ms" | "behind" | "replay_lag_ms" | "replay_lag_bytes");
    if reading.value(&rule.view, 0, column) != Value::Unknown && !(is_lag && missing.is_some()) {
        return None;
    }
    if let Some(error) = missing {
        return Some(said(error));
    }
    let standby = facts.role == Role::Standby;
    match name {
        "late_ms" | "behind" | "replay_lag_ms" if standby && node.lag.doubtful => {
            Some("one answer cannot tell a long transaction from lag".to_owned())
        }
        "late_ms" | "behind" | "replay_lag_ms" | "replay_lag_bytes" | "receives" | "supply" | "replay_paused"
        | "streaming"
            if standby =>
        {
            Some(if facts.receiver.is_none() { hidden(node) } else { untold(name) })
        }
        "split_brain" if !standby && node.cluster().is_none() => {
            let reason = node.why_missing(&[Part::Identifier]).map(said);
            Some(reason.unwrap_or_else(|| untold("its system identifier")))
        }
        "waiting_for_lock" | "active" | "oldest_transaction_ms" if facts.active.is_none() => Some(hidden(node)),
        "connections" | "max_connections" | "connections_percent" | "pending_restart" => Some(untold(name)),
        _ => None,
    }
}

/// The parts of the figures that a column is made of. A node misses only those that servers of its role have.
fn parts_of(column: &str) -> &'static [Part] {
    match column {
        "late_ms" | "behind" | "replay_lag_ms" | "replay_lag_bytes" => {
            &[Part::Replayed, Part::Received, Part::LastCommit, Part::Receiver]
        }
        "receives" | "supply" => &[Part::Receiver, Part::Replayed, Part::Received],
        "streaming" => &[Part::Receiver],
        "replay_paused" => &[Part::ReplayPaused],
        "waiting_for_lock" | "oldest_transaction_ms" => &[Part::Sessions],
        "connections" | "max_connections" | "connections_percent" => {
            &[Part::Sessions, Part::Databases, Part::MaxConnections]
        }
        "pending_restart" => &[Part::PendingRestart],
        _ => &[],
    }
}

/// An error with its remedy.
fn said(error: &NodeError) -> String {
    let hint = error.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default();
    format!("{}{hint}", error.message)
}

fn untold(column: &str) -> String {
    format!("the server does not tell {column}")
}
