//! The views of a node: the loop that asks for them, which view is due, and the sessions over which they are asked for.

mod ask;
pub(super) mod plan;
mod stand_ins;
pub(super) mod viewer;
