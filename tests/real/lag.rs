//! How far standbys are behind: the same in every place, while WAL stops to arrive in each way that it can.

use std::time::{Duration, Instant};

use pgwatch::demo::{Cluster, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::command::{object, out, run};
use crate::support::pty::Tui;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// A standby is late after ten seconds by default.
const LATE: f64 = 10.5;
/// How far two readings of a lag that grows may differ: they are taken one after the other, on a busy machine.
const APART: f64 = 12.0;

/// Writes to the primary all the time, until it is dropped.
struct Load(std::process::Child);

impl Load {
    fn on(primary: &Server) -> Self {
        primary.psql("create table if not exists load(n int)").unwrap();
        let work = "do $$ begin for i in 1..36000 loop insert into load values (i); commit; perform pg_sleep(0.1); end loop; end $$";
        let mut client = primary.client("postgres");
        Self(client.args(["-X", "-q", "-c", work]).spawn().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn reload(server: &Server, name: &str, value: &str) {
    server.psql(&format!("alter system set {name} = '{value}'")).unwrap();
    server.psql("select pg_reload_conf()").unwrap();
}

fn status(config: &ConfigFile) -> (Value, i32) {
    object(&["status", "--config", config.arg(), "--format", "json"])
}

fn of<'a>(report: &'a Value, node: &str) -> &'a Value {
    report["nodes"].as_array().unwrap().iter().find(|of| of["name"] == node).unwrap()
}

/// Rule and node of each alert on lag.
fn told(report: &Value) -> Vec<(String, String)> {
    let alerts = report["alerts"].as_array().unwrap().iter();
    let word = |alert: &Value, key: &str| alert[key].as_str().unwrap().to_owned();
    let rules = ["standby_behind", "replication_stopped", "replay_paused", "split_brain", "topology"];
    alerts
        .map(|alert| (word(alert, "rule"), word(alert, "node")))
        .filter(|(rule, _)| rules.contains(&rule.as_str()))
        .collect()
}

/// The seconds that a screen shows in the row of a node: `≥13 s ▲`, `1 min`, `12 ms`.
fn seconds(screen: &str, node: &str) -> Option<f64> {
    let row = screen.lines().find(|line| {
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).collect();
        words.contains(&node) && (line.contains("standby") || line.contains("streaming") || line.contains("stopped"))
    })?;
    longest(row)
}

/// The longest time in a line, in seconds.
fn longest(row: &str) -> Option<f64> {
    let words: Vec<&str> = row.split_whitespace().collect();
    let lag = words.windows(2).filter_map(|pair| {
        let number: f64 = pair[0].trim_start_matches('≥').parse().ok()?;
        let unit = match pair[1] {
            "ms" => 0.001,
            "s" => 1.0,
            "min" => 60.0,
            _ => return None,
        };
        Some(number * unit)
    });
    // The ping is shorter than any lag of this file.
    lag.fold(None, |most: Option<f64>, lag| Some(most.map_or(lag, |most| most.max(lag))))
}

fn walreceiver(server: &Server) -> i32 {
    let pid = || server.psql("select pid from pg_stat_wal_receiver").ok()?.parse().ok();
    wait_for("a WAL receiver", SOON, pid)
}

/// Wakes a process when the test ends, however it ends.
struct Frozen(Pid);

impl Frozen {
    fn new(pid: i32) -> Self {
        let pid = Pid::from_raw(pid).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

fn wait_streaming(cluster: &Cluster, standbys: usize) {
    let count = |server: &Server| {
        server.psql("select count(*) from pg_stat_replication where state = 'streaming'").ok()?.parse::<usize>().ok()
    };
    wait_for("all stream", PATIENCE, || {
        let all: usize = cluster.servers().iter().filter_map(count).sum();
        (all >= standbys).then_some(())
    });
}

/// A paused replay, a receiver that is cut off, and a frozen one at the end of a cascade.
#[test]
fn every_place_says_the_same_lag_while_a_replay_is_paused_a_receiver_cut_or_frozen() {
    let cluster = cluster().standbys(2).cascade().config("hot_standby_feedback", "off").start().unwrap();
    let [paused, cut, cascade] = ["standby1", "standby2", "cascade1"].map(|name| cluster.server(name));
    wait_streaming(&cluster, 3);
    let _load = Load::on(cluster.primary());
    let config = ConfigFile::new("", cluster.servers());
    let mut tui = Tui::start(&["--config", config.arg()], 200, 60, &[]);
    tui.wait_text("one primary, 3 standbys streaming", PATIENCE);
    // Without a commit that it has replayed, a standby does not tell the age of its data to who asks once.
    wait_replayed([paused, cut, cascade]);
    // The cascade stays behind a standby that only stops to replay.
    paused.psql("select pg_wal_replay_pause()").unwrap();
    reload(cut, "primary_conninfo", "host=127.0.0.1 port=1");
    let _frozen = Frozen::new(walreceiver(cascade));
    let names = ["standby1", "standby2", "cascade1"];
    tui.wait_for("all three are late", PATIENCE, |screen| {
        let text = screen.contents();
        names.iter().all(|name| seconds(&text, name) > Some(LATE))
    });
    for words in ["replay is paused", "its WAL receiver does not run", "its sender is silent"] {
        tui.wait_text(words, SOON);
    }
    let began = Instant::now();
    let nodes = names.map(|name| seconds(&tui.screen_text(), name));
    // The figures of the selected node, the primary.
    let figures = tui.screen_text();
    let worst = figures.lines().find_map(|line| line.split_once("1 streaming   worst standby1 ")?.1.split_once("  "));
    let worst = longest(worst.unwrap_or_else(|| panic!("{figures}")).0).unwrap();
    assert!((worst - nodes[0].unwrap()).abs() < 2.0, "{figures}");
    tui.press("2");
    tui.wait_for("the topology", SOON, |screen| {
        names.iter().all(|name| seconds(&screen.contents(), name) > Some(LATE))
    });
    let topology = names.map(|name| seconds(&tui.screen_text(), name));
    tui.press("5<tab>");
    tui.wait_for("the receivers", SOON, |screen| {
        let text = screen.contents();
        names.iter().all(|name| seconds(&text, name) > Some(LATE)) && text.contains("replay is paused")
    });
    let replication = names.map(|name| seconds(&tui.screen_text(), name));
    let (report, code) = status(&config);
    let (view, _) = object(&["view", "receivers", "--config", config.arg(), "--format", "json"]);
    let column = |name: &str| view["columns"].as_array().unwrap().iter().position(|of| of["name"] == name).unwrap();
    let (at, why) = (column("replay_lag_ms"), column("why"));
    for (nth, name) in names.into_iter().enumerate() {
        let row = &of_view(&view, name)["rows"][0];
        let json = of(&report, name)["lag"]["time_ms"].as_f64().map(|ms| ms / 1000.0);
        let table = row[at].as_f64().map(|ms| ms / 1000.0);
        let since = began.elapsed().as_secs_f64();
        // A screen shows whole minutes from the first on.
        let all = [nodes[nth], topology[nth], replication[nth], json, table];
        for (place, lag) in ["nodes", "topology", "replication", "status", "view"].into_iter().zip(all) {
            let lag = lag.unwrap_or_else(|| panic!("{place} tells no lag of {name}: {all:?}"));
            let first = nodes[nth].unwrap();
            assert!(
                lag > first - APART && lag < first + since + APART,
                "{place} of {name}: {lag} in {all:?} after {since}"
            );
        }
        let (said, listed) = (&of(&report, name)["lag"]["why"], &row[why]);
        assert!(said.is_string(), "{name}: {said}");
        // Who asks once cannot know that a receiver which calls itself streaming is frozen.
        assert!(name == "cascade1" || listed.is_string(), "{name}: {listed}");
        // Behind a cascade too, bytes count from the primary.
        assert!(of(&report, name)["lag"]["bytes"].as_u64().unwrap() > 0, "{report:#}");
        assert!(told(&report).contains(&("standby_behind".to_owned(), name.to_owned())), "{report:#}");
    }
    assert_eq!(code, 2, "{report:#}");
    assert_eq!(report["verdict"]["severity"], "critical", "{report:#}");
    let message = report["verdict"]["message"].as_str().unwrap();
    assert!(message.contains("replay is paused") && message.contains("standby2 is "), "{message}");
    tui.press("<c-c>");
    tui.wait_exit(LEAVING);
}

fn wait_replayed(standbys: [&Server; 3]) {
    let replayed = "select pg_last_xact_replay_timestamp() is not null";
    wait_for("a commit is replayed on all", PATIENCE, || {
        standbys.iter().all(|standby| standby.psql(replayed).is_ok_and(|told| told == "t")).then_some(())
    });
}

fn of_view<'a>(view: &'a Value, node: &str) -> &'a Value {
    view["nodes"].as_array().unwrap().iter().find(|of| of["node"] == node).unwrap()
}

/// Late on purpose, fed from an archive, and without any source.
#[test]
fn a_delay_and_an_archive_are_no_fault_and_a_standby_without_a_source_is() {
    let archive = tempfile::Builder::new().permissions(world()).tempdir().unwrap();
    let folder = archive.path().to_str().unwrap();
    let cluster = cluster()
        .standbys(3)
        .config("archive_mode", "on")
        .config("archive_command", &format!("test ! -f {folder}/%f && cp %p {folder}/%f && chmod a+r {folder}/%f"))
        .start()
        .unwrap();
    wait_streaming(&cluster, 3);
    let [delayed, fed, lost] = ["standby1", "standby2", "standby3"].map(|name| cluster.server(name));
    let primary = cluster.primary();
    primary.psql("create table t(n int)").unwrap();
    wait_replayed([delayed, fed, lost]);
    reload(delayed, "recovery_min_apply_delay", "1h");
    fed.psql(&format!("alter system set restore_command = 'cp {folder}/%f %p'")).unwrap();
    reload(fed, "primary_conninfo", "");
    // Beside one that is connected, a standby without an address matches nobody's sender.
    reload(lost, "primary_conninfo", "");
    wait_for("the two have no receiver", PATIENCE, || {
        let none = |server: &Server| server.psql("select count(*) from pg_stat_wal_receiver").ok();
        ([fed, lost].map(none) == [Some("0".to_owned()), Some("0".to_owned())]).then_some(())
    });
    let _load = Load::on(primary);
    let config = ConfigFile::new("", cluster.servers());
    let mut tui = Tui::start(&["--config", config.arg()], 200, 60, &[]);
    tui.wait_for("all are late by the clock", PATIENCE, |screen| {
        let text = screen.contents();
        ["standby1", "standby3"].iter().all(|name| seconds(&text, name) > Some(LATE))
    });
    // WAL that was archived is replayed.
    primary.psql("select pg_switch_wal()").unwrap();
    let position = primary.psql("select pg_current_wal_lsn() - '0/0'").unwrap();
    let caught_up = format!("select pg_last_wal_replay_lsn() - '0/0' >= {position} - 16 * 1024 * 1024");
    wait_for("replay from the archive", PATIENCE, || (fed.psql(&caught_up).ok()? == "t").then_some(()));
    let (report, code) = status(&config);
    assert_eq!(of(&report, "standby1")["lag"]["why"], "delayed by 1 h", "{report:#}");
    assert_eq!(of(&report, "standby2")["lag"]["why"], "from the archive", "{report:#}");
    let why = of(&report, "standby3")["lag"]["why"].as_str().unwrap();
    assert!(why.starts_with("receives nothing"), "{why}");
    let lost = "standby3".to_owned();
    assert_eq!(
        told(&report),
        [("replication_stopped".to_owned(), lost.clone()), ("standby_behind".to_owned(), lost)],
        "{report:#}"
    );
    assert_eq!(code, 2);
    tui.press("2");
    tui.wait_text("from the archive", SOON);
    tui.wait_text("delayed by 1 h", SOON);
    tui.wait_text("standby3 is a standby without an upstream", SOON);
    tui.press("<c-c>");
    tui.wait_exit(LEAVING);
}

fn world() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o777)
}

