//! Passwords found without regard to the quotes of SQL: connection strings and URIs inside texts, and, in statements that
//! this program does not understand, whatever looks like a password.

use std::ops::Range;

use crate::sql::words::is_name;

const PASSWORD: &str = "password";

/// Adds what looks like a password anywhere in the statement: `password 'x'`, `password=x`, `://user:x@`. What is found
/// once is read over.
pub(super) fn find(statement: &str, hidden: &mut Vec<Range<usize>>) {
    let next_uri = |at| tail(statement, at).find("://").map_or(usize::MAX, |found| at + found);
    let next_named = |at| next_password(statement, at).map_or(usize::MAX, |end| end - PASSWORD.len());
    let (mut uri, mut named) = (next_uri(0), next_named(0));
    while uri.min(named) < statement.len() {
        let begin = uri.min(named);
        let found =
            if uri < named { uri_value(statement, uri) } else { named_value(statement, named + PASSWORD.len()) };
        let at = found.as_ref().map_or(begin + 1, |value| value.end);
        hidden.extend(found);
        if uri < at {
            uri = next_uri(at);
        }
        if named < at {
            named = next_named(at);
        }
    }
}

/// What follows `password` that ends at this byte: a text in quotes, or after `=` anything.
fn named_value(statement: &str, end: usize) -> Option<Range<usize>> {
    let after = skip_blanks(statement, end);
    let assigned = tail(statement, after).starts_with('=').then(|| skip_blanks(statement, after + 1));
    let begin = assigned.unwrap_or(after);
    let end = quoted(statement, begin).or_else(|| {
        let is_end = |c: char| c.is_whitespace() || ['\'', '&', ';', ','].contains(&c);
        assigned.map(|begin| ends(statement, begin, is_end)).filter(|end| *end > begin)
    })?;
    Some(begin..end)
}

/// The password of the URI whose `://` is at this byte.
fn uri_value(statement: &str, at: usize) -> Option<Range<usize>> {
    let begin = after_user(statement, at + 3, "'")?;
    let end = ends(statement, begin, |c| c.is_whitespace() || ['@', '/', '\''].contains(&c));
    (end > begin && tail(statement, end).starts_with('@')).then_some(begin..end)
}

/// Adds the passwords of libpq's connection strings: `password=x`, `password = 'it\'s'`, also in a URI's parameters.
pub(super) fn find_pairs(text: &str, hidden: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(named) = next_password(text, at) {
        at = named;
        let sign = skip_blanks(text, named);
        if !tail(text, sign).starts_with('=') {
            continue;
        }
        // Only here: looking back for each of many passwords would take a time that grows with their square.
        let is_parameter = {
            let before = text.get(..named - PASSWORD.len()).unwrap_or_default();
            before.trim_end_matches(|c: char| c.is_ascii_alphabetic()).ends_with(['?', '&'])
        };
        let value = skip_blanks(text, sign + 1);
        let is_quoted = tail(text, value).starts_with('\'');
        let (mut escaped, mut end) = (false, text.len());
        for (offset, c) in tail(text, value).char_indices().skip(usize::from(is_quoted)) {
            let ends = if is_quoted { c == '\'' } else { c.is_whitespace() || (is_parameter && c == '&') };
            if ends && !escaped {
                end = value + offset + usize::from(is_quoted);
                break;
            }
            escaped = c == '\\' && !escaped;
        }
        hidden.push(value..end);
        at = end;
    }
}

/// How a text ends, which tells whether a URI in it may lack its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextEnd {
    /// More of the statement follows.
    Closed,
    /// Nothing follows it: it may have been cut off in the middle of a doubled quote.
    Last,
    /// Its closing quote is missing.
    Open,
}

/// Adds the passwords of URIs. What may not be in one unless it is encoded (`@`, `'`, with PostgreSQL's scheme also `/`)
/// is hidden all the same: such a statement failed, but it was sent.
pub(super) fn find_uris(text: &str, end_of_text: TextEnd, hidden: &mut Vec<Range<usize>>) {
    let mut read = 0;
    for (at, _) in text.match_indices("://") {
        let Some(value) = after_user(text, at + 3, "") else { continue };
        let end = ends(text, value, |c| c.is_whitespace() || c == '/');
        let authority = text.get(value..end).unwrap_or_default();
        let is_cut = match end_of_text {
            TextEnd::Closed => false,
            TextEnd::Last => !is_port(authority),
            TextEnd::Open => true,
        };
        if is_cut && end == text.len() {
            hidden.push(value..end);
        } else if let Some(length) = authority.rfind('@') {
            hidden.push(value..value + length);
        } else if at >= read && is_postgres(text, at) && !is_port(authority) {
            // What was searched once is not searched again: this bounds the work.
            read = ends(text, end, char::is_whitespace);
            if is_cut && read == text.len() {
                hidden.push(value..read);
            } else if let Some(length) = text.get(value..read).and_then(|part| part.rfind('@')) {
                hidden.push(value..value + length);
            }
        }
    }
}

