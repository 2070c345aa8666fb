//! SQL as words: what a typed line begins, whether it would leave read-only mode, whether it does something that no
//! rollback undoes, whether `EXPLAIN` may take it, and the secrets in it. All of it reads one lexer ([`words`]), also
//! statements that are half typed or cut off.
//!
//! None of this is a safeguard. What keeps a read-only node read-only is the server's `BEGIN READ ONLY` and the rights of
//! the role; a function can hide anything.

pub mod acts;
pub mod plan;
pub mod read_only;
pub mod secrets;
pub mod verbs;
pub mod words;

use std::borrow::Cow;

use words::{Escapes, Kind, Piece, Pieces, Quotes, pieces};

/// One word or sign of a statement. Comments and blanks are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// A key word or an unquoted name, in lower case.
    Word(String),
    /// A name in double quotes, as it is written between them.
    Name(String),
    /// A name with Unicode escapes (`U&"..."`), which are not decoded.
    EscapedName,
    /// The text between quotes of any kind.
    Text(Cow<'a, str>),
    /// A text whose escapes (`E'\x41'`, `U&'\0041'`) are not decoded.
    EscapedText,
    /// `$1`.
    Parameter,
    /// Anything else, a character at a time: `(`, `;`, `=`. Of a number, its first digit.
    Sign(char),
}

impl Token<'_> {
    /// The key word or unquoted name; empty for any other token.
    pub fn word(&self) -> &str {
        if let Self::Word(word) = self { word } else { "" }
    }

    /// True for this sign.
    pub fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// The tokens of a statement.
#[derive(Debug, Clone)]
pub struct Tokens<'a>(Pieces<'a>);

/// Reads a statement as a server with the default settings does.
pub fn tokens(statement: &str) -> Tokens<'_> {
    tokens_in(statement, Quotes::Standard)
}

/// Reads a statement as a server does that reads `\` in plain texts like this.
pub fn tokens_in(statement: &str, quotes: Quotes) -> Tokens<'_> {
    Tokens(pieces(statement, quotes))
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.0.by_ref().find_map(token)
    }
}

/// The statement, one of ours and written for `standard_conforming_strings = on`, as every server reads it: a plain text
/// with `\\` in it becomes one with escapes.
pub fn with_escapes(statement: &str) -> Cow<'_, str> {
    if !statement.contains('\\') {
        return statement.into();
    }
    let escaped = |piece: Piece<'_>| {
        let is_plain = piece.kind == Kind::Text(Escapes::Doubled) && piece.source.starts_with('\'');
        if is_plain && piece.source.contains('\\') {
            format!(" E{}", piece.source.replace('\\', "\\\\"))
        } else {
            piece.source.to_owned()
        }
    };
    pieces(statement, Quotes::Standard).map(escaped).collect::<String>().into()
}

/// True if there is one statement in the text, however a server reads `\\` in plain texts.
pub fn is_single(text: &str) -> bool {
    words::readings(text).all(|quotes| {
        let mut tokens = tokens_in(text, quotes).skip_while(|token| !token.is(';'));
        tokens.all(|token| token.is(';'))
    })
}

/// The token of a piece; `None` for a blank and a comment.
fn token(piece: Piece<'_>) -> Option<Token<'_>> {
    let inside = piece.inside();
    Some(match piece.kind {
        Kind::Blank | Kind::Comment => return None,
        Kind::Word => Token::Word(inside.to_ascii_lowercase()),
        Kind::Name(Escapes::Unicode) => Token::EscapedName,
        Kind::Name(_) => Token::Name(single(inside, "\"\"", "\"").into_owned()),
        Kind::Text(Escapes::Backslash | Escapes::Unicode) if inside.contains('\\') => Token::EscapedText,
        Kind::Text(Escapes::None) => Token::Text(inside.into()),
        Kind::Text(_) => Token::Text(single(inside, "''", "'")),
        Kind::Parameter => Token::Parameter,
        Kind::Number | Kind::Sign => Token::Sign(inside.chars().next()?),
    })
}

/// The text with each doubled quote as one.
fn single<'a>(inside: &'a str, doubled: &str, quote: &str) -> Cow<'a, str> {
    if inside.contains(doubled) { inside.replace(doubled, quote).into() } else { inside.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A token as a short text: words as they are, names in `"`, texts in `'`.
    fn shown(statement: &str) -> String {
        let shown = tokens(statement).map(|token| match token {
            Token::Word(word) => word,
            Token::Name(name) => format!("\"{name}\""),
            Token::EscapedName => "U&\"\"".to_owned(),
            Token::Text(text) => format!("'{text}'"),
            Token::EscapedText => "E''".to_owned(),
            Token::Parameter => "$1".to_owned(),
            Token::Sign(sign) => sign.to_string(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn statements_are_read_as_the_server_reads_them() {
        for (statement, read) in [
            ("SELECT a.B", "select a . b"),
            ("select 'a''b' , \"x\"\"Y\"", "select 'a'b' , \"x\"Y\""),
            ("select /* a /* nested */ comment */ 1", "select 1"),
            ("select 1 -- the rest\rfrom t", "select 1 from t"),
            ("select $x$a $y$ b$x$ , $$it's$$", "select 'a $y$ b' , 'it's'"),
            ("select $1, a$b$c", "select $1 , a$b$c"),
            ("select e'a\\'b', E'plain', u&'\\0041', U&'plain'", "select E'' , 'plain' , E'' , 'plain'"),
            ("select U&\"\\0061\" , n'x', b'1'", "select U&\"\" , 'x' , '1'"),
            ("select 'a\\', f()", "select 'a\\' , f ( )"),
            ("select élan", "select élan"),
            ("select 'not closed", "select 'not closed'"),
            ("select \"not closed", "select \"not closed\""),
            ("/* not closed", ""),
            ("select $a$ not closed", "select ' not closed'"),
        ] {
            assert_eq!(shown(statement), read, "{statement}");
        }
    }

    #[test]
    fn texts_are_read_alike_whatever_a_backslash_means() {
        for (statement, escaped) in [
            ("select 'a', \"b\\\"", "select 'a', \"b\\\""),
            ("select a ~ '^\\d'", "select a ~  E'^\\\\d'"),
            ("select a like'x\\_''%'", "select a like E'x\\\\_''%'"),
            ("select e'\\t', $$\\$$, U&'\\0041' -- '\\'", "select e'\\t', $$\\$$, U&'\\0041' -- '\\'"),
        ] {
            assert_eq!(with_escapes(statement), escaped);
        }
    }

    #[test]
    fn several_statements_are_told_from_one() {
        for (text, single) in [
            ("select 1", true),
            ("select 1;", true),
            ("select 1 ; -- the end", true),
            ("select ';', \";\", $$;$$ /* ; */", true),
            ("select 1; select 2", false),
            ("select 1; commit; delete from t", false),
            ("select 'a\\', '; commit; delete from t; --'", false),
            ("select 'a\\'; commit; --'", false),
            ("", true),
        ] {
            assert_eq!(is_single(text), single, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_to_its_end(text in "(select|E'|U&\"|'|\"|\\$x?\\$|\\\\|/\\*|\\*/|--|\n|é|;|\\(| ){0,40}|\\PC{0,40}") {
            prop_assert!(tokens(&text).count() <= text.len());
            let _ = acts::acts(&text);
            let _ = verbs::begins(&text);
            let _ = read_only::leaves(&text);
        }
    }
}
