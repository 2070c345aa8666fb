//! The parts of the shape: its branches, what leads to each of them, and what is wrong.

use std::time::Duration;

use crate::fleet::journal::Severity;
use crate::model::{HealthState, NodeName, Role, figures};

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
pub struct ShapeFault {
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

impl Edge {
    /// The lag in time.
    pub fn lag(&self) -> Option<Duration> {
        self.lag_ms.map(|ms| Duration::from_secs_f64((ms / 1000.0).clamp(0.0, 1e9)))
    }

    /// What the sender says of it: `streaming quorum`.
    pub fn receives(&self) -> String {
        let sync = self.sync.as_ref().map(|sync| format!(" {sync}")).unwrap_or_default();
        format!("{}{sync}", self.state.as_deref().unwrap_or(figures::UNKNOWN))
    }
}

impl Branch {
    /// Why its fields are old; `None` while it answers, and for a server that we do not watch.
    pub fn silence(&self) -> Option<&'static str> {
        self.health.and_then(HealthState::silence)
    }

    /// What is to be said of it beside its figures: a word of ours, and what the server says.
    pub fn note(&self) -> (&'static str, &str) {
        if self.node.is_none() {
            return ("not in the file", "");
        }
        if let Some(silence) = self.silence() {
            return (silence, ": last known");
        }
        match (self.edge.as_ref().and_then(|edge| edge.publications.as_ref()), &self.quorum) {
            (Some(publications), _) => ("follows ", publications),
            (None, Some(quorum)) => ("sync: ", quorum),
            (None, None) => ("", ""),
        }
    }
}
