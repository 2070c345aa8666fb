//! False alarms: twenty nodes on healthy servers, while other programs keep the processor busy. Every report of a
//! problem in that time is false.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::desk::Watched;
use crate::row::{HEAD, Row};
use crate::stage::{Set, Stage};
use crate::support::report::{quantile, seconds};

/// A shorter run without load, as a control.
const CONTROL: u64 = 5;

/// The runs: name, true if the processor is kept busy, and the divisor of the minutes.
pub const QUIET: [(&str, bool, u64); 2] =
    [("quiet, 20 nodes, every core busy", true, 1), ("quiet, 20 nodes, no other load", false, CONTROL)];

/// Runs one for `minutes`; returns its row.
pub fn run(name: &str, busy: bool, minutes: u64) -> Row {
    let mut stage = Stage::new(&Set { twenty: true, ..Set::default() });
    stage.desk.pass(Duration::from_secs(3));
    stage.desk.keys.clear();
    let from = stage.desk.log.lines.len();
    let stop = AtomicBool::new(false);
    let time = Duration::from_secs(60 * minutes);
    std::thread::scope(|scope| {
        let cores = if busy { std::thread::available_parallelism().map_or(1, usize::from) } else { 0 };
        for _ in 0..cores {
            scope.spawn(|| spin(&stop));
        }
        let begin = Instant::now();
        let mut watched = Watched { down_at: None };
        stage.desk.watch(&[], &mut watched, time, |_, _| begin.elapsed() >= time);
        stop.store(true, Ordering::Relaxed);
    });
    stage.desk.log.read();
    let told = stage.desk.log.lines.get(from..).unwrap_or_default();
    let count = |state: &str| told.iter().filter(|line| line.entered() == Some(state)).count();
    let (degraded, unhealthy) = (count("degraded"), count("unhealthy"));
    let every: Vec<String> = stage.hit.iter().chain(&stage.others).cloned().collect();
    let missed: u64 = every.iter().filter_map(|node| stage.desk.log.missed(node)).map(|(_, missed)| missed).sum();
    let key = quantile(&mut stage.desk.keys, 0.99);
    stage.desk.tui.press("q");
    stage.desk.tui.wait_exit(Duration::from_secs(15));

    let holds = degraded + unhealthy == 0 && missed == 0;
    let mut cells = vec!["–".to_owned(); HEAD.len()];
    let verdict = if holds { "no false alarm" } else { "**missed**: false alarms" };
    for (at, text) in [
        (0, name.to_owned()),
        (1, "nothing".to_owned()),
        (2, format!("{minutes} min")),
        (3, format!("{degraded} times")),
        (4, format!("{unhealthy} times")),
        (7, missed.to_string()),
        (8, seconds(key)),
        (10, verdict.to_owned()),
    ] {
        cells[at] = text;
    }
    Row { cells, holds }
}

fn spin(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}
