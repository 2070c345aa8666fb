//! Hides passwords in texts, with one sign for each character so that the cursor stays in its place.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

const SIGN: &str = "•";

/// Hides a password; only its length can be seen.
pub(in crate::app) fn all(text: &str) -> String {
    SIGN.repeat(text.graphemes(true).count())
}

/// Hides the passwords in a connection string, even half typed. In doubt it hides too much: for example a port with
/// no user before it.
pub(in crate::app) fn conninfo(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = userinfo_password(text).into_iter().collect();
    let lower = text.to_ascii_lowercase();
    hidden.extend(lower.match_indices("password").filter_map(|(at, word)| value_behind(text, at + word.len())));
    let shown = |(at, grapheme)| if hidden.iter().any(|range| range.contains(&at)) { SIGN } else { grapheme };
    text.grapheme_indices(true).map(shown).collect()
}

/// The password in a URI: from `user:` to the last `@`, or to the end if there is none. If no address follows that
/// `@`, it belongs to the password (and should be written as `%40`), which then reaches to the end.
fn userinfo_password(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let end = text.rfind('@').filter(|at| *at >= start && is_address(text.get(at + 1..))).unwrap_or(text.len());
    let colon = text.get(start..end)?.find(':')?;
    Some(start + colon + 1..end)
}

/// True if the text begins with a host and a port after a `:`.
fn is_address(rest: Option<&str>) -> bool {
    let place = rest.unwrap_or_default().split(['/', '?']).next().unwrap_or_default();
    let after = place.rsplit_once(']').map_or(place, |(_, after)| after);
    after.split_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The value of the keyword that ends at `at`: quoted, or up to the next keyword, so that nothing is shown of a
/// password with blanks that lacks its quotes.
fn value_behind(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let start = text.len() - value.len();
    let mut escaped = false;
    let quoted = value.starts_with('\'');
    let part = if text.contains("://") { '&' } else { ' ' };
    let end = value.char_indices().skip(usize::from(quoted)).find(|(at, c)| {
        let ends = !escaped && if quoted { *c == '\'' } else { *c == part && begins_keyword(value, at + 1, part) };
        escaped = !escaped && *c == '\\';
        ends
    });
    Some(start..end.map_or(text.len(), |(at, _)| start + at))
}

/// True if a word followed by `=` begins at `at`.
fn begins_keyword(value: &str, at: usize, part: char) -> bool {
    let word = value.get(at..).unwrap_or_default().split(part).next().unwrap_or_default();
    word.split_once('=')
        .is_some_and(|(keyword, _)| keyword.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        for (text, shown) in [
            ("postgres://u:pw@h/db", "postgres://u:••@h/db"),
            ("postgres://u:p@w@h/db", "postgres://u:•••@h/db"),
            ("postgres://u:hun/te", "postgres://u:••••••"),
            ("postgres://u:p@ss:w/rd", "postgres://u:•••••••••"),
            ("postgres://u:p@h:1/db", "postgres://u:•@h:1/db"),
            ("postgres://u:p@[::1]:5/db", "postgres://u:•@[::1]:5/db"),
            (
                "postgres://h/db?user=u&password=abc&sslmode=require",
                "postgres://h/db?user=u&password=•••&sslmode=require",
            ),
            ("host=h password=abc user=u", "host=h password=••• user=u"),
            ("host=h PASSWORD = 'a b\\'c' user=u", "host=h PASSWORD = •••••••' user=u"),
            ("host=h sslpassword=x", "host=h sslpassword=•"),
            ("host=h user=u", "host=h user=u"),
            ("password=a&b c user=u", "password=••••• user=u"),
            ("postgres://h/?password=a&b c", "postgres://h/?password=•••••"),
        ] {
            assert_eq!(conninfo(text), shown, "{text}");
        }
        assert_eq!(all("e\u{301}x"), "••");
    }
}
