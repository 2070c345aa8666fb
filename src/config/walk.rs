//! Typed reading of the YAML tree. Each reader returns the value, or reports what is wrong, where, and what is allowed.

use std::time::Duration;

use super::diagnostic::{At, Diagnostics};
use super::units::{self, format_duration};
use super::yaml::{Entry, Value, Yaml};
use crate::model::Secret;

/// A map whose keys were checked. A section that is missing or empty has no entries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Section<'y> {
    entries: &'y [Entry],
}

impl<'y> Section<'y> {
    pub(super) fn get(self, key: &str) -> Option<&'y Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn entries(self) -> &'y [Entry] {
        self.entries
    }

    /// Reads the value of `key` if it is there.
    pub(super) fn read<T>(
        self,
        key: &str,
        report: &mut Diagnostics,
        reader: impl FnOnce(&Entry, &mut Diagnostics) -> Option<T>,
    ) -> Option<At<T>> {
        let entry = self.get(key)?;
        reader(entry, report).map(|value| At::new(value, Some(entry.value.position)))
    }
}

/// A map of known keys. An unknown one is reported with the nearest known one. Keys of the earlier format (`earlier`)
/// are accepted, but not offered in messages.
pub(super) fn section<'y>(entry: &'y Entry, known: &[&str], earlier: &[&str], report: &mut Diagnostics) -> Section<'y> {
    section_of(&entry.key, &entry.value, known, earlier, report)
}

/// [`section`] for a value without a key, or with another name.
pub(super) fn section_of<'y>(
    name: &str,
    value: &'y Yaml,
    known: &[&str],
    earlier: &[&str],
    report: &mut Diagnostics,
) -> Section<'y> {
    let section = map_of(name, value, &format!("keys: {}", known.join(", ")), report);
    for entry in section.entries {
        let key = entry.key.as_str();
        if !known.contains(&key) && !earlier.contains(&key) {
            let message = unknown_key(entry, known, report);
            report.problem(entry.position, message);
        }
    }
    section
}

/// A map of any keys; `what` is what the message calls its entries.
pub(super) fn map_of<'y>(name: &str, value: &'y Yaml, what: &str, report: &mut Diagnostics) -> Section<'y> {
    match &value.value {
        Value::Map(entries) => Section { entries },
        Value::Null | Value::Broken => Section::default(),
        Value::Text(_) | Value::Bytes(_) | Value::List(_) => {
            report.problem(value.position, format!("{name} must be a map of {what}"));
            Section::default()
        }
    }
}

/// True for a name of lower-case letters, digits and `_` that begins with a letter.
pub(super) fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The message repeats a key without a value only if it looks like a typo of a known key: otherwise it may be the
/// second half of a password with a comma in it.
fn unknown_key(entry: &Entry, known: &[&str], report: &Diagnostics) -> String {
    let key = &entry.key;
    match report.nearest(key, known.iter().copied()) {
        Some(near) => format!("unknown key {key:?}: did you mean {near}?"),
        None if entry.value.value == Value::Null => format!(
            "unknown key without a value: put a text with a comma in quotes; allowed keys are {}",
            known.join(", ")
        ),
        None => format!("unknown key {key:?}: allowed keys are {}", known.join(", ")),
    }
}

/// A text that is not empty.
pub(super) fn filled(entry: &Entry, report: &mut Diagnostics) -> Option<String> {
    let text = text(entry, report)?;
    if text.is_empty() {
        report.problem(entry.value.position, format!("{} is empty", entry.key));
        return None;
    }
    Some(text)
}

/// A text, which may be empty.
pub(super) fn text(entry: &Entry, report: &mut Diagnostics) -> Option<String> {
    text_of(&entry.key, &entry.value, report)
}

/// [`text`] of a value that messages call `name`.
pub(super) fn text_of(name: &str, yaml: &Yaml, report: &mut Diagnostics) -> Option<String> {
    match &yaml.value {
        Value::Text(text) if text.contains('\0') => {
            report.problem(yaml.position, format!("{name} contains a NUL byte"));
            None
        }
        Value::Text(text) => Some(text.clone()),
        Value::Bytes(_) => {
            report.problem(yaml.position, format!("{name} is not UTF-8 text: correct the variable in it"));
            None
        }
        Value::Broken => None,
        Value::Null => {
            report.problem(yaml.position, format!("{name} has no value: give one, or leave the key out"));
            None
        }
        Value::List(_) | Value::Map(_) => {
            report.problem(yaml.position, format!("{name} must be one text, not a list or map"));
            None
        }
    }
}

