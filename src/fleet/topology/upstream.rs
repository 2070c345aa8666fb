//! Finds which node a standby or a subscriber receives from, and which primaries belong to the same cluster.

use std::collections::HashMap;

use super::branch::{Edge, FaultKind, ShapeFault};
use super::peer::{Peer, RowMap, edge_of, same_host};
use crate::fleet::journal::Severity;
use crate::model::Role;

/// Where a node receives from.
enum Upstream {
    /// The index of a watched node, and its row for the receiver, if it has one.
    Watched(usize, Option<RowMap>),
    /// The address of a server that is not in the file.
    Outside(String),
    None,
}

/// The index of the node that a standby receives from, and how it receives. Adds what is wrong with it to `faults`.
pub(super) fn standby(
    peers: &[Peer],
    at: usize,
    receiver: &RowMap,
    used: &mut Vec<(usize, RowMap)>,
    faults: &mut Vec<ShapeFault>,
) -> (Option<usize>, Edge) {
    let Some(peer) = peers.get(at) else { return (None, Edge::default()) };
    let own = edge_of(receiver);
    let mut fault = |kind, severity, text: String| {
        if peer.health.answers() {
            faults.push(ShapeFault { kind, node: peer.name.clone(), severity, text });
        }
    };
    // A node whose figures are not there yet is judged by its row.
    let silent = match peer.lag.receives() {
        Some(supplied) => !supplied,
        None => own.state.as_deref() == Some("stopped"),
    };
    let silence = || peer.lag.why().unwrap_or_else(|| "receives nothing".to_owned());
    match upstream(peers, at, receiver, used) {
        Upstream::Watched(of, sender) => {
            let upstream = peers.get(of);
            if let (Some(mine), Some(theirs)) = (peer.timeline(), upstream.and_then(Peer::timeline))
                && mine != theirs
                && upstream.is_some_and(|upstream| upstream.health.answers())
            {
                let name = upstream.map_or("", |upstream| upstream.name.as_str());
                let text =
                    format!("{} is on timeline {mine} while {name}, which it receives from, is on {theirs}", peer.name);
                fault(FaultKind::Timeline, Severity::Critical, text);
            }
            if silent {
                fault(FaultKind::Stopped, Severity::Critical, format!("{} {}", peer.name, silence()));
            }
            let told = upstream.is_some_and(|upstream| upstream.health.answers());
            let edge = match sender.as_ref().filter(|_| !silent && told) {
                // While both answer, the sender knows best how far the receiver is.
                Some(row) => Edge { slot: edge_of(row).slot.or(own.slot), ..edge_of(row) },
                None => own,
            };
            used.extend(sender.map(|row| (of, row)));
            (Some(of), edge)
        }
        Upstream::Outside(address) => {
            let text = format!("{} receives from {address}, which is not in the file", peer.name);
            fault(FaultKind::Outside, Severity::Warning, text);
            (None, own)
        }
        Upstream::None => {
            if silent {
                let text = format!("{} is a standby without an upstream: it {}", peer.name, silence());
                fault(FaultKind::NoUpstream, Severity::Critical, text);
            }
            (None, own)
        }
    }
}

/// A node that has reported nothing yet is placed under the only sender that names it as its receiver.
pub(super) fn unreported(peers: &[Peer], at: usize, used: &mut Vec<(usize, RowMap)>) -> (Option<usize>, Edge) {
    let Some(peer) = peers.get(at) else { return (None, Edge::default()) };
    let senders = peers.iter().enumerate().flat_map(|(of, other)| other.rows("sender").map(move |row| (of, row)));
    let mut named = senders.filter(|(_, row)| row.get("name").is_some_and(|name| *name == peer.name.as_str()));
    let Some((of, row)) = named.next().filter(|_| named.next().is_none()) else { return (None, Edge::default()) };
    used.push((of, row.clone()));
    (Some(of), edge_of(row))
}

