//! What the tasks of a node report to the actor.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::model::protocol::{NodeOutcome, QueryProgress, Tested, ViewRows, WholeText};
use crate::model::{BatchId, Facts, Health, NodeError, NodeName, ProbeStats, Role, ServerFacts};

/// Identifies one life of a node (from start to pause, edit or removal). The actor drops late reports of an earlier
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LifeId(pub(super) u64);

#[derive(Debug)]
pub(super) enum Report {
    Node(NodeName, LifeId, News),
    Reading(BatchId, QueryProgress),
    QueryDone(BatchId, NodeName, Arc<NodeOutcome>),
    Dismissed(NodeName, LifeId, Dismissed),
    Tested(u64, Result<Tested, NodeError>),
}

/// News about a node.
#[derive(Debug)]
pub(super) enum News {
    Connected { role: Option<Role>, server_version: String, connect_time: Duration, attempt: u32 },
    Disconnected(NodeError),
    Health(Arc<Health>, ProbeStats),
    Facts(Result<Arc<Facts>, NodeError>),
    Server(Arc<ServerFacts>),
    View(Arc<str>, Result<Arc<ViewRows>, NodeError>),
    Text(u64, Result<Option<WholeText>, NodeError>),
}

/// An answer of a node to the question for its figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignOfLife {
    pub(super) asked: Instant,
    /// From the question to the answer.
    pub(super) elapsed: Duration,
    /// How long the server worked on it, by its own clock, if it says so.
    pub(super) worked: Option<Duration>,
    /// When the question is due again.
    pub(super) next: Instant,
}

impl SignOfLife {
    /// The time of the way there and back.
    pub(super) fn latency(&self) -> Option<Duration> {
        Some(self.elapsed.saturating_sub(self.worked?))
    }
}

/// What was closed and cancelled when a crew was dismissed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dismissed {
    pub(super) sessions: u32,
    pub(super) cancelled: u32,
}

/// Sends the reports of one node's tasks.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    pub(super) node: NodeName,
    pub(super) life: LifeId,
    pub(super) reports: mpsc::Sender<Report>,
}

impl Reporter {
    /// Sends news to the actor; waits while its channel is full. Does nothing if the actor is gone. Cancel-safe: the
    /// news is then not sent.
    pub(super) async fn send(&self, news: News) {
        drop(self.reports.send(Report::Node(self.node.clone(), self.life, news)).await);
    }
}
