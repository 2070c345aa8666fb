//! The first line: the cluster, its nodes by state, its alerts, the verdict; on the right the mode, the refresh and the
//! clock. Where there is little room, problems stay longest.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::{Canvas, to_app};
use super::theme::Theme;
use super::widgets::pen::Pen;
use super::widgets::severity::alert_sign;
use crate::app::keys::keymap::{Place, keymap, labels};
use crate::app::{Action, App, Screen};
use crate::fleet::nodes::Counts;
use crate::model::{Grade, Verdict};
use crate::text;

/// Maximum width of the cluster's name, in columns; the smaller ones are for lines with less room.
const NAME: [usize; 4] = [24, 16, 8, 4];
/// How many parts the left side has at most.
const PARTS: usize = 15;
/// How many columns of a verdict on something wrong stay at least.
const WRONG: usize = 16;
/// With less room than this, it says nothing.
const LEAST: usize = 8;
/// Columns between two parts.
const GAP: usize = 3;

/// How important a part is; the least important goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stays {
    Cost,
    /// How many rules could not be judged.
    Unjudged,
    Transactions,
    /// The verdict where nothing is wrong.
    Quiet,
    Refresh,
    Nodes,
    /// The name of the program.
    Brand,
    /// The word next to the sign and the number.
    Word,
    Longest,
}

/// A part of the line, with the gap after it.
struct Part {
    text: Cow<'static, str>,
    style: Style,
    stays: Stays,
    gap: usize,
    /// True if it may be cut to [`WRONG`] columns.
    elastic: bool,
    /// True if a click on it opens the alerts.
    alerts: bool,
}

impl Part {
    fn new(text: impl Into<Cow<'static, str>>, style: Style, stays: Stays) -> Self {
        Self { text: text.into(), style, stays, gap: GAP, elastic: false, alerts: false }
    }

    fn gap(self, gap: usize) -> Self {
        Self { gap, ..self }
    }

    fn of_alerts(self) -> Self {
        Self { alerts: true, ..self }
    }

    /// The columns that it takes at least.
    fn width(&self) -> usize {
        let width = text::width(&self.text);
        self.gap + if self.elastic { width.min(WRONG) } else { width }
    }
}

