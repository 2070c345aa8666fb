//! The last minute of a node as bars: its round trips, and the seconds without an answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::spark::{Bar, latency_height};
use crate::fleet::nodes::{Node, Sample};
use crate::model::HealthState;
use crate::model::history::Ring;
use crate::tui::Theme;

/// The last minute in `cells` cells: the slowest answer of each, or that there was none.
pub(crate) fn last_minute(node: &Node, at: SystemTime, cells: usize, theme: &Theme) -> Vec<Bar> {
    let slow = node.config.health.slow_after.as_secs_f64();
    let usual = usual_seconds(node);
    let worst = minute(node, at, cells).map(|cell| cell.max_by_key(|second| badness(second)));
    worst.map(|second| second.map_or(Bar::Blank, |second| bar_of(second, usual, slow, theme))).collect()
}

/// The seconds of the last minute in `cells` cells, oldest first. Cells begin at round seconds of the clock, so that
/// they move left instead of flickering.
pub(crate) fn minute(node: &Node, at: SystemTime, cells: usize) -> impl Iterator<Item = impl Iterator<Item = &Sample>> {
    let clock = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as usize);
    in_cells(node.history.seconds(), clock, cells)
}

fn in_cells<T>(seconds: &Ring<T>, clock: usize, cells: usize) -> impl Iterator<Item = impl Iterator<Item = &T>> {
    let per_cell = 60_usize.div_ceil(cells.clamp(1, 60));
    let newest = clock % per_cell + 1;
    let count = match seconds.len() {
        0 => 0,
        known => 1 + known.saturating_sub(newest).div_ceil(per_cell),
    };
    // A further cell for the rest of the oldest seconds would appear and disappear at the edge.
    let whole = 60_usize.div_ceil(per_cell);
    (0..count.min(whole)).rev().map(move |age| {
        let end = seconds.len().saturating_sub(if age == 0 { 0 } else { newest + (age - 1) * per_cell });
        let start = seconds.len().saturating_sub(newest + age * per_cell);
        seconds.iter().skip(start).take(end - start)
    })
}

/// The newest seconds, one per cell.
pub(crate) fn newest_seconds(node: &Node, cells: usize, theme: &Theme) -> Vec<Bar> {
    let slow = node.config.health.slow_after.as_secs_f64();
    let usual = usual_seconds(node);
    let mut last = None;
    let seconds = node.history.seconds();
    let bars = seconds.iter().map(|second| {
        // Probes come every second, but not exactly on it: in a second without one, the last one still holds if none
        // was missed.
        let healthy = second.state == HealthState::Healthy;
        last = second.latency.or(last.filter(|_| healthy));
        bar_of(&Sample { latency: last, ..*second }, usual, slow, theme)
    });
    bars.skip(seconds.len().saturating_sub(cells)).collect()
}

/// The fastest answer of the last minute: the minimum round trip to this node.
fn usual_seconds(node: &Node) -> f64 {
    node.history.seconds().iter().filter_map(|second| second.latency).min().map_or(0.0, |least| least.as_secs_f64())
}

fn bar_of(second: &Sample, usual: f64, slow: f64, theme: &Theme) -> Bar {
    match (second.state, second.latency) {
        (HealthState::Unhealthy | HealthState::Reconnecting, _) => Bar::Miss(theme.bad),
        (HealthState::Connecting | HealthState::Disconnected, _) | (_, None) => Bar::Blank,
        (_, Some(latency)) => {
            let seconds = latency.as_secs_f64();
            Bar::Level(latency_height(seconds, usual, slow), if seconds >= slow { theme.warn } else { theme.ok })
        }
    }
}

/// The order of the seconds of a cell by badness, of which it shows the worst: one without an answer, else the slowest.
fn badness(second: &Sample) -> (bool, Option<Duration>) {
    match second.state {
        HealthState::Unhealthy | HealthState::Reconnecting => (true, None),
        HealthState::Connecting | HealthState::Disconnected => (false, None),
        HealthState::Healthy | HealthState::Degraded => (false, second.latency),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each second stays in the same cell for as long as it is shown, and a full minute always has the same number of
    /// cells.
    #[test]
    fn cells_of_the_last_minute_move_without_flickering() {
        for cells in [7, 20, 23, 41, 60, 90] {
            let per_cell = 60_usize.div_ceil(cells.min(60));
            let mut seconds = Ring::new(60);
            for clock in 0..200_usize {
                seconds.push(clock);
                let shown: Vec<Vec<usize>> =
                    in_cells(&seconds, clock, cells).map(|cell| cell.copied().collect()).collect();
                assert!(shown.iter().flatten().is_sorted() && shown.iter().all(|cell| !cell.is_empty()), "{shown:?}");
                let apart = |cell: &Vec<usize>| cell.iter().any(|second| second / per_cell != cell[0] / per_cell);
                assert!(!shown.iter().any(apart), "{shown:?}");
                if clock >= 60 {
                    assert_eq!(shown.len(), 60_usize.div_ceil(per_cell), "{clock}: {shown:?}");
                }
            }
        }
    }
}
