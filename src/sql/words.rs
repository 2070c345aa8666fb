//! Splits a statement into words, names, texts, comments and signs, as PostgreSQL does. Every byte of the statement is in
//! exactly one piece, also where the statement is half typed or was cut off, so a piece can be replaced in place.

use std::ops::Range;

/// How `\` is read in a plain text (`'...'`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// As any other character: the default of every supported server.
    Standard,
    /// It escapes the next character: `standard_conforming_strings` is off.
    Backslashes,
}

/// The ways in which a server may read the statement. Its setting is unknown here, so a statement in which a backslash
/// precedes a quote is read in both ways.
pub fn readings(statement: &str) -> impl Iterator<Item = Quotes> {
    let ambiguous = statement.contains("\\'");
    [Quotes::Standard, Quotes::Backslashes].into_iter().take(if ambiguous { 2 } else { 1 })
}

/// What a piece of a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Spaces, tabs and ends of lines.
    Blank,
    /// `-- ...` without the end of the line, or `/* ... */` with the comments inside it.
    Comment,
    /// A key word or a name without quotes.
    Word,
    /// A name in double quotes.
    Name(Escapes),
    /// A text in any kind of quotes.
    Text(Escapes),
    /// `$1`.
    Parameter,
    /// Digits. A sign or a fraction is a piece of its own.
    Number,
    /// Any other character.
    Sign,
}

/// How the inside of a name or a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    /// As it is: between `$$`.
    None,
    /// A quote is doubled.
    Doubled,
    /// A quote is doubled, or `\` precedes it: `E'\x41'`.
    Backslash,
    /// A quote is doubled, and `\` begins a code point: `U&'\0041'`.
    Unicode,
}

/// A part of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What it is.
    pub kind: Kind,
    /// The part as it is written, with its quotes. Never empty.
    pub source: &'a str,
    /// The byte of the statement at which it begins.
    pub at: usize,
    /// Bytes of the prefix and the opening quote, or of the beginning of a comment.
    opening: usize,
    /// Bytes of the closing quote; 0 where there is none.
    closing: usize,
}

impl<'a> Piece<'a> {
    /// What is between the quotes, as it is written. For a piece without quotes, the whole piece.
    pub fn inside(&self) -> &'a str {
        self.source.get(self.opening..self.source.len() - self.closing).unwrap_or_default()
    }

    /// The byte of the statement at which [`Piece::inside`] begins.
    pub fn inside_at(&self) -> usize {
        self.at + self.opening
    }

    /// The byte of the statement after the piece.
    pub fn end(&self) -> usize {
        self.at + self.source.len()
    }

    /// The bytes of the statement that the piece takes.
    pub fn range(&self) -> Range<usize> {
        self.at..self.end()
    }

    /// True for a name, a text or a comment that lacks its end, because the statement was cut off or is still being typed.
    pub fn is_open(&self) -> bool {
        self.opening > 0 && self.closing == 0 && !self.source.starts_with("--")
    }

    /// True for a text in any kind of quotes.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text(_))
    }

    /// True for this sign.
    pub fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign && self.source.starts_with(sign)
    }

    /// True for this key word, in capital or small letters.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.source.eq_ignore_ascii_case(word)
    }
}

/// The pieces of a statement, first to last.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    rest: &'a str,
    at: usize,
    quotes: Quotes,
}

/// Splits a statement.
pub fn pieces(statement: &str, quotes: Quotes) -> Pieces<'_> {
    Pieces { rest: statement, at: 0, quotes }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let (kind, opening, inside, closing) = measure(self.rest, self.quotes)?;
        let (source, rest) = self.rest.split_at_checked(opening + inside + closing).unwrap_or((self.rest, ""));
        let at = self.at;
        self.at += source.len();
        self.rest = rest;
        Some(Piece { kind, source, at, opening, closing })
    }
}

/// The piece that `rest` begins with: its kind, and the bytes of its opening, its inside and its closing.
fn measure(rest: &str, quotes: Quotes) -> Option<(Kind, usize, usize, usize)> {
    let first = rest.chars().next()?;
    let second = rest.as_bytes().get(1).copied().unwrap_or_default();
    let third = rest.as_bytes().get(2).copied().unwrap_or_default();
    let plain = if quotes == Quotes::Backslashes { Escapes::Backslash } else { Escapes::Doubled };
    let while_true = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
    Some(match (first, second, third) {
        ('\'', ..) => quoted(rest, 1, '\'', Kind::Text(plain)),
        ('"', ..) => quoted(rest, 1, '"', Kind::Name(Escapes::Doubled)),
        ('e' | 'E', b'\'', _) => quoted(rest, 2, '\'', Kind::Text(Escapes::Backslash)),
        ('b' | 'B' | 'x' | 'X' | 'n' | 'N', b'\'', _) => quoted(rest, 2, '\'', Kind::Text(plain)),
        ('u' | 'U', b'&', b'\'') => quoted(rest, 3, '\'', Kind::Text(Escapes::Unicode)),
        ('u' | 'U', b'&', b'"') => quoted(rest, 3, '"', Kind::Name(Escapes::Unicode)),
        ('-', b'-', _) => (Kind::Comment, 2, rest.find(['\n', '\r']).unwrap_or(rest.len()) - 2, 0),
        ('/', b'*', _) => comment(rest),
        ('$', b'0'..=b'9', _) => {
            let digits = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
            (Kind::Parameter, 0, 1 + digits, 0)
        }
        ('$', ..) => dollars(rest).unwrap_or((Kind::Sign, 0, 1, 0)),
        _ if is_blank(first) => (Kind::Blank, 0, while_true(is_blank), 0),
        _ if first.is_ascii_digit() => (Kind::Number, 0, while_true(|c| c.is_ascii_digit()), 0),
        _ if is_name(first) => (Kind::Word, 0, while_true(|c| is_name(c) || c == '$'), 0),
        _ => (Kind::Sign, 0, first.len_utf8(), 0),
    })
}

