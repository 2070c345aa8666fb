//! A view file, read: every problem at once, each with its place.

use std::time::Duration;

use crate::config::Diagnostic;
use crate::config::condition;
use crate::config::diagnostic::Diagnostics;
use crate::config::nearest;
use crate::config::walk::{self, Section};
use crate::config::yaml::{self, Entry, Value, Yaml};
use crate::model::Role;
use crate::model::condition::Condition;
use crate::model::view::{
    Bar, ByServer, CellKind, Copies, Hide, Source, Total, Tree, Unit, Variant, Version, View, ViewColumn, ViewScreen,
};

const KEYS: [&str; 18] = [
    "title",
    "about",
    "screen",
    "place",
    "extension",
    "rights",
    "every",
    "timeout",
    "key",
    "sort",
    "empty",
    "hide",
    "tree",
    "statement",
    "compare",
    "with",
    "from",
    "columns",
];
const COLUMN_KEYS: [&str; 17] = [
    "sql",
    "type",
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
    "until_zero_of",
    "trend_of",
];
const MS: Duration = Duration::from_millis(1);
const MINUTES: Duration = Duration::from_mins(5);
const DAY: Duration = Duration::from_hours(24);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the text of the view `name`; `file` is what messages call it.
///
/// # Errors
/// Every problem of the text, in the order of its lines.
pub fn from_text(name: &str, text: &str, file: &str) -> Result<View, Vec<Diagnostic>> {
    let mut report = Diagnostics::new(file);
    if !is_word(name) {
        let message = "a view is named after its file, in lower-case letters, digits and _: rename the file";
        report.problem(None, message);
    }
    let view = yaml::read(text, &mut report).and_then(|yaml| view(name, &yaml, &mut report));
    report.finish()?;
    view.ok_or_else(|| vec![Diagnostic::new(file, None, "this is not a view")])
}

fn view(name: &str, yaml: &Yaml, report: &mut Diagnostics) -> Option<View> {
    let keys = walk::section_of("a view", yaml, &KEYS, &[], report);
    for needed in ["title", "about", "key", "from", "columns"] {
        if keys.get(needed).is_none() {
            report.problem(yaml.position, format!("{needed} is missing"));
        }
    }
    let extension = keys.read("extension", report, walk::filled).map(|at| at.value);
    let columns = columns(keys, report);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let find = |entry: &Entry, text: &str, report: &mut Diagnostics| {
        let at = names.iter().position(|name| *name == text);
        if at.is_none() {
            report.problem(entry.value.position, no_such_column(text, &names));
        }
        at
    };
    let column_of = |entry: &Entry, report: &mut Diagnostics| {
        let text = walk::filled(entry, report)?;
        find(entry, text.trim(), report)
    };
    let key = keys.read("key", report, |entry, report| {
        let names = list(entry, report)?;
        names.iter().map(|name| find(entry, name, report)).collect::<Option<Vec<usize>>>()
    });
    let sort = keys.read("sort", report, |entry, report| {
        let text = walk::filled(entry, report)?;
        let (column, descending) = sort_of(&text).or_else(|| {
            report.problem(entry.value.position, "sort: write a column, or a column and desc");
            None
        })?;
        Some((find(entry, column, report)?, descending))
    });
    let tree = keys.read("tree", report, |entry, report| {
        let parts = walk::section(entry, &["id", "parent"], &[], report);
        let (id, parent) = (parts.read("id", report, column_of), parts.read("parent", report, column_of));
        if parts.get("id").is_none() || parts.get("parent").is_none() {
            report.problem(entry.position, "tree: write {id: column, parent: column}");
        }
        Some(Tree { id: id?.value, parent: parent?.value })
    });
    let statement = keys.read("statement", report, column_of).map(|at| at.value);
    let compare = keys.read("compare", report, column_of).map(|at| at.value);
    let hide = keys.get("hide").map(|entry| hide(entry, &columns, report)).unwrap_or_default();
    let every = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, 100 * MS, DAY);
    let timeout = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, 10 * MS, MINUTES);
    let number = |entry: &Entry, report: &mut Diagnostics| walk::integer(entry, report, 0, 1000);
    // Everything is read before anything is missed: all that is wrong is told at once.
    let mut text = |key: &str| keys.read(key, report, walk::filled).map(|at| at.value);
    let (title, about, rights, empty) = (text("title"), text("about"), text("rights"), text("empty"));
    let screen = keys.read("screen", report, screen).map(|at| at.value);
    let place = keys.read("place", report, number).map_or(100, |at| at.value);
    let every = keys.read("every", report, every).map(|at| at.value);
    let timeout = keys.read("timeout", report, timeout).map_or(TIMEOUT, |at| at.value);
    let with = keys.read("with", report, by_server).map(|at| at.value);
    let from = keys.read("from", report, by_server).map(|at| at.value);
    Some(View {
        name: name.to_owned(),
        title: title?,
        about: about?,
        screen,
        place,
        extension,
        rights,
        every,
        timeout,
        key: key?.value,
        sort: sort.map(|at| at.value),
        empty,
        hide,
        tree: tree.map(|at| at.value),
        statement,
        compare,
        with,
        from: from?,
        columns,
    })
}

