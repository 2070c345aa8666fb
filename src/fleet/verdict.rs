//! What is the matter with the whole fleet, in one sentence, the worst first: the header and `pgwatch status` show it.
//! Pure.

use std::collections::HashMap;
use std::time::Duration;

use super::identity;
use super::lag::Supply;
use super::nodes::{Level, Node};
use super::picture::Picture;
use crate::model::{Alert, AlertSeverity, Grade, HealthState, Role, Thresholds, Verdict, figures};

/// How long a standby may receive nothing before that is critical.
const SILENT: Duration = Duration::from_secs(10);
/// How many names a sentence lists.
const NAMES: usize = 3;

/// The verdict on a picture and the alerts that count. With `settled`, a node that has not answered is down.
pub(super) fn of<'a>(
    picture: &Picture,
    alerts: impl Iterator<Item = &'a Alert>,
    thresholds: &Thresholds,
    settled: bool,
) -> Verdict {
    let servers: Vec<&Node> = picture.nodes.servers().filter(|node| node.health.state.answers()).collect();
    let mut wrong = split_brains(picture, &servers);
    wrong.extend(down(picture, settled));
    wrong.extend(standbys(picture, &servers, thresholds));
    wrong.extend(degraded(picture));
    if wrong.is_empty() {
        wrong.extend(worst_alert(alerts));
    }
    // Stable: of equal severity, the order above.
    wrong.sort_by_key(|(grade, _)| std::cmp::Reverse(*grade));
    match wrong.first() {
        Some((severity, _)) => {
            let severity = *severity;
            let said: Vec<String> = wrong.into_iter().map(|(_, said)| said).collect();
            Verdict { severity, message: said.join("; ") }
        }
        None => Verdict { severity: Grade::Ok, message: quiet(picture, &servers) },
    }
}

type Wrong = (Grade, String);

fn split_brains(picture: &Picture, servers: &[&Node]) -> Vec<Wrong> {
    // Several primaries are looked at more closely: each look reads all nodes.
    let mut primaries: HashMap<_, usize> = HashMap::new();
    for node in servers.iter().filter(|node| node.role == Some(Role::Primary)) {
        *primaries.entry(node.cluster()).or_default() += 1;
    }
    let mut wrong: Vec<Wrong> = Vec::new();
    for node in servers.iter().filter(|node| primaries.get(&node.cluster()).is_some_and(|count| *count > 1)) {
        let rivals = identity::split_brain(&picture.nodes, node);
        // Once for all of them: at the first.
        if rivals.first().is_some_and(|first| first.name() == node.name()) {
            wrong.push((Grade::Critical, format!("split brain: {}", identity::named_with_timelines(&rivals))));
        }
    }
    wrong
}

/// The nodes that do not answer, and the clusters that have no primary without them.
fn down(picture: &Picture, settled: bool) -> Vec<Wrong> {
    let lost = |node: &&Node| match node.health.state {
        HealthState::Unhealthy | HealthState::Reconnecting => true,
        HealthState::Connecting => settled,
        HealthState::Healthy | HealthState::Degraded | HealthState::Disconnected => false,
    };
    let down: Vec<&Node> = picture.nodes.iter().filter(lost).collect();
    let leads = |node: &Node| {
        let system = node.server.as_ref().and_then(|server| server.system_identifier);
        let kin = |other: &&Node| other.server.as_ref().and_then(|server| server.system_identifier) == system;
        let mut others = picture.nodes.iter().filter(kin).filter(|other| other.health.state.answers());
        node.role == Some(Role::Primary) && !others.any(|other| other.role == Some(Role::Primary))
    };
    let (primaries, others): (Vec<&Node>, Vec<&Node>) = down.into_iter().partition(|node| leads(node));
    let sentence = |nodes: &[&Node]| format!("{} {} down", names(nodes), if nodes.len() == 1 { "is" } else { "are" });
    let mut wrong = Vec::new();
    if !primaries.is_empty() {
        wrong.push((Grade::Critical, format!("no primary: {}", sentence(&primaries))));
    }
    if !others.is_empty() {
        wrong.push((Grade::Critical, sentence(&others)));
    }
    wrong
}

