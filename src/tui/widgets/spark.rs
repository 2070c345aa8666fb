//! A line of small bars: what happened lately, newest at the right.

use ratatui::style::Style;

use super::pen::Pen;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One cell of a spark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    /// Nothing was asked then.
    Blank,
    /// Asked, and no answer.
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

/// A bar of so many eighths of a cell, one at least.
pub(crate) fn eighths(count: usize) -> char {
    BARS.get(count.clamp(1, 8) - 1).copied().unwrap_or('█')
}

fn sign(height: f64) -> char {
    let step = (height.clamp(0.0, 1.0) * 7.0).round() as usize;
    BARS.get(step).copied().unwrap_or('█')
}

/// Where a round trip stands between what is usual for the node and what is slow, on a logarithmic scale: a far node
/// that is well looks as calm as a near one, and what grows is seen on both.
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
