//! Secrets in what servers show of other clients: `pg_stat_activity` and `pg_stat_statements` show `ALTER ROLE ... PASSWORD
//! '...'` as it was sent. They are hidden before anybody sees the text.
//!
//! A statement in which something names a secret (`names`: a password, a token, a key, a function that takes one, a URI
//! with a login), in its words or in what its texts say, is shown without its values: all texts and comments and all long
//! numbers are hidden, and what follows the name without quotes. So nothing depends on how a value is quoted, escaped or
//! nested. Where quotes were mixed up or a text was cut off, all from there on is hidden. It is no safeguard: a secret
//! that nothing names is shown.

mod names;
mod shapes;
mod told;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::words::{Kind, Piece, Quotes, pieces};
pub use told::{masked_message, masked_message_of, masked_plan};

/// What replaces a value.
const MASK: &str = "'***'";
/// Digits from which on a number is hidden.
const LONG: usize = 4;
/// What may follow `password =` without being a password.
const NO_VALUES: [&str; 17] = [
    "all",
    "any",
    "array",
    "case",
    "cast",
    "current_user",
    "default",
    "exists",
    "false",
    "not",
    "null",
    "row",
    "select",
    "session_user",
    "some",
    "true",
    "values",
];

/// What may follow `bearer` without being a token.
const NO_BEARER: [&str; 4] = ["authentication", "scheme", "token", "tokens"];

/// The statement without the secrets in it. Takes a time that grows with its length alone.
pub fn masked(statement: &str) -> Cow<'_, str> {
    if !names::suspicious(statement) && !has_word(statement, "execute") {
        return Cow::Borrowed(statement);
    }
    let mut hidden = Vec::new();
    // The server's setting is unknown here: hidden is what is a value by either.
    let readings = if statement.contains('\\') { 2 } else { 1 };
    for quotes in [Quotes::Standard, Quotes::Backslashes].into_iter().take(readings) {
        let pieces: Vec<Piece<'_>> = pieces(statement, quotes).collect();
        for one in pieces.split_inclusive(|piece| piece.is_sign(';')) {
            find(statement, one, &mut hidden);
        }
    }
    replaced(statement, hidden).unwrap_or(Cow::Borrowed(MASK))
}

/// The value of a setting, or of anything else that is no SQL, as a whole or not at all.
pub fn masked_setting(value: &str) -> Cow<'_, str> {
    Cow::Borrowed(if names::suspicious_setting(value) { MASK } else { value })
}

/// True if a value of that name may be a secret.
pub fn names_secret(name: &str) -> bool {
    names::suspicious(&format!("{name}="))
}

/// True if something was hidden in the text.
pub fn is_masked(text: &str) -> bool {
    text.contains(MASK)
}

fn has_word(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// The statement with each hidden part replaced; `None` if a part does not begin and end between two characters.
fn replaced(statement: &str, mut hidden: Vec<Range<usize>>) -> Option<Cow<'_, str>> {
    hidden.retain(|part| !part.is_empty());
    if hidden.is_empty() {
        return Some(Cow::Borrowed(statement));
    }
    hidden.sort_by_key(|part| part.start);
    hidden.dedup_by(|next, part| {
        let touches = next.start <= part.end;
        part.end = if touches { part.end.max(next.end) } else { part.end };
        touches
    });
    let mut shown = String::with_capacity(statement.len());
    let mut end = 0;
    for part in hidden {
        shown.push_str(statement.get(end..part.start)?);
        shown.push_str(MASK);
        end = part.end;
    }
    shown.push_str(statement.get(end..)?);
    Some(Cow::Owned(shown))
}