/// A name or a text up to its closing quote, or to the end of the statement where it has none.
fn quoted(rest: &str, opening: usize, quote: char, kind: Kind) -> (Kind, usize, usize, usize) {
    let escapes = matches!(kind, Kind::Text(Escapes::Backslash));
    let bytes = rest.as_bytes();
    let mut at = opening;
    // Quotes and backslashes are ASCII, so no byte of another character is taken for one.
    while let Some(&byte) = bytes.get(at) {
        if escapes && byte == b'\\' {
            at += 2;
        } else if byte != quote as u8 {
            at += 1;
        } else if bytes.get(at + 1) == Some(&byte) {
            at += 2;
        } else {
            return (kind, opening, at - opening, 1);
        }
    }
    (kind, opening, bytes.len() - opening, 0)
}

/// A text between `$tag$` and `$tag$`; `None` where the `$` begins no text.
fn dollars(rest: &str) -> Option<(Kind, usize, usize, usize)> {
    let length = rest.get(1..)?.find(|c| !is_name(c))?;
    let tag = rest.get(..length + 2).filter(|tag| tag.ends_with('$'))?;
    let text = rest.get(tag.len()..)?;
    let kind = Kind::Text(Escapes::None);
    Some(match text.find(tag) {
        Some(inside) => (kind, tag.len(), inside, tag.len()),
        None => (kind, tag.len(), text.len(), 0),
    })
}

/// A comment with the comments inside it.
fn comment(rest: &str) -> (Kind, usize, usize, usize) {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return (Kind::Comment, 2, at - 4, 2);
        }
    }
    (Kind::Comment, 2, bytes.len() - 2, 0)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// What a name may consist of, after its first character also `$`. PostgreSQL takes every character beyond ASCII.
pub fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each piece that is not blank, with a letter for its kind.
    fn shown(statement: &str, quotes: Quotes) -> String {
        let shown = pieces(statement, quotes).filter(|piece| piece.kind != Kind::Blank).map(|piece| {
            let kind = match piece.kind {
                Kind::Blank => 'B',
                Kind::Comment => 'C',
                Kind::Word => 'W',
                Kind::Name(_) => 'N',
                Kind::Text(_) => 'T',
                Kind::Parameter => 'P',
                Kind::Number => 'D',
                Kind::Sign => 'S',
            };
            format!("{kind}<{}>{}", piece.inside(), if piece.is_open() { "..." } else { "" })
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn statements_are_split_as_the_server_splits_them() {
        for (statement, split) in [
            ("select a.B", "W<select> W<a> S<.> W<B>"),
            ("'a''b' \"x\"\"Y\"", "T<a''b> N<x\"\"Y>"),
            ("e'a\\'b' E'' b'1' X'f' n'x' u&'\\0041'", "T<a\\'b> T<> T<1> T<f> T<x> T<\\0041>"),
            ("U&\"\\0061\"", "N<\\0061>"),
            ("$x$a $y$ b$x$ $$it's$$ $é$x$é$", "T<a $y$ b> T<it's> T<x>"),
            ("a$b$c $1 $12x $ $+", "W<a$b$c> P<$1> P<$12> W<x> S<$> S<$> S<+>"),
            ("/* a /* nested */ comment */ -- rest\rx", "C< a /* nested */ comment > C< rest> W<x>"),
            ("1.5e'x' 12", "D<1> S<.> D<5> T<x> D<12>"),
            ("élan 日本1", "W<élan> W<日本1>"),
            ("'a\\' b '", "T<a\\> W<b> T<>..."),
            ("'open''", "T<open''>..."),
            ("E'open\\", "T<open\\>..."),
            ("\"open", "N<open>..."),
            ("/* open /* */", "C< open /* */>..."),
            ("$a$ open $a", "T< open $a>..."),
            ("/*/ */", "C</ >"),
            ("$a", "S<$> W<a>"),
            ("", ""),
        ] {
            assert_eq!(shown(statement, Quotes::Standard), split, "{statement}");
        }
        assert_eq!(shown("'a\\' b ' n'\\'", Quotes::Backslashes), "T<a\\' b > T<\\'>...");
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_piece(
            text in "(select|E'|U&\"|u&'|'|\"|\\$x?\\$|\\$1|\\\\|/\\*|\\*/|--|\n|é|;|\\(| |1){0,40}|\\PC{0,40}",
        ) {
            for quotes in [Quotes::Standard, Quotes::Backslashes] {
                let mut end = 0;
                for piece in pieces(&text, quotes) {
                    prop_assert!(!piece.source.is_empty());
                    prop_assert_eq!(piece.at, end);
                    prop_assert!(piece.source.contains(piece.inside()));
                    end = piece.end();
                    prop_assert_eq!(text.get(piece.range()), Some(piece.source));
                }
                prop_assert_eq!(end, text.len());
            }
        }
    }
}
