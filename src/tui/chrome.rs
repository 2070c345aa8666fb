//! The frame around every screen: the header, the tabs, the newest event (or the input line) and the keys.

use std::time::UNIX_EPOCH;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::{Canvas, to_app};
use super::screens::{self, events};
use super::widgets::input_line::input_line;
use super::widgets::pen::Pen;
use super::{Theme, text};
use crate::app::keymap::{self, Hint};
use crate::app::{Action, App, Key, KeyCode, Screen, Severity};

/// From this width on all tabs have their whole titles.
const TABS_WIDE: u16 = 118;
/// Columns that a name takes at most.
const LONGEST_NAME: usize = 24;

/// Cluster, counts by state, sum of transactions, alerts; at the right mode, refresh and clock.
pub(crate) fn header(canvas: &mut Canvas<'_>, line: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let right = header_right(app, theme);
    let width = right.iter().map(|(text, _)| text::width(text) + 3).sum::<usize>().saturating_sub(2) as u16;
    let start = line.right().saturating_sub(width).max(line.x);
    header_left(app, theme, Pen::new(canvas.buf, Rect { width: start.saturating_sub(line.x + 1), ..line }));
    let mut pen = Pen::new(canvas.buf, Rect { x: start, width: line.right() - start, ..line });
    for (text, style) in right {
        pen.put(&text, style).gap(3);
    }
}

fn header_right(app: &App, theme: &Theme) -> Vec<(String, Style)> {
    let mode =
        if app.read_write { (" READ-WRITE ".to_owned(), theme.patch_bad) } else { ("read-only".to_owned(), theme.dim) };
    let refresh = match app.frozen_since() {
        Some(since) => {
            let age = app.now.duration_since(since).unwrap_or_default();
            (format!(" PAUSED {} ", text::age(age)), theme.patch_warn)
        }
        None => (format!("every {}", text::period(app.refresh)), theme.dim),
    };
    let clock = if app.now > UNIX_EPOCH { text::clock(app.now, app.now, &theme.zone) } else { String::new() };
    vec![mode, refresh, (clock, theme.text)]
}

fn header_left(app: &App, theme: &Theme, mut pen: Pen<'_>) {
    let picture = app.picture();
    let counts = picture.nodes.counts();
    pen.gap(1).put("pgwatch", theme.accent_bold).gap(2);
    if let Some(cluster) = &app.cluster {
        // A long name must not push the counts out.
        pen.put(&text::fit(cluster, LONGEST_NAME), theme.bright).gap(3);
    }
    for (sign, count, style) in
        [("●", counts.healthy, theme.ok), ("◐", counts.degraded, theme.warn), ("✖", counts.down, theme.bad)]
    {
        if count > 0 || (sign == "●" && counts.total() > 0) {
            pen.sign(sign, style).gap(1).put(&count.to_string(), style).gap(2);
        }
    }
    let nodes = match counts.total() {
        0 => "no nodes yet".to_owned(),
        1 => "of 1 node".to_owned(),
        total => format!("of {total} nodes"),
    };
    if pen.room() > nodes.len() {
        pen.put(&nodes, theme.dim).gap(3);
    }
    if let Some(rate) = picture.nodes.transactions(picture.at, app.refresh) {
        let rate = text::rate(rate);
        if pen.room() > rate.len() + 4 {
            pen.put(&rate, theme.bright).put(" tps", theme.dim).gap(3);
        }
    }
    if let (alerts, Some(worst)) = app.alerts.count() {
        let style = screens::alerts::style(worst, theme);
        let said = format!("▲ {alerts} {}", if alerts == 1 { "alert" } else { "alerts" });
        // The number says enough where there is little room.
        let said = if pen.room() >= text::width(&said) { said } else { format!("▲ {alerts}") };
        if pen.room() >= text::width(&said) {
            pen.put(&said, style).gap(3);
        }
    }
    if let Some(cost) = app.cost.rate(picture.at) {
        // Whole figures, which stay as they are from second to second.
        let ms = cost.time.as_secs_f64() * 1000.0;
        let time = if ms < 0.5 { "<1 ms".to_owned() } else { format!("{ms:.0} ms") };
        let said = format!("{}/s {time}", text::count(cost.statements.round() as u64));
        if pen.room() >= said.len() + 5 {
            pen.put("cost ", theme.dim).put(&said, theme.dim);
        }
    }
}

pub(crate) fn tabs(canvas: &mut Canvas<'_>, line: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let mut pen = Pen::new(canvas.buf, line);
    let wide = line.width >= TABS_WIDE;
    pen.gap(usize::from(wide));
    for screen in Screen::TABS {
        let title = if wide { screen.title() } else { screen.short_title() };
        let digit = screen.digit().map(String::from).unwrap_or_default();
        let start = pen.x();
        let active = app.screen == screen || (app.screen == Screen::Detail && screen == Screen::Nodes);
        if active {
            pen.put(&format!(" {digit} {title} "), theme.patch);
        } else {
            pen.gap(usize::from(wide)).put(&digit, theme.dim).gap(1).put(title, theme.text).gap(usize::from(wide));
        }
        let area = app_rect(start, pen.x(), line);
        canvas.drawn.tabs.push((area, screen));
        if active
            && app.screen == Screen::Detail
            && let Some(name) = app.nodes_table.selected()
        {
            pen.put(" › ", theme.dim).put(name.as_str(), theme.bright).gap(1);
        }
        pen.gap(1);
    }
    let title = format!(" {} ", Screen::Alerts.title());
    if app.screen == Screen::Alerts && pen.room() >= text::width(&title) {
        pen.put(&title, theme.patch);
    }
}

