//! Nodes that answer again: back at once, whatever the backoff, with few logins at the same time, and without a session
//! that nobody closes (N13).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use HealthState::{Degraded, Healthy, Reconnecting, Unhealthy};
use pgwatch::demo::{Server, StopMode};
use pgwatch::model::{Command, ErrorKind, Event, EventKind, HealthState, NodeConfig, NodeName};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::proxy::{Link, Proxy};
use crate::support::servers::{assert_no_sessions, cluster};
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::{Watched, blocking, name};

/// What N13 promises; the goal is 0.5 s, which `make faults` measures on a machine that has nothing else to do.
const BACK: Duration = Duration::from_secs(2);

/// Waits until an attempt at the node has gone without an answer for too long and the next one is far away. It hangs.
async fn until_it_hangs(watched: &mut Watched, node: &NodeName) {
    watched
        .until("an attempt that is not answered", |event| match &event.kind {
            EventKind::Checked { node: name, health } if name == node && health.state == Reconnecting => {
                let wait = health.next_retry?.duration_since(event.at).ok()?;
                (health.error.as_ref()?.kind == ErrorKind::Timeout && wait >= BACK * 2).then_some(())
            }
            _ => None,
        })
        .await;
}

/// Gives attempts up early, so that a test need not wait for the backoff to grow.
fn hasty(mut node: NodeConfig) -> NodeConfig {
    node.pool.connect_timeout = Duration::from_millis(500);
    node
}

/// The processes of our sessions on the server.
fn processes(server: &Server) -> HashSet<String> {
    let sql = "select pid from pg_stat_activity where application_name = 'pgwatch'";
    server.psql(sql).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thawed_server_is_healthy_at_once_on_the_connection_that_it_had_n13() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    let mut config = server.node_config();
    config.pool.min = 0;
    let mut watched = Watched::healthy(vec![config]).await;
    let mut first = blocking(|| processes(server));
    for seconds in [2, 5, 12] {
        let before = watched.seen.len();
        let frozen = Instant::now();
        blocking(|| server.freeze().unwrap());
        watched.until_state(&node, Unhealthy).await;
        let rest = Duration::from_secs(seconds).saturating_sub(frozen.elapsed());
        tokio::time::sleep(rest).await;
        blocking(|| server.thaw().unwrap());
        let thawed = Instant::now();
        watched.until_state(&node, Healthy).await;
        println!("frozen for {seconds} s, back {:?} after the thaw", thawed.elapsed());
        assert!(thawed.elapsed() < BACK, "{seconds} s: {:?}", thawed.elapsed());
        let states = watched.states(&node, before);
        let since = states.iter().skip_while(|state| **state != Unhealthy);
        assert_eq!(since.filter(|state| **state == Degraded).count(), 0, "never called slow: {states:?}");
        // The session of the figures is closed while a node is down.
        first.retain(|process| blocking(|| processes(server)).contains(process));
        assert_eq!(first.len(), 1, "no login was needed");
    }
    watched.stop().await;
    blocking(|| assert_no_sessions(server, SOON));
}

/// A proxy accepts and does not pass anything on; a server gets the startup packet, but its answer does not arrive; and
/// then both go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_hangs_is_answered_at_once_n13() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let proxy = Proxy::to(server.port());
    let node = name("primary");
    let mut config = hasty(server.node_config());
    config.port = proxy.port();
    let mut watched = Watched::healthy(vec![config]).await;
    for link in [Link::Blackhole, Link::BlackholeToClient] {
        proxy.set(link);
        proxy.reset();
        until_it_hangs(&mut watched, &node).await;
        proxy.set(Link::Up);
        let up = Instant::now();
        watched.until_state(&node, Healthy).await;
        println!("{link:?}: back {:?} after it answers", up.elapsed());
        assert!(up.elapsed() < BACK, "{link:?}: {:?}", up.elapsed());
    }
    // From the start, too.
    proxy.set(Link::Blackhole);
    let mut config = hasty(server.node_config());
    (config.name, config.port) = (name("another"), proxy.port());
    watched.handle.add_node(config).await.unwrap();
    until_it_hangs(&mut watched, &name("another")).await;
    proxy.set(Link::Up);
    let up = Instant::now();
    watched.until_state(&name("another"), Healthy).await;
    assert!(up.elapsed() < BACK, "from the start: {:?}", up.elapsed());
    watched.stop().await;
    blocking(|| assert_no_sessions(server, SOON));
}

