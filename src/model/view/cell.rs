//! The value of a view's cell, as people say it: in the dashboard and in `table` output alike.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::{CellKind, Unit, Value, ViewColumn};
use crate::model::figures;

/// The text of a cell; a time is told by its age at `now`. What a server sent is not yet safe for a terminal.
pub fn cell<'a>(column: &ViewColumn, value: Value<'a>, now: SystemTime) -> Cow<'a, str> {
    let said = match value {
        Value::Unknown => return Cow::Borrowed(figures::UNKNOWN),
        Value::Text(said) => said,
        Value::Rate(_) => "",
    };
    match (column.kind, value.number()) {
        (CellKind::Bool, _) => Cow::Borrowed(if said == "t" { "yes" } else { "no" }),
        (CellKind::IntArray, _) => Cow::Owned(said.trim_matches(['{', '}']).replace(',', " ")),
        (kind, Some(number)) if kind.is_number() => figure(number, column, now).map_or(Cow::Borrowed(said), Cow::Owned),
        _ => Cow::Borrowed(said),
    }
}

/// `None` where the server's own digits will do.
fn figure(number: f64, column: &ViewColumn, now: SystemTime) -> Option<String> {
    Some(match column.unit {
        Some(Unit::Ms) => duration(number / 1000.0),
        Some(Unit::Seconds) => duration(number),
        Some(Unit::Bytes) => bytes(number),
        Some(Unit::BytesPerSecond) => format!("{}/s", bytes(number)),
        Some(Unit::PerSecond) => format!("{}/s", figures::rate(number)),
        Some(Unit::Percent) if number.abs() >= 10.0 || number == 0.0 => format!("{number:.0} %"),
        Some(Unit::Percent) => format!("{number:.1} %"),
        Some(Unit::Time) => age(number, now),
        // What adds up is read as an amount; a pid or an oid is not.
        None if column.total.is_some() && number >= 0.0 => figures::count(number as u64),
        None if matches!(column.kind, CellKind::Float8) => format!("{number:.1}"),
        Some(Unit::Lsn) | None => return None,
    })
}

fn duration(seconds: f64) -> String {
    if seconds.is_infinite() {
        return "never".to_owned();
    }
    let length = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
    let said = figures::duration(length);
    if seconds < 0.0 { format!("-{said}") } else { said }
}

fn bytes(number: f64) -> String {
    if number < 0.0 { format!("-{}", figures::bytes(-number)) } else { figures::bytes(number) }
}

/// `3 m ago`; what is to come is `in 3 m`.
fn age(epoch: f64, now: SystemTime) -> String {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let passed = Duration::try_from_secs_f64((now - epoch).abs()).unwrap_or(Duration::MAX);
    // Clocks of two machines differ by a little.
    if epoch > now + 2.0 { format!("in {}", figures::age(passed)) } else { format!("{} ago", figures::age(passed)) }
}
