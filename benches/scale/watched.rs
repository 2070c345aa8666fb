//! A dashboard seen from outside: its process, its screen, its event log, and the servers.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use pgwatch::demo::{Cluster, Server};
use serde_json::Value;
use vt100::Screen;

use crate::cores::Core;
use crate::support::process::{memory, processor};
use crate::support::pty::Tui;
use crate::support::wait::PATIENCE;

/// Time for pools to open their sessions, and for slow first connects to be checked again.
pub const SETTLE: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_secs(30);
/// The number of keys, and the time between two, which does not divide a tick.
const KEYS: usize = 300;
const BETWEEN: Duration = Duration::from_millis(37);

/// The cost of a dashboard.
pub struct Figures {
    pub start: Duration,
    /// Probes of all nodes in the window.
    pub probes: u64,
    pub missed: u64,
    /// Per cent of a core.
    pub processor: f64,
    /// MB.
    pub resident: f64,
    /// Bytes to the terminal per second.
    pub bytes: f64,
    /// Statements per node and second.
    pub statements: f64,
    pub server_ms: f64,
    pub keys: Vec<Duration>,
}

pub fn measure(cluster: &Cluster, core: Core, config: &str, nodes: usize) -> Figures {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("events.jsonl");
    let begin = Instant::now();
    let mut tui = core.start(&["--config", config, "--event-log", &log.display().to_string()], &[]);
    all_healthy(&tui, nodes);
    let start = begin.elapsed();
    pass(SETTLE);

    cluster.primary().psql("select pg_stat_statements_reset()").expect("reset");
    let calls = || cluster.servers().iter().map(statements).sum::<f64>();
    let busy = || cluster.servers().iter().map(backends).sum::<Duration>();
    let (calls_before, busy_before) = (calls(), busy());
    let (before, bytes_before) = (processor(tui.pid()), tui.raw().len());
    pass(WINDOW);
    let (after, bytes_after) = (processor(tui.pid()), tui.raw().len());
    let (busy_after, calls_after) = (busy(), calls());
    let (resident, _) = memory(tui.pid());
    let keys = keys(&mut tui);
    tui.press("q");
    tui.wait_exit(PATIENCE);

    let seconds = WINDOW.as_secs_f64();
    let (probes, missed) = probes(&log, nodes);
    let each = seconds * nodes as f64;
    Figures {
        start,
        probes,
        missed,
        processor: 100.0 * after.saturating_sub(before).as_secs_f64() / seconds,
        resident,
        bytes: (bytes_after - bytes_before) as f64 / seconds,
        statements: (calls_after - calls_before) / each,
        server_ms: busy_after.saturating_sub(busy_before).as_secs_f64() * 1000.0 / each,
        keys,
    }
}

pub fn all_healthy(tui: &Tui, nodes: usize) {
    tui.wait_for("all nodes are healthy", PATIENCE, |screen| counted(screen, '●') == nodes);
}

/// Waits until all nodes answer, be it slowly.
pub fn all_up(tui: &Tui, nodes: usize) {
    tui.wait_for("all nodes answer", PATIENCE, |screen| counted(screen, '●') + counted(screen, '◐') == nodes);
}

/// How many nodes the header counts with this sign.
fn counted(screen: &Screen, sign: char) -> usize {
    let header = screen.rows(0, 120).next().unwrap_or_default();
    let count = header.split(sign).nth(1).and_then(|rest| rest.split_whitespace().next());
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

pub fn pass(time: Duration) {
    #[allow(clippy::disallowed_methods, reason = "the window that is measured")]
    std::thread::sleep(time);
}

/// The times from a key, which moves the selection by a row, to the screen that shows it.
fn keys(tui: &mut Tui) -> Vec<Duration> {
    (0..KEYS)
        .map(|nth| {
            pass(BETWEEN);
            let before = tui.screen(selected);
            let begin = Instant::now();
            tui.press(if nth % 20 < 10 { "j" } else { "k" });
            tui.wait_for("the selection moves", PATIENCE, |screen| selected(screen) != before);
            begin.elapsed()
        })
        .collect()
}

fn selected(screen: &Screen) -> Option<usize> {
    screen.rows(0, 120).position(|line| line.contains('▸'))
}

/// The probes of all nodes and the missed ones, from the first to the last report of each, without connecting.
fn probes(log: &Path, nodes: usize) -> (u64, u64) {
    let text = std::fs::read_to_string(log).expect("the event log");
    let mut seen: HashMap<String, [(u64, u64); 2]> = HashMap::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        if event["event"] != "pool" {
            continue;
        }
        let now = (event["probes"].as_u64().unwrap(), event["probes_missed"].as_u64().unwrap());
        seen.entry(event["node"].as_str().unwrap().to_owned()).or_insert([now, now])[1] = now;
    }
    assert_eq!(seen.len(), nodes, "every node gives account");
    // Probes missed before the first report count too.
    seen.values().fold((0, 0), |(probes, missed), [first, last]| (probes + last.0 - first.0, missed + last.1))
}

fn statements(server: &Server) -> f64 {
    let sql = "select coalesce(sum(calls), 0) from pg_stat_statements s join pg_roles r on r.oid = s.userid \
               where r.rolname = 'pgwatch'";
    server.psql(sql).expect("the server answers").parse().expect("a number")
}

/// Processor time of our backends, from the kernel's accounting of each process.
fn backends(server: &Server) -> Duration {
    let sql = "select string_agg(pid::text, ' ') from pg_stat_activity where application_name = 'pgwatch'";
    let pids = server.psql(sql).expect("the server answers");
    pids.split(' ').flat_map(str::parse).map(processor).sum()
}
