//! The cluster as its nodes report it: which node streams from which, which subscribes to which, and what is wrong
//! with that shape, in words. It is read from answers to the views `topology` and `slots`, not from the file.

mod branch;
mod peer;
mod tree;
mod upstream;

use std::collections::{HashMap, HashSet};

use super::journal::Severity;
use super::nodes::Node;
use super::picture::Picture;
use crate::model::NodeName;
use peer::{Peer, RowMap, rows_of};

pub use branch::{Branch, Edge, FaultKind, ShapeFault};

/// The views that this file reads: the tree is made from the first; the second adds faults of slots.
pub const VIEWS: [&str; 2] = ["topology", "slots"];
/// What a slot without a reader may retain, in bytes, and how old that may be, in milliseconds: as in the rule `slot_unread`.
const SLOT_BYTES: f64 = 1e6;
const SLOT_AGE: f64 = 300e3;

/// The shape as a tree, and everything that is wrong with it, the most severe first.
pub fn shape(picture: &Picture) -> (Vec<Branch>, Vec<ShapeFault>) {
    let (branches, mut faults) = tree::of(&peers(picture, VIEWS[0]));
    faults.extend(unread_slots(picture));
    faults.splice(0..0, unreported(picture));
    faults.sort_by_key(|fault| fault.severity != Severity::Critical);
    (branches, faults)
}

/// Which watched node each node receives from.
pub(super) fn upstreams(picture: &Picture) -> HashMap<NodeName, NodeName> {
    let mut above: Vec<Option<NodeName>> = Vec::new();
    let mut upstreams = HashMap::new();
    for branch in tree::of(&peers(picture, VIEWS[0])).0 {
        above.truncate(branch.more.len());
        if let (Some(node), Some(Some(upstream))) = (&branch.node, above.last()) {
            upstreams.insert(node.clone(), upstream.clone());
        }
        above.push(branch.node);
    }
    upstreams
}

/// What is wrong with the shape according to the answers to a view.
pub(super) fn faults(picture: &Picture, view: &str) -> Vec<ShapeFault> {
    tree::of(&peers(picture, view)).1
}

/// What each node reports of itself and of others.
fn peers(picture: &Picture, view: &str) -> Vec<Peer> {
    let of = picture.readings.of(view);
    let rows =
        |node: &Node| of.and_then(|of| Some(rows_of(&of.view, of.node(node.name())?.valid()?))).unwrap_or_default();
    let peer = |node: &Node| {
        let others: Vec<&Node> = picture.nodes.other_names(node).collect();
        // A server under several names is drawn once: at its first name that answers, else at its first one.
        let rank = |node: &Node| (!node.health.state.answers(), picture.nodes.place(node.name()));
        if others.iter().any(|other| rank(other) < rank(node)) {
            return None;
        }
        let mut own = rows(node);
        // Publications belong to the database that a name connects to.
        let kind = |row: &RowMap| row.get("kind").map(String::as_str) == Some("publication");
        own.extend(others.iter().flat_map(|other| rows(other)).filter(kind));
        Some(Peer {
            name: node.name().clone(),
            other_names: others.iter().map(|other| other.name().clone()).collect(),
            addresses: std::iter::once(node)
                .chain(others)
                .flat_map(|node| node.config.hosts())
                .flat_map(|host| {
                    [Some(host.name), host.addr.map(|addr| addr.to_string())].map(|name| (name, host.port))
                })
                .filter_map(|(name, port)| Some((name?, port)))
                .collect(),
            cluster: node.config.cluster.clone(),
            role: node.role,
            timeline: node.facts.as_ref().and_then(|(_, facts)| facts.timeline),
            system: node.server.as_ref().and_then(|server| server.system_identifier).map(|system| system.to_string()),
            rows: own,
            health: node.health.state,
            lag: node.lag.clone(),
        })
    };
    picture.nodes.iter().filter_map(peer).collect()
}

/// The nodes that answer, but not the views that the shape is read from: what is wrong there is not known.
fn unreported(picture: &Picture) -> Vec<ShapeFault> {
    let mut faults: Vec<ShapeFault> = Vec::new();
    for (view, what) in VIEWS.into_iter().zip(["place", "slots"]) {
        let Some(of) = picture.readings.of(view) else { continue };
        for node in picture.nodes.iter().filter(|node| node.health.state.answers()) {
            let Some(error) = of.node(node.name()).and_then(|of| of.error()) else { continue };
            let text = format!("{} does not report its {what}: {}", node.name(), error.message);
            faults.push(ShapeFault {
                kind: FaultKind::Unreported,
                node: node.name().clone(),
                severity: Severity::Warning,
                text,
            });
        }
    }
    faults
}

/// Replication slots without a reader that retain WAL, and slots that have lost WAL. Next to nothing, and WAL of the last
/// seconds, does not count: cluster managers advance the slots of their members now and then.
fn unread_slots(picture: &Picture) -> Vec<ShapeFault> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    let Some(slots) = picture.readings.of(VIEWS[1]) else { return faults };
    for node in picture.nodes.iter().filter(|node| node.health.state.answers()).map(Node::name) {
        let reading = slots.node(node).and_then(|of| of.valid());
        for row in reading.iter().flat_map(|reading| rows_of(&slots.view, reading)) {
            let Some(slot) = row.get("slot").filter(|slot| seen.insert((node.clone(), (*slot).clone()))) else {
                continue;
            };
            let said = |name: &str| row.get(name).map(String::as_str);
            let number = |name: &str| said(name).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
            if said("wal_status") == Some("lost") {
                let text = format!("slot {slot} on {node} has lost WAL that its reader needs: rebuild the reader");
                faults.push(ShapeFault {
                    kind: FaultKind::Slot,
                    node: node.clone(),
                    severity: Severity::Critical,
                    text,
                });
            } else if said("active") == Some("f")
                && number("retained_bytes") > SLOT_BYTES
                && number("wal_age_ms") > SLOT_AGE
            {
                let bytes = number("retained_bytes");
                let held = bytes / f64::from(1 << 20);
                let text = format!("slot {slot} on {node} has no reader and retains {held:.0} MB of WAL");
                faults.push(ShapeFault {
                    kind: FaultKind::Slot,
                    node: node.clone(),
                    severity: Severity::Warning,
                    text,
                });
            }
        }
    }
    faults
}
