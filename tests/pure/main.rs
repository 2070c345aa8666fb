//! Tests without a process, a server or a terminal of their own: the configuration, what keys do to the state, and the
//! pictures drawn from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../scene/mod.rs"]
mod scene;
#[path = "../support/secret_statements.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzz target")]
mod secret_statements;
#[path = "../support/stream.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests that read a real terminal")]
mod stream;

mod codes;
mod command_line;
mod config;
mod keys;
mod looking;
mod node_form;
mod renderer;
mod scenarios;
mod screens;
mod secrets;
mod tables;
mod untrusted_text;
mod view_tables;