/// What hangs is held by something that goes away: a proxy that is started again, a balancer that gives up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_hung_and_is_closed_is_repeated_at_once_n13() {
    let cluster = blocking(|| cluster().start().unwrap());
    let proxy = Proxy::to(cluster.primary().port());
    let node = name("primary");
    let mut config = hasty(cluster.primary().node_config());
    config.port = proxy.port();
    let mut watched = Watched::healthy(vec![config]).await;
    // What was accepted meanwhile is never passed on.
    proxy.set(Link::HangNew);
    proxy.reset();
    until_it_hangs(&mut watched, &node).await;
    proxy.set(Link::Up);
    // The attempt has hung for a while by now.
    tokio::time::sleep(Duration::from_millis(600)).await;
    proxy.reset();
    let ended = Instant::now();
    watched.until_state(&node, Healthy).await;
    assert!(ended.elapsed() < BACK, "{:?}", ended.elapsed());
    watched.stop().await;
}

/// A standby without hot standby says that it is not accepting connections, for as long as it is a standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_it_is_starting_up_is_healthy_as_soon_as_it_is_ready_n13() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let standby = cluster.server("standby1");
    blocking(|| {
        standby.stop(StopMode::Fast).unwrap();
        standby.set("hot_standby", "off").unwrap();
        standby.spawn().unwrap();
        let says = || standby.psql("select 1").is_err_and(|error| error.to_string().contains("database system is"));
        wait_for("it refuses", SOON, || says().then_some(()));
    });
    let node = name("standby1");
    let mut watched = Watched::start(vec![standby.node_config()]);
    let down = watched.until_state(&node, Unhealthy).await;
    assert_eq!(down.error.unwrap().kind, ErrorKind::StartingUp);
    // By now the backoff alone would be at many seconds.
    watched
        .until("the tenth attempt", |event| match &event.kind {
            EventKind::Checked { health, .. } if health.attempt >= 10 => Some(()),
            _ => None,
        })
        .await;
    blocking(|| {
        // No statement can be run on it, so it is told as pg_ctl does.
        std::fs::write(standby.data_dir().join("promote"), "").unwrap();
        let postmaster = standby.postmaster_pid().and_then(Pid::from_raw).unwrap();
        kill_process(postmaster, Signal::USR1).unwrap();
        wait_for("it is open", PATIENCE, || standby.psql("select 1").ok());
    });
    let open = Instant::now();
    watched.until_state(&node, Healthy).await;
    println!("back {:?} after it was open", open.elapsed());
    assert!(open.elapsed() < BACK, "{:?}", open.elapsed());
    watched.stop().await;
    blocking(|| assert_no_sessions(standby, SOON));
}

/// The probe's connection and an attempt hang when the node is paused, edited or removed, or pgwatch ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_hangs_leaves_a_session_behind_n7() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let node = name("primary");
    for end in ["pause", "edit", "remove", "leave"] {
        let config = hasty(server.node_config());
        let mut watched = Watched::healthy(vec![config.clone()]).await;
        blocking(|| server.freeze().unwrap());
        watched.until_state(&node, Unhealthy).await;
        until_it_hangs(&mut watched, &node).await;
        match end {
            "pause" => watched.handle.send(Command::Pause(node.clone())).await.unwrap(),
            "edit" => {
                // Nothing listens at the new port.
                let edited = NodeConfig { port: crate::support::servers::NOBODY, ..config };
                watched.handle.send(Command::EditNode(Box::new(edited))).await.unwrap();
            }
            "remove" => watched.handle.remove_node(node.clone()).await.unwrap(),
            _ => {
                let report = watched.handle.shutdown(false).await;
                assert_eq!(report.stragglers, 0);
            }
        }
        if end != "leave" {
            let gone = |event: &Event| match &event.kind {
                EventKind::Health { health, .. } => (health.state == HealthState::Disconnected).then_some(()),
                _ => None,
            };
            watched.ever("it is let go", gone).await;
        }
        blocking(|| {
            server.thaw().unwrap();
            assert_no_sessions(server, SOON);
        });
        if end != "leave" {
            watched.stop().await;
        }
    }
}

