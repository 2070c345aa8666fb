//! What is known at one time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::identity;
use super::journal::{Entry, Journal};
use super::nodes::Nodes;
use super::readings::Readings;
use crate::model::change::What;
use crate::model::{NodeName, Verdict};

/// How long after one name of a server another one may tell the same change.
const ONE_SERVER: Duration = Duration::from_mins(1);

/// The cluster at one time. The fleet has the current picture, and keeps another one while a frozen screen shows it
/// ([`Fleet::keep`](super::Fleet::keep)). A copy is cheap: it shares the nodes, the journal and the answers with the
/// original until one of the two changes them.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The time of this picture: all ages in it are counted up to here.
    pub at: SystemTime,
    /// All nodes.
    pub nodes: Nodes,
    /// What happened up to that time.
    pub journal: Arc<Journal>,
    /// What the nodes answered to views.
    pub readings: Readings,
    /// What is the matter with all of them, in one sentence.
    pub verdict: Arc<Verdict>,
    /// Which watched node a node receives from, by the last shape.
    pub(in crate::fleet) upstreams: Arc<HashMap<NodeName, NodeName>>,
}

impl Picture {
    /// A picture of these nodes, of which nothing is known yet.
    pub(in crate::fleet) fn new(at: SystemTime, nodes: Nodes) -> Self {
        Self {
            at,
            nodes,
            journal: Arc::default(),
            readings: Readings::default(),
            verdict: Arc::default(),
            upstreams: Arc::default(),
        }
    }

    /// The watched node that this one receives from, by the last shape.
    pub fn upstream(&self, node: &NodeName) -> Option<&NodeName> {
        self.upstreams.get(node)
    }

    /// True if another name of this server has told the same change a short time ago.
    pub(in crate::fleet) fn has_told(&self, at: SystemTime, name: &NodeName, what: &What) -> bool {
        let Some(node) = self.nodes.get(name) else { return true };
        let lately = |entry: &&Entry| at.duration_since(entry.at).unwrap_or_default() < ONE_SERVER;
        let mut told = self.journal.iter().take_while(lately).filter(|entry| entry.change.as_deref() == Some(what));
        told.any(|entry| {
            let other = entry.node.as_ref().filter(|other| *other != name).and_then(|other| self.nodes.get(other));
            other.is_some_and(|other| {
                let one_place = !what.is_of_database() || other.config.database == node.config.database;
                one_place && identity::is_same_server(node, other)
            })
        })
    }
}
