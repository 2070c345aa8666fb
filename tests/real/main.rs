//! Tests of the program and the library on real servers, in real terminals and on real files. They run in parallel in
//! one process, so none of them measures that process or changes a server that others use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../live/mod.rs"]
mod live;
#[path = "../scene/mod.rs"]
mod scene;
#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod asking;
mod cli;
mod clocks;
mod dashboard;
mod defaults;
mod demo;
mod demo_cluster;
mod events;
mod lag;
mod leaving;
mod parts;
mod pgbouncer;
mod platforms;
mod query;
mod reach;
mod real_screens;
mod recording;
mod refusals;
mod rights;
mod scripts;
mod secrets;
mod shell;
mod spoiled_files;
mod terminal;
mod terminals;
mod texts;
mod tls;
mod tls_reasons;
mod tunnels;
mod untrusted_text;
mod view_command;
mod walks;
