//! The figures of a node: the loop that asks for them, and its statements.

pub(super) mod poller;
mod sql;
