//! The cost of a frame by the dashboard's own log: how long drawing and writing took, and its bytes.

use std::time::Duration;

use crate::cores::Core;
use crate::support::report::{median, quantile};
use crate::support::wait::PATIENCE;
use crate::watched::{SETTLE, all_healthy, pass};

const WINDOW: Duration = Duration::from_secs(15);

pub struct Frames {
    pub per_second: f64,
    /// Mean bytes of a frame.
    pub bytes: f64,
    pub median: Duration,
    /// The 99th percentile.
    pub worst: Duration,
}

pub fn measure(core: Core, config: &str, nodes: usize) -> Frames {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("frames.log");
    let log_path = log.display().to_string();
    let env = [("PGWATCH_LOG", "pgwatch::run=trace")];
    let mut tui = core.start(&["--config", config, "--log", &log_path], &env);
    all_healthy(&tui, nodes);
    pass(SETTLE);
    let before = std::fs::read_to_string(&log).expect("the log").len();
    pass(WINDOW);
    let text = std::fs::read_to_string(&log).expect("the log");
    tui.press("q");
    tui.wait_exit(PATIENCE);

    let (mut times, mut bytes) = (Vec::new(), 0);
    for line in text.get(before..).unwrap_or_default().lines().filter(|line| line.contains("frame")) {
        times.push(Duration::from_micros(field(line, "micros=")));
        bytes += field(line, "bytes=");
    }
    let count = times.len().max(1) as f64;
    Frames {
        per_second: times.len() as f64 / WINDOW.as_secs_f64(),
        bytes: bytes as f64 / count,
        median: median(&mut times),
        worst: quantile(&mut times, 0.99),
    }
}

fn field(line: &str, name: &str) -> u64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
}
