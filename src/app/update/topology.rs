//! The topology screen: what it shows of the shape of the cluster, and what keys do there.

use crate::app::panes::topology::passing;
use crate::app::{App, Filter, Pane, Screen};
use crate::fleet::topology::{self, Branch};
use crate::model::NodeName;

impl App {
    /// Builds the shape again from the nodes' newest answers. The selection stays with its line.
    pub(in crate::app) fn enter_topology(&mut self) {
        self.topology.unsettled = false;
        let selected = self.topology.branches.get(self.topology.cursor.at);
        let selected = selected.map(|branch| (branch.node.clone(), branch.name.clone()));
        let (branches, mut faults) = topology::shape(self.picture());
        let page = self.drawn.page(Pane::Topology);
        let all = (branches.len(), faults.len());
        let shown = &mut self.topology;
        shown.branches = passing(branches, &shown.filter);
        faults.retain(|fault| shown.filter.passes(fault));
        shown.faults = faults;
        shown.branches_left_out = all.0 - shown.branches.len();
        shown.faults_left_out = all.1 - shown.faults.len();
        // The selection stays with its line, but on the first line it stays at the top.
        let selected = selected.filter(|_| shown.cursor.at > 0);
        let sought = |branch: &Branch| shown.sought.is_some() && branch.node == shown.sought;
        let same = |branch: &Branch| {
            selected.as_ref().is_some_and(|(node, name)| branch.node == *node && branch.name == *name)
        };
        let lines = || shown.branches.iter();
        let at = lines().position(sought).or_else(|| lines().position(same)).unwrap_or(shown.cursor.at);
        shown.cursor.select(at, shown.branches.len(), page);
    }

    /// Builds the shape again if new answers came, or the health of a node changed.
    pub(in crate::app) fn settle_topology(&mut self) {
        if self.screen == Screen::Topology && self.topology.unsettled {
            self.enter_topology();
        }
    }

    /// Puts the cursor on the line of a node. A filter that hides it is cleared.
    pub(in crate::app) fn seek_branch(&mut self, node: NodeName) {
        self.topology.sought = Some(node);
        self.enter_topology();
        if self.branch_node() != self.topology.sought {
            self.topology.filter = Filter::default();
            self.enter_topology();
        }
    }

    pub(in crate::app) fn branch_node(&self) -> Option<NodeName> {
        self.topology.branches.get(self.topology.cursor.at)?.node.clone()
    }
}
