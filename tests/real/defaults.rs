//! Defaults of a role, a database or a server that psql lives with: pgwatch's own sessions depend on none of them.

use std::collections::BTreeSet;
use std::time::Duration;

use pgwatch::config::views;
use pgwatch::model::protocol::Look;
use pgwatch::model::{BatchId, Command, NodeConfig};

use crate::support::command::{each, object};
use crate::support::here::not_run;
use crate::support::servers::{ConfigFile, cluster, sessions as count};
use crate::support::wait::{SOON, wait_for};
use crate::support::watched::{Watched, blocking, name, query};

/// A standby takes no serializable transaction, and a deferrable one waits on a primary.
#[test]
fn a_primary_and_its_standby_are_healthy_whatever_the_role_has_as_defaults() {
    let cluster = cluster().standbys(1).start().unwrap();
    let primary = cluster.primary();
    for setting in [
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "default_transaction_read_only = on",
        "standard_conforming_strings = off",
        "escape_string_warning = on",
        "search_path = nowhere",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = sql_standard",
        "bytea_output = escape",
        "extra_float_digits = -15",
        "quote_all_identifiers = on",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 1",
    ] {
        primary.psql(&format!("alter role pgwatch set {setting}")).unwrap();
    }
    let replayed = "select count(*) = 13 from (select unnest(setconfig) from pg_db_role_setting) settings";
    let standby = cluster.server("standby1");
    wait_for("the settings on the standby", SOON, || (standby.psql(replayed).unwrap() == "t").then_some(()));
    let config = ConfigFile::new("", cluster.servers());
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(each(&report, "state"), ["healthy", "healthy"]);
    assert_eq!(each(&report, "role"), ["primary", "standby"]);
}

/// A session that the server ends as idle would come back as another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_idle_sessions_ends_none_of_ours() {
    let cluster = cluster().config("log_min_messages", "info").start().unwrap();
    let server = cluster.primary();
    let major = server.psql("select current_setting('server_version_num')::int / 10000").unwrap();
    if major.parse::<u32>().unwrap() < 14 {
        return not_run("idle_session_timeout", "the server has it from PostgreSQL 14 on");
    }
    server.psql("alter role pgwatch set idle_session_timeout = 500").unwrap();
    let node = NodeConfig { name: name("n"), ..server.node_config() };
    let mut watched = Watched::healthy(vec![node]).await;
    let looks = vec![Look { view: views::ours()["activity"].clone(), nodes: None, pace: None }];
    watched.handle.send(Command::Look(looks)).await.unwrap();
    watched.handle.send(Command::Run(query(1, "select 1", &[&name("n")]))).await.unwrap();
    watched.outcome(BatchId(1)).await.result.unwrap();
    let sessions = || -> BTreeSet<String> {
        let sql = "select pid || ' ' || backend_start from pg_stat_activity where application_name = 'pgwatch'";
        blocking(|| server.psql(sql)).unwrap().lines().map(str::to_owned).collect()
    };
    // Probe, figures, views and the pool.
    blocking(|| wait_for("all sessions", SOON, || (count(server) >= 4).then_some(())));
    let known = sessions();
    // Nothing is asked for four times as long.
    watched.handle.send(Command::Look(Vec::new())).await.unwrap();
    watched.handle.send(Command::SetRefresh(Duration::from_mins(1))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(sessions(), known);
    watched.stop().await;
    let log = std::fs::read_to_string(server.log_file()).unwrap();
    assert!(!log.contains("idle-session timeout"), "{log}");
}
