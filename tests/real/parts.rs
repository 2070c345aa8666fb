//! One function that a role may not call, that is missing or that fails takes away only the figures that need it, and the
//! reason is told: as the library reports it, on the screen of the node, and by `pgwatch status`.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::Arc;

use pgwatch::demo::{Cluster, Server};
use pgwatch::model::facts::Part;
use pgwatch::model::{EventKind, Facts, NodeConfig, NodeName, Role, ServerFacts};

use crate::support::command::object;
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::{Watched, blocking};

/// A primary and a standby, and on each a statement that runs, so that there is a transaction to see.
struct Servers {
    sleepers: Vec<Child>,
    cluster: Cluster,
}

impl Servers {
    fn start() -> Self {
        let cluster = cluster().standbys(1).config("allow_system_table_mods", "on").start().unwrap();
        cluster.primary().psql("create table t (n int)").unwrap();
        let sleep = |server: &Server| {
            let mut psql = server.client("postgres");
            psql.args(["-c", "select pg_sleep(3600)"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let sleepers = cluster.servers().iter().map(sleep).collect();
        let servers = Self { sleepers, cluster };
        servers.until(
            "select count(*) = 1 and to_regclass('t') is not null from pg_stat_activity where query ~ '^select pg_sleep'",
        );
        servers
    }

    /// Waits until this is true on both.
    #[track_caller]
    fn until(&self, sql: &str) {
        for server in self.cluster.servers() {
            wait_for(sql, SOON, || (server.psql(sql).unwrap() == "t").then_some(()));
        }
    }

    fn run(&self, sql: &str) {
        self.cluster.primary().psql(sql).unwrap();
    }

    fn nodes(&self) -> Vec<NodeConfig> {
        self.cluster.servers().iter().map(Server::node_config).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.sleepers {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

type Told = (Arc<Facts>, Arc<ServerFacts>);

/// The first figures of a node, and what it says of itself.
async fn told(watched: &mut Watched, name: &NodeName) -> Told {
    let facts = watched.ever("figures", |event| match &event.kind {
        EventKind::Facts { node, facts } if node == name => Some(facts.clone().unwrap()),
        _ => None,
    });
    let facts = facts.await;
    let server = watched.ever("the server", |event| match &event.kind {
        EventKind::Server { node, server } if node == name => Some(Arc::clone(server)),
        _ => None,
    });
    (facts, server.await)
}

/// The figures that are known.
fn known((facts, server): &Told) -> BTreeSet<&'static str> {
    [
        ("connections", facts.connections.is_some()),
        ("max_connections", facts.max_connections.is_some()),
        ("active", facts.active.is_some() && facts.idle.is_some() && facts.idle_in_transaction.is_some()),
        ("waiting", facts.waiting_for_lock.is_some()),
        ("oldest", facts.oldest_transaction.is_some()),
        ("commits", facts.commits.is_some() && facts.rollbacks.is_some() && facts.deadlocks.is_some()),
        ("blocks", facts.blocks_hit.is_some() && facts.blocks_read.is_some() && facts.temp_bytes.is_some()),
        ("position", facts.wal_position.is_some()),
        ("received", facts.received.is_some()),
        ("commit_age", facts.commit_age.is_some()),
        ("paused", facts.replay_paused.is_some()),
        ("receiver", facts.receiver.is_some() && facts.receiver_silent.is_some()),
        ("senders", facts.senders.is_some()),
        ("timeline", facts.timeline.is_some()),
        ("config_loaded", facts.config_loaded.is_some()),
        ("started", server.started_at.is_some()),
        ("port", server.port.is_some()),
        ("apply_delay", server.apply_delay.is_some()),
        ("wal_segment", server.wal_segment.is_some()),
        ("rights", !server.rights.is_empty()),
        ("settings", !server.settings.is_empty()),
        ("pending_restart", server.pending_restart.is_some()),
        ("identifier", server.system_identifier.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, known)| known.then_some(name))
    .collect()
}

const SESSIONS: [&str; 3] = ["active", "waiting", "oldest"];

/// What the functions of our statements take away: function, figures of the primary, figures of the standby.
fn functions() -> Vec<(&'static str, Vec<&'static str>, Vec<&'static str>)> {
    let sessions = || SESSIONS.to_vec();
    let and = |more: &[&'static str]| [&SESSIONS[..], more].concat();
    vec![
        ("pg_is_in_recovery()", vec![], vec![]),
        ("pg_current_wal_lsn()", vec!["position", "timeline"], vec![]),
        ("pg_walfile_name(pg_lsn)", vec!["timeline"], vec![]),
        ("pg_last_wal_replay_lsn()", vec![], vec!["position"]),
        ("pg_last_wal_receive_lsn()", vec![], vec!["received"]),
        ("pg_last_xact_replay_timestamp()", vec![], vec!["commit_age"]),
        ("pg_is_wal_replay_paused()", vec![], vec!["paused"]),
        ("pg_stat_get_wal_receiver()", vec![], vec!["receiver", "timeline"]),
        ("pg_stat_get_wal_senders()", vec!["senders"], vec!["senders"]),
        ("pg_stat_get_activity(int4)", and(&["senders"]), and(&["senders"])),
        ("pg_backend_pid()", sessions(), sessions()),
        ("clock_timestamp()", sessions(), and(&["commit_age", "receiver", "timeline"])),
        ("pg_stat_get_db_deadlocks(oid)", vec!["commits", "blocks"], vec!["commits", "blocks"]),
        ("pg_conf_load_time()", vec!["config_loaded"], vec!["config_loaded"]),
        ("pg_postmaster_start_time()", vec!["started"], vec!["started"]),
        ("pg_control_system()", vec!["identifier"], vec!["identifier"]),
        ("pg_has_role(oid, text)", vec!["rights"], vec!["rights"]),
        (
            "pg_show_all_settings()",
            vec!["apply_delay", "settings", "pending_restart"],
            vec!["apply_delay", "settings", "pending_restart"],
        ),
        ("pg_size_bytes(text)", vec!["wal_segment"], vec!["wal_segment"]),
        ("current_setting(text)", vec!["settings"], vec!["settings"]),
        (
            "current_setting(text, bool)",
            vec!["max_connections", "port", "wal_segment"],
            vec!["max_connections", "port", "wal_segment"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_function_takes_away_only_what_needs_it() {
    let servers = blocking(Servers::start);
    let nodes = servers.nodes();
    let mut watched = Watched::healthy(nodes.clone()).await;
    let mut all = Vec::new();
    for node in &nodes {
        let told = told(&mut watched, &node.name).await;
        assert!(told.0.missing.is_empty() && told.1.missing.is_empty(), "{told:?}");
        all.push(known(&told));
    }
    watched.stop().await;
    assert!(all[0].contains("timeline") && all[1].contains("received") && all[1].contains("oldest"), "{all:?}");

    for (function, of_primary, of_standby) in functions() {
        let may = |may| format!("select {may} has_function_privilege('pgwatch', '{function}', 'execute')");
        blocking(|| {
            servers.run(&format!("revoke execute on function {function} from public, pg_monitor"));
            servers.until(&may("not"));
        });
        let mut watched = Watched::healthy(nodes.clone()).await;
        for ((node, all), gone) in nodes.iter().zip(&all).zip([of_primary, of_standby]) {
            let told = told(&mut watched, &node.name).await;
            let role = if node.name.as_str() == "primary" { Role::Primary } else { Role::Standby };
            assert_eq!(told.0.role, role, "{function}");
            let expected: BTreeSet<&str> = all.iter().filter(|name| !gone.contains(*name)).copied().collect();
            assert_eq!(known(&told), expected, "{function} on {}", node.name);
            let missing: Vec<_> = told.0.missing.iter().chain(&told.1.missing).collect();
            assert!(gone.is_empty() || !missing.is_empty(), "{function}: {told:?}");
            let name = function.split('(').next().unwrap();
            for missing in missing {
                assert_eq!(missing.error.message, format!("permission denied for function {name}"));
                let hint = missing.error.hint.as_deref().unwrap_or_default();
                assert!(hint.starts_with("GRANT EXECUTE ON FUNCTION ") && hint.ends_with(" TO \"pgwatch\""), "{hint}");
            }
        }
        watched.stop().await;
        blocking(|| {
            servers.run(&format!("grant execute on function {function} to public"));
            servers.until(&may(""));
        });
    }
}

/// Makes a function of the system catalog fail with this SQLSTATE while the table `broken` names it.
fn fragile(function: &str, result: &str, sqlstate: &str) -> String {
    let name = function.split('(').next().unwrap();
    format!(
        "alter function pg_catalog.{function} rename to hidden_{name}; \
         create function pg_catalog.{name}() returns {result} language plpgsql as $body$ begin \
           if exists (select from public.broken where name = '{function}') then \
             raise exception 'not now' using errcode = '{sqlstate}'; \
           end if; \
           return pg_catalog.hidden_{function}; \
         end $body$"
    )
}

/// The next figures of a node that this is true of.
async fn figures(watched: &mut Watched, name: &NodeName, what: &str, wanted: impl Fn(&Facts) -> bool) -> Arc<Facts> {
    let facts = watched.until(what, |event| match &event.kind {
        EventKind::Facts { node, facts: Ok(facts) } if node == name && wanted(facts) => Some(Arc::clone(facts)),
        _ => None,
    });
    facts.await
}

fn lacks(facts: &Facts, part: Part) -> bool {
    facts.missing.iter().any(|missing| missing.part == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_fails_takes_away_only_what_needs_it_until_it_works_again() {
    let functions = [
        ("pg_conf_load_time()", "timestamptz", Part::ConfigLoaded, "40001"),
        ("pg_current_wal_lsn()", "pg_lsn", Part::Written, "XX000"),
        ("pg_last_wal_receive_lsn()", "pg_lsn", Part::Received, "55000"),
        ("pg_is_wal_replay_paused()", "bool", Part::ReplayPaused, "22012"),
    ];
    let servers = blocking(Servers::start);
    blocking(|| {
        servers.run("create table broken (name text); grant select on broken to public");
        for (function, result, _, sqlstate) in functions {
            servers.run(&fragile(function, result, sqlstate));
        }
        servers.until("select count(*) = 4 from pg_proc where proname like 'hidden_%'");
    });
    let nodes = servers.nodes();
    let (primary, standby) = (nodes[0].name.clone(), nodes[1].name.clone());
    let mut watched = Watched::healthy(nodes).await;
    for (function, _, part, _) in functions {
        let of = if part.only_of() == Some(Role::Standby) { &standby } else { &primary };
        figures(&mut watched, of, "everything", |facts| facts.missing.is_empty()).await;
        // The statement that worked so far fails.
        blocking(|| servers.run(&format!("insert into broken values ('{function}')")));
        let facts = figures(&mut watched, of, function, |facts| lacks(facts, part)).await;
        assert!(facts.missing.iter().all(|missing| missing.error.message == "not now"), "{:?}", facts.missing);
        // The timeline of a primary is read from its position.
        let gone = if part == Part::Written { 2 } else { 1 };
        assert_eq!(facts.missing.len(), gone, "{function}: {:?}", facts.missing);
        assert!(facts.connections.is_some() && facts.oldest_transaction.is_some(), "{function}: {facts:?}");
        blocking(|| servers.run("truncate broken"));
        figures(&mut watched, of, "it works again", |facts| facts.missing.is_empty()).await;
    }
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_or_a_column_that_is_missing_takes_away_only_what_needs_it() {
    let servers = blocking(Servers::start);
    let nodes = servers.nodes();
    let hidden = "alter view pg_catalog.{} rename to hidden";
    let other = "create view pg_catalog.{} as select null::int8 as other; grant select on pg_catalog.{} to public";
    for (view, part, with) in [
        ("pg_stat_database", Part::Databases, other),
        ("pg_stat_wal_receiver", Part::Receiver, ""),
        ("pg_settings", Part::PendingRestart, ""),
    ] {
        blocking(|| {
            servers.run(&format!("{hidden}; {with}").replace("{}", view));
            servers.until("select to_regclass('pg_catalog.hidden') is not null");
        });
        let mut watched = Watched::healthy(nodes.clone()).await;
        let told = told(&mut watched, &nodes[1].name).await;
        let missing = told.0.missing.iter().chain(&told.1.missing).find(|missing| missing.part == part);
        let said = &missing.unwrap_or_else(|| panic!("{view}: {told:?}")).error.message;
        assert!(said.starts_with("this server has no "), "{view}: {said}");
        assert!(
            told.0.active.is_some() && told.0.received.is_some() && told.1.started_at.is_some(),
            "{view}: {told:?}"
        );
        watched.stop().await;
        blocking(|| {
            let gone = if with.is_empty() { "" } else { "drop view pg_catalog.{};" };
            servers.run(&format!("{gone} alter view pg_catalog.hidden rename to {{}}").replace("{}", view));
            servers.until("select to_regclass('pg_catalog.hidden') is null");
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_may_not_say_that_it_is_one_is_told_as_one_until_it_is_promoted() {
    let servers = blocking(Servers::start);
    blocking(|| {
        servers.run("revoke execute on function pg_is_in_recovery() from public");
        servers.until("select not has_function_privilege('pgwatch', 'pg_is_in_recovery()', 'execute')");
    });
    let nodes = servers.nodes();
    let standby = nodes[1].name.clone();
    let mut watched = Watched::healthy(nodes).await;
    let facts = figures(&mut watched, &standby, "the role", |_| true).await;
    assert_eq!(facts.role, Role::Standby);
    assert!(facts.missing.is_empty() && facts.received.is_some(), "{facts:?}");
    blocking(|| drop(servers.cluster.server("standby1").psql("select pg_promote()").unwrap()));
    let facts = figures(&mut watched, &standby, "a primary", |facts| facts.role == Role::Primary).await;
    assert!(facts.wal_position.is_some(), "{facts:?}");
    watched.stop().await;
}

/// A rule that needs what is missing is named with the reason; the figures that are there are judged.
#[test]
fn status_names_the_rules_that_miss_a_function_and_the_screen_says_which() {
    let servers = Servers::start();
    servers.run("select pg_create_physical_replication_slot('nobody', true)");
    for function in ["pg_is_wal_replay_paused()", "pg_stat_get_activity(int4)", "pg_current_wal_lsn()"] {
        servers.run(&format!("revoke execute on function {function} from public"));
        servers.until(&format!("select not has_function_privilege('pgwatch', '{function}', 'execute')"));
    }
    let config = ConfigFile::new("", servers.cluster.servers());
    let (status, ends) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(ends, 3, "{status:#}");
    let unjudged = status["not_judged"].as_array().unwrap();
    let reason = unjudged.iter().find(|rule| rule["rule"] == "replay_paused" && rule["node"] == "standby1");
    let reason = reason.unwrap_or_else(|| panic!("{status:#}"))["reason"].as_str().unwrap();
    let grant = "permission denied for function pg_is_wal_replay_paused: \
                 GRANT EXECUTE ON FUNCTION pg_is_wal_replay_paused TO \"pgwatch\"";
    assert_eq!(reason, grant);
    assert!(unjudged.iter().all(|rule| rule["rule"] != "connections"), "{status:#}");
    // What stands in for a function leaves rules without values, on the role of servers that needs it.
    let of_slots = |rule: &&serde_json::Value| rule["rule"].as_str().unwrap().starts_with("slot_");
    let blind: Vec<&serde_json::Value> = unjudged.iter().filter(of_slots).collect();
    assert!(blind.iter().any(|rule| rule["rule"] == "slot_retention"), "{status:#}");
    let why = "some values are missing: permission denied for function pg_current_wal_lsn: \
               GRANT EXECUTE ON FUNCTION pg_current_wal_lsn() TO \"pgwatch\"";
    let is_so =
        |rule: &&serde_json::Value| rule["node"] == "primary" && rule["reason"] == why && rule["rule"] != "slot_lost";
    assert!(blind.iter().all(is_so), "{status:#}");
    let (view, _) = object(&["view", "slots", "--config", config.arg(), "--format", "json", "--nodes", "primary"]);
    let retained = view["columns"].as_array().unwrap().iter().position(|column| column["name"] == "retained_bytes");
    assert!(view["nodes"][0]["rows"][0][retained.unwrap()].is_null(), "{view:#}");
    assert_eq!(view["nodes"][0]["missing"], why, "{view:#}");

    let mut tui = Tui::start(&["--config", config.arg()], 160, 60, &[]);
    tui.wait_for("both are healthy", PATIENCE, |screen| {
        screen.contents().lines().filter(|line| line.contains("● healthy") && line.contains("/60")).count() == 2
    });
    tui.press(":node primary<enter>");
    tui.wait_text("sessions, standbys: permission denied for function pg_stat_get_activity", SOON);
    tui.wait_text("GRANT EXECUTE ON FUNCTION pg_stat_get_activity TO \"pgwatch\"", SOON);
    for figure in ["of 60   active –", "Standbys  –", "Oldest    transaction –"] {
        tui.wait_text(figure, SOON);
    }
    tui.press("1q");
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0");
}
