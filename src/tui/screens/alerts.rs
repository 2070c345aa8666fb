//! The alerts: what the rules found, where, since when, and the remedy of the selected one. Acknowledged alerts are dim
//! and last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::{App, Pane};
use crate::fleet::alerts::Held;
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::{Border, inside};
use crate::tui::widgets::data_table::select;
use crate::tui::widgets::event::name_width;
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::severity::alert_sign;
use crate::tui::widgets::wrapped::{self, Rows};

/// Width of `59 min`, in columns.
const SINCE: usize = 6;
/// Maximum width of a title, in columns.
const TITLE: usize = 30;
/// Maximum height of the remedy with its border, in lines.
const REMEDY: u16 = 8;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let lines = remedy(canvas.app, usize::from(area.width.saturating_sub(4)));
    let lower = if lines.is_empty() { 0 } else { (lines.len() as u16 + 2).min(REMEDY).min(area.height / 2) };
    list(canvas, Rect { height: area.height - lower, ..area });
    if lower == 0 {
        return;
    }
    let theme = canvas.theme;
    let area = Rect { y: area.bottom() - lower, height: lower, ..area };
    let inner = Border { title: "What to do", ..Border::default() }.draw(canvas.buf, area, theme);
    for (row, (line, is_remedy)) in (0..inner.height).zip(&lines) {
        Pen::row(canvas.buf, inner, row).put(line, if *is_remedy { theme.text } else { theme.dim });
    }
}

fn list(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let table = &app.alerts_table;
    let within = inside(area.intersection(canvas.buf.area));
    let columns = Columns::of(app, within.width);
    let held = |number: usize| table.rows.get(number).and_then(|id| app.fleet.alerts().get(id));
    let height = app.wrap.then_some(|number| held(number).map_or(1, |held| columns.height(held, app)));
    let shown = Rows::of(&table.cursor, table.rows.len(), area.height.saturating_sub(3), height);
    let window = shown.window.clone();
    let foot = text::part(&window, table.rows.len());
    let open = app.fleet.alerts().count().0;
    let note = match table.total - open.min(table.total) {
        0 => String::new(),
        seen => format!("{seen} acknowledged"),
    };
    let loud = filtered(Vec::new(), &table.filter, table.hidden());
    let border = Border { title: "Alerts", loud: &loud, note: &note, foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Alerts, area, border);
    columns.heads(&mut Pen::row(canvas.buf, inner, 0), theme);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (number, line) in shown.areas(rows) {
        let Some(held) = held(number) else { continue };
        columns.line(canvas.buf, line, held, app, theme);
        if number == table.cursor.at {
            select(canvas.buf, line, canvas.is_focused(Pane::Alerts), theme);
        }
    }
    if table.rows.is_empty() {
        let why = match app.fleet.alerts().has_rules() {
            _ if table.hidden() > 0 => none_left("alert", &table.filter),
            true => "No alert.".to_owned(),
            false => "Reading the rules …".to_owned(),
        };
        Pen::row(canvas.buf, rows, 0).put(&why, theme.dim);
    }
    canvas.note_rows(rows, &shown, table.rows.len());
}

/// The widths of the parts of a line.
struct Columns {
    node: usize,
    title: usize,
    /// Columns left for the message.
    what: u16,
}

impl Columns {
    fn of(app: &App, width: u16) -> Self {
        let held = app.alerts_table.rows.iter().filter_map(|id| app.fleet.alerts().get(id));
        let title = held.map(|held| text::width(&held.alert.rule.title)).max().unwrap_or(0);
        // On a narrow screen the rule's title goes: the message says more.
        let (node, title) = (name_width(app), if width < 100 { 0 } else { title.clamp(5, TITLE) });
        let before = 2 + node + 2 + SINCE + 2 + if title > 0 { title + 2 } else { 0 };
        Self { node, title, what: width.saturating_sub(before as u16) }
    }

    fn heads(&self, pen: &mut Pen<'_>, theme: &Theme) {
        pen.gap(2).column("NODE", self.node, theme.dim).gap(2).column_right("SINCE", SINCE, theme.dim).gap(2);
        if self.title > 0 {
            pen.column("RULE", self.title, theme.dim).gap(2);
        }
        pen.put("WHAT", theme.dim);
    }

    /// The height of an alert in lines if long text is wrapped.
    fn height(&self, held: &Held, app: &App) -> u16 {
        let alert = &held.alert;
        let said = format!("{}{}", was(held, app), alert.finding.message);
        let title = if self.title > 0 { wrapped::height(&alert.rule.title, self.title as u16) } else { 1 };
        wrapped::height(&said, self.what).max(title).max(wrapped::height(alert.node.as_str(), self.node as u16))
    }

    fn line(&self, buf: &mut Buffer, area: Rect, held: &Held, app: &App, theme: &Theme) {
        let alert = &held.alert;
        let dim = |style: Style| if held.acknowledged { theme.dim } else { style };
        let (sign, severity) = alert_sign(alert.finding.severity, theme);
        let severity = dim(severity);
        let age = app.now.duration_since(alert.since).unwrap_or_default();
        let mut pen = Pen::new(buf, area);
        pen.sign(sign, severity).gap(1);
        let node = Rect { x: pen.x(), width: (self.node as u16).min(pen.room() as u16), ..area };
        pen.gap(self.node + 2).column_right(&text::age(age), SINCE, theme.dim).gap(2);
        let title = Rect { x: pen.x(), width: (self.title as u16).min(pen.room() as u16), ..area };
        wrapped::put(buf, node, alert.node.as_str(), severity);
        if self.title > 0 {
            wrapped::put(buf, title, &alert.rule.title, dim(theme.bright));
        }
        let what = Rect { x: area.right().saturating_sub(self.what), width: self.what.min(area.width), ..area };
        let was = was(held, app);
        if area.height > 1 {
            let style = if was.is_empty() { dim(theme.text) } else { theme.warn };
            wrapped::put(buf, what, &format!("{was}{}", alert.finding.message), style);
        } else {
            Pen::new(buf, what).put(&was, theme.warn).put(&alert.finding.message, dim(theme.text));
        }
    }
}

/// The note before the alert of a node that does not answer.
fn was(held: &Held, app: &App) -> String {
    let node = app.picture().nodes.get(&held.alert.node);
    let silence = node.map_or(Some("is gone"), |node| node.health.state.silence());
    silence.map(|silence| format!("{silence}, last known: ")).unwrap_or_default()
}

/// The full message of the selected alert and its remedy; `true` marks lines of the remedy.
fn remedy(app: &App, width: usize) -> Vec<(String, bool)> {
    let Some(held) = app.selected_alert() else { return Vec::new() };
    let mut lines: Vec<(String, bool)> =
        text::wrap(&held.alert.finding.message, width).into_iter().map(|line| (line, false)).collect();
    if let Some(remedy) = &held.alert.rule.remedy {
        lines.extend(text::wrap(remedy, width).into_iter().map(|line| (line, true)));
    }
    lines
}
