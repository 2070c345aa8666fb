//! What changes on servers, as the event log and the Events screen of a running dashboard tell it: each change once.

use std::fs;
use std::time::Duration;

use pgwatch::demo::{Server, StopMode};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// How long a key takes to show its effect on a machine that is not very busy.
const MOMENT: Duration = Duration::from_secs(2);

/// Within which a change is told: some refreshes, on a machine that is busy. Rules alone ask every 30 s or less often.
const PROMPT: Duration = Duration::from_secs(8);

/// A dashboard with an event log.
struct Logged {
    tui: Tui,
    folder: TempDir,
    _config: ConfigFile,
}

impl Logged {
    /// Starts a dashboard, and waits until all nodes are known.
    fn start<'a>(servers: impl IntoIterator<Item = &'a Server> + Clone) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = ConfigFile::new("refresh: 250ms\n", servers.clone());
        let path = folder.path().join("events.jsonl");
        let args = ["--config", config.arg(), "--event-log", path.to_str().unwrap()];
        let tui = Tui::start(&args, 140, 40, &[]);
        let logged = Self { tui, folder, _config: config };
        let nodes = servers.into_iter().count();
        let is_up = || logged.of("health").iter().filter(|line| line["to"] == "healthy").count() >= nodes;
        wait_for("all nodes are up", PATIENCE, || is_up().then_some(()));
        // What differs from the first figures is a change.
        logged.tui.wait_text(" tps ", SOON);
        logged
    }

    /// Opens a view and waits for its first answer. The views are read in the background at the start: until then there
    /// is none of that name.
    #[track_caller]
    fn open(&mut self, view: &str, says: &str) {
        let is_there = (0..20).any(|_| {
            self.tui.press(&format!(":view {view}<enter>"));
            let is_there = self.tui.sees(MOMENT, |screen| screen.contents().contains(says)).is_ok();
            if !is_there {
                self.tui.press("<esc>");
                let _ = self.tui.sees(MOMENT / 4, |_| false);
            }
            is_there
        });
        assert!(is_there, "{}", self.tui.screen_text());
    }

    /// Waits until the first answer to a view is there, and goes back to the first screen.
    fn know(&mut self, view: &str, says: &str) {
        self.open(view, says);
        self.tui.press("1");
        self.tui.wait_text("LAST MINUTE", SOON);
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("events.jsonl")).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The lines of one kind.
    fn of(&self, event: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// Waits for a line of this kind that has these fields.
    #[track_caller]
    fn wait(&self, event: &str, fields: &[(&str, &str)]) -> Value {
        let has = |line: &Value| fields.iter().all(|(key, value)| line[key] == *value);
        let found = || self.of(event).into_iter().find(has);
        wait_for(&format!("{event} {fields:?} among {:#?}", self.changes()), SOON, found)
    }

    /// Waits for a change of replication that is told with the next refresh, and is not there yet.
    #[track_caller]
    fn prompt(&self, side: &str, name: &str, change: &str, sql: &str, on: &Server) -> Value {
        let has = |line: &&Value| line["side"] == side && line["name"] == name && line["change"] == change;
        let count = || self.of("replication").iter().filter(has).count();
        let before = count();
        on.psql(sql).unwrap();
        wait_for(&format!("{change} of {name} among {:#?}", self.changes()), PROMPT, || {
            (count() > before).then_some(())
        });
        self.of("replication").iter().rfind(has).unwrap().clone()
    }

    /// All changes, in short.
    fn changes(&self) -> Vec<String> {
        let kinds = ["role", "timeline", "restarted", "version", "replication", "settings", "alert", "objects"];
        let lines = self.lines().into_iter().filter(|line| kinds.iter().any(|kind| line["event"] == *kind));
        lines.map(|line| format!("{} {}: {}", line["node"], line["event"], line["message"])).collect()
    }

    /// Leaves; every line of the log has its number and is not dated before the one above it.
    fn stop(mut self) {
        self.tui.press("<c-c>");
        assert_eq!(ending(self.tui.wait_exit(LEAVING)), "code 0", "\n{}", self.tui.screen_text());
        let lines = self.lines();
        let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
        assert_eq!(lines.last().unwrap()["event"], "stopped");
    }
}

