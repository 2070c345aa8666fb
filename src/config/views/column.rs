//! The columns of a view file: their keys, what they may refer to, and texts that differ by server.

use crate::config::condition;
use crate::config::diagnostic::Diagnostics;
use crate::config::nearest::nearest;
use crate::config::walk::{self, Section};
use crate::config::yaml::{Entry, Value};
use crate::model::Role;
use crate::model::condition::Condition;
use crate::model::view::{
    Bar, ByServer, CellKind, Copies, Holds, LagPart, Source, Total, Unit, Variant, Version, ViewColumn,
};

const KEYS: [&str; 25] = [
    "sql",
    "type",
    "encoding",
    "once",
    "unit",
    "about",
    "title",
    "rate_of",
    "hidden",
    "warning",
    "critical",
    "bar",
    "total",
    "group",
    "wide",
    "width",
    "unusual",
    "holds",
    "until_zero_of",
    "trend_of",
    "age_of",
    "behind_of",
    "else_of",
    "lag",
    "unchanged_of",
];

/// The keys of a column that is computed from another one, which they name, instead of asked from the server.
const DERIVED: [&str; 7] = ["rate_of", "until_zero_of", "trend_of", "age_of", "behind_of", "lag", "unchanged_of"];

/// The columns that a key may name.
pub(super) struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    pub(super) fn of(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.collect())
    }

    fn position(&self, wanted: &str) -> Option<usize> {
        self.0.iter().position(|name| *name == wanted)
    }

    /// The column of that name; `entry` is where it is named.
    pub(super) fn find(&self, entry: &Entry, wanted: &str, report: &mut Diagnostics) -> Option<usize> {
        let at = self.position(wanted);
        if at.is_none() {
            let meant = nearest(wanted, self.0.iter().copied()).map(|near| format!(": did you mean {near}?"));
            let meant = meant.unwrap_or_else(|| format!(": the columns are {}", self.0.join(", ")));
            report.problem(entry.value.position, format!("there is no column {wanted:?}{meant}"));
        }
        at
    }

    /// The column that the value of `entry` names.
    pub(super) fn column_of(&self, entry: &Entry, report: &mut Diagnostics) -> Option<usize> {
        let text = walk::filled(entry, report)?;
        self.find(entry, text.trim(), report)
    }
}

/// All columns of a file, for those that refer to another one.
struct Others<'a> {
    all: Names<'a>,
    /// Those that come from the server, so that a rate can be taken of them.
    counters: Names<'a>,
}

impl<'a> Others<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let is_counter = |entry: &&Entry| {
            let Value::Map(keys) = &entry.value.value else { return false };
            keys.iter().all(|key| !DERIVED.contains(&key.key.as_str()))
        };
        let name = |entry: &'a Entry| entry.key.as_str();
        Self {
            all: Names::of(entries.iter().map(name)),
            counters: Names::of(entries.iter().filter(is_counter).map(name)),
        }
    }

    /// The column that a rate is taken of.
    fn counter(&self, entry: &Entry, report: &mut Diagnostics) -> Option<usize> {
        let text = walk::filled(entry, report)?;
        self.counters.find(entry, text.trim(), report)?;
        self.all.position(text.trim())
    }
}

/// The columns of a view, in their order.
pub(super) fn columns(keys: Section<'_>, report: &mut Diagnostics) -> Vec<ViewColumn> {
    let Some(entry) = keys.get("columns") else { return Vec::new() };
    let entries = walk::map_of("columns", &entry.value, "name: {type: ...}", report).entries();
    if entries.is_empty() && matches!(entry.value.value, Value::Map(_) | Value::Null) {
        report.problem(entry.position, "columns is empty");
    }
    let others = Others::of(entries);
    let mut at = 0;
    entries.iter().filter_map(|entry| column(entry, &others, &mut at, report)).collect()
}