/// The standbys that receive nothing or are late; those that hang on one of these are named behind it.
fn standbys(picture: &Picture, servers: &[&Node], thresholds: &Thresholds) -> Vec<Wrong> {
    let all: Vec<&Node> = servers.iter().copied().filter(|node| node.role == Some(Role::Standby)).collect();
    let graded = |node: &Node| match node.lag_level(thresholds) {
        Level::Critical => Grade::Critical,
        Level::Warning => Grade::Warning,
        Level::Normal if node.lag.paused => Grade::Warning,
        Level::Normal => Grade::Ok,
    };
    // As the rule does: a sender that is down is said itself, and a receiver connects again within seconds.
    let graded = |node: &Node| match &node.lag.supply {
        Supply::Nothing(_, silent) if silent.is_none_or(|silent| silent >= SILENT) && !node.lag.sender_is_out() => {
            Grade::Critical
        }
        Supply::Nothing(..) => graded(node).max(Grade::Warning),
        Supply::Hidden | Supply::Streaming | Supply::Archive => graded(node),
    };
    let troubled = |node: &Node| graded(node) > Grade::Ok;
    let under = |node: &Node| picture.upstream(node.name()).and_then(|upstream| picture.nodes.get(upstream));
    let mut wrong = Vec::new();
    for node in all.iter().filter(|node| troubled(node) && !under(node).is_some_and(troubled)) {
        let why = node.lag.why();
        let lacks = node.lag.receives() == Some(false);
        let said = match (node.lag.time.filter(|_| node.lag_level(thresholds) > Level::Normal), why) {
            (Some(time), Some(why)) => format!("{} is {} behind: {why}", node.name(), figures::age(time.time)),
            (Some(time), None) => format!("{} is {} behind", node.name(), figures::age(time.time)),
            (None, Some(why)) if !lacks => format!("{}: {why}", node.name()),
            (None, Some(why)) => format!("{} {why}", node.name()),
            (None, None) => continue,
        };
        // A standby sends on what it receives, replayed or not: those below one that only replays late may be well.
        let hangs =
            |other: &&Node| under(other).is_some_and(|above| above.name() == node.name()) && (lacks || troubled(other));
        let behind: Vec<&Node> = all.iter().copied().filter(hangs).collect();
        let behind = if behind.is_empty() { String::new() } else { format!(", {} behind it", names(&behind)) };
        wrong.push((graded(node), format!("{said}{behind}")));
    }
    wrong
}

fn degraded(picture: &Picture) -> Vec<Wrong> {
    let slow = picture.nodes.iter().filter(|node| node.health.state == HealthState::Degraded);
    let said = |node: &Node| match &node.health.error {
        Some(error) => format!("{} is degraded: {}", node.name(), error.message),
        None => format!("{} is slow", node.name()),
    };
    slow.map(|node| (Grade::Warning, said(node))).collect()
}

fn worst_alert<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Option<Wrong> {
    // Of equally bad ones the first.
    let worst = alerts.min_by_key(|alert| std::cmp::Reverse(alert.finding.severity))?;
    let grade = match worst.finding.severity {
        AlertSeverity::Warning => Grade::Warning,
        AlertSeverity::Critical => Grade::Critical,
    };
    Some((grade, format!("{}: {}", worst.node, worst.finding.message)))
}

/// What there is: `one primary, 3 standbys streaming`.
fn quiet(picture: &Picture, answering: &[&Node]) -> String {
    let count = |wanted: &dyn Fn(&Node) -> bool| answering.iter().filter(|node| wanted(node)).count();
    let standby = |node: &Node, supply: &Supply| node.role == Some(Role::Standby) && node.lag.supply == *supply;
    let primaries = count(&|node| node.role == Some(Role::Primary));
    let streaming = count(&|node| standby(node, &Supply::Streaming));
    let archive = count(&|node| standby(node, &Supply::Archive));
    let standbys = count(&|node| node.role == Some(Role::Standby)) - streaming - archive;
    let waiting = picture.nodes.iter().filter(|node| node.health.state == HealthState::Connecting).count();
    let paused = picture.nodes.counts().paused;
    let parts = [
        (primaries, counted(primaries, "primary", "primaries")),
        (streaming, format!("{} streaming", counted(streaming, "standby", "standbys"))),
        (archive, format!("{} from the archive", counted(archive, "standby", "standbys"))),
        (standbys, counted(standbys, "standby", "standbys")),
        (paused, format!("{} paused", counted(paused, "node", "nodes"))),
        (
            waiting,
            format!("{} not answered yet", if waiting == 1 { "one has".to_owned() } else { format!("{waiting} have") }),
        ),
    ];
    let said: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, said)| said).collect();
    if said.is_empty() { "no nodes".to_owned() } else { said.join(", ") }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("one {one}") } else { format!("{count} {several}") }
}

/// `a`, `a and b`, `a, b and c`, `a, b, c and 4 more`.
fn names(nodes: &[&Node]) -> String {
    let mut named: Vec<String> = nodes.iter().take(NAMES).map(|node| node.name().to_string()).collect();
    if nodes.len() > NAMES {
        named.push(format!("{} more", nodes.len() - NAMES));
    }
    match named.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
