//! All ways out of the dashboard.

use std::time::Duration;

use pgwatch::app::{Effect, Msg, Screen, update};
use pgwatch::model::protocol::ShutdownReport;
use pgwatch::model::{Command, EventKind};

use super::dashboard::Dashboard;

const DRAIN: Command = Command::Shutdown { drain: true };
const CANCEL: Command = Command::Shutdown { drain: false };

#[test]
fn q_leaves_at_the_top_only() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(dashboard.press("0q"), []);
    assert_eq!(dashboard.app.screen, Screen::Nodes);
    assert_eq!(dashboard.press("q"), [CANCEL], "nothing runs, nothing to wait for");
    let report = ShutdownReport { sessions_closed: 3, ..ShutdownReport::default() };
    assert_eq!(dashboard.tell(EventKind::Stopped(report)), [Effect::Quit]);
    assert_eq!(dashboard.app.stopped, Some(report));
}

#[test]
fn q_waits_for_the_users_queries_and_a_second_q_cancels_them() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press(":select pg_sleep(9)<enter>1");
    assert_eq!(dashboard.press("q"), [DRAIN]);
    let until = dashboard.now() + Duration::from_secs(10);
    dashboard.tell(EventKind::Draining { queries: 3, until });
    dashboard.wait(4);
    let leaving = dashboard.app.leaving.unwrap();
    assert_eq!((leaving.queries, leaving.left(dashboard.now())), (3, Some(Duration::from_secs(6))));
    assert!(dashboard.hints().contains("q cancel queries and quit"), "{}", dashboard.hints());
    assert_eq!(dashboard.press("q"), [CANCEL]);
    assert!(!dashboard.app.leaving.unwrap().drain);
    assert_eq!(dashboard.effects("qq<ctrl-c>"), [], "sessions are given time to close");
    dashboard.wait(2);
    assert_eq!(dashboard.effects("q"), [Effect::Quit], "but no more than that");
}

#[test]
fn ctrl_c_and_signals_leave_from_anywhere() {
    for keys in ["", "a", "d", ":sel", "9", "?", "<enter>"] {
        let mut dashboard = Dashboard::healthy();
        dashboard.press(keys);
        assert_eq!(dashboard.press("<ctrl-c>"), [CANCEL], "{keys}");
        assert!(dashboard.app.dialog.is_none() && dashboard.app.prompt.is_none(), "{keys}");
        let mut dashboard = Dashboard::healthy();
        dashboard.press(keys);
        assert_eq!(update(&mut dashboard.app, Msg::Terminate), [Effect::Send(CANCEL)], "{keys}");
    }
}

#[test]
fn ctrl_c_hurries_a_q_that_waits() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press(":select pg_sleep(9)<enter>1");
    assert_eq!(dashboard.press("q<ctrl-c>"), [DRAIN, CANCEL]);
}

#[test]
fn the_command_line_leaves_too() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(dashboard.press(":q<enter>"), [CANCEL]);
}