/// Adds the parts of one statement of `text` that may hold secrets.
fn find(text: &str, pieces: &[Piece<'_>], hidden: &mut Vec<Range<usize>>) {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return };
    let words: Vec<Piece<'_>> =
        pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Blank | Kind::Comment)).copied().collect();
    // What a prepared statement does with its values is not known.
    let executes = words.windows(3).any(|three| {
        matches!(three, [execute, name, sign] if execute.is_word("execute") && is_name(name) && sign.is_sign('('))
    });
    if !executes && !text.get(first.at..last.end()).is_some_and(names::suspicious) {
        return;
    }
    if let Some(from) = mixed_up(pieces) {
        hidden.push(from..text.len());
    }
    for piece in pieces {
        match piece.kind {
            Kind::Text(_) => hidden.push(piece.range()),
            Kind::Number if piece.source.len() >= LONG => hidden.push(piece.range()),
            Kind::Comment => hidden.push(piece.inside_at()..piece.inside_at() + piece.inside().len()),
            Kind::Name(_) if !is_plain(piece.inside()) => hidden.push(piece.range()),
            _ => {}
        }
    }
    find_uris(pieces, hidden);
    let end = if last.is_sign(';') { last.at } else { last.end() };
    Bare { pieces, words: &words, end, known: known(&words) }.find(hidden);
}

/// Where a statement cannot be trusted any more, as its quotes were mixed up or it was cut off: a text that lacks its end,
/// or one with a word right after it (`'it's'`).
fn mixed_up(pieces: &[Piece<'_>]) -> Option<usize> {
    let is_open = pieces.last().is_some_and(Piece::is_open);
    if is_open && let Some(text) = pieces.iter().find(|piece| piece.is_text()) {
        return Some(text.at);
    }
    let glued = |pair: &&[Piece<'_>]| matches!(pair, [text, next] if text.is_text() && !matches!(next.kind, Kind::Blank | Kind::Sign | Kind::Comment));
    pieces.windows(2).find(glued)?.first().map(|text| text.at)
}

/// True for a name in quotes that is no more than a name.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || ['_', ' ', '-', '.', '$'].contains(&c))
}

/// Adds the URIs that are outside of any text, each up to the next blank.
fn find_uris(pieces: &[Piece<'_>], hidden: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some([colon, first, second, ..]) = pieces.get(at..) {
        at += 1;
        if colon.is_sign(':') && first.is_sign('/') && second.is_sign('/') {
            let length = pieces.iter().skip(at + 2).take_while(|piece| piece.kind != Kind::Blank).count();
            hidden.extend(pieces.get(at + 2..at + 2 + length).unwrap_or_default().iter().map(Piece::range));
            at += 2 + length;
        }
    }
}

/// The names of a statement that may be tables: a value `a.b` is a column of one.
fn known(words: &[Piece<'_>]) -> HashSet<String> {
    let names = words.iter().zip(words.iter().skip(1).map(Some).chain([None]));
    let names = names.filter(|(word, next)| is_name(word) && !next.is_some_and(|next| next.is_sign('.')));
    let special = ["excluded", "new", "old"].map(str::to_owned);
    names.map(|(word, _)| word.inside().to_ascii_lowercase()).chain(special).collect()
}

fn is_name(piece: &Piece<'_>) -> bool {
    matches!(piece.kind, Kind::Word | Kind::Name(_))
}

/// Looks for values without quotes.
struct Bare<'a> {
    pieces: &'a [Piece<'a>],
    /// The pieces without blanks and comments.
    words: &'a [Piece<'a>],
    /// The end of the statement.
    end: usize,
    known: HashSet<String>,
}

