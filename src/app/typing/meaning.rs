//! What a line after `:` means: a command, a view, or a statement.

use crate::sql::acts::Act;

/// A command of the command line, as the help shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub name: &'static str,
    /// What follows the name.
    pub argument: &'static str,
    pub doc: &'static str,
}

/// What `Enter` would do with the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Meaning {
    #[default]
    Nothing,
    /// The command, and what stands behind it.
    Command(&'static Spec, String),
    View(String),
    /// A statement, and what it does that no rollback undoes.
    Statement(Vec<Act>),
    /// Neither a command nor a statement: why.
    Wrong(String),
}
