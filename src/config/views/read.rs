//! Reads a view file: reports all problems at once, each with its place.

use std::time::Duration;

use super::column::{Names, by_server, columns};
use crate::config::condition;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::walk;
use crate::config::yaml::{self, Entry, Value, Yaml};
use crate::model::Condition;
use crate::model::view::{Hide, Holds, RowEvents, RowKind, Tree, View, ViewColumn, ViewScreen};

const KEYS: [&str; 22] = [
    "title",
    "about",
    "screen",
    "place",
    "extension",
    "rights",
    "every",
    "timeout",
    "needs_waiting",
    "key",
    "sort",
    "empty",
    "own",
    "unread",
    "hide",
    "tree",
    "statement",
    "events",
    "compare",
    "with",
    "from",
    "columns",
];
const MS: Duration = Duration::from_millis(1);
const MINUTES: Duration = Duration::from_mins(5);
const DAY: Duration = Duration::from_hours(24);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the text of the view `name`; messages call it `file`.
///
/// # Errors
/// All problems of the text, in the order of its lines.
pub fn from_text(name: &str, text: &str, file: &str) -> Result<View, Vec<Diagnostic>> {
    let mut report = Diagnostics::new(file);
    if !walk::is_word(name) {
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
    // Everything is read before the first `?`, so that all problems are reported at once.
    let extension = keys.read("extension", report, walk::filled).map(|at| at.value);
    let mut columns = columns(keys, report);
    let all: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let names = Names::of(all.iter().map(String::as_str));
    let column_of = |entry: &Entry, report: &mut Diagnostics| names.column_of(entry, report);
    let key = keys.read("key", report, |entry, report| key(entry, &names, report));
    let sort = keys.read("sort", report, |entry, report| sort(entry, &names, report));
    let tree = keys.read("tree", report, |entry, report| tree(entry, &names, report));
    let statement = keys.read("statement", report, column_of).map(|at| at.value);
    let compare = keys.read("compare", report, column_of).map(|at| at.value);
    let own = keys.read("own", report, column_of).map(|at| at.value);
    let unread = keys.read("unread", report, column_of).map(|at| at.value);
    // Whatever EXPLAIN is to be used on is a statement.
    if let Some(column) = statement.and_then(|at| columns.get_mut(at)) {
        column.holds.get_or_insert(Holds::Statement);
    }
    let hide = keys.get("hide").map(|entry| hide(entry, &columns, &names, report)).unwrap_or_default();
    let events = keys.read("events", report, |entry, report| events(entry, &columns, &names, report));
    let every = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, 100 * MS, DAY);
    let timeout = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, 10 * MS, MINUTES);
    let place = |entry: &Entry, report: &mut Diagnostics| walk::integer(entry, report, 0, 1000);
    let mut text = |key: &str| keys.read(key, report, walk::filled).map(|at| at.value);
    let (title, about, rights, empty) = (text("title"), text("about"), text("rights"), text("empty"));
    let screen = keys.read("screen", report, screen).map(|at| at.value);
    let place = keys.read("place", report, place).map_or(100, |at| at.value);
    let every = keys.read("every", report, every).map(|at| at.value);
    let timeout = keys.read("timeout", report, timeout).map_or(TIMEOUT, |at| at.value);
    let needs_waiting = keys.read("needs_waiting", report, walk::boolean).is_some_and(|at| at.value);
    let with = keys.read("with", report, by_server).map(|at| at.value);
    let from = keys.read("from", report, by_server).map(|at| at.value);
    Some(View {
        screen,
        place,
        extension,
        rights,
        every,
        timeout,
        needs_waiting,
        key: key?.value,
        sort: sort.map(|at| at.value),
        empty,
        own,
        unread,
        hide,
        tree: tree.map(|at| at.value),
        statement,
        events: events.map(|at| at.value),
        compare,
        with,
        title: title?,
        about: about?,
        ..View::new(name, from?, columns)
    })
}

/// `[database, pid]`
fn key(entry: &Entry, names: &Names<'_>, report: &mut Diagnostics) -> Option<Vec<usize>> {
    let words = list(entry, report)?;
    words.iter().map(|word| names.find(entry, word, report)).collect()
}

