//! Screen 1: every node a row, the selected one at length below, the answers to the last statement beside it, and the
//! newest events where there is room (D1).

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{events, query, summary};
use crate::app::nodes::{Level, Node, NodeColumn};
use crate::app::{App, Pane};
use crate::model::HealthState;
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::widgets::badge;
use crate::tui::widgets::data_table::{Column, DataTable, Order, Placed, place_by_importance};
use crate::tui::widgets::meter::{level, meter};
use crate::tui::widgets::pane::Pane as Frame;
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::spark::{Bar, latency_height, spark};
use crate::tui::{Theme, text};

/// From this width on the two lower panes stand side by side.
const SIDE_BY_SIDE: u16 = 100;
/// Rows that the lower panes like to have, and the least they can do with.
const LOWER: u16 = 13;
const LOWER_LEAST: u16 = 8;
/// With fewer rows than this there is no pane of events.
const EVENTS_LEAST: u16 = 5;
/// Cells of the gauge in the POOL column, where there is room for it.
const GAUGE: usize = 5;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let app = canvas.app;
    if app.zoomed {
        return draw_pane(canvas, app.pane, area);
    }
    let wanted = (app.nodes_table.total.max(3) + 3).min(usize::from(u16::MAX)) as u16;
    let lower = area.height.saturating_sub(wanted).clamp(LOWER_LEAST, LOWER).min(area.height / 2);
    let top = wanted.min(area.height - lower);
    let rest = area.height - top - lower;
    let (lower, events) = if rest >= EVENTS_LEAST { (lower, rest) } else { (lower + rest, 0) };
    let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };

    table(canvas, row(0, top));
    let lower_area = row(top, lower);
    if area.width >= SIDE_BY_SIDE {
        let left = (area.width * 11 / 20).min(90);
        draw_pane(canvas, Pane::Summary, Rect { width: left, ..lower_area });
        draw_pane(canvas, Pane::Result, Rect { x: area.x + left, width: area.width - left, ..lower_area });
    } else {
        draw_pane(canvas, app.lower, lower_area);
    }
    if events > 0 && (area.width >= SIDE_BY_SIDE || app.lower != Pane::Events) {
        draw_pane(canvas, Pane::Events, row(top + lower, events));
    }
}

fn draw_pane(canvas: &mut Canvas<'_>, pane: Pane, area: Rect) {
    match pane {
        Pane::Nodes => table(canvas, area),
        Pane::Result => query::result(canvas, area),
        Pane::Events => events::draw(canvas, area),
        Pane::Summary | Pane::Settings | Pane::Editor => summary::draw(canvas, area),
    }
}

fn table(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme, picture) = (canvas.app, canvas.theme, canvas.app.picture());
    let table = &app.nodes_table;
    let page = usize::from(area.height.saturating_sub(3));
    let window = table.cursor.window(table.rows.len(), page);
    let order = note(app);
    let foot = foot(app, window.len());
    let inner = canvas.pane(Pane::Nodes, area, Frame { title: "Nodes", note: &order, foot: &foot, focused: false });

    let columns = columns(app);
    let placed = place_by_importance(&columns, inner);
    let grid = DataTable {
        columns: &columns,
        placed: &placed,
        order: table.sort.map(|sort| Order { index: sort.column, descending: sort.descending }),
        window: window.clone(),
        selected: (!table.rows.is_empty()).then_some(table.cursor.at),
        focused: canvas.is_focused(Pane::Nodes),
        more: (false, false),
    };
    let drawn = grid.draw(canvas.buf, inner, theme, |buf, line, number| {
        let Some(node) = table.rows.get(number).and_then(|name| picture.nodes.get(name)) else { return };
        if table.marks.contains(node.name()) {
            Pen::new(buf, Rect { x: line.x + 1, width: 1, ..line }).put("◆", theme.secondary);
        }
        let row = Row { node, app, theme, selected: number == table.cursor.at };
        row.draw(buf, line, &columns, &placed);
    });
    if table.rows.is_empty() {
        why_empty(canvas, drawn.rows);
    }
    if let Some(pane) = canvas.last_pane() {
        pane.rows = to_app(drawn.rows);
        pane.first = window.start;
        pane.len = table.rows.len();
        pane.heads = drawn.heads.into_iter().map(|(area, index)| (to_app(area), index)).collect();
    }
}

