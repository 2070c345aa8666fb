//! Dialogs that open over a screen: the form of a node, and questions.

pub mod confirm;
pub mod form;
pub(super) mod mask;
