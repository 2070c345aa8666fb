//! The files that pgwatch writes: the event log, the statements and columns of earlier runs, exports. Nothing here
//! knows of the screen or of the command line; what to write comes as arguments.

pub mod columns;
pub mod event_log;
pub mod export;
pub mod files;
pub mod history;
