//! Looking for something with `/`, `o`, `Enter` on an alert and `w`: each key pressed, the frame drawn, the text read. What
//! holds of tables is tried on every view there is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod alert;
mod answers;
mod filter;
mod only;
#[path = "../scene/mod.rs"]
mod scene;
mod screens;
mod wrap;
