//! What the tasks of a node tell the actor.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::protocol::{NodeOutcome, QueryProgress, Tested, ViewRows};
use crate::model::{BatchId, Facts, Health, NodeError, NodeName, ProbeStats, Role, ServerFacts};

/// Tells one life of a node (between start and pause, edit or removal) from the next: late reports of an old one are
/// thrown away.
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

/// What happened to a node.
#[derive(Debug)]
pub(super) enum News {
    Connected { role: Role, server_version: String, connect_time: Duration, attempt: u32 },
    Disconnected(NodeError),
    Health(Box<Health>, ProbeStats),
    Facts(Result<Arc<Facts>, NodeError>),
    Server(Arc<ServerFacts>),
    View(Arc<str>, Result<Arc<ViewRows>, NodeError>),
}

/// What a dismissed crew left.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dismissed {
    pub(super) sessions: u32,
    pub(super) cancelled: u32,
}

/// Where a node's tasks report to.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    pub(super) node: NodeName,
    pub(super) life: LifeId,
    pub(super) reports: mpsc::Sender<Report>,
}

impl Reporter {
    /// Waits while the actor is behind. An actor that is gone needs no news.
    pub(super) async fn send(&self, news: News) {
        drop(self.reports.send(Report::Node(self.node.clone(), self.life, news)).await);
    }
}