/// One transaction that writes for long and commits nothing: the last commit gets old, and nothing is late.
#[test]
fn a_long_transaction_without_other_commits_is_no_lag() {
    let cluster = cluster().standbys(1).start().unwrap();
    wait_streaming(&cluster, 1);
    let primary = cluster.primary();
    primary.psql("create table t(n int)").unwrap();
    let work = "begin; do $$ begin for i in 1..6000 loop insert into t values (i); perform pg_sleep(0.01); end loop; end $$; rollback";
    let mut client = primary.client("postgres");
    let _load = Load(client.args(["-X", "-q", "-c", work]).spawn().unwrap());
    let age = "select extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) > 12";
    wait_for("the last commit is old", PATIENCE, || (cluster.server("standby1").psql(age).ok()? == "t").then_some(()));
    let config = ConfigFile::new("", cluster.servers());
    let (report, code) = status(&config);
    assert_eq!((told(&report), code), (vec![], 0), "{report:#}");
    // It is behind by the time between two answers at most.
    assert!(of(&report, "standby1")["lag"]["time_ms"].as_f64() < Some(5000.0), "{report:#}");
}

/// A function that the figures need is not ours to call: what cannot be judged is named, and is never a success.
#[test]
fn a_rule_that_cannot_be_judged_is_named_and_exits_with_3() {
    let cluster = cluster().standbys(1).start().unwrap();
    wait_streaming(&cluster, 1);
    let config = ConfigFile::new("", cluster.servers());
    cluster.primary().psql("revoke execute on function pg_last_wal_receive_lsn() from public").unwrap();
    let denied = "select has_function_privilege('pgwatch', 'pg_last_wal_receive_lsn()', 'execute')";
    wait_for("the revocation is replayed", SOON, || {
        (cluster.server("standby1").psql(denied).ok()? == "f").then_some(())
    });
    reload(cluster.server("standby1"), "primary_conninfo", "host=127.0.0.1 port=1");
    let (report, code) = status(&config);
    assert_eq!(code, 3, "{report:#}");
    let not_judged = report["not_judged"].as_array().unwrap();
    assert!(
        not_judged
            .iter()
            .any(|of| of["node"] == "standby1" && of["reason"].as_str().unwrap().contains("pg_last_wal_receive_lsn")),
        "{report:#}"
    );
    let output = run(&["status", "--config", config.arg()]);
    assert!(out(&output).contains("? not judged  standby1"), "{}", out(&output));
}

