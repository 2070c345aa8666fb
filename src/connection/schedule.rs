//! When something is done: how long to wait before a lost node is tried again, a node's place in the interval, the turns
//! to connect, and what the nodes with one address share.

pub(super) mod address;
pub(super) mod backoff;
pub(super) mod phase;
pub(super) mod queue;
pub(super) mod turns;