/// The table's columns. Their widths depend on the names of the nodes alone.
fn columns(app: &App) -> Vec<Column<'static>> {
    let longest = app.picture().nodes.names().map(|name| name.as_str().len()).max().unwrap_or(0) as u16;
    let name = longest.clamp(6, 28);
    NodeColumn::ALL
        .into_iter()
        .enumerate()
        .map(|(index, column)| {
            let (min, max, right, importance) = match column {
                NodeColumn::Node => (name.min(14), name, false, 0),
                NodeColumn::Role => (7, 7, false, 4),
                NodeColumn::State => (14, 14, false, 1),
                NodeColumn::Ping => (7, 8, true, 2),
                NodeColumn::Pool => (8, 14, false, 5),
                NodeColumn::Conns => (8, 9, true, 6),
                NodeColumn::Tps => (6, 7, true, 7),
                NodeColumn::Lag => (7, 9, true, 3),
                NodeColumn::LastMinute => (10, 60, false, 8),
            };
            Column { title: column.title(), index, min, max, right, importance }
        })
        .collect()
}

fn note(app: &App) -> String {
    let table = &app.nodes_table;
    let mut parts = Vec::new();
    if table.problems_only {
        parts.push("problems only".to_owned());
    }
    if !table.filter.is_empty() {
        parts.push(format!("/{}", table.filter.source()));
    }
    if !table.marks.is_empty() {
        parts.push(format!("{} marked", table.marks.len()));
    }
    if let Some(sort) = table.sort {
        let word = NodeColumn::ALL.get(sort.column).map_or("", |column| column.word());
        parts.push(format!("by {word} {}", if sort.descending { "▼" } else { "▲" }));
    }
    parts.join(" · ")
}

/// How many of how many, where not all are seen.
fn foot(app: &App, visible: usize) -> String {
    let table = &app.nodes_table;
    if visible == table.total { String::new() } else { format!("{visible} of {}", table.total) }
}

fn why_empty(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let mut pen = Pen::row(canvas.buf, area, 0);
    pen.gap(2);
    if app.nodes_table.problems_only {
        pen.put("● ", theme.ok).put("No node has a problem.", theme.text).put("  ! shows all", theme.dim);
    } else if app.nodes_table.is_filtered() {
        pen.put("No node matches the filter.", theme.text).put("  Esc clears it", theme.dim);
    } else {
        pen.put("No nodes yet.", theme.text);
    }
}

/// One node as a row of the table.
struct Row<'a> {
    node: &'a Node,
    app: &'a App,
    theme: &'a Theme,
    selected: bool,
}

