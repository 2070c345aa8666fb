//! Bars several rows high, one per column, newest on the right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use super::spark::{Bar, eighths};

/// Draws the newest bars that fit, right-aligned.
pub(crate) fn columns(buf: &mut Buffer, area: Rect, bars: &[Bar]) {
    let shown = bars.len().min(usize::from(area.width));
    let start = area.right().saturating_sub(shown as u16);
    for (x, bar) in (start..area.right()).zip(bars.iter().skip(bars.len() - shown)) {
        column(buf, Rect { x, width: 1, ..area }, *bar);
    }
}

fn column(buf: &mut Buffer, area: Rect, bar: Bar) {
    let row = |n: u16| Rect { y: area.bottom().saturating_sub(n + 1), height: 1, ..area };
    match bar {
        Bar::Blank => {}
        Bar::Miss(style) => {
            Pen::new(buf, row(0)).put("✖", style);
        }
        Bar::Level(height, style) => {
            let mut left = ((height.clamp(0.0, 1.0) * f64::from(area.height) * 8.0).round() as usize).max(1);
            for n in 0..area.height {
                if left == 0 {
                    break;
                }
                Pen::new(buf, row(n)).repeat(eighths(left), 1, style);
                left = left.saturating_sub(8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn bars_begin_at_the_bottom_and_stay_inside() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 5, 2));
        let level = |height| Bar::Level(height, Style::new());
        let bars = [level(9.0), level(0.0), Bar::Blank, Bar::Miss(Style::new()), level(0.75), level(1.0)];
        columns(&mut buf, Rect::new(0, 0, 5, 2), &bars);
        assert_eq!(buf, Buffer::with_lines(["   ▄█", "▁ ✖██"]));
    }
}