/// `duration` or `duration desc`: the column, and true for descending.
fn sort(entry: &Entry, names: &Names<'_>, report: &mut Diagnostics) -> Option<(usize, bool)> {
    let text = walk::filled(entry, report)?;
    let (column, descending) = match text.trim().split_once(char::is_whitespace) {
        Some((column, "desc")) => (column, true),
        Some((column, "asc")) => (column, false),
        Some(_) => {
            report.problem(entry.value.position, "sort: write a column, or a column and desc");
            return None;
        }
        None => (text.trim(), false),
    };
    Some((names.find(entry, column, report)?, descending))
}

/// `{id: column, parent: column}`
fn tree(entry: &Entry, names: &Names<'_>, report: &mut Diagnostics) -> Option<Tree> {
    let parts = walk::section(entry, &["id", "parent"], &[], report);
    let column_of = |entry: &Entry, report: &mut Diagnostics| names.column_of(entry, report);
    let (id, parent) = (parts.read("id", report, column_of), parts.read("parent", report, column_of));
    if parts.get("id").is_none() || parts.get("parent").is_none() {
        report.problem(entry.position, "tree: write {id: column, parent: column}");
    }
    Some(Tree { id: id?.value, parent: parent?.value })
}

/// `{of: slot, name: [slot], only: column = value}`
fn events(entry: &Entry, columns: &[ViewColumn], names: &Names<'_>, report: &mut Diagnostics) -> Option<RowEvents> {
    let parts = walk::section(entry, &["of", "name", "only", "disabled", "failing", "errors"], &[], report);
    let of = |entry: &Entry, report: &mut Diagnostics| walk::one_of(entry, report, &RowKind::ALL, RowKind::as_str);
    let of = parts.read("of", report, of);
    let name = parts.read("name", report, |entry, report| key(entry, names, report));
    let errors = parts.read("errors", report, |entry, report| key(entry, names, report));
    let mut condition = |name: &str| {
        parts.read(name, report, |entry, report| on_column("events", entry, columns, names, report)).map(|at| at.value)
    };
    let (only, disabled, failing) = (condition("only"), condition("disabled"), condition("failing"));
    if parts.get("of").is_none() || parts.get("name").is_none() {
        report.problem(entry.position, "events: write {of: table, name: [column, column]}");
    }
    let errors = errors.map(|at| at.value).unwrap_or_default();
    Some(RowEvents { of: of?.value, name: name?.value, only, disabled, failing, errors })
}

/// `column = value`
fn on_column(
    what: &str,
    entry: &Entry,
    columns: &[ViewColumn],
    names: &Names<'_>,
    report: &mut Diagnostics,
) -> Option<(usize, Condition)> {
    let text = walk::filled(entry, report)?;
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let column = names.find(entry, name, report)?;
    let of = columns.get(column)?;
    let Some(condition) = condition::parse(rest, of.kind, of.unit) else {
        let message = format!("{what}: this is not a condition on {name}: {}", condition::FORMS);
        report.problem(entry.value.position, message);
        return None;
    };
    Some((column, condition))
}

/// `{word: column = value}`
fn hide(entry: &Entry, columns: &[ViewColumn], names: &Names<'_>, report: &mut Diagnostics) -> Vec<Hide> {
    let read = |entry: &Entry, report: &mut Diagnostics| {
        let (column, condition) = on_column("hide", entry, columns, names, report)?;
        Some(Hide { word: entry.key.clone(), column, condition })
    };
    let entries = walk::map_of("hide", &entry.value, "word: \"column = value\"", report).entries();
    entries.iter().filter_map(|entry| read(entry, report)).collect()
}

fn screen(entry: &Entry, report: &mut Diagnostics) -> Option<ViewScreen> {
    walk::one_of(entry, report, &ViewScreen::ALL, ViewScreen::as_str)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Role;
    use crate::model::view::{ByServer, Source, Version};

    const RIGHT: &str = "title: T\nabout: a\nscreen: io\nevery: 10s\nkey: [id]\nsort: n desc\n\
        hide: {idle: state = idle}\ntree: {id: id, parent: by}\nextension: e\n\
        with: {10: 'x as (select 1)', 14 standby: y}\nfrom: t\ncolumns:\n  id: {type: int4, about: x}\n  \
        by: {sql: {\"1.10\": a}, type: 'int4[]', about: x}\n  state: {type: text, about: x, wide: true}\n  \
        n: {type: int8, unit: bytes, about: x, warning: '>1GB', bar: 100}\n  \
        rate: {rate_of: n, unit: bytes/s, about: x, total: sum}\n";

    #[test]
    fn a_valid_view_is_read() {
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
    fn every_fault_is_reported_with_its_place() {
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
