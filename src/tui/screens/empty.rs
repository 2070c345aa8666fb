//! The screen without nodes: what to press, and what to write into a file to keep the nodes.

use ratatui::layout::Rect;

use crate::tui::canvas::Canvas;
use crate::tui::widgets::doc::{DocLine, draw_lines};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let line = DocLine::default;
    let path = canvas.app.config_path.as_ref().map_or("cluster.yaml".to_owned(), |path| path.display().to_string());
    let lines = [
        line()
            .text("a", theme.accent_bold)
            .text("  adds a node now.  Or write ", theme.text)
            .text(path.clone(), theme.bright)
            .text(":", theme.text),
        line().text("  nodes:", theme.dim),
        line().text("    primary: ", theme.dim).text("postgres://monitor@db1.example.com:5432/app", theme.text),
        line()
            .text("    replica: ", theme.dim)
            .text("{ host: db2.example.com, user: monitor, database: app }", theme.text),
        line().text("and start ", theme.text).text(format!("pgwatch --config {path}"), theme.bright),
    ];
    let inner = Rect { x: area.x + 4, width: area.width.saturating_sub(8), ..area }.intersection(area);
    draw_lines(canvas.buf, inner, &lines, 0, theme);
}
