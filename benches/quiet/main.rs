//! `make quiet`: a healthy fleet at work for five minutes (or `ARGS='--minutes 60'`) with base backups, vacuums, index
//! builds, bulk loads and checkpoints. Exits with 1 if any rule of alerts finds anything in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a run that fails says so and ends")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, reason = "a program that prints what happened")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Duration;

use support::quiet;

const MINUTES: u64 = 5;

fn main() -> ExitCode {
    let length = Duration::from_mins(minutes());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // The rules as they are.
    let rules = quiet::rules(Duration::MAX, Duration::MAX);
    let quiet = runtime.block_on(quiet::time(length, rules));
    println!("{}", quiet.text());
    println!("{}", if quiet.said.is_empty() { "No alert." } else { "There were alerts." });
    if quiet.said.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads the command line, to which `cargo bench` adds `--bench`.
fn minutes() -> u64 {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => MINUTES,
        ["--minutes", minutes] => minutes.parse().unwrap_or_else(|_| panic!("{minutes} is no number")),
        _ => panic!("--minutes N, or nothing"),
    }
}
