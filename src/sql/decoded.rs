//! The inside of a text or a name as the server understands it, with the way back to the bytes as they are written.

use std::ops::Range;

use super::words::{Escapes, Kind, Piece};

/// A decoded text. An escape that stands for no character becomes U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// For each byte of `text`, and for its end, the byte of the statement at which its character is written.
    written: Vec<usize>,
}

impl Decoded {
    /// Decodes what is between the quotes of a text or a name; the inside of a comment stays as it is.
    pub(super) fn of(piece: &Piece<'_>) -> Self {
        let (escapes, quote) = match piece.kind {
            Kind::Text(escapes) => (escapes, '\''),
            Kind::Name(escapes) => (escapes, '"'),
            _ => (Escapes::None, '\''),
        };
        let mut decoded = Self::default();
        let (mut rest, mut at) = (piece.inside(), piece.inside_at());
        while let Some(first) = rest.chars().next() {
            let (character, length) = match (escapes, first) {
                (Escapes::None, _) => (first, first.len_utf8()),
                (Escapes::Backslash, '\\') => backslash(rest),
                (Escapes::Unicode, '\\') => unicode(rest),
                _ if first == quote => (quote, 2),
                _ => (first, first.len_utf8()),
            };
            // The escape that a text was cut off in may have been a longer one.
            let is_cut = length > first.len_utf8() && length >= rest.len() && piece.is_open();
            decoded.push(if is_cut { char::REPLACEMENT_CHARACTER } else { character }, at);
            at += length.min(rest.len());
            rest = rest.get(length..).unwrap_or_default();
        }
        decoded.written.push(at);
        decoded
    }

    fn push(&mut self, character: char, at: usize) {
        self.text.push(character);
        self.written.resize(self.text.len(), at);
    }

    /// Where a part of the text is written in the statement.
    pub(super) fn written(&self, part: &Range<usize>) -> Range<usize> {
        let at = |byte: usize| self.written.get(byte).or(self.written.last()).copied().unwrap_or_default();
        at(part.start)..at(part.end)
    }
}

/// An escape of `E'...'`: its character and its bytes.
fn backslash(rest: &str) -> (char, usize) {
    let Some(second) = rest.chars().nth(1) else { return ('\\', 1) };
    match second {
        'b' => ('\u{8}', 2),
        'f' => ('\u{c}', 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        't' => ('\t', 2),
        'x' => code(rest, 2, 1..=2, 16).unwrap_or((second, 2)),
        'u' => code(rest, 2, 4..=4, 16).unwrap_or((second, 2)),
        'U' => code(rest, 2, 8..=8, 16).unwrap_or((second, 2)),
        '0'..='7' => code(rest, 1, 1..=3, 8).unwrap_or((second, 2)),
        _ => (second, 1 + second.len_utf8()),
    }
}

/// An escape of `U&'...'`: its character and its bytes.
fn unicode(rest: &str) -> (char, usize) {
    let escape = if rest.starts_with("\\+") { code(rest, 2, 6..=6, 16) } else { code(rest, 1, 4..=4, 16) };
    escape.unwrap_or(('\\', if rest.starts_with("\\\\") { 2 } else { 1 }))
}

/// The character that digits from byte `from` on name, and the bytes up to the last of them.
fn code(rest: &str, from: usize, digits: std::ops::RangeInclusive<usize>, radix: u32) -> Option<(char, usize)> {
    let number: String = rest.get(from..)?.chars().take(*digits.end()).take_while(|c| c.is_digit(radix)).collect();
    let number = Some(number).filter(|number| digits.contains(&number.len()))?;
    let code = u32::from_str_radix(&number, radix).ok()?;
    Some((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), from + number.len()))
}

#[cfg(test)]
mod tests {
    use super::super::words::{Quotes, pieces};
    use super::*;

    #[test]
    fn texts_are_decoded_and_found_again() {
        for (source, text, part, written) in [
            ("'it''s'", "it's", "'", "''"),
            (r"'a\'", r"a\", r"\", r"\"),
            (r"E'a\'b''c\x41\101\u00e9\n\é'", "a'b'cAAé\né", "é", r"\u00e9"),
            (r"U&'\0041\+00004A\\x\'", r"AJ\x\", "J", r"\+00004A"),
            ("$x$a''b$x$", "a''b", "''", "''"),
            ("\"a\"\"b\"", "a\"b", "\"", "\"\""),
            ("'open''s", "open's", "'", "''"),
            (r"E'open\", r"open\", r"\", r"\"),
            (r"E'open\13", "open\u{fffd}", "\u{fffd}", r"\13"),
            ("''", "", "", ""),
        ] {
            let piece = pieces(source, Quotes::Standard).next().unwrap();
            let decoded = Decoded::of(&piece);
            assert_eq!(decoded.text, text, "{source}");
            let at = text.find(part).unwrap();
            assert_eq!(source.get(decoded.written(&(at..at + part.len()))), Some(written), "{source}");
        }
    }
}
