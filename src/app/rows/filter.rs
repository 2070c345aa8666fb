//! The filter line of every table: text or a regex. `!` in front inverts it, `column:text` searches one column,
//! `column>5s` compares. Lower case matches any case. If a filter cannot be understood, [`Filter::fault`] says why.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::config::{condition, nearest};
use crate::model::Condition;
use crate::model::view::{CellKind, Unit, ViewColumn};

/// A column that a filter may name.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// The name of the column.
    pub name: &'a str,
    /// The header on the screen, which a filter may use as well.
    pub title: &'a str,
    /// How its values are compared.
    pub kind: CellKind,
    /// The unit of its values, which a filter may write after a number.
    pub unit: Option<Unit>,
}

impl<'a> Column<'a> {
    /// A column of text, whose header is its name.
    pub const fn text(name: &'a str) -> Self {
        Self { name, title: name, kind: CellKind::Text, unit: None }
    }

    /// A column of numbers, whose header is its name.
    pub const fn number(name: &'a str, unit: Option<Unit>) -> Self {
        Self { name, title: name, kind: CellKind::Float8, unit }
    }

    /// A column of a view. A time is compared by its age, because the screen shows the age.
    pub fn of(column: &'a ViewColumn) -> Self {
        let unit = if column.unit == Some(Unit::Time) { Some(Unit::Seconds) } else { column.unit };
        Self { name: &column.name, title: &column.title, kind: column.kind, unit }
    }
}

/// The columns of one row, by their index among the columns that the filter was made with.
pub trait Fields {
    /// The visible columns: a filter that names no column searches these.
    fn seen(&self) -> impl Iterator<Item = usize>;

    /// The text of a column.
    fn text(&self, column: usize) -> Cow<'_, str>;

    /// True if the column has text that matches.
    fn says(&self, column: usize, regex: &Regex) -> bool {
        regex.is_match(&self.text(column))
    }

    /// True if the column meets a condition.
    fn meets(&self, column: usize, condition: &Condition) -> bool {
        condition.holds(Some(&self.text(column)))
    }
}

/// A line of plain text has one column, without a name.
impl Fields for str {
    fn seen(&self) -> impl Iterator<Item = usize> {
        std::iter::once(0)
    }

    fn text(&self, _: usize) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

/// A filter, and the line that it was typed as.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    source: String,
    invert: bool,
    test: Test,
    fault: Option<String>,
}

#[derive(Debug, Clone, Default)]
enum Test {
    /// Matches everything: nothing was typed yet.
    #[default]
    Any,
    /// Matches text in one column, or in all visible columns.
    Text(Option<usize>, Regex),
    Compare(usize, Condition),
}

impl Filter {
    /// The filter of a line. `columns` are those that it may name.
    pub fn new(source: &str, columns: &[Column<'_>]) -> Self {
        let trimmed = source.trim();
        let (invert, rest) = match trimmed.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, trimmed),
        };
        let (test, fault) = test(rest, columns);
        Self { source: source.to_owned(), invert, test, fault }
    }

    /// The line as it was typed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The label on a pane's frame.
    pub fn label(&self) -> String {
        let word = match (&self.fault, &self.test) {
            (Some(_), Test::Text(..)) => " as text",
            (Some(_), _) => " unreadable",
            (None, _) => "",
        };
        format!("/{}{word}", self.source.trim())
    }

    /// What is wrong with it: an unknown column, an invalid regex or an invalid value.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// True if nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.source.trim().is_empty()
    }

    /// True if it lets every row pass.
    pub fn passes_all(&self) -> bool {
        matches!(self.test, Test::Any)
    }

    /// True if `!` inverts it: what it finds is left out.
    pub(in crate::app) fn inverts(&self) -> bool {
        self.invert
    }

    /// True if a row passes.
    pub fn passes(&self, row: &(impl Fields + ?Sized)) -> bool {
        self.passes_all() || self.finds(row) != self.invert
    }

    /// True if a row matches, without regard to `!`.
    pub(in crate::app) fn finds(&self, row: &(impl Fields + ?Sized)) -> bool {
        match &self.test {
            Test::Any => true,
            Test::Text(Some(column), regex) => row.says(*column, regex),
            Test::Text(None, regex) => row.seen().any(|column| row.says(column, regex)),
            Test::Compare(column, condition) => row.meets(*column, condition),
        }
    }
}

fn test(text: &str, columns: &[Column<'_>]) -> (Test, Option<String>) {
    let Some((name, rest)) = split(text) else { return matcher(None, text) };
    let Some(at) = position(name, columns) else {
        let (whole, fault) = matcher(None, text);
        return (whole, fault.or_else(|| unknown(name, columns)));
    };
    let Some(column) = columns.get(at) else { return (Test::Any, None) };
    if let Some(wanted) = rest.strip_prefix(':') {
        return matcher(Some(at), wanted.trim_start());
    }
    if rest.trim_start_matches(['<', '>', '=', '!']).trim().is_empty() {
        // The value was not typed yet.
        return (Test::Any, None);
    }
    match condition::parse(rest, column.kind, column.unit) {
        Some(condition) => (Test::Compare(at, condition), None),
        None => (Test::Any, Some(format!("{name} cannot be compared with that: {}", forms(column)))),
    }
}

/// The name in front of the first `:`, `=`, `<` or `>`, and the rest from there on.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.find([':', '=', '<', '>'])?;
    let at = if text.get(..at)?.ends_with('!') && text.get(at..)?.starts_with('=') { at - 1 } else { at };
    let (name, rest) = text.split_at_checked(at)?;
    Some((name.trim(), rest))
}

