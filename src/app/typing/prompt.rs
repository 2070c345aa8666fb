//! The input line at the foot of the screen: `:` takes a command or a statement, `/` a filter.

use super::line::Input;
use crate::app::keys::keymap::Place;
use crate::app::typing::meaning::Meaning;

/// What the line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A command or a statement.
    Command,
    /// A filter.
    Filter,
}

/// The open line.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What the line is for.
    pub purpose: Purpose,
    /// The text and the cursor.
    pub input: Input,
    /// The completions of what was typed in a command line, best first.
    pub completions: Vec<String>,
    /// The index of the completion that is in the line.
    pub chosen: Option<usize>,
    /// What `Enter` would do with a command line.
    pub meaning: Meaning,
    /// What is wrong with the line that was accepted.
    pub error: Option<String>,
    /// The line as it was typed, before completing or going through the history.
    pub(in crate::app) typed: String,
    /// The position in the history: 1 is the newest, 0 is none.
    pub(in crate::app) back: usize,
    /// The filter as it was when the line was opened, for `Esc`.
    pub(in crate::app) before: String,
}

impl Prompt {
    pub(in crate::app) fn command(text: &str) -> Self {
        Self::new(Purpose::Command, text)
    }

    pub(in crate::app) fn filter(text: &str) -> Self {
        Self { before: text.to_owned(), ..Self::new(Purpose::Filter, text) }
    }

    fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            input: Input::new(text),
            completions: Vec::new(),
            chosen: None,
            meaning: Meaning::Nothing,
            error: None,
            typed: text.to_owned(),
            back: 0,
            before: String::new(),
        }
    }

    /// The sign in front of the line.
    pub fn sign(&self) -> char {
        match self.purpose {
            Purpose::Command => ':',
            Purpose::Filter => '/',
        }
    }

    pub(in crate::app) fn place(&self) -> Place {
        match self.purpose {
            Purpose::Command => Place::Command,
            Purpose::Filter => Place::Filter,
        }
    }
}
