//! The figures of one refresh as lines: connections, rates, cache, replication. Stale ones are completely dim.

use std::time::Duration;

use ratatui::style::Style;

use crate::app::App;
use crate::fleet::lag::{Behind, Supply};
use crate::fleet::nodes::{Level, Node, Sample};
use crate::model::facts::Part;
use crate::model::rates::Rates;
use crate::model::{Facts, Role};
use crate::text;
use crate::tui::Theme;
use crate::tui::widgets::doc::DocLine;
use crate::tui::widgets::last_minute::minute;
use crate::tui::widgets::meter::level;
use crate::tui::widgets::spark::Bar;

/// Column at which values begin.
pub(super) const VALUES: usize = 10;
/// Width of a gauge, in cells.
pub(super) const GAUGE: usize = 10;
/// Maximum width of a sparkline, in cells.
pub(super) const SPARK: usize = 20;
/// Age in seconds from which an open transaction is highlighted, as it holds back vacuum.
const OLD_TRANSACTION: u64 = 300;

pub(super) struct FiguresText<'a> {
    pub(super) app: &'a App,
    pub(super) node: &'a Node,
    pub(super) theme: &'a Theme,
    pub(super) facts: &'a Facts,
    /// True if the figures are old.
    pub(super) stale: bool,
    pub(super) width: usize,
}

/// How far the standby of a server is behind that is behind most.
struct Worst {
    name: String,
    bytes: u64,
    behind: Option<Behind>,
    /// By how much it is later than it is meant to be.
    late: Option<Duration>,
}

