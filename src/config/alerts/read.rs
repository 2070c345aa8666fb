//! Reads a rule file: reports all problems at once, each with its place.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Diagnostic;
use crate::config::condition;
use crate::config::diagnostic::Diagnostics;
use crate::config::nearest;
use crate::config::views::Views;
use crate::config::walk::{self, Section};
use crate::config::yaml::{self, Entry, Yaml};
use crate::model::alert::{Check, Limits, Part, Rule, Sentence, Threshold, facts};
use crate::model::view::{CellKind, Copies, Unit, ViewColumn};
use crate::model::{Condition, View};

const KEYS: [&str; 15] = [
    "title",
    "view",
    "column",
    "shape",
    "warning",
    "critical",
    "threshold",
    "where",
    "once",
    "for",
    "every",
    "says",
    "remedy",
    "about",
    "off",
];
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Reads the text of the rule `name` on these views; messages call it `file`. `None` if the rule is off.
///
/// # Errors
/// All problems of the text, in the order of its lines.
pub fn from_text(name: &str, text: &str, file: &str, views: &Views) -> Result<Option<Rule>, Vec<Diagnostic>> {
    let mut report = Diagnostics::new(file);
    if !walk::is_word(name) {
        let message = "a rule is named after its file, in lower-case letters, digits and _: rename the file";
        report.problem(None, message);
    }
    let yaml = yaml::read(text, &mut report);
    let keys = yaml.as_ref().map(|yaml| walk::section_of("a rule", yaml, &KEYS, &[], &mut report)).unwrap_or_default();
    let off = keys.read("off", &mut report, walk::boolean).is_some_and(|at| at.value);
    let rule = yaml.as_ref().filter(|_| !off).and_then(|yaml| rule(name, keys, yaml, views, &mut report));
    report.finish()?;
    match rule {
        None if !off => Err(vec![Diagnostic::new(file, None, "this is not a rule")]),
        rule => Ok(rule),
    }
}

fn rule(name: &str, keys: Section<'_>, yaml: &Yaml, views: &Views, report: &mut Diagnostics) -> Option<Rule> {
    let shape = keys.read("shape", report, walk::boolean).is_some_and(|at| at.value);
    let needed: &[&str] = if shape { &["title", "view"] } else { &["title", "view", "column", "says"] };
    for needed in needed {
        if keys.get(needed).is_none() {
            report.problem(yaml.position, format!("{needed} is missing"));
        }
    }
    let view = keys.read("view", report, |entry, report| view(entry, views, report)).map(|at| at.value);
    let on = view.as_deref();
    let check = if shape { shape_of(keys, on, report) } else { column_check(keys, yaml, on, report) };
    let filter = filter(keys, on, report);
    let once = keys.read("once", report, copies).map(|at| at.value);
    let lasting = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, Duration::ZERO, DAY);
    let every = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, SECOND, DAY);
    // Everything is read before the first `?`, so that all problems are reported at once.
    let mut text = |key: &str| keys.read(key, report, walk::filled).map(|at| at.value);
    let (title, remedy, _about) = (text("title"), text("remedy"), text("about"));
    let lasting = keys.read("for", report, lasting).map_or(Duration::ZERO, |at| at.value);
    let every = keys.read("every", report, every).map_or(MINUTE, |at| at.value);
    let says = keys.read("says", report, |entry, report| sentence(entry, on, report)).map(|at| at.value);
    Some(Rule {
        name: name.to_owned(),
        title: title?,
        view: view?,
        check: check?,
        filter: filter?,
        once,
        lasting,
        every,
        says: if shape { says.unwrap_or(Sentence(Vec::new())) } else { says? },
        remedy,
    })
}

fn view(entry: &Entry, views: &Views, report: &mut Diagnostics) -> Option<Arc<View>> {
    let name = walk::filled(entry, report)?;
    let name = name.trim();
    if name == facts::NAME {
        return Some(Arc::clone(facts::view()));
    }
    let found = views.get(name).cloned();
    if found.is_none() {
        let names = views.keys().map(String::as_str).chain([facts::NAME]);
        let meant = nearest(name, names).map(|near| format!(": did you mean {near}?"));
        let meant = meant.unwrap_or_else(|| ": pgwatch view --list shows all views".to_owned());
        report.problem(entry.value.position, format!("there is no view {name:?}{meant}"));
    }
    found
}

/// The column of that name; `None` without a message if the view is not known.
fn column<'v>(
    entry: &Entry,
    name: &str,
    view: Option<&'v View>,
    report: &mut Diagnostics,
) -> Option<(usize, &'v ViewColumn)> {
    let view = view?;
    let Some(at) = view.column(name) else {
        let names: Vec<&str> = view.columns.iter().map(|column| column.name.as_str()).collect();
        let meant = nearest(name, names.iter().copied()).map(|near| format!(": did you mean {near}?"));
        let listed = || format!(": the columns of {} are {}", view.name, names.join(", "));
        let message = format!("there is no column {name:?}{}", meant.unwrap_or_else(listed));
        report.problem(entry.value.position, message);
        return None;
    };
    Some((at, view.columns.get(at)?))
}