/// Two standbys that go by the name which the server gives by default: a sender belongs to one of them only.
#[test]
fn a_sender_is_given_to_one_standby_only() {
    let cluster = cluster().standbys(2).config("cluster_name", "").start().unwrap();
    wait_streaming(&cluster, 2);
    let [connected, other] = ["standby1", "standby2"].map(|name| cluster.server(name));
    let plain = "alter system set primary_slot_name = ''; ";
    let conninfo = connected.psql("show primary_conninfo").unwrap();
    let without =
        conninfo.split_whitespace().filter(|part| !part.starts_with("application_name")).collect::<Vec<_>>().join(" ");
    connected.psql(plain).unwrap();
    reload(connected, "primary_conninfo", &without.replace('\'', "''"));
    other.psql(plain).unwrap();
    reload(other, "primary_conninfo", "");
    let named = "select count(*) from pg_stat_replication where application_name = 'walreceiver'";
    wait_for("one sender, by its default name", PATIENCE, || {
        (cluster.primary().psql(named).ok()? == "1").then_some(())
    });
    let config = ConfigFile::new("", cluster.servers());
    let tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
    let mut tui = tui;
    tui.wait_text("standby2 receives nothing", PATIENCE);
    tui.press("2");
    tui.wait_text("standby2 is a standby without an upstream", SOON);
    tui.wait_text("└─ ● standby1", SOON);
    tui.press("<c-c>");
    tui.wait_exit(LEAVING);
    let (report, code) = status(&config);
    assert_eq!(
        (told(&report).into_iter().map(|(rule, node)| format!("{rule} {node}")).collect::<Vec<_>>(), code),
        (vec!["replication_stopped standby2".to_owned()], 2),
        "{report:#}"
    );
}