impl FiguresText<'_> {
    pub(super) fn lines(&self, lines: &mut Vec<DocLine>) {
        lines.push(self.connections());
        lines.push(self.transactions());
        lines.push(self.rates());
        if self.facts.role == Role::Standby {
            lines.push(self.replay());
        }
        let primary = self.facts.role == Role::Primary;
        match self.facts.senders.as_ref().map(Vec::len) {
            Some(0) if !primary => {}
            Some(standbys) => lines.push(self.standbys(standbys)),
            None if primary => lines.push(self.label("Standbys").text(text::UNKNOWN, self.theme.dim)),
            None => {}
        }
        lines.extend(self.oldest());
        self.hidden(lines);
        self.missing(lines);
    }

    /// What the server did not answer, and why, each reason once.
    fn missing(&self, lines: &mut Vec<DocLine>) {
        let width = self.width.saturating_sub(VALUES);
        for (n, (parts, error)) in self.node.reasons().into_iter().enumerate() {
            let parts: Vec<&str> = parts.into_iter().map(Part::words).collect();
            let said = format!("{}: {}", parts.join(", "), error.message);
            for (m, part) in text::wrap(&said, width).into_iter().take(3).enumerate() {
                lines.push(self.label(if n + m == 0 { "Missing" } else { "" }).text(part, self.theme.warn));
            }
            for part in error.hint.iter().flat_map(|hint| text::wrap(hint, width)).take(2) {
                lines.push(self.label("").text(part, self.theme.dim));
            }
        }
    }

    /// The reason and the remedy if the role may not see figures. A server that shows them all reports at least the
    /// number of active sessions.
    fn hidden(&self, lines: &mut Vec<DocLine>) {
        if self.facts.active.is_some() || self.node.why_missing(&[Part::Sessions]).is_some() {
            return;
        }
        let said = format!("the server hides other roles' sessions and replication from {}", self.node.hidden_from());
        let wrapped = text::wrap(&said, self.width.saturating_sub(VALUES));
        for (n, part) in wrapped.into_iter().take(3).enumerate() {
            lines.push(self.label(if n == 0 { "Rights" } else { "" }).text(part, self.theme.warn));
        }
    }

    fn label(&self, label: &'static str) -> DocLine {
        DocLine::default().text(label, self.theme.dim).at(VALUES)
    }

    fn tone(&self, style: Style) -> Style {
        if self.stale { self.theme.dim } else { style }
    }

    fn value(&self) -> Style {
        self.tone(self.theme.text)
    }

    fn connections(&self) -> DocLine {
        let (facts, theme) = (self.facts, self.theme);
        let mut row = self.label("Conns");
        if let (Some(open), Some(max)) = (facts.connections, facts.max_connections) {
            let share = f64::from(open) / f64::from(max.max(1));
            row = row.meter(share, GAUGE, self.tone(level(share, theme))).text("  ", self.value());
        }
        let in_transaction = if facts.idle_in_transaction > Some(0) { theme.warn } else { theme.text };
        row = row
            .text(known(facts.connections), self.value())
            .text(format!(" of {}   active ", known(facts.max_connections)), theme.dim)
            .text(known(facts.active), self.value())
            .text("   idle in tx ", theme.dim)
            .text(known(facts.idle_in_transaction), self.tone(in_transaction));
        match facts.waiting_for_lock {
            Some(waiting @ 1..) => {
                row.text("   wait for lock ", theme.dim).text(waiting.to_string(), self.tone(theme.bad))
            }
            _ => row,
        }
    }

    /// The rates now; none if the figures are old.
    fn current_rates(&self) -> Rates {
        if self.stale { Rates::default() } else { self.node.rates }
    }

    fn transactions(&self) -> DocLine {
        let (rates, theme) = (self.current_rates(), self.theme);
        let room = self.width.saturating_sub(VALUES + 32).min(SPARK);
        let bars = if self.stale { Vec::new() } else { self.rate_bars(room) };
        self.label("TPS")
            .text(said(rates.transactions, text::rate), self.tone(theme.bright))
            .at(VALUES + 9)
            .text("commit ", theme.dim)
            .text(said(rates.commit_ratio, text::percent), self.value())
            .at(VALUES + 30)
            .spark(bars, room)
    }

    fn rates(&self) -> DocLine {
        let (rates, theme) = (self.current_rates(), self.theme);
        self.label("Cache")
            .text(said(rates.cache_hit_ratio, text::percent), self.value())
            .at(VALUES + 9)
            .text("temp ", theme.dim)
            .text(said(rates.temp_bytes, per_second), self.value())
            .text("   WAL ", theme.dim)
            .text(said(rates.wal_bytes, per_second), self.value())
    }

    fn replay(&self) -> DocLine {
        let (lag, theme) = (&self.node.lag, self.theme);
        let level = match self.node.lag_level(&self.app.fleet.thresholds) {
            Level::Normal => theme.text,
            Level::Warning => theme.warn,
            Level::Critical => theme.bad,
        };
        let mut row = self
            .label("Replay")
            .text(lag.time.map_or(text::UNKNOWN.to_owned(), Behind::said), self.tone(level))
            .text(" behind", theme.dim);
        if let Some(bytes) = lag.bytes {
            row = row.text(format!("   {}", text::bytes(bytes as f64)), self.value()).text(" to replay", theme.dim);
        }
        let fine = lag.supply == Supply::Streaming && !lag.paused;
        match (lag.why(), fine) {
            (Some(why), true) => row.text(format!("   streaming, {why}"), self.tone(theme.ok)),
            (Some(why), false) if lag.receives() == Some(true) && !lag.paused => {
                row.text(format!("   {why}"), self.value())
            }
            (Some(why), false) => row.text(format!("   {why}"), self.tone(theme.warn)),
            (None, true) => row.text("   streaming", self.tone(theme.ok)),
            (None, false) => row,
        }
    }

    fn standbys(&self, standbys: usize) -> DocLine {
        let theme = self.theme;
        let level = if standbys > 0 { theme.ok } else { theme.text };
        let mut row = self.label("Standbys").text(format!("{standbys} streaming"), self.tone(level));
        let Some(Worst { name, bytes, behind, late }) = self.worst_standby(standbys).filter(|worst| worst.bytes > 0)
        else {
            return row;
        };
        row = row.text("   worst ", theme.dim).text(name, self.value());
        if let Some(behind) = behind {
            let over = late.is_some_and(|late| late >= self.app.fleet.thresholds.replication_lag.warning);
            let tone = self.tone(if over { theme.warn } else { theme.text });
            row = row.text(" ", theme.dim).text(behind.said(), tone);
        }
        row.text(format!("  {}", text::bytes(bytes as f64)), theme.dim)
    }

    /// The standby that is behind most, of so many that stream; `None` if nothing is known of it.
    fn worst_standby(&self, streaming: usize) -> Option<Worst> {
        let picture = self.app.picture();
        let is_under = |node: &&Node| {
            let receives = node.lag.supply == Supply::Streaming && node.lag.bytes.is_some();
            receives && picture.upstream(node.name()) == Some(self.node.name())
        };
        let watched: Vec<&Node> = picture.nodes.iter().filter(is_under).collect();
        if watched.len() == streaming {
            // What their own rows say.
            let node = watched.into_iter().max_by_key(|node| node.lag.bytes)?;
            let (name, lag) = (node.name().to_string(), &node.lag);
            return Some(Worst { name, bytes: lag.bytes?, behind: lag.time, late: lag.late });
        }
        let worst = self.facts.worst_sender()?;
        let replayed = worst.replayed?;
        let bytes = self.facts.wal_end().unwrap_or_default().saturating_sub(replayed);
        let behind = self.node.age_of(replayed, picture.at);
        Some(Worst { name: worst.name.clone()?, bytes, behind, late: behind.map(|behind| behind.time) })
    }

    fn oldest(&self) -> Option<DocLine> {
        let theme = self.theme;
        let Some(oldest) = self.facts.oldest_transaction else {
            let missing = self.node.why_missing(&[Part::Sessions]).is_some();
            return missing
                .then(|| self.label("Oldest").text("transaction ", theme.dim).text(text::UNKNOWN, theme.dim));
        };
        let level = if oldest.as_secs() >= OLD_TRANSACTION { theme.warn } else { theme.text };
        let row = self.label("Oldest").text("transaction ", theme.dim).text(text::duration(oldest), self.tone(level));
        Some(match self.facts.deadlocks {
            Some(deadlocks) => row.text("   deadlocks ", theme.dim).text(text::count(deadlocks), self.value()),
            None => row,
        })
    }

    /// The last minute: the highest rate of each cell relative to the highest of all.
    fn rate_bars(&self, cells: usize) -> Vec<Bar> {
        let seconds = self.node.history.seconds();
        let of = |second: &Sample| second.transactions;
        let top = seconds.iter().filter_map(of).fold(0.0_f64, f64::max);
        let height = |rate: f64| if top > 0.0 { rate / top } else { 0.0 };
        let bar = |rate: f64| Bar::Level(height(rate), self.theme.accent);
        let cells = minute(self.node, self.app.picture().at, cells);
        cells.map(|cell| cell.filter_map(of).reduce(f64::max).map_or(Bar::Blank, bar)).collect()
    }
}

fn known(number: Option<u32>) -> String {
    number.map_or(text::UNKNOWN.to_owned(), |number| number.to_string())
}

fn said(number: Option<f64>, say: fn(f64) -> String) -> String {
    number.map_or(text::UNKNOWN.to_owned(), say)
}

fn per_second(bytes: f64) -> String {
    text::bytes(bytes) + "/s"
}
