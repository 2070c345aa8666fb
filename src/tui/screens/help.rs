//! The help: the keys of this screen, those that do something now first, then the global keys, the signs and the time
//! zone.

use ratatui::layout::Rect;

use crate::app::Cursor;
use crate::app::update::available::hints::help;
use crate::fleet::nodes::Unsaved;
use crate::model::HealthState;
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::badge;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::dialog::dialog;
use crate::tui::widgets::doc::{DocLine, draw_lines};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, scrolled: &Cursor) {
    let theme = canvas.theme;
    let width = area.width.saturating_sub(4).min(100);
    let lines = lines(canvas, usize::from(width.saturating_sub(4)));
    let size = (width, area.height.saturating_sub(2).min(lines.len() as u16 + 2));
    let page = usize::from(size.1.saturating_sub(2));
    let first = scrolled.offset.min(lines.len().saturating_sub(page));
    let foot = if lines.len() > page {
        format!("{}–{} of {} lines · Esc closes", first + 1, (first + page).min(lines.len()), lines.len())
    } else {
        "Esc closes".to_owned()
    };
    let frame =
        Border { title: "Help", note: canvas.app.screen.title(), foot: &foot, focused: true, ..Border::default() };
    let (_, inner) = dialog(canvas.buf, area, size, frame, theme);
    let len = draw_lines(canvas.buf, inner, &lines, first, theme);
    canvas.drawn.help = Some((usize::from(inner.height), len));
}

fn lines(canvas: &Canvas<'_>, width: usize) -> Vec<DocLine> {
    let (app, theme) = (canvas.app, canvas.theme);
    let mut lines = vec![
        DocLine::default()
            .text("Lowercase looks, ", theme.text)
            .text("UPPERCASE", theme.bright)
            .text(" acts on a server or on a file.", theme.text),
        signs(theme),
        unsaved(theme),
    ];
    let zone = theme.zone.iana_name().map_or_else(|| "local time".to_owned(), str::to_owned);
    lines.push(DocLine::default().text("Times are ", theme.dim).text(zone, theme.text).text(".", theme.dim));
    for (place, section) in help(app) {
        lines.push(DocLine::default());
        lines.push(DocLine::default().text(place.title(), theme.accent_bold));
        let keys = section.iter().map(|line| text::width(&line.keys)).max().unwrap_or(0).clamp(12, 28);
        for line in section {
            let (key, doc) = if line.live { (theme.bright, theme.text) } else { (theme.dim, theme.dim) };
            let mut keys_said = line.keys;
            for part in text::wrap(line.doc, width.saturating_sub(keys + 4)) {
                let keys_said = std::mem::take(&mut keys_said);
                lines.push(DocLine::default().text("  ", doc).text(keys_said, key).at(keys + 4).text(part, doc));
            }
        }
    }
    lines
}

/// The signs after the name of a node that differs from the configuration file.
fn unsaved(theme: &Theme) -> DocLine {
    let mut line = DocLine::default();
    for unsaved in [Unsaved::Added, Unsaved::Edited] {
        line = line.text(unsaved.sign(), theme.secondary).text(format!(" {}   ", unsaved.word()), theme.dim);
    }
    line
}

fn signs(theme: &Theme) -> DocLine {
    let mut line = DocLine::default();
    for (state, word) in [
        (HealthState::Healthy, " healthy   "),
        (HealthState::Degraded, " slow or missing probes   "),
        (HealthState::Unhealthy, " down   "),
        (HealthState::Connecting, " connecting   "),
        (HealthState::Disconnected, " paused"),
    ] {
        let (sign, style) = badge::sign(state, theme);
        line = line.sign(sign, style).text(word, theme.dim);
    }
    line
}
