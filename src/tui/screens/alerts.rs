//! The alerts: what the rules found, where, since when, and the remedy of the selected one. Acknowledged alerts are dim
//! and last. Below them stands what could not be judged: without it, a short list would seem good news.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::panes::alerts::{AlertKey, Silence};
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
    let title = if canvas.app.selected_unjudged().is_some() { "Why not" } else { "What to do" };
    let inner = Border { title, ..Border::default() }.draw(canvas.buf, area, theme);
    for (row, (line, is_remedy)) in (0..inner.height).zip(&lines) {
        Pen::row(canvas.buf, inner, row).put(line, if *is_remedy { theme.text } else { theme.dim });
    }
}

fn list(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let table = &app.alerts_table;
    let within = inside(area.intersection(canvas.buf.area));
    let columns = Columns::of(app, within.width);
    let line = |number: usize| table.rows.get(number).and_then(|key| Line::of(key, app, theme, &columns));
    let height = app.wrap.then_some(|number| line(number).map_or(1, |line| columns.height(&line)));
    let shown = Rows::of(&table.cursor, table.rows.len(), area.height.saturating_sub(3), height);
    let window = shown.window.clone();
    let foot = text::part(&window, table.rows.len());
    let note = note(app);
    let loud = filtered(Vec::new(), &table.filter, table.hidden());
    let border = Border { title: "Alerts", loud: &loud, note: &note, foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Alerts, area, border);
    columns.heads(&mut Pen::row(canvas.buf, inner, 0), theme);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (number, area) in shown.areas(rows) {
        let Some(line) = line(number) else { continue };
        columns.draw(canvas.buf, area, &line, theme);
        if number == table.cursor.at {
            select(canvas.buf, area, canvas.is_focused(Pane::Alerts), theme);
        }
    }
    if table.rows.is_empty() {
        let why = if table.hidden() > 0 { none_left("alert", &table.filter) } else { no_alert(app) };
        Pen::row(canvas.buf, rows, 0).put(&why, theme.dim);
    }
    canvas.note_rows(rows, &shown, table.rows.len());
}

/// What the border says beside the title: `no alert · 2 acknowledged · 12 rules not judged on 3 nodes`.
fn note(app: &App) -> String {
    let (open, fired) = (app.fleet.alerts().count().0, app.fleet.alerts().fired().count());
    let Silence { unjudged, extent, pending } = &app.silence;
    let mut parts = Vec::new();
    if !unjudged.is_empty() {
        if fired == 0 {
            parts.push("no alert".to_owned());
        }
        parts.push(of_rules("not judged", *extent));
    }
    if fired > open {
        parts.push(format!("{} acknowledged", fired - open));
    }
    if *pending != [0, 0] && !app.alerts_table.rows.is_empty() {
        parts.push(of_rules("still to be judged", *pending));
    }
    parts.join(" · ")
}

