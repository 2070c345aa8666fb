//! The parts of the shape: its branches, the edges that lead to them, and its faults.

use std::time::Duration;

use crate::fleet::journal::Severity;
use crate::fleet::lag::Behind;
use crate::model::{HealthState, NodeName, Role, figures};

/// A line of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// The watched node; `None` for a server that is not in the file.
    pub node: Option<NodeName>,
    /// The names of the node, or how another node names the server.
    pub name: String,
    /// For each level down to its own: true if more lines follow on that level.
    pub more: Vec<bool>,
    /// Primary or standby, where that is known.
    pub role: Option<Role>,
    /// The number of its timeline.
    pub timeline: Option<String>,
    /// Its position in the WAL, as the server prints it.
    pub position: Option<String>,
    /// `synchronous_standby_names`, where it is set.
    pub quorum: Option<String>,
    /// Why it is behind or how it receives WAL, in words; `None` while it streams and replays.
    pub why: Option<String>,
    /// The edge that leads to it from the line above.
    pub edge: Option<Edge>,
    /// The health of a watched node. If it does not answer, the other fields are stale.
    pub health: Option<HealthState>,
}

/// How a node receives from another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edge {
    /// True if it receives rows of publications; false if it receives WAL.
    pub logical: bool,
    /// The state of the sender or receiver, as the server prints it: `streaming`.
    pub state: Option<String>,
    /// How it takes part in synchronous replication, as the sender prints it: `quorum`.
    pub sync: Option<String>,
    /// How far it is behind, in bytes of WAL.
    pub lag_bytes: Option<f64>,
    /// How far it is behind, in milliseconds.
    pub lag_ms: Option<f64>,
    /// True if it may be more.
    pub at_least: bool,
    /// The replication slot that it uses.
    pub slot: Option<String>,
    /// The publications that it subscribes to.
    pub publications: Option<String>,
}

/// Something that is wrong with the shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeFault {
    /// What kind of fault it is.
    pub kind: FaultKind,
    /// The node that it is about, or the first of several.
    pub node: NodeName,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub text: String,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Two primaries have the same system identifier.
    SplitBrain,
    /// A standby is on another timeline than its upstream.
    Timeline,
    /// A standby receives from no server.
    NoUpstream,
    /// The upstream is not in the file.
    Outside,
    /// A standby receives nothing from its upstream.
    Stopped,
    /// Something is wrong with a subscription.
    Subscription,
    /// A replication slot has no reader, or has lost WAL.
    Slot,
    /// A node did not report its place or its slots.
    Unreported,
}

impl FaultKind {
    /// True if a rule looks at the shape for it. The others have rules of their own, on what one node reports.
    pub fn is_of_shape(self) -> bool {
        matches!(self, Self::Timeline)
    }
}

impl Edge {
    /// The lag as a time.
    pub fn lag(&self) -> Option<Duration> {
        self.lag_ms.map(|ms| Duration::from_secs_f64((ms / 1000.0).clamp(0.0, 1e9)))
    }

    /// The lag in words: `41 s`, or `≥41 s` if it may be more.
    pub fn lag_said(&self) -> Option<String> {
        let time = self.lag()?;
        Some(Behind { time, at_least: self.at_least }.said())
    }

    /// What the sender reports of it: `streaming quorum`.
    pub fn receives(&self) -> String {
        let sync = self.sync.as_ref().map(|sync| format!(" {sync}")).unwrap_or_default();
        format!("{}{sync}", self.state.as_deref().unwrap_or(figures::UNKNOWN))
    }
}

impl Branch {
    /// Why its fields are stale; `None` while the node answers, and for a server that is not in the file.
    pub fn silence(&self) -> Option<&'static str> {
        self.health.and_then(HealthState::silence)
    }

    /// The remark beside its figures: our words, and what the server reports.
    pub fn note(&self) -> (&'static str, &str) {
        if self.node.is_none() {
            return ("not in the file", "");
        }
        if let Some(silence) = self.silence() {
            return (silence, ": last known");
        }
        match (&self.why, self.edge.as_ref().and_then(|edge| edge.publications.as_ref()), &self.quorum) {
            (Some(why), ..) => ("", why),
            (None, Some(publications), _) => ("follows ", publications),
            (None, None, Some(quorum)) => ("sync: ", quorum),
            (None, None, None) => ("", ""),
        }
    }
}
