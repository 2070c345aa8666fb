//! Which rules could not be applied to which nodes, and why: no alert of theirs does not mean that nothing is wrong.
//! Pure.

use std::sync::Arc;

use super::alerts::says_another;
use super::lag::Supply;
use super::nodes::{Node, Nodes};
use super::outcome::Outcome;
use crate::model::alert::Check;
use crate::model::facts::Part;
use crate::model::view::{Reading, Value};
use crate::model::{ErrorKind, Facts, NodeError, NotJudged, Role, Rule};

/// A second answer tells.
const DOUBTFUL: &str = "one answer cannot tell a long transaction from lag";

/// The rules that could not be applied to a node with these figures. One that does not answer is not judged either, and says
/// so itself.
pub(super) fn of(nodes: &Nodes, node: &Node, rules: &[Arc<Rule>], figures: Option<&Reading>) -> Vec<NotJudged> {
    if !node.health.state.answers() {
        return Vec::new();
    }
    let reason = |rule: &Rule| {
        if rule.asks() { of_view(nodes, node, rule) } else { of_figures(node, rule, figures) }
    };
    let found = |rule: &Arc<Rule>| {
        let (reason, pending) = reason(rule)?;
        Some(NotJudged { rule: rule.name.clone(), node: node.name().clone(), reason, pending })
    };
    rules.iter().filter_map(found).collect()
}

/// Why a rule could not be applied, and whether that is still to come.
type Why = Option<(String, bool)>;

/// Of a rule on a view. `None` if it was applied, or if the node has nothing of the view.
fn of_view(nodes: &Nodes, node: &Node, rule: &Rule) -> Why {
    let view = &rule.view;
    let reason = match node.outcomes.get(&view.name) {
        None => return Some((format!("no answer to the view {} in time", view.name), true)),
        Some(Outcome::Failed(error)) => said(error),
        Some(Outcome::HasNone) => return None,
        Some(Outcome::Cut) => format!("the answer to the view {} was cut", view.name),
        Some(Outcome::Answered(gaps)) => {
            let missing = gaps.missing.as_ref().filter(|(_, rules)| rules.contains(&rule.name)).map(|(why, _)| why);
            // Where another node speaks for the copies, it reads them.
            let unread = gaps.unread.as_ref().filter(|_| !says_another(nodes, node.name(), rule.once));
            lacks_rights(node, view.rights.as_deref()).or_else(|| missing.or(unread).cloned())?
        }
    };
    Some((reason, false))
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

/// Of a rule on the figures of a refresh.
fn of_figures(node: &Node, rule: &Rule, figures: Option<&Reading>) -> Why {
    let (Some((_, facts)), Some(reading)) = (&node.facts, figures) else {
        let reason = node.facts_error.as_ref().map(|error| (error.message.clone(), false));
        return Some(reason.unwrap_or_else(|| ("no figures in time".to_owned(), true)));
    };
    let reason = of_known_figures(node, rule, facts, reading)?;
    let pending = reason == DOUBTFUL;
    Some((reason, pending))
}

fn of_known_figures(node: &Node, rule: &Rule, facts: &Facts, reading: &Reading) -> Option<String> {
    let Check::Column { column, .. } = rule.check else { return None };
    let name = rule.view.columns.get(column)?.name.as_str();
    if let Some(error) = node.facts_error.as_ref().filter(|error| error.kind != ErrorKind::NotConnected) {
        return Some(error.message.clone());
    }
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
        "late_ms" | "behind" | "replay_lag_ms" if standby && node.lag.doubtful => Some(DOUBTFUL.to_owned()),
        "late_ms" if node.lag.supply == Supply::Archive && node.lag.time.is_some() => Some(
            "one answer cannot tell an idle primary, which is not watched, from an archive that stopped".to_owned(),
        ),
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
