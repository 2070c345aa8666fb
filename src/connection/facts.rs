//! The figures of a node: the loop that asks for them, and its statements.

mod configured;
pub(super) mod poller;
mod sql;
