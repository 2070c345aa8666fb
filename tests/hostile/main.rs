//! Servers that send what no server should, at each stage of a session: the node fails alone, with an error that says
//! why, memory and processor time stay bounded, and its neighbours never notice.
//!
//! `PGWATCH_BLESS=1` writes the table of cases into `docs/reliability.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it measured, and its seeds")]
#![allow(unreachable_pub, reason = "a test is a crate of its own")]

mod before;
mod cases;
mod commands;
mod dashboard;
mod during;
mod errors;
#[path = "../support/mod.rs"]
mod support;