fn upstream(peers: &[Peer], at: usize, receiver: &RowMap, used: &[(usize, RowMap)]) -> Upstream {
    let Some(peer) = peers.get(at) else { return Upstream::None };
    let (host, port) = (receiver.get("host"), receiver.get("peer_port"));
    let others = || peers.iter().enumerate().filter(|(of, _)| *of != at);
    let kin = || others().filter(|(_, other)| other.is_of_the_cluster_of(peer));
    // A row of a sender belongs to one receiver, and a receiver that does not run has none. Several standbys may have the
    // name that the server gives by default, so that the address decides where it can.
    let runs = receiver.get("state").map(String::as_str) != Some("stopped");
    let sender = |of: usize, other: &Peer| {
        let slot = receiver.get("slot");
        let is_mine = |row: &&RowMap| {
            row.get("slot_type").map(String::as_str) != Some("logical")
                && row.get("name") == receiver.get("name")
                && (slot.is_none() || row.get("slot") == slot)
                && !used.contains(&(of, (*row).clone()))
        };
        let mine: Vec<&RowMap> = other.rows("sender").filter(is_mine).filter(|_| runs).collect();
        let from_here = |row: &&&RowMap| {
            let host = row.get("host");
            host.is_some_and(|host| peer.addresses.iter().any(|(own, _)| same_host(host, own)))
        };
        mine.iter().find(from_here).or_else(|| mine.first()).map(|row| (*row).clone())
    };
    let by_address = kin().find(|(_, other)| other.is_at(host, port));
    let by_name = || {
        let mut named = kin().filter(|(of, other)| sender(*of, other).is_some());
        named.next().filter(|_| named.next().is_none())
    };
    let by_port = || {
        let listens = |other: &Peer, port: &String| match other.own("port") {
            Some(own) => own == port,
            None => other.addresses.iter().any(|(_, reached)| *port == reached.to_string()),
        };
        let mut listening = kin().filter(|(_, other)| port.is_some_and(|port| listens(other, port)));
        listening.next().filter(|_| listening.next().is_none())
    };
    // A node that has not reported its cluster may belong to the same one.
    let silent = || others().find(|(_, other)| other.system().is_none() && other.is_at(host, port));
    match by_address.or_else(by_name).or_else(by_port).or_else(silent) {
        Some((of, other)) => Upstream::Watched(of, sender(of, other)),
        None => match (host, port) {
            (Some(host), port) => Upstream::Outside(port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))),
            (None, _) => Upstream::None,
        },
    }
}

/// The index of the node that a subscriber is placed under: the publisher of its first subscription that is in the
/// file.
pub(super) fn subscriber(
    peers: &[Peer],
    at: usize,
    used: &mut Vec<(usize, RowMap)>,
    faults: &mut Vec<ShapeFault>,
) -> (Option<usize>, Edge) {
    let Some(peer) = peers.get(at) else { return (None, Edge::default()) };
    let mut found = None;
    for subscription in peer.rows("subscription") {
        let name = subscription.get("name").map_or("", String::as_str);
        let state = subscription.get("state").map_or("", String::as_str);
        if state != "running" && peer.health.answers() {
            let severity = if state == "disabled" { Severity::Warning } else { Severity::Critical };
            let what = if state == "disabled" { "is disabled" } else { "has no worker: it does not apply" };
            let text = format!("subscription {name} on {} {what}", peer.name);
            faults.push(ShapeFault { kind: FaultKind::Subscription, node: peer.name.clone(), severity, text });
        }
        let publisher = peers.iter().enumerate().find_map(|(of, other)| {
            let mut senders =
                other.rows("sender").filter(|row| row.get("slot_type").map(String::as_str) == Some("logical"));
            let sender = senders.find(|row| row.get("slot") == subscription.get("slot"));
            let row = sender.filter(|_| of != at && !other.is_of_the_cluster_of(peer))?;
            Some((of, Some(row.clone())))
        });
        let by_address = || {
            let (host, port) = (subscription.get("host"), subscription.get("peer_port"));
            let of = peers.iter().position(|other| other.is_at(host, port)).filter(|of| *of != at)?;
            Some((of, None))
        };
        let Some((of, row)) = publisher.or_else(by_address) else { continue };
        let mut edge = row.as_ref().map_or_else(|| edge_of(subscription), edge_of);
        edge.logical = true;
        edge.state = subscription.get("state").cloned().filter(|state| state != "running").or(edge.state);
        edge.publications = subscription.get("publications").cloned();
        used.extend(row.map(|row| (of, row)));
        found.get_or_insert((Some(of), edge));
    }
    found.unwrap_or((None, Edge::default()))
}

/// Finds primaries with the same system identifier.
pub(super) fn split_brains(peers: &[Peer]) -> Vec<ShapeFault> {
    let mut clusters: HashMap<(&String, &Option<String>), Vec<&Peer>> = HashMap::new();
    for peer in peers.iter().filter(|peer| peer.health.answers() && peer.role() == Some(Role::Primary)) {
        if let Some(system) = peer.system() {
            clusters.entry((system, &peer.cluster)).or_default().push(peer);
        }
    }
    let mut faults: Vec<ShapeFault> = clusters
        .into_values()
        .filter(|primaries| primaries.len() > 1)
        .map(|primaries| {
            let described = primaries.iter().map(|peer| match peer.timeline() {
                Some(timeline) => format!("{} (timeline {timeline})", peer.name),
                None => peer.name.to_string(),
            });
            let names = described.collect::<Vec<_>>().join(" and ");
            let text = format!("split brain: {names} are primaries of one and the same cluster");
            let node = primaries.first().map(|peer| peer.name.clone()).unwrap_or_default();
            ShapeFault { kind: FaultKind::SplitBrain, node, severity: Severity::Critical, text }
        })
        .collect();
    faults.sort_by(|a, b| a.text.cmp(&b.text));
    faults
}