fn reload(server: &Server, sql: &str) {
    server.psql(&format!("{sql};\nselect pg_reload_conf();")).unwrap();
}

#[test]
fn role_and_timeline_of_a_promotion_are_told_once() {
    let cluster = cluster().standbys(1).start().unwrap();
    let mut logged = Logged::start(cluster.servers());
    cluster.server("standby1").promote().unwrap();
    let role = logged.wait("role", &[("node", "standby1"), ("from", "standby"), ("to", "primary")]);
    assert_eq!(role["severity"], "warning");
    let timeline = logged.wait("timeline", &[("node", "standby1")]);
    assert_eq!((&timeline["from"], &timeline["to"]), (&1.into(), &2.into()));
    // Its sender on the primary went with it.
    logged.wait("replication", &[("node", "primary"), ("side", "sender"), ("name", "standby1"), ("change", "gone")]);
    logged.tui.press("0");
    logged.tui.wait_text("it was promoted: it is a primary now", SOON);
    assert_eq!((logged.of("role").len(), logged.of("timeline").len()), (1, 1), "{:#?}", logged.changes());
    logged.tui.press(":node standby1<enter>");
    logged.tui.wait_text("it was promoted: it is a primary now", SOON);
    logged.stop();
}

#[test]
fn wal_streaming_that_is_lost_and_back_is_told_by_both_ends() {
    let cluster = cluster().standbys(1).start().unwrap();
    let standby = cluster.server("standby1");
    let logged = Logged::start(cluster.servers());
    let secret = "s3cr3t-of-the-sender";
    reload(standby, &format!("alter system set primary_conninfo = 'host=127.0.0.1 port=1 password={secret}'"));
    logged.wait("replication", &[("node", "standby1"), ("side", "receiver"), ("change", "lost")]);
    logged.wait("replication", &[("node", "primary"), ("side", "sender"), ("name", "standby1"), ("change", "gone")]);
    reload(standby, "alter system reset primary_conninfo");
    logged.wait("replication", &[("node", "standby1"), ("side", "receiver"), ("change", "back")]);
    logged.wait("replication", &[("node", "primary"), ("side", "sender"), ("name", "standby1"), ("change", "back")]);
    let settings = logged.wait("settings", &[("node", "standby1")]);
    let changed = &settings["changed"][0];
    assert_eq!(changed["name"], "primary_conninfo");
    assert_eq!((&changed["from"], &changed["to"]), (&Value::Null, &Value::Null), "it may hold a password");
    assert_eq!(logged.of("replication").len(), 4, "{:#?}", logged.changes());
    let text = fs::read_to_string(logged.folder.path().join("events.jsonl")).unwrap();
    assert!(!text.contains(secret), "{text}");
    logged.stop();
}

#[test]
fn a_stream_that_breaks_for_a_moment_is_told_and_one_that_breaks_again_and_again_in_few_lines() {
    let cluster = cluster().standbys(1).start().unwrap();
    let primary = cluster.primary();
    let logged = Logged::start(cluster.servers());
    let sender = "select pid from pg_stat_replication where state = 'streaming'";
    let broken = || {
        let pid = wait_for("the stream", SOON, || primary.psql(sender).ok().filter(|pid| !pid.is_empty()));
        primary.psql(&format!("select pg_terminate_backend({pid})")).unwrap();
        let is_new = || primary.psql(sender).ok().filter(|now| !now.is_empty() && *now != pid);
        wait_for("another stream", SOON, is_new);
    };
    broken();
    let back = [("node", "primary"), ("side", "sender"), ("name", "standby1"), ("change", "back")];
    logged.wait("replication", &back);
    let failing = [("node", "primary"), ("side", "sender"), ("name", "standby1"), ("change", "failing")];
    let is_told =
        || logged.of("replication").iter().any(|line| line["node"] == "primary" && line["change"] == "failing");
    wait_for("it is unsteady", PATIENCE, || {
        broken();
        is_told().then_some(())
    });
    assert_eq!(logged.wait("replication", &failing)["severity"], "warning");
    for _ in 0..4 {
        broken();
    }
    let of = |node: &str| logged.of("replication").into_iter().filter(|line| line["node"] == node).count();
    assert!(of("primary") <= 5 && of("standby1") <= 5, "{:#?}", logged.changes());
    logged.stop();
}

