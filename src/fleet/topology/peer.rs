//! A watched node as the shape sees it: what it answered, and whether an address or a name refers to it.

use std::collections::HashMap;

use super::branch::Edge;
use crate::fleet::lag::Lag;
use crate::model::view::{Reading, Value};
use crate::model::{HealthState, NodeName, Role, View};

/// A watched node and what it reported.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) name: NodeName,
    /// Further names of the same server.
    pub(super) other_names: Vec<NodeName>,
    /// The addresses at which it is reached, one for each name.
    pub(super) addresses: Vec<(String, u16)>,
    /// The cluster that the user says it belongs to.
    pub(super) cluster: Option<String>,
    /// Its role and timeline, of its last figures: these are never older than those of its rows.
    pub(super) role: Option<Role>,
    pub(super) timeline: Option<u32>,
    pub(super) system: Option<String>,
    pub(super) rows: Vec<RowMap>,
    pub(super) health: HealthState,
    /// Of a standby: how far it is behind.
    pub(super) lag: Lag,
}

impl Peer {
    pub(super) fn rows(&self, kind: &'static str) -> impl Iterator<Item = &RowMap> {
        self.rows.iter().filter(move |row| row.get("kind").map(String::as_str) == Some(kind))
    }

    pub(super) fn own(&self, column: &str) -> Option<&String> {
        self.rows("self").next()?.get(column)
    }

    pub(super) fn role(&self) -> Option<Role> {
        self.role.or_else(|| match self.own("role").map(String::as_str) {
            Some("primary") => Some(Role::Primary),
            Some("standby") => Some(Role::Standby),
            _ => None,
        })
    }

    pub(super) fn system(&self) -> Option<&String> {
        self.system.as_ref().or_else(|| self.own("system_identifier"))
    }

    pub(super) fn timeline(&self) -> Option<String> {
        self.timeline.map(|timeline| timeline.to_string()).or_else(|| self.own("timeline").cloned())
    }

    /// True if an address is this node's, as far as text can tell: names are not resolved.
    pub(super) fn is_at(&self, host: Option<&String>, port: Option<&String>) -> bool {
        let own = self.own("port");
        self.addresses.iter().any(|(at, reached)| {
            let port = port.is_some_and(|port| Some(port) == own || *port == reached.to_string());
            port && host.is_some_and(|host| same_host(host, at))
        })
    }

    pub(super) fn is_of_the_cluster_of(&self, other: &Self) -> bool {
        self.system().is_some() && self.system() == other.system() && self.cluster == other.cluster
    }

    /// Its name, and its further ones.
    pub(super) fn names(&self) -> String {
        std::iter::once(&self.name).chain(&self.other_names).map(NodeName::as_str).collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn same_host(a: &str, b: &str) -> bool {
    let local =
        |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1" | "local") || host.starts_with(['/', '@']);
    a.eq_ignore_ascii_case(b) || (local(a) && local(b))
}

pub(super) fn edge_of(row: &RowMap) -> Edge {
    let number = |name: &str| row.get(name).and_then(|text| text.parse().ok());
    Edge {
        logical: row.get("slot_type").map(String::as_str) == Some("logical"),
        state: row.get("state").cloned(),
        sync: row.get("sync_state").cloned(),
        lag_bytes: number("lag_bytes"),
        lag_ms: number("lag_ms"),
        at_least: false,
        slot: row.get("slot").cloned(),
        publications: None,
    }
}

/// A row of the view: values by the names of their columns.
pub(super) type RowMap = HashMap<String, String>;

pub(super) fn rows_of(view: &View, reading: &Reading) -> Vec<RowMap> {
    let row = |row: usize| {
        let columns = view.columns.iter().enumerate();
        let cells = columns.filter_map(|(at, column)| match reading.value(view, row, at) {
            Value::Text(text) => Some((column.name.clone(), text.to_owned())),
            Value::Rate(number) => Some((column.name.clone(), number.to_string())),
            Value::Unknown => None,
        });
        cells.collect()
    };
    (0..reading.len()).map(row).collect()
}
