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

fn sign(height: f64) -> char {
    let step = (height.clamp(0.0, 1.0) * 7.0).round() as usize;
    BARS.get(step).copied().unwrap_or('█')
}

/// Where a latency stands between a tenth of a millisecond and `slow`, on a logarithmic scale: heights of different
/// nodes can be compared, and neither 0.3 ms nor 300 ms drowns the other.
pub(crate) fn latency_height(seconds: f64, slow: f64) -> f64 {
    const LEAST: f64 = 0.000_1;
    if slow <= LEAST || seconds <= LEAST { 0.0 } else { (seconds / LEAST).ln() / (slow / LEAST).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_figure() {
        assert_eq!([0.0, 0.5, 1.0, 7.0].map(sign), ['▁', '▅', '█', '█']);
        let heights = [0.0, 0.000_4, 0.04, 0.25].map(|s| sign(latency_height(s, 0.25)));
        assert_eq!(heights, ['▁', '▂', '▆', '█']);
    }
}
