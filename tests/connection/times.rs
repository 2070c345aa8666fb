//! The connection manager on real servers under real faults, within the times that N2, N3, N6 and N13 promise.

use std::time::{Duration, Instant};

use HealthState::{Degraded, Healthy, Reconnecting, Unhealthy};
use pgwatch::demo::{Server, StopMode};
use pgwatch::model::protocol::CommandError;
use pgwatch::model::{
    BatchId, Command, ErrorKind, Event, EventKind, Facts, Health, HealthState, NodeConfig, NodeName, PasswordSource,
    Role, Secret,
};

use crate::support::proxy::{Link, Proxy};
use crate::support::servers::{assert_no_sessions, cluster};
use crate::support::wait::{PATIENCE, SOON};
use crate::support::watched::{Watched, blocking, name, query};

/// Breaks the node, waits until it is unhealthy, mends it, waits until it is healthy, and checks the order of the
/// states. Prints how long each took.
async fn break_and_mend(
    watched: &mut Watched,
    node: &NodeName,
    what: &str,
    break_it: impl FnOnce(),
    mend: impl FnOnce(),
) -> (Duration, Duration, Health) {
    steady(watched, node).await;
    let before = watched.seen.len();
    let broken = Instant::now();
    blocking(break_it);
    let degraded = watched.until_state(node, HealthState::Degraded).await;
    let seen = broken.elapsed();
    let down = watched.until_state(node, HealthState::Unhealthy).await;
    let unhealthy = broken.elapsed();
    watched.until_state(node, HealthState::Reconnecting).await;
    let mended = Instant::now();
    blocking(mend);
    let ready = mended.elapsed();
    watched.until_state(node, HealthState::Healthy).await;
    let healthy = mended.elapsed();
    println!(
        "{what}: degraded {seen:?} ({:?}), unhealthy {unhealthy:?} ({:?}), healthy {:?} after it accepted",
        degraded.error.map(|error| error.message),
        down.error.as_ref().map(|error| error.message.as_str()),
        healthy.saturating_sub(ready),
    );
    let mut states = watched.states(node, before);
    states.dedup();
    assert_eq!(states, [Degraded, Unhealthy, Reconnecting, Healthy], "{what}");
    (unhealthy, healthy.saturating_sub(ready), down)
}

/// Waits until the node has answered for longer than its interval: one that breaks sooner is retried less and less
/// often.
async fn steady(watched: &mut Watched, node: &NodeName) {
    watched
        .until("it answers for a while", |event| match &event.kind {
            EventKind::Checked { node: name, health } if name == node && health.state == Healthy => {
                let answered = health.last_success?.duration_since(health.since).ok()?;
                (answered > Duration::from_millis(1100)).then_some(())
            }
            _ => None,
        })
        .await;
}

/// How long something that N2, N3 and N13 promise within 2 s may take on a loaded machine. `make faults` measures it.
const LOADED: Duration = Duration::from_secs(8);

