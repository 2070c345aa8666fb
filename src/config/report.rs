//! Collects what is wrong while a configuration is read, so that reading goes on and everything is told at once.

use super::nearest;
use super::{Diagnostic, Position};

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub value: T,
    /// `None` for what does not come from the file that is read.
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

/// The problems and the oddities found so far.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Report {
    pub(super) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// How many problems were told so far.
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    /// [`nearest`], while somebody still reads hints: a file with dozens of faults is the wrong file, and to look for one
    /// name among thousands takes its time.
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

    /// A problem of something other than the file that is read.
    pub(super) fn problem_in(&mut self, file: &str, message: impl Into<String>) {
        self.problems.push(Diagnostic::new(file, None, message));
    }

    pub(super) fn warning(&mut self, position: impl Into<Option<Position>>, message: impl Into<String>) {
        self.warnings.push(Diagnostic::new(self.file.clone(), position.into(), message));
    }

    pub(super) fn warning_in(&mut self, file: &str, message: impl Into<String>) {
        self.warnings.push(Diagnostic::new(file, None, message));
    }

    /// The warnings, or the problems if there is one; each once (an anchor is read at each of its uses), by their lines.
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
