//! The actor's record of one node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::crew::Crew;
use crate::clock;
use crate::connection::handle::Reply;
use crate::connection::pool::NodePool;
use crate::connection::report::{Dismissed, LifeId};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::connection::tunnel::Tunnels;
use crate::model::protocol::NodeSnapshot;
use crate::model::{Health, NodeConfig, NodeError, PoolStats, ProbeStats, Role};

/// What the actor knows of a node.
#[derive(Debug)]
pub(super) struct NodeRecord {
    pub(super) life: LifeId,
    pub(super) config: Arc<Endpoint>,
    pub(super) health: Arc<Health>,
    pub(super) role: Option<Role>,
    pub(super) server_version: Option<String>,
    /// System identifier last seen. A different one means that another cluster answers at this address.
    pub(super) system_identifier: Option<u64>,
    pub(super) connect_time: Option<Duration>,
    pub(super) probes: ProbeStats,
    pub(super) pool: NodePool,
    /// The newest reason why the pool could not open a session.
    pool_errors: watch::Receiver<Option<NodeError>>,
    /// What the pool was last told about the node: that it answers, or why it does not.
    pub(super) gate: Option<Result<(), NodeError>>,
    /// The pool figures last sent in an event, and when.
    pub(super) reported: Option<(PoolStats, Instant)>,
    /// True while, by the events sent so far, a session of ours is open.
    pub(super) connected: bool,
    /// `None` while the node is paused or being removed.
    pub(super) crew: Option<Crew>,
    pub(super) removal: Option<Removal>,
}

/// The removal of a node, while its sessions are closed.
#[derive(Debug, Default)]
pub(super) struct Removal {
    pub(super) answer: Reply,
    /// The node's new configuration, if a reload during the removal brings it back.
    pub(super) successor: Option<Box<NodeConfig>>,
    /// The sessions closed and queries cancelled so far.
    pub(super) dismissed: Dismissed,
}

impl NodeRecord {
    pub(super) fn new(config: NodeConfig, turns: &Arc<Turns>, tunnels: &Tunnels) -> Self {
        let config = Arc::new(Endpoint::new(Arc::new(config), tunnels.clone()));
        let pool = NodePool::in_turn(Arc::clone(&config), Arc::clone(turns));
        Self {
            life: LifeId(0),
            pool_errors: pool.errors(),
            pool,
            config,
            health: Arc::new(Health::new(clock::now())),
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
            config: NodeConfig::clone(&self.config),
            health: Health::clone(&self.health),
            role: self.role,
            server_version: self.server_version.clone(),
            connect_time: self.connect_time,
            pool: self.pool.stats(),
            probes: self.probes,
        }
    }

    /// Passes on that the pool could not open a session: a node that answers may refuse new connections, so check that.
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

    /// Opens or shuts the pool as the node's health changes, so that no query waits for a dead node.
    pub(super) fn set_gate(&mut self, gate: Result<(), NodeError>) {
        let kind = |gate: &Result<(), NodeError>| gate.as_ref().err().map(|error| error.kind);
        if self.gate.as_ref().map(kind) != Some(kind(&gate)) {
            self.pool.set_available(gate.clone());
            self.gate = Some(gate);
        }
    }
}
