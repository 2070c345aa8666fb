//! What a program wrote to a terminal, split as a terminal does it, and the parts that none of our screens may write.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// What Unicode calls a control, a format character, private, a line separator, or ignorable if unknown.
const HIDDEN: &str = r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]";

/// Modes of a terminal that we switch: cursor, mouse, alternate screen, bracketed paste, synchronized output.
const MODES: [&str; 9] = ["?25", "?1000", "?1002", "?1003", "?1006", "?1015", "?1049", "?2004", "?2026"];

/// True if a terminal obeys the character, or shows nothing for it.
pub fn is_hidden(c: char) -> bool {
    static RANGES: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
        let hir = regex_syntax::parse(HIDDEN).expect("a class");
        let HirKind::Class(Class::Unicode(class)) = hir.kind() else { panic!("no class: {hir:?}") };
        class.ranges().iter().map(|range| (range.start(), range.end())).collect()
    });
    RANGES.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Everything in the bytes that is neither visible text nor one of our own sequences, each with the text after it.
pub fn foreign(bytes: &[u8]) -> Vec<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return vec![format!("bytes that are no UTF-8 at {}", error.valid_up_to())],
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c == '\x1b' { sequence(rest) } else { c.len_utf8() };
        let (piece, after) = rest.split_at(length);
        if !is_ours(piece) {
            let after: String = after.chars().take(20).collect();
            found.push(format!("{piece:?} before {after:?}"));
        }
        rest = after;
    }
    found
}

/// What was copied to the clipboard with OSC 52, one text per copy.
pub fn clipboard(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let parts = text.split("\x1b]52;c;").skip(1);
    let encoded = parts.filter_map(|part| part.split(['\x07', '\x1b']).next());
    encoded
        .map(|encoded| String::from_utf8(openssl::base64::decode_block(encoded).expect("base64")).expect("UTF-8"))
        .collect()
}

/// The length of the sequence at the start of the text.
fn sequence(text: &str) -> usize {
    let Some(kind) = text.chars().nth(1) else { return text.len() };
    let end = match kind {
        '[' => text.char_indices().skip(2).find(|(_, c)| ('@'..='~').contains(c)).map(|(at, _)| at + 1),
        ']' | 'P' | '_' | '^' | 'X' => {
            let bell = text.find('\x07').map(|at| at + 1);
            let terminator = text.find("\x1b\\").map(|at| at + 2);
            bell.into_iter().chain(terminator).min()
        }
        kind => Some(1 + kind.len_utf8()),
    };
    end.unwrap_or(text.len())
}

fn is_ours(piece: &str) -> bool {
    if let Some(rest) = piece.strip_prefix("\x1b[") {
        let (parameters, last) = rest.split_at(rest.len().saturating_sub(1));
        let plain = parameters.chars().all(|c| c.is_ascii_digit() || c == ';');
        return match last {
            "m" | "H" | "G" | "d" | "C" | "P" | "@" | "J" | "K" => plain,
            "h" | "l" => MODES.contains(&parameters),
            _ => false,
        };
    }
    if let Some(rest) = piece.strip_prefix("\x1b]52;c;") {
        let encoded = rest.strip_suffix("\x1b\\").or_else(|| rest.strip_suffix('\x07')).unwrap_or("!");
        return encoded.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
    }
    !piece.chars().any(is_hidden)
}
