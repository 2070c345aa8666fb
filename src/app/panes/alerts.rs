//! The alerts as a list, and what its filter sees.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::app::rows::filter::{Column, Fields};
use crate::app::rows::table::Key;
use crate::fleet::alerts::{AlertId, Held};
use crate::model::view::Unit;
use crate::model::{Condition, figures};

/// The columns of an alert that a filter may name.
const COLUMNS: [Column<'static>; 5] = [
    Column::text("node"),
    Column::number("since", Some(Unit::Seconds)),
    Column::text("rule"),
    Column::text("what"),
    Column::text("severity"),
];
const SINCE: usize = 1;

impl Key for AlertId {
    fn filtered() -> Vec<Column<'static>> {
        COLUMNS.to_vec()
    }

    const WRAPS: bool = true;
}

/// An alert at a given time, as a filter sees it.
pub(in crate::app) struct Seen<'a> {
    pub(in crate::app) held: &'a Held,
    pub(in crate::app) now: SystemTime,
}

impl Seen<'_> {
    fn age(&self) -> Duration {
        self.now.duration_since(self.held.alert.since).unwrap_or_default()
    }
}

impl Fields for Seen<'_> {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..COLUMNS.len() - 1
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        let alert = &self.held.alert;
        match column {
            0 => Cow::Borrowed(alert.node.as_str()),
            SINCE => Cow::Owned(figures::age(self.age())),
            2 => Cow::Borrowed(&alert.rule.title),
            3 => Cow::Borrowed(&alert.finding.message),
            _ => Cow::Borrowed(alert.finding.severity.as_str()),
        }
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        if column == SINCE {
            return condition.holds_number(Some(self.age().as_secs_f64()));
        }
        condition.holds(Some(&self.text(column)))
    }
}
