//! The journal: what happened, when, to which node and why, newest first. Screen 0, and a pane of others.

use std::collections::VecDeque;

use ratatui::layout::Rect;

use crate::app::Pane;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::data_table::select;
use crate::tui::widgets::event::{draw_line, name_width};
use crate::tui::widgets::filtered::{filtered, none_left, problems};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::wrapped::Rows;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme, picture) = (canvas.app, canvas.theme, canvas.app.picture());
    let table = &app.events_table;
    let of_node = app.screen == crate::app::Screen::Detail;
    let whole = whole_text(canvas, area);
    let page = usize::from(area.height.saturating_sub(2)).saturating_sub(whole.len());
    let window = table.cursor.window(table.rows.len(), page);
    let note = if of_node { "" } else { "all nodes" };
    let foot = text::part(&window, table.rows.len());
    let loud = filtered(problems(table.problems_only), &table.filter, table.hidden());
    let border = Border { title: "Events", loud: &loud, note, foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Events, area, border);
    let height = inner.height.saturating_sub(whole.len() as u16);
    for (row, line) in (height..inner.height).zip(&whole) {
        Pen::row(canvas.buf, inner, row).gap(2).put(line, theme.text);
    }
    let inner = Rect { height, ..inner };
    let focused = canvas.is_focused(Pane::Events);
    let name = if of_node { 0 } else { name_width(app).min(usize::from(inner.width) / 4) };
    for (row, number) in (0..inner.height).zip(window.clone()) {
        let Some(line) = table.rows.get(number).and_then(|seq| picture.journal.get(*seq)) else { continue };
        let area = Rect { y: inner.y + row, height: 1, ..inner };
        draw_line(&mut Pen::new(canvas.buf, area), line, name, app, theme);
        if focused && number == table.cursor.at {
            select(canvas.buf, area, true, theme);
        }
    }
    if table.rows.is_empty() {
        let why = match table.filter.is_empty() {
            _ if table.total == 0 => "Nothing has happened yet.".to_owned(),
            true => "No event is a problem.".to_owned(),
            false => none_left("event", &table.filter),
        };
        Pen::row(canvas.buf, inner, 0).put(&why, theme.dim);
    }
    canvas.note_rows(inner, &Rows::single(window), table.rows.len());
}

/// The full reason of the selected line, if long text is wrapped (`w`), and what it consists of, if its details are open.
fn whole_text(canvas: &Canvas<'_>, area: Rect) -> Vec<String> {
    let app = canvas.app;
    let selected = app.events_table.selected().and_then(|seq| app.picture().journal.get(*seq));
    let Some(line) = selected.filter(|_| (app.wrap || app.details) && canvas.is_focused(Pane::Events)) else {
        return Vec::new();
    };
    let width = usize::from(area.width.saturating_sub(8));
    let mut lines = text::wrap(&line.text, width);
    let height = usize::from(area.height.saturating_sub(2)) / 2;
    if app.details {
        let steps = line.steps.iter().map(|step| {
            let at = text::clock(step.at, app.now, &canvas.theme.zone);
            if step.text.is_empty() {
                format!("{at}  {}", step.what)
            } else {
                format!("{at}  {}: {}", step.what, step.text)
            }
        });
        let room = height.saturating_sub(lines.len());
        lines.extend(ends(steps.map(|step| text::wrap(&step, width)).collect(), room));
    }
    lines.truncate(height);
    lines
}

/// As many steps as there is room for, each a few lines: the first and the last ones, which tell most.
fn ends(mut steps: VecDeque<Vec<String>>, room: usize) -> Vec<String> {
    if steps.iter().map(Vec::len).sum::<usize>() <= room {
        return steps.into_iter().flatten().collect();
    }
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut left = room.saturating_sub(1);
    loop {
        let is_first = first.len() <= last.len();
        let next = if is_first { steps.front() } else { steps.back() };
        let Some(length) = next.map(Vec::len).filter(|length| *length <= left) else { break };
        left -= length;
        if is_first {
            first.extend(steps.pop_front().unwrap_or_default());
        } else {
            last.splice(0..0, steps.pop_back().unwrap_or_default());
        }
    }
    first.push(format!("… {} more", steps.len()));
    first.extend(last);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_shown_whole_or_not_at_all() {
        let steps = || -> VecDeque<Vec<String>> {
            let of = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
            [of(&["1a", "1b"]), of(&["2"]), of(&["3a", "3b"]), of(&["4"])].into()
        };
        assert_eq!(ends(steps(), 6), ["1a", "1b", "2", "3a", "3b", "4"]);
        assert_eq!(ends(steps(), 5), ["1a", "1b", "… 2 more", "4"]);
        assert_eq!(ends(steps(), 4), ["1a", "1b", "… 2 more", "4"]);
        assert_eq!(ends(steps(), 2), ["… 4 more"]);
        assert_eq!(ends(VecDeque::new(), 0), [""; 0]);
    }
}