/// A secret, which may be empty and need not be UTF-8.
pub(super) fn secret(entry: &Entry, report: &mut Diagnostics) -> Option<Secret> {
    let secret = match &entry.value.value {
        Value::Bytes(bytes) => Secret::new(bytes.clone()),
        _ => Secret::new(text(entry, report)?),
    };
    if secret.ends_with_line_break() {
        report.warning(entry.value.position, format!("{} {ENDS_WITH_LINE_BREAK}", entry.key));
    }
    Some(secret)
}

/// What is said of a password that was probably read from a file.
pub(super) const ENDS_WITH_LINE_BREAK: &str =
    "ends with a line break, which is sent as a part of it: remove it unless it belongs to the password";

/// A text that `parse` accepts; `allowed` is the end of the message if it does not.
pub(super) fn parsed<T>(
    entry: &Entry,
    report: &mut Diagnostics,
    allowed: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let text = text(entry, report)?;
    let value = parse(text.trim());
    if value.is_none() {
        report.problem(entry.value.position, format!("{}: {} {allowed}", entry.key, shown(&text)));
    }
    value
}

/// One of the words of a closed list.
pub(super) fn one_of<T: Copy>(
    entry: &Entry,
    report: &mut Diagnostics,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Option<T> {
    let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    parsed(entry, report, &format!("is not one of {}", words.join(", ")), |text| {
        all.iter().copied().find(|one| word(*one) == text)
    })
}

/// A text of the file as a message shows it: a number, perhaps with a unit, or `this`. Anything else may be a password
/// that was written there by mistake; the message names its place anyway.
fn shown(text: &str) -> String {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || "+-. ".contains(c));
    let is_number = text.contains(|c: char| c.is_ascii_digit());
    if is_number && text.len() <= 20 && unit.len() <= 6 && unit.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        format!("{text:?}")
    } else {
        "this".to_owned()
    }
}

pub(super) fn boolean(entry: &Entry, report: &mut Diagnostics) -> Option<bool> {
    parsed(entry, report, "is neither true nor false", |text| match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    })
}

/// A whole number from `min` to `max`.
pub(super) fn integer(entry: &Entry, report: &mut Diagnostics, min: u32, max: u32) -> Option<u32> {
    parsed(entry, report, &format!("is not a whole number from {min} to {max}"), |text| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|number| digits && (min..=max).contains(number))
    })
}

pub(super) fn port(entry: &Entry, report: &mut Diagnostics) -> Option<u16> {
    integer(entry, report, 1, u32::from(u16::MAX)).and_then(|port| u16::try_from(port).ok())
}

/// A number that is not negative.
pub(super) fn number(entry: &Entry, report: &mut Diagnostics) -> Option<f64> {
    parsed(entry, report, "is not a number of 0 or more", |text| {
        text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
    })
}

pub(super) fn size(entry: &Entry, report: &mut Diagnostics) -> Option<u64> {
    parsed(entry, report, &format!("is not a size: {}", units::SIZE_FORMS), units::parse_size)
}

/// A duration from `min` to `max`.
pub(super) fn duration(entry: &Entry, report: &mut Diagnostics, min: Duration, max: Duration) -> Option<Duration> {
    let forms = format!("is not a duration: {}", units::DURATION_FORMS);
    let value = parsed(entry, report, &forms, units::parse_duration)?;
    in_range(entry, report, value, min, max)
}

/// Whole milliseconds from `min` to `max`: durations of the earlier format.
pub(super) fn milliseconds(entry: &Entry, report: &mut Diagnostics, min: Duration, max: Duration) -> Option<Duration> {
    let value = parsed(entry, report, "is not a whole number of milliseconds", |text| text.parse::<u64>().ok())?;
    in_range(entry, report, Duration::from_millis(value), min, max)
}

fn in_range(
    entry: &Entry,
    report: &mut Diagnostics,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Option<Duration> {
    if (min..=max).contains(&value) {
        return Some(value);
    }
    let [shown, min, max] = [value, min, max].map(format_duration);
    report.problem(entry.value.position, format!("{}: {shown} is out of range: {min} to {max} is allowed", entry.key));
    None
}
