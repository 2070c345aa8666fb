//! The views of a node: the loop that asks for them, the sessions they are asked on, and passwords hidden in their rows.

pub(super) mod ask;
pub(super) mod mask;
pub(super) mod viewer;
