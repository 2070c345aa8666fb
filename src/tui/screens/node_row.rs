//! One node as a row of the table of screen 1, and its last minute as bars (D1).

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::App;
use crate::app::panes::nodes::NodeColumn;
use crate::fleet::nodes::{Level, Node, Sample};
use crate::model::history::Ring;
use crate::model::{Facts, HealthState};
use crate::text;
use crate::tui::Theme;
use crate::tui::widgets::badge;
use crate::tui::widgets::data_table::{Column, Placed};
use crate::tui::widgets::meter::{level, meter};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::spark::{Bar, latency_height, spark};

/// Cells of the gauge in the POOL column, where there is room for it.
const GAUGE: usize = 5;

/// Columns of the longest usual countdown: ` · try 12 in 30 s`.
const COUNTDOWN: usize = 17;

/// One node as a row of the table.
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

    /// One figure; `facts` are those that hold now.
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
                let (said, style) = match (facts.and(node.lag()), node.lag_level(&self.app.fleet.thresholds)) {
                    (Some(lag), Level::Normal) => known(text::duration(lag), theme.text),
                    (Some(lag), level) => known(
                        format!("{} ▲", text::duration(lag)),
                        if level == Level::Critical { theme.bad } else { theme.warn },
                    ),
                    (None, _) => unknown,
                };
                pen.column_right(&said, width, style);
            }
            NodeColumn::LastMinute => {
                let bars = last_minute(node, self.app.picture().at, width, theme);
                spark(pen, bars.into_iter(), width);
            }
        }
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
            pen.gap(1).put("▲", super::alerts::style(worst, theme));
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
        // Whatever the countdown says: a reason that changes its words every few seconds cannot be read.
        let steady = pen.room().saturating_sub(text::width(&tail).max(COUNTDOWN));
        let error = reason(error, &self.node.config.address(), steady);
        let style = if health.error.is_some() { theme.bad } else { theme.dim };
        pen.put(&text::fit(&error, room), style).put(&tail, theme.dim);
    }
}

/// What is wrong with a node; where there is no room for all of it, without the node's own address, which stands
/// elsewhere.
pub(super) fn reason<'m>(message: &'m str, address: &str, room: usize) -> Cow<'m, str> {
    if text::width(message) <= room {
        return message.into();
    }
    let place = |before: &str| format!(" {before} {address}");
    let without = |message: String, before: &&str| message.replace(&place(before), "");
    ["by", "from", "to", "at"].iter().fold(message.to_owned(), without).into()
}

fn connections(open: u32, max: u32, theme: &Theme) -> Style {
    match f64::from(open) / f64::from(max.max(1)) {
        share if share >= 0.95 => theme.bad,
        share if share >= 0.8 => theme.warn,
        _ => theme.text,
    }
}

/// The last minute in so many cells: the slowest answer of each, or that there was none.
pub(crate) fn last_minute(node: &Node, at: SystemTime, cells: usize, theme: &Theme) -> Vec<Bar> {
    let slow = node.config.health.slow_after.as_secs_f64();
    let usual = usual_seconds(node);
    let worst = minute(node, at, cells).map(|cell| cell.max_by_key(|second| badness(second)));
    worst.map(|second| second.map_or(Bar::Blank, |second| bar_of(second, usual, slow, theme))).collect()
}

/// The seconds of the last minute in so many cells, oldest first. Cells begin at round seconds of the clock, so that they
/// wander left instead of flickering.
pub(super) fn minute(node: &Node, at: SystemTime, cells: usize) -> impl Iterator<Item = impl Iterator<Item = &Sample>> {
    let clock = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as usize);
    in_cells(node.history.seconds(), clock, cells)
}

