//! Passwords in statements of other clients: `pg_stat_activity` and `pg_stat_statements` show `ALTER ROLE ... PASSWORD
//! '...'` as it was sent. They are hidden before anybody sees the statement.
//!
//! Hidden is the text after a name that ends in `password` and after `IDENTIFIED BY`, in connection strings (`password=`)
//! and in URIs (`://user:password@`), also where these are inside a text, a quoted name or a comment. A text that is cut
//! off is hidden to its end. It is not a safeguard: a password under another name is shown.

mod loose;

use std::borrow::Cow;
use std::ops::Range;

use loose::TextEnd;

use super::decoded::Decoded;
use super::words::{Kind, Piece, Quotes, pieces};

/// What replaces a password.
const MASK: &str = "'***'";
/// Texts inside texts are read to this depth; one that is deeper is hidden whole.
const DEEPEST: usize = 4;

/// The statement without the passwords in it.
pub fn masked(statement: &str) -> Cow<'_, str> {
    if !is_suspicious(statement) {
        return Cow::Borrowed(statement);
    }
    let mut hidden = Vec::new();
    loose::find(statement, &mut hidden);
    find(statement, 0, &mut hidden);
    replaced(statement, hidden).unwrap_or(Cow::Borrowed("(a statement that may hold a password)"))
}

/// True if the text may hold a password: most statements do not, and are read no further.
fn is_suspicious(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins =
        |at: usize, word: &[u8]| bytes.get(at..at + word.len()).is_some_and(|of| of.eq_ignore_ascii_case(word));
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'p' | b'P' => begins(at, b"password"),
        b'i' | b'I' => begins(at, b"identified"),
        b':' => begins(at, b"://"),
        // The word may be written with escapes: E'pass\x77ord=x'.
        b'\\' => matches!(bytes.get(at + 1), Some(b'0'..=b'7' | b'x' | b'u' | b'U' | b'+')),
        _ => false,
    })
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

/// Adds the parts of a text that hold passwords. The text is a statement, or what is inside a text of one (`depth`).
fn find(text: &str, depth: usize, hidden: &mut Vec<Range<usize>>) {
    // Not only where a quote is escaped: a server that takes backslashes has those of a connection string doubled.
    let readings = if text.contains('\\') { 2 } else { 1 };
    for quotes in [Quotes::Standard, Quotes::Backslashes].into_iter().take(readings) {
        let words = find_inside_pieces(text, quotes, depth, hidden);
        let mut end = 0;
        for (at, word) in words.iter().enumerate() {
            // What is hidden already is not read again: this bounds the work.
            if word.at < end {
                continue;
            }
            let rest = words.get(at + 1..).unwrap_or_default();
            let found = if names_password(word) {
                after_password(rest)
            } else if word.is_word("identified") {
                after_identified(rest, depth == 0)
            } else {
                continue;
            };
            end = found.last().map_or(end, |part| part.end);
            hidden.extend(found);
        }
    }
}

/// Adds the parts that hold passwords inside the texts, names and comments of a text. Returns its pieces without blanks and
/// comments.
fn find_inside_pieces<'a>(
    text: &'a str,
    quotes: Quotes,
    depth: usize,
    hidden: &mut Vec<Range<usize>>,
) -> Vec<Piece<'a>> {
    let mut words = Vec::new();
    // True while the value of a password may follow in another text: 'password=' || 'x', format('... %L', 'x').
    let mut continues = false;
    for piece in pieces(text, quotes) {
        match piece.kind {
            Kind::Text(_) if continues => hidden.push(piece.range()),
            Kind::Text(_) => continues = find_inside(&piece, piece.end() == text.len(), depth, hidden),
            Kind::Comment | Kind::Name(_) => {
                find_inside(&piece, piece.end() == text.len(), depth, hidden);
            }
            _ => continues &= !ends_value(&piece),
        }
        if !matches!(piece.kind, Kind::Blank | Kind::Comment) {
            words.push(piece);
        }
    }
    words
}

/// True for what separates a text from any other that is joined to it or passed to the same call.
fn ends_value(piece: &Piece<'_>) -> bool {
    piece.is_sign(';') || ["and", "from", "or", "where"].iter().any(|word| piece.is_word(word))
}

/// Adds the parts that hold passwords inside a text, a name or a comment. True if a password is named at its end, so that
/// the value is in another text. `is_last`: nothing follows the piece.
fn find_inside(piece: &Piece<'_>, is_last: bool, depth: usize, hidden: &mut Vec<Range<usize>>) -> bool {
    let decoded = Decoded::of(piece);
    if !is_suspicious(&decoded.text) {
        return false;
    }
    if depth == DEEPEST {
        hidden.push(piece.range());
        return false;
    }
    let mut found = Vec::new();
    find(&decoded.text, depth + 1, &mut found);
    loose::find_pairs(&decoded.text, &mut found);
    let end = match piece.is_open() {
        true => TextEnd::Open,
        false if is_last => TextEnd::Last,
        false => TextEnd::Closed,
    };
    loose::find_uris(&decoded.text, end, &mut found);
    hidden.extend(found.iter().map(|part| decoded.written(part)));
    loose::expects_value(&decoded.text)
}

