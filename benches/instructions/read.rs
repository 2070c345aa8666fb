//! Reading and writing apart from the screen: rows of an answer, the configuration, lines of the event log.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use gungraun::{Callgrind, Dhat, EntryPoint, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group};
use pgwatch::config::{Config, Environment, load};
use pgwatch::model::protocol::LeaveReason;
use pgwatch::model::{Column, Event, EventKind, PoolStats, ProbeStats, RowSet};
use pgwatch::store::event_log::EventLog;
use tempfile::TempDir;

use crate::scene::name;

/// The function that formats a line of the log. The calling thread and the writing of the file are not counted.
const LINE: &str = "*output::events::line*";

fn columns() -> RowSet {
    let column = |n| Column { name: format!("column_{n}"), type_name: "text".to_owned() };
    RowSet::new((0..20).map(column).collect())
}

// A thousand rows of twenty columns, one of them NULL.
#[library_benchmark]
#[bench::of_1000_rows(columns())]
fn row_set(mut rows: RowSet) -> RowSet {
    for _ in 0..1_000 {
        rows.push((0..20).map(|n| (n != 7).then_some("a value of some length")));
    }
    rows
}

/// A file, and the folder it is in.
type ConfigFile = (PathBuf, Option<TempDir>);

fn example() -> ConfigFile {
    (PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/config/cluster.example.yaml")), None)
}

fn hundred_nodes() -> ConfigFile {
    let mut text = "defaults: {user: pgwatch, database: app}\nnodes:\n".to_owned();
    for n in 0..100 {
        writeln!(text, "  node-{n:03}: {{host: 10.0.0.{n}, port: 5433, pool: {{max: 5}}}}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, text).unwrap();
    (path, Some(folder))
}

#[library_benchmark]
#[bench::example(example())]
#[bench::of_100_nodes(hundred_nodes())]
fn config((path, folder): ConfigFile) -> (Config, Option<TempDir>) {
    let env = Environment::empty().with_user("nobody");
    (load(&path, None, &env).unwrap(), folder)
}

fn pools() -> Vec<Event> {
    let pool = PoolStats { max: 10, open: 3, active: 1, idle: 2, gets: 1204, opened: 3, ..PoolStats::default() };
    let probes = ProbeStats { probes: 900, missed: 2, latency: Some(Duration::from_micros(412)) };
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_442_602_417);
    (0..100).map(|seq| Event { seq, at, kind: EventKind::Pool { node: name("primary"), pool, probes } }).collect()
}

#[library_benchmark(config = LibraryBenchmarkConfig::default()
    .tool(Callgrind::default().entry_point(EntryPoint::Custom(LINE.to_owned())))
    .tool(Dhat::default().entry_point(EntryPoint::Custom(LINE.to_owned()))))]
#[bench::of_100_events(pools())]
fn event_log(events: Vec<Event>) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let path = folder.path().join("events.jsonl");
        let log = EventLog::start(&path, None, &[name("primary")]).unwrap();
        let lines = 1 + events.len();
        for event in events {
            log.tap().send(event).await.unwrap();
        }
        // Leaving waits for a slow disk, but not as long as a busy machine may need under valgrind.
        while fs::read_to_string(&path).unwrap().lines().count() < lines {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        log.finish(LeaveReason::Key).await
    })
}

library_benchmark_group!(name = files, benchmarks = [row_set, config, event_log]);