fn in_cells<T>(seconds: &Ring<T>, clock: usize, cells: usize) -> impl Iterator<Item = impl Iterator<Item = &T>> {
    let per_cell = 60_usize.div_ceil(cells.clamp(1, 60));
    let newest = clock % per_cell + 1;
    let count = match seconds.len() {
        0 => 0,
        known => 1 + known.saturating_sub(newest).div_ceil(per_cell),
    };
    // One cell more, with what is left of the oldest seconds, would come and go at the edge.
    let whole = 60_usize.div_ceil(per_cell);
    (0..count.min(whole)).rev().map(move |age| {
        let end = seconds.len().saturating_sub(if age == 0 { 0 } else { newest + (age - 1) * per_cell });
        let start = seconds.len().saturating_sub(newest + age * per_cell);
        seconds.iter().skip(start).take(end - start)
    })
}

/// The newest seconds, a cell each.
pub(crate) fn newest_seconds(node: &Node, cells: usize, theme: &Theme) -> Vec<Bar> {
    let slow = node.config.health.slow_after.as_secs_f64();
    let usual = usual_seconds(node);
    let mut last = None;
    let seconds = node.history.seconds();
    let bars = seconds.iter().map(|second| {
        // Probes come each second but not on its stroke: where none was missed, the last one still holds.
        let healthy = second.state == HealthState::Healthy;
        last = second.latency.or(last.filter(|_| healthy));
        bar_of(&Sample { latency: last, ..*second }, usual, slow, theme)
    });
    bars.skip(seconds.len().saturating_sub(cells)).collect()
}

/// The quickest answer of the last minute: what a round trip to this node takes at least.
fn usual_seconds(node: &Node) -> f64 {
    node.history.seconds().iter().filter_map(|second| second.latency).min().map_or(0.0, |least| least.as_secs_f64())
}

fn bar_of(second: &Sample, usual: f64, slow: f64, theme: &Theme) -> Bar {
    match (second.state, second.latency) {
        (HealthState::Unhealthy | HealthState::Reconnecting, _) => Bar::Miss(theme.bad),
        (HealthState::Connecting | HealthState::Disconnected, _) | (_, None) => Bar::Blank,
        (_, Some(latency)) => {
            let seconds = latency.as_secs_f64();
            Bar::Level(latency_height(seconds, usual, slow), if seconds >= slow { theme.warn } else { theme.ok })
        }
    }
}

/// Which of the seconds of a cell it shows: one without an answer, else the slowest.
fn badness(second: &Sample) -> (bool, Option<Duration>) {
    match second.state {
        HealthState::Unhealthy | HealthState::Reconnecting => (true, None),
        HealthState::Connecting | HealthState::Disconnected => (false, None),
        HealthState::Healthy | HealthState::Degraded => (false, second.latency),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each second belongs to one cell for as long as it is shown, and a full minute always has as many cells.
    #[test]
    fn cells_of_the_last_minute_wander_and_never_flicker() {
        for cells in [7, 20, 23, 41, 60, 90] {
            let per_cell = 60_usize.div_ceil(cells.min(60));
            let mut seconds = Ring::new(60);
            for clock in 0..200_usize {
                seconds.push(clock);
                let shown: Vec<Vec<usize>> =
                    in_cells(&seconds, clock, cells).map(|cell| cell.copied().collect()).collect();
                assert!(shown.iter().flatten().is_sorted() && shown.iter().all(|cell| !cell.is_empty()), "{shown:?}");
                let apart = |cell: &Vec<usize>| cell.iter().any(|second| second / per_cell != cell[0] / per_cell);
                assert!(!shown.iter().any(apart), "{shown:?}");
                if clock >= 60 {
                    assert_eq!(shown.len(), 60_usize.div_ceil(per_cell), "{clock}: {shown:?}");
                }
            }
        }
    }

    #[test]
    fn a_reason_without_room_leaves_the_address_out() {
        let said = |message, room| reason(message, "10.0.0.9:5432", room).into_owned();
        let refused = "connection refused by 10.0.0.9:5432";
        assert_eq!(said(refused, 35), refused);
        assert_eq!(said(refused, 34), "connection refused");
        assert_eq!(said("no answer from 10.0.0.9:5432 within 400 ms", 30), "no answer within 400 ms");
        assert_eq!(said("the connection to 10.0.0.9:5432 was lost", 30), "the connection was lost");
        assert_eq!(
            said("password authentication failed for user \"x\"", 30),
            "password authentication failed for user \"x\""
        );
    }
}
