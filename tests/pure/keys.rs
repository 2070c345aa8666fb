//! Keys as a person presses them, and what the manager reports meanwhile: these tests drive the screen's state from
//! outside.

mod dashboard;
mod events;
mod forms;
mod leaving;
mod map;
mod monkey;
mod moving;
mod queries;
mod readme;
