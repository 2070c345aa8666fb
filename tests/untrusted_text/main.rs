//! Text from elsewhere (D7): whatever a server, a row, a file or a path holds is shown, never obeyed, and never moves
//! what stands beside it. In pictures of every screen, on real servers in a real terminal, and in what commands print.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::string_slice, reason = "slices begin and end where a match does")]

mod live;
mod names;
mod pictures;
#[path = "../scene/mod.rs"]
mod scene;
mod spoiled;
#[path = "../support/mod.rs"]
mod support;
