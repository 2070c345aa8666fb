//! What a role may see: a plain one that may only log in, a member of `pg_monitor`, a superuser. Each watches and runs
//! statements. What a role may not see is unknown, never 0, and the screen names the remedy.
#![allow(clippy::print_stdout, reason = "what the screens said")]

use std::sync::OnceLock;
use std::time::Instant;

use pgwatch::demo::{Cluster, Server};
use serde_json::{Value, json};

use crate::support::command::{each, file, object};
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// A setting that only members of `pg_read_all_settings` see; `pg_monitor` is one.
const HIDDEN_SETTING: &str = "shared_preload_libraries";
/// True if the role sees what the standby's own session on the primary does.
const OTHERS: &str = "select count(*) > 0 as seen from pg_stat_activity where usename = 'repl' and state is not null";
const NO_RIGHT: &str = "select * from secrets";

/// What the detail screen shows of a node.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a table of what is known")]
struct Facts {
    version: bool,
    connections: bool,
    transactions: bool,
    active: bool,
    idle_in_transaction: bool,
    oldest_transaction: bool,
    standbys: bool,
    /// Of the standby: whether it streams, and how far it lags.
    streaming: bool,
    replay_lag: bool,
    /// The setting that not every role may see.
    hidden_setting: bool,
    /// Why figures are missing, with the remedy.
    remedy: bool,
}

/// A primary and a standby with a statement of the superuser running on each, so that there is a transaction to see.
fn servers() -> &'static Cluster {
    static CLUSTER: OnceLock<&'static Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // Until the program ends, as long as the statements run.
        let cluster: &'static Cluster = Box::leak(Box::new(cluster().standbys(1).start().unwrap()));
        let password = cluster.primary().password().expose();
        let plain = format!("create role plain login password '{password}'; create table secrets (n int)");
        cluster.primary().psql(&plain).unwrap();
        for server in cluster.servers() {
            std::thread::spawn(|| server.psql("select pg_sleep(3600)"));
            let ready = "select (select count(*) from pg_roles where rolname = 'plain') + (select count(*) from \
                         pg_stat_activity where query = 'select pg_sleep(3600)' and state = 'active')";
            wait_for("the role and the statement", SOON, || (server.psql(ready).unwrap() == "2").then_some(()));
        }
        cluster
    })
}

fn config(role: &str) -> ConfigFile {
    let node = |server: &Server| {
        let (name, port, password) = (server.name(), server.port(), server.password().expose());
        format!("  {name}: {{host: 127.0.0.1, port: {port}, user: {role}, database: postgres, password: {password}}}\n")
    };
    file(&format!("nodes:\n{}", servers().servers().iter().map(node).collect::<String>()))
}

/// A window large enough for everything about a node: figures on the left, settings on the right.
const SIZE: (u16, u16) = (160, 110);
const LEFT: u16 = 88;

