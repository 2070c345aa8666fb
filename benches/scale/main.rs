//! `make scale`: the cost of a dashboard with 20, 100 and 500 nodes, and whether it is the same per node (N8, N9, N10).
//! All nodes are on a primary and 24 standbys with enough connections. Numbers as arguments (`50 200`) are measured
//! instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails says so and ends")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod back;
mod cores;
mod frames;
#[path = "../../tests/support/mod.rs"]
mod support;
mod watched;

use std::fmt::Write as _;
use std::time::Duration;

use cores::Core;
use pgwatch::demo::Cluster;
use tempfile::TempDir;

use support::report;
use watched::Figures;

const COUNTS: [usize; 3] = [20, 100, 500];
/// The cost of a refresh grows with the sessions of a server, so with few servers that would dominate the result.
const STANDBYS: usize = 24;
/// Three sessions per node (probes, figures, views of alerts), one more while a connection is checked, and room for
/// measuring.
const SESSIONS: usize = 4;
const ROOM: usize = 40;

const HEAD: [&str; 12] = [
    "nodes",
    "start to all healthy",
    "all servers restarted: to all up",
    "probes missed",
    "processor",
    "memory",
    "statements a node and second",
    "server time a node and second",
    "key to screen, median / 99 % (max)",
    "frames a second",
    "bytes a second, bytes a frame",
    "time a frame, median / 99 %",
];

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let counts = if asked.is_empty() { COUNTS.to_vec() } else { asked.clone() };
    let most = counts.iter().copied().max().unwrap_or_default();
    // Before, as it counts the cores of this process.
    let machine = report::machine();
    let core = Core::set_apart();
    let cluster = support::servers::cluster()
        .standbys(STANDBYS)
        .config("max_connections", &(ROOM + SESSIONS * most.div_ceil(1 + STANDBYS)).to_string())
        .config("max_wal_senders", &(10 + STANDBYS).to_string())
        .config("max_replication_slots", &(10 + STANDBYS).to_string())
        .config("shared_preload_libraries", "pg_stat_statements")
        .start()
        .expect("a primary with its standbys");
    cluster.primary().psql("create extension pg_stat_statements").expect("the extension (postgresql-contrib)");

    let mut rows = Vec::new();
    let mut missed = 0;
    for count in counts {
        let file = file(&cluster, count);
        let path = file.path().join("cluster.yaml").display().to_string();
        let figures = watched::measure(&cluster, core, &path, count);
        let frames = frames::measure(core, &path, count);
        let back = back::measure(&cluster, core, &path, count);
        missed += figures.missed;
        let row = row(count, figures, &frames, back);
        eprintln!("{}", row.join(" | "));
        rows.push(row);
    }
    let table = report::table(&HEAD, rows.iter().map(Vec::as_slice));
    let text = format!(
        "{table}\nAt 120x40, one refresh a second and node, whose answer counts as that of a probe. The nodes are names for {} \
         servers. The time after the restart begins when the last of them admits connections. {}. Measured on {}.\n",
        1 + STANDBYS,
        core.said(),
        machine
    );
    println!("{text}");
    if asked.is_empty() {
        report::keep("docs/reliability.md", "scale", &text);
    }
    assert_eq!(missed, 0, "probes were missed (N8)");
}

fn row(count: usize, mut figures: Figures, frames: &frames::Frames, back: Duration) -> Vec<String> {
    let keys = &mut figures.keys;
    vec![
        count.to_string(),
        report::seconds(figures.start),
        report::seconds(back),
        format!("{} of {}", figures.missed, figures.probes),
        format!("{:.2} %, {:.3} % a node", figures.processor, figures.processor / count as f64),
        format!("{:.1} MB", figures.resident),
        format!("{:.2}", figures.statements),
        format!("{:.2} ms", figures.server_ms),
        format!(
            "{} / {} ({})",
            report::seconds(report::median(keys)),
            report::seconds(report::quantile(keys, 0.99)),
            report::seconds(report::quantile(keys, 1.0))
        ),
        format!("{:.1}", frames.per_second),
        format!("{:.0}, {:.0}", figures.bytes, frames.bytes),
        format!("{} / {}", report::seconds(frames.median), report::seconds(frames.worst)),
    ]
}

/// A file of `count` nodes, which are the servers in turn.
fn file(cluster: &Cluster, count: usize) -> TempDir {
    let mut text = "nodes:\n".to_owned();
    for (i, server) in cluster.servers().iter().cycle().take(count).enumerate() {
        let (host, port, password) = (server.host(), server.port(), server.password().expose());
        writeln!(text, "  n{i:03}: {{host: {host}, port: {port}, user: pgwatch, password: {password}}}").unwrap();
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("cluster.yaml"), text).expect("the file is written");
    folder
}
