//! Text that a person types: a line, the editor of statements, the command and filter lines.

pub mod editor;
pub mod line;
pub mod meaning;
pub mod prompt;
