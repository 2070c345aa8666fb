//! Text for a terminal: foreign text made safe, cut, padded and wrapped by width. The dashboard and the `table`
//! output both write through this file.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::SystemTime;

use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::model::figures::{
    UNKNOWN, age, bytes, compact, count, count_within, duration, number_within, percent, period, rate,
};

/// Combining marks that are shown on one letter. Further ones (a text made to spill over its neighbours) are shown as
/// escapes.
const MAX_MARKS: usize = 3;

/// The text with escapes (`\n`, `\x1b`, `\u202e`) for everything that a terminal would interpret or hide. The width of
/// the result is the sum of the widths of its characters on every terminal, including those that do not know graphemes.
pub fn safe(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for grapheme in text.graphemes(true) {
        // An emoji that is joined from several characters, such as a hand and its colour, is shown as two by terminals
        // that do not know it.
        let joined = grapheme.width() != grapheme.chars().filter_map(UnicodeWidthChar::width).sum::<usize>();
        // How many marks the letter has. `None` if there is no letter, as the mark would then be drawn on the border of
        // a pane.
        let mut marks = None;
        for c in grapheme.chars() {
            let shown = match (c.width(), marks) {
                (Some(0), marks) => marks.is_some_and(|marks| marks < MAX_MARKS),
                (_, marks) => marks.is_none() || !joined,
            };
            if shown && !is_obeyed_or_hidden(c) {
                out.push(c);
                marks = Some(if c.width() == Some(0) { marks.unwrap_or(0) + 1 } else { 0 });
            } else {
                escape(&mut out, c);
                marks = None;
            }
        }
    }
    Cow::Owned(out)
}

fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        _ if code <= 0xff => write!(out, "\\x{code:02x}"),
        _ if code <= 0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Control characters, line separators, format characters (including bidirectional ones), characters without a glyph,
/// private use, and characters whose width depends on the terminal: variation selectors, emoji modifiers, halfwidth
/// sound marks, characters of three columns.
fn is_obeyed_or_hidden(c: char) -> bool {
    c.is_control()
        || c.width() > Some(2)
        || matches!(u32::from(c),
            0x00ad | 0x034f | 0x0600..=0x0605 | 0x061c | 0x06dd | 0x070f | 0x0890..=0x0891 | 0x08e2
            | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
            | 0x2060..=0x206f | 0x2d7f | 0x3164 | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfe00..=0xfe0f | 0xfeff
            | 0xff9e..=0xffa0 | 0xfff0..=0xfffb | 0xfffe..=0xffff | 0x110bd | 0x110cd | 0x13430..=0x1345f
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0x1f3fb..=0x1f3ff | 0xe0000..=0x10_ffff)
}

/// The visible rows and their total: `1–35 of 2,004`; empty if all are visible.
pub(crate) fn part(seen: &Range<usize>, len: usize) -> String {
    let [first, last, all] = [seen.start + 1, seen.end, len].map(|number| count(number as u64));
    if seen.len() < len { format!("{first}–{last} of {all}") } else { String::new() }
}

/// The width of a text in columns, summed over its characters as the screen and terminals do.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().filter_map(UnicodeWidthChar::width).sum() }
}

/// Splits a safe text into the content of single cells, each with its width: a character with its marks. A flag, or two
/// letters in a ligature, are two pieces: a terminal that shows them as two would keep half of them if only one cell
/// were rewritten.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices();
        let (_, first) = chars.next()?;
        let end = chars.find(|(_, c)| c.width() != Some(0)).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        Some((piece, first.width().unwrap_or(0)))
    })
}

/// The text made safe and cut to `columns`, with `…` if something was cut. A text of 10 MB costs no more than the part
/// that is shown.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    let text = safe(prefix(text, (columns + 2) * (MAX_MARKS + 1)));
    if width(&text) <= columns {
        return text;
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let mut out = String::with_capacity(columns * 2 + 3);
    let mut used = 0;
    for (piece, columns) in pieces(&text) {
        used += columns;
        if used > room {
            break;
        }
        out.push_str(piece);
    }
    out.push('…');
    Cow::Owned(out)
}

/// At most the first `chars` characters.
fn prefix(text: &str, chars: usize) -> &str {
    if text.len() <= chars {
        return text;
    }
    text.char_indices().nth(chars).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// [`fit`], then padded with blanks to exactly `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns).into_owned();
    let missing = columns.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// [`fit`], then padded on the left to exactly `columns`.
pub fn pad_left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let mut out = " ".repeat(columns.saturating_sub(width(&text)));
    out.push_str(&text);
    out
}

