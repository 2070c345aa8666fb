//! Faults that a server reports itself, seen through the manager, and a statement for several nodes of which not all
//! are well. Killed, stopped, frozen and cut-off nodes: `times.rs`.

use std::time::{Duration, Instant};

use HealthState::{Degraded, Healthy, Reconnecting, Unhealthy};
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::{Server, StopMode};
use pgwatch::model::protocol::{NodeOutcome, QueryProgress};
use pgwatch::model::{BatchId, Command, ErrorKind, Event, EventKind, HealthState, NodeConfig, NodeName};

use crate::support::here::not_run;
use crate::support::proxy::Proxy;
use crate::support::servers::{assert_no_sessions, cluster};
use crate::support::stage::running;
use crate::support::wait::{SOON, wait_for};
use crate::support::watched::{Watched, blocking, name, query};

const TERMINATE: &str = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'";

/// The states of the node after the first `from` events, without repetitions.
fn states(watched: &Watched, node: &NodeName, from: usize) -> Vec<HealthState> {
    let mut states = watched.states(node, from);
    states.dedup();
    states
}

/// A node with a fault at the start: unhealthy at once, retried, and healthy by itself after `mend`.
async fn down_from_the_start(config: NodeConfig, kind: ErrorKind, text: &str, mend: impl FnOnce()) {
    let node = config.name.clone();
    let mut watched = Watched::start(vec![config]);
    let down = watched.until_state(&node, Unhealthy).await;
    let error = down.error.unwrap();
    assert_eq!(error.kind, kind, "{error:?}");
    assert!(error.message.contains(text) && error.hint.is_some(), "{error:?}");
    assert!(down.next_retry.is_some() && down.down_since.is_some());
    watched.until_state(&node, Reconnecting).await;
    blocking(mend);
    // Nobody has to wait for the backoff once the fault is mended.
    watched.handle.send(Command::Retry(node.clone())).await.unwrap();
    watched.until_state(&node, Healthy).await;
    assert_eq!(states(&watched, &node, 0), [Unhealthy, Reconnecting, Healthy]);
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_starting_up_is_retried_until_it_is_ready() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let standby = cluster.server("standby1");
    let config = standby.node_config();
    blocking(|| {
        standby.stop(StopMode::Fast).unwrap();
        // At the start it asks for a piece of the archive, which takes long.
        standby.set("restore_command", "sleep 600").unwrap();
        standby.spawn().unwrap();
        let starting = || standby.psql("select 1").is_err_and(|error| error.to_string().contains("starting up"));
        wait_for("starting up", SOON, || starting().then_some(()));
    });
    down_from_the_start(config, ErrorKind::StartingUp, "starting up", || {
        standby.kill().unwrap();
        standby.set("restore_command", "").unwrap();
        standby.start().unwrap();
    })
    .await;
    blocking(|| assert_no_sessions(standby, SOON));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_retried_until_it_is_right() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let right = server.password().expose();
    let set = |password: &str| {
        server.psql(&format!("alter role pgwatch password '{password}'")).unwrap();
    };
    blocking(|| set("another"));
    let text = "password authentication failed";
    down_from_the_start(server.node_config(), ErrorKind::Authentication, text, || set(right)).await;

    // A change while we are connected has no effect until a session has to be opened again.
    let node = name("primary");
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let before = watched.seen.len();
    blocking(|| {
        set("another");
        server.psql(TERMINATE).unwrap();
    });
    let down = watched.until_state(&node, Unhealthy).await;
    assert_eq!(down.error.unwrap().kind, ErrorKind::Authentication);
    watched.until_state(&node, Reconnecting).await;
    blocking(|| set(right));
    watched.handle.send(Command::Retry(node.clone())).await.unwrap();
    watched.until_state(&node, Healthy).await;
    assert_eq!(states(&watched, &node, before), [Degraded, Unhealthy, Reconnecting, Healthy]);
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_database_is_noticed_and_retried_until_it_is_back() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let psql = |sql: &str| blocking(|| server.psql(sql).unwrap());
    psql("create database shop");
    let mut config = server.node_config();
    "shop".clone_into(&mut config.database);
    let (node, mut watched) = (name("primary"), Watched::healthy(vec![config]).await);
    let before = watched.seen.len();
    // New sessions are refused before the present ones are ended: that works on every version.
    psql("alter database shop allow_connections false");
    psql(TERMINATE);
    blocking(|| wait_for("drop", SOON, || server.psql("drop database shop").ok()));
    let missing = |event: &Event| match &event.kind {
        EventKind::Health { health, .. } | EventKind::Checked { health, .. } if !health.state.answers() => {
            let error = health.error.as_ref().filter(|error| error.message.contains("\"shop\" does not exist"));
            error.map(|error| error.kind)
        }
        _ => None,
    };
    assert_eq!(watched.until("the database is missed", missing).await, ErrorKind::NoDatabase);
    psql("create database shop");
    watched.handle.send(Command::Retry(node.clone())).await.unwrap();
    watched.until_state(&node, Healthy).await;
    assert_eq!(states(&watched, &node, before), [Degraded, Unhealthy, Reconnecting, Healthy]);
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_up_connections_at_the_start_are_retried_until_one_is_free() {
    let cluster = blocking(|| cluster().config("max_connections", "10").start().unwrap());
    let server = cluster.primary();
    let config = server.node_config();
    let mut held = Vec::new();
    while let Ok(session) = session::open(&config, SessionKind::Probe).await {
        held.push(session);
    }
    // The wording of the server depends on its version.
    down_from_the_start(config, ErrorKind::TooManyConnections, "", || drop(held)).await;
}

/// A node that admits no connection is degraded for that, and for no longer: sessions that end are noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_healthy_again_soon_after_a_connection_is_free() {
    let cluster = blocking(|| cluster().config("max_connections", "12").start().unwrap());
    let config = cluster.primary().node_config();
    let node = config.name.clone();
    let mut watched = Watched::healthy(vec![config.clone()]).await;
    let mut held = Vec::new();
    while let Ok(session) = session::open(&config, SessionKind::Probe).await {
        held.push(session);
    }
    let full = watched.until_state(&node, Degraded).await;
    assert_eq!(full.error.unwrap().kind, ErrorKind::TooManyConnections);
    // By now it is asked rarely.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let freed = Instant::now();
    drop(held);
    watched.until_state(&node, Healthy).await;
    // Its figures come once a second and tell that sessions ended.
    assert!(freed.elapsed() < Duration::from_secs(8), "{:?}", freed.elapsed());
    watched.stop().await;
}