/// `duration desc`
fn sort_of(text: &str) -> Option<(&str, bool)> {
    match text.trim().split_once(char::is_whitespace) {
        Some((name, "desc")) => Some((name, true)),
        Some((name, "asc")) => Some((name, false)),
        Some(_) => None,
        None => Some((text.trim(), false)),
    }
}

fn columns(keys: Section<'_>, report: &mut Diagnostics) -> Vec<ViewColumn> {
    let Some(entry) = keys.get("columns") else { return Vec::new() };
    let entries = walk::map_of("columns", &entry.value, "name: {type: ...}", report).entries();
    if entries.is_empty() && matches!(entry.value.value, Value::Map(_) | Value::Null) {
        report.problem(entry.position, "columns is empty");
    }
    let kinds: Vec<(&str, bool)> = entries.iter().map(|entry| (entry.key.as_str(), is_counter(entry))).collect();
    let mut at = 0;
    entries.iter().filter_map(|entry| column(entry, &kinds, &mut at, report)).collect()
}

/// What a column is made of instead of an expression: the key that says of which other column.
const DERIVED: [&str; 3] = ["rate_of", "until_zero_of", "trend_of"];

/// Whether a rate can be taken of it: it comes from the server.
fn is_counter(entry: &Entry) -> bool {
    matches!(&entry.value.value, Value::Map(keys) if keys.iter().all(|key| !DERIVED.contains(&key.key.as_str())))
}

fn column(entry: &Entry, all: &[(&str, bool)], at: &mut usize, report: &mut Diagnostics) -> Option<ViewColumn> {
    let name = entry.key.as_str();
    if !is_word(name) {
        report
            .problem(entry.position, format!("column {name:?}: a name may have lower-case letters, digits and _ only"));
    }
    let keys = walk::section(entry, &COLUMN_KEYS, &[], report);
    let derived = DERIVED.iter().find_map(|key| keys.get(key));
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
    let source = match derived.map(|derived| (derived, derived.key.as_str())) {
        Some((derived, "trend_of")) => Source::Trend { of: figure(derived, all, report)? },
        Some((derived, "until_zero_of")) => Source::Until { of: counter(derived, all, report)? },
        Some((derived, _)) => Source::Rate { of: counter(derived, all, report)? },
        None => {
            let sql = keys.read("sql", report, by_server).map_or_else(|| ByServer::same(name), |at| at.value);
            *at += 1;
            Source::Sql { sql, at: *at - 1 }
        }
    };
    let kind = match derived {
        Some(_) => Some(CellKind::Float8),
        None => keys
            .read("type", report, |entry, report| one_of(entry, report, &CellKind::ALL, CellKind::as_str))
            .map(|at| at.value),
    };
    let unit = keys
        .read("unit", report, |entry, report| one_of(entry, report, &Unit::ALL, Unit::as_str))
        .map(|at| at.value)
        .or(if kind == Some(CellKind::Time) { Some(Unit::Time) } else { None });
    if kind == Some(CellKind::Interval) && !matches!(unit, Some(Unit::Ms | Unit::Seconds)) {
        report.problem(entry.position, format!("column {name}: the unit of an interval must be ms or s"));
    }
    // A place has to be kept for a column whose type is wrong: the names after it are looked for by number.
    let kind = kind.unwrap_or(CellKind::Text);
    let condition = |entry: &Entry, report: &mut Diagnostics| condition_of(entry, kind, unit, report);
    let flag = |key: &str, report: &mut Diagnostics| keys.read(key, report, walk::boolean).is_some_and(|at| at.value);
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
        bar: keys.read("bar", report, |entry, report| bar(entry, all, report)).map(|at| at.value),
        total: keys
            .read("total", report, |entry, report| {
                let totals = [Total::Sum, Total::Max, Total::Once(Copies::Database), Total::Once(Copies::Cluster)];
                one_of(entry, report, &totals, |total| match total {
                    Total::Sum => "sum",
                    Total::Max => "max",
                    Total::Once(Copies::Database) => "once_a_database",
                    Total::Once(Copies::Cluster) => "once_a_cluster",
                })
            })
            .map(|at| at.value),
        group: flag("group", report),
        wide: flag("wide", report),
        unusual: flag("unusual", report),
        width: keys
            .read("width", report, |entry, report| walk::integer(entry, report, 3, 200))
            .map(|at| at.value as u16),
    })
}