/// How long a change may take to be seen: one refresh, a confirmation, and a busy machine.
const SEEN: Duration = Duration::from_secs(10);

/// A standby that is promoted beside its primary, and what streams from the promoted one.
#[test]
fn a_promotion_beside_a_primary_is_a_split_brain_on_both_rows_at_once() {
    let cluster = cluster().standbys(1).cascade().start().unwrap();
    wait_streaming(&cluster, 2);
    let config = ConfigFile::new("", cluster.servers());
    let mut tui = Tui::start(&["--config", config.arg()], 160, 40, &[]);
    tui.wait_text("one primary, 2 standbys streaming", PATIENCE);
    cluster.server("standby1").promote().unwrap();
    tui.wait_text("split brain: primary (timeline 1) and standby1 (timeline 2)", SEEN);
    tui.wait_for("both rows say so", SEEN, |screen| {
        let text = screen.contents();
        let rows =
            ["▸ primary ", "  standby1 "].map(|name| text.lines().find(|line| line.contains(name)).map(str::to_owned));
        rows.iter().flatten().filter(|row| row.contains("split brain") && row.contains('▲')).count() == 2
    });
    let (report, code) = status(&config);
    let split = |node: &str| ("split_brain".to_owned(), node.to_owned());
    assert!(told(&report).contains(&split("primary")) && told(&report).contains(&split("standby1")), "{report:#}");
    assert_eq!((code, &report["verdict"]["severity"]), (2, &Value::from("critical")));
    assert!(
        report["verdict"]["message"].as_str().unwrap().starts_with("split brain: primary (timeline 1) and standby1")
    );
    tui.press("<c-c>");
    tui.wait_exit(LEAVING);
}

