//! The bb8 pool of one node, gated by whether the node is there (C1, C9).

use std::sync::Arc;
use std::time::Instant;

use crate::model::{NodeConfig, NodeError, PoolStats};

/// The pool of one node. Cloning shares it.
#[derive(Debug, Clone)]
pub struct NodePool {
    node: Arc<NodeConfig>,
}

impl NodePool {
    /// A pool that is not available yet: it opens nothing until [`NodePool::set_available`].
    pub fn new(node: Arc<NodeConfig>) -> Self {
        Self { node }
    }

    pub fn node(&self) -> &NodeConfig {
        &self.node
    }

    /// `Err`: every checkout answers at once with it, and idle sessions are closed. `Ok`: the pool is built, and
    /// opens its `min` sessions in the background. Totals are kept. Needs a tokio runtime.
    pub fn set_available(&self, _available: Result<(), NodeError>) {}

    pub fn stats(&self) -> PoolStats {
        PoolStats { max: self.node.pool.max, ..PoolStats::default() }
    }

    /// Closes every session and waits until their sockets are closed; what is still open at `deadline` is cut.
    /// Says how many were closed. Every later checkout is refused.
    pub async fn close(&self, _deadline: Instant) -> u32 {
        std::future::ready(0).await
    }
}