/// True if the `://` at this byte belongs to `postgres://` or `postgresql://`.
fn is_postgres(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    ["postgres", "postgresql"].iter().any(|scheme| {
        let begin = before.len().checked_sub(scheme.len());
        begin.and_then(|begin| before.get(begin..)).is_some_and(|end| end.eq_ignore_ascii_case(scheme.as_bytes()))
    })
}

/// True for `5432` and `5432,other:5432`: what precedes it is a host, not a user.
fn is_port(authority: &str) -> bool {
    let hosts = authority.split('?').next().unwrap_or_default();
    hosts.split(',').enumerate().all(|(at, host)| {
        let port = if at == 0 { Some(host) } else { host.rsplit_once(':').map(|(_, port)| port) };
        port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// True if the text names a password at its end and lacks the value (`password=`, `PASSWORD '`), or has a place for it
/// (`PASSWORD %L`).
pub(super) fn expects_value(text: &str) -> bool {
    let mut last = None;
    while let Some(named) = next_password(text, last.unwrap_or(0)) {
        last = Some(named);
    }
    let after = last.map_or("", |named| tail(text, named));
    let value = after.trim_start_matches(|c: char| c.is_whitespace() || ['=', ':', '\'', '"'].contains(&c));
    !after.is_empty() && (value.is_empty() || value.starts_with('%'))
}

/// The byte after the next `password` from byte `from` on, in capital or small letters.
fn next_password(text: &str, from: usize) -> Option<usize> {
    let rest = text.as_bytes().get(from..)?;
    let at = rest
        .windows(PASSWORD.len())
        .position(|word| matches!(word.first(), Some(b'p' | b'P')) && word.eq_ignore_ascii_case(PASSWORD.as_bytes()))?;
    Some(from + at + PASSWORD.len())
}

/// The byte after a text in quotes that begins at `at`; `None` where none does.
fn quoted(text: &str, at: usize) -> Option<usize> {
    let rest = tail(text, at);
    let dollars = |text: &str| {
        let tag = text.strip_prefix('$')?;
        tag.trim_start_matches(|c: char| is_name(c)).strip_prefix('$').map(|after| text.len() - after.len())
    };
    if let Some(opening) = dollars(rest) {
        let closes = |(at, _): &(usize, &str)| dollars(tail(rest, opening + at)).is_some();
        let inside = tail(rest, opening);
        let Some((closing, _)) = inside.match_indices('$').find(closes) else { return Some(text.len()) };
        return Some(at + opening + closing + dollars(tail(inside, closing)).unwrap_or(1));
    }
    let prefix = match rest.as_bytes() {
        [b'\'', ..] => 0,
        [b'e' | b'E', b'\'', ..] => 1,
        [b'u' | b'U', b'&', b'\'', ..] => 2,
        _ => return None,
    };
    let mut end = at + prefix + 1;
    loop {
        end = ends(text, end, |c| c == '\'') + 1;
        if !tail(text, end).starts_with('\'') {
            return Some(end.min(text.len()));
        }
        end += 1;
    }
}

/// Where the password of a URI begins whose user begins at byte `at`.
fn after_user(text: &str, at: usize, not_in_user: &str) -> Option<usize> {
    let end = ends(text, at, |c| c.is_whitespace() || [':', '@', '/'].contains(&c) || not_in_user.contains(c));
    tail(text, end).starts_with(':').then_some(end + 1)
}

/// The byte of the first such character from byte `from` on, or the end of the text.
fn ends(text: &str, from: usize, is_end: impl Fn(char) -> bool) -> usize {
    tail(text, from).find(is_end).map_or(text.len(), |length| from + length)
}

fn skip_blanks(text: &str, from: usize) -> usize {
    ends(text, from, |c| !c.is_whitespace())
}

fn tail(text: &str, from: usize) -> &str {
    text.get(from..).unwrap_or_default()
}
