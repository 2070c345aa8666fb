//! The table that is printed: what must be, what we are after, what was measured.

use crate::support::report::machine;

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
