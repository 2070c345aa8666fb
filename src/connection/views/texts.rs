//! The texts of rows: decoded, cut, without the passwords in them; and those that are asked once for each row of a view
//! and then remembered.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::figures;
use crate::model::protocol::{ViewRows, WholeText};
use crate::model::view::{Holds, Limit, Source, ViewColumn};
use crate::model::{RowSet, View};
use crate::sql::secrets::{masked, masked_setting};

/// Texts are asked for again after this multiple of the time that it took last.
const REST: u32 = 20;
/// The shortest pause between two questions for texts.
const PAUSE: Duration = Duration::from_secs(2);
/// The pause after a failure.
const FAILED: Duration = Duration::from_mins(1);
/// If more texts than this are missing, all are asked for: naming each would be a long statement.
const NAMED: usize = 500;

/// A text as a row shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) cut: bool,
}

/// Reads a text as it was asked for in [`Limit::ROW`]. If it is cut, it ends with `…` and its size. `size` is its cell
/// with the size, if it has one.
pub(super) fn of_row<'a>(
    column: &ViewColumn,
    cell: &'a str,
    size: Option<&str>,
    as_bytes: bool,
) -> (Cow<'a, str>, bool) {
    let (text, cut) = kept(cell, size, as_bytes, Limit::ROW);
    let text = hidden(column, text);
    if !cut {
        return (text, false);
    }
    let mut size = size.unwrap_or_default().trim_start_matches('x').split(' ');
    let bytes = size.next().and_then(|bytes| bytes.parse().ok()).map(figures::bytes);
    let sum = size.next().map(|sum| format!(", md5 {sum}"));
    (
        Cow::Owned(format!("{text}… {}{}", bytes.unwrap_or_default(), sum.unwrap_or_default()).trim_end().to_owned()),
        true,
    )
}

/// Reads a text as it was asked for in [`Limit::WHOLE`].
pub(super) fn whole(column: &ViewColumn, cell: &str, size: Option<&str>, as_bytes: bool) -> WholeText {
    let (text, cut) = kept(cell, size, as_bytes, Limit::WHOLE);
    WholeText { text: hidden(column, text).as_ref().into(), cut }
}

fn hidden<'a>(column: &ViewColumn, text: Cow<'a, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => without_secrets(column, text),
        Cow::Owned(text) => Cow::Owned(without_secrets(column, &text).into_owned()),
    }
}

/// The text without the secrets in it. Every text of a server passes here, after it was cut.
fn without_secrets<'a>(column: &ViewColumn, text: &'a str) -> Cow<'a, str> {
    match column.holds {
        Some(Holds::Statement | Holds::Definition) => masked(text),
        Some(Holds::Setting) => masked_setting(text),
        None => Cow::Borrowed(text),
    }
}

/// The text within the limit, and whether there is more of it.
fn kept<'a>(cell: &'a str, size: Option<&str>, as_bytes: bool, limit: Limit) -> (Cow<'a, str>, bool) {
    let of_bytes = size.and_then(|size| size.strip_prefix('x'));
    let (text, more) = if as_bytes || of_bytes.is_some() { decoded(cell) } else { (Cow::Borrowed(cell), false) };
    match (text.char_indices().nth(limit.chars), text) {
        (Some((end, _)), Cow::Borrowed(text)) => (Cow::Borrowed(text.get(..end).unwrap_or_default()), true),
        (Some((end, _)), Cow::Owned(mut text)) => {
            text.truncate(end);
            (Cow::Owned(text), true)
        }
        (None, text) => (text, more),
    }
}