/// Only the topology view tells the shape of the cluster.
fn shape_of(keys: Section<'_>, view: Option<&View>, report: &mut Diagnostics) -> Option<Check> {
    for unwanted in ["column", "warning", "critical", "threshold", "where", "says"] {
        if let Some(entry) = keys.get(unwanted) {
            report.problem(entry.position, format!("{unwanted}: not allowed with shape: true"));
        }
    }
    let view = view?;
    if view.name != "topology" {
        let position = keys.get("view").map(|entry| entry.value.position);
        report.problem(position, "shape: needs the view topology");
    }
    Some(Check::Shape)
}

fn column_check(keys: Section<'_>, yaml: &Yaml, view: Option<&View>, report: &mut Diagnostics) -> Option<Check> {
    let checked = keys.read("column", report, |entry, report| {
        let name = walk::filled(entry, report)?;
        column(entry, name.trim(), view, report)
    });
    let checked = checked.map(|at| at.value);
    let threshold =
        keys.read("threshold", report, |entry, report| walk::one_of(entry, report, &Threshold::ALL, Threshold::as_str));
    if keys.get("threshold").is_some() {
        for unwanted in ["warning", "critical"] {
            if let Some(entry) = keys.get(unwanted) {
                report.problem(entry.position, format!("{unwanted}: not allowed together with threshold"));
            }
        }
        let (threshold, (column, of)) = (threshold?, checked?);
        if !fits(threshold.value, of) {
            let message = format!("threshold: {} does not apply to column {}", threshold.value.as_str(), of.name);
            report.problem(threshold.position, message);
        }
        return Some(Check::Column { column, limits: Limits::OfFile(threshold.value) });
    }
    if keys.get("warning").is_none() && keys.get("critical").is_none() {
        report.problem(yaml.position, "one of warning, critical and threshold is required");
    }
    let mut limit = |key: &str| {
        let of = checked.map(|(_, of)| of);
        keys.read(key, report, |entry, report| condition_of(entry, of?, report)).map(|at| at.value)
    };
    let (warning, critical) = (limit("warning"), limit("critical"));
    Some(Check::Column { column: checked?.0, limits: Limits::Own { warning, critical } })
}

/// True if a limit of the configuration file has the unit of a column.
fn fits(threshold: Threshold, column: &ViewColumn) -> bool {
    let unit = match threshold {
        Threshold::ReplicationLag => Unit::Ms,
        Threshold::SlotRetention => Unit::Bytes,
        Threshold::ConflictRate => Unit::PerSecond,
    };
    column.kind.is_number() && column.unit == Some(unit)
}

fn copies(entry: &Entry, report: &mut Diagnostics) -> Option<Copies> {
    let text = walk::filled(entry, report)?;
    let found = match text.trim() {
        "a_database" => Some(Copies::Database),
        "a_cluster" => Some(Copies::Cluster),
        _ => None,
    };
    if found.is_none() {
        report.problem(entry.value.position, "once: this is not one of a_database, a_cluster");
    }
    found
}

fn condition_of(entry: &Entry, column: &ViewColumn, report: &mut Diagnostics) -> Option<Condition> {
    let text = walk::filled(entry, report)?;
    let found = condition::parse(&text, column.kind, column.unit);
    if found.is_none() {
        let needs = if column.kind.is_number() { " on a number" } else { "" };
        let message = format!("{}: this is not a condition{needs}: {}", entry.key, condition::FORMS);
        report.problem(entry.value.position, message);
    } else if column.kind == CellKind::Time {
        report.problem(entry.value.position, format!("{}: a timestamp cannot be compared", entry.key));
    }
    found
}

/// `{column: condition}`
fn filter(keys: Section<'_>, view: Option<&View>, report: &mut Diagnostics) -> Option<Vec<(usize, Condition)>> {
    let Some(entry) = keys.get("where") else { return Some(Vec::new()) };
    let entries = walk::map_of("where", &entry.value, "column: \"= value\"", report).entries();
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        // All are read, so that all problems are reported at once.
        let read = column(entry, &entry.key, view, report)
            .and_then(|(at, column)| Some((at, condition_of(entry, column, report)?)));
        found.push(read);
    }
    found.into_iter().collect()
}

