//! The table that is printed: what must be, what we are after, what was measured.

use std::time::Duration;

/// One line of the table.
pub struct Row {
    pub id: &'static str,
    pub what: &'static str,
    pub must: &'static str,
    pub goal: &'static str,
    pub measured: String,
    /// Whether the floor and the goal hold.
    pub holds: (bool, bool),
}

impl Row {
    /// A figure in one unit, where less is better.
    pub fn new(
        id: &'static str,
        what: &'static str,
        (must_text, must): (&'static str, f64),
        (goal_text, goal): (&'static str, f64),
        value: f64,
        measured: String,
    ) -> Self {
        Self { id, what, must: must_text, goal: goal_text, measured, holds: (value <= must, value <= goal) }
    }
}

pub fn print(rows: &[Row]) {
    println!("| | what | must | goal | measured | |\n| --- | --- | --- | --- | --- | --- |");
    for Row { id, what, must, goal, measured, holds } in rows {
        let verdict = match holds {
            (true, true) => "goal reached",
            (true, false) => "floor holds",
            (false, _) => "**missed**",
        };
        println!("| {id} | {what} | {must} | {goal} | {measured} | {verdict} |");
    }
    println!("\n{}", machine());
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, m)| m);
    format!("{cores} cores ({model}), servers and dashboard on the same machine")
}

pub fn median(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

pub fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.01 => format!("{:.1} ms", s * 1000.0),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s => format!("{s:.2} s"),
    }
}

/// `median (max)`.
pub fn spread(samples: &mut [Duration]) -> String {
    let middle = median(samples);
    format!("{} (max {})", seconds(middle), seconds(samples[samples.len() - 1]))
}
