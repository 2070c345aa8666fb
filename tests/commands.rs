//! A thousand commands in an order that chance made, on nodes that live, hang and are dead: the manager ends clean (C6 to
//! C8). `PGWATCH_SEED` repeats a run; the seed is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the seed it ran with")]

mod support;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use pgwatch::connection::{ConnectionManager, Handle, ManagerConfig};
use pgwatch::demo::Server;
use pgwatch::model::protocol::{CommandError, QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Command, Event, EventKind, NodeConfig, NodeName};
use support::proxy::{Link, Proxy};
use support::servers::{assert_no_sessions, cluster};
use support::wait::{PATIENCE, SOON, eventually};
use support::watched::{blocking, name};
use tokio::sync::mpsc;

const STEPS: usize = 1000;
const NAMES: usize = 8;
const LINKS: [Link; 5] = [Link::Up, Link::Up, Link::Blackhole, Link::HangNew, Link::Delay(Duration::from_millis(150))];
const STATEMENTS: [&str; 5] = [
    "select 1",
    "select pg_sleep(0.2)",
    "select pg_sleep(30)",
    "select * from nowhere",
    "select generate_series(1, 50000)",
];

/// What the commands are made of.
struct Chance<'a> {
    rng: Rng,
    server: &'a Server,
    proxy: &'a Proxy,
    batches: u64,
}

impl Chance<'_> {
    fn name(&mut self) -> NodeName {
        name(&format!("n{}", self.rng.usize(..NAMES)))
    }

    fn node(&mut self, name: NodeName) -> NodeConfig {
        let mut node = NodeConfig { name, ..self.server.node_config() };
        match self.rng.u32(..8) {
            0 => node.port = 1,
            1 => "no-such-host.invalid".clone_into(&mut node.host),
            2 | 3 => node.port = self.proxy.port(),
            _ => {}
        }
        node.pool.max = self.rng.u32(1..4);
        node
    }

    fn command(&mut self) -> Command {
        let name = self.name();
        match self.rng.u32(..20) {
            0..4 => Command::AddNode(Box::new(self.node(name))),
            4..6 => Command::EditNode(Box::new(self.node(name))),
            6..8 => Command::RemoveNode(name),
            8 => Command::Pause(name),
            9..11 => Command::Resume(name),
            11 => Command::Retry(name),
            12 => Command::SetRefresh(Duration::from_millis(self.rng.u64(50..2000))),
            13 => {
                let names = (0..NAMES).filter(|_| self.rng.bool()).collect::<Vec<_>>();
                let nodes = names.into_iter().map(|at| self.node(support::watched::name(&format!("n{at}"))));
                Command::Reload(nodes.collect())
            }
            14 => Command::Test { id: self.rng.u64(..), node: Box::new(self.node(name)) },
            15 => Command::CancelBatch(BatchId(self.rng.u64(..=self.batches))),
            _ => {
                self.batches += 1;
                Command::Run(QueryRequest {
                    batch: BatchId(self.batches),
                    statement: self.rng.choice(STATEMENTS).unwrap().to_owned(),
                    nodes: (0..self.rng.usize(..NAMES)).map(|_| self.name()).collect(),
                    timeout: Duration::from_millis(self.rng.u64(100..3000)),
                    max_rows: 1000,
                    max_bytes: 1 << 20,
                })
            }
        }
    }
}

/// Takes what comes, now and then late, and keeps what is told of batches and the last word.
async fn read(mut events: mpsc::Receiver<Event>, mut rng: Rng) -> (HashMap<BatchId, (u32, u32)>, bool) {
    let (mut batches, mut stopped, mut seq) = (HashMap::<_, (u32, u32)>::new(), false, 0);
    while let Some(event) = events.recv().await {
        assert!(event.seq > seq && !stopped, "{event:?} after {seq}");
        seq = event.seq;
        match event.kind {
            EventKind::Query { batch, progress: QueryProgress::Started { .. } } => {
                batches.entry(batch).or_default().0 += 1;
            }
            EventKind::Query { batch, progress: QueryProgress::Done { .. } } => {
                batches.entry(batch).or_default().1 += 1;
            }
            EventKind::Stopped(_) => stopped = true,
            _ => {}
        }
        if rng.u32(..200) == 0 {
            tokio::time::sleep(Duration::from_millis(rng.u64(..100))).await;
        }
    }
    (batches, stopped)
}

async fn give(handle: &Handle, mut command: impl FnMut() -> Command) {
    let command = command();
    eventually("room for a command", SOON, async || match handle.try_send(command.clone()) {
        Err(CommandError::Busy) => None,
        done => {
            done.unwrap();
            Some(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_commands_leave_nothing_behind_c8_n7() {
    let seed =
        std::env::var("PGWATCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("PGWATCH_SEED={seed}");
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let proxy = Proxy::to(server.port());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    let mut rng = Rng::with_seed(seed);
    let (handle, events) = ConnectionManager::start(ManagerConfig::new(Vec::new()));
    let reading = read(events, rng.fork());
    let commanding = async {
        let mut chance = Chance { rng, server, proxy: &proxy, batches: 0 };
        for step in 0..STEPS {
            give(&handle, || chance.command()).await;
            if chance.rng.u32(..4) == 0 {
                tokio::time::sleep(Duration::from_millis(chance.rng.u64(..25))).await;
            }
            match step % 100 {
                20 | 60 => proxy.set(*chance.rng.choice(&LINKS).unwrap()),
                40 => proxy.reset(),
                80 => {
                    let ours =
                        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'";
                    // A full server refuses us too.
                    drop(blocking(|| server.psql(ours)));
                }
                _ => {}
            }
        }
        let asked = Instant::now();
        handle.snapshot().await;
        println!("answered after {:?}", asked.elapsed());
        assert!(asked.elapsed() < Duration::from_secs(2), "the actor is stuck");
        let report = tokio::time::timeout(PATIENCE, handle.shutdown(chance.rng.bool())).await.unwrap();
        println!("{report:?}");
        assert_eq!(report.stragglers, 0);
        drop(handle);
    };
    let ((batches, stopped), ()) = tokio::join!(reading, commanding);
    assert!(stopped);
    println!("{} batches", batches.len());
    let open: Vec<_> = batches.iter().filter(|(_, (started, done))| (*started, *done) != (1, 1)).collect();
    assert!(open.is_empty(), "batches that never ended: {open:?}");
    eventually("all tasks end", SOON, async || (tasks() <= before).then_some(())).await;
    blocking(|| assert_no_sessions(server, SOON));
}
