//! The views of a node: the loop that asks for them, which view is due, the sessions over which they are asked for,
//! and the texts of their rows.

mod ask;
pub(super) mod plan;
mod stand_ins;
mod texts;
pub(super) mod viewer;