/// The words of one side of the screen, with wrapped lines joined.
fn words(screen: &vt100::Screen, left: bool) -> String {
    let columns = if left { (0, LEFT) } else { (LEFT, SIZE.0 - LEFT) };
    let text = screen.rows(columns.0, columns.1).collect::<Vec<_>>().join(" ").replace(['│', '─', '╭', '╮'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True if a figure follows these words.
fn known(words: &str, label: &str) -> bool {
    words.split_once(label).is_some_and(|(_, rest)| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()))
}

/// Waits until the detail screens of both nodes show this, a few refreshes after they are healthy at the latest: a
/// standby that begins to stream has no lag yet.
#[track_caller]
fn assert_facts(role: &str, expected: &Facts) {
    let config = config(role);
    let mut tui = Tui::start(&["--config", config.arg()], SIZE.0, SIZE.1, &[]);
    tui.wait_for("both are healthy", PATIENCE, |screen| {
        screen.contents().lines().filter(|line| line.contains("● healthy")).count() == 2
    });
    let deadline = Instant::now() + SOON;
    let mut told = facts(role, &mut tui);
    while told != *expected && Instant::now() < deadline {
        told = facts(role, &mut tui);
    }
    assert_eq!(told, *expected, "{role}");
    tui.press("1q");
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0");
}

/// Reads the detail screens of both nodes.
fn facts(role: &str, tui: &mut Tui) -> Facts {
    let mut read = |node: &str| {
        tui.press(&format!(":node {node}<enter>"));
        // From the second refresh on, when rates are known.
        tui.wait_for("figures and settings", SOON, |screen| {
            let title = format!("╭─ {node} ");
            screen.contents().contains(&title)
                && known(&words(screen, true), "commit")
                && words(screen, false).contains("TimeZone")
        });
        (tui.screen(|screen| words(screen, true)), tui.screen(|screen| words(screen, false)))
    };
    let ((primary, settings), (standby, _)) = (read("primary"), read("standby1"));
    println!("{role}\n  {primary}\n  {standby}");
    let both = [&primary, &standby];
    let all = |label: &str| both.iter().all(|text| known(text, label));
    let remedy = format!("GRANT pg_monitor TO \"{role}\"");
    Facts {
        version: both.iter().all(|text| text.contains("PostgreSQL")),
        connections: both.iter().all(|text| text.contains(" of 60 ")),
        transactions: all("TPS"),
        active: all(" of 60 active"),
        idle_in_transaction: all("idle in tx"),
        oldest_transaction: all("Oldest transaction"),
        standbys: known(&primary, "Standbys"),
        streaming: standby.contains("streaming"),
        replay_lag: known(&standby, "Replay"),
        hidden_setting: settings.contains(HIDDEN_SETTING),
        remedy: both.iter().all(|text| text.contains(&remedy)),
    }
}

/// Health and what `status` reports of a node need no right at all.
#[track_caller]
fn assert_status(role: &str, sees_all: bool) {
    let config = config(role);
    let (status, ends) = object(&["status", "--config", config.arg(), "--format", "json"]);
    // What a plain role may not see cannot be judged, and says what would help.
    assert_eq!(ends, if sees_all { 0 } else { 3 }, "{status:#}");
    let not_judged = status["not_judged"].as_array().unwrap();
    let helps = |of: &Value| of["reason"].as_str().unwrap().contains("GRANT pg_monitor TO \"plain\"");
    assert_eq!((not_judged.is_empty(), not_judged.iter().any(helps)), (sees_all, !sees_all), "{status:#}");
    assert_eq!(each(&status, "state"), ["healthy", "healthy"]);
    assert_eq!(each(&status, "role"), ["primary", "standby"]);
    for field in ["server_version", "latency_ms", "connect_ms", "pool", "since"] {
        assert!(each(&status, field).iter().all(|value| !value.is_null()), "{field}: {status:#}");
    }
}

/// The primary's answer to a statement, and the exit code of the command.
fn ask(role: &str, sql: &str) -> (Value, i32) {
    let config = config(role);
    let (report, ends) = object(&["query", "--config", config.arg(), "--nodes", "primary", "--format", "json", sql]);
    (report["nodes"][0].clone(), ends)
}

/// Checks whether the role sees other sessions, and whether it can read a table of the superuser's; if not, the error
/// must have the right kind and a remedy.
#[track_caller]
fn assert_queries(role: &str, others: bool, table: bool) {
    let (answer, ends) = ask(role, OTHERS);
    assert_eq!((ends, &answer["rows"]), (0, &json!([[others]])), "{role}: {answer:#}");
    let (answer, ends) = ask(role, NO_RIGHT);
    assert_eq!((answer["ok"] == json!(true), ends), (table, i32::from(!table)), "{role}: {answer:#}");
    if !table {
        let error = &answer["error"];
        assert_eq!((&error["kind"], &error["sqlstate"]), (&json!("permission"), &json!("42501")), "{answer:#}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains(&format!("\"{role}\""))), "{answer:#}");
    }
}

/// What every role sees, and nothing else.
const FOR_ALL: Facts = Facts {
    version: true,
    connections: true,
    transactions: true,
    active: false,
    idle_in_transaction: false,
    oldest_transaction: false,
    standbys: true,
    streaming: false,
    replay_lag: true,
    hidden_setting: false,
    remedy: true,
};

/// Everything, so there is no remedy.
const ALL: Facts = Facts {
    active: true,
    idle_in_transaction: true,
    oldest_transaction: true,
    streaming: true,
    replay_lag: true,
    hidden_setting: true,
    remedy: false,
    ..FOR_ALL
};

#[test]
fn a_plain_role_learns_what_is_hidden_and_why() {
    assert_status("plain", false);
    assert_facts("plain", &FOR_ALL);
    assert_queries("plain", false, false);
}

#[test]
fn a_member_of_pg_monitor_sees_everything() {
    assert_status("pgwatch", true);
    assert_facts("pgwatch", &ALL);
    assert_queries("pgwatch", true, false);
}

#[test]
fn a_superuser_sees_everything() {
    assert_status("postgres", true);
    assert_facts("postgres", &ALL);
    assert_queries("postgres", true, true);
}
