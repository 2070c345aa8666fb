//! The selected node in detail: health over the last hour, round trips and their percentiles, pool, connections, rates,
//! replication. A pane of screen 1 and, with more room, of the detail screen.

use std::time::{Duration, SystemTime};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::figures::{FiguresText, GAUGE, SPARK, VALUES};
use crate::app::{App, Pane, Screen};
use crate::fleet::nodes::{Figures, Node};
use crate::model::{Facts, HealthState};
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::badge;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::chart::columns;
use crate::tui::widgets::doc::{DocLine, draw_lines};
use crate::tui::widgets::last_minute::{last_minute, newest_seconds};
use crate::tui::widgets::meter::level;
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::severity;

const HEALTH_CELLS: usize = 30;
/// How much history must be known before the text speaks of the last hour.
const NEARLY_AN_HOUR: Duration = Duration::from_mins(59);

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let Some(node) = app.selected() else {
        let inner = canvas.pane(Pane::Summary, area, Border { title: "Node", ..Border::default() });
        let line = DocLine::default().text("No node is selected.", theme.dim);
        draw_lines(canvas.buf, inner, &[line], 0, theme);
        return;
    };
    let room = usize::from(area.width).saturating_sub(node.name().as_str().len() + 8);
    let origin = origin(node, app.picture().at, room);
    // The line about it may be below the last visible one.
    let foot = match node.not_judged.iter().filter(|one| !one.pending).count() {
        0 => String::new(),
        1 => "1 rule not judged".to_owned(),
        rules => format!("{rules} rules not judged"),
    };
    let border = Border { title: node.name().as_str(), note: &origin, foot: &foot, ..Border::default() };
    let inner = canvas.pane(Pane::Summary, area, border);
    let lines = Summary { app, node, theme, at: app.picture().at, width: usize::from(inner.width) }.lines();
    if app.screen == Screen::Detail {
        let used = lines.len().min(usize::from(inner.height)) as u16;
        let below = Rect { y: inner.y + used, height: inner.height - used, ..inner };
        round_trips(canvas.buf, below, node, theme);
    }
    let first = app.summary.cursor.offset.min(lines.len().saturating_sub(usize::from(inner.height)));
    let len = draw_lines(canvas.buf, inner, &lines, first, theme);
    if let Some(pane) = canvas.last_pane() {
        (pane.first, pane.len) = (first, len);
    }
}

/// The last minute second by second, if the pane has room for a chart.
fn round_trips(buf: &mut Buffer, area: Rect, node: &Node, theme: &Theme) {
    const LEAST: u16 = 5;
    const MOST: u16 = 10;
    if area.height < LEAST || area.width < 40 {
        return;
    }
    let rows = (area.height - 3).min(MOST);
    let left = VALUES as u16;
    let chart = Rect { x: area.x + left, y: area.y + 1, width: (area.width - left).min(60), height: rows };
    let bars = newest_seconds(node, usize::from(chart.width), theme);
    columns(buf, chart, &bars);
    let label = |y: u16| Rect { y, width: left - 2, height: 1, ..area };
    let slow = text::duration(node.config.health.slow_after);
    let usual = node.history.seconds().iter().filter_map(|second| second.latency).min();
    Pen::new(buf, label(chart.y)).put(&slow, theme.dim);
    // The scale is logarithmic, so a tenth of the maximum is higher than a tenth of the chart.
    Pen::new(buf, label(chart.y + 1)).put("log", theme.dim);
    if let Some(usual) = usual {
        Pen::new(buf, label(chart.bottom() - 1)).put(&text::duration(usual), theme.dim);
    }
    let foot = Rect { y: chart.bottom(), height: 1, ..chart };
    // Below the oldest bar, if there is room.
    let ago = format!("{} s ago", bars.len());
    let room = usize::from(chart.width).saturating_sub("now".len() + 1);
    let before = (usize::from(chart.width) - bars.len()).min(room.saturating_sub(ago.len()));
    let now = usize::from(chart.width).saturating_sub(before + ago.len());
    Pen::new(buf, foot).gap(before).put(&ago, theme.dim).column_right("now", now, theme.dim);
}

/// `10.0.0.1:5432/app · PostgreSQL 17.2 · up 41 d`; if that is too long, without the database, then without the uptime.
fn origin(node: &Node, at: SystemTime, room: usize) -> String {
    let address = node.config.address();
    let version = node.server_version.as_ref().map(|version| format!(" · PostgreSQL {version}")).unwrap_or_default();
    let uptime = node.uptime(at).filter(|_| node.health.state.answers());
    let up = uptime.map(|uptime| format!(" · up {}", text::age(uptime))).unwrap_or_default();
    let short = format!("{address}{version}");
    let full = format!("{address}/{}{version}{up}", node.config.database);
    [full, format!("{short}{up}")].into_iter().find(|said| text::width(said) <= room).unwrap_or(short)
}

