//! Every failure of a node, sorted once, at the edge, into a kind with a text for people and a remedy (C4).

use std::time::Duration;

use crate::model::{ErrorKind, NodeConfig, NodeError};

/// Sorts what the driver reports.
pub fn classify(error: &tokio_postgres::Error, node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::Internal, format!("{}: {error}", node.address()))
}

/// Nothing came back in time.
pub fn no_answer(node: &NodeConfig, after: Duration) -> NodeError {
    NodeError::new(ErrorKind::Timeout, format!("no answer from {} within {} ms", node.address(), after.as_millis()))
}

/// Whether trying again may help without anybody changing anything.
pub fn is_retryable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Refused
            | ErrorKind::Timeout
            | ErrorKind::HostNotFound
            | ErrorKind::Unreachable
            | ErrorKind::TooManyConnections
            | ErrorKind::StartingUp
            | ErrorKind::ShuttingDown
            | ErrorKind::Terminated
            | ErrorKind::ConnectionLost
            | ErrorKind::Busy
            | ErrorKind::NotConnected
    )
}
