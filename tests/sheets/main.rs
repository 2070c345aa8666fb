//! Tables and screens through the keys, read on the drawn screen: the way back, which table opens, numbers and totals,
//! nodes that are gone, that fail, or that have nothing to show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod history;
#[path = "../scene/mod.rs"]
mod scene;

use pgwatch::tui::ColorDepth;
use scene::{Scene, theme};

/// The screen as text.
fn screen(scene: &mut Scene, width: u16, height: u16) -> String {
    scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)))
}
