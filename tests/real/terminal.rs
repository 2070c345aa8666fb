//! Every way out of the dashboard, on real servers and in a real terminal, with a query running: none of our sessions
//! remains on any server, and the terminal is as it was before (N6, N7).

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::pty::ending;
use crate::support::servers::{ConfigFile, assert_no_sessions, cluster, sessions};
use crate::support::stage::{LEAVING, Stage, panic_now, panicking, running};
use crate::support::wait::{PATIENCE, SOON};

/// A running query has to be cancelled first, which may take far longer than [`LEAVING`].
const LONG: &str = "select pg_sleep(600)";

#[test]
fn q_leaves_at_once_when_nothing_runs() {
    let mut stage = Stage::new();
    assert!(sessions(stage.cluster.primary()) > 0);
    let start = Instant::now();
    stage.tui.press("q");
    stage.assert_left_clean();
    assert!(start.elapsed() < Duration::from_secs(10), "N6: 0.2 s is the goal, it took {:?}", start.elapsed());
}

#[test]
fn q_waits_for_a_query_and_says_so() {
    let mut stage = Stage::new();
    stage.run("select pg_sleep(4)");
    stage.tui.press("q");
    stage.tui.wait_for("how many are waited for", SOON, |screen| {
        let text = screen.contents().to_lowercase();
        text.contains("waiting for") && text.contains('2')
    });
    // The dashboard waits for the query and does not cancel it.
    assert_eq!(running(stage.cluster.primary(), "pg_sleep"), 1);
    stage.assert_left_clean();
    let log = std::fs::read_to_string(stage.cluster.primary().log_file()).unwrap();
    assert!(!log.contains("canceling statement"), "{log}");
}

#[test]
fn q_twice_cancels_what_runs() {
    let mut stage = Stage::new();
    stage.run(LONG);
    stage.tui.press("q");
    stage.tui.wait_for("waiting", SOON, |screen| screen.contents().to_lowercase().contains("waiting for"));
    stage.tui.press("q");
    stage.assert_left_clean();
}

#[test]
fn ctrl_c_cancels_what_runs() {
    let mut stage = Stage::new();
    stage.run(LONG);
    stage.tui.press("<c-c>");
    stage.assert_left_clean();
}

#[test]
fn sigterm_leaves_cleanly() {
    signal_leaves_clean(Signal::TERM);
}

#[test]
fn sigint_leaves_cleanly() {
    signal_leaves_clean(Signal::INT);
}

#[test]
fn sighup_leaves_cleanly() {
    signal_leaves_clean(Signal::HUP);
}

fn signal_leaves_clean(signal: Signal) {
    let mut stage = Stage::new();
    stage.run(LONG);
    stage.tui.signal(signal);
    stage.assert_left_clean();
}

#[test]
fn a_signal_ends_the_waiting_for_queries() {
    let mut stage = Stage::new();
    stage.run(LONG);
    stage.tui.press("q");
    stage.tui.wait_for("waiting", SOON, |screen| screen.contents().to_lowercase().contains("waiting for"));
    stage.tui.signal(Signal::TERM);
    stage.assert_left_clean();
}

#[test]
fn a_closed_terminal_leaves_no_session() {
    let mut stage = Stage::new();
    stage.run(LONG);
    stage.tui.close_terminal();
    let ended = ending(stage.tui.wait_exit(LEAVING));
    assert!(ended.starts_with("code"), "it left by itself: {ended}");
    stage.assert_no_sessions();
}

#[test]
fn a_frozen_server_does_not_keep_the_dashboard_open() {
    let mut stage = Stage::new();
    stage.run(LONG);
    let standby = stage.cluster.server("standby1");
    standby.freeze().unwrap();
    stage.tui.wait_for("the frozen one is seen", PATIENCE, |screen| screen.contents().contains('✖'));
    stage.tui.press("<c-c>");
    assert_eq!(ending(stage.tui.wait_exit(LEAVING)), "code 0");
    assert_eq!(stage.tui.restored(), Ok(()));
    assert_no_sessions(stage.cluster.primary(), Duration::from_secs(5));
    standby.thaw().unwrap();
    assert_no_sessions(standby, SOON);
}

/// After SIGKILL there is no goodbye: the sessions themselves notice that their client is gone.
#[test]
fn after_sigkill_the_sessions_end_by_themselves() {
    let mut stage = Stage::new();
    stage.run(LONG);
    stage.tui.signal(Signal::KILL);
    assert_eq!(ending(stage.tui.wait_exit(SOON)), "signal 9");
    for server in stage.cluster.servers() {
        assert_no_sessions(server, SOON);
    }
}

/// Not a test by itself: [`panicking`] runs it.
#[test]
fn dashboard_that_panics() {
    crate::support::stage::dashboard_that_panics();
}

/// A panic anywhere first gives the terminal back, then the message is printed, and the rest ends in order.
#[test]
fn a_panic_gives_the_terminal_back_and_leaves_no_session() {
    let cluster = cluster().standbys(1).start().unwrap();
    let config = ConfigFile::new("", cluster.servers());
    let mut stage = Stage { tui: panicking(&config, "terminal::dashboard_that_panics"), config, cluster };
    stage.wait_healthy(2);
    stage.run(LONG);
    panic_now(&stage.config);
    assert_eq!(ending(stage.tui.wait_exit(LEAVING)), "code 0", "\n{}", stage.tui.screen_text());
    assert_eq!(stage.tui.restored(), Ok(()));
    // Printed where it remains visible: after the alternate screen was left.
    let raw = String::from_utf8_lossy(&stage.tui.raw()).into_owned();
    let (_, after) = raw.rsplit_once("\x1b[?1049l").expect("the alternate screen was left");
    assert!(after.contains("a panic for a test"), "{after}");
    stage.assert_no_sessions();
}
