//! N8, N10: how soon a key takes effect on the screen while many nodes report, and whether probes are missed meanwhile.
//! A short version with 20 nodes; `make scale` looks for the limit.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::readings::{Readings, time};
use crate::rig::{Rig, pass};
use crate::states::{leave, up};
use crate::support::pty::Tui;
use crate::support::wait::{PATIENCE, SOON};
use crate::table::Row;

const MANY: usize = 20;
const FEW: usize = 3;
/// Seconds by which the slowest of a hundred keys may differ on a machine that is not idle.
const NOISE: f64 = 0.005;

pub fn keys(rig: &Rig, readings: &mut Readings) {
    readings.add_times("key, few nodes", walk(rig, FEW).0);
    let (keys, log) = walk(rig, MANY);
    readings.add_times("key, many nodes", keys);
    let (probes, missed) = probes(&log);
    readings.add("probes", [probes]);
    readings.add("probes missed", [missed]);
}

/// Moves down and up the list for a while; returns the times from key to screen, and the event log.
fn walk(rig: &Rig, nodes: usize) -> (Vec<Duration>, String) {
    let config = rig.config(nodes);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("events.jsonl");
    let mut tui = Tui::start(&["--config", &config.path(), "--event-log", log.to_str().expect("UTF-8")], 120, 40, &[]);
    tui.wait_for("the nodes", PATIENCE, up(nodes));
    let (mut at, mut down, mut keys) = (0, true, Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < rig.plan.window * 2 / 3 {
        down = if at == 0 { true } else { down && at + 1 < nodes };
        at = if down { at + 1 } else { at - 1 };
        let selected = format!("▸ n{at:02} ");
        let pressed = Instant::now();
        tui.press(if down { "j" } else { "k" });
        tui.wait_for(&selected, SOON, |screen| screen.contents().contains(&selected));
        keys.push(pressed.elapsed());
        // As a person would, and never in step with the refresh.
        pass(Duration::from_millis(30 + keys.len() as u64 * 13 % 41));
    }
    leave(tui);
    (keys, fs::read_to_string(log).expect("the event log"))
}

/// The probes of all nodes and the missed ones, by the last line of each.
fn probes(log: &str) -> (f64, f64) {
    let mut last = std::collections::BTreeMap::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("an object a line");
        if event["event"] == "pool" {
            let count = |key: &str| event[key].as_f64().expect("a count");
            last.insert(event["node"].to_string(), (count("probes"), count("probes_missed")));
        }
    }
    assert_eq!(last.len(), MANY, "every node is in the event log");
    last.values().fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
}

pub fn rows(readings: &Readings) -> Vec<Row> {
    let slowest = |figure| readings.quantile(figure, 0.99);
    let (few, many) = (slowest("key, few nodes"), slowest("key, many nodes"));
    let (probes, missed) = (readings.sum("probes"), readings.sum("probes missed"));
    let holds = missed == 0.0 && many <= 1.5 * few + NOISE;
    vec![
        Row {
            id: "N8",
            what: "nodes without a slower key or a missed probe (500: `make scale`)",
            must: "20",
            goal: "500",
            measured: format!(
                "{MANY}: {missed} of {probes} probes missed, key {} against {} with {FEW}",
                time(many),
                time(few)
            ),
            holds: (holds, false),
        },
        Row {
            id: "N10",
            what: "key to screen, 99th percentile, 20 nodes reporting (500: `make scale`)",
            must: "50 ms",
            goal: "16 ms with 500",
            measured: format!("{} (median {})", time(many), time(readings.median("key, many nodes"))),
            holds: (many <= 0.05, false),
        },
    ]
}