/// The signs of the states, with the number of nodes in each.
pub(crate) fn states(counts: Counts, theme: &Theme) -> [(&'static str, usize, Style); 5] {
    [
        ("●", counts.healthy, theme.ok),
        ("◐", counts.degraded, theme.warn),
        ("✖", counts.down, theme.bad),
        ("◌", counts.connecting, theme.accent),
        ("○", counts.paused, theme.dim),
    ]
}

pub(crate) fn draw(canvas: &mut Canvas<'_>, line: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let (mut left, mut right) = (left(app, theme), right(app, theme));
    let width = |parts: &[Part]| parts.iter().map(Part::width).sum::<usize>();
    let mut shorter = NAME.iter().skip(1);
    // The first and the last column stay blank; the gap after the last part is not needed.
    while 2 + width(&left) + width(&right) > usize::from(line.width) + GAP {
        let first = left.iter().chain(&right).map(|part| part.stays).min().unwrap_or(Stays::Longest);
        if first < Stays::Longest {
            left.retain(|part| part.stays != first);
            right.retain(|part| part.stays != first);
        } else if let (Some(cluster), Some(columns), Some(name)) = (&app.cluster, shorter.next(), left.first_mut()) {
            name.text = text::fit(cluster, *columns).into_owned().into();
        } else {
            break;
        }
    }
    let taken = 2 + width(&left) + width(&right);
    if let Some(at) = left.iter().position(|part| part.elastic) {
        let others = taken - left.get(at).map_or(0, |part| part.width() - part.gap);
        let room = (usize::from(line.width) + GAP).saturating_sub(others);
        match left.get_mut(at).filter(|_| room >= LEAST) {
            Some(verdict) => verdict.text = text::fit(&verdict.text, room).into_owned().into(),
            None => drop(left.remove(at)),
        }
    }
    let start = line.right().saturating_sub((width(&right) + 1).saturating_sub(GAP) as u16).max(line.x);
    let mut pen = Pen::new(canvas.buf, Rect { x: line.x + 1, width: start.saturating_sub(line.x + 1), ..line });
    for part in left {
        let from = pen.x();
        pen.put(&part.text, part.style);
        if part.alerts {
            let area = Rect { x: from, width: pen.x().saturating_sub(from), ..line };
            canvas.drawn.tabs.push((to_app(area), Screen::Alerts));
        }
        pen.gap(part.gap);
    }
    let mut pen = Pen::new(canvas.buf, Rect { x: start, width: line.right() - start, ..line });
    for part in right {
        pen.put(&part.text, part.style).gap(part.gap);
    }
}

fn left(app: &App, theme: &Theme) -> Vec<Part> {
    let picture = app.picture();
    let counts = picture.nodes.counts();
    let mut parts = Vec::with_capacity(PARTS);
    parts.push(Part::new("pgwatch", theme.accent_bold, Stays::Brand).gap(2));
    if let Some(cluster) = &app.cluster {
        parts.push(Part::new(text::fit(cluster, NAME[0]).into_owned(), theme.bright, Stays::Longest));
    }
    for (sign, count, style) in states(counts, theme) {
        if count > 0 || (sign == "●" && counts.total() > 0) {
            parts.push(Part::new(format!("{sign} {count}"), style, Stays::Longest).gap(2));
        }
    }
    parts.push(match counts.total() {
        0 => Part::new("no nodes yet", theme.dim, Stays::Nodes),
        1 => Part::new("of 1 node", theme.dim, Stays::Nodes),
        total => Part::new(format!("of {total} nodes"), theme.dim, Stays::Nodes),
    });
    if let (alerts, Some(worst)) = app.fleet.alerts().count() {
        let style = alert_sign(worst, theme).1;
        parts.push(Part::new(format!("▲ {alerts}"), style, Stays::Longest).gap(1).of_alerts());
        let word = if alerts == 1 { "alert" } else { "alerts" };
        parts.push(Part::new(word, style, Stays::Word).gap(1).of_alerts());
        let key = labels(keymap().keys(Action::ScreenAlerts, Place::Screen), app.ascii);
        parts.push(Part::new(key, theme.accent_bold, Stays::Longest).of_alerts());
    }
    let [rules, _] = app.silence.extent;
    if rules > 0 {
        parts.push(Part::new(format!("? {rules} not judged"), theme.dim, Stays::Unjudged).of_alerts());
    }
    parts.extend(verdict(app, theme));
    if let Some(rate) = picture.nodes.transactions(picture.at, app.fleet.refresh) {
        parts.push(Part::new(text::rate(rate), theme.bright, Stays::Transactions).gap(1));
        parts.push(Part::new("tps", theme.dim, Stays::Transactions));
    }
    if let Some(cost) = app.fleet.cost().rate(picture.at) {
        // Whole numbers, which do not change every second.
        let ms = cost.time.as_secs_f64() * 1000.0;
        let time = if ms < 0.5 { "<1 ms".to_owned() } else { format!("{ms:.0} ms") };
        let said = format!("cost {}/s {time}", text::count(cost.statements.round() as u64));
        parts.push(Part::new(said, theme.dim, Stays::Cost));
    }
    parts
}

/// The verdict: in quiet words where there is room, or what is wrong in any case.
fn verdict(app: &App, theme: &Theme) -> Option<Part> {
    let picture = app.picture();
    let Verdict { severity, message } = &*picture.verdict;
    // A single node says it on its row.
    if picture.nodes.len() < 2 {
        return None;
    }
    let said = text::safe(message).into_owned();
    Some(match severity {
        Grade::Ok => Part::new(said, theme.dim, Stays::Quiet),
        Grade::Warning => Part { elastic: true, ..Part::new(said, theme.warn, Stays::Longest) },
        Grade::Critical => Part { elastic: true, ..Part::new(said, theme.bad, Stays::Longest) },
    })
}

fn right(app: &App, theme: &Theme) -> Vec<Part> {
    let mode = if app.read_write {
        Part::new(" READ-WRITE ", theme.patch_bad, Stays::Longest)
    } else {
        Part::new("read-only", theme.dim, Stays::Longest)
    };
    let refresh = match app.frozen_since() {
        Some(since) => {
            let age = app.now.duration_since(since).unwrap_or_default();
            Part::new(format!(" FROZEN {} ", text::age(age)), theme.patch_warn, Stays::Longest)
        }
        None => Part::new(format!("every {}", text::period(app.fleet.refresh)), theme.dim, Stays::Refresh),
    };
    let clock = if app.now > UNIX_EPOCH { theme.time_of_day(app.now, app.now) } else { String::new() };
    vec![mode, refresh, Part::new(clock, theme.text, Stays::Longest)]
}
