//! The dialog that shows and hides the columns of a table, with what each means.

use ratatui::layout::Rect;

use crate::app::Cursor;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::data_table::select;
use crate::tui::widgets::dialog::dialog;
use crate::tui::widgets::pen::Pen;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, cursor: &Cursor) {
    let (app, theme) = (canvas.app, canvas.theme);
    let Some(table) = app.view_table() else { return };
    let columns = &table.view.columns;
    let size = (area.width.saturating_sub(4).min(100), (columns.len() as u16 + 2).min(area.height.saturating_sub(2)));
    let title = format!("Columns of {}", table.view.title);
    let border =
        Border { title: &title, foot: "Space shows or hides · Esc closes", focused: true, ..Border::default() };
    let (_, inner) = dialog(canvas.buf, area, size, border, theme);
    let shown: Vec<usize> = table.columns().collect();
    let widest = columns.iter().map(|column| text::width(&column.title)).max().unwrap_or(0).min(24);
    let page = usize::from(inner.height);
    for (row, at) in (0..inner.height).zip(cursor.window(columns.len(), page)) {
        let Some(column) = columns.get(at) else { continue };
        let line = Rect { y: inner.y + row, height: 1, ..inner };
        let is_shown = shown.contains(&at);
        let mut pen = Pen::new(canvas.buf, line);
        pen.put(if is_shown { "[x] " } else { "[ ] " }, if is_shown { theme.accent } else { theme.dim });
        pen.column(&column.title, widest, theme.text).gap(2).put(&column.about, theme.dim);
        if at == cursor.at {
            select(canvas.buf, line, true, theme);
        }
    }
    canvas.drawn.help = Some((page, columns.len()));
}
