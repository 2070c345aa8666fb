//! The value of a view's cell, as people say it.

pub use crate::model::view::{cell, cell_within};
