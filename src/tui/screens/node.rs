//! The detail screen: all that is known of the selected node: its summary, what the server reports about itself,
//! its main settings, and its own events.

mod figures;
pub(super) mod summary;

use std::time::Duration;

use ratatui::layout::Rect;

use super::events;
use crate::app::Pane;
use crate::fleet::nodes::Node;
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::border::Border;
use crate::tui::widgets::doc::{DocLine, draw_lines};
use crate::tui::widgets::filtered::{filtered, none_left};

/// The difference in seconds between the server's clock and ours from which it is highlighted.
const CLOCK: u64 = 2;
/// Minimum width for summary and settings side by side, in columns.
const SIDE_BY_SIDE: u16 = 100;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let pane = canvas.app.pane;
    if canvas.app.zoomed {
        return draw_pane(canvas, pane, area);
    }
    if area.width >= SIDE_BY_SIDE {
        let top = (area.height * 3 / 5).max(14).min(area.height);
        let left = area.width * 11 / 20;
        let upper = Rect { height: top, ..area };
        draw_pane(canvas, Pane::Summary, Rect { width: left, ..upper });
        draw_pane(canvas, Pane::Settings, Rect { x: area.x + left, width: area.width - left, ..upper });
        draw_pane(canvas, Pane::Events, Rect { y: area.y + top, height: area.height - top, ..area });
    } else {
        let top = 13.min(area.height);
        draw_pane(canvas, Pane::Summary, Rect { height: top, ..area });
        let lower = if pane == Pane::Settings { Pane::Settings } else { Pane::Events };
        draw_pane(canvas, lower, Rect { y: area.y + top, height: area.height - top, ..area });
    }
}

fn draw_pane(canvas: &mut Canvas<'_>, pane: Pane, area: Rect) {
    match pane {
        Pane::Settings => settings(canvas, area),
        Pane::Events => events::draw(canvas, area),
        _ => summary::draw(canvas, area),
    }
}

fn settings(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let values = if area.width < 70 { 24 } else { 36 };
    let room = usize::from(area.width).saturating_sub(values + 4);
    let mut lines = app.selected().map(|node| lines(node, canvas, values, room)).unwrap_or_default();
    let filter = &app.settings.filter;
    let all = lines.len();
    if !filter.passes_all() {
        lines.retain(|line| filter.passes(line.plain().as_str()));
    }
    let loud = filtered(Vec::new(), filter, all - lines.len());
    let inner = canvas.pane(Pane::Settings, area, Border { title: "Server", loud: &loud, ..Border::default() });
    if lines.is_empty() && all > 0 {
        lines.push(DocLine::default().text(none_left("line", filter), theme.dim));
    }
    let first = app.settings.cursor.offset.min(lines.len().saturating_sub(usize::from(inner.height)));
    let len = draw_lines(canvas.buf, inner, &lines, first, theme);
    if let Some(pane) = canvas.last_pane() {
        (pane.first, pane.len) = (first, len);
    }
}

