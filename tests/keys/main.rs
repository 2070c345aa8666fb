//! Keys as a person presses them, and what the manager tells meanwhile: the screen's state driven from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod dashboard;
mod events;
mod forms;
mod leaving;
mod map;
mod monkey;
mod moving;
mod queries;
mod readme;
