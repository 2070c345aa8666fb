//! The picture: reads the app state, writes nothing.

pub mod terminal;
pub mod text;
pub mod theme;

pub use terminal::{Screen, ScreenOptions};
pub use theme::{ColorDepth, Theme, ThemeOptions};