#[test]
fn settings_are_told_with_both_values_and_a_restart_with_its_times() {
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    let mut logged = Logged::start(cluster.servers());
    let changed = |line: &Value| -> Vec<String> {
        let of = |key: &str, of: &Value| of[key].as_str().unwrap_or("null").to_owned();
        let each = line["changed"].as_array().unwrap().iter();
        each.map(|one| format!("{} {} {} {}", of("name", one), of("from", one), of("to", one), one["pending_restart"]))
            .collect()
    };
    let nth = |count: usize| wait_for("settings", SOON, || logged.of("settings").get(count - 1).cloned());
    let work_mem = primary.psql("show work_mem").unwrap();
    reload(primary, "alter system set work_mem = '9MB';\nalter system set log_checkpoints = off");
    assert_eq!(changed(&nth(1)), ["log_checkpoints on off false".to_owned(), format!("work_mem {work_mem} 9MB false")]);
    reload(primary, "alter system reset work_mem;\nalter system reset log_checkpoints");
    assert_eq!(changed(&nth(2)), ["log_checkpoints off on false".to_owned(), format!("work_mem 9MB {work_mem} false")]);
    let connections = primary.psql("show max_connections").unwrap();
    reload(primary, "alter system set max_connections = 77;\nalter system set cluster_name = 'renamed'");
    let pending = nth(3);
    assert_eq!(
        changed(&pending),
        ["cluster_name primary null true".to_owned(), format!("max_connections {connections} null true")]
    );
    assert_eq!(pending["severity"], "warning");
    primary.stop(StopMode::Fast).unwrap();
    primary.start().unwrap();
    let restarted = logged.wait("restarted", &[("node", "primary")]);
    assert!(restarted["from"].as_str().unwrap() < restarted["to"].as_str().unwrap(), "{restarted}");
    assert_eq!(
        changed(&nth(4)),
        ["cluster_name primary renamed false".to_owned(), format!("max_connections {connections} 77 false")]
    );
    assert_eq!(logged.of("restarted").len(), 1);
    // A session of ours that ends is no restart.
    primary.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    wait_for("our sessions are back", SOON, || (logged.of("connected").len() > 2).then_some(()));
    logged.tui.press("0");
    logged.tui.wait_text("max_connections", SOON);
    assert_eq!((logged.of("restarted").len(), logged.of("settings").len()), (1, 4), "{:#?}", logged.changes());
    logged.stop();
}

#[test]
fn slots_senders_and_alerts_that_come_and_go_are_told() {
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    let mut logged = Logged::start(cluster.servers());
    logged.know("slots", "this node has no replication slots");
    for _ in 0..2 {
        let create = "select pg_create_physical_replication_slot('spare', true)";
        assert_eq!(logged.prompt("slot", "spare", "new", create, primary)["severity"], "info");
        let drop = "select pg_drop_replication_slot('spare')";
        assert_eq!(logged.prompt("slot", "spare", "gone", drop, primary)["severity"], "warning");
    }
    reload(primary, "alter system set max_connections = 77");
    let raised = logged.wait("alert", &[("rule", "pending_restart"), ("change", "raised")]);
    assert_eq!(raised["severity"], "warning");
    assert!(raised["message"].as_str().unwrap().contains("need a restart"), "{raised}");
    reload(primary, "alter system reset max_connections");
    logged.wait("alert", &[("rule", "pending_restart"), ("change", "cleared")]);
    logged.stop();
}

