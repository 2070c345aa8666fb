//! A watched node as the shape sees it: what it answered, and whether an address or a name refers to it.

use std::collections::HashMap;

use super::branch::Edge;
use crate::model::view::{Reading, Value};
use crate::model::{HealthState, NodeName, Role, View};

/// A watched node and what it reported.
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
    pub(super) fn rows(&self, kind: &'static str) -> impl Iterator<Item = &RowMap> {
        self.rows.iter().filter(move |row| row.get("kind").map(String::as_str) == Some(kind))
    }

    pub(super) fn own(&self, column: &str) -> Option<&String> {
        self.rows("self").next()?.get(column)
    }

    pub(super) fn role(&self) -> Option<Role> {
        match self.own("role").map(String::as_str) {
            Some("primary") => Some(Role::Primary),
            Some("standby") => Some(Role::Standby),
            _ => self.role,
        }
    }

    pub(super) fn system(&self) -> Option<&String> {
        self.own("system_identifier").or(self.system.as_ref())
    }

    pub(super) fn timeline(&self) -> Option<String> {
        self.own("timeline").cloned().or_else(|| self.timeline.map(|timeline| timeline.to_string()))
    }

    /// True if an address is this node's, as far as text can tell: names are not resolved.
    pub(super) fn is_at(&self, host: Option<&String>, port: Option<&String>) -> bool {
        let own = self.own("port").cloned().unwrap_or_else(|| self.port.to_string());
        let port = port.is_some_and(|port| *port == own || *port == self.port.to_string());
        port && host.is_some_and(|host| same_host(host, &self.host))
    }

    pub(super) fn is_of_the_cluster_of(&self, other: &Self) -> bool {
        self.system().is_some() && self.system() == other.system()
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
            _ => None,
        });
        cells.collect()
    };
    (0..reading.len()).map(row).collect()
}