/// One column. `at` is its place in the answer of the server, and counts on where it has one.
fn column(entry: &Entry, others: &Others<'_>, at: &mut usize, report: &mut Diagnostics) -> Option<ViewColumn> {
    let name = entry.key.as_str();
    if !walk::is_word(name) {
        report
            .problem(entry.position, format!("column {name:?}: a name may have lower-case letters, digits and _ only"));
    }
    let keys = walk::section(entry, &KEYS, &[], report);
    let derived = DERIVED.iter().find_map(|key| keys.get(key));
    check_keys(entry, keys, derived, report);
    let source = if let Some(derived) = derived {
        derived_source(derived, keys, others, report)?
    } else {
        let sql = keys.read("sql", report, by_server).map_or_else(|| ByServer::same(name), |at| at.value);
        *at += 1;
        Source::Sql { sql, at: *at - 1 }
    };
    let (kind, unit) = kind_and_unit(entry, keys, &source, report);
    let condition = |entry: &Entry, report: &mut Diagnostics| condition_of(entry, kind, unit, report);
    let flag = |key: &str, report: &mut Diagnostics| keys.read(key, report, walk::boolean).is_some_and(|at| at.value);
    let width = |entry: &Entry, report: &mut Diagnostics| walk::integer(entry, report, 3, 200);
    let wide = flag("wide", report);
    let holds = keys.read("holds", report, |entry, report| holds(entry, kind, report)).map(|at| at.value);
    Some(ViewColumn {
        name: name.to_owned(),
        title: keys.read("title", report, walk::filled).map_or_else(|| ViewColumn::heading(name), |at| at.value),
        about: keys.read("about", report, walk::filled).map(|at| at.value).unwrap_or_default(),
        unit,
        kind,
        source,
        hidden: flag("hidden", report),
        warning: keys.read("warning", report, condition).map(|at| at.value),
        critical: keys.read("critical", report, condition).map(|at| at.value),
        bar: keys.read("bar", report, |entry, report| bar(entry, others, report)).map(|at| at.value),
        total: keys.read("total", report, total).map(|at| at.value),
        group: flag("group", report),
        wide,
        encoding: keys.read("encoding", report, walk::filled).map(|at| at.value),
        once: keys.read("once", report, by_server).map(|at| at.value),
        unusual: flag("unusual", report),
        // In doubt a long text is a statement.
        holds: holds.or_else(|| Some(Holds::Statement).filter(|_| wide && kind == CellKind::Text)),
        width: keys.read("width", report, width).map(|at| at.value as u16),
    })
}

fn holds(entry: &Entry, kind: CellKind, report: &mut Diagnostics) -> Option<Holds> {
    if kind != CellKind::Text {
        report.problem(entry.position, "holds: only a column of type text has it");
    }
    walk::one_of(entry, report, &Holds::ALL, Holds::as_str)
}

/// Reports missing keys of a column, and keys that it must not have.
fn check_keys(entry: &Entry, keys: Section<'_>, derived: Option<&Entry>, report: &mut Diagnostics) {
    let name = entry.key.as_str();
    for (needed, is_needed) in [("type", derived.is_none()), ("about", true)] {
        if is_needed && keys.get(needed).is_none() {
            report.problem(entry.position, format!("column {name}: {needed} is missing"));
        }
    }
    for unwanted in ["sql", "type"] {
        if let (Some(derived), Some(unwanted)) = (derived, keys.get(unwanted)) {
            let message = format!("column {name}: {} is not allowed with {}", unwanted.key, derived.key);
            report.problem(unwanted.position, message);
        }
    }
}

fn derived_source(derived: &Entry, keys: Section<'_>, others: &Others<'_>, report: &mut Diagnostics) -> Option<Source> {
    let otherwise = keys.read("else_of", report, |entry, report| others.counter(entry, report)).map(|at| at.value);
    Some(match derived.key.as_str() {
        "trend_of" => Source::Trend { of: others.all.column_of(derived, report)? },
        "unchanged_of" => Source::Unchanged { of: others.counter(derived, report)? },
        "until_zero_of" => Source::Until { of: others.counter(derived, report)? },
        "age_of" => Source::Age { of: others.counter(derived, report)?, otherwise },
        "behind_of" => Source::Behind { of: others.counter(derived, report)? },
        "lag" => Source::Lag(walk::one_of(derived, report, &LagPart::ALL, LagPart::as_str)?),
        _ => Source::Rate { of: others.counter(derived, report)? },
    })
}

