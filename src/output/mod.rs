//! What is known, as text for programs and people: JSON, CSV and tables. Everything is written to a `Write` that the
//! caller passes; nothing here opens a file or knows of the terminal.

pub mod answers;
mod csv;
pub mod events;
mod json;
pub mod status;
mod table;
pub mod view;
