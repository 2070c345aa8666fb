//! One line of text, with a cursor that moves by graphemes: what a person sees as one character.

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;

use crate::app::{Key, KeyCode};

/// The line and its cursor. `Debug` hides the text, because it may be a password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Input {
    text: String,
    /// The byte offset of the cursor in `text`, always between two graphemes.
    cursor: usize,
    /// The number of bytes before the cursor that the next letter replaces. Any other key keeps them.
    selected: usize,
}

impl Input {
    /// A line with the cursor at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text, selected: 0 }
    }

    /// A line with the cursor at that byte, or at the next grapheme boundary after it.
    pub(in crate::app) fn at(text: String, cursor: usize) -> Self {
        Self { cursor: boundary_from(&text, cursor), text, selected: 0 }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if there is no text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text before the cursor, and the text after it.
    pub fn halves(&self) -> (&str, &str) {
        self.text.split_at_checked(self.cursor).unwrap_or((&self.text, ""))
    }

    /// The number of graphemes before the cursor.
    pub fn column(&self) -> usize {
        self.halves().0.graphemes(true).count()
    }

    /// Replaces the text and puts the cursor at its end.
    pub fn set(&mut self, text: impl Into<String>) {
        *self = Self::new(text);
    }

    /// Inserts text that the next letter replaces.
    pub(in crate::app) fn insert_selected(&mut self, text: &str) {
        let before = self.cursor;
        self.insert(text);
        self.selected = self.cursor - before;
    }

    /// The bytes that are selected.
    pub fn selection(&self) -> std::ops::Range<usize> {
        self.cursor - self.selected..self.cursor
    }

    /// Inserts text at the cursor, in place of the selection. Line breaks and other control characters become blanks.
    pub fn insert(&mut self, text: &str) {
        let selected = std::mem::take(&mut self.selected);
        self.cut(self.cursor - selected, self.cursor);
        let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let at = self.halves().0.len();
        self.text.insert_str(at, &flat);
        self.cursor = at + flat.len();
        // A combining mark joins the character before it, and the cursor must not be between the two.
        self.cursor = boundary_from(&self.text, self.cursor);
    }

    /// Handles an editing key; returns `false` for a key that edits nothing.
    pub fn key(&mut self, key: Key) -> bool {
        let deletes = matches!(key.code, KeyCode::Backspace | KeyCode::Delete);
        if deletes && self.selected > 0 {
            self.insert("");
            return true;
        }
        if !matches!(key.code, KeyCode::Char(_)) || key.ctrl || key.alt {
            self.selected = 0;
        }
        let (before, after) = self.halves();
        let (at, previous) = (before.len(), last_len(before));
        match (key.code, key.ctrl) {
            (KeyCode::Char(c), false) if !key.alt => self.insert(c.encode_utf8(&mut [0; 4])),
            (KeyCode::Left, _) | (KeyCode::Char('b'), true) => self.cursor = at - previous,
            (KeyCode::Right, _) | (KeyCode::Char('f'), true) => self.cursor = at + first_len(after),
            (KeyCode::Home, _) | (KeyCode::Char('a'), true) => self.cursor = 0,
            (KeyCode::End, _) | (KeyCode::Char('e'), true) => self.cursor = self.text.len(),
            (KeyCode::Backspace, false) | (KeyCode::Char('h'), true) => self.cut(at - previous, at),
            (KeyCode::Delete, _) | (KeyCode::Char('d'), true) => self.cut(at, at + first_len(after)),
            (KeyCode::Char('w') | KeyCode::Backspace, true) => self.cut(word_start(before), at),
            (KeyCode::Char('u'), true) => self.cut(0, at),
            (KeyCode::Char('k'), true) => self.text.truncate(at),
            _ => return false,
        }
        true
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = boundary_from(&self.text, from);
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("length", &self.text.len()).finish_non_exhaustive()
    }
}

fn last_len(text: &str) -> usize {
    text.graphemes(true).next_back().map_or(0, str::len)
}

fn first_len(text: &str) -> usize {
    text.graphemes(true).next().map_or(0, str::len)
}

/// The first grapheme boundary at or after `at`.
fn boundary_from(text: &str, at: usize) -> usize {
    text.grapheme_indices(true).map(|(start, _)| start).find(|start| *start >= at).unwrap_or(text.len())
}

fn word_start(before: &str) -> usize {
    let trimmed = before.trim_end();
    trimmed.rfind(char::is_whitespace).map_or(0, |at| at + trimmed.get(at..).map_or(0, first_len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(keys: &str) -> Input {
        let mut input = Input::default();
        for key in Key::sequence(keys) {
            input.key(key);
        }
        input
    }

    #[test]
    fn editing_keys() {
        for (keys, before, after) in [
            ("abc", "abc", ""),
            ("abc<left><left>X", "aX", "bc"),
            ("abc<home><delete>", "", "bc"),
            ("ab cd<ctrl-w>", "ab ", ""),
            ("ab cd<ctrl-u>", "", ""),
            ("ab<left><ctrl-k>", "a", ""),
            ("e\u{301}x<left><backspace>y", "y", "x"),
            ("👩‍👩‍👧z<left><left>a", "a", "👩‍👩‍👧z"),
        ] {
            assert_eq!(typed(keys).halves(), (before, after), "{keys}");
        }
    }

    #[test]
    fn a_paste_stays_one_line_and_debug_says_nothing() {
        let mut input = Input::default();
        input.insert("a\nb\x1b[2J");
        assert_eq!(input.text(), "a b [2J");
        assert_eq!(format!("{input:?}"), "Input { length: 7, .. }");
    }

    proptest! {
        #[test]
        fn the_cursor_always_stands_between_graphemes(text in "\\PC{0,12}", keys in proptest::collection::vec(0..8usize, 0..30)) {
            let mut input = Input::new(text);
            for key in keys {
                let notation = ["<left>", "<right>", "<backspace>", "<delete>", "x", "<ctrl-w>", "<home>", "\u{301}"][key];
                for key in Key::sequence(notation) {
                    input.key(key);
                }
                let cursor = input.halves().0.len();
                prop_assert!(cursor == input.text().len() || input.text().grapheme_indices(true).any(|(at, _)| at == cursor));
            }
        }
    }
}
