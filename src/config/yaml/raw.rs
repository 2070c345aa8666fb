//! What `serde_yaml` reads in a text: values without places, and keys that may be duplicate. Also why a text is not
//! YAML.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};

use super::lines::Lines;
use crate::config::diagnostic::{Diagnostics, Position};

/// The limit of values in a file after its aliases are expanded. A file of 5,000 nodes with every key has a tenth of
/// that.
const MAX_VALUES: usize = 1_000_000;

/// The limit of anchors in a file, above what anybody writes.
const MAX_ANCHORS: usize = 1_000;

const TOO_DEEP: &str = "this is nested too deeply, or an alias contains itself";
const TOO_MANY: &str = "the file has too many values after its aliases are expanded";

/// Reads a text; `None` if it is not YAML, which the report then says.
pub(super) fn read(text: &str, report: &mut Diagnostics) -> Option<RawValue> {
    if let Some(at) = nested_absurdly(text) {
        report.problem(Lines::new(text).position(at), TOO_DEEP);
        return None;
    }
    if let Some(at) = anchored_absurdly(text) {
        let message = format!("there are more than {MAX_ANCHORS} anchors (& and a name)");
        report.problem(Lines::new(text).position(at), message);
        return None;
    }
    let budget = Cell::new(MAX_VALUES);
    let read = Seed { budget: &budget }.deserialize(serde_yaml::Deserializer::from_str(text));
    read.map_err(|error| refuse(text, &error, report)).ok()
}

/// The place where thousands of brackets are open at once. The reader would report this itself, but only after minutes.
fn nested_absurdly(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > 5_000
    })
}

/// The place of the anchor that exceeds the limit. `yaml-edit` takes a time that grows with the square of the number of
/// anchors.
fn anchored_absurdly(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut anchors = text.match_indices('&').map(|(at, _)| at).filter(|at| {
        let begins = at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|b| b" \t\r\n[{,".contains(b));
        begins && bytes.get(at + 1).is_some_and(|b| b.is_ascii_alphanumeric() || b"_-".contains(b))
    });
    anchors.nth(MAX_ANCHORS)
}

/// A value without its place.
pub(super) enum RawValue {
    Null,
    Text(String),
    /// A number or a boolean, as `serde_yaml` read it. The text in the file is preferred.
    Number(String),
    List(Vec<RawValue>),
    Map(Vec<(RawValue, RawValue)>),
    Tagged,
}

#[derive(Clone, Copy)]
struct Seed<'budget> {
    budget: &'budget Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = RawValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawValue, D::Error> {
        let left = self.budget.get().checked_sub(1);
        self.budget.set(left.ok_or_else(|| D::Error::custom("too many values"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = RawValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_none<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RawValue, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            list.push(value);
        }
        Ok(RawValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = access.next_entry_seed(self, self)? {
            map.push(entry);
        }
        Ok(RawValue::Map(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<RawValue, A::Error> {
        use serde::de::VariantAccess as _;
        let (_, content) = access.variant_seed(self)?;
        content.newtype_variant_seed(self)?;
        Ok(RawValue::Tagged)
    }
}

/// Reports why a text is not YAML.
fn refuse(text: &str, error: &serde_yaml::Error, report: &mut Diagnostics) {
    let told = error.to_string();
    let lines = Lines::new(text);
    // For a forbidden character the reader gives the byte, for everything else the number of the character.
    let byte = told.rsplit_once(" at position ").and_then(|(_, byte)| byte.parse().ok());
    let nth = |at: serde_yaml::Location| text.char_indices().nth(at.index()).map_or(text.len(), |(byte, _)| byte);
    let byte =
        byte.or_else(|| error.location().map(nth)).or_else(|| second_document(text).filter(|_| is_second(&told)));
    // A problem of the file as a whole is reported at its beginning.
    let position = lines.position(byte.unwrap_or(0));
    let line = text.lines().nth(position.line.saturating_sub(1)).unwrap_or_default();
    if indented_by_tab(line) {
        for (i, _) in text.lines().enumerate().filter(|(_, line)| indented_by_tab(line)) {
            let at = Position { line: i + 1, column: 1 };
            report.problem(at, "a tab is used to indent: YAML allows only spaces");
        }
    } else if let Some((_, place)) = told.split_once("while scanning a quoted scalar") {
        let start = byte_at(place, text).map_or(position, |byte| lines.position(byte));
        report.problem(start, "the quote opened here is not closed");
    } else {
        report.problem(position, syntax_error(&told));
    }
}

fn is_second(told: &str) -> bool {
    told.contains("more than one document")
}

/// Where the second document of a text begins.
fn second_document(text: &str) -> Option<usize> {
    let (mut at, mut begun) = (0, false);
    for line in text.split_inclusive('\n') {
        let marker = line.strip_prefix("---").is_some_and(|rest| rest.trim_start() != rest || rest.is_empty());
        if marker && begun {
            return Some(at);
        }
        // Comments and directives may precede the first document.
        begun |= marker || !(line.trim().is_empty() || line.starts_with(['#', '%']));
        at += line.len();
    }
    None
}

/// Rewords an error of the reader for people.
fn syntax_error(told: &str) -> String {
    // The reader appends the place; and for a tag that does not fit, it quotes the value.
    let told = [" at line ", " at position "].iter().fold(told, |told, place| told.split(place).next().unwrap_or(told));
    let plain = match told {
        "repetition limit exceeded" => TOO_MANY,
        // The reader writes the value that exceeded the limit before this text.
        told if told.ends_with("too many values") => TOO_MANY,
        "recursion limit exceeded" => TOO_DEEP,
        "control characters are not allowed" => {
            "this is a control character: write it as an escape in double quotes, as in \"\\x1b\""
        }
        "found character that cannot start any token" => {
            "this is not valid YAML: a text that begins with @, `, % or a tab must be in quotes"
        }
        "did not find expected key" => {
            "this is not valid YAML: the indentation matches no line above, or text follows a closing quote"
        }
        "mapping values are not allowed in this context" => {
            "this is not valid YAML: a line is indented too far, or a text with \": \" in it is not in quotes"
        }
        "could not find expected ':'" => "this is not valid YAML: a key has no : after it",
        "unknown anchor" => {
            "no anchor of this name (& and the name) is defined above: put a text that begins with * in quotes"
        }
        told if is_second(told) => "there is more than one document (---): keep one",
        told if told.contains('"') => "a tag (!! and a word) does not fit its value",
        told => return format!("this is not valid YAML: {told}"),
    };
    plain.to_owned()
}

/// The byte at the place of ` at line 2 column 13`. The reader also ends a line at U+0085, U+2028 and U+2029, which
/// editors do not.
fn byte_at(place: &str, text: &str) -> Option<usize> {
    let (line, column) = place.trim().strip_prefix("at line ")?.split_once(" column ")?;
    let wanted: (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let mut at = (1, 1);
    let mut chars = text.char_indices().peekable();
    while let Some((byte, c)) = chars.next() {
        if at >= wanted {
            return Some(byte);
        }
        let ends = match c {
            '\r' => !matches!(chars.peek(), Some((_, '\n'))),
            c => matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}'),
        };
        at = if ends { (at.0 + 1, 1) } else { (at.0, at.1 + 1) };
    }
    None
}

fn indented_by_tab(line: &str) -> bool {
    line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t') && !line.trim().is_empty()
}
