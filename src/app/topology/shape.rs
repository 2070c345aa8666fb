//! From what each node says to one picture: pure, tested by tables.
//!
//! A standby names its sender by host and port, as it reaches it; the file may name the same server otherwise. So an edge
//! is looked for in three ways: by that address, by the name and slot under which the sender knows the receiver, and, of
//! nodes of the same cluster, by the port alone if only one has it.

use std::collections::HashMap;

use crate::model::{HealthState, NodeName, Role};

use super::{Branch, Edge, Fault, FaultKind, RowMap};
use crate::app::journal::Severity;

/// A node that we watch, and what it said.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) name: NodeName,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) role: Option<Role>,
    pub(super) timeline: Option<u32>,
    pub(super) system: Option<String>,
    pub(super) rows: Vec<RowMap>,
    pub(super) health: HealthState,
}

impl Peer {
    fn rows(&self, kind: &'static str) -> impl Iterator<Item = &RowMap> {
        self.rows.iter().filter(move |row| row.get("kind").map(String::as_str) == Some(kind))
    }

    fn own(&self, column: &str) -> Option<&String> {
        self.rows("self").next()?.get(column)
    }

    fn role(&self) -> Option<Role> {
        match self.own("role").map(String::as_str) {
            Some("primary") => Some(Role::Primary),
            Some("standby") => Some(Role::Standby),
            _ => self.role,
        }
    }

    fn system(&self) -> Option<&String> {
        self.own("system_identifier").or(self.system.as_ref())
    }

    fn timeline(&self) -> Option<String> {
        self.own("timeline").cloned().or_else(|| self.timeline.map(|timeline| timeline.to_string()))
    }

    /// Whether an address is this node's, as far as texts tell.
    fn is_at(&self, host: Option<&String>, port: Option<&String>) -> bool {
        let own = self.own("port").cloned().unwrap_or_else(|| self.port.to_string());
        let port = port.is_some_and(|port| *port == own || *port == self.port.to_string());
        port && host.is_some_and(|host| same_host(host, &self.host))
    }

    fn is_of_the_cluster_of(&self, other: &Self) -> bool {
        self.system().is_some() && self.system() == other.system()
    }
}

fn same_host(a: &str, b: &str) -> bool {
    let local =
        |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1" | "local") || host.starts_with(['/', '@']);
    a.eq_ignore_ascii_case(b) || (local(a) && local(b))
}

/// Where a node receives from.
enum Upstream {
    /// The place of a watched node, and the sender's row for it, if it has one.
    Watched(usize, Option<RowMap>),
    /// A server that we do not watch.
    Outside(String),
    None,
}

/// What stands under a node.
#[derive(Clone)]
enum Child {
    Node(usize, Edge),
    /// A peer that a node names and nobody watches.
    Stranger(String, Edge),
}

/// The picture, and what is wrong with it.
pub(super) fn of(peers: &[Peer]) -> (Vec<Branch>, Vec<Fault>) {
    let mut faults = split_brains(peers);
    let mut children: HashMap<Option<usize>, Vec<Child>> = HashMap::new();
    let mut used: Vec<(usize, RowMap)> = Vec::new();
    for (at, peer) in peers.iter().enumerate() {
        let physical = peer.rows("receiver").next();
        let (under, edge) = match (peer.role(), physical) {
            (Some(Role::Standby), Some(receiver)) => standby(peers, at, receiver, &mut used, &mut faults),
            (role, None) if peer.rows.is_empty() && role != Some(Role::Primary) => untold(peers, at, &mut used),
            _ => subscriber(peers, at, &mut used, &mut faults),
        };
        children.entry(under).or_default().push(Child::Node(at, edge));
    }
    for (at, peer) in peers.iter().enumerate() {
        for row in peer.rows("sender").filter(|row| !used.contains(&(at, (*row).clone()))) {
            let host = row.get("host").map(|host| format!(" ({host})")).unwrap_or_default();
            let name = format!("{}{host}", row.get("name").map_or("a receiver", String::as_str));
            children.entry(Some(at)).or_default().push(Child::Stranger(name, edge_of(row)));
        }
    }
    (draw(peers, &children), faults)
}

