//! What is wrong with a configuration, and where: one line for people per problem, collected so that all are reported
//! at once.

use std::fmt;

use super::nearest::nearest;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// A value and the place where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub value: T,
    /// `None` if it does not come from the file that is being read.
    pub position: Option<Position>,
}

impl<T> At<T> {
    pub(super) fn new(value: T, position: Option<Position>) -> Self {
        Self { value, position }
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> At<U> {
        At { value: map(self.value), position: self.position }
    }
}

/// A problem of the configuration. `Display` is `file:line:column: what is wrong, what is allowed`.
///
/// The message may name keys, nodes and variables, but never the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The name of the file as it was given, or what takes its place: `the command line`, `the environment`.
    pub file: String,
    /// The place in the file; `None` if the problem is the file itself.
    pub position: Option<Position>,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl Diagnostic {
    /// A problem of `file` with a message for people.
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

/// The problems and warnings found so far.
#[derive(Debug)]
pub(super) struct Diagnostics {
    file: String,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(super) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// How many problems were found so far.
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    /// [`nearest`] among `known`, for a hint. None after 20 problems: then it is probably the wrong file, and searching
    /// thousands of names takes long.
    pub(super) fn nearest<'known>(
        &self,
        word: &str,
        known: impl IntoIterator<Item = &'known str>,
    ) -> Option<&'known str> {
        if self.count() < 20 { nearest(word, known) } else { None }
    }

    pub(super) fn problem(&mut self, position: impl Into<Option<Position>>, message: impl Into<String>) {
        self.problems.push(Diagnostic::new(self.file.clone(), position.into(), message));
    }

    /// A problem of something other than the file that is being read.
    pub(super) fn problem_in(&mut self, file: &str, message: impl Into<String>) {
        self.problems.push(Diagnostic::new(file, None, message));
    }

    pub(super) fn warning(&mut self, position: impl Into<Option<Position>>, message: impl Into<String>) {
        self.warnings.push(Diagnostic::new(self.file.clone(), position.into(), message));
    }

    pub(super) fn warning_in(&mut self, file: &str, message: impl Into<String>) {
        self.warnings.push(Diagnostic::new(file, None, message));
    }

    /// The warnings, or the problems if there are any, in the order of their lines. Each is listed once, although an
    /// anchor is read at each of its uses.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let tidy = |list: &mut Vec<Diagnostic>| {
            list.sort_by(|a, b| (a.position, &a.file, &a.message).cmp(&(b.position, &b.file, &b.message)));
            list.dedup();
        };
        tidy(&mut self.problems);
        tidy(&mut self.warnings);
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(self.problems) }
    }
}
