//! What is wrong with a configuration, and where: one line for people, made so that all problems can be told at once.

use std::fmt;

/// A place in a text; both count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One problem of the configuration. `Display` is `file:line:column: what is wrong, what is allowed`.
///
/// The message may name keys, nodes and variables, never the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as it was named, or what took its place: `the command line`, `the environment`.
    pub file: String,
    /// Where in the file; `None` if the problem is the file itself.
    pub position: Option<Position>,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl Diagnostic {
    pub fn new(file: impl Into<String>, position: Option<Position>, message: impl Into<String>) -> Self {
        Self { file: file.into(), position, message: message.into() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(Position { line, column }) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Diagnostic {}