/// Where a standby stands, and how it receives.
fn standby(
    peers: &[Peer],
    at: usize,
    receiver: &RowMap,
    used: &mut Vec<(usize, RowMap)>,
    faults: &mut Vec<Fault>,
) -> (Option<usize>, Edge) {
    let Some(peer) = peers.get(at) else { return (None, Edge::default()) };
    let own = edge_of(receiver);
    let mut fault = |kind, severity, text: String| {
        if peer.health.answers() {
            faults.push(Fault { kind, node: peer.name.clone(), severity, text });
        }
    };
    match upstream(peers, at, receiver) {
        Upstream::Watched(of, sender) => {
            let upstream = peers.get(of);
            if let (Some(mine), Some(theirs)) = (peer.timeline(), upstream.and_then(Peer::timeline))
                && mine != theirs
            {
                let name = upstream.map_or("", |upstream| upstream.name.as_str());
                let text =
                    format!("{} is on timeline {mine} while {name}, which it receives from, is on {theirs}", peer.name);
                fault(FaultKind::Timeline, Severity::Critical, text);
            }
            if own.state.as_deref() == Some("stopped") {
                let text = format!("{} receives nothing: its WAL receiver is not running", peer.name);
                fault(FaultKind::Stopped, Severity::Critical, text);
            }
            let stopped = own.state.as_deref() == Some("stopped");
            let edge = match sender
                .as_ref()
                .filter(|_| !stopped && upstream.is_some_and(|upstream| upstream.health.answers()))
            {
                // The sender knows best how far the receiver is, while both are there.
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
            let text = format!("{} is a standby without an upstream: it receives nothing", peer.name);
            fault(FaultKind::NoUpstream, Severity::Critical, text);
            (None, own)
        }
    }
}

/// A node that has reported nothing yet is placed under the only sender that names it as its receiver.
fn untold(peers: &[Peer], at: usize, used: &mut Vec<(usize, RowMap)>) -> (Option<usize>, Edge) {
    let Some(peer) = peers.get(at) else { return (None, Edge::default()) };
    let senders = peers.iter().enumerate().flat_map(|(of, other)| other.rows("sender").map(move |row| (of, row)));
    let mut named = senders.filter(|(_, row)| row.get("name").is_some_and(|name| *name == peer.name.as_str()));
    let Some((of, row)) = named.next().filter(|_| named.next().is_none()) else { return (None, Edge::default()) };
    used.push((of, row.clone()));
    (Some(of), edge_of(row))
}

fn upstream(peers: &[Peer], at: usize, receiver: &RowMap) -> Upstream {
    let Some(peer) = peers.get(at) else { return Upstream::None };
    let (host, port) = (receiver.get("host"), receiver.get("peer_port"));
    let others = || peers.iter().enumerate().filter(|(of, _)| *of != at);
    let kin = || others().filter(|(_, other)| other.is_of_the_cluster_of(peer));
    let sender = |other: &Peer| {
        let slot = receiver.get("slot");
        let mut rows = other.rows("sender").filter(|row| row.get("slot_type").map(String::as_str) != Some("logical"));
        rows.find(|row| row.get("name") == receiver.get("name") && (slot.is_none() || row.get("slot") == slot)).cloned()
    };
    let by_address = kin().find(|(_, other)| other.is_at(host, port));
    let by_name = || {
        let mut named = kin().filter(|(_, other)| sender(other).is_some());
        named.next().filter(|_| named.next().is_none())
    };
    let by_port = || {
        let own = |other: &Peer| other.own("port").cloned().unwrap_or_else(|| other.port.to_string());
        let mut listening = kin().filter(|(_, other)| port.is_some_and(|port| *port == own(other)));
        listening.next().filter(|_| listening.next().is_none())
    };
    // One that does not say which cluster it is of may be it all the same.
    let silent = || others().find(|(_, other)| other.system().is_none() && other.is_at(host, port));
    match by_address.or_else(by_name).or_else(by_port).or_else(silent) {
        Some((of, other)) => Upstream::Watched(of, sender(other)),
        None => match (host, port) {
            (Some(host), port) => Upstream::Outside(port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))),
            (None, _) => Upstream::None,
        },
    }
}