impl Row<'_> {
    fn draw(&self, buf: &mut ratatui::buffer::Buffer, line: Rect, columns: &[Column<'_>], placed: &[Placed]) {
        let down = !self.node.health.state.answers();
        let mut spanned = None;
        for place in placed {
            let Some(column) = columns.get(place.nth).and_then(|column| NodeColumn::ALL.get(column.index)) else {
                continue;
            };
            let cell = Rect { x: place.x, width: place.width, ..line };
            match column {
                NodeColumn::Ping | NodeColumn::Pool | NodeColumn::Conns | NodeColumn::Tps | NodeColumn::Lag if down => {
                    let start = spanned.map_or(cell.x, |area: Rect| area.x);
                    spanned = Some(Rect { x: start, width: cell.right() - start, ..line });
                }
                column => self.cell(&mut Pen::new(buf, cell), *column, usize::from(place.width)),
            }
        }
        if let Some(area) = spanned {
            self.why_down(&mut Pen::new(buf, area));
        }
    }

    fn cell(&self, pen: &mut Pen<'_>, column: NodeColumn, width: usize) {
        let (node, theme) = (self.node, self.theme);
        let (at, refresh) = (self.app.picture().at, self.app.refresh);
        let facts = node.fresh(at, refresh);
        let unknown = (text::UNKNOWN.to_owned(), theme.dim);
        match column {
            NodeColumn::Node => {
                pen.put(node.name().as_str(), if self.selected { theme.bright } else { theme.text });
            }
            NodeColumn::Role => {
                pen.put(node.role.map_or(text::UNKNOWN, |role| role.as_str()), theme.dim);
            }
            NodeColumn::State => self.state(pen),
            NodeColumn::Ping => {
                let slow = node.health.state == HealthState::Degraded;
                let (said, style) = node
                    .health
                    .latency
                    .map_or(unknown, |latency| (text::duration(latency), if slow { theme.warn } else { theme.text }));
                pen.column_right(&said, width, style);
            }
            NodeColumn::Pool => self.pool(pen, width),
            NodeColumn::Conns => {
                let (said, style) = match facts.and_then(|facts| facts.connections.zip(Some(facts.max_connections))) {
                    Some((open, Some(max))) => (format!("{open}/{max}"), connections(open, max, theme)),
                    Some((open, None)) => (open.to_string(), theme.text),
                    None => unknown,
                };
                pen.column_right(&said, width, style);
            }
            NodeColumn::Tps => {
                let tps = facts.and(node.rates.transactions);
                let (said, style) = tps.map_or(unknown, |tps| (text::rate(tps), theme.text));
                pen.column_right(&said, width, style);
            }
            NodeColumn::Lag => {
                let (said, style) = match (facts.and(node.lag()), node.lag_level(&self.app.thresholds)) {
                    (Some(lag), Level::Normal) => (text::duration(lag), theme.text),
                    (Some(lag), level) => (
                        format!("{} ▲", text::duration(lag)),
                        if level == Level::Critical { theme.bad } else { theme.warn },
                    ),
                    (None, _) => unknown,
                };
                pen.column_right(&said, width, style);
            }
            NodeColumn::LastMinute => {
                let bars = last_minute(node, at, width, theme);
                spark(pen, bars.into_iter(), width);
            }
        }
    }

    fn state(&self, pen: &mut Pen<'_>) {
        let (node, theme) = (self.node, self.theme);
        let (sign, style) = badge::sign(node.health.state, theme);
        let word = if node.removing { "leaving" } else { badge::word(&node.health) };
        pen.put(sign, style).gap(1).put(word, style);
        if matches!(node.health.state, HealthState::Unhealthy | HealthState::Reconnecting)
            && let Some(down) = node.down_for(self.app.picture().at)
        {
            pen.gap(1).put(&text::age(down), style);
        }
    }

    fn pool(&self, pen: &mut Pen<'_>, width: usize) {
        let theme = self.theme;
        let Some(pool) = self.node.pool else {
            pen.put(text::UNKNOWN, theme.dim);
            return;
        };
        let share = f64::from(pool.active) / f64::from(pool.max.max(1));
        let style = level(share, theme);
        if width > GAUGE + 8 {
            meter(pen, share, GAUGE, style, theme);
            pen.gap(1);
        }
        let said = format!("{}/{}", pool.active, pool.max);
        pen.column_right(&said, 5, if share >= 0.8 { style } else { theme.text });
        if pool.waiting > 0 {
            pen.put(&format!(" +{}", pool.waiting), theme.bad_bold);
        }
    }

    /// Why a node does not answer and what comes next, in place of figures it has not.
    fn why_down(&self, pen: &mut Pen<'_>) {
        let (health, theme) = (&self.node.health, self.theme);
        if self.node.removing {
            pen.put("queries there are waited for, then it is removed", theme.dim);
            return;
        }
        if health.state == HealthState::Disconnected {
            pen.put(
                if health.paused { "our sessions are closed; P goes on" } else { "our sessions are closed" },
                theme.dim,
            );
            return;
        }
        let next = self.node.next_try_in(self.app.picture().at).map(text::age);
        let attempt = health.attempt;
        let tail = match (&next, health.state) {
            (_, HealthState::Connecting) => String::new(),
            (Some(next), _) => format!(" · try {} in {next}", attempt + 1),
            (None, HealthState::Reconnecting) if attempt > 0 => format!(" · try {attempt} now"),
            (None, _) => String::new(),
        };
        let error = health.error.as_ref().map_or("connecting", |error| error.message.as_str());
        let room = pen.room().saturating_sub(text::width(&tail));
        let style = if health.error.is_some() { theme.bad } else { theme.dim };
        pen.put(&text::fit(error, room), style).put(&tail, theme.dim);
    }
}