/// Each node answers when it can; a dead node and a slow one delay no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_and_a_slow_node_do_not_delay_a_query_on_five_nodes() {
    let cluster = blocking(|| cluster().standbys(4).start().unwrap());
    let configs: Vec<NodeConfig> = cluster.servers().iter().map(Server::node_config).collect();
    let names: Vec<NodeName> = configs.iter().map(|config| config.name.clone()).collect();
    let mut watched = Watched::healthy(configs).await;
    blocking(|| cluster.server("standby4").kill().unwrap());
    watched.until_state(&name("standby4"), Unhealthy).await;

    let slow = "select case current_setting('cluster_name') when 'standby3' then pg_sleep(6) end, 42 as answer";
    let every: Vec<&NodeName> = names.iter().collect();
    let begun = Instant::now();
    watched.handle.send(Command::Run(query(1, slow, &every))).await.unwrap();
    let mut outcomes: Vec<(NodeName, NodeOutcome, Duration)> = Vec::new();
    while outcomes.len() < names.len() {
        let (node, outcome) = watched.until("an answer", node_done).await;
        outcomes.push((node, outcome, begun.elapsed()));
    }
    let (last, ..) = outcomes.last().unwrap();
    assert_eq!(*last, name("standby3"), "as they come, the slow one last");
    for (node, outcome, came) in &outcomes {
        match node.as_str() {
            "standby4" => {
                let error = outcome.result.as_ref().unwrap_err();
                assert!(matches!(error.kind, ErrorKind::Refused | ErrorKind::NotConnected), "{error:?}");
            }
            _ => assert_eq!(outcome.result.as_ref().unwrap().rows.cell(0, 1), Some("42"), "{node}"),
        }
        if node.as_str() == "standby3" {
            assert!(outcome.elapsed >= Duration::from_secs(6), "{node}: {:?}", outcome.elapsed);
        } else {
            assert!(*came < Duration::from_secs(6), "{node} waited for the slow one: {came:?}");
        }
    }
    watched.until("done", |event| batch_is_done(event).then_some(())).await;
    watched.stop().await;
}

fn node_done(event: &Event) -> Option<(NodeName, NodeOutcome)> {
    match &event.kind {
        EventKind::Query { progress: QueryProgress::NodeDone { node, outcome }, .. } => {
            Some((node.clone(), outcome.as_ref().clone()))
        }
        _ => None,
    }
}

