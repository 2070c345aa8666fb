//! A gauge of a few cells that shows how much of a limit is used.

use ratatui::style::Style;

use super::pen::Pen;
use crate::tui::Theme;

/// `▰▰▱▱▱`: `share` is 0 to 1. Only 0 fills no cell, and only 1 fills all.
pub(crate) fn meter(pen: &mut Pen<'_>, share: f64, cells: usize, style: Style, theme: &Theme) {
    let filled = filled(share, cells);
    pen.repeat('▰', filled, style).repeat('▱', cells - filled, theme.border);
}

fn filled(share: f64, cells: usize) -> usize {
    if share >= 1.0 {
        cells
    } else if share > 0.0 {
        ((share * cells as f64).round() as usize).clamp(1.min(cells), cells.saturating_sub(1).max(1).min(cells))
    } else {
        0
    }
}

/// The style for a limit of which `share` (0 to 1) is used: plain, then warning, then critical.
pub(crate) fn level(share: f64, theme: &Theme) -> Style {
    if share >= 0.95 {
        theme.bad
    } else if share >= 0.8 {
        theme.warn
    } else {
        theme.ok
    }
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn a_meter_is_empty_only_at_zero_and_full_only_at_one() {
        assert_eq!([0.0, 0.01, 0.5, 0.99, 1.0, 1.3].map(|share| filled(share, 5)), [0, 1, 3, 4, 5, 5]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| filled(share, 1)), [0, 1, 1]);
        assert_eq!(filled(0.5, 0), 0);
    }
}
