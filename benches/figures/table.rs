//! The table of the README: the limits, the goals and the measured figures.

use crate::readings::Readings;
use crate::support::report::table;

/// A row of the table.
pub struct Row {
    pub id: &'static str,
    pub what: &'static str,
    pub must: &'static str,
    pub goal: &'static str,
    pub measured: String,
    /// True if the limit holds, and true if the goal does.
    pub holds: (bool, bool),
}

impl Row {
    /// A row for a time: the limit must hold for the worst trial, the goal for the median.
    pub fn time(
        id: &'static str,
        what: &'static str,
        (must_text, must): (&'static str, f64),
        (goal_text, goal): (&'static str, f64),
        readings: &Readings,
        figure: &str,
    ) -> Self {
        let holds = (readings.worst(figure) <= must, readings.median(figure) <= goal);
        Self { id, what, must: must_text, goal: goal_text, measured: readings.time(figure), holds }
    }

    fn verdict(&self) -> &'static str {
        match self.holds {
            (true, true) => "goal reached",
            (true, false) => "floor holds",
            (false, _) => "**missed**",
        }
    }

    fn number(&self) -> u32 {
        self.id.trim_start_matches('N').parse().unwrap_or_default()
    }
}

/// The table, with rows in the order of their numbers.
pub fn figures(mut rows: Vec<Row>) -> String {
    rows.sort_by_key(Row::number);
    let cells =
        rows.iter().map(|row| [row.id, row.what, row.must, row.goal, &row.measured, row.verdict()].map(str::to_owned));
    let cells: Vec<[String; 6]> = cells.collect();
    table(&["", "what", "must", "goal", "measured", ""], cells.iter().map(<[String; 6]>::as_slice))
}
