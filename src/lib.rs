//! pgwatch: a terminal dashboard for a whole cluster of PostgreSQL nodes.
//!
//! The rooms, and who may import whom (`tests/architecture` checks it; ARCHITECTURE.md explains it in full):
//!
//! - [`model`]: plain facts and the protocol between the halves.
//! - [`sql`]: SQL as words.
//! - [`clock`]: the time by which pgwatch measures.
//! - [`text`]: foreign text made safe for a terminal, measured and cut.
//! - [`config`]: YAML, libpq's environment and files, into validated nodes.
//! - [`fleet`]: what is known of all nodes, from events and time; pure.
//! - [`connection`]: the connection manager, usable without a terminal.
//! - [`output`]: what is known, as JSON, CSV and tables.
//! - [`store`]: the files that pgwatch writes.
//! - [`app`]: how a person looks at the fleet, and what keys do; pure.
//! - [`tui`]: the picture of that state.
//! - [`run`]: the one place where the halves meet.
//! - [`demo`]: a throw-away real cluster, for `pgwatch demo` and for the tests.
//! - [`cli`]: the command line.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod demo;
pub mod fleet;
pub mod model;
pub mod output;
pub mod run;
pub mod sql;
pub mod store;
pub mod text;
pub mod tui;
