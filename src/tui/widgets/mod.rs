//! One file per widget. They take facts and a theme, and write into the buffer by hand, so that a frame of 100 nodes
//! costs a few allocations, not thousands.

pub(crate) mod badge;
pub(crate) mod border;
pub(crate) mod chart;
pub(crate) mod data_table;
pub(crate) mod dialog;
pub(crate) mod doc;
pub(crate) mod event;
pub(crate) mod faults;
pub(crate) mod filtered;
pub(crate) mod input_line;
pub(crate) mod last_minute;
pub(crate) mod meter;
pub(crate) mod pen;
pub(crate) mod reason;
pub(crate) mod severity;
pub(crate) mod spark;
pub(crate) mod wrapped;
