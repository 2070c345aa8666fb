//! The value of a view's cell as people read it, in the dashboard and in `table` output alike.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::column::{CellKind, Source, Unit, ViewColumn};
use super::reading::Value;
use crate::model::figures;

/// The text of a cell; a time is shown as its age at `now`. Text of a server is not yet safe for a terminal.
pub fn cell<'a>(column: &ViewColumn, value: Value<'a>, now: SystemTime) -> Cow<'a, str> {
    let said = match value {
        Value::Unknown => return Cow::Borrowed(figures::UNKNOWN),
        Value::Text(said) => said,
        Value::Rate(number) if column.unit.is_none() && column.total.is_none() => {
            return Cow::Owned(figures::number(number));
        }
        Value::Rate(_) => "",
    };
    match (column.kind, value.number()) {
        (CellKind::Bool, _) => Cow::Borrowed(if said == "t" { "yes" } else { "no" }),
        (CellKind::IntArray, _) => Cow::Owned(said.trim_matches(['{', '}']).replace(',', " ")),
        (kind, Some(number)) if kind.is_number() => figure(number, column, now).map_or(Cow::Borrowed(said), Cow::Owned),
        _ => Cow::Borrowed(said),
    }
}

/// A number in its unit; `None` where the server's own digits are shown.
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
        // A number that adds up is an amount and gets separators; a pid or an oid does not.
        None if is_fraction(column) => figures::number(number),
        None if column.total.is_some() && number >= 0.0 => figures::count(number as u64),
        Some(Unit::Lsn) | None => return None,
    })
}

/// The text of a cell in at most `room` characters. A number without room is shortened (`19.0k`, `118M`, `1.2G`), never
/// cut. Names, and numbers that are names (a process, an object), are returned whole.
pub fn cell_within<'a>(column: &ViewColumn, value: Value<'a>, now: SystemTime, room: usize) -> Cow<'a, str> {
    let said = cell(column, value, now);
    let fits = |said: &str| said.chars().count() <= room;
    match value.number() {
        Some(number) if column.kind.is_number() && !fits(&said) => {
            let shorter = shorter(&said, number, column).into_iter().find(|said| fits(said));
            shorter.map_or(said, Cow::Owned)
        }
        _ => said,
    }
}

/// True if a number without a unit may have a fraction.
fn is_fraction(column: &ViewColumn) -> bool {
    column.kind == CellKind::Float8 || matches!(column.source, Source::Rate { .. })
}

/// Shorter forms of a number, the longest first.
fn shorter(said: &str, number: f64, column: &ViewColumn) -> Vec<String> {
    let [long, short] = [1, 0].map(|decimals| figures::compact(number, decimals));
    let tight = || said.replace([' ', ','], "");
    match column.unit {
        Some(Unit::Ms | Unit::Seconds) => {
            let seconds = if column.unit == Some(Unit::Ms) { number / 1000.0 } else { number };
            let days = [1, 0].map(|decimals| figures::compact(seconds / 86_400.0, decimals) + "d");
            let long = days.into_iter().filter(|_| seconds.abs() >= 172_800.0);
            [tight(), tight().replace("min", "m")].into_iter().chain(long).collect()
        }
        Some(Unit::Time) => {
            let span = said.replace(" ago", "");
            let tight = span.replace(' ', "").replace("min", "m");
            let days = tight.trim_start_matches("in").trim_end_matches('d').parse::<f64>();
            let long = days.ok().map(|days| figures::compact(days, 0) + "d");
            [span, tight.clone()].into_iter().chain(long).collect()
        }
        Some(Unit::Bytes | Unit::BytesPerSecond) => {
            let tight = tight();
            let bare = tight.trim_end_matches("/s").to_owned();
            let letter = bare.trim_end_matches('B').to_owned();
            let large = figures::bytes(number.abs()).split(' ').next().and_then(|size| size.parse::<f64>().ok());
            let large =
                large.filter(|size| *size >= 999.5).map(|size| figures::compact(size.copysign(number), 0) + "P");
            [tight, bare, letter].into_iter().chain(large).collect()
        }
        Some(Unit::PerSecond) => vec![format!("{long}/s"), format!("{short}/s"), long, short],
        Some(Unit::Percent) => vec![format!("{long} %"), format!("{short} %"), format!("{short}%"), short],
        None if column.total.is_some() || is_fraction(column) => vec![long, short],
        Some(Unit::Lsn) | None => Vec::new(),
    }
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

/// `3 min ago`, or `in 3 min` for a time in the future.
fn age(epoch: f64, now: SystemTime) -> String {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let passed = Duration::try_from_secs_f64((now - epoch).abs()).unwrap_or(Duration::MAX);
    // The clocks of two machines may differ a little.
    if epoch > now + 2.0 { format!("in {}", figures::age(passed)) } else { format!("{} ago", figures::age(passed)) }
}
