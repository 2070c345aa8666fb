//! The editor of statements: a few lines of text with a cursor. No highlighting, no undo: for more there is `psql`.

use std::fmt;

use super::line::Input;
use crate::app::{Key, KeyCode};

/// The text, one item per line; there is always at least one line. `Debug` hides it, because statements may contain
/// secrets.
#[derive(Clone)]
pub struct Editor {
    lines: Vec<Input>,
    row: usize,
}

impl Default for Editor {
    fn default() -> Self {
        Self { lines: vec![Input::default()], row: 0 }
    }
}

impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editor").field("lines", &self.lines.len()).field("row", &self.row).finish()
    }
}

impl Editor {
    /// The lines of the text.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &str> {
        self.lines.iter().map(Input::text)
    }

    /// The line of the cursor, and the number of graphemes before the cursor in it.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.lines.get(self.row).map_or(0, Input::column))
    }

    /// The whole text, with line breaks.
    pub fn text(&self) -> String {
        self.lines().collect::<Vec<_>>().join("\n")
    }

    /// True if the text is blank.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.text().trim().is_empty())
    }

    /// Replaces the text and puts the cursor at its end.
    pub fn set(&mut self, text: &str) {
        *self = Self::default();
        self.insert(text);
    }

    /// True if `Enter` here ends the statement: the text ends in `;`, and only blanks follow the cursor.
    pub fn is_complete(&self) -> bool {
        let behind = self.lines.get(self.row).is_none_or(|line| line.halves().1.trim().is_empty());
        let last = self.lines.iter().skip(self.row + 1).all(|line| line.text().trim().is_empty());
        behind && last && self.text().trim_end().ends_with(';')
    }

    /// Inserts text at the cursor, including line breaks.
    pub fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        for (at, part) in text.split('\n').enumerate() {
            if at > 0 {
                self.break_line();
            }
            self.line().insert(part);
        }
    }

    /// Breaks the line at the cursor.
    pub fn break_line(&mut self) {
        let (before, after) = self.line().halves();
        let (before, after) = (before.to_owned(), after.to_owned());
        self.line().set(before);
        let mut next = Input::new(after);
        next.key(KeyCode::Home.into());
        self.lines.insert(self.row + 1, next);
        self.row += 1;
    }

    /// Handles an editing key; returns `false` for a key that edits nothing.
    pub fn key(&mut self, key: Key) -> bool {
        let (before, after) = self.line().halves();
        let (at_start, at_end) = (before.is_empty(), after.is_empty());
        match key.code {
            KeyCode::Up => self.go_to_row(self.row.saturating_sub(1)),
            KeyCode::Down => self.go_to_row((self.row + 1).min(self.lines.len() - 1)),
            KeyCode::Left if at_start && self.row > 0 => {
                self.row -= 1;
                self.line().key(KeyCode::End.into());
            }
            KeyCode::Right if at_end && self.row + 1 < self.lines.len() => {
                self.row += 1;
                self.line().key(KeyCode::Home.into());
            }
            KeyCode::Backspace if at_start && self.row > 0 => self.join(self.row - 1),
            KeyCode::Delete if at_end && self.row + 1 < self.lines.len() => self.join(self.row),
            _ => return self.line().key(key),
        }
        true
    }

    /// True if the cursor is in the first line (`up`) or in the last: a further step goes to the history.
    pub fn at_edge(&self, up: bool) -> bool {
        if up { self.row == 0 } else { self.row + 1 == self.lines.len() }
    }

    fn line(&mut self) -> &mut Input {
        self.row = self.row.min(self.lines.len().saturating_sub(1));
        if self.lines.is_empty() {
            self.lines.push(Input::default());
        }
        &mut self.lines[self.row]
    }

    fn go_to_row(&mut self, row: usize) {
        let column = self.line().column();
        self.row = row;
        let line = self.line();
        line.key(KeyCode::Home.into());
        for _ in 0..column {
            line.key(KeyCode::Right.into());
        }
    }

    /// Joins the line after `row` to it and puts the cursor between the two.
    fn join(&mut self, row: usize) {
        let behind = self.lines.remove(row + 1);
        self.row = row;
        let joined = format!("{}{}", self.line().text(), behind.text());
        let column = self.line().text().len();
        *self.line() = Input::at(joined, column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Editor {
        let mut editor = Editor::default();
        for key in Key::sequence(keys) {
            if key.code == KeyCode::Enter {
                editor.break_line();
            } else {
                editor.key(key);
            }
        }
        editor
    }

    #[test]
    fn lines_break_and_join() {
        for (keys, text, cursor) in [
            ("select<enter>1", "select\n1", (1, 1)),
            ("ab<left><enter>", "a\nb", (1, 0)),
            ("a<enter>b<home><backspace>X", "aXb", (0, 2)),
            ("a<enter>b<up><delete>X", "aXb", (0, 2)),
            ("abc<enter>d<up>X", "aXbc\nd", (0, 2)),
            ("abc<enter>d<home><left>X", "abcX\nd", (0, 4)),
        ] {
            let editor = typed(keys);
            assert_eq!((editor.text().as_str(), editor.cursor()), (text, cursor), "{keys}");
        }
    }

    #[test]
    fn enter_runs_only_behind_the_last_semicolon() {
        for (keys, complete) in [
            ("select 1;", true),
            ("select 1; ", true),
            ("select 1", false),
            ("select 1;<left>", false),
            ("select 1<enter>;", true),
            ("select 1;<enter>x<up><end>", false),
        ] {
            assert_eq!(typed(keys).is_complete(), complete, "{keys}");
        }
    }

    #[test]
    fn a_paste_keeps_its_lines() {
        let mut editor = Editor::default();
        editor.insert("select\r\n\t1\rfrom x");
        assert_eq!(editor.text(), "select\n 1\nfrom x");
    }
}