type Fault<'a> = (&'a str, Box<dyn FnOnce() + 'a>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_stopped_nodes_are_unhealthy_at_once_n2_n13() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let server = cluster.server("standby1");
    let mut watched = Watched::healthy(vec![cluster.primary().node_config(), server.node_config()]).await;
    let node = name("standby1");
    let stop = |mode| move || server.stop(mode).unwrap();
    let restart = || server.start().unwrap();

    let faults: [Fault<'_>; 3] = [
        ("kill -9", Box::new(|| server.kill().unwrap())),
        ("fast stop", Box::new(stop(StopMode::Fast))),
        ("immediate stop", Box::new(stop(StopMode::Immediate))),
    ];
    for (what, fault) in faults {
        let (unhealthy, healthy, down) = break_and_mend(&mut watched, &node, what, fault, restart).await;
        assert!(unhealthy < LOADED, "{what}: N2: {unhealthy:?}");
        assert!(healthy < LOADED, "{what}: N13: {healthy:?}");
        let kind = down.error.unwrap().kind;
        assert!(matches!(kind, ErrorKind::Refused | ErrorKind::ShuttingDown), "{what}: {kind:?}");
    }
    assert_eq!(watched.state(&name("primary")).await, Some(HealthState::Healthy));
    watched.stop().await;
    blocking(|| cluster.servers().iter().for_each(|server| assert_no_sessions(server, SOON)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_is_unhealthy_after_three_misses_n3() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    for trial in 1..=3 {
        let what = format!("freeze {trial}");
        let freeze = || server.freeze().unwrap();
        let (unhealthy, _, down) =
            break_and_mend(&mut watched, &name("primary"), &what, freeze, || server.thaw().unwrap()).await;
        assert!(unhealthy < LOADED, "N3: {unhealthy:?}");
        assert_eq!(down.error.unwrap().kind, ErrorKind::Timeout);
        assert!(down.failures >= 3);
    }
    watched.stop().await;
    blocking(|| assert_no_sessions(server, SOON));
}

/// A retry that hangs until the server thaws must not count as a usual connect: the next freeze would be waited for as
/// long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_freeze_is_noticed_as_fast_as_a_long_first_one_n3() {
    const RETRY_HANGS: Duration = Duration::from_secs(3);
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    for trial in 1..=4 {
        let begun = Instant::now();
        blocking(|| server.freeze().unwrap());
        watched.until_state(&node, HealthState::Unhealthy).await;
        let unhealthy = begun.elapsed();
        watched.until_state(&node, HealthState::Reconnecting).await;
        tokio::time::sleep(RETRY_HANGS).await;
        blocking(|| server.thaw().unwrap());
        watched.until_state(&node, HealthState::Healthy).await;
        assert!(unhealthy < LOADED, "freeze {trial}, N3: {unhealthy:?}");
    }
    watched.stop().await;
    blocking(|| assert_no_sessions(server, SOON));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_session_never_makes_a_node_unhealthy_n2() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let node = name("primary");
    let before = watched.seen.len();
    for trial in 1..=3 {
        let begun = Instant::now();
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'";
        blocking(|| server.psql(sql).unwrap());
        let degraded = watched.until_state(&node, HealthState::Degraded).await;
        let seen = begun.elapsed();
        watched.until_state(&node, HealthState::Healthy).await;
        println!("terminated {trial}: degraded {seen:?}, healthy {:?}", begun.elapsed());
        assert_eq!(degraded.error.unwrap().kind, ErrorKind::Terminated);
    }
    assert!(!watched.states(&node, before).contains(&HealthState::Unhealthy));
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smart_stop_is_degraded_while_ours_answers() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let node = name("primary");
    blocking(|| server.request_stop(StopMode::Smart).unwrap());
    watched.handle.send(Command::Retry(node.clone())).await.unwrap();
    let degraded = watched.until_state(&node, HealthState::Degraded).await;
    assert_eq!(degraded.error.unwrap().kind, ErrorKind::ShuttingDown);
    watched
        .until("probes go on", |event| match &event.kind {
            EventKind::Checked { health, .. } if health.latency.is_some() => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(watched.state(&node).await, Some(HealthState::Degraded));
    watched.stop().await;
    blocking(|| server.wait_stopped(PATIENCE).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_up_connections_are_degraded_while_ours_answers() {
    let cluster = blocking(|| cluster().config("max_connections", "10").start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let mut greedy = server.node_config_as("app");
    greedy.pool.min = 10;
    let crowd = Watched::start(vec![greedy]);
    let degraded = watched.until_state(&node, HealthState::Degraded).await;
    assert_eq!(degraded.error.unwrap().kind, ErrorKind::TooManyConnections);
    let before = watched.seen.len();
    crowd.stop().await;
    watched.until_state(&node, HealthState::Healthy).await;
    assert_eq!(watched.states(&node, before), [Healthy]);
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_gets_no_session_is_degraded_while_ours_answers() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let sql = |sql: &str| blocking(|| server.psql(sql).unwrap());
    sql("create role few login connection limit 2 password 'few'");
    let mut few = server.node_config();
    few.user = "few".to_owned();
    few.password = PasswordSource::Given(Secret::new("few"));
    few.pool.min = 1;
    let node = name("primary");
    let mut watched = Watched::start(vec![few]);
    let error = watched.until_state(&node, Degraded).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::TooManyConnections);
    assert!(error.hint.unwrap().contains("CONNECTION LIMIT"));
    sql("alter role few connection limit 10");
    watched.until_state(&node, Healthy).await;
    assert!(!watched.states(&node, 0).contains(&Unhealthy));
    watched.stop().await;
}

/// A node behind a proxy that spoils the network.
fn behind(proxy: &Proxy, server: &Server) -> NodeConfig {
    let mut node = server.node_config();
    node.port = proxy.port();
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_link_is_unhealthy_after_three_misses_n3() {
    let cluster = blocking(|| cluster().start().unwrap());
    let proxy = Proxy::to(cluster.primary().port());
    let mut watched = Watched::healthy(vec![behind(&proxy, cluster.primary())]).await;
    for link in [Link::Blackhole, Link::BlackholeToClient, Link::BlackholeToServer] {
        let what = format!("{link:?}");
        let (cut, mend) = (|| proxy.set(link), || proxy.set(Link::Up));
        let (unhealthy, _, down) = break_and_mend(&mut watched, &name("primary"), &what, cut, mend).await;
        assert!(unhealthy < LOADED, "N3: {unhealthy:?}");
        assert_eq!(down.error.unwrap().kind, ErrorKind::Timeout);
    }
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_or_reset_link_is_never_unhealthy() {
    let cluster = blocking(|| cluster().start().unwrap());
    let proxy = Proxy::to(cluster.primary().port());
    let node = name("primary");
    let mut config = behind(&proxy, cluster.primary());
    config.pool.connect_timeout = Duration::from_secs(2);
    let mut watched = Watched::healthy(vec![config]).await;
    let before = watched.seen.len();
    for each_way in [150, 270] {
        // Slower than `slow_after`, then later than `timeout`.
        proxy.set(Link::Delay(Duration::from_millis(each_way)));
        watched.until_state(&node, HealthState::Degraded).await;
        for _ in 0..4 {
            watched
                .until("probes are answered late", |event| match &event.kind {
                    EventKind::Checked { health, .. } => health.latency.map(drop),
                    _ => None,
                })
                .await;
        }
        proxy.set(Link::Up);
        watched.until_state(&node, HealthState::Healthy).await;
    }
    // New connections hang while ours answers.
    proxy.set(Link::HangNew);
    watched.handle.send(Command::Retry(node.clone())).await.unwrap();
    let hangs = watched.until_state(&node, HealthState::Degraded).await;
    assert_eq!((hangs.error.unwrap().kind, hangs.failures), (ErrorKind::Timeout, 0));
    proxy.set(Link::Up);
    watched.until_state(&node, HealthState::Healthy).await;
    proxy.reset();
    watched.until_state(&node, HealthState::Degraded).await;
    watched.until_state(&node, HealthState::Healthy).await;
    let states = watched.states(&node, before);
    assert!(!states.contains(&HealthState::Unhealthy), "{states:?}");
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_refuses_is_no_error_and_comes_up_by_itself() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    blocking(|| server.stop(StopMode::Fast).unwrap());
    let mut watched = Watched::start(vec![server.node_config()]);
    let node = name("primary");
    let down = watched.until_state(&node, HealthState::Unhealthy).await;
    assert_eq!(down.error.unwrap().kind, ErrorKind::Refused);
    assert!(down.next_retry.is_some());
    // Late in the backoff, a port that accepts connections again is tried at once.
    watched
        .until("the third retry failed", |event| match &event.kind {
            EventKind::Checked { health, .. } if health.attempt >= 4 && health.next_retry.is_some() => Some(()),
            _ => None,
        })
        .await;
    blocking(|| server.start().unwrap());
    let accepted = Instant::now();
    watched.until_state(&node, HealthState::Healthy).await;
    println!("healthy {:?} after the refused port accepted", accepted.elapsed());
    // The next retry by backoff alone would come 8 s after the last one.
    assert!(accepted.elapsed() < Duration::from_secs(6), "N13: {:?}", accepted.elapsed());
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_leaves_a_node_healthy() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    let mut config = server.node_config();
    config.pool.max = 2;
    let mut watched = Watched::healthy(vec![config]).await;
    for batch in 1..=4 {
        watched.handle.send(Command::Run(query(batch, "select pg_sleep(2)", &[&node]))).await.unwrap();
    }
    watched
        .until("the pool is full", |event| match &event.kind {
            EventKind::Pool { pool, .. } if pool.active == 2 && pool.waiting > 0 => Some(()),
            _ => None,
        })
        .await;
    let before = watched.seen.len();
    for batch in 1..=4 {
        watched.outcome(BatchId(batch)).await;
    }
    assert_eq!(watched.states(&node, before), [], "health does not change");
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_waits_for_queries_or_cancels_them_n6() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    watched.handle.send(Command::Run(query(1, "select pg_sleep(60)", &[&node]))).await.unwrap();
    watched.handle.send(Command::Shutdown { drain: true }).await.unwrap();
    let queries = watched
        .until("draining", |event| match event.kind {
            EventKind::Draining { queries, .. } => Some(queries),
            _ => None,
        })
        .await;
    assert_eq!(queries, 1);
    assert_eq!(watched.handle.add_node(server.node_config()).await, Err(CommandError::ShuttingDown));
    let begun = Instant::now();
    let report = watched.handle.shutdown(false).await;
    println!("left with a query cancelled in {:?}: {report:?}", begun.elapsed());
    assert_eq!((report.queries_cancelled, report.stragglers), (1, 0));
    assert!(begun.elapsed() < Duration::from_secs(10), "N6");
    blocking(|| assert_no_sessions(server, SOON));

    // Nothing is running, so there is nothing to wait for.
    let mut node = server.node_config();
    node.pool.min = 1;
    let mut watched = Watched::healthy(vec![node]).await;
    // The health loop's session is open, since the node is healthy. The server counts a session while it is still being
    // opened, the manager only once it is open: only the events tell when the manager has the other two.
    let answered = |event: &Event| matches!(event.kind, EventKind::Facts { facts: Ok(_), .. }).then_some(());
    watched.ever("the session of the figures", answered).await;
    let idle = |event: &Event| matches!(event.kind, EventKind::Pool { pool, .. } if pool.idle > 0).then_some(());
    watched.ever("the session of the pool", idle).await;
    let begun = Instant::now();
    let report = watched.handle.shutdown(true).await;
    println!("left idle in {:?}: {report:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10), "N6");
    assert!(report.sessions_closed >= 3);
    watched.ever("stopped", |event| matches!(event.kind, EventKind::Stopped(_)).then_some(())).await;
    blocking(|| assert_no_sessions(server, SOON));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_is_bounded_while_a_node_is_frozen() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server: &Server = cluster.primary();
    let node = name("primary");
    let query = || Command::Run(query(1, "select pg_sleep(60)", &[&node]));
    // Before the freeze is noticed, idle and with a query, and after.
    for (what, running, noticed) in [("idle", false, false), ("with a query", true, false), ("unhealthy", true, true)] {
        let mut watched = Watched::healthy(vec![server.node_config()]).await;
        if running {
            watched.handle.send(query()).await.unwrap();
        }
        blocking(|| server.freeze().unwrap());
        if noticed {
            watched.until_state(&node, HealthState::Unhealthy).await;
        }
        let begun = Instant::now();
        let report = watched.handle.shutdown(false).await;
        let took = begun.elapsed();
        println!("left a frozen node, {what}, in {took:?}: {report:?}");
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
        blocking(|| server.thaw().unwrap());
        blocking(|| assert_no_sessions(server, SOON));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_of_primary_and_standby_for_any_role_n11() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let (primary, standby) = (cluster.primary(), cluster.server("standby1"));
    let mut plain = primary.node_config_as("app");
    plain.name = name("plain");
    let mut watched = Watched::start(vec![primary.node_config(), standby.node_config(), plain]);
    let standbys = |facts: &Facts| facts.senders.as_ref().map(Vec::len);
    let facts = |node: &'static str| {
        let node = name(node);
        move |event: &Event| match &event.kind {
            EventKind::Facts { node: name, facts: Ok(facts) } if *name == node => Some(facts.clone()),
            EventKind::Facts { node: name, facts: Err(error) } if *name == node => panic!("{error:?}"),
            _ => None,
        }
    };
    let mut of_primary = watched.until("facts of the primary", facts("primary")).await;
    // The standby may still be connecting. Before PostgreSQL 15 a separate process collects the statistics, which are a
    // moment late.
    while of_primary.commits == Some(0) || standbys(&of_primary) == Some(0) {
        of_primary = watched.until("the first commits and the standby are counted", facts("primary")).await;
    }
    assert_eq!(of_primary.role, Role::Primary);
    assert!(of_primary.commits > Some(0) && of_primary.connections > Some(0) && of_primary.timeline == Some(1));
    assert!(of_primary.wal_position > Some(0) && standbys(&of_primary) == Some(1), "{of_primary:?}");
    let mut of_standby = watched.until("facts of the standby", facts("standby1")).await;
    while of_standby.streaming() != Some(true) || of_standby.unreplayed() != Some(0) {
        of_standby = watched.until("the standby has caught up", facts("standby1")).await;
    }
    assert_eq!((of_standby.role, of_standby.replay_paused), (Role::Standby, Some(false)));
    assert!(of_standby.receiver_silent < Some(Duration::from_mins(1)), "{of_standby:?}");
    let mut of_plain = watched.until("facts for a plain role", facts("plain")).await;
    while of_plain.commits == Some(0) {
        of_plain = watched.until("the first commits are counted", facts("plain")).await;
    }
    assert!(of_plain.commits > Some(0) && of_plain.connections > Some(0));
    assert_eq!((of_plain.active, of_plain.worst_sender()), (None, None), "{of_plain:?}");
    let server = watched
        .ever("version and settings", |event| match &event.kind {
            EventKind::Server { server, .. } => Some(server.clone()),
            _ => None,
        })
        .await;
    assert!(server.version_num >= 100_000 && server.settings.len() > 10 && server.system_identifier.is_some());
    watched.stop().await;
}
