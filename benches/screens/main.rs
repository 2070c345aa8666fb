//! The cost of each view for a server per refresh: statements, processor time by the kernel's accounting, rows and
//! bytes; on an idle node, and on one with 10,000 tables, 5,000 statements and 2,000 sessions. `make bench
//! ARGS=screens`.
//!
//! `quick` uses a tenth of the tables, statements and sessions; names of views select those, `frames` the cost of many
//! rows for the dashboard.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench ends by panicking")]
#![allow(clippy::print_stdout, reason = "the table")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]

mod frames;
#[path = "../../tests/scene/mod.rs"]
mod scene;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, Handle, ManagerConfig};
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::figures::{count, period};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::{Command, Event, EventKind, NodeError, View};
use tokio::sync::mpsc;

/// Measured queries, after one that opens the session and prepares the statement.
const QUESTIONS: u32 = 10;
const PATIENCE: Duration = Duration::from_mins(2);
/// What the only screen of `pg_activity` cost a server per refresh, measured next to ours.
const PG_ACTIVITY: (f64, f64) = (3.8, 7.8);

/// The cost of a view.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    statements: f64,
    ms: f64,
    rows: usize,
    bytes: usize,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench" && arg != "screens").collect();
    let quick = args.iter().any(|arg| arg == "quick");
    let frames_alone = args.iter().any(|arg| arg == "frames");
    if frames_alone || args.is_empty() {
        frames::print();
    }
    if frames_alone {
        return;
    }
    let chosen: Vec<&String> = args.iter().filter(|arg| *arg != "quick").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let size = if quick { 10 } else { 1 };
    let (tables, statements, sessions) = (10_000 / size, 5_000 / size, 2_000 / size);
    let cluster = Cluster::builder()
        .config("autovacuum", "off")
        .config("max_connections", &(sessions + 50).to_string())
        .config("max_locks_per_transaction", "256")
        .standbys(1)
        .start()
        .expect("a cluster");
    let server = cluster.primary();
    server.psql("create extension if not exists pg_stat_statements").expect("the extension");
    let mut views: Vec<Arc<View>> = views::ours().values().cloned().collect();
    views.retain(|view| chosen.is_empty() || chosen.contains(&&view.name));
    views.sort_by(|a, b| (a.screen, a.place, &a.name).cmp(&(b.screen, b.place, &b.name)));

    let idle = measure_all(&runtime, &cluster, &views);
    fill(server, tables, statements);
    let crowd = runtime.block_on(crowd(server, sessions));
    let full = measure_all(&runtime, &cluster, &views);
    drop(crowd);
    print(&views, &idle, &full, (tables, statements, sessions));
}

fn fill(server: &Server, tables: usize, statements: usize) {
    let made = format!(
        "do $$ begin for n in 1..{tables} loop execute format('create table t%s (id int primary key, v text)', n); \
         if n % 500 = 0 then commit; end if; end loop; end $$"
    );
    server.psql(&made).expect("tables");
    let asked: Vec<String> = (1..=statements).map(|n| format!("select * from t{} limit 0;", n.min(tables))).collect();
    let asked = asked.join("\n");
    server.psql(&asked).expect("statements");
}

/// Idle sessions.
async fn crowd(server: &Server, sessions: usize) -> Vec<tokio_postgres::Client> {
    let mut clients = Vec::new();
    for _ in 0..sessions {
        let mut config = tokio_postgres::Config::new();
        config
            .host(server.host())
            .port(server.port())
            .user("app")
            .dbname("postgres")
            .password(server.password().expose());
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("a session");
        #[allow(clippy::disallowed_methods, reason = "it ends with its client")]
        tokio::spawn(connection);
        client.simple_query("select 1").await.expect("an answer");
        clients.push(client);
    }
    clients
}

type Costs = BTreeMap<String, Result<Cost, String>>;

/// Measures all views on the primary; views that only a standby has, on a standby.
fn measure_all(runtime: &tokio::runtime::Runtime, cluster: &Cluster, views: &[Arc<View>]) -> Costs {
    let measured = |view: &Arc<View>| {
        let cost = runtime.block_on(measure(cluster.primary(), view));
        cost.or_else(|_| runtime.block_on(measure(cluster.server("standby1"), view)))
    };
    views.iter().map(|view| (view.name.clone(), measured(view))).collect()
}

