//! The cluster as its nodes tell it (screen 2): who streams from whom, who subscribes to what, and what is wrong with that
//! shape, in words. Drawn from the views `topology` and `slots`, not from the file.

mod shape;

use std::collections::{HashMap, HashSet};

use crate::model::view::{Reading, Value};
use crate::model::{HealthState, NodeConfig, NodeName, Role, View};

use super::journal::Severity;
use super::rows::cursor::Cursor;
use super::rows::filter::Filter;
use super::views::{Asked, Sheet};
use super::{App, Node, Screen};

pub(super) use super::panes::topology::COLUMNS;
use shape::Peer;

/// The views that the screen is drawn from.
pub(super) const VIEWS: [&str; 2] = ["topology", "slots"];

/// The state of screen 2.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// Each node and each peer that one of them names, under what it receives from.
    pub branches: Vec<Branch>,
    /// What is wrong with the shape.
    pub faults: Vec<Fault>,
    pub cursor: Cursor,
    pub filter: Filter,
    /// The node that the cursor is to stand on, until it is moved.
    pub(super) sought: Option<NodeName>,
    /// What the filter leaves out of both.
    pub branches_left_out: usize,
    pub faults_left_out: usize,
}

/// A line of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// A node that we watch.
    pub node: Option<NodeName>,
    pub name: String,
    /// For each level above, and its own: whether more stand below on that level.
    pub more: Vec<bool>,
    pub role: Option<Role>,
    pub timeline: Option<String>,
    pub position: Option<String>,
    /// `synchronous_standby_names`, where it is set.
    pub quorum: Option<String>,
    /// What leads to it from above.
    pub edge: Option<Edge>,
    /// The health of a node that we watch. If it does not answer, the other fields are old.
    pub health: Option<HealthState>,
}

/// How a node receives from another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edge {
    /// Rows of publications; else WAL.
    pub logical: bool,
    pub state: Option<String>,
    pub sync: Option<String>,
    pub lag_bytes: Option<f64>,
    pub lag_ms: Option<f64>,
    pub slot: Option<String>,
    pub publications: Option<String>,
}

/// Something that is wrong with the shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The node that it is about, or the first of them.
    pub node: NodeName,
    pub severity: Severity,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    SplitBrain,
    /// On another timeline than its upstream.
    Timeline,
    NoUpstream,
    /// The upstream is not in the file.
    Outside,
    Stopped,
    Subscription,
    Slot,
}

impl FaultKind {
    /// Whether it is told by the shape alone: the others are told by what one node says of itself.
    pub fn is_of_shape(self) -> bool {
        matches!(self, Self::SplitBrain | Self::Timeline | Self::NoUpstream)
    }
}

impl App {
    /// The answers of the topology views changed, or the health of a node.
    pub(super) fn enter_topology(&mut self) {
        let asked: Vec<Asked> = self.picture().nodes.names().cloned().map(Asked::new).collect();
        let frozen = self.frozen.is_some();
        for view in VIEWS {
            if let Some(sheet) = self.sheets.of(view) {
                sheet.settle(&asked, frozen, 1);
            }
        }
        let selected = self.topology.branches.get(self.topology.cursor.at);
        let selected = selected.map(|branch| (branch.node.clone(), branch.name.clone()));
        let peers = self.peers();
        let slots = self.sheets.get(VIEWS[1]);
        let unread = slots.map(unread_slots).unwrap_or_default();
        let (branches, mut faults) = shape::of(&peers);
        faults.extend(unread);
        faults.sort_by_key(|fault| fault.severity != Severity::Critical);
        let page = self.drawn.page(super::Pane::Topology);
        let all = (branches.len(), faults.len());
        let topology = &mut self.topology;
        topology.branches = super::panes::topology::passing(branches, &topology.filter);
        faults.retain(|fault| topology.filter.passes(fault));
        topology.faults = faults;
        topology.branches_left_out = all.0 - topology.branches.len();
        topology.faults_left_out = all.1 - topology.faults.len();
        // The selection stays with its line, but at the top with the first.
        let selected = selected.filter(|_| topology.cursor.at > 0);
        let sought = |branch: &Branch| topology.sought.is_some() && branch.node == topology.sought;
        let same = |branch: &Branch| {
            selected.as_ref().is_some_and(|(node, name)| branch.node == *node && branch.name == *name)
        };
        let lines = || topology.branches.iter();
        let at = lines().position(sought).or_else(|| lines().position(same)).unwrap_or(topology.cursor.at);
        topology.cursor.select(at, topology.branches.len(), page);
    }

