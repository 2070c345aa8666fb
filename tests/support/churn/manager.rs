//! The connection manager as a library: commands in random order, on nodes that live, hang and are dead. Leaks are
//! measured by the runtime's own count of its tasks, which a process does not show.

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use pgwatch::connection::{ConnectionManager, Handle, ManagerConfig};
use pgwatch::model::protocol::{CommandError, QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Command, Event, EventKind, HealthState, NodeConfig, NodeName, PoolConfig};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::super::wait::{PATIENCE, SOON, eventually, within};
use super::super::watched::{blocking, name};
use super::weather::Weather;
use super::{A_MOMENT, Course, Figure, Length, NAMES, Outcome, settled, settled_as};

const STATEMENTS: [&str; 5] = [
    "select 1",
    "select pg_sleep(0.2)",
    "select pg_sleep(30)",
    "select * from nowhere",
    "select generate_series(1, 50000)",
];
/// One step in this many is weather; all the others are commands.
const WEATHER: u32 = 20;
/// The manager is asked for its state once in this many steps, and must answer within [`ANSWERS`].
const ASKED: u64 = 100;
const ANSWERS: Duration = Duration::from_secs(2);

/// The parts that commands are made of.
struct Chance {
    rng: Rng,
    weather: Weather,
    batches: u64,
}

/// The resources held by the runtime and the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    tasks: usize,
    sessions: usize,
}

