//! `make soak`: churn for about ten minutes (or `ARGS='--minutes 60'`, `ARGS='--cycles 1000'`), and the resources of
//! the dashboard and of the connection manager before and after. Prints the table and keeps it in docs/reliability.md;
//! exits with 1 if anything leaks. `PGWATCH_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a run that fails says so and ends")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Duration;

use support::churn::{Length, Outcome, dashboard, manager, seed};
use support::report::{keep, machine};

/// About ten minutes.
const CYCLES: u64 = 20_000;
/// The dashboard's share of a run; the rest is for the connection manager.
const DASHBOARD: f64 = 0.8;

fn main() -> ExitCode {
    let (length, seed) = (length(), seed());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcomes = [
        dashboard::run(length.part(DASHBOARD), seed),
        runtime.block_on(manager::run(length.part(1.0 - DASHBOARD), seed)),
    ];
    let holds = outcomes.iter().all(Outcome::holds);
    let verdict = if holds { "Nothing leaks." } else { "Something leaks." };
    let parts: Vec<String> = outcomes.iter().map(Outcome::text).collect();
    let text = format!("{}\n{verdict} Measured on {}.\n", parts.join("\n"), machine());
    println!("{text}");
    keep("docs/reliability.md", "soak", &text);
    if holds {
        return ExitCode::SUCCESS;
    }
    eprintln!("to repeat it: PGWATCH_SEED={seed} make soak");
    ExitCode::FAILURE
}

/// Reads the command line, to which `cargo bench` adds `--bench`.
fn length() -> Length {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is no number"));
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Length::Cycles(CYCLES),
        ["--cycles", cycles] => Length::Cycles(number(cycles)),
        ["--minutes", minutes] => Length::Time(Duration::from_mins(number(minutes))),
        _ => panic!("--cycles N, --minutes N, or nothing"),
    }
}