/// The text made safe and broken into lines of at most `columns`, at blanks if possible. Line breaks are kept.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let paragraph = safe(paragraph);
        if width(&paragraph) <= columns {
            lines.push(paragraph.trim_end().to_owned());
            continue;
        }
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_inclusive(' ') {
            let bare = if word.is_ascii() { word.trim_end().len() } else { width(word.trim_end()) };
            if used > 0 && used + bare > columns {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                used = 0;
            }
            // Most words: their characters are one column each.
            if word.is_ascii() && used + word.len() <= columns {
                line.push_str(word);
                used += word.len();
                continue;
            }
            for (piece, wide) in pieces(word) {
                if used > 0 && used + wide > columns && piece != " " {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                if wide <= columns {
                    line.push_str(piece);
                    used += wide;
                }
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The time of day in a zone, `14:03:08`, or `22 Nov` if it is not the day of `now`. At most 8 columns.
pub fn clock(at: SystemTime, now: SystemTime, zone: &TimeZone) -> String {
    let zoned = |time| jiff::Timestamp::try_from(time).ok().map(|stamp| stamp.to_zoned(zone.clone()));
    let Some(at) = zoned(at) else { return UNKNOWN.to_owned() };
    let format = if zoned(now).is_some_and(|now| now.date() == at.date()) { "%H:%M:%S" } else { "%e %b" };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::CellWidth;

    use std::time::Duration;

    use super::*;

    #[test]
    fn server_text_is_shown_not_obeyed() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\x1b]0;pwned\x07", "\\x1b]0;pwned\\x07"),
            ("a\tb\r\nc", "a\\tb\\r\\nc"),
            ("\u{9b}31m\u{7f}", "\\x9b31m\\x7f"),
            ("\u{202e}evil\u{2069}", "\\u202eevil\\u2069"),
            ("a\u{200b}b\u{feff}", "a\\u200bb\\ufeff"),
            ("\u{2028}\u{ad}\u{e000}", "\\u2028\\xad\\ue000"),
            ("\u{e0041}", "\\U000e0041"),
            ("日本 é e\u{301} ä", "日本 é e\u{301} ä"),
            ("a\u{301}\u{301}\u{301}\u{301}", "a\u{301}\u{301}\u{301}\\u0301"),
            ("\u{301}a", "\\u0301a"),
            ("a\u{200d}\u{301}", "a\\u200d\\u0301"),
            ("👍🏽 👩\u{200d}👧 🇩🇪", "👍\\U0001f3fd 👩\\u200d👧 🇩🇪"),
            ("❤\u{fe0f}", "❤\\ufe0f"),
            ("ក\u{17d2}ក क\u{94d}ष", "ក\u{17d2}\\u1780 क\u{94d}ष"),
            ("ｶ\u{ff9e}", "ｶ\\uff9e"),
        ] {
            assert_eq!(safe(text), shown);
        }
    }

    #[test]
    fn cut_by_width_not_by_bytes() {
        assert_eq!(fit("connection", 10), "connection");
        assert_eq!(fit("connection", 9), "connecti…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("ab", 1), "…");
        assert_eq!(fit("ab", 0), "");
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!(pad_left("12", 4), "  12");
        assert_eq!(wrap("one two three\nfour", 8), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn another_day_is_named() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(50_588);
        let tomorrow = at + Duration::from_hours(24);
        assert_eq!(clock(at, at, &TimeZone::UTC), "14:03:08");
        assert_eq!(clock(at, tomorrow, &TimeZone::UTC), " 1 Jan");
    }

    /// True if the screen's buffer, a terminal and we agree on the width of each piece.
    fn all_agree(text: &str) -> bool {
        pieces(text).all(|(piece, columns)| {
            columns > 0 && usize::from(piece.cell_width()) == columns && UnicodeWidthStr::width(piece) == columns
        })
    }

    /// Every character, between two letters: columns stay aligned on the screen and in a terminal.
    #[test]
    fn all_agree_how_wide_each_character_is() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = safe(&format!("x{c}y")).into_owned();
            assert!(all_agree(&text), "{c:?} as {text:?}");
        }
    }

    /// Characters that join, hide or spill over, in any order.
    fn spoiled() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[ -~]{1,3}",
            "[\u{300}-\u{36f}\u{1100}-\u{11ff}\u{1f1e6}-\u{1f1ff}\u{1f466}-\u{1f469}\u{1f3fb}-\u{1f3ff}\u{200b}-\u{200f}\
              \u{fe00}-\u{fe0f}\u{e0020}-\u{e007f}\u{1780}-\u{17d3}\u{900}-\u{950}\u{d4e}\u{110c2}\u{ff76}\u{ff9e}]{1,4}",
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_obeyed_comes_out(text in spoiled()) {
            let safe = safe(&text);
            prop_assert!(!safe.chars().any(is_obeyed_or_hidden));
            prop_assert!(all_agree(&safe), "{:?}", safe);
            prop_assert_eq!(&super::safe(&safe), &safe, "a text made safe twice is the same");
        }

        #[test]
        fn the_width_is_kept(text in spoiled(), columns in 0_usize..40) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
            prop_assert_eq!(width(&pad(&text, columns)), columns);
            prop_assert!(wrap(&text, columns).iter().all(|line| width(line) <= columns.max(1)));
        }
    }
}