    pub(super) fn unsettled_topology(&self) -> bool {
        self.screen == Screen::Topology
            && VIEWS.iter().any(|view| self.sheets.get(view).is_some_and(|sheet| sheet.unsettled))
    }

    /// `Enter`: the node of the selected line.
    pub(super) fn open_branch(&mut self) {
        if let Some(node) = self.branch_node() {
            self.open_node(&node);
        }
    }

    /// The cursor is to stand on the line of a node; a filter that hides it gives way.
    pub(super) fn seek_branch(&mut self, node: NodeName) {
        self.topology.sought = Some(node);
        self.enter_topology();
        if self.branch_node() != self.topology.sought {
            self.topology.filter = Filter::default();
            self.enter_topology();
        }
    }

    pub(super) fn branch_node(&self) -> Option<NodeName> {
        self.topology.branches.get(self.topology.cursor.at)?.node.clone()
    }

    /// What each watched node says of itself and of others.
    fn peers(&self) -> Vec<Peer> {
        let sheet = self.sheets.get(VIEWS[0]);
        let reading = |name: &NodeName| sheet.and_then(|sheet| sheet.node(name)?.reading.as_deref());
        self.picture()
            .nodes
            .iter()
            .map(|node| peer(told(node, sheet.map(|sheet| &*sheet.view), reading(node.name()))))
            .collect()
    }
}

/// One node, for who wants to know what is wrong with the shape of all.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub config: &'a NodeConfig,
    pub role: Option<Role>,
    pub timeline: Option<u32>,
    pub system_identifier: Option<u64>,
    pub health: HealthState,
    /// Its answer to the view `topology`.
    pub reading: Option<(&'a View, &'a Reading)>,
}

/// What is wrong with the shape of these nodes.
pub fn faults<'a>(nodes: impl IntoIterator<Item = Told<'a>>) -> Vec<Fault> {
    let peers: Vec<Peer> = nodes.into_iter().map(peer).collect();
    shape::of(&peers).1
}

pub(super) fn told<'a>(node: &'a Node, view: Option<&'a View>, reading: Option<&'a Reading>) -> Told<'a> {
    Told {
        config: &node.config,
        role: node.role,
        timeline: node.facts.as_ref().and_then(|(_, facts)| facts.timeline),
        system_identifier: node.server.as_ref().and_then(|server| server.system_identifier),
        health: node.health.state,
        reading: view.zip(reading),
    }
}

fn peer(told: Told<'_>) -> Peer {
    Peer {
        name: told.config.name.clone(),
        host: told.config.host.clone(),
        port: told.config.port,
        role: told.role,
        timeline: told.timeline,
        system: told.system_identifier.map(|system| system.to_string()),
        rows: told.reading.map(|(view, reading)| rows_of(view, reading)).unwrap_or_default(),
        health: told.health,
    }
}

/// A row of the view by the names of its columns.
pub(super) type RowMap = HashMap<String, String>;

fn rows_of(view: &View, reading: &Reading) -> Vec<RowMap> {
    let row = |row: usize| {
        let columns = view.columns.iter().enumerate();
        let cells = columns.filter_map(|(at, column)| match reading.value(view, row, at) {
            Value::Text(text) => Some((column.name.clone(), text.to_owned())),
            _ => None,
        });
        cells.collect()
    };
    (0..reading.len()).map(row).collect()
}

/// Slots without a reader, which retain WAL.
fn unread_slots(sheet: &Sheet) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for (node, said) in sheet.nodes() {
        for row in said.reading.iter().flat_map(|reading| rows_of(&sheet.view, reading)) {
            let Some(slot) = row.get("slot").filter(|slot| seen.insert((node.clone(), (*slot).clone()))) else {
                continue;
            };
            let said = |name: &str| row.get(name).map(String::as_str);
            if said("wal_status") == Some("lost") {
                let text = format!("slot {slot} on {node} has lost WAL that its reader needs: rebuild the reader");
                faults.push(Fault { kind: FaultKind::Slot, node: node.clone(), severity: Severity::Critical, text });
            } else if said("active") == Some("f") {
                let bytes = said("retained_bytes").and_then(|bytes| bytes.parse::<f64>().ok()).unwrap_or_default();
                let held = bytes / f64::from(1 << 20);
                let text = format!("slot {slot} on {node} has no reader and retains {held:.0} MB of WAL");
                faults.push(Fault { kind: FaultKind::Slot, node: node.clone(), severity: Severity::Warning, text });
            }
        }
    }
    faults
}
