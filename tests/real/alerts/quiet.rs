//! A healthy fleet at work raises no alert. `make quiet` does the same for longer.

use std::time::Duration;

use crate::support::here::not_run;
use crate::support::quiet;

const LENGTH: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_secs(5);
const LASTING: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_fleet_at_work_raises_no_alert() {
    if !quiet::has_programs() {
        return not_run("a quiet time", "pgbench or pg_basebackup is not installed");
    }
    let quiet = quiet::time(LENGTH, quiet::rules(EVERY, LASTING)).await;
    assert!(quiet.said.is_empty(), "{}", quiet.text());
}
