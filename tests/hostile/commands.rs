//! The commands for programs, run on all cases: bounded in time and memory, one valid object, the right exit code.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cases::{self, CONNECT, Case, QUERY, Running, STATEMENT, config};
use crate::support::command::{code, each, err, object, out, pgwatch};
use crate::support::process::peak_memory;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{PATIENCE, wait_for};

/// Time for a busy machine. If the servers were asked one after another, it would take minutes.
const ROOM: Duration = Duration::from_secs(30);
/// The memory that a result of 64 MB may cost beyond its own size: a single row of that size exists twice for a moment,
/// as it arrived and as it is kept.
const TWICE: f64 = 150.0;

/// A node that hangs costs at most its connect timeout, and all nodes are asked at once.
#[test]
fn status_prints_one_object_within_one_timeout() {
    let cluster = cluster().start().unwrap();
    let fakes = Running::start(cases::all().iter().filter(|case| !case.is_large));
    let file = config(cluster.servers(), &fakes);
    let begun = Instant::now();
    let (status, code) = object(&["status", "--config", file.arg(), "--format", "json"]);
    let took = begun.elapsed();
    // The timeout is that of the real server, the longest of all.
    assert!(took < Duration::from_secs(5) + ROOM, "{took:?}");
    // Some are down, and others answer to nothing that rules ask: those are named.
    assert_eq!(code, 3);
    assert!(!status["not_judged"].as_array().unwrap().is_empty(), "{status}");
    let names: Vec<&str> = each(&status, "name").into_iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names.len(), fakes.len() + 1);
    assert_eq!(each(&status, "state")[0], "healthy", "{status}");
    for (running, state) in fakes.iter().zip(each(&status, "state").into_iter().skip(1)) {
        if running.case.is_down() && running.case.stage() != crate::support::fake::Stage::AfterProbe {
            assert_eq!(state, "unhealthy", "{}", running.case.name);
        }
    }
}

/// Every node's answer or error; the worst node delays no other.
#[test]
fn query_prints_one_object() {
    let cluster = cluster().start().unwrap();
    let fakes = Running::start(cases::all().iter().filter(|case| !case.is_large));
    let file = config(cluster.servers(), &fakes);
    let begun = Instant::now();
    let (answers, code) = query(&file);
    let took = begun.elapsed();
    assert!(took < CONNECT + QUERY + ROOM, "{took:?}");
    assert_eq!(code, 1);
    let oks = each(&answers, "ok");
    assert_eq!(oks.len(), fakes.len() + 1);
    assert_eq!(oks[0], true, "{answers}");
    let kinds: Vec<&Value> = each(&answers, "error");
    for (at, running) in fakes.iter().enumerate().filter(|(_, running)| running.case.is_asked()) {
        let kind = kinds[at + 1]["kind"].as_str().unwrap_or("ok");
        if kind == running.case.kind {
            continue;
        }
        // On a busy machine its answer may have been late among this many, so it is asked again alone.
        let alone = Running::start(std::iter::once(running.case));
        let (answers, _) = query(&config([], &alone));
        let kind = each(&answers, "error")[0]["kind"].as_str().unwrap_or("ok");
        assert_eq!(kind, running.case.kind, "{}", running.case.name);
    }
}

fn query(file: &ConfigFile) -> (Value, i32) {
    let timeout = format!("{}s", QUERY.as_secs());
    object(&["query", "--config", file.arg(), "--timeout", &timeout, "--format", "json", STATEMENT])
}

/// A server that sends without end costs no more memory than the kept result and one row of the same size.
#[test]
fn a_large_result_costs_no_more_memory_than_is_kept_of_it() {
    let honest = ask(cases::all().iter().find(|case| case.name == "query-ready-without-end").unwrap());
    for case in cases::all().iter().filter(|case| case.is_large) {
        let memory = ask(case) - honest;
        println!("{}: {memory:.0} MB", case.name);
        assert!(memory < TWICE, "{}: {memory} MB", case.name);
    }
}

/// Asks one server, and returns the peak memory of that in MB.
fn ask(case: &'static Case) -> f64 {
    let fakes = Running::start(std::iter::once(case));
    let file = config([], &fakes);
    let args = ["query", "--config", file.arg(), "--max-rows", "100000", "--format", "csv", STATEMENT];
    let mut child: Child = pgwatch(&args).stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut memory = 0_f64;
    wait_for("it ends", PATIENCE, || {
        memory = memory.max(peak_memory(child.id() as i32).unwrap_or(0.0));
        child.try_wait().unwrap()
    });
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), i32::from(case.kind != "ok"), "{}: {} {}", case.name, out(&output), err(&output));
    memory
}
