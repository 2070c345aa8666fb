//! Texts with their passwords made invisible (F7), one sign for each character, so that the cursor stays true.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

const SIGN: &str = "•";

/// A password: nothing of it is seen but how long it is.
pub(super) fn all(text: &str) -> String {
    SIGN.repeat(text.graphemes(true).count())
}

/// A connection string, half typed ones too. In doubt too much is hidden: a port without a user before it is.
pub(super) fn conninfo(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = userinfo_password(text).into_iter().collect();
    let lower = text.to_ascii_lowercase();
    hidden.extend(lower.match_indices("password").filter_map(|(at, word)| value_behind(text, at + word.len())));
    let shown = |(at, grapheme)| if hidden.iter().any(|range| range.contains(&at)) { SIGN } else { grapheme };
    text.grapheme_indices(true).map(shown).collect()
}

/// What stands behind `user:` of a URI, to the last `@`, or to the end while there is none.
fn userinfo_password(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let end = text.rfind('@').filter(|at| *at >= start).unwrap_or(text.len());
    let colon = text.get(start..end)?.find(':')?;
    Some(start + colon + 1..end)
}

/// The value of a keyword that ends at `at`: quoted, or up to a blank or `&`.
fn value_behind(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let start = text.len() - value.len();
    let mut escaped = false;
    let quoted = value.starts_with('\'');
    let end = value.char_indices().skip(usize::from(quoted)).find(|(_, c)| {
        let ends = !escaped && if quoted { *c == '\'' } else { c.is_whitespace() || *c == '&' };
        escaped = !escaped && *c == '\\';
        ends
    });
    Some(start..end.map_or(text.len(), |(at, _)| start + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_f7() {
        for (text, shown) in [
            ("postgres://u:pw@h/db", "postgres://u:••@h/db"),
            ("postgres://u:p@w@h/db", "postgres://u:•••@h/db"),
            ("postgres://u:hun/te", "postgres://u:••••••"),
            (
                "postgres://h/db?user=u&password=abc&sslmode=require",
                "postgres://h/db?user=u&password=•••&sslmode=require",
            ),
            ("host=h password=abc user=u", "host=h password=••• user=u"),
            ("host=h PASSWORD = 'a b\\'c' user=u", "host=h PASSWORD = •••••••' user=u"),
            ("host=h sslpassword=x", "host=h sslpassword=•"),
            ("host=h user=u", "host=h user=u"),
        ] {
            assert_eq!(conninfo(text), shown, "{text}");
        }
        assert_eq!(all("e\u{301}x"), "••");
    }
}