fn connections(open: u32, max: u32, theme: &Theme) -> Style {
    match f64::from(open) / f64::from(max.max(1)) {
        share if share >= 0.95 => theme.bad,
        share if share >= 0.8 => theme.warn,
        _ => theme.text,
    }
}

/// The last minute in so many cells: the slowest answer of each, or that there was none. Cells begin at round
/// seconds of the clock, so that they wander left instead of flickering.
pub(crate) fn last_minute(node: &Node, at: std::time::SystemTime, cells: usize, theme: &Theme) -> Vec<Bar> {
    let per_cell = 60_usize.div_ceil(cells.clamp(1, 60));
    let now = at.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as usize);
    let newest = now % per_cell + 1;
    let slow = node.config.health.slow_after.as_secs_f64();
    let seconds = node.history.seconds();
    let usual = usual_seconds(node);
    let mut bars = Vec::with_capacity(cells);
    let mut end = seconds.len();
    let mut take = newest;
    while end > 0 && bars.len() < cells {
        let start = end.saturating_sub(take);
        let mut bar = Bar::Blank;
        for second in seconds.iter().skip(start).take(end - start) {
            bar = worse(bar, bar_of(second, usual, slow, theme));
        }
        bars.push(bar);
        (end, take) = (start, per_cell);
    }
    bars.reverse();
    bars
}

/// The newest seconds, a cell each.
pub(crate) fn newest_seconds(node: &Node, cells: usize, theme: &Theme) -> Vec<Bar> {
    let slow = node.config.health.slow_after.as_secs_f64();
    let usual = usual_seconds(node);
    node.history.seconds().newest(cells).map(|second| bar_of(second, usual, slow, theme)).collect()
}

/// The quickest answer of the last minute: what a round trip to this node takes at least.
fn usual_seconds(node: &Node) -> f64 {
    node.history.seconds().iter().filter_map(|second| second.latency).min().map_or(0.0, |least| least.as_secs_f64())
}

fn bar_of(second: &crate::app::nodes::Sample, usual: f64, slow: f64, theme: &Theme) -> Bar {
    match (second.state, second.latency) {
        (HealthState::Unhealthy | HealthState::Reconnecting, _) => Bar::Miss(theme.bad),
        (HealthState::Connecting | HealthState::Disconnected, _) | (_, None) => Bar::Blank,
        (_, Some(latency)) => {
            let seconds = latency.as_secs_f64();
            Bar::Level(latency_height(seconds, usual, slow), if seconds >= slow { theme.warn } else { theme.ok })
        }
    }
}

fn worse(a: Bar, b: Bar) -> Bar {
    match (a, b) {
        (Bar::Blank, other) | (other, Bar::Blank) => other,
        (Bar::Miss(style), _) | (_, Bar::Miss(style)) => Bar::Miss(style),
        (Bar::Level(x, _), Bar::Level(y, _)) => {
            if y > x {
                b
            } else {
                a
            }
        }
    }
}
