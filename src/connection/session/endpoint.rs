//! Where sessions of a node lead to.

use std::ops::Deref;
use std::sync::Arc;

use crate::connection::tunnel::Tunnels;
use crate::connection::tunnel::stream::TunnelStream;
use crate::model::{NodeConfig, NodeError};

/// A node, and the tunnels of the manager that watches it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    node: Arc<NodeConfig>,
    tunnels: Tunnels,
}

impl Endpoint {
    pub(crate) fn new(node: Arc<NodeConfig>, tunnels: Tunnels) -> Self {
        Self { node, tunnels }
    }

    /// A node that no manager watches, with tunnels of its own.
    pub(crate) fn alone(node: Arc<NodeConfig>) -> Self {
        Self::new(node, Tunnels::default())
    }

    /// A connection to the server through the node's tunnel. Cancel-safe.
    pub(crate) async fn tunnel_stream(&self) -> Result<TunnelStream, NodeError> {
        self.tunnels.connect(&self.node).await
    }

    pub(crate) fn tunnels(&self) -> &Tunnels {
        &self.tunnels
    }
}

impl From<NodeConfig> for Endpoint {
    fn from(node: NodeConfig) -> Self {
        Self::alone(Arc::new(node))
    }
}

impl Deref for Endpoint {
    type Target = NodeConfig;

    fn deref(&self) -> &NodeConfig {
        &self.node
    }
}
