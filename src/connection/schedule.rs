//! When something is done: how long a lost node is left alone, when in its interval a node is asked, and whose turn it is to
//! connect.

pub(super) mod backoff;
pub(super) mod phase;
pub(super) mod turns;
