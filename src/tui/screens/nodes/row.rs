//! A node as a row of the table of screen 1.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::App;
use crate::app::panes::nodes::NodeColumn;
use crate::fleet::nodes::{Level, Node};
use crate::model::{Facts, HealthState};
use crate::text;
use crate::tui::Theme;
use crate::tui::widgets::badge;
use crate::tui::widgets::data_table::{Column, Placed};
use crate::tui::widgets::last_minute::last_minute;
use crate::tui::widgets::meter::{level, meter};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::reason::reason;
use crate::tui::widgets::severity::alert_sign;
use crate::tui::widgets::spark::spark;

/// Width of the gauge in the POOL column, if there is room for it, in cells.
const GAUGE: usize = 5;

/// Width of the longest usual countdown, in columns: ` · try 12 in 30 s`.
const COUNTDOWN: usize = 17;

/// A node as a row of the table.
pub(super) struct Row<'a> {
    pub(super) node: &'a Node,
    pub(super) app: &'a App,
    pub(super) theme: &'a Theme,
    pub(super) selected: bool,
}

impl Row<'_> {
    pub(super) fn draw(&self, buf: &mut Buffer, line: Rect, columns: &[Column<'_>], placed: &[Placed]) {
        let down = !self.node.health.state.answers();
        let facts = self.node.fresh(self.app.picture().at, self.app.fleet.refresh);
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
                column => self.cell(&mut Pen::new(buf, cell), *column, facts),
            }
        }
        if let Some(area) = spanned {
            self.why_down(&mut Pen::new(buf, area));
        }
    }

    /// Draws one figure; `facts` are the current ones.
    fn cell(&self, pen: &mut Pen<'_>, column: NodeColumn, facts: Option<&Facts>) {
        let (node, theme) = (self.node, self.theme);
        let width = pen.room();
        let unknown = (Cow::Borrowed(text::UNKNOWN), theme.dim);
        let known = |said: String, style: Style| (Cow::Owned(said), style);
        match column {
            NodeColumn::Node => {
                pen.put(node.name().as_str(), if self.selected { theme.bright } else { theme.text });
                if let Some(unsaved) = node.unsaved {
                    pen.gap(1).put(unsaved.sign(), theme.secondary);
                }
            }
            NodeColumn::Role => {
                pen.put(node.role.map_or(text::UNKNOWN, |role| role.as_str()), theme.dim);
            }
            NodeColumn::State => self.state(pen),
            NodeColumn::Ping => {
                let slow = node.health.state == HealthState::Degraded;
                let (said, style) = node.ping().map_or(unknown, |latency| {
                    known(text::duration(latency), if slow { theme.warn } else { theme.text })
                });
                pen.column_right(&said, width, style);
            }
            NodeColumn::Pool => self.pool(pen, width),
            NodeColumn::Conns => {
                let (said, style) = match facts.and_then(|facts| facts.connections.zip(Some(facts.max_connections))) {
                    Some((open, Some(max))) => {
                        let full = format!("{open}/{max}");
                        let [o, m] = [open, max].map(|number| text::compact(number.into(), 0));
                        let said = if full.len() <= width { full } else { format!("{o}/{m}") };
                        known(said, connections(open, max, theme))
                    }
                    Some((open, None)) => known(open.to_string(), theme.text),
                    None => unknown,
                };
                pen.column_right(&said, width, style);
            }
            NodeColumn::Tps => {
                let tps = facts.and(node.rates.transactions);
                let (said, style) = tps.map_or(unknown, |tps| {
                    let said = text::rate(tps);
                    let said = if said.len() <= width { said } else { text::count_within(tps as u64, width) };
                    known(said, theme.text)
                });
                pen.column_right(&said, width, style);
            }
            NodeColumn::Lag => {
                let (said, style) = match (facts.and(node.lag.time), node.lag_level(&self.app.fleet.thresholds)) {
                    (Some(lag), Level::Normal) => known(lag.said(), theme.text),
                    (Some(lag), level) => known(
                        format!("{} ▲", lag.said()),
                        if level == Level::Critical { theme.bad } else { theme.warn },
                    ),
                    (None, _) => unknown,
                };
                pen.column_right(&said, width, style);
            }
            NodeColumn::LastMinute => {
                if let Some((said, style)) = facts.and_then(|_| self.finding()) {
                    pen.put(&text::fit(&said, width), style);
                    return;
                }
                let bars = last_minute(node, self.app.picture().at, width, theme);
                spark(pen, bars.into_iter(), width);
            }
        }
    }

    /// Why the node is not as it should be, in place of its last minute: two primaries, or a standby without WAL or with old data.
    fn finding(&self) -> Option<(String, Style)> {
        let (node, theme) = (self.node, self.theme);
        if let Some(rivals) = &node.split_brain {
            return Some((format!("split brain: {rivals}"), theme.bad));
        }
        let level = node.lag_level(&self.app.fleet.thresholds);
        let wrong = level > Level::Normal || node.lag.paused || node.lag.receives() == Some(false);
        let style = match level {
            Level::Critical => theme.bad,
            _ if wrong => theme.warn,
            _ => theme.text,
        };
        // A lag on purpose needs its reason too.
        let limit = self.app.fleet.thresholds.replication_lag.warning;
        let old = || node.lag.time.is_some_and(|behind| behind.time >= limit);
        if wrong || old() { node.lag.why().map(|why| (why, style)) } else { None }
    }

    fn state(&self, pen: &mut Pen<'_>) {
        let (node, theme) = (self.node, self.theme);
        let (sign, style) = badge::sign(node.health.state, theme);
        let word = if node.removing { "leaving" } else { node.health.word() };
        pen.sign(sign, style).gap(1).put(word, style);
        if matches!(node.health.state, HealthState::Unhealthy | HealthState::Reconnecting)
            && let Some(down) = node.down_for(self.app.picture().at)
        {
            pen.gap(1).put(&text::age(down), style);
        }
        if let Some(worst) = self.app.fleet.alerts().worst(node.name()) {
            pen.gap(1).put("▲", alert_sign(worst, theme).1);
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

    /// Why a node does not answer and when it is tried next, in place of its figures.
    fn why_down(&self, pen: &mut Pen<'_>) {
        let (health, theme) = (&self.node.health, self.theme);
        if self.node.removing {
            pen.put("its queries are waited for", theme.dim);
            return;
        }
        if health.state == HealthState::Disconnected {
            pen.put(
                if health.paused { "our sessions are closed; P goes on" } else { "our sessions are closed" },
                theme.dim,
            );
            return;
        }
        let next = self.node.next_try_in(self.app.picture().at);
        let attempt = health.attempt;
        let tail = match (next, health.state) {
            (_, HealthState::Connecting) => String::new(),
            (Some(next), _) if next.as_secs() == 0 => format!(" · try {} now", attempt + 1),
            (Some(next), _) => format!(" · try {} in {}", attempt + 1, text::age(next)),
            (None, HealthState::Reconnecting) if attempt > 0 => format!(" · try {attempt} now"),
            (None, _) => String::new(),
        };
        let room = pen.room().saturating_sub(text::width(&tail));
        let error = health.error.as_ref().map_or("connecting", |error| error.message.as_str());
        // The room does not depend on the countdown: a reason whose words change every few seconds cannot be read.
        let steady = pen.room().saturating_sub(text::width(&tail).max(COUNTDOWN));
        let error = reason(error, &self.node.config.address(), steady);
        let style = if health.error.is_some() { theme.bad } else { theme.dim };
        pen.put(&text::fit(&error, room), style).put(&tail, theme.dim);
    }
}

fn connections(open: u32, max: u32, theme: &Theme) -> Style {
    match f64::from(open) / f64::from(max.max(1)) {
        share if share >= 0.95 => theme.bad,
        share if share >= 0.8 => theme.warn,
        _ => theme.text,
    }
}
