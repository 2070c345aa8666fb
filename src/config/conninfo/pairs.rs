//! The `host=db.example port=5432` form: blanks, single quotes and backslashes as libpq reads them.

use super::setting::{ConnInfoError, Setting};

/// Splits a text into its settings.
pub(super) fn split(text: &str) -> Result<Vec<Setting>, ConnInfoError> {
    let mut settings = Vec::new();
    let mut chars = text.char_indices().peekable();
    loop {
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some(&(offset, _)) = chars.peek() else { return Ok(settings) };
        let mut keyword = String::new();
        while let Some((_, c)) = chars.next_if(|(_, c)| *c != '=' && !c.is_whitespace()) {
            keyword.push(c);
        }
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        // The message does not repeat the word: it may be the second half of a password with a blank in it.
        if chars.next_if(|(_, c)| *c == '=').is_none() {
            let message = "expected = after this word; a value with blanks needs single quotes, as in password='a b'";
            return Err(ConnInfoError::new(offset, message));
        }
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let value = match chars.next_if(|(_, c)| *c == '\'') {
            Some((quote, _)) => quoted(&mut chars, quote)?,
            None => plain(&mut chars),
        };
        settings.push(Setting { keyword, value, offset });
    }
}

type Chars<'text> = std::iter::Peekable<std::str::CharIndices<'text>>;

fn plain(chars: &mut Chars<'_>) -> String {
    let mut value = String::new();
    while let Some((_, c)) = chars.next_if(|(_, c)| !c.is_whitespace()) {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    value
}

/// The value after an opening quote at `start`.
fn quoted(chars: &mut Chars<'_>, start: usize) -> Result<String, ConnInfoError> {
    let mut value = String::new();
    while let Some((_, c)) = chars.next() {
        match c {
            '\'' => return Ok(value),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    Err(ConnInfoError::new(start, "a quote is not closed"))
}