/// The text whose bytes, as `quote_literal` quotes them, are these hexadecimal digits, and whether it goes on. What is not
/// UTF-8 is shown as `\xe9`.
fn decoded(digits: &str) -> (Cow<'_, str>, bool) {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Some((digit(pair.first()?)? * 16 + digit(pair.get(1)?)?) as u8);
    let Some(bytes) = pairs.map(byte).collect::<Option<Vec<u8>>>() else { return (Cow::Borrowed(digits), false) };
    let bytes = bytes.strip_prefix(b"E").unwrap_or(&bytes);
    let inner = bytes.strip_prefix(b"'").unwrap_or(bytes);
    let mut unquoted = Vec::with_capacity(inner.len());
    let mut ended = false;
    let mut rest = inner.iter().peekable();
    while let Some(&byte) = rest.next() {
        if byte == b'\'' && rest.next_if_eq(&&b'\'').is_none() {
            ended = true;
            break;
        }
        unquoted.push(byte);
    }
    let mut text = String::with_capacity(unquoted.len());
    for chunk in unquoted.utf8_chunks() {
        text.push_str(chunk.valid());
        // A character that the cut has split is left out.
        let split = !ended && text.len() + chunk.invalid().len() == unquoted.len();
        for byte in chunk.invalid().iter().filter(|_| !split) {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    (Cow::Owned(text), !ended)
}

/// The texts that a node's views have asked for once.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<String, Known>);

/// The texts known of one view.
#[derive(Debug, Default)]
pub(super) struct Known {
    texts: HashMap<String, (Option<Text>, f64)>,
    /// When they were last asked for, how long that took, and as of which wish of the user.
    read: Option<(Instant, Duration, u64)>,
    /// Why the last question failed.
    failed: Option<String>,
}

impl Texts {
    pub(super) fn of(&mut self, view: &View) -> &mut Known {
        self.0.entry(view.name.clone()).or_default()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The positions of the key's cells in a row.
fn key_cells(view: &View) -> impl Iterator<Item = usize> {
    view.key.iter().filter_map(|column| position(view, *column))
}

fn position(view: &View, column: usize) -> Option<usize> {
    match view.columns.get(column)?.source {
        Source::Sql { at, .. } => Some(at),
        _ => None,
    }
}

fn joined<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> String {
    cells.fold(String::new(), |key, cell| key + cell.unwrap_or_default() + "\u{1f}")
}

impl Known {
    /// Forgets the texts of rows that are gone, and of those whose counters were reset. Returns the keys of the rows
    /// without a text.
    fn missing<'a>(&mut self, view: &View, rows: &'a RowSet) -> Vec<Vec<Option<&'a str>>> {
        let counter = view.columns.iter().find_map(|column| match column.source {
            Source::Rate { of } => position(view, of),
            _ => None,
        });
        let mut known = std::mem::take(&mut self.texts);
        let mut missing = Vec::new();
        for row in 0..rows.len() {
            let cells = || key_cells(view).map(|at| rows.cell(row, at));
            let count = counter.and_then(|at| rows.cell(row, at)?.parse().ok()).unwrap_or(0.0);
            match known.remove_entry(&joined(cells())) {
                Some((key, (text, before))) if count >= before => drop(self.texts.insert(key, (text, count))),
                _ => missing.push(cells().collect()),
            }
        }
        missing
    }

    /// The keys of the rows whose texts are to be asked for now; `None` if none are, and no key if all are. `wish` counts
    /// up when the user wants everything at once.
    pub(super) fn wanted<'a>(
        &mut self,
        view: &View,
        rows: &'a RowSet,
        wish: u64,
        now: Instant,
    ) -> Option<Vec<Vec<Option<&'a str>>>> {
        let missing = self.missing(view, rows);
        let due = self.read.is_none_or(|(at, took, wished)| {
            let pause = if self.failed.is_some() { FAILED } else { PAUSE.max(took * REST) };
            wished != wish || now >= at + pause
        });
        if missing.is_empty() || !due {
            return None;
        }
        Some(if missing.len() > NAMED { Vec::new() } else { missing })
    }

    /// Takes in an answer: the cells of the key, the text and its size.
    pub(super) fn add(&mut self, column: &ViewColumn, cells: &[Option<&str>], as_bytes: bool) {
        let Some((key, [text, size])) = cells.split_last_chunk::<2>() else { return };
        let text = text.map(|text| {
            let (text, cut) = of_row(column, text, *size, as_bytes);
            Text { text: text.into_owned(), cut }
        });
        self.texts.insert(joined(key.iter().copied()), (text, 0.0));
    }

    /// Takes in that all texts came, or why they did not.
    pub(super) fn asked(&mut self, began: Instant, now: Instant, wish: u64, failed: Option<String>) {
        self.read = Some((now, now - began, wish));
        self.failed = failed;
    }

    /// Puts the known texts into the cell at `at` of each row.
    pub(super) fn fill(&self, view: &View, at: usize, answer: &mut ViewRows) {
        let mut rows = RowSet::new(answer.rows.columns().to_vec());
        let mut missing = false;
        for row in 0..answer.rows.len() {
            let known = self.texts.get(&joined(key_cells(view).map(|at| answer.rows.cell(row, at))));
            missing |= known.is_none();
            let text = known.and_then(|(text, _)| text.as_ref());
            if text.is_some_and(|text| text.cut) {
                answer.cuts.push((row as u32, at as u32));
            }
            let cells = answer.rows.row(row).enumerate();
            rows.push(cells.map(|(cell, value)| if cell == at { text.map(|text| text.text.as_str()) } else { value }));
        }
        answer.rows = rows;
        answer.cuts.sort_unstable();
        if missing && self.failed.is_some() {
            answer.missing.clone_from(&self.failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::views;
    use crate::model::Column;

    fn digits(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    #[test]
    fn bytes_are_read_whatever_encoding_they_are_in() {
        let quoted: [(&[u8], &str, bool); 6] = [
            (b"'select 1'", "select 1", false),
            (b"E'a\\b ''c'''", "a\\b 'c'", false),
            ("'€'".as_bytes(), "€", false),
            (b"'caf\xe9 \xa4\xa2'", "caf\\xe9 \\xa4\\xa2", false),
            (b"'abc", "abc", true),
            (b"'abc\xe2\x82", "abc", true),
        ];
        for (bytes, text, more) in quoted {
            assert_eq!(decoded(&digits(bytes)), (Cow::Borrowed(text), more));
        }
        assert_eq!(decoded("no digits"), (Cow::Borrowed("no digits"), false));
    }

    #[test]
    fn a_cut_text_says_how_long_it_is() {
        let view = &views::ours()["statements"];
        let column = |name: &str| &view.columns[view.column(name).unwrap()];
        let (query, name) = (column("query"), column("user"));
        let long = "é".repeat(1_001);
        let (text, cut) = of_row(query, &long, Some("900000"), false);
        assert!(cut && text.ends_with("é… 879 kB"), "{text}");
        let (text, _) = of_row(name, &long, Some("2002 abc"), false);
        assert!(text.ends_with("… 2.0 kB, md5 abc"), "{text}");
        assert!(of_row(name, &long, None, false).0.ends_with("é…"));
        // Many bytes, but no more characters than are shown.
        assert_eq!(of_row(query, "éé", Some("1002"), false), (Cow::Borrowed("éé"), false));
        let secret = format!("alter role r password 'x{}", "s3cr3t".repeat(200));
        assert!(!of_row(query, &secret, Some("1300"), false).0.contains("s3cr3t"));
    }

    /// An answer to the view of statements: an id and its execution time in seconds each.
    fn statements(view: &View, rows: &[(&str, &str)]) -> ViewRows {
        let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
        let mut set = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
        for (id, seconds) in rows {
            set.push(view.asked().map(|asked| match asked.name.as_str() {
                "query_id" => Some(*id),
                "exec_s" => Some(*seconds),
                _ => None,
            }));
        }
        ViewRows { rows: set, ..ViewRows::default() }
    }

    #[test]
    fn a_text_is_asked_once_for_each_id() {
        let view = &*views::ours()["statements"];
        let column = view.column("query").unwrap();
        let at = position(view, column).unwrap();
        let mut known = Known::default();
        let began = Instant::now();
        let ms = Duration::from_millis;
        let wanted = |known: &mut Known, rows: &[(&str, &str)], wish, now| {
            let answer = statements(view, rows);
            let keys = known.wanted(view, &answer.rows, wish, now);
            keys.map(|keys| keys.iter().filter_map(|key| key[2].map(str::to_owned)).collect::<Vec<_>>())
        };
        assert_eq!(wanted(&mut known, &[("1", "5"), ("2", "5")], 0, began), Some(vec!["1".to_owned(), "2".to_owned()]));
        for id in ["1", "2"] {
            known.add(&view.columns[column], &[None, None, Some(id), None, Some("select 1"), None], false);
        }
        known.asked(began, began + ms(500), 0, None);
        let next = began + ms(500);
        let both = [("1", "6"), ("2", "6")];
        let mut answer = statements(view, &both);
        known.fill(view, at, &mut answer);
        assert_eq!((answer.rows.cell(1, at), answer.missing), (Some("select 1"), None));
        assert_eq!(wanted(&mut known, &both, 0, next + ms(60_000)), None, "they are known");
        let more = [("1", "6"), ("2", "6"), ("3", "1")];
        assert_eq!(wanted(&mut known, &more, 0, next + ms(9_000)), None, "the last question took half a second");
        assert_eq!(wanted(&mut known, &more, 1, next + ms(9_000)), Some(vec!["3".to_owned()]), "the user asks");
        assert_eq!(wanted(&mut known, &more, 0, next + ms(10_000)), Some(vec!["3".to_owned()]));
        assert_eq!(wanted(&mut known, &[("1", "1")], 0, next + ms(20_000)), Some(vec!["1".to_owned()]), "it was reset");
        known.asked(next, next + ms(1), 1, Some("no".to_owned()));
        assert_eq!(wanted(&mut known, &both, 1, next + ms(59_000)), None, "after a failure");
        let mut answer = statements(view, &both);
        known.fill(view, at, &mut answer);
        assert_eq!((answer.rows.cell(1, at), answer.missing.as_deref()), (None, Some("no")));
    }
}
