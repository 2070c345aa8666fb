//! A question over the screen; the initial choice is No.

use ratatui::layout::Rect;

use crate::app::Confirm;
use crate::text;
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::widgets::border::Border;
use crate::tui::widgets::dialog::dialog;
use crate::tui::widgets::pen::Pen;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, confirm: &Confirm) {
    let theme = canvas.theme;
    let title = confirm.title();
    let width = area.width.saturating_sub(8).min(64);
    let inside = usize::from(width.saturating_sub(4));
    let lines: Vec<String> = confirm.lines().iter().flat_map(|line| text::wrap(line, inside)).collect();
    let height = (lines.len() + 4).min(usize::from(area.height)) as u16;
    let (_, inner) = dialog(canvas.buf, area, (width, height), Border { title: &title, ..Border::default() }, theme);
    for (row, line) in (0..inner.height.saturating_sub(2)).zip(&lines) {
        Pen::row(canvas.buf, inner, row).put(line, if row == 0 { theme.bright } else { theme.text });
    }
    let foot = Rect { y: inner.bottom().saturating_sub(1), height: inner.height.min(1), ..inner };
    let mut pen = Pen::new(canvas.buf, foot);
    let mut choices = Vec::with_capacity(2);
    let yes = format!(" y  Yes, {} ", confirm.word());
    for (n, (text, chosen)) in [(" n  No ", !confirm.yes), (yes.as_str(), confirm.yes)].into_iter().enumerate() {
        let start = pen.x();
        pen.put(text, if chosen { theme.patch } else { theme.text });
        choices.push((to_app(Rect { x: start, width: pen.x() - start, ..foot }), n));
        pen.gap(2);
    }
    canvas.drawn.fields = choices;
}