/// The line above the keys: leaving, else the input line, else a passing remark, else the newest event.
pub(crate) fn event_line(canvas: &mut Canvas<'_>, line: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let area = Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line };
    if let Some(said) = leaving(app) {
        Pen::new(canvas.buf, line).put(&said, theme.patch_warn);
        return;
    }
    if let Some(prompt) = &app.prompt {
        let sign = prompt.sign().to_string();
        Pen::new(canvas.buf, area).put(&sign, theme.accent_bold);
        let field = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        let at = prompt.input.halves().0.len();
        canvas.cursor = Some(input_line(canvas.buf, field, prompt.input.text(), at, theme.text));
        return;
    }
    let mut pen = Pen::new(canvas.buf, area);
    if let Some(notice) = &app.notice {
        let (sign, style) = events::sign(notice.severity, theme);
        let text = if notice.severity == Severity::Info { theme.text } else { style };
        pen.sign(sign, style).gap(1).put(&notice.text, text);
    } else if let Some(first) = app.reload_errors.first() {
        let more = app.reload_errors.len() - 1;
        pen.put("✖ ", theme.bad).put("the file is wrong, nothing was changed: ", theme.bad).put(first, theme.text);
        if more > 0 {
            pen.put(&format!(" (and {more} more)"), theme.dim);
        }
    } else if let Some(newest) = app.picture().journal.newest() {
        // A long name must not push out what happened.
        let name = newest.node.as_ref().map_or(0, |node| node.as_str().len()).min(LONGEST_NAME);
        events::draw_line(&mut pen, newest, name, app, theme);
    }
}

fn leaving(app: &App) -> Option<String> {
    let leaving = app.leaving?;
    if !leaving.drain {
        return Some(" Leaving: cancelling what runs and closing our sessions ".to_owned());
    }
    let queries = if leaving.queries == 1 { "1 query".to_owned() } else { format!("{} queries", leaving.queries) };
    let left = leaving.left(app.now).map(|left| format!(", {} left", text::age(left))).unwrap_or_default();
    Some(format!(" Leaving: waiting for {queries}{left} · q again cancels "))
}

/// The keys that do something now; while a command is typed, its completions.
pub(crate) fn key_line(canvas: &mut Canvas<'_>, line: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let mut area = Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line };
    if let Some(prompt) = &app.prompt {
        let mut pen = Pen::new(canvas.buf, area);
        if let Some(error) = &prompt.error {
            pen.put("✖ ", theme.bad).put(error, theme.bad);
            return;
        }
        meaning(app, theme, &mut pen);
        if !prompt.completions.is_empty() {
            for (n, completion) in prompt.completions.iter().enumerate() {
                let chosen = prompt.chosen == Some(n);
                pen.put(completion, if chosen { theme.accent_bold } else { theme.dim }).gap(2);
            }
            return;
        }
        let skip = pen.x() - area.x;
        area = Rect { x: area.x + skip, width: area.width - skip, ..area };
    }
    let mut pen = Pen::new(canvas.buf, area);
    for hint in that_fit(keymap::hints(app), pen.room()) {
        let start = pen.x();
        pen.put(&hint.keys, theme.accent_bold).gap(1).put(hint.word, theme.dim);
        let area = app_rect(start, pen.x(), line);
        canvas.drawn.keys.push((area, hint.action));
        pen.gap(2);
    }
}

/// What `Enter` would do with the command line. What is wrong with half a word is no news while it has completions.
fn meaning(app: &App, theme: &Theme, pen: &mut Pen<'_>) {
    let completes = app.prompt.as_ref().is_some_and(|prompt| !prompt.completions.is_empty());
    match app.meaning_of_prompt() {
        Some((true, said)) => {
            let key = Key::from(KeyCode::Enter).label(app.ascii);
            pen.put(&key, theme.accent_bold).gap(1).put(&said, theme.bright).gap(3);
        }
        Some((false, why)) if !completes => {
            pen.put(&why, theme.warn).gap(3);
        }
        _ => {}
    }
}

/// The ways out and the help stay where there is no room for all; what stands before them is left out from its end.
fn that_fit(mut hints: Vec<Hint>, room: usize) -> Vec<Hint> {
    const STAY: [Action; 6] =
        [Action::Filter, Action::Command, Action::Help, Action::Back, Action::Quit, Action::Cancel];
    hints.retain(|hint| !hint.word.is_empty());
    let width = |hint: &Hint| text::width(&hint.keys) + text::width(hint.word) + 3;
    while hints.iter().map(width).sum::<usize>() > room + 2 {
        let last = hints.iter().rposition(|hint| !STAY.contains(&hint.action));
        let Some(last) = last.or(hints.len().checked_sub(1)) else { break };
        hints.remove(last);
    }
    hints
}

fn app_rect(start: u16, end: u16, line: Rect) -> crate::app::Rect {
    to_app(Rect { x: start, width: end.saturating_sub(start), ..line })
}
