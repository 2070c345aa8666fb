//! `pgwatch status` on servers where a rule finds something.

use std::path::Path;

use pgwatch::demo::Server;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls};

use super::home;
use crate::support::command::{code, err, keys, out, pgwatch};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{SOON, eventually, wait_for};

pub(super) fn status(config: &ConfigFile, home: &Path) -> (Value, i32) {
    let args = ["status", "--config", config.arg(), "--format", "json"];
    let output = pgwatch(&args).env("XDG_CONFIG_HOME", home).output().unwrap();
    let report = serde_json::from_str(out(&output)).unwrap_or_else(|e| panic!("{e}: {}", err(&output)));
    (report, code(&output))
}

/// Rule, node and severity of each alert.
fn told(report: &Value) -> Vec<[&str; 3]> {
    let alerts = report["alerts"].as_array().unwrap();
    alerts.iter().map(|alert| ["rule", "node", "severity"].map(|key| alert[key].as_str().unwrap())).collect()
}

/// Rule, node and severity of each alert, in the order of their rules.
pub(super) fn by_rule(report: &Value) -> Vec<String> {
    let mut found: Vec<String> = told(report).iter().map(|alert| alert.join(" ")).collect();
    found.sort();
    found
}

/// A session, and the tasks that drive its connection.
async fn session(server: &Server) -> (Client, JoinSet<Result<(), tokio_postgres::Error>>) {
    let node = server.node_config_as("postgres");
    let mut config = Config::new();
    config.host(&node.host).port(node.port).user("postgres").password(server.password().expose()).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    (client, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_reports_what_rules_find_and_exits_accordingly() {
    let cluster = cluster().standbys(1).start().unwrap();
    let primary = cluster.primary();
    let config = ConfigFile::new("", cluster.servers());
    let ours = home(&[]);
    let (report, code) = status(&config, ours.path());
    assert_eq!((told(&report), code), (vec![], 0), "{report:#}");

    // A database that was half dropped, and an unfinished index. The standby has the index too, but cannot know whether
    // it is being built.
    primary.psql("create database half").unwrap();
    primary.psql("update pg_database set datconnlimit = -2 where datname = 'half'").unwrap();
    primary.psql("create table twice as select 1 as n from generate_series(1, 2)").unwrap();
    primary.psql("create unique index concurrently broken on twice (n)").unwrap_err();
    let expected = [["invalid_database", "primary", "warning"], ["invalid_index", "primary", "warning"]];
    let replayed = "select count(*) > 0 from pg_index where not indisvalid";
    let standby = cluster.server("standby1");
    wait_for("the index on the standby", SOON, || (standby.psql(replayed).ok()? == "t").then_some(()));
    let (report, code) = eventually("both are found", SOON, async || {
        let seen = status(&config, ours.path());
        (told(&seen.0).len() == expected.len()).then_some(seen)
    })
    .await;
    assert_eq!((told(&report), code), (expected.to_vec(), 1), "{report:#}");
    let alert = &report["alerts"][0];
    assert_eq!(keys(alert), ["rule", "node", "severity", "since", "message", "remedy"]);
    let message = alert["message"].as_str().unwrap();
    assert!(message.starts_with("database half is invalid"), "{message}");
    assert!(alert["since"].as_str().unwrap().ends_with('Z') && alert["remedy"].is_string(), "{alert:#}");

    // A user's rule counts like ours, one of the same name replaces ours, and one that is off finds nothing.
    let idle = "title: Idle\nview: activity\ncolumn: duration_ms\ncritical: \">10ms\"\nwhere: {state: \"= idle in transaction\"}\n\
                for: 1h\nsays: \"{user} is idle\"\n";
    let off = "off: true\n";
    let mine = home(&[("idle_in_transaction", idle), ("invalid_index", off), ("invalid_database", off)]);
    let (client, _tasks) = session(primary).await;
    client.batch_execute("begin; select 1").await.unwrap();
    let (report, code) = eventually("it is idle for long", SOON, async || {
        let seen = status(&config, mine.path());
        (!told(&seen.0).is_empty()).then_some(seen)
    })
    .await;
    assert_eq!((told(&report), code), (vec![["idle_in_transaction", "primary", "critical"]], 2), "{report:#}");
    assert_eq!(report["summary"], json!({"healthy": 2, "degraded": 0, "down": 0}));
    assert_eq!(
        (&report["alerts"][0]["message"], &report["alerts"][0]["remedy"]),
        (&json!("postgres is idle"), &Value::Null)
    );
    client.batch_execute("rollback").await.unwrap();

    let output = pgwatch(&["status", "--config", config.arg()]).env("XDG_CONFIG_HOME", ours.path()).output().unwrap();
    let text = out(&output);
    for said in [
        "2 healthy, 0 degraded, 0 down\nprimary: database half is invalid",
        "\n\n◐ warning  primary: database half is invalid",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn check_and_status_report_faults_in_rules() {
    let config = ConfigFile::new("", []);
    std::fs::write(&config.path, "nodes:\n  a: {host: 127.0.0.1, port: 1, user: x}\n").unwrap();
    let home = home(&[("mine", "title: x\nview: slot\ncolumn: y\nwarning: \">1\"\nsays: x\n")]);
    let output = pgwatch(&["check", "--config", config.arg()]).env("XDG_CONFIG_HOME", home.path()).output().unwrap();
    assert_eq!((code(&output), out(&output)), (2, ""));
    assert!(
        err(&output).ends_with("mine.yaml:2:7: there is no view \"slot\": did you mean slots?\n"),
        "{}",
        err(&output)
    );
    let output = pgwatch(&["status", "--config", config.arg()]).env("XDG_CONFIG_HOME", home.path()).output().unwrap();
    assert_eq!(code(&output), 2, "the node is down");
    assert!(err(&output).contains("did you mean slots?"), "{}", err(&output));
}
