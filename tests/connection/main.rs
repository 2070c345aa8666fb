//! The connection manager on real servers. These tests measure how fast it notices faults and recovers, so they run
//! apart from the other tests on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the times that the tests measured")]

#[path = "../support/mod.rs"]
mod support;

mod back;
mod faults;
mod pace;
mod roster;
mod times;