/// Runs it and compares. Needs a runtime of two threads that runs nothing else.
pub async fn run(length: Length, seed: u64) -> Outcome {
    let mut course = Course::begin(length, seed);
    let mut rng = Rng::with_seed(seed);
    let before = tasks();
    let (handle, events) = ConnectionManager::start(ManagerConfig::new(Vec::new()));
    let mut reader = JoinSet::new();
    reader.spawn(read(events, rng.fork()));
    let mut chance = Chance { rng, weather: blocking(Weather::start), batches: 0 };
    let mut warm = None;
    while !course.is_over() {
        if warm.is_none() && course.is_warm() {
            chance.calm(&handle).await;
            warm = Some(blocking(|| settled(|| chance.held())));
        }
        let kind = chance.step(&handle).await;
        course.count(kind);
        if course.done.is_multiple_of(ASKED) {
            let asked = Instant::now();
            handle.snapshot().await;
            assert!(asked.elapsed() < ANSWERS, "the actor is stuck: {:?}", asked.elapsed());
        }
    }
    let warm = warm.expect("a run is long enough to be warm");
    chance.calm(&handle).await;
    let end = blocking(|| settled_as(|| chance.held(), |held| *held == warm));
    // The manager leaves in the middle of its work.
    for _ in 0..ASKED {
        chance.step(&handle).await;
    }
    let report = timeout(PATIENCE, handle.shutdown(chance.rng.bool())).await.expect("it leaves in time");
    drop(handle);
    let open = reader.join_next().await.expect("the reader").expect("the reader did not fail");
    within(SOON, || (tasks() <= before).then_some(()));
    let tasks_left = tasks().saturating_sub(before);
    let sessions_left = blocking(|| {
        chance.weather.calm();
        within(A_MOMENT, || (chance.weather.sessions() == 0).then_some(()));
        chance.weather.sessions()
    });
    course.end(
        "The connection manager",
        vec![
            Figure::same("tasks", warm.tasks, end.tasks),
            Figure::same("sessions on the servers, idle", warm.sessions, end.sessions),
            Figure::gone("tasks after leaving", tasks_left),
            Figure::gone("tasks given up while leaving", report.stragglers as usize),
            Figure::gone("sessions on the servers after leaving", sessions_left),
            Figure::gone("batches without an end", open),
        ],
    )
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Takes the events, now and then late; returns how many batches never ended. Events arrive in order, batches begin and
/// end once, and nothing follows the last event.
async fn read(mut events: mpsc::Receiver<Event>, mut rng: Rng) -> usize {
    let (mut open, mut stopped, mut seq) = (HashSet::new(), false, 0);
    while let Some(event) = events.recv().await {
        assert!(event.seq > seq && !stopped, "{event:?} after {seq}");
        seq = event.seq;
        match event.kind {
            EventKind::Query { batch, progress: QueryProgress::Started { .. } } => {
                assert!(open.insert(batch), "batch {batch} began twice");
            }
            EventKind::Query { batch, progress: QueryProgress::Done { .. } } => {
                assert!(open.remove(&batch), "batch {batch} ended without a beginning");
            }
            EventKind::Stopped(_) => stopped = true,
            _ => {}
        }
        if rng.u32(..200) == 0 {
            sleep(Duration::from_millis(rng.u64(..100))).await;
        }
    }
    assert!(stopped, "the last word is missing");
    open.len()
}

async fn give(handle: &Handle, command: Command) {
    eventually("room for a command", SOON, async || match handle.try_send(command.clone()) {
        Err(CommandError::Busy) => None,
        done => {
            done.unwrap();
            Some(())
        }
    })
    .await;
}

impl Chance {
    async fn step(&mut self, handle: &Handle) -> &'static str {
        let kind = if self.rng.u32(..WEATHER) == 0 {
            blocking(|| self.weather.change(&mut self.rng))
        } else {
            let (kind, command) = self.command();
            give(handle, command).await;
            kind
        };
        if self.rng.u32(..4) == 0 {
            sleep(Duration::from_millis(self.rng.u64(..25))).await;
        }
        kind
    }

    fn name(&mut self) -> NodeName {
        named(self.rng.usize(..NAMES))
    }

    fn node(&mut self, name: NodeName) -> NodeConfig {
        let place = self.weather.place(&mut self.rng);
        let mut node = self.node_at(name, place);
        node.pool.max = self.rng.u32(1..4);
        node
    }

    /// Its pool shrinks soon, so that no idle session remains when the run is calm.
    fn node_at(&self, name: NodeName, (host, port): (&str, u16)) -> NodeConfig {
        let pool = PoolConfig { idle_timeout: Duration::from_secs(2), ..PoolConfig::default() };
        NodeConfig { name, host: host.to_owned(), port, pool, ..self.weather.servers()[0].node_config() }
    }

    fn command(&mut self) -> (&'static str, Command) {
        let name = self.name();
        match self.rng.u32(..20) {
            0..4 => ("add", Command::AddNode(Box::new(self.node(name)))),
            4..6 => ("edit", Command::EditNode(Box::new(self.node(name)))),
            6..8 => ("remove", Command::RemoveNode(name)),
            8 => ("pause", Command::Pause(name)),
            9..11 => ("resume", Command::Resume(name)),
            11 => ("retry", Command::Retry(name)),
            12 => ("refresh", Command::SetRefresh(Duration::from_millis(self.rng.u64(50..2000)))),
            13 => {
                let names: Vec<usize> = (0..NAMES).filter(|_| self.rng.bool()).collect();
                ("reload", Command::Reload(names.into_iter().map(|number| self.node(named(number))).collect()))
            }
            14 => ("test", Command::Test { id: self.rng.u64(..), node: Box::new(self.node(name)) }),
            15 => ("cancel", Command::CancelBatch(BatchId(self.rng.u64(..=self.batches)))),
            _ => ("query", Command::Run(self.query())),
        }
    }

    fn query(&mut self) -> QueryRequest {
        self.batches += 1;
        QueryRequest {
            batch: BatchId(self.batches),
            statement: self.rng.choice(STATEMENTS).unwrap().to_owned(),
            nodes: (0..self.rng.usize(..NAMES)).map(|_| self.name()).collect(),
            timeout: Duration::from_millis(self.rng.u64(100..3000)),
            max_rows: 1000,
            max_bytes: 1 << 20,
        }
    }

    /// The same nodes each time, all of them healthy, at the same pace.
    async fn calm(&mut self, handle: &Handle) {
        blocking(|| self.weather.calm());
        let nodes: Vec<NodeConfig> =
            (0..NAMES).map(|number| self.node_at(named(number), self.weather.good_place(number))).collect();
        give(handle, Command::SetRefresh(Duration::from_secs(1))).await;
        give(handle, Command::Reload(nodes.clone())).await;
        for node in &nodes {
            give(handle, Command::Resume(node.name.clone())).await;
        }
        let again = eventually("all nodes are healthy", PATIENCE, async || {
            for node in &nodes {
                give(handle, Command::Retry(node.name.clone())).await;
            }
            sleep(Duration::from_millis(500)).await;
            let known = handle.snapshot().await;
            let healthy = known.iter().filter(|node| node.health.state == HealthState::Healthy);
            (known.len() == NAMES && healthy.count() == NAMES).then_some(())
        });
        again.await;
    }

    fn held(&self) -> Held {
        Held { tasks: tasks(), sessions: self.weather.sessions() }
    }
}

fn named(number: usize) -> NodeName {
    name(&format!("n{number}"))
}
