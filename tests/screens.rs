//! What a person sees: each screen at the three sizes, drawn from the manager's events, and what holds of all of
//! them at every size and with whatever a server sends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod scene;

use pgwatch::tui::ColorDepth;
use scene::{production_with_answers, theme};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

#[test]
fn the_first_screen_answers_d1() {
    let theme = theme("dark", ColorDepth::True);
    for (width, height) in SIZES {
        let mut scene = production_with_answers();
        let text = scene::text(&scene.draw(width, height, &theme));
        for word in [
            "● 5",
            "◐ 1",
            "✖ 1",
            "primary",
            "standby",
            "● healthy",
            "◐ degraded",
            "✖ down 14 s",
            "812 ms",
            "10/10 +3",
            "97/100",
            "1,204",
            "4.1 s",
            "connection refused by 10",
            "try 4 in 3 s",
            "read-only",
            "14:03:22",
        ] {
            assert!(text.contains(word), "{word} at {width}x{height}:\n{text}");
        }
    }
}