/// Where a subscriber stands: under the publisher of its first subscription that is watched.
fn subscriber(
    peers: &[Peer],
    at: usize,
    used: &mut Vec<(usize, RowMap)>,
    faults: &mut Vec<Fault>,
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
            faults.push(Fault { kind: FaultKind::Subscription, node: peer.name.clone(), severity, text });
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

fn edge_of(row: &RowMap) -> Edge {
    let number = |name: &str| row.get(name).and_then(|text| text.parse().ok());
    Edge {
        logical: row.get("slot_type").map(String::as_str) == Some("logical"),
        state: row.get("state").cloned(),
        sync: row.get("sync_state").cloned(),
        lag_bytes: number("lag_bytes"),
        lag_ms: number("lag_ms"),
        slot: row.get("slot").cloned(),
        publications: None,
    }
}

/// Two primaries of one system identifier.
fn split_brains(peers: &[Peer]) -> Vec<Fault> {
    let mut clusters: HashMap<&String, Vec<&Peer>> = HashMap::new();
    for peer in peers.iter().filter(|peer| peer.health.answers() && peer.role() == Some(Role::Primary)) {
        if let Some(system) = peer.system() {
            clusters.entry(system).or_default().push(peer);
        }
    }
    let mut faults: Vec<Fault> = clusters
        .into_values()
        .filter(|primaries| primaries.len() > 1)
        .map(|primaries| {
            let told = primaries.iter().map(|peer| match peer.timeline() {
                Some(timeline) => format!("{} (timeline {timeline})", peer.name),
                None => peer.name.to_string(),
            });
            let names = told.collect::<Vec<_>>().join(" and ");
            let text = format!("split brain: {names} are primaries of one and the same cluster");
            let node = primaries.first().map(|peer| peer.name.clone()).unwrap_or_default();
            Fault { kind: FaultKind::SplitBrain, node, severity: Severity::Critical, text }
        })
        .collect();
    faults.sort_by(|a, b| a.text.cmp(&b.text));
    faults
}

/// The lines of the picture, from the roots down. What stands in a ring hangs on nothing and is drawn as a root.
fn draw(peers: &[Peer], children: &HashMap<Option<usize>, Vec<Child>>) -> Vec<Branch> {
    let mut branches = Vec::new();
    let mut drawn = vec![false; peers.len()];
    let mut open: Vec<(Child, Vec<bool>)> = Vec::new();
    let roots = children.get(&None).cloned().unwrap_or_default();
    open.extend(roots.into_iter().rev().map(|root| (root, Vec::new())));
    loop {
        while let Some((child, more)) = open.pop() {
            if let Child::Node(at, _) = child
                && let Some(drawn) = drawn.get_mut(at)
                && std::mem::replace(drawn, true)
            {
                continue;
            }
            let below = match child {
                Child::Node(at, _) => children.get(&Some(at)).cloned().unwrap_or_default(),
                Child::Stranger(..) => Vec::new(),
            };
            let last = below.len().saturating_sub(1);
            for (nth, below) in below.into_iter().enumerate().rev() {
                let mut more = more.clone();
                more.push(nth < last);
                open.push((below, more));
            }
            branches.extend(branch(peers, child, more));
        }
        let Some(at) = drawn.iter().position(|drawn| !drawn) else { return branches };
        open.push((Child::Node(at, Edge::default()), Vec::new()));
    }
}

fn branch(peers: &[Peer], child: Child, more: Vec<bool>) -> Option<Branch> {
    Some(match child {
        Child::Node(at, edge) => {
            let peer = peers.get(at)?;
            Branch {
                node: Some(peer.name.clone()),
                name: peer.name.to_string(),
                role: peer.role(),
                timeline: peer.timeline(),
                position: peer.own("position").cloned(),
                quorum: peer.own("quorum").cloned(),
                edge: (edge != Edge::default()).then_some(edge),
                health: Some(peer.health),
                more,
            }
        }
        Child::Stranger(name, edge) => Branch {
            node: None,
            name,
            role: None,
            timeline: None,
            position: None,
            quorum: None,
            edge: Some(edge),
            health: None,
            more,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, &str)]) -> RowMap {
        cells.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn peer(name: &str, role: &str, system: &str, timeline: &str, rows: Vec<RowMap>) -> Peer {
        let own = row(&[
            ("kind", "self"),
            ("role", role),
            ("system_identifier", system),
            ("timeline", timeline),
            ("port", "5432"),
        ]);
        Peer {
            name: NodeName::parse(name).unwrap(),
            host: format!("10.0.0.{}", name.bytes().map(u32::from).sum::<u32>() % 200),
            port: 5432,
            role: None,
            timeline: None,
            system: None,
            rows: std::iter::once(own).chain(rows).collect(),
            health: HealthState::Healthy,
        }
    }

    fn sender(name: &str, slot: &str, kind: &str) -> RowMap {
        row(&[
            ("kind", "sender"),
            ("name", name),
            ("slot", slot),
            ("slot_type", kind),
            ("state", "streaming"),
            ("lag_bytes", "7"),
        ])
    }

    fn receiver(name: &str, slot: &str, host: &str) -> RowMap {
        row(&[
            ("kind", "receiver"),
            ("name", name),
            ("slot", slot),
            ("host", host),
            ("peer_port", "5432"),
            ("state", "streaming"),
        ])
    }

    /// Name and depth of each line.
    fn lines(peers: &[Peer]) -> Vec<(String, usize)> {
        of(peers).0.into_iter().map(|branch| (branch.name, branch.more.len())).collect()
    }

    fn said(peers: &[Peer]) -> Vec<String> {
        of(peers).1.into_iter().map(|fault| fault.text).collect()
    }

    fn at(name: &str, depth: usize) -> (String, usize) {
        (name.to_owned(), depth)
    }

    #[test]
    fn a_node_that_was_gone_before_it_was_asked_stands_where_it_is_known_by_its_name() {
        let untold =
            |name: &str| Peer { rows: Vec::new(), health: HealthState::Unhealthy, ..peer(name, "", "1", "1", vec![]) };
        let sends = |name: &str, to| peer(name, "primary", name, "1", vec![sender(to, to, "physical")]);
        assert_eq!(lines(&[sends("a", "b"), untold("b")]), [at("a", 0), at("b", 1)]);
        let primary = Peer { role: Some(Role::Primary), ..untold("b") };
        assert_eq!(
            lines(&[sends("a", "b"), primary]),
            [at("a", 0), at("b", 1), at("b", 0)],
            "a primary receives nothing"
        );
        let two = [sends("a", "b"), sends("c", "b"), untold("b")];
        assert_eq!(lines(&two), [at("a", 0), at("b", 1), at("c", 0), at("b", 1), at("b", 0)], "two know such a one");
    }

    #[test]
    fn a_cascade_and_a_subscriber_stand_under_what_they_receive_from() {
        let peers = [
            peer("c", "standby", "1", "1", vec![receiver("c", "c", "db-b.internal")]),
            peer(
                "a",
                "primary",
                "1",
                "1",
                vec![sender("b", "b", "physical"), sender("s", "sub", "logical"), sender("x", "x", "physical")],
            ),
            peer("b", "standby", "1", "1", vec![receiver("b", "b", "db-a.internal"), sender("c", "c", "physical")]),
            peer(
                "s",
                "primary",
                "2",
                "1",
                vec![row(&[
                    ("kind", "subscription"),
                    ("name", "s"),
                    ("slot", "sub"),
                    ("state", "running"),
                    ("publications", "p"),
                ])],
            ),
        ];
        assert_eq!(lines(&peers), [at("a", 0), at("b", 1), at("c", 2), at("s", 1), at("x", 1)]);
        assert_eq!(said(&peers), [""; 0]);
        let (branches, _) = of(&peers);
        assert_eq!(branches[1].edge.as_ref().unwrap().lag_bytes, Some(7.0), "the sender's own figures");
        assert!(branches[3].edge.as_ref().unwrap().logical);
        assert_eq!(branches[4].node, None, "a peer that nobody watches");
    }

    #[test]
    fn wrong_shapes_are_told_in_words() {
        let split = [peer("a", "primary", "1", "1", Vec::new()), peer("b", "primary", "1", "2", Vec::new())];
        assert_eq!(
            said(&split),
            ["split brain: a (timeline 1) and b (timeline 2) are primaries of one and the same cluster"]
        );
        let two = [peer("a", "primary", "1", "1", Vec::new()), peer("b", "primary", "2", "1", Vec::new())];
        assert_eq!(said(&two), [""; 0]);
        let stopped = row(&[("kind", "receiver"), ("name", "b"), ("state", "stopped")]);
        assert_eq!(
            said(&[peer("b", "standby", "1", "1", vec![stopped])]),
            ["b is a standby without an upstream: it receives nothing"]
        );
        assert_eq!(
            said(&[peer("b", "standby", "1", "1", vec![receiver("b", "b", "10.9.9.9")])]),
            ["b receives from 10.9.9.9:5432, which is not in the file"]
        );
        let behind = [
            peer("a", "primary", "1", "2", vec![sender("b", "b", "physical")]),
            peer("b", "standby", "1", "1", vec![receiver("b", "b", "a")]),
        ];
        assert_eq!(said(&behind), ["b is on timeline 1 while a, which it receives from, is on 2"]);
        let subscription = row(&[("kind", "subscription"), ("name", "s"), ("slot", "s"), ("state", "no worker")]);
        assert_eq!(
            said(&[peer("b", "primary", "1", "1", vec![subscription])]),
            ["subscription s on b has no worker: it does not apply"]
        );
    }

    #[test]
    fn nodes_that_receive_from_each_other_are_all_drawn() {
        let peers = [
            peer("a", "standby", "1", "1", vec![receiver("a", "a", "b"), sender("b", "b", "physical")]),
            peer("b", "standby", "1", "1", vec![receiver("b", "b", "a"), sender("a", "a", "physical")]),
        ];
        assert_eq!(lines(&peers).len(), 2);
    }
}