/// `12 rules not judged on 3 nodes`.
fn of_rules(what: &str, [rules, nodes]: [usize; 2]) -> String {
    format!("{} {what} on {}", counted(rules, "rule"), counted(nodes, "node"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", text::count(count as u64), if count == 1 { "" } else { "s" })
}

/// What stands in place of alerts: it must not sound as if all were judged where it was not.
fn no_alert(app: &App) -> String {
    if !app.fleet.alerts().has_rules() {
        return "Reading the rules …".to_owned();
    }
    let nodes = &app.fleet.now().nodes;
    let silent = nodes.iter().filter(|node| !node.health.state.answers()).count();
    let pending = app.silence.pending;
    match (pending == [0, 0], silent) {
        (false, _) => format!("No alert so far: {}.", of_rules("still to be judged", pending)),
        (true, 0) => "No alert.".to_owned(),
        (true, _) if silent == nodes.len() => "Nothing is judged: no node answers.".to_owned(),
        (true, _) => format!("No alert. {} not judged: no answer.", counted(silent, "node")),
    }
}

/// What a line shows.
struct Line<'a> {
    sign: &'static str,
    style: Style,
    node: Cow<'a, str>,
    since: String,
    title: &'a str,
    /// The note before the message.
    was: String,
    what: Cow<'a, str>,
    is_dim: bool,
}

impl<'a> Line<'a> {
    fn of(key: &AlertKey, app: &'a App, theme: &Theme, columns: &Columns) -> Option<Self> {
        let AlertKey::Alert(id) = key else {
            let one = app.unjudged(key)?;
            let names = one.names();
            let fits = one.nodes.len() == 1 || text::width(&names) <= columns.node;
            let what = match columns.title {
                // The message of an alert says what it is about. This one does not.
                0 => format!("{} not judged: {}", one.rule.title, one.reason),
                _ => format!("not judged: {}", one.reason),
            };
            return Some(Self {
                sign: "?",
                style: theme.dim,
                node: Cow::Owned(if fits { names } else { counted(one.nodes.len(), "node") }),
                since: String::new(),
                title: &one.rule.title,
                was: String::new(),
                what: Cow::Owned(what),
                is_dim: true,
            });
        };
        let held = app.fleet.alerts().get(id)?;
        let alert = &held.alert;
        let (sign, severity) = alert_sign(alert.finding.severity, theme);
        Some(Self {
            sign,
            style: if held.acknowledged { theme.dim } else { severity },
            node: Cow::Borrowed(alert.node.as_str()),
            since: text::age(app.now.duration_since(alert.since).unwrap_or_default()),
            title: &alert.rule.title,
            was: was(held, app),
            what: Cow::Borrowed(&alert.finding.message),
            is_dim: held.acknowledged,
        })
    }
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
        let title = |key: &AlertKey| match key {
            AlertKey::Alert(id) => app.fleet.alerts().get(id).map(|held| text::width(&held.alert.rule.title)),
            AlertKey::Unjudged { .. } => app.unjudged(key).map(|one| text::width(&one.rule.title)),
        };
        let title = app.alerts_table.rows.iter().filter_map(title).max().unwrap_or(0);
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

    /// The height of a line if long text is wrapped.
    fn height(&self, line: &Line<'_>) -> u16 {
        let said = format!("{}{}", line.was, line.what);
        let title = if self.title > 0 { wrapped::height(line.title, self.title as u16) } else { 1 };
        wrapped::height(&said, self.what).max(title).max(wrapped::height(&line.node, self.node as u16))
    }

    fn draw(&self, buf: &mut Buffer, area: Rect, line: &Line<'_>, theme: &Theme) {
        let dim = |style: Style| if line.is_dim { theme.dim } else { style };
        let mut pen = Pen::new(buf, area);
        pen.sign(line.sign, line.style).gap(1);
        let node = Rect { x: pen.x(), width: (self.node as u16).min(pen.room() as u16), ..area };
        pen.gap(self.node + 2).column_right(&line.since, SINCE, theme.dim).gap(2);
        let title = Rect { x: pen.x(), width: (self.title as u16).min(pen.room() as u16), ..area };
        wrapped::put(buf, node, &line.node, line.style);
        if self.title > 0 {
            wrapped::put(buf, title, line.title, dim(theme.bright));
        }
        let what = Rect { x: area.right().saturating_sub(self.what), width: self.what.min(area.width), ..area };
        if area.height > 1 {
            let style = if line.was.is_empty() { dim(theme.text) } else { theme.warn };
            wrapped::put(buf, what, &format!("{}{}", line.was, line.what), style);
        } else {
            Pen::new(buf, what).put(&line.was, theme.warn).put(&line.what, dim(theme.text));
        }
    }
}

/// The note before the alert of a node that does not answer.
fn was(held: &Held, app: &App) -> String {
    let node = app.picture().nodes.get(&held.alert.node);
    let silence = node.map_or(Some("is gone"), |node| node.health.state.silence());
    silence.map(|silence| format!("{silence}, last known: ")).unwrap_or_default()
}

/// The full message of the selected row and its remedy; `true` marks lines of the remedy. Of a rule that could not be
/// applied, the rule and the nodes come first.
fn remedy(app: &App, width: usize) -> Vec<(String, bool)> {
    let wrapped = |said: &str, is_remedy| text::wrap(said, width).into_iter().map(move |line| (line, is_remedy));
    match (app.selected_alert(), app.selected_unjudged()) {
        (Some(Held { alert, .. }), _) => {
            let remedy = alert.rule.remedy.iter().flat_map(|remedy| wrapped(remedy, true));
            wrapped(&alert.finding.message, false).chain(remedy).collect()
        }
        (_, Some(one)) => {
            let said = format!("{} ({}) is not judged on {}", one.rule.title, one.rule.name, one.names());
            // Of many nodes, not all: the reason must stay visible.
            wrapped(&said, false).take(3).chain(wrapped(&one.reason, true)).collect()
        }
        _ => Vec::new(),
    }
}
