//! The two lines below every screen: the newest event (or the input line) and the keys.

use ratatui::layout::Rect;

use super::Theme;
use super::canvas::{Canvas, to_app};
use super::widgets::input_line::input_line;
use super::widgets::pen::Pen;
use super::widgets::{event, severity};
use crate::app::update::available::hints::{Hint, hints};
use crate::app::{Action, App, Key, KeyCode};
use crate::fleet::Severity;
use crate::text;

/// Maximum width of a name, in columns.
const LONGEST_NAME: usize = 24;

/// The line above the keys. It shows that pgwatch is leaving, or else the input line, a notice, or the newest event.
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
        let cursor = input_line(canvas.buf, field, prompt.input.text(), at, theme.text);
        let selected = prompt.input.selection().len() as u16;
        let mark = Rect {
            x: cursor.x.saturating_sub(selected).max(field.x),
            width: selected.min(cursor.x - field.x),
            ..field
        };
        canvas.buf.set_style(mark, theme.patch);
        canvas.cursor = Some(cursor);
        return;
    }
    let mut pen = Pen::new(canvas.buf, area);
    if let Some(notice) = &app.notice {
        let (sign, style) = severity::sign(notice.severity, theme);
        let text = if notice.severity == Severity::Info { theme.text } else { style };
        pen.sign(sign, style).gap(1).put(&notice.text, text);
    } else if let Some(first) = app.reload_errors.first() {
        let more = app.reload_errors.len() - 1;
        pen.put("✖ ", theme.bad).put("the file has errors and was not applied: ", theme.bad).put(first, theme.text);
        if more > 0 {
            pen.put(&format!(" (and {more} more)"), theme.dim);
        }
    } else if let Some(newest) = app.picture().journal.newest() {
        // A long name must leave room for what happened.
        let name = newest.node.as_ref().map_or(0, |node| node.as_str().len()).min(LONGEST_NAME);
        event::draw_line(&mut pen, newest, name, app, theme);
    }
}

fn leaving(app: &App) -> Option<String> {
    let leaving = app.leaving?;
    if !leaving.drain {
        return Some(" Quitting: cancelling statements and closing sessions ".to_owned());
    }
    let queries = if leaving.queries == 1 { "1 query".to_owned() } else { format!("{} queries", leaving.queries) };
    let left = leaving.left(app.now).map(|left| format!(", {} left", text::age(left))).unwrap_or_default();
    Some(format!(" Quitting: waiting for {queries}{left} · q again cancels "))
}

/// The keys that do something now; while a command is being typed, its completions.
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
    for hint in that_fit(hints(app), pen.room()) {
        let start = pen.x();
        pen.put(&hint.keys, theme.accent_bold).gap(1).put(hint.word, theme.dim);
        let area = app_rect(start, pen.x(), line);
        canvas.drawn.keys.push((area, hint.action));
        pen.gap(2);
    }
}

/// What `Enter` would do with the command line. An error in half a word is not shown while the word has completions.
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

/// The hints that fit into `room`. Those for leaving, searching and help stay longest; of the others, the last goes
/// first.
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