#[test]
fn subscriptions_that_are_disabled_or_fail_are_told() {
    let cluster = cluster().config("wal_level", "logical").start().unwrap();
    let primary = cluster.primary();
    let mut logged = Logged::start(cluster.servers());
    logged.know("subscriptions", "this database has no subscriptions");
    let create = "create subscription s connection 'host=127.0.0.1 port=1 dbname=postgres' publication p \
                  with (connect = false, slot_name = none)";
    logged.prompt("subscription", "s", "new", create, primary);
    let enable = "alter subscription s set (slot_name = s);\nalter subscription s enable";
    logged.prompt("subscription", "s", "back", enable, primary);
    let fails =
        wait_for("failing", PATIENCE, || logged.of("replication").into_iter().find(|line| line["change"] == "failing"));
    assert_eq!((&fails["name"], &fails["severity"]), (&"s".into(), &"critical".into()));
    logged.prompt("subscription", "s", "lost", "alter subscription s disable", primary);
    let drop = "alter subscription s set (slot_name = none);\ndrop subscription s";
    logged.prompt("subscription", "s", "gone", drop, primary);
    // One that works has a sender at the publisher: here it is the same server.
    primary.psql("create publication p;\nselect pg_create_logical_replication_slot('own', 'pgoutput')").unwrap();
    let (port, password) = (primary.port(), primary.password().expose());
    let create = format!(
        "create subscription own connection 'host=127.0.0.1 port={port} user=repl password={password} dbname=postgres' \
         publication p with (create_slot = false, copy_data = false)"
    );
    logged.prompt("subscription", "own", "new", &create, primary);
    logged.wait("replication", &[("side", "sender"), ("name", "own"), ("change", "new")]);
    logged.prompt("sender", "own", "gone", "alter subscription own disable", primary);
    logged.stop();
}

#[test]
fn tables_and_indexes_that_come_and_go_are_told_while_their_view_is_shown() {
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    let mut logged = Logged::start(cluster.servers());
    primary.psql("create table public.before (a int)").unwrap();
    logged.open("tables", "before");
    primary.psql("create table public.after (a int);\ncreate temporary table passing (a int)").unwrap();
    let new = logged.wait("objects", &[("type", "table"), ("change", "new")]);
    assert_eq!(new["names"], serde_json::json!(["public.after"]));
    primary.psql("drop table public.before").unwrap();
    let gone = logged.wait("objects", &[("type", "table"), ("change", "gone")]);
    assert_eq!(gone["names"], serde_json::json!(["public.before"]));
    assert_eq!(gone["message"], "table public.before is gone");
    logged.stop();
}

#[test]
fn one_kill_is_one_line_and_enter_shows_what_was_seen_of_it() {
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    let mut logged = Logged::start(cluster.servers());
    primary.kill().unwrap();
    logged.tui.press("0");
    logged.tui.wait_text("down", SOON);
    wait_for("it is tried again", SOON, || {
        logged.of("health").iter().any(|line| line["to"] == "reconnecting").then_some(())
    });
    let lines =
        |tui: &Tui| tui.screen_text().lines().filter(|line| line.starts_with('│') && line.contains("primary")).count();
    assert_eq!(lines(&logged.tui), 2, "connected, down:\n{}", logged.tui.screen_text());
    logged.tui.press("<enter>");
    logged.tui.wait_text("→ unhealthy", SOON);
    logged.tui.press("<esc>");
    logged.tui.wait_for("the details are closed", SOON, |screen| !screen.contents().contains("→ unhealthy"));
    primary.start().unwrap();
    logged.tui.wait_text("down for", PATIENCE);
    logged.wait("restarted", &[("node", "primary")]);
    logged.tui.wait_text("the server was started again", SOON);
    assert_eq!(lines(&logged.tui), 4, "connected, down, connected, restarted:\n{}", logged.tui.screen_text());
    logged.stop();
}