/// `slot {slot} holds back {retained_bytes}`
fn sentence(entry: &Entry, view: Option<&View>, report: &mut Diagnostics) -> Option<Sentence> {
    let text = walk::filled(entry, report)?;
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            report.problem(entry.value.position, "says: a { is not closed by }");
            return None;
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        // A problem here does not end the loop.
        parts.extend(column(entry, name.trim(), view, report).map(|(at, _)| Part::Column(at)));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(Sentence(parts))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::views;
    use crate::model::condition::{Op, Operand};

    const RIGHT: &str = "title: T\nabout: x\nview: activity\ncolumn: duration_ms\nwarning: '>5m'\ncritical: '>1h'\n\
        where: {state: '!= active'}\nfor: 10s\nevery: 30s\nsays: 'session {pid} of {user}: {duration_ms}'\nremedy: R\n";

    fn read(text: &str) -> Result<Option<Rule>, Vec<Diagnostic>> {
        from_text("r", text, "r.yaml", views::ours())
    }

    #[test]
    fn a_valid_rule_is_read() {
        let rule = read(RIGHT).unwrap().unwrap();
        assert_eq!((rule.lasting, rule.every), (Duration::from_secs(10), Duration::from_secs(30)));
        let Check::Column { column, limits: Limits::Own { warning: Some(warning), .. } } = &rule.check else {
            panic!("{rule:?}")
        };
        assert_eq!(rule.view.columns[*column].name, "duration_ms");
        assert_eq!(*warning, Condition { op: Op::Greater, operand: Operand::Number(300_000.0) });
        assert_eq!(rule.filter.len(), 1);
        assert_eq!((rule.says.0.len(), rule.remedy.as_deref()), (6, Some("R")));
        let of_file = "title: T\nview: facts\ncolumn: replay_lag_ms\nthreshold: replication_lag\nsays: x\n";
        let rule = read(of_file).unwrap().unwrap();
        assert!(!rule.asks() && rule.every == MINUTE);
        assert_eq!(read("off: true\ntitle: [what, ever]\n").unwrap(), None);
        assert!(read("title: T\nview: topology\nshape: true\n").unwrap().unwrap().check == Check::Shape);
    }

    #[test]
    fn every_fault_is_reported_with_its_place() {
        let problems = |text: &str| read(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            problems(
                "titel: T\nview: activity\ncolumn: duration\nwarning: 5m\nwhere: {pid: = x, stat: = idle}\nfor: 2d\n\
                 every: 10ms\nsays: '{usr} {pid'\n"
            ),
            [
                "r.yaml:1:1: title is missing",
                "r.yaml:1:1: unknown key \"titel\": did you mean title?",
                "r.yaml:3:9: there is no column \"duration\": did you mean duration_ms?",
                "r.yaml:5:14: where: this is not a condition on a number: write one of = != > >= < <= and a value, as in \">30s\", \
                 \">=90\" or \"= lost\"",
                "r.yaml:5:25: there is no column \"stat\": did you mean state?",
                "r.yaml:6:6: for: 48h is out of range: 0s to 24h is allowed",
                "r.yaml:7:8: every: 10ms is out of range: 1s to 24h is allowed",
                "r.yaml:8:7: says: a { is not closed by }",
                "r.yaml:8:7: there is no column \"usr\": did you mean user?",
            ]
            .map(|said| said.replace("where: this", "pid: this"))
        );
        assert_eq!(
            problems("title: T\nview: slot\ncolumn: x\nsays: '{x}'\n"),
            [
                "r.yaml:1:1: one of warning, critical and threshold is required",
                "r.yaml:2:7: there is no view \"slot\": did you mean slots?"
            ]
        );
        assert_eq!(
            problems("title: T\nview: slots\ncolumn: slot\nthreshold: slot_retention\nwarning: '>1'\nsays: x\n"),
            [
                "r.yaml:4:12: threshold: slot_retention does not apply to column slot",
                "r.yaml:5:1: warning: not allowed together with threshold",
            ]
        );
        assert_eq!(
            problems("title: T\nview: slots\ncolumn: inactive_since\nthreshold: lag\nsays: x\n"),
            ["r.yaml:4:12: threshold: this is not one of replication_lag, slot_retention, conflict_rate"]
        );
        assert_eq!(
            problems("title: T\nview: slots\nshape: true\nfor: 1s\nsays: x\n"),
            ["r.yaml:2:7: shape: needs the view topology", "r.yaml:5:1: says: not allowed with shape: true"]
        );
        assert!(problems("- 1\n")[0].starts_with("r.yaml:1:1: a rule must be a map of keys: title, view"));
    }

    #[test]
    fn a_name_is_a_word() {
        let told = from_text("My-Rule", RIGHT, "x", views::ours()).unwrap_err();
        assert!(told[0].message.contains("rename the file"), "{told:?}");
    }

    proptest! {
        #[test]
        fn no_file_panics(cut in 0..RIGHT.len(), with in "[a-z:{}\\[\\] \\n]{0,8}", skip in 0..20_usize) {
            let (before, rest) = RIGHT.split_at(cut);
            let text = format!("{before}{with}{}", rest.get(skip..).unwrap_or_default());
            let _ = read(&text);
        }
    }
}
