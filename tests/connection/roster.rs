//! Nodes are added, removed, edited, paused and reloaded while the connection manager runs, on real servers.

use std::time::{Duration, Instant};

use pgwatch::model::protocol::{CommandError, DisconnectReason};
use pgwatch::model::{BatchId, Command, ErrorKind, EventKind, HealthState, Role};

use crate::support::servers::{assert_no_sessions, cluster, sessions};
use crate::support::wait::{SOON, eventually};
use crate::support::watched::{Watched, blocking, name, query};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_come_and_go_while_running() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let (primary, standby) = (cluster.primary(), cluster.server("standby1"));
    let mut watched = Watched::healthy(vec![primary.node_config()]).await;
    let node = name("standby1");

    let begun = Instant::now();
    watched.handle.add_node(standby.node_config()).await.unwrap();
    watched.until_state(&node, HealthState::Healthy).await;
    println!("added and healthy in {:?}", begun.elapsed());
    let again = watched.handle.add_node(standby.node_config()).await;
    assert_eq!(again, Err(CommandError::Exists(node.clone())));
    let names: Vec<_> = watched.handle.snapshot().await.into_iter().map(|node| (node.config.name, node.role)).collect();
    assert_eq!(names, [(name("primary"), Some(Role::Primary)), (node.clone(), Some(Role::Standby))]);

    // A query that outlasts the drain is cancelled on the server.
    watched.handle.send(Command::Run(query(1, "select pg_sleep(60)", &[&node]))).await.unwrap();
    let running = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' \
                   and application_name = 'pgwatch'";
    blocking(|| {
        crate::support::wait::wait_for("the query runs", SOON, || {
            (standby.psql(running).unwrap() == "1").then_some(())
        });
    });
    let begun = Instant::now();
    watched.handle.remove_node(node.clone()).await.unwrap();
    println!("removed with a query running in {:?}", begun.elapsed());
    assert!(begun.elapsed() < SOON);
    let cancelled = watched
        .until("removed", |event| match &event.kind {
            EventKind::NodeRemoved { node: name, cancelled, .. } if *name == node => Some(*cancelled),
            _ => None,
        })
        .await;
    assert_eq!(cancelled, 1);
    blocking(|| assert_no_sessions(standby, SOON));
    assert_eq!(watched.handle.remove_node(node.clone()).await, Err(CommandError::NoSuchNode(node.clone())));

    // Without a query the removal is quick.
    watched.handle.add_node(standby.node_config()).await.unwrap();
    watched.until_state(&node, HealthState::Healthy).await;
    let begun = Instant::now();
    watched.handle.remove_node(node.clone()).await.unwrap();
    println!("removed in {:?}", begun.elapsed());
    // Less than the drain of a query may take.
    assert!(begun.elapsed() < Duration::from_secs(4), "N5");
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reloaded_file_touches_only_what_changed() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = |text: &str| {
        let mut node = server.node_config();
        node.name = name(text);
        node
    };
    let mut watched = Watched::healthy(vec![node("kept"), node("gone"), node("changed")]).await;
    let before = watched.seen.len();
    let mut changed = node("changed");
    changed.pool.max = 3;
    watched.handle.send(Command::Reload(vec![node("fresh"), changed, node("kept")])).await.unwrap();
    watched
        .until("removed", |event| match &event.kind {
            EventKind::NodeRemoved { node, .. } if *node == name("gone") => Some(()),
            _ => None,
        })
        .await;
    for fresh in ["fresh", "changed"] {
        if watched.state(&name(fresh)).await != Some(HealthState::Healthy) {
            watched.until_state(&name(fresh), HealthState::Healthy).await;
        }
    }
    let nodes = watched.handle.snapshot().await;
    let names: Vec<_> = nodes.iter().map(|node| (node.config.name.as_str(), node.pool.max)).collect();
    assert_eq!(names, [("fresh", 10), ("changed", 3), ("kept", 10)], "in the order of the file");
    assert_eq!(watched.states(&name("kept"), before), []);

    watched.handle.send(Command::Test { id: 7, node: Box::new(node("tried")) }).await.unwrap();
    let tested = watched
        .ever("tested", |event| match &event.kind {
            EventKind::Tested { id: 7, outcome } => Some(outcome.clone()),
            _ => None,
        })
        .await;
    assert_eq!(tested.unwrap().role, Some(Role::Primary));
    watched.stop().await;
    blocking(|| assert_no_sessions(server, SOON));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_waits_for_an_earlier_edit_and_a_reload_revokes_an_addition() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let (node, config) = (name("primary"), server.node_config());
    let mut watched = Watched::healthy(vec![config.clone()]).await;
    let asleep = || blocking(|| server.psql("select count(*) from pg_stat_activity where query ~ '^select pg_sleep'"));
    let begun = async || (asleep().unwrap() == "1").then_some(());

    // While the node drains, the file names it again, and then no longer.
    watched.handle.send(Command::Run(query(1, "select pg_sleep(60)", &[&node]))).await.unwrap();
    eventually("the query runs", SOON, begun).await;
    for nodes in [vec![], vec![config.clone()], vec![]] {
        watched.handle.send(Command::Reload(nodes)).await.unwrap();
    }
    watched.until("removed", |event| matches!(event.kind, EventKind::NodeRemoved { .. }).then_some(())).await;
    assert!(watched.handle.snapshot().await.is_empty());

    // What still runs on the node in its old form ends with that form.
    watched.handle.add_node(config.clone()).await.unwrap();
    watched.until_state(&node, HealthState::Healthy).await;
    watched.handle.send(Command::Run(query(2, "select pg_sleep(60)", &[&node]))).await.unwrap();
    eventually("the query runs", SOON, begun).await;
    let mut edited = config;
    edited.pool.max = 3;
    watched.handle.send(Command::EditNode(Box::new(edited))).await.unwrap();
    watched.handle.remove_node(node).await.unwrap();
    assert_eq!(blocking(|| sessions(server)), 0, "removed means that no session is left");
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_node_has_no_session_until_resumed() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    watched.handle.send(Command::Pause(node.clone())).await.unwrap();
    let paused = watched.until_state(&node, HealthState::Disconnected).await;
    assert!(paused.paused);
    assert!(
        watched
            .seen
            .iter()
            .any(|event| matches!(&event.kind, EventKind::Disconnected { reason: DisconnectReason::Paused, .. }))
    );
    blocking(|| assert_no_sessions(server, SOON));
    watched.handle.send(Command::Run(query(1, "select 1", &[&node]))).await.unwrap();
    let outcome = watched.outcome(BatchId(1)).await;
    assert_eq!(outcome.result.unwrap_err().kind, ErrorKind::NotConnected);
    watched.handle.send(Command::Resume(node.clone())).await.unwrap();
    watched.until_state(&node, HealthState::Healthy).await;
    watched.handle.send(Command::Run(query(2, "select 1", &[&node]))).await.unwrap();
    assert_eq!(watched.outcome(BatchId(2)).await.result.unwrap().row_count, 1);
    watched.stop().await;
}