/// True for a word or a quoted name that ends in `password`.
fn names_password(piece: &Piece<'_>) -> bool {
    let name = piece.inside().as_bytes();
    let ending = name.len().checked_sub(8).and_then(|at| name.get(at..));
    matches!(piece.kind, Kind::Word | Kind::Name(_)) && ending.is_some_and(|end| end.eq_ignore_ascii_case(b"password"))
}

/// The parts that hold the password, of what follows its name: `'x'`, `= 'x'`, `TO 'x'`, `= crypt('x', ...)`, `= $1`.
fn after_password(rest: &[Piece<'_>]) -> Vec<Range<usize>> {
    let operator = |piece: &&Piece<'_>| ['=', ':', '<', '>', '!'].iter().any(|sign| piece.is_sign(*sign));
    let mut operators = rest.iter().take_while(operator).count();
    if operators == 0 && rest.first().is_some_and(|word| word.is_word("to")) {
        operators = 1;
    }
    let value = rest.get(operators..).unwrap_or_default();
    let texts = texts_of(value);
    if !texts.is_empty() || operators == 0 {
        return texts;
    }
    let Some(first) = value.first() else { return Vec::new() };
    if first.kind == Kind::Parameter {
        return vec![first.range()];
    }
    let arguments = value.get(name_length(value)..).unwrap_or_default();
    match arguments.first() {
        // A call is hidden with its arguments, and so is an expression in parentheses.
        Some(next) if next.is_sign('(') => {
            let call = first.at..closing(arguments);
            vec![call]
        }
        // `text 'x'`
        Some(next) if next.is_text() => texts_of(arguments),
        _ => Vec::new(),
    }
}

/// The number of pieces of the name that `pieces` begin with: 3 for `a.b`.
fn name_length(pieces: &[Piece<'_>]) -> usize {
    let belongs = |(at, piece): &(usize, &Piece<'_>)| {
        if at % 2 == 0 { matches!(piece.kind, Kind::Word | Kind::Name(_)) } else { piece.is_sign('.') }
    };
    pieces.iter().enumerate().take_while(belongs).count()
}

/// The texts that `rest` begins with: one, or several that continue it or are joined to it (`||`), with `(` before them.
fn texts_of(rest: &[Piece<'_>]) -> Vec<Range<usize>> {
    let between = |piece: &&Piece<'_>| piece.is_text() || piece.is_sign('(') || piece.is_sign('|');
    rest.iter().take_while(between).filter(|piece| piece.is_text()).map(Piece::range).collect()
}

/// The byte after the parenthesis that closes the first one of `pieces`, or after the last piece.
fn closing(pieces: &[Piece<'_>]) -> usize {
    let mut depth = 0;
    let closes = pieces.iter().find(|piece| {
        depth += i32::from(piece.is_sign('(')) - i32::from(piece.is_sign(')'));
        depth == 0
    });
    closes.or(pieces.last()).map_or(0, Piece::end)
}

/// The parts that hold the password after `IDENTIFIED`, as other databases write it: `BY 'x'`, `BY PASSWORD 'x'`, `BY x`,
/// `WITH plugin BY 'x'`. Without quotes only where it is a statement (`bare`): a text or a comment may be prose.
fn after_identified(rest: &[Piece<'_>], bare: bool) -> Vec<Range<usize>> {
    let is_by = |piece: &Piece<'_>| piece.is_word("by") || piece.is_word("as");
    let Some(by) = rest.iter().take(3).position(is_by) else { return Vec::new() };
    let value = rest.get(by + 1..).unwrap_or_default();
    let kinds = value.iter().take_while(|piece| piece.is_word("password") || piece.is_word("values")).count();
    let value = value.get(kinds..).unwrap_or_default();
    let Some(first) = value.first() else { return Vec::new() };
    if first.is_text() {
        return texts_of(value);
    }
    if !bare && !matches!(first.kind, Kind::Name(_)) {
        return Vec::new();
    }
    // Without quotes: up to the next blank or the end of the clause.
    let mut end = first.at;
    for piece in value.iter().take_while(|piece| ![',', ';', ')'].iter().any(|sign| piece.is_sign(*sign))) {
        if piece.at != end {
            break;
        }
        end = piece.end();
    }
    let bare = first.at..end;
    vec![bare]
}

#[cfg(test)]
mod tests;