fn batch_is_done(event: &Event) -> bool {
    matches!(event.kind, EventKind::Query { progress: QueryProgress::Done { .. }, .. })
}

/// After a cancel the servers stop working on the statement, and the sessions are ready for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_cancelled_on_every_server() {
    const LONG: &str = "select pg_sleep(600)";
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let configs: Vec<NodeConfig> = cluster.servers().iter().map(Server::node_config).collect();
    let names: Vec<NodeName> = configs.iter().map(|config| config.name.clone()).collect();
    let every: Vec<&NodeName> = names.iter().collect();
    let mut watched = Watched::healthy(configs).await;
    watched.handle.send(Command::Run(query(1, LONG, &every))).await.unwrap();
    let runs = |wanted: u32| {
        for server in cluster.servers() {
            wait_for(&format!("{wanted} of it"), SOON, || (running(server, LONG) == wanted).then_some(()));
        }
    };
    blocking(|| runs(1));
    watched.handle.send(Command::CancelBatch(BatchId(1))).await.unwrap();
    for _ in &names {
        let (node, outcome) = watched.until("an answer", node_done).await;
        assert_eq!(outcome.result.unwrap_err().kind, ErrorKind::Cancelled, "{node}");
    }
    watched.until("done", |event| batch_is_done(event).then_some(())).await;
    let cancelled = EventKind::Query { batch: BatchId(1), progress: QueryProgress::Cancelled };
    assert!(watched.seen.iter().any(|event| event.kind == cancelled));
    blocking(|| runs(0));
    watched.handle.send(Command::Run(query(2, "select 1", &every))).await.unwrap();
    for _ in &names {
        let (node, outcome) = watched.until("an answer", node_done).await;
        assert_eq!(outcome.result.unwrap().row_count, 1, "{node}");
    }
    watched.stop().await;
    blocking(|| cluster.servers().iter().for_each(|server| assert_no_sessions(server, SOON)));
}

/// A server whose client was cut off silently ends our sessions by itself, idle ones too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_a_client_that_was_cut_off_end_by_themselves() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let session = session::open(&server.node_config(), SessionKind::Probe).await.unwrap();
    let mut driver = session.driver;
    let settings = ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout"];
    let sql = format!("select {}", settings.map(|name| format!("current_setting('{name}')")).join(" || ' ' || "));
    let row = tokio::select! {
        row = session.client.query_one(&sql, &[]) => row.unwrap(),
        ended = driver.next() => panic!("{ended:?}"),
    };
    // As the server prints them, the last one in milliseconds.
    assert_eq!(row.get::<_, String>(0), "10 1 15000");
}

/// A database whose recorded collation version is not that of its system: the server warns of it at each login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_at_the_login_is_reported_with_what_the_server_is() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    if server.psql("select current_setting('server_version_num')::int >= 150000").unwrap() == "f" {
        return not_run("a warning at the login", "PostgreSQL gives one from 15 on");
    }
    blocking(|| server.psql("update pg_database set datcollversion = 'none'").unwrap());
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let warnings = watched
        .ever("what the server is", |event| match &event.kind {
            EventKind::Server { server, .. } => Some(server.login_warnings.clone()),
            _ => None,
        })
        .await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("collation version"), "{warnings:?}");
    watched.stop().await;
}

/// The cluster that answers at the address is not the one that was watched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_at_the_same_address_is_reported() {
    let (one, other) = blocking(|| (cluster().start().unwrap(), cluster().start().unwrap()));
    let (server, proxy) = (one.primary(), Proxy::to(one.primary().port()));
    let mut config = server.node_config();
    config.port = proxy.port();
    let (node, mut watched) = (name("primary"), Watched::healthy(vec![config]).await);
    let first = watched
        .ever("the first identifier", |event| match &event.kind {
            EventKind::Server { server, .. } => server.system_identifier,
            _ => None,
        })
        .await;
    blocking(|| {
        let password = server.password().expose();
        other.primary().psql(&format!("alter role pgwatch password '{password}'")).unwrap();
        proxy.point(other.primary().port());
        proxy.reset();
    });
    let replaced = |event: &Event| match &event.kind {
        EventKind::Replaced { node: name, was, now } if *name == node => Some((*was, *now)),
        _ => None,
    };
    let (was, now) = watched.until("another cluster", replaced).await;
    assert_eq!(was, first);
    let sql = "select system_identifier from pg_control_system()";
    assert_eq!(now.to_string(), blocking(|| other.primary().psql(sql).unwrap()));
    watched.stop().await;
}
