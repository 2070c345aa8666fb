//! One file for each screen and for each dialog. The parts of a screen are in the folder of the same name.

pub(crate) mod alerts;
pub(crate) mod columns;
pub(crate) mod confirm;
pub(crate) mod empty;
pub(crate) mod events;
pub(crate) mod form;
pub(crate) mod help;
pub(crate) mod node;
pub(crate) mod nodes;
pub(crate) mod query;
pub(crate) mod topology;
pub(crate) mod view;