type Act = fn(&Server);

/// How many names each server has, and how many servers.
const NAMES: usize = 40;
/// The logins that may run on a server at the same time: 16 of the health loops, and those of figures and pools, of which
/// more overlap the slower the machine is.
const AT_ONCE: usize = 36;

/// Many names of few servers: they come back together, and the servers see few logins at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_that_return_at_once_log_in_a_few_at_a_time_n8_n13() {
    let cluster = blocking(|| {
        let chatty = [("log_connections", "on"), ("log_line_prefix", "'%p %n '"), ("max_connections", "200")];
        let builder =
            chatty.into_iter().fold(cluster().standbys(1), |builder, (name, value)| builder.config(name, value));
        builder.start().unwrap()
    });
    let servers = cluster.servers();
    let nodes: Vec<NodeConfig> = (0..NAMES * servers.len())
        .map(|number| {
            let config = servers[number % servers.len()].node_config();
            NodeConfig { name: name(&format!("n{number:03}")), ..config }
        })
        .collect();
    let mut watched = Watched::healthy(nodes.clone()).await;
    let mut states: HashMap<NodeName, HealthState> =
        nodes.iter().map(|node| (node.name.clone(), HealthState::Healthy)).collect();

    let freeze: (Act, Act) = (|server| server.freeze().unwrap(), |server| server.thaw().unwrap());
    let stop: (Act, Act) = (|server| server.stop(StopMode::Immediate).unwrap(), |server| server.start().unwrap());
    for (what, (break_it, mend)) in [("freeze", freeze), ("stop", stop)] {
        blocking(|| servers.iter().for_each(break_it));
        until_all(&mut watched, &mut states, |state| !state.answers()).await;
        // Attempts hang, or the backoff has grown.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let before: Vec<usize> = servers.iter().map(|server| log(server).len()).collect();
        blocking(|| servers.iter().for_each(mend));
        let mended = Instant::now();
        until_all(&mut watched, &mut states, |state| state == Healthy).await;
        println!("{what}: {} nodes back after {:?}", nodes.len(), mended.elapsed());
        assert!(mended.elapsed() < BACK * 5, "{what}: {:?}", mended.elapsed());
        for (server, before) in servers.iter().zip(before) {
            let most = most_at_once(log(server).get(before..).unwrap_or_default());
            println!("{what}: {most} logins at once on {}", server.name());
            assert!(most <= AT_ONCE, "{what}: {most} logins at once on {}", server.name());
        }
    }
    watched.stop().await;
    blocking(|| servers.iter().for_each(|server| assert_no_sessions(server, SOON)));
}

/// Reads events until all nodes are in such a state.
async fn until_all(
    watched: &mut Watched,
    states: &mut HashMap<NodeName, HealthState>,
    is: impl Fn(HealthState) -> bool,
) {
    watched
        .until("all nodes are", |event| {
            if let EventKind::Health { node, health, .. } = &event.kind {
                states.insert(node.clone(), health.state);
            }
            states.values().all(|state| is(*state)).then_some(())
        })
        .await;
}

fn log(server: &Server) -> String {
    std::fs::read_to_string(server.log_file()).unwrap()
}

/// The most logins between `connection received` and `connection authorized` at any moment. A connection that is never
/// authorized had been closed by us: a knock, or an attempt that was given up.
fn most_at_once(log: &str) -> usize {
    let process = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let of = |what: &str| -> Vec<(usize, String)> {
        let lines = log.lines().enumerate().filter(|(_, line)| line.contains(what));
        lines.filter_map(|(number, line)| Some((number, process(line)?))).collect()
    };
    let done: HashMap<String, usize> =
        of("connection authorized").into_iter().map(|(number, process)| (process, number)).collect();
    let logins: Vec<(usize, usize)> = of("connection received")
        .into_iter()
        .filter_map(|(begin, process)| Some((begin, *done.get(&process)?)))
        .collect();
    let open = |at: usize| logins.iter().filter(|(begin, end)| (*begin..*end).contains(&at)).count();
    logins.iter().map(|(begin, _)| open(*begin)).max().unwrap_or(0)
}
