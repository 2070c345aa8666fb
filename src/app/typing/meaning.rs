//! What a line after `:` means: a command, a view, or a statement.

use crate::sql::acts::Act;

/// A command of the command line, as the help shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The name of the command.
    pub name: &'static str,
    /// The argument after the name, as the help shows it.
    pub argument: &'static str,
    /// What the command does, in one line.
    pub doc: &'static str,
}

/// What `Enter` would do with the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Meaning {
    /// Nothing: the line is empty.
    #[default]
    Nothing,
    /// Run the command, with this argument.
    Command(&'static Spec, String),
    /// Show the view of this name.
    View(String),
    /// Run a statement, which does these things that no rollback undoes.
    Statement(Vec<Act>),
    /// Report an error: the line is neither a command nor a statement, for this reason.
    Wrong(String),
}
