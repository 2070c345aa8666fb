//! The form that adds or edits a node. The problem of a field is shown next to it while it is typed, the result of the
//! connection test below.

use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;

use crate::app::Form;
use crate::app::dialogs::form::{Field, Test};
use crate::text;
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::widgets::border::Border;
use crate::tui::widgets::dialog::dialog;
use crate::tui::widgets::input_line::input_line;
use crate::tui::widgets::pen::Pen;

/// Widths of the labels and, at most, of the fields, in columns.
const LABEL: u16 = 19;
const FIELD: u16 = 44;
/// Height of the test's result below the fields, in rows.
const MESSAGE: u16 = 3;

/// Height of the form in rows, borders included, if no field has a problem.
pub(crate) const HEIGHT: u16 = Field::ALL.len() as u16 + MESSAGE + 4;
/// Shown above the button.
const KEPT: &str = "Kept until you quit or the file is read again: the file is not written.";

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, form: &Form) {
    let theme = canvas.theme;
    let title = form.title();
    let width = area.width.saturating_sub(4).min(96);
    // The problem of a field is shown next to it, or below if it would be cut and lines are free.
    let below: Vec<Vec<String>> = Field::ALL.iter().map(|field| hint_below(form, *field, width)).collect();
    let wanted = HEIGHT + below.iter().map(Vec::len).sum::<usize>() as u16;
    let spread = wanted <= area.height;
    let size = (width, if spread { wanted } else { HEIGHT });
    let border = Border { title: &title, foot: "Tab next · Esc cancels", ..Border::default() };
    let (_, inner) = dialog(canvas.buf, area, size, border, theme);
    let mut places = Vec::with_capacity(Field::ALL.len() + 1);
    let mut row = 0;
    for ((at, field), hints) in Field::ALL.into_iter().enumerate().zip(&below) {
        if row >= inner.height {
            break;
        }
        let line = Rect { y: inner.y + row, height: 1, ..inner };
        draw_field(canvas, line, form, field, form.focus == at, spread && !hints.is_empty());
        places.push((to_app(line), at));
        row += 1;
        for (number, hint) in hints.iter().enumerate().filter(|_| spread) {
            let line = Rect { y: inner.y + row, height: 1, ..inner };
            let bad = canvas.theme.bad;
            let sign = if number == 0 { "✖ " } else { "  " };
            Pen::new(canvas.buf, line).gap(usize::from(LABEL)).put(sign, bad).put(hint, bad);
            row += 1;
        }
    }
    let message =
        Rect { y: inner.y.saturating_add(row), height: inner.height.saturating_sub(row + 2).min(MESSAGE), ..inner };
    let said = spread && below.get(form.focus).is_some_and(|hints| !hints.is_empty());
    if !said || form.test != Test::Idle {
        draw_message(canvas, message, form);
    }
    if inner.height > row + 1 {
        let line = Rect { y: inner.bottom() - 2, height: 1, ..inner };
        Pen::new(canvas.buf, line).put(KEPT, canvas.theme.dim);
    }
    if inner.height > row {
        let line = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        let mut pen = Pen::new(canvas.buf, Rect { x: line.x + LABEL.min(line.width), ..line }.intersection(line));
        let start = pen.x();
        let style = if form.focus == Form::BUTTON { theme.patch } else { theme.field };
        pen.put(&format!(" {} ", form.button()), style);
        places.push((to_app(Rect { x: start, width: pen.x() - start, ..line }), Form::BUTTON));
    }
    canvas.drawn.fields = places;
}

/// Width of a field in a form of this width, borders included.
fn field_width(width: u16) -> u16 {
    FIELD.min(width.saturating_sub(LABEL) * 2 / 3)
}

/// The problem of a field, in lines to show below it; none if it fits next to it.
fn hint_below(form: &Form, field: Field, width: u16) -> Vec<String> {
    let Some(error) = form.error(field) else { return Vec::new() };
    let inside = width.saturating_sub(4);
    let beside = usize::from(inside.saturating_sub(LABEL + field_width(inside) + 3));
    if text::width(&error) <= beside {
        return Vec::new();
    }
    text::wrap(&error, usize::from(inside.saturating_sub(LABEL + 2)))
}

fn draw_field(canvas: &mut Canvas<'_>, line: Rect, form: &Form, field: Field, focused: bool, hint_below: bool) {
    let theme = canvas.theme;
    let error = form.error(field).filter(|_| !hint_below);
    let label = if focused { theme.accent_bold } else { theme.dim };
    let mut pen = Pen::new(canvas.buf, line);
    pen.column(field.label(), usize::from(LABEL), label);
    // Without a hint next to it, the field takes that room.
    let width = if error.is_some() { field_width(line.width) } else { FIELD.min(line.width.saturating_sub(LABEL)) };
    let place = Rect { x: pen.x(), width, ..line }.intersection(line);
    if let Some(error) = &error {
        pen.gap(usize::from(width) + 1).put("✖ ", theme.bad).put(error, theme.bad);
    }
    let (shown, column) = form.shown(field);
    if !form.is_fixed(field) {
        canvas.buf.set_style(place, theme.field);
    }
    if field == Field::Tls {
        let style = if focused { theme.accent_bold } else { theme.text };
        Pen::new(canvas.buf, place).put("‹ ", theme.dim).put(&shown, style).put(" ›", theme.dim);
        return;
    }
    if shown.is_empty() {
        Pen::new(canvas.buf, place).put(&form.placeholder(field), theme.dim);
    }
    let at = shown.graphemes(true).take(column).map(str::len).sum();
    let cursor = input_line(canvas.buf, place, &shown, at, theme.text);
    if focused {
        canvas.cursor = Some(cursor);
    }
}

/// The result of the test; before a test, the problem of the selected field in full.
fn draw_message(canvas: &mut Canvas<'_>, area: Rect, form: &Form) {
    let theme = canvas.theme;
    let width = usize::from(area.width).saturating_sub(2);
    let (sign, style, said, hint) = match &form.test {
        Test::Idle => match form.field().and_then(|field| form.error(field)) {
            Some(error) => ("✖", theme.bad, error, None),
            None => return,
        },
        Test::Running { .. } => ("◌", theme.accent, "connecting …".to_owned(), None),
        Test::Passed(tested) => {
            let said = format!(
                "PostgreSQL {}, {}connected in {}",
                tested.server_version,
                tested.role.map(|role| format!("{}, ", role.as_str())).unwrap_or_default(),
                text::duration(tested.connect_time)
            );
            ("●", theme.ok, said, None)
        }
        Test::Failed(error) => ("✖", theme.bad, error.message.clone(), error.hint.as_deref()),
    };
    let lines = text::wrap(&said, width).into_iter().map(|line| (line, style));
    let hints = hint.iter().flat_map(|hint| text::wrap(hint, width)).map(|line| (line, theme.dim));
    for ((row, (line, style)), n) in (0..area.height).zip(lines.chain(hints)).zip(0..) {
        let mut pen = Pen::row(canvas.buf, area, row);
        pen.column(if n == 0 { sign } else { "" }, 2, style).put(&line, style);
    }
}
