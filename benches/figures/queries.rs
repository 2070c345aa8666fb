//! N4, N5: queries, and adding and removing nodes, with the connection manager as a library without a screen.

use std::time::{Duration, Instant};

use pgwatch::connection::{ConnectionManager, Handle, ManagerConfig};
use pgwatch::model::protocol::{QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Command, Event, EventKind, HealthState, NodeConfig, NodeName};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

use crate::readings::{Readings, time};
use crate::rig::Rig;
use crate::support::proxy::{Link, Proxy};
use crate::table::Row;

const TRIALS: u64 = 20;

fn named(rig: &Rig, i: usize) -> NodeConfig {
    let servers = rig.cluster.servers();
    let mut node = servers[i % servers.len()].node_config();
    node.name = NodeName::parse(&format!("n{i:02}")).unwrap();
    node
}

async fn all_healthy(handle: &Handle, events: &mut Receiver<Event>, count: usize) {
    loop {
        let up = handle.snapshot().await.iter().filter(|node| node.health.state == HealthState::Healthy).count();
        if up == count {
            return;
        }
        events.recv().await.expect("the manager runs");
    }
}

async fn run(handle: &Handle, events: &mut Receiver<Event>, batch: u64, nodes: Vec<NodeName>) -> Duration {
    let request = QueryRequest {
        batch: BatchId(batch),
        statement: "select 1".to_owned(),
        nodes,
        timeout: Duration::from_secs(30),
        max_rows: 10,
        max_bytes: QueryRequest::MAX_BYTES,
    };
    handle.send(Command::Run(request)).await.expect("taken");
    loop {
        if let EventKind::Query { batch: of, progress } = events.recv().await.expect("the manager runs").kind {
            match progress {
                QueryProgress::NodeDone { outcome, .. } => assert!(outcome.result.is_ok(), "{:?}", outcome.result),
                QueryProgress::Done { elapsed } if of == BatchId(batch) => return elapsed,
                _ => {}
            }
        }
    }
}

pub fn parallel(rig: &Rig, readings: &mut Readings) {
    let mut proxies = Vec::new();
    let mut nodes = Vec::new();
    for i in 0..10 {
        let mut node = named(rig, i);
        let proxy = Proxy::to(node.port);
        proxy.set(Link::Delay(Duration::from_millis(10)));
        node.port = proxy.port();
        proxies.push(proxy);
        nodes.push(node);
    }
    let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
    let (one, ten) = Runtime::new().unwrap().block_on(async {
        let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(nodes));
        all_healthy(&handle, &mut events, 10).await;
        let (mut one, mut ten) = (Vec::new(), Vec::new());
        for trial in 0..TRIALS {
            let first = names.iter().take(1).cloned().collect();
            one.push(run(&handle, &mut events, 2 * trial, first).await);
            ten.push(run(&handle, &mut events, 2 * trial + 1, names.clone()).await);
        }
        handle.shutdown(false).await;
        (one, ten)
    });
    readings.add_times("one of ten", one);
    readings.add_times("ten of ten", ten);
}

pub fn parallel_rows(readings: &Readings) -> Vec<Row> {
    let (one, ten) = (readings.median("one of ten"), readings.median("ten of ten"));
    let ratio = ten / one;
    vec![Row {
        id: "N4",
        what: "a query on 10 nodes against 1, 20 ms away each",
        must: "2 x",
        goal: "1.1 x",
        measured: format!("{ratio:.2} x ({} against {})", time(ten), time(one)),
        holds: (ratio <= 2.0, ratio <= 1.1),
    }]
}

pub fn add_and_remove(rig: &Rig, readings: &mut Readings) {
    let (added, removed) = Runtime::new().unwrap().block_on(async {
        let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(vec![named(rig, 0)]));
        all_healthy(&handle, &mut events, 1).await;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for _ in 0..TRIALS {
            let begin = Instant::now();
            handle.add_node(named(rig, 1)).await.expect("added");
            all_healthy(&handle, &mut events, 2).await;
            added.push(begin.elapsed());
            let begin = Instant::now();
            handle.remove_node(named(rig, 1).name).await.expect("removed");
            removed.push(begin.elapsed());
        }
        handle.shutdown(false).await;
        (added, removed)
    });
    readings.add_times("added", added);
    readings.add_times("removed", removed);
}

pub fn add_and_remove_rows(readings: &Readings) -> Vec<Row> {
    let (must, goal) = (("1 s", 1.0), ("0.2 s", 0.2));
    let row = |what, figure| Row::time("N5", what, must, goal, readings, figure);
    vec![row("add a node until healthy", "added"), row("remove it until its sessions are gone", "removed")]
}
