//! Builds one tree from what each node reports. Pure, tested by tables.
//!
//! A standby names its sender by the host and port at which it reaches it; the file may name the same server
//! differently. So the sender is looked for in three ways: by that address; by the name and slot under which the
//! sender knows the receiver; and, among nodes of the same cluster, by the port alone if only one node has it.

use std::collections::HashMap;

use super::branch::{Branch, Edge, ShapeFault};
use super::peer::{Peer, RowMap, edge_of};
use super::upstream::{split_brains, standby, subscriber, unreported};
use crate::model::Role;

/// What is placed under a node.
#[derive(Clone)]
enum Child {
    Node(usize, Edge),
    /// A peer that a node reports and that is not in the file.
    Stranger(String, Edge),
}

/// The tree, and what is wrong with it.
pub(super) fn of(peers: &[Peer]) -> (Vec<Branch>, Vec<ShapeFault>) {
    let mut faults = split_brains(peers);
    let mut children: HashMap<Option<usize>, Vec<Child>> = HashMap::new();
    let mut used: Vec<(usize, RowMap)> = Vec::new();
    for (at, peer) in peers.iter().enumerate() {
        let physical = peer.rows("receiver").next();
        let (under, edge) = match (peer.role(), physical) {
            (Some(Role::Standby), Some(receiver)) => standby(peers, at, receiver, &mut used, &mut faults),
            (role, None) if peer.rows.is_empty() && role != Some(Role::Primary) => unreported(peers, at, &mut used),
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

/// The lines of the tree, from the roots down. Nodes that form a cycle have no root, so the first of them is drawn as
/// one.
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
        Child::Node(at, mut edge) => {
            let peer = peers.get(at)?;
            if peer.lag.bytes.is_some() && !edge.logical && edge != Edge::default() {
                edge.lag_ms = peer.lag.time.map(|behind| behind.time.as_secs_f64() * 1e3);
                edge.at_least = peer.lag.time.is_some_and(|behind| behind.at_least);
                edge.lag_bytes = peer.lag.bytes.map(|bytes| bytes as f64);
            }
            Branch {
                node: Some(peer.name.clone()),
                name: peer.names(),
                why: peer.lag.why().filter(|_| peer.role() == Some(Role::Standby)),
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
            why: None,
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
    use crate::fleet::lag::Lag;
    use crate::model::{HealthState, NodeName};

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
            other_names: Vec::new(),
            addresses: vec![(format!("10.0.0.{}", name.bytes().map(u32::from).sum::<u32>() % 200), 5432)],
            cluster: None,
            role: None,
            timeline: None,
            system: None,
            rows: std::iter::once(own).chain(rows).collect(),
            health: HealthState::Healthy,
            lag: Lag::default(),
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

    /// The name and depth of each line.
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
    fn a_node_that_was_gone_before_it_was_asked_is_placed_where_its_name_is_known() {
        let unreported =
            |name: &str| Peer { rows: Vec::new(), health: HealthState::Unhealthy, ..peer(name, "", "1", "1", vec![]) };
        let sends = |name: &str, to| peer(name, "primary", name, "1", vec![sender(to, to, "physical")]);
        assert_eq!(lines(&[sends("a", "b"), unreported("b")]), [at("a", 0), at("b", 1)]);
        let primary = Peer { role: Some(Role::Primary), ..unreported("b") };
        assert_eq!(
            lines(&[sends("a", "b"), primary]),
            [at("a", 0), at("b", 1), at("b", 0)],
            "a primary receives nothing"
        );
        let two = [sends("a", "b"), sends("c", "b"), unreported("b")];
        assert_eq!(lines(&two), [at("a", 0), at("b", 1), at("c", 0), at("b", 1), at("b", 0)], "two know such a one");
    }

    #[test]
    fn a_cascade_and_a_subscriber_are_placed_under_what_they_receive_from() {
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
    fn wrong_shapes_are_described_in_words() {
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
