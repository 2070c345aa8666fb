//! The views of a node: the loop that asks for them, the sessions they are asked on, and passwords hidden in their rows.

mod ask;
pub(super) mod plan;
pub(super) mod viewer;