impl Bare<'_> {
    fn find(&self, hidden: &mut Vec<Range<usize>>) {
        let of_role = (0..self.words.len())
            .any(|at| self.is(at, &["create", "alter"]) && self.is(at + 1, &["role", "user", "group"]));
        let changes_rows = (0..self.words.len()).any(|at| self.is(at, &["insert", "merge", "update"]));
        let mut end = 0;
        for (at, word) in self.words.iter().enumerate() {
            // What is hidden already is not read again: this bounds the work.
            if word.at < end || !is_name(word) {
                continue;
            }
            let after = self.after_name(at);
            let Some(next) = self.words.get(after) else { break };
            let is_given = self.is_sign(after, '=') || self.is(after, &["to"]);
            let found = if word.is_word("identified") && self.is(at + 1, &["by", "as", "with"]) {
                self.words.get(at + 2).map(|value| value.at..self.end)
            } else if word.is_word("authorization") || !names::suspicious(word.inside()) {
                None
            } else if self.is(0, &["set"])
                || word.is_word("bearer") && !self.is(after, &NO_BEARER)
                || is_given && !changes_rows && self.is_set(at)
            {
                self.words.get(after + usize::from(is_given)).map(|value| value.at..self.end)
            } else if of_role && word.is_word("password") {
                Some(next.at..self.end).filter(|_| !next.is_text() && !next.is_word("null"))
            } else {
                self.assigned(after)
            };
            end = found.as_ref().map_or(end, |found| found.end);
            hidden.extend(found);
        }
    }

    /// True if the word at that place is one of these.
    fn is(&self, at: usize, of: &[&str]) -> bool {
        self.words.get(at).is_some_and(|word| of.iter().any(|of| word.is_word(of)))
    }

    fn is_sign(&self, at: usize, sign: char) -> bool {
        self.words.get(at).is_some_and(|word| word.is_sign(sign))
    }

    /// The place after a name of several parts.
    fn after_name(&self, at: usize) -> usize {
        let more = (0..3).take_while(|part| self.is_sign(at + 2 * part + 1, '.')).count();
        at + 2 * more + 1
    }

    /// True for a part of the name in `SET LOCAL app.token = ...`.
    fn is_set(&self, at: usize) -> bool {
        let more =
            (0..3).take_while(|part| at.checked_sub(2 * part + 1).is_some_and(|dot| self.is_sign(dot, '.'))).count();
        let first = at.saturating_sub(2 * more);
        let before = first.saturating_sub(1);
        let before = if self.is(before, &["local", "session"]) { before.saturating_sub(1) } else { before };
        self.is(before, &["set"])
    }

    /// True if nothing is right after the word at that place but what may be there in a statement.
    fn stands_alone(&self, at: usize) -> bool {
        let (Some(word), Some(next)) = (self.words.get(at), self.words.get(at + 1)) else { return true };
        next.at > word.end() || [')', ']', '}', ',', ';', ':', '('].iter().any(|sign| next.is_sign(*sign))
    }

    /// The value after the operator at that place: `= x`, `: x`, `=> x`, `:= x`. Not a parameter, nor what can only be
    /// a part of a statement: a key word, a call, a column of a table that is named.
    fn assigned(&self, at: usize) -> Option<Range<usize>> {
        let is_operator = |at: &usize| ['=', ':', '>'].iter().any(|sign| self.is_sign(*at, *sign));
        let operators = (at..at + 3).take_while(is_operator).count();
        let is_cast = operators == 2 && self.is_sign(at, ':') && self.is_sign(at + 1, ':');
        if operators == 0 || is_cast || self.is_sign(at, '>') {
            return None;
        }
        let is_opening = |at: &usize| ['(', '[', '{'].iter().any(|sign| self.is_sign(*at, *sign));
        let value = at + operators;
        let value = value + (value..value + 3).take_while(is_opening).count();
        let first = self.words.get(value)?;
        let is_part = match first.kind {
            Kind::Text(_) => true,
            Kind::Parameter => self.stands_alone(value),
            Kind::Word | Kind::Name(_) if self.is_sign(value + 1, '.') => {
                let table = if self.is_sign(value + 3, '.') { value + 2 } else { value };
                let table = self.words.get(table).map(|table| table.inside().to_ascii_lowercase());
                table.is_some_and(|table| self.known.contains(&table))
            }
            Kind::Word => self.is_sign(value + 1, '(') || self.is(value, &NO_VALUES) && self.stands_alone(value),
            _ => false,
        };
        if is_part {
            return None;
        }
        // In YAML a value ends with its line.
        let is_line = operators == 1 && self.is_sign(at, ':');
        let begin = self.pieces.partition_point(|piece| piece.at < first.at);
        let ends = |piece: &&Piece<'_>| match piece.kind {
            Kind::Blank => !is_line || piece.source.contains('\n'),
            _ => piece.is_sign(';'),
        };
        let end = self.pieces.get(begin..)?.iter().find(ends).map_or(self.end, |piece| piece.at);
        Some(first.at..end)
    }
}

#[cfg(test)]
mod tests;
