//! What the lists of the panes are made of: their columns, how rows compare, and what a filter sees of them.

pub(super) mod alerts;
pub mod answers;
pub(super) mod events;
pub mod nodes;
pub(super) mod topology;
