//! How the cells of a view table look: their level by a threshold, their age, and their trend.

use std::time::SystemTime;

use ratatui::style::Style;

use crate::app::App;
use crate::app::views::ViewTable;
use crate::fleet::Series;
use crate::model::view::{Value, ViewColumn};
use crate::model::{Condition, NodeName};
use crate::tui::Theme;
use crate::tui::widgets::spark::Bar;

/// Width of a trend, in cells.
pub(super) const TREND: usize = 12;

/// True if a node's rows are older than the pace of the view allows, or the node does not answer.
pub(super) fn is_stale(app: &App, table: &ViewTable, name: &NodeName) -> bool {
    let picture = app.picture();
    let answers = picture.nodes.get(name).is_some_and(|node| node.health.state.answers());
    let Some(reading) = table.node(name).and_then(|node| node.reading.as_ref()) else { return false };
    if reading.answer.not_applicable.is_some() {
        // Such a node is rarely asked again, and it has no rows that could be stale.
        return false;
    }
    !answers || reading.age(picture.at) > table.view.fresh_for(app.fleet.refresh)
}

/// The time now by the clock of a node's server, to which the times in its rows belong.
pub(super) fn clock(app: &App, table: &ViewTable, name: &NodeName) -> SystemTime {
    let now = app.picture().at;
    let reading = table.node(name).and_then(|node| node.reading.as_ref());
    reading.map_or(now, |reading| reading.clock(now))
}

/// The recent values of a figure, each relative to the highest, with gaps where it was not watched.
pub(super) fn trend(series: Option<&Series>, theme: &Theme) -> Vec<Bar> {
    let values: Vec<Option<f64>> = series.into_iter().flat_map(Series::recent).collect();
    let highest = values.iter().copied().flatten().fold(0.0, f64::max);
    let share = |value: f64| if highest > 0.0 { value / highest } else { 0.0 };
    values.iter().map(|value| value.map_or(Bar::Blank, |value| Bar::Level(share(value), theme.secondary))).collect()
}

/// The style of a value by its thresholds; `None` if it meets neither.
pub(super) fn level(column: &ViewColumn, value: Value<'_>, theme: &Theme) -> Option<Style> {
    let meets = |condition: &Option<Condition>| condition.as_ref().is_some_and(|condition| value.meets(condition));
    if meets(&column.critical) {
        Some(theme.bad)
    } else if meets(&column.warning) {
        Some(theme.warn)
    } else {
        None
    }
}
