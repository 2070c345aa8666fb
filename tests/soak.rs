//! Nothing leaks: after a minute of churn the program holds what it held when it was warm, and nothing is left when it
//! ends (N7). `make soak` does the same for longer. `PGWATCH_SEED` repeats a run; the seed is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the seed it ran with, and what it measured")]

mod support;

use std::time::Duration;

use support::churn::{Length, dashboard, manager, seed};

#[test]
fn a_minute_of_churn_leaks_nothing_from_the_dashboard_n7() {
    dashboard::run(Length::Time(Duration::from_mins(1)), seed()).assert_holds();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_commands_leak_nothing_from_the_manager_n7() {
    manager::run(Length::Cycles(2_000), seed()).await.assert_holds();
}
