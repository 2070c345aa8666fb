//! The figures of a node: the loop that asks for them, and its statements.

mod asker;
mod configured;
mod parts;
pub(super) mod poller;
mod sql;
mod told;
