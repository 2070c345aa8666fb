//! One function that a role may not call, that is missing or that fails takes away only the figures that need it, and the
//! reason is told: as the library reports it, on the screen of the node, and by `pgwatch status`.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgwatch::demo::{Cluster, Server};
use pgwatch::model::facts::Part;
use pgwatch::model::{EventKind, Facts, HealthState, NodeConfig, NodeName, Role, ServerFacts};

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