/// The column that a rate is taken of.
fn counter(entry: &Entry, all: &[(&str, bool)], report: &mut Diagnostics) -> Option<usize> {
    let text = walk::filled(entry, report)?;
    let at = all.iter().position(|(name, counter)| *name == text.trim() && *counter);
    if at.is_none() {
        let counters: Vec<&str> = all.iter().filter(|(_, counter)| *counter).map(|(name, _)| *name).collect();
        report.problem(entry.value.position, no_such_column(text.trim(), &counters));
    }
    at
}

/// The column whose trend is drawn.
fn figure(entry: &Entry, all: &[(&str, bool)], report: &mut Diagnostics) -> Option<usize> {
    let text = walk::filled(entry, report)?;
    let at = all.iter().position(|(name, _)| *name == text.trim());
    if at.is_none() {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        report.problem(entry.value.position, no_such_column(text.trim(), &names));
    }
    at
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn no_such_column(text: &str, names: &[&str]) -> String {
    let meant = nearest(text, names.iter().copied()).map(|near| format!(": did you mean {near}?"));
    let listed = || format!(": the columns are {}", names.join(", "));
    format!("there is no column {text:?}{}", meant.unwrap_or_else(listed))
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

fn bar(entry: &Entry, all: &[(&str, bool)], report: &mut Diagnostics) -> Option<Bar> {
    let text = walk::filled(entry, report)?;
    if let Ok(number) = text.trim().parse::<f64>() {
        return Some(Bar::Of(number));
    }
    let at = all.iter().position(|(name, _)| *name == text.trim());
    if at.is_none() {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        report.problem(entry.value.position, no_such_column(text.trim(), &names));
    }
    at.map(Bar::OfColumn)
}

/// `{word: column = value}`
fn hide(entry: &Entry, columns: &[ViewColumn], report: &mut Diagnostics) -> Vec<Hide> {
    let read = |entry: &Entry, report: &mut Diagnostics| {
        let text = walk::filled(entry, report)?;
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        let Some(column) = columns.iter().position(|column| column.name == name) else {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            report.problem(entry.value.position, no_such_column(name, &names));
            return None;
        };
        let of = columns.get(column)?;
        let Some(condition) = condition::parse(rest, of.kind, of.unit) else {
            let message = format!("hide: this is not a condition on {name}: {}", condition::FORMS);
            report.problem(entry.value.position, message);
            return None;
        };
        Some(Hide { word: entry.key.clone(), column, condition })
    };
    let entries = walk::map_of("hide", &entry.value, "word: \"column = value\"", report).entries();
    entries.iter().filter_map(|entry| read(entry, report)).collect()
}

fn screen(entry: &Entry, report: &mut Diagnostics) -> Option<ViewScreen> {
    one_of(entry, report, &ViewScreen::ALL, ViewScreen::as_str)
}

fn one_of<T: Copy>(entry: &Entry, report: &mut Diagnostics, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
    let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    walk::parsed(entry, report, &format!("is not one of {}", words.join(", ")), |text| {
        all.iter().copied().find(|one| word(*one) == text)
    })
}

/// A list of words.
fn list(entry: &Entry, report: &mut Diagnostics) -> Option<Vec<String>> {
    match &entry.value.value {
        Value::List(items) => items.iter().map(|item| walk::text_of(&entry.key, item, report)).collect(),
        Value::Broken => None,
        _ => {
            report.problem(entry.value.position, format!("{}: write a list of columns: [pid]", entry.key));
            None
        }
    }
}

/// A text, or a map of texts by version and role.
fn by_server(entry: &Entry, report: &mut Diagnostics) -> Option<ByServer> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RIGHT: &str = "title: T\nabout: a\nscreen: io\nevery: 10s\nkey: [id]\nsort: n desc\n\
        hide: {idle: state = idle}\ntree: {id: id, parent: by}\nextension: e\n\
        with: {10: 'x as (select 1)', 14 standby: y}\nfrom: t\ncolumns:\n  id: {type: int4, about: x}\n  \
        by: {sql: {\"1.10\": a}, type: 'int4[]', about: x}\n  state: {type: text, about: x, wide: true}\n  \
        n: {type: int8, unit: bytes, about: x, warning: '>1GB', bar: 100}\n  \
        rate: {rate_of: n, unit: bytes/s, about: x, total: sum}\n";

    #[test]
    fn a_right_view() {
        let view = from_text("t", RIGHT, "t.yaml").unwrap();
        assert_eq!((view.screen, view.every, view.place), (Some(ViewScreen::Io), Some(Duration::from_secs(10)), 100));
        assert_eq!((view.key.as_slice(), view.sort), (&[0][..], Some((3, true))));
        assert_eq!(view.tree, Some(Tree { id: 0, parent: 1 }));
        assert_eq!(view.hide[0].column, 2);
        assert_eq!(view.columns[4].source, Source::Rate { of: 3 });
        assert_eq!(view.columns[1].title, "BY");
        assert_eq!(view.asked().count(), 4);
        let ByServer(with) = view.with.unwrap();
        assert_eq!((with[1].since, with[1].role), (Version(14, 0), Some(Role::Standby)));
    }

    fn problems(text: &str) -> Vec<String> {
        from_text("t", text, "t.yaml").unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let told = problems(
            "titel: T\nabout: a\nkey: [ide]\nfrom: {x: t}\nsort: n down\nscreen: disk\ncolumns:\n  id: {type: int, about: x}\n  \
             n: {type: int8, unit: byte, about: x, warning: 1GB}\n  r: {rate_of: m, type: int4, about: x}\n  \
             T: {type: interval, about: x}\n",
        );
        assert_eq!(
            told,
            [
                "t.yaml:1:1: title is missing",
                "t.yaml:1:1: unknown key \"titel\": did you mean title?",
                "t.yaml:3:6: there is no column \"ide\": did you mean id?",
                "t.yaml:4:8: from: a key here must be a version, primary, standby or both, as in 13, \"1.8\" or 14 standby",
                "t.yaml:5:7: sort: write a column, or a column and desc",
                "t.yaml:6:9: screen: this is not one of activity, locks, replication, statements, tables, io",
                "t.yaml:8:14: type: this is not one of bool, int4, int8, float8, numeric, text, pg_lsn, timestamptz, interval, int4[]",
                "t.yaml:9:25: unit: this is not one of ms, s, bytes, bytes/s, /s, percent, lsn, time",
                "t.yaml:9:50: warning: this is not a condition on a number: write one of = != > >= < <= and a value, as in \">30s\", \
                 \">=90\" or \"= lost\"",
                "t.yaml:10:16: there is no column \"m\": the columns are id, n, T",
                "t.yaml:10:19: column r: type is not allowed with rate_of",
                "t.yaml:11:3: column \"T\": a name may have lower-case letters, digits and _ only",
                "t.yaml:11:3: column T: the unit of an interval must be ms or s",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_file_panics(cut in 0..RIGHT.len(), with in "[a-z:{}\\[\\] \\n]{0,8}", skip in 0..20_usize) {
            let (before, rest) = RIGHT.split_at(cut);
            let text = format!("{before}{with}{}", rest.get(skip..).unwrap_or_default());
            let _ = from_text("t", &text, "t.yaml");
        }
    }
}
