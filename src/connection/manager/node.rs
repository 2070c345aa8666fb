//! The actor's record of one node.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::crew::Crew;
use crate::connection::handle::Reply;
use crate::connection::pool::NodePool;
use crate::connection::report::{Dismissed, LifeId};
use crate::connection::schedule::turns::Turns;
use crate::model::protocol::NodeSnapshot;
use crate::model::{Health, NodeConfig, NodeError, PoolStats, ProbeStats, Role};

/// One node as it stands.
#[derive(Debug)]
pub(super) struct NodeRecord {
    pub(super) life: LifeId,
    pub(super) config: Arc<NodeConfig>,
    pub(super) health: Health,
    pub(super) role: Option<Role>,
    pub(super) server_version: Option<String>,
    /// Of the cluster that answered last: what tells another one at the same address.
    pub(super) system_identifier: Option<u64>,
    pub(super) connect_time: Option<Duration>,
    pub(super) probes: ProbeStats,
    pub(super) pool: NodePool,
    /// Why the pool could not open a session.
    pool_errors: watch::Receiver<Option<NodeError>>,
    /// What the pool was last reported: whether the node answers, and why not.
    pub(super) gate: Option<Result<(), NodeError>>,
    /// The pool figures that were last reported, and when.
    pub(super) reported: Option<(PoolStats, Instant)>,
    /// A session of ours is open, as far as events have told.
    pub(super) connected: bool,
    /// Nobody serves a paused node, nor one that is being removed.
    pub(super) crew: Option<Crew>,
    pub(super) removal: Option<Removal>,
}

/// A node on its way out.
#[derive(Debug, Default)]
pub(super) struct Removal {
    pub(super) answer: Reply,
    /// What a file read anew put in its place meanwhile.
    pub(super) successor: Option<Box<NodeConfig>>,
    /// What was closed for it so far.
    pub(super) dismissed: Dismissed,
}

impl NodeRecord {
    pub(super) fn new(config: NodeConfig, turns: &Arc<Turns>) -> Self {
        let config = Arc::new(config);
        let pool = NodePool::in_turn(Arc::clone(&config), Arc::clone(turns));
        Self {
            life: LifeId(0),
            pool_errors: pool.errors(),
            pool,
            config,
            health: Health::new(SystemTime::now()),
            role: None,
            server_version: None,
            system_identifier: None,
            connect_time: None,
            probes: ProbeStats::default(),
            gate: None,
            reported: None,
            connected: false,
            crew: None,
            removal: None,
        }
    }

    pub(super) fn snapshot(&self) -> NodeSnapshot {
        NodeSnapshot {
            config: self.config.as_ref().clone(),
            health: self.health.clone(),
            role: self.role,
            server_version: self.server_version.clone(),
            connect_time: self.connect_time,
            pool: self.pool.stats(),
            probes: self.probes,
        }
    }

    /// A node that answers may refuse the sessions of its pool: that is worth a look.
    pub(super) fn apply_pool_errors(&mut self) {
        if !self.pool_errors.has_changed().unwrap_or(false) {
            return;
        }
        let error = self.pool_errors.borrow_and_update().clone();
        if let (Some(error), Some(crew)) = (error, &self.crew)
            && self.health.state.answers()
        {
            crew.check_admission(&error);
        }
    }

    /// Opens or shuts the pool with the node's health: nobody should queue for a dead node.
    pub(super) fn set_gate(&mut self, gate: Result<(), NodeError>) {
        let kind = |gate: &Result<(), NodeError>| gate.as_ref().err().map(|error| error.kind);
        if self.gate.as_ref().map(kind) != Some(kind(&gate)) {
            self.pool.set_available(gate.clone());
            self.gate = Some(gate);
        }
    }
}