/// The type of a column and the unit of its values.
fn kind_and_unit(
    entry: &Entry,
    keys: Section<'_>,
    source: &Source,
    report: &mut Diagnostics,
) -> (CellKind, Option<Unit>) {
    let kind = |entry: &Entry, report: &mut Diagnostics| walk::one_of(entry, report, &CellKind::ALL, CellKind::as_str);
    let kind = match source {
        Source::Sql { .. } => keys.read("type", report, kind).map(|at| at.value),
        Source::Lag(LagPart::Why) => Some(CellKind::Text),
        Source::Lag(LagPart::Bytes) | Source::Behind { .. } => Some(CellKind::Int8),
        _ => Some(CellKind::Float8),
    };
    let unit = keys
        .read("unit", report, |entry, report| walk::one_of(entry, report, &Unit::ALL, Unit::as_str))
        .map(|at| at.value)
        .or(if kind == Some(CellKind::Time) { Some(Unit::Time) } else { None });
    if kind == Some(CellKind::Interval) && !matches!(unit, Some(Unit::Ms | Unit::Seconds)) {
        let message = format!("column {}: the unit of an interval must be ms or s", entry.key);
        report.problem(entry.position, message);
    }
    // A column whose type is wrong keeps its place: later keys find the columns after it by their number.
    (kind.unwrap_or(CellKind::Text), unit)
}

fn total(entry: &Entry, report: &mut Diagnostics) -> Option<Total> {
    let totals = [Total::Sum, Total::Max, Total::Once(Copies::Database), Total::Once(Copies::Cluster)];
    walk::one_of(entry, report, &totals, |total| match total {
        Total::Sum => "sum",
        Total::Max => "max",
        Total::Once(Copies::Database) => "once_a_database",
        Total::Once(Copies::Cluster) => "once_a_cluster",
    })
}

fn condition_of(entry: &Entry, kind: CellKind, unit: Option<Unit>, report: &mut Diagnostics) -> Option<Condition> {
    let text = walk::filled(entry, report)?;
    let condition = condition::parse(&text, kind, unit);
    if condition.is_none() {
        let needs = if kind.is_number() { " on a number" } else { "" };
        report.problem(
            entry.value.position,
            format!("{}: this is not a condition{needs}: {}", entry.key, condition::FORMS),
        );
    }
    condition
}

/// A number, or the name of a column.
fn bar(entry: &Entry, others: &Others<'_>, report: &mut Diagnostics) -> Option<Bar> {
    let text = walk::filled(entry, report)?;
    match text.trim().parse() {
        Ok(number) => Some(Bar::Of(number)),
        Err(_) => others.all.find(entry, text.trim(), report).map(Bar::OfColumn),
    }
}

/// A text, or a map of texts by version and role.
pub(super) fn by_server(entry: &Entry, report: &mut Diagnostics) -> Option<ByServer> {
    let Value::Map(entries) = &entry.value.value else {
        return walk::filled(entry, report).map(|text| ByServer::same(text.trim()));
    };
    let variants = entries.iter().map(|variant| {
        let condition = variant_key(&variant.key);
        if condition.is_none() {
            let message = format!(
                "{}: a key here must be a version, primary, standby or both, as in 13, \"1.8\" or 14 standby",
                entry.key
            );
            report.problem(variant.position, message);
        }
        let text = walk::filled(variant, report)?;
        let (since, role) = condition?;
        Some(Variant { since, role, text: text.trim().to_owned() })
    });
    let variants: Vec<Option<Variant>> = variants.collect();
    variants.into_iter().collect::<Option<Vec<Variant>>>().map(ByServer)
}

fn variant_key(key: &str) -> Option<(Version, Option<Role>)> {
    let (mut since, mut role) = (None, None);
    for word in key.split_whitespace() {
        match word {
            "primary" if role.is_none() => role = Some(Role::Primary),
            "standby" if role.is_none() => role = Some(Role::Standby),
            number if since.is_none() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                since = Some(Version::parse(number)?);
            }
            _ => return None,
        }
    }
    (since.is_some() || role.is_some()).then_some((since.unwrap_or(Version(0, 0)), role))
}
