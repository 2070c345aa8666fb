//! The ways out of the commands that have no screen, with a query running: none of our sessions remains (N7).

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::pty::ending;
use crate::support::servers::{ConfigFile, assert_no_sessions, cluster};
use crate::support::stage::running;
use crate::support::wait::{SOON, wait_for};

const LONG: &str = "select pg_sleep(600)";

/// It does not wait for the node to be up: a query sent at once waits for the first connection.
fn query(config: &ConfigFile) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pgwatch"))
        .args(["query", "--config", config.arg(), "--timeout", "5m", LONG])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_signalled_query_command_cancels_its_statement_on_the_servers() {
    let cluster = cluster().standbys(1).start().unwrap();
    let config = ConfigFile::new("", cluster.servers());
    for (signal, end, gone) in [
        (Signal::TERM, "code", Duration::from_secs(5)),
        (Signal::INT, "code", Duration::from_secs(5)),
        (Signal::HUP, "code", Duration::from_secs(5)),
        // The killed process could not say goodbye: the sessions notice by themselves that their client is gone.
        (Signal::KILL, "signal 9", SOON),
    ] {
        let mut command = query(&config);
        for server in cluster.servers() {
            wait_for("the query runs", SOON, || (running(server, LONG) > 0).then_some(()));
        }
        kill_process(Pid::from_child(&command), signal).unwrap();
        let status = wait_for("its end", SOON, || command.try_wait().unwrap());
        assert!(ending(status).starts_with(end), "{signal:?}: {}", ending(status));
        for server in cluster.servers() {
            assert_no_sessions(server, gone);
        }
    }
}
