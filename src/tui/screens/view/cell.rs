//! How the cells of a view's table look: what a threshold says of them, how old they are, and their trend.

use std::time::Duration;

use ratatui::style::Style;

use crate::app::App;
use crate::app::views::ViewTable;
use crate::fleet::Series;
use crate::model::view::{Value, ViewColumn};
use crate::model::{Condition, NodeName};
use crate::tui::Theme;
use crate::tui::widgets::spark::Bar;

/// Cells of a trend.
pub(super) const TREND: usize = 12;

/// Whether a node's rows are older than the pace of the view allows for, or the node is gone.
pub(super) fn is_stale(app: &App, table: &ViewTable, name: &NodeName) -> bool {
    let picture = app.picture();
    let answers = picture.nodes.get(name).is_some_and(|node| node.health.state.answers());
    let Some(reading) = table.node(name).and_then(|node| node.reading.as_ref()) else { return false };
    if reading.answer.not_applicable.is_some() {
        // It is rarely asked again, and had nothing that could grow old.
        return false;
    }
    let every = table.view.every.unwrap_or_default().max(app.fleet.refresh);
    let age = picture.at.duration_since(reading.at).unwrap_or_default();
    !answers || age > every * 3 + Duration::from_secs(2)
}

/// How a figure moved: each value against the highest of them.
pub(super) fn trend(series: Option<&Series>, theme: &Theme) -> Vec<Bar> {
    let values: Vec<f64> = series.into_iter().flat_map(Series::recent).collect();
    let highest = values.iter().copied().fold(0.0, f64::max);
    let share = |value: &f64| if highest > 0.0 { value / highest } else { 0.0 };
    values.iter().map(|value| Bar::Level(share(value), theme.secondary)).collect()
}

/// The style that a threshold gives a value.
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