async fn measure(server: &Server, view: &Arc<View>) -> Result<Cost, String> {
    let config = ManagerConfig { refresh: Duration::from_mins(10), ..ManagerConfig::new(vec![server.node_config()]) };
    let (handle, mut events) = ConnectionManager::start(config);
    let cost = ask(server, view, &handle, &mut events).await;
    handle.shutdown(false).await;
    cost.map_err(|error| error.message)
}

async fn ask(
    server: &Server,
    view: &Arc<View>,
    handle: &Handle,
    events: &mut mpsc::Receiver<Event>,
) -> Result<Cost, NodeError> {
    handle
        .send(Command::Look(vec![Look { view: Arc::clone(view), nodes: None, pace: None }]))
        .await
        .expect("a manager");
    // Two answers: caches are filled then, and the figures of the node have been asked once.
    answer(events).await?;
    handle.send(Command::LookNow).await.expect("a manager");
    answer(events).await?;
    let pid = backend(server, view);
    let (calls, time) = (calls(server), scheduled(pid));
    let mut last = None;
    for _ in 0..QUESTIONS {
        handle.send(Command::LookNow).await.expect("a manager");
        last = Some(answer(events).await?);
    }
    let last = last.expect("an answer");
    let questions = f64::from(QUESTIONS);
    Ok(Cost {
        statements: (self::calls(server) - calls) as f64 / questions,
        ms: scheduled(pid).saturating_sub(time).as_secs_f64() * 1000.0 / questions,
        rows: last.rows.len(),
        // A row has seven bytes of framing.
        bytes: last.rows.bytes() + 7 * last.rows.len(),
    })
}

async fn answer(events: &mut mpsc::Receiver<Event>) -> Result<Arc<ViewRows>, NodeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = tokio::time::timeout(left, events.recv()).await.expect("an answer in time").expect("a manager");
        if let EventKind::View { outcome, .. } = event.kind {
            return outcome;
        }
    }
}

/// The process that answers our views.
fn backend(server: &Server, view: &View) -> i32 {
    let sql = "select pid from pg_stat_activity where application_name = 'pgwatch' and query like 'EXECUTE pgwatch_%'";
    let pids = server.psql(sql).expect("an answer");
    let pid = pids.lines().next().unwrap_or_else(|| panic!("no session asks {}", view.name));
    pid.parse().expect("a number")
}

/// The number of our statements so far.
fn calls(server: &Server) -> i64 {
    let sql = "select coalesce(sum(calls), 0)::int8 from pg_stat_statements where userid = 'pgwatch'::regrole";
    server.psql(sql).expect("an answer").parse().expect("a number")
}

/// The time that a process has been on a processor.
fn scheduled(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("the process runs");
    Duration::from_nanos(text.split(' ').next().and_then(|text| text.parse().ok()).expect("nanoseconds"))
}

fn print(views: &[Arc<View>], idle: &Costs, full: &Costs, (tables, statements, sessions): (usize, usize, usize)) {
    let (of_statements, of_ms) = PG_ACTIVITY;
    println!(
        "\nWhat one question of a view costs its server, against {of_statements} statements and {of_ms} ms of pg_activity's screen."
    );
    println!("Full: {tables} tables, {statements} statements, {sessions} sessions.\n");
    println!("| screen | view | asked | idle: statements, ms, rows, bytes | of pg_activity | full: ms, rows, bytes |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut before = None;
    for view in views {
        let screen = view.screen.map_or("none", pgwatch::model::view::ViewScreen::as_str);
        let named = if before.replace(screen) == Some(screen) { "" } else { screen };
        let every = view.every.map_or_else(|| "each refresh".to_owned(), |every| format!("every {}", period(every)));
        let said = match &idle[&view.name] {
            Ok(Cost { statements, ms, rows, bytes }) => {
                let (rows, bytes) = (count(*rows as u64), count(*bytes as u64));
                format!("{statements:.1}, {ms:.2}, {rows}, {bytes} | {:.2}", ms / of_ms)
            }
            Err(why) => format!("{why} | –"),
        };
        let when_full = match &full[&view.name] {
            Ok(cost) => {
                format!("{:.1}, {}, {}", cost.ms, count(cost.rows as u64), count(cost.bytes as u64))
            }
            Err(_) => "–".to_owned(),
        };
        println!("| {named} | {} | {every} | {said} | {when_full} |", view.name);
    }
}
