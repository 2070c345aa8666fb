//! SQL as words, for courtesies of the dashboard: what a line begins, whether it would leave read-only mode, whether it
//! does something that no rollback undoes. It reads what people type, half of it too, and refuses nothing.
//!
//! None of this is a safety. What keeps a read-only node read-only is the server's `BEGIN READ ONLY` and the rights of
//! the role; a function can hide anything.

pub mod acts;
pub mod plan;
pub mod read_only;
pub mod verbs;

use std::borrow::Cow;

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
    /// Anything else, a character at a time: `(`, `;`, `1`, `=`.
    Sign(char),
}

impl Token<'_> {
    /// The key word or unquoted name, else nothing.
    pub fn word(&self) -> &str {
        if let Self::Word(word) = self { word } else { "" }
    }

    pub fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// The tokens of a statement.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    rest: &'a str,
    /// `\` escapes a quote in plain texts too: `standard_conforming_strings` is off.
    backslashes: bool,
}

/// Reads a statement as every server of today does.
pub fn tokens(statement: &str) -> Tokens<'_> {
    Tokens { rest: statement, backslashes: false }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let first = self.rest.chars().next()?;
        let after = self.rest.get(first.len_utf8()..).unwrap_or_default();
        let prefixed = |letters: [char; 2], quote: char| letters.contains(&first) && after.starts_with(quote);
        if first == '\'' {
            self.take(1);
            return Some(self.text(self.backslashes));
        }
        if prefixed(['e', 'E'], '\'') {
            self.take(2);
            return Some(self.text(true));
        }
        if prefixed(['b', 'B'], '\'') || prefixed(['x', 'X'], '\'') || prefixed(['n', 'N'], '\'') {
            self.take(2);
            return Some(self.text(self.backslashes));
        }
        if matches!(first, 'u' | 'U') && after.starts_with("&'") {
            self.take(3);
            return Some(match self.text(false) {
                Token::Text(text) if text.contains('\\') => Token::EscapedText,
                text => text,
            });
        }
        if matches!(first, 'u' | 'U') && after.starts_with("&\"") {
            self.take(3);
            self.quoted('"');
            return Some(Token::EscapedName);
        }
        if first == '"' {
            self.take(1);
            return Some(Token::Name(self.quoted('"').into_owned()));
        }
        if first == '$'
            && let Some(text) = self.dollars()
        {
            return Some(Token::Text(text.into()));
        }
        if is_name(first) && !first.is_ascii_digit() {
            let end = self.rest.find(|c| !is_name(c) && c != '$').unwrap_or(self.rest.len());
            return Some(Token::Word(self.take(end).to_ascii_lowercase()));
        }
        self.take(first.len_utf8());
        Some(Token::Sign(first))
    }
}

impl<'a> Tokens<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
            if self.rest.starts_with("--") {
                self.take(self.rest.find(['\n', '\r']).unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.take(comment_length(self.rest));
            } else {
                return;
            }
        }
    }

    /// A text up to its closing quote, or to the end while that is not typed yet.
    fn text(&mut self, escapes: bool) -> Token<'a> {
        if !escapes {
            return Token::Text(self.quoted('\''));
        }
        let (mut end, mut undecoded) = (self.rest.len(), false);
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                undecoded = true;
                chars.next();
            } else if c == '\'' && chars.next_if(|(_, next)| *next == '\'').is_none() {
                end = at;
                break;
            }
        }
        let text = self.take(end);
        self.take(1);
        if undecoded { Token::EscapedText } else { Token::Text(text.replace("''", "'").into()) }
    }

    /// What stands before the closing quote; a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Cow<'a, str> {
        let mut from = 0;
        let end = loop {
            let Some(at) = self.rest.get(from..).and_then(|rest| rest.find(quote)).map(|at| from + at) else {
                break self.rest.len();
            };
            if !self.rest.get(at + 1..).unwrap_or_default().starts_with(quote) {
                break at;
            }
            from = at + 2;
        };
        let text = self.take(end);
        self.take(1);
        let doubled = [quote; 2].iter().collect::<String>();
        if from == 0 { text.into() } else { text.replace(&doubled, quote.encode_utf8(&mut [0; 4])).into() }
    }

    /// A text between `$tag$` and `$tag$`; `None` where that `$` begins none.
    fn dollars(&mut self) -> Option<&'a str> {
        let tag = self.rest.get(1..)?;
        let tag = tag.get(..tag.find('$')?)?;
        if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(is_name) {
            return None;
        }
        let quote = self.take(tag.len() + 2);
        let text = self.take(self.rest.find(quote).unwrap_or(self.rest.len()));
        self.take(quote.len());
        Some(text)
    }
}

/// What a name may consist of. PostgreSQL takes every character beyond ASCII.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// Bytes of the comment that `text` begins with; comments nest.
fn comment_length(text: &str) -> usize {
    let bytes = text.as_bytes();
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
            return at;
        }
    }
    bytes.len()
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
            ("select $1, a$b$c", "select $ 1 , a$b$c"),
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
