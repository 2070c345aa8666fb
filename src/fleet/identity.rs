//! Which names are one server, and which servers are one cluster. Pure.
//!
//! A server is told from all others by its system identifier, the moment at which it started and the port that it
//! listens on itself, whatever address it is reached at: a database, a pooler, a virtual address or a socket in between
//! changes none of the three. Copies of one cluster have the same system identifier; a restored clone has it too, and the
//! user tells it apart with `cluster:`.

use std::collections::HashSet;
use std::time::SystemTime;

use super::nodes::{Node, Nodes};
use crate::model::Role;

/// A cluster: what the user calls it, if the same identifier stands for several, and its system identifier.
pub type ClusterId<'a> = (Option<&'a str>, u64);

impl Node {
    /// The cluster that it belongs to; `None` until the server has said so on the present connection.
    pub fn cluster(&self) -> Option<ClusterId<'_>> {
        let system = self.server.as_ref().filter(|_| self.is_identified)?.system_identifier?;
        Some((self.config.cluster.as_deref(), system))
    }

    /// The moment at which the server started, by its own clock, its port and its system identifier; `None` until the
    /// server has said so on the present connection.
    fn server_id(&self) -> Option<(Option<u64>, SystemTime, u16)> {
        let server = self.server.as_ref().filter(|_| self.is_identified)?;
        Some((server.system_identifier, server.started_at?, server.port?))
    }
}

/// True if both names lead to one server.
pub fn is_same_server(a: &Node, b: &Node) -> bool {
    a.name() == b.name() || a.server_id().is_some_and(|id| b.server_id() == Some(id))
}

impl Nodes {
    /// The first node of each server that answers, and every node that does not.
    pub fn servers(&self) -> impl Iterator<Item = &Node> {
        let mut seen = HashSet::new();
        self.iter().filter(move |node| match node.server_id().filter(|_| node.health.state.answers()) {
            Some(id) => seen.insert(id),
            None => true,
        })
    }

    /// The further names of the server that this node leads to.
    pub fn other_names<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        self.iter().filter(move |other| other.name() != node.name() && is_same_server(node, other))
    }
}

/// The servers that are primaries of the same cluster as this node, if there are several; empty otherwise. A role that
/// was read before another server became primary may be a thing of the past: it counts once it has been confirmed.
pub fn split_brain<'a>(nodes: &'a Nodes, of: &Node) -> Vec<&'a Node> {
    let Some(cluster) = of.cluster().filter(|_| is_primary(of)) else { return Vec::new() };
    // Nearly always there is none, and this is asked at each refresh of each primary.
    let is_rival = |node: &Node| is_primary(node) && node.cluster() == Some(cluster) && !is_same_server(node, of);
    if !nodes.iter().any(is_rival) {
        return Vec::new();
    }
    let rivals: Vec<&Node> =
        nodes.servers().filter(|node| is_primary(node) && node.cluster() == Some(cluster)).collect();
    let latest = rivals.iter().filter_map(|node| node.role_since).max();
    let told = |node: &Node| node.facts.as_ref().map(|(at, _)| *at).max(node.connected_at);
    let confirmed = rivals.iter().all(|node| told(node) >= latest);
    if rivals.len() > 1 && confirmed { rivals } else { Vec::new() }
}

/// Several primaries in words: `p (timeline 1) and s1 (timeline 2)`.
pub fn named_with_timelines(nodes: &[&Node]) -> String {
    let named = nodes.iter().map(|node| match node.facts.as_ref().and_then(|(_, facts)| facts.timeline) {
        Some(timeline) => format!("{} (timeline {timeline})", node.name()),
        None => node.name().to_string(),
    });
    named.collect::<Vec<_>>().join(" and ")
}

fn is_primary(node: &Node) -> bool {
    node.role == Some(Role::Primary) && node.health.state.answers()
}

#[cfg(test)]
mod tests;