/// Two databases of one server under two names, and a restored clone that the user tells apart.
#[test]
fn two_names_of_one_server_are_one_and_a_clone_has_a_cluster_of_its_own() {
    use std::fmt::Write as _;
    let cluster = cluster().standbys(1).start().unwrap();
    wait_streaming(&cluster, 1);
    let primary = cluster.primary();
    primary.psql("create database warehouse").unwrap();
    let config = ConfigFile::new("", cluster.servers());
    let mut text = std::fs::read_to_string(&config.path).unwrap();
    let (host, port, password) = (primary.host(), primary.port(), primary.password().expose());
    writeln!(text, "  warehouse: {{host: localhost, port: {port}, user: pgwatch, password: {password}, database: warehouse, sslmode: disable}}").unwrap();
    std::fs::write(&config.path, &text).unwrap();
    let (report, code) = status(&config);
    assert_eq!((report["alerts"].as_array().unwrap().len(), code), (0, 0), "{host}: {report:#}");
    assert_eq!(report["verdict"]["message"], "one primary, one standby streaming");
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
    tui.wait_text("one primary, one standby streaming", PATIENCE);
    tui.press("2");
    tui.wait_text("primary, warehouse", SOON);
    tui.wait_text("No problems found.", SOON);
    tui.press("<c-c>");
    tui.wait_exit(LEAVING);
    // The standby is promoted as a restored clone would be.
    cluster.server("standby1").promote().unwrap();
    let (report, _) = status(&config);
    assert!(told(&report).iter().any(|(rule, _)| rule == "split_brain"), "{report:#}");
    let clone = text.replace("  standby1: {host", "  standby1: {cluster: restored, host");
    std::fs::write(&config.path, clone).unwrap();
    let (report, _) = status(&config);
    assert!(!told(&report).iter().any(|(rule, _)| rule == "split_brain"), "{report:#}");
}
