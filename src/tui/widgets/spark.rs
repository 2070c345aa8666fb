//! A sparkline: a row of small bars, newest on the right.

use ratatui::style::Style;

use super::pen::Pen;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One cell of a sparkline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    /// No query then.
    Blank,
    /// A query without an answer.
    Miss(Style),
    /// A height of 0 to 1.
    Level(f64, Style),
}

/// Draws the newest bars that fit `cells`, right-aligned.
pub(crate) fn spark(pen: &mut Pen<'_>, bars: impl ExactSizeIterator<Item = Bar>, cells: usize) {
    let cells = cells.min(pen.room());
    let skip = bars.len().saturating_sub(cells);
    pen.gap(cells - bars.len().min(cells));
    for bar in bars.skip(skip) {
        match bar {
            Bar::Blank => pen.gap(1),
            Bar::Miss(style) => pen.repeat('✖', 1, style),
            Bar::Level(height, style) => pen.repeat(sign(height), 1, style),
        };
    }
}

/// A bar of `count` eighths of a cell, at least one.
pub(crate) fn eighths(count: usize) -> char {
    BARS.get(count.clamp(1, 8) - 1).copied().unwrap_or('█')
}

fn sign(height: f64) -> char {
    let step = (height.clamp(0.0, 1.0) * 7.0).round() as usize;
    BARS.get(step).copied().unwrap_or('█')
}

/// The height of a round trip, from the usual one of the node to a slow one, on a logarithmic scale. A distant healthy
/// node looks as calm as a near one, and an increase is visible on both.
pub(crate) fn latency_height(seconds: f64, usual: f64, slow: f64) -> f64 {
    const CALM: f64 = 0.12;
    if usual <= 0.0 || seconds >= slow {
        return if seconds >= slow { 1.0 } else { CALM };
    }
    CALM + (1.0 - CALM) * (seconds / usual).max(1.0).ln() / (slow / usual).max(4.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_figure() {
        assert_eq!([0.0, 0.5, 1.0, 7.0].map(sign), ['▁', '▅', '█', '█']);
        let near = [0.000_4, 0.000_8, 0.04, 0.25].map(|s| sign(latency_height(s, 0.000_4, 0.25)));
        assert_eq!(near, ['▂', '▃', '▆', '█']);
        let far = [0.04, 0.05, 0.12, 0.25].map(|s| sign(latency_height(s, 0.04, 0.25)));
        assert_eq!(far, ['▂', '▃', '▆', '█']);
        assert_eq!([0.3, 0.4].map(|s| sign(latency_height(s, 0.3, 0.25))), ['█', '█'], "slow is slow, even if usual");
    }
}