/// The index of the column that is meant: by its name, its header, or its name without the unit that people write
/// after the value.
fn position(name: &str, columns: &[Column<'_>]) -> Option<usize> {
    let plain = |text: &str| text.to_lowercase().replace('_', " ");
    let wanted = plain(name);
    let by = |is: &dyn Fn(&Column<'_>) -> bool| columns.iter().position(is);
    by(&|column| plain(column.name) == wanted)
        .or_else(|| by(&|column| plain(column.title) == wanted))
        .or_else(|| by(&|column| plain(column.name).strip_suffix(" ms") == Some(&wanted)))
}

/// The message for a name that looks like a column but is none.
fn unknown(name: &str, columns: &[Column<'_>]) -> Option<String> {
    let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
    if !is_word || columns.is_empty() {
        return None;
    }
    let names = || columns.iter().map(|column| column.name);
    let there_are = match nearest(name, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    Some(format!("no column {name}, so this is looked for as text; {there_are}"))
}

fn forms(column: &Column<'_>) -> &'static str {
    match column.unit {
        Some(Unit::Ms | Unit::Seconds) => "write a time, as in >5s or <=10ms",
        Some(Unit::Bytes | Unit::BytesPerSecond) => "write a size, as in >1GB",
        Some(Unit::Percent) => "write a share, as in >90%",
        _ => "write a number, as in >5",
    }
}

fn matcher(column: Option<usize>, text: &str) -> (Test, Option<String>) {
    if text.is_empty() {
        return (Test::Any, None);
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern).case_insensitive(!text.contains(char::is_uppercase)).size_limit(1 << 20).build()
    };
    match build(text) {
        Ok(regex) => (Test::Text(column, regex), None),
        Err(error) => {
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim_start_matches("error:").trim();
            let fault = format!("no regular expression ({why}), so this is looked for as text");
            let escaped = build(&regex::escape(text)).map_or(Test::Any, |regex| Test::Text(column, regex));
            (escaped, Some(fault))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [Column<'_>; 3] =
        [Column::text("name"), Column::text("state"), Column::number("wait_ms", Some(Unit::Ms))];

    struct Row<'a>([&'a str; 3]);

    impl Fields for Row<'_> {
        fn seen(&self) -> impl Iterator<Item = usize> {
            0..2
        }

        fn text(&self, column: usize) -> Cow<'_, str> {
            Cow::Borrowed(self.0[column])
        }
    }

    fn passes(filter: &str, row: [&str; 2]) -> bool {
        Filter::new(filter, &COLUMNS).passes(&Row([row[0], row[1], "6000"]))
    }

    #[test]
    fn text_regex_inverted_by_column_and_compared() {
        let row = ["replica-1", "Healthy"];
        for (filter, expected) in [
            ("", true),
            ("!", true),
            ("REPL", false),
            ("repl", true),
            ("healthy", true),
            ("Healthy", true),
            ("^rep.*1$", true),
            ("!rep", false),
            ("! down", true),
            ("6000", false),
            ("state:rep", false),
            ("State: health", true),
            ("!state:down", true),
            ("colour:rep", false),
            ("rep[", false),
            ("name:", true),
            ("wait:60", true),
            ("wait_ms>5s", true),
            ("wait > 5s", true),
            ("WAIT MS<5s", false),
            ("!wait>5s", false),
            ("wait>", true),
            ("wait>soon", true),
            ("state=healthy", true),
            ("state != healthy", false),
            ("!state = down", true),
        ] {
            assert_eq!(passes(filter, row), expected, "{filter:?}");
        }
        assert!(passes("a[", ["a[b", ""]), "what is no regex is text");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (filter, fault, label) in [
            ("rep", None, "/rep"),
            ("10.0.0.1:5432", None, "/10.0.0.1:5432"),
            ("state:", None, "/state:"),
            ("wait>", None, "/wait>"),
            ("colour:x", Some("no column colour"), "/colour:x as text"),
            ("stat:x", Some("did you mean state?"), "/stat:x as text"),
            ("x>5", Some("there are name, state, wait_ms"), "/x>5 as text"),
            ("count(", Some("unclosed group"), "/count( as text"),
            ("name:(", Some("unclosed group"), "/name:( as text"),
            ("wait>soon", Some("write a time"), "/wait>soon unreadable"),
        ] {
            let read = Filter::new(filter, &COLUMNS);
            let said = read.fault().unwrap_or_default();
            assert_eq!(read.fault().is_some(), fault.is_some(), "{filter}: {said}");
            assert!(said.contains(fault.unwrap_or_default()), "{filter}: {said}");
            assert_eq!(read.label(), label);
        }
        assert_eq!(Filter::new("Lock: relation", &[]).fault(), None, "there is no column to name");
    }

    proptest! {
        #[test]
        fn inverting_turns_every_answer_round(filter in "[a-z(\\[.*]{1,6}", name in "\\PC{0,8}") {
            prop_assert_ne!(passes(&filter, [&name, ""]), passes(&format!("!{filter}"), [&name, ""]));
        }

        #[test]
        fn no_line_panics(filter in "(!|state|wait|[:<>=! (\\[]|\\PC){0,10}") {
            let _ = passes(&filter, ["a", "b"]);
        }
    }
}