/// Rounded down to tens of seconds, like the dots next to it: a text that changes every second distracts.
fn in_steps(time: Duration) -> Duration {
    const STEP: u64 = 10;
    let seconds = time.as_secs();
    Duration::from_secs(if seconds > STEP { seconds - seconds % STEP } else { seconds })
}

/// Builds lines of values and labels: `34` bright, ` of 100` dim.
struct Summary<'a> {
    app: &'a App,
    node: &'a Node,
    theme: &'a Theme,
    at: SystemTime,
    width: usize,
}

impl Summary<'_> {
    fn lines(&self) -> Vec<DocLine> {
        let mut lines = Vec::with_capacity(16);
        self.trouble(&mut lines);
        lines.push(self.health());
        lines.push(self.ping());
        self.pool(&mut lines);
        match self.node.figures(self.at, self.app.fleet.refresh) {
            Figures::Fresh(facts) => self.figures(facts, false).lines(&mut lines),
            Figures::Stale(facts, age) => {
                let said = format!("figures of {} ago", text::age(age));
                lines.push(self.label("").text(said, self.theme.warn));
                self.figures(facts, true).lines(&mut lines);
            }
            Figures::Unknown => lines.push(self.label("Figures").text(text::UNKNOWN, self.theme.dim)),
        }
        if let Some(error) = &self.node.facts_error {
            lines.push(self.label("").text(error.message.clone(), self.theme.warn));
            if let Some(hint) = &error.hint {
                lines.push(self.label("").text(hint.clone(), self.theme.dim));
            }
        }
        self.not_judged(&mut lines);
        if self.app.screen == Screen::Nodes {
            self.events(&mut lines);
        }
        lines
    }

    /// How many rules cannot be applied to the node, and why: `12 rules: the server hides ...`.
    fn not_judged(&self, lines: &mut Vec<DocLine>) {
        let mut known = self.node.not_judged.iter().filter(|one| !one.pending);
        let Some(first) = known.next() else { return };
        let others = known.clone().count();
        let rules = match others {
            0 => first.rule.clone(),
            _ => format!("{} rules", others + 1),
        };
        let more = if known.any(|one| one.reason != first.reason) { ", for several reasons" } else { "" };
        let said = format!("Not judged: {rules}{more}: ");
        lines.push(DocLine::default().text(said, self.theme.warn).text(first.reason.clone(), self.theme.dim));
    }

    /// The newest events of the node, if they have no pane of their own.
    fn events(&self, lines: &mut Vec<DocLine>) {
        let picture = self.app.picture();
        for (n, event) in picture.journal.of(self.node.name()).take(3).enumerate() {
            let row = self.label(if n == 0 { "Events" } else { "" });
            let (sign, style) = severity::sign(event.severity, self.theme);
            lines.push(
                row.text(self.theme.time_of_day(event.at, self.app.now), self.theme.dim)
                    .text("  ", style)
                    .sign(sign, style)
                    .text(" ", style)
                    .text(event.what.clone(), self.theme.text)
                    .text("  ", style)
                    .text(event.text.clone(), self.theme.dim),
            );
        }
    }

    fn figures<'f>(&'f self, facts: &'f Facts, stale: bool) -> FiguresText<'f> {
        FiguresText { app: self.app, node: self.node, theme: self.theme, facts, stale, width: self.width }
    }

    fn label(&self, label: &'static str) -> DocLine {
        DocLine::default().text(label, self.theme.dim).at(VALUES)
    }

    /// What is wrong, why, since when, and what to do; nothing for a healthy node.
    fn trouble(&self, lines: &mut Vec<DocLine>) {
        let (node, theme) = (self.node, self.theme);
        let health = &node.health;
        if health.state == HealthState::Healthy {
            return;
        }
        let (sign, style) = badge::sign(health.state, theme);
        let mut line = self.label("State").sign(sign, style).text(" ", style).text(health.word(), style);
        if let Some(down) = node.down_for(self.at) {
            line = line.text(format!(" {}", text::age(down)), style);
        }
        let since = theme.time_of_day(health.down_since.unwrap_or(health.since), self.app.now);
        line = line.text(format!("   since {since}"), theme.dim);
        if let Some(next) = node.next_try_in(self.at) {
            line = line.text("   try ", theme.dim).text((health.attempt + 1).to_string(), theme.text);
            line = match next.as_secs() {
                0 => line.text(" now", theme.dim),
                _ => line.text(" in ", theme.dim).text(text::age(next), theme.text),
            };
        }
        lines.push(line);
        if let Some(error) = &health.error {
            let width = self.width.saturating_sub(VALUES);
            let wrapped = text::wrap(&error.message, width);
            for (n, part) in wrapped.into_iter().take(3).enumerate() {
                lines.push(self.label(if n == 0 { "Why" } else { "" }).text(part, style));
            }
            for part in error.hint.iter().flat_map(|hint| text::wrap(hint, width)).take(2) {
                lines.push(self.label("").text(part, theme.dim));
            }
        }
    }

    /// The known part of the last hour as dots, and the share of it in which the node answered.
    fn health(&self) -> DocLine {
        let (history, theme) = (&self.node.history, self.theme);
        let cells = HEALTH_CELLS.min(self.width.saturating_sub(VALUES + 28)).max(10);
        let strip = history.strip(cells);
        let mut line = self.label("Health");
        let unknown = std::iter::repeat_n(&None, cells - strip.len());
        for state in unknown.chain(&strip) {
            let (sign, style) = state.map_or(("·", theme.border), |state| badge::sign(state, theme));
            line = line.sign(sign, style);
        }
        let Some(share) = history.availability() else {
            let why = if self.node.health.last_check.is_some() { "  not watched" } else { "  no answer yet" };
            return line.text(why, theme.dim);
        };
        let known = history.known();
        let length = text::age(in_steps(known));
        let of = match (known < NEARLY_AN_HOUR, history.has_gaps()) {
            (false, _) => "of the last hour".to_owned(),
            (true, false) => format!("of the last {length}"),
            (true, true) => format!("of {length} watched"),
        };
        line.text(format!("  {}", text::percent(share)), if share < 1.0 { theme.text } else { theme.bright })
            .text(format!(" {of}"), theme.dim)
    }

    fn ping(&self) -> DocLine {
        let (node, theme) = (self.node, self.theme);
        let now = node.ping().map_or(text::UNKNOWN.to_owned(), text::duration);
        let style = match node.health.state {
            HealthState::Healthy => theme.bright,
            HealthState::Degraded => theme.warn,
            _ => theme.dim,
        };
        let mut line = self.label("Ping").text(now, style).at(VALUES + 9);
        let percentiles = node.history.latency([0.5, 0.99]);
        for (label, ms) in [("p50", percentiles.map(|[p50, _]| p50)), ("p99", percentiles.map(|[_, p99]| p99))] {
            let said = ms.map_or(text::UNKNOWN.to_owned(), milliseconds);
            line = line.text(label, theme.dim).text(" ", theme.dim).text(said, theme.text).text("  ", theme.dim);
        }
        let room = self.width.saturating_sub(VALUES + 32).min(SPARK);
        let bars = last_minute(node, self.at, room, theme);
        line.at(VALUES + 30).spark(bars, room)
    }

    fn pool(&self, lines: &mut Vec<DocLine>) {
        let theme = self.theme;
        let Some(pool) = self.node.pool else {
            lines.push(self.label("Pool").text(text::UNKNOWN, theme.dim));
            return;
        };
        let share = f64::from(pool.active) / f64::from(pool.max.max(1));
        let mut line = self.label("Pool").meter(share, GAUGE, level(share, theme)).text("  ", theme.dim);
        for (value, label) in [(pool.active, " active  "), (pool.idle, " idle  ")] {
            line = line.text(value.to_string(), theme.text).text(label, theme.dim);
        }
        let waiting = if pool.waiting > 0 { theme.bad_bold } else { theme.text };
        lines.push(line.text(pool.waiting.to_string(), waiting).text(format!(" waiting  of {}", pool.max), theme.dim));
        let lost = if pool.closed_broken > 0 { theme.warn } else { theme.text };
        let waited = if pool.waited > 0 { theme.warn } else { theme.text };
        let mut line = self.label("");
        for (label, value, style) in [
            ("opened ", pool.opened, theme.text),
            ("lost ", pool.closed_broken, lost),
            ("gets ", pool.gets, theme.text),
            ("waited ", pool.waited, waited),
        ] {
            line = line.text(label, theme.dim).text(text::count(value), style).text("  ", theme.dim);
        }
        if pool.timed_out > 0 {
            line = line.text("timed out ", theme.dim).text(text::count(pool.timed_out), theme.bad);
        }
        lines.push(line);
    }
}

/// A percentile in milliseconds without the unit, which the figure before it has: `0.4`, `12`.
fn milliseconds(ms: f64) -> String {
    if ms < 9.95 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}
