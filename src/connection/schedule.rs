//! When something is done: how long to wait before a lost node is tried again, a node's place in the interval, and the
//! turns to connect.

pub(super) mod backoff;
pub(super) mod phase;
pub(super) mod turns;