/// `values`: where values begin; `room`: how wide they may be.
fn lines(node: &Node, canvas: &Canvas<'_>, values: usize, room: usize) -> Vec<DocLine> {
    let (app, theme) = (canvas.app, canvas.theme);
    let at = app.picture().at;
    let pair = |label: &'static str, value: String| {
        DocLine::default().text(label, theme.dim).at(values).text(value, theme.text)
    };
    let config = &node.config;
    let mut lines = vec![
        pair("address", config.address()),
        pair("database", config.database.clone()),
        pair("user", config.user.clone()),
        pair("sessions", if config.is_read_only() { "read-only" } else { "read-write" }.to_owned()),
        pair("sslmode", config.tls.mode.as_str().to_owned()),
        pair("version", node.server_version.clone().unwrap_or_else(|| text::UNKNOWN.to_owned())),
        pair("connect time", node.connect_time.map_or(text::UNKNOWN.to_owned(), text::duration)),
    ];
    if let Some(tunnel) = &config.tunnel {
        lines.insert(1, pair("through", tunnel.name().to_owned()));
    }
    if let Some(unsaved) = node.unsaved {
        let said = format!("{} {}: the file is not written", unsaved.sign(), unsaved.word());
        lines.push(DocLine::default().text("configuration", theme.dim).at(values).text(said, theme.warn));
    }
    if let Some(probes) = &node.probes {
        let said = format!("{} asked, {} missed", text::count(probes.probes), text::count(probes.missed));
        lines.push(pair("probes", said));
    }
    let Some(server) = &node.server else {
        lines.push(DocLine::default());
        lines.push(DocLine::default().text("The server has not reported its settings yet.", theme.dim));
        return lines;
    };
    // The host that answered of several, or what a name stands for.
    if let Some(reached_at) = server.reached_at.map(|address| address.to_string()).filter(|at| *at != config.address())
    {
        lines.push(pair("reached at", reached_at));
    }
    if let Some(pooling) = server.pooling {
        // Without a label: there is room for both at 120 columns, not for the label as well.
        lines.push(DocLine::default().text(pooling.words(), theme.text));
    }
    // By our clock, as all times on the screen: that of the server may differ.
    if let Some(up) = node.uptime(at) {
        let started = at.checked_sub(up).map(|started| theme.time_of_day(started, app.now)).unwrap_or_default();
        lines.push(pair("started", format!("{} ago, {}", text::age(up), started.trim())));
    }
    if let Some(off) = node.facts.as_ref().map(|(_, facts)| facts).filter(|facts| facts.clock_ahead != 0) {
        let said = format!("{} {}", text::age(Duration::from_secs(off.clock_ahead.unsigned_abs())), off.clock());
        let style = if off.clock_ahead.unsigned_abs() > CLOCK { theme.warn } else { theme.text };
        lines.push(DocLine::default().text("clock", theme.dim).at(values).text(said, style));
    }
    if let Some(name) = server.cluster_name.as_ref().filter(|name| !name.is_empty()) {
        lines.push(pair("cluster_name", name.clone()));
    }
    if let Some(id) = server.system_identifier {
        lines.push(pair("system identifier", id.to_string()));
    }
    if let Some((since, before)) = node.replaced {
        let label = format!("another until {}", theme.time_of_day(since, app.now).trim());
        lines.push(DocLine::default().text(label, theme.warn).at(values).text(before.to_string(), theme.warn));
    }
    if let Some(timeline) = node.facts.as_ref().and_then(|(_, facts)| facts.timeline) {
        lines.push(pair("timeline", timeline.to_string()));
    }
    for (n, warning) in server.login_warnings.iter().enumerate() {
        let label = if n == 0 { "warned at login" } else { "" };
        for (n, part) in text::wrap(warning, room.max(20)).into_iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            lines.push(DocLine::default().text(label, theme.dim).at(values).text(part, theme.warn));
        }
    }
    if let Some(waiting) = server.pending_restart.filter(|waiting| *waiting > 0) {
        let said = format!("{waiting} wait for a restart");
        lines.push(DocLine::default().text("settings", theme.dim).at(values).text(said, theme.warn));
    }
    if !server.settings.is_empty() {
        lines.push(DocLine::default());
    }
    lines.extend(server.settings.iter().map(|setting| setting_line(setting, values, theme)));
    lines
}

fn setting_line(setting: &crate::model::facts::Setting, values: usize, theme: &Theme) -> DocLine {
    // Defaults are dim: nobody chose them.
    let style = if setting.source == "default" { theme.dim } else { theme.text };
    let line =
        DocLine::default().text(setting.name.clone() + "  ", theme.dim).at(values).text(setting.value.clone(), style);
    if setting.pending_restart { line.text("  waits for a restart", theme.warn) } else { line }
}
