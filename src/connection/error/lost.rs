//! A connection that ended without a reason of the server's.

use crate::model::{ErrorKind, NodeConfig, NodeError};

/// `how`: the reason that the system gives; empty if there is none.
pub(super) fn lost(node: &NodeConfig, how: &str) -> NodeError {
    let how = if how.is_empty() { "it was closed without a message" } else { how };
    NodeError::new(ErrorKind::ConnectionLost, format!("the connection to {} was lost: {how}", node.way()))
        .with_hint("the server crashed or was restarted, or something in between closed the connection")
}
