//! One file per screen, and per dialog that stands over them.

pub(crate) mod alerts;
mod answers;
pub(crate) mod columns;
pub(crate) mod confirm;
pub(crate) mod empty;
pub(crate) mod events;
mod figures;
pub(crate) mod form;
pub(crate) mod help;
pub(crate) mod node;
mod node_row;
pub(crate) mod nodes;
pub(crate) mod query;
mod record;
pub(crate) mod sheet;
pub(crate) mod summary;
pub(crate) mod topology;
