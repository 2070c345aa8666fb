//! The filter line: text or a regex, `!` in front inverts, `column:` asks one column. Lower case matches any case.

use regex::{Regex, RegexBuilder};

/// A filter and the line it was written as.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    source: String,
    invert: bool,
    column: Option<usize>,
    matcher: Option<Regex>,
}

impl Filter {
    /// `columns` are the names that `column:` may say. What is no regex is taken as it stands.
    pub fn new<'a>(source: &str, columns: impl IntoIterator<Item = &'a str>) -> Self {
        let trimmed = source.trim();
        let (invert, rest) = match trimmed.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, trimmed),
        };
        let named = rest.split_once(':').and_then(|(name, text)| {
            let at = columns.into_iter().position(|column| column.eq_ignore_ascii_case(name.trim()))?;
            Some((at, text.trim_start()))
        });
        let (column, text) = named.map_or((None, rest), |(at, text)| (Some(at), text));
        Self { source: source.to_owned(), invert, column, matcher: matcher(text) }
    }

    /// As it was typed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// It lets everything through.
    pub fn is_empty(&self) -> bool {
        self.matcher.is_none()
    }

    /// Whether a row passes; `cell` gives the text of a column.
    pub fn matches<T: AsRef<str>>(&self, columns: usize, mut cell: impl FnMut(usize) -> T) -> bool {
        let Some(matcher) = &self.matcher else { return true };
        let found = match self.column {
            Some(column) => matcher.is_match(cell(column).as_ref()),
            None => (0..columns).any(|column| matcher.is_match(cell(column).as_ref())),
        };
        found != self.invert
    }
}

fn matcher(text: &str) -> Option<Regex> {
    if text.is_empty() {
        return None;
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern).case_insensitive(!text.contains(char::is_uppercase)).size_limit(1 << 20).build().ok()
    };
    build(text).or_else(|| build(&regex::escape(text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [&str; 2] = ["name", "state"];

    fn passes(filter: &str, row: [&str; 2]) -> bool {
        Filter::new(filter, COLUMNS).matches(2, |column| row[column])
    }

    #[test]
    fn text_regex_inverted_and_by_column() {
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
            ("state:rep", false),
            ("State: health", true),
            ("!state:down", true),
            ("colour:rep", false),
            ("rep[", false),
            ("name:", true),
        ] {
            assert_eq!(passes(filter, row), expected, "{filter:?}");
        }
        assert!(passes("a[", ["a[b", ""]), "what is no regex is text");
    }

    proptest! {
        #[test]
        fn inverting_turns_every_answer_round(filter in "[a-z(\\[.*]{1,6}", name in "\\PC{0,8}") {
            prop_assert_ne!(passes(&filter, [&name, ""]), passes(&format!("!{filter}"), [&name, ""]));
        }
    }
}
