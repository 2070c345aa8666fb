//! Alerts in the dashboard, from the server to the screen and back.

use super::home;
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, assert_no_sessions, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON};

#[test]
fn an_alert_comes_is_acknowledged_and_is_over() {
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    primary.psql("select pg_create_physical_replication_slot('nobody', true)").unwrap();
    let unread = "title: Unread\nview: slots\ncolumn: active\ncritical: \"= false\"\nevery: 1s\nsays: \"nobody reads {slot}\"\n\
                  remedy: drop it\n";
    let home = home(&[("slot_unread", unread)]);
    let config = ConfigFile::new("", cluster.servers());
    let env = [("XDG_CONFIG_HOME", home.path().to_str().unwrap())];
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &env);
    tui.wait_text("● healthy", PATIENCE);
    tui.wait_text("▲ 1 alert", PATIENCE);
    tui.wait_text("● healthy ▲", SOON);
    tui.press("t");
    tui.wait_text("nobody reads nobody", SOON);
    tui.wait_text("drop it", SOON);
    // To the view of the rule, on its node, and back.
    tui.press("<enter>");
    tui.wait_text("only primary", SOON);
    // First all nodes, then back.
    tui.press("<esc>");
    tui.wait_for("all nodes", SOON, |screen| !screen.contents().contains("only primary"));
    tui.press("<esc>");
    tui.wait_text("What to do", SOON);
    tui.press("<space>");
    tui.wait_text("1 acknowledged", SOON);
    tui.wait_for("nothing is counted", SOON, |screen| !screen.contents().contains("1 alert "));
    primary.psql("select pg_drop_replication_slot('nobody')").unwrap();
    tui.wait_text("No alert.", SOON);
    tui.press("0");
    tui.wait_text("alert over", SOON);
    tui.press("<c-c>");
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0", "\n{}", tui.screen_text());
    assert_no_sessions(primary, SOON);
}
