//! A table with the rows of one node (`o`, `]`, an alert, marked nodes): it lasts for the visit of that screen, the
//! screen says so clearly, and `Esc` ends it.

use pgwatch::app::Screen;
use pgwatch::model::view::ViewScreen;
use pgwatch::tui::ColorDepth;
use ratatui::buffer::Buffer;

use super::answers::{answer, seen};
use crate::scene::{Scene, production, theme};

/// Activity with sessions of two nodes.
fn activity() -> Scene {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    scene.press("3");
    for (node, pid) in [("primary", 4711), ("replica-1", 88)] {
        answer(&mut scene, node, "activity", &[&format!("pid={pid} | user=app | state=active | duration_ms=50000")]);
    }
    seen(&mut scene, 120, 40);
    scene
}

/// The colour of the first cell of a text.
fn color_of(buf: &Buffer, wanted: &str) -> ratatui::style::Color {
    for y in 0..buf.area.height {
        let line: String = (0..buf.area.width).map(|x| buf[(x, y)].symbol().chars().next().unwrap_or(' ')).collect();
        if let Some((before, _)) = line.split_once(wanted) {
            return buf[(before.chars().count() as u16, y)].fg;
        }
    }
    panic!("{wanted} is not on the screen");
}

#[test]
fn one_node_alone_is_announced_like_a_filter_and_escape_ends_it_first() {
    for (keys, only) in [("o", "only primary"), ("]", "only replica-1"), ("jo", "only replica-1")] {
        let mut scene = activity();
        scene.press("/app<enter>");
        scene.press(keys);
        let buf = scene.draw(120, 40, &theme("dark", ColorDepth::True));
        assert_eq!(color_of(&buf, only), color_of(&buf, "/app"), "{keys}");
        scene.press("<esc>");
        let text = seen(&mut scene, 120, 40);
        assert!(
            !text.contains("only primary")
                && !text.contains("only replica")
                && text.contains("all 7 nodes")
                && text.contains("/app"),
            "{keys}:\n{text}"
        );
        scene.press("<esc>");
        assert!(!seen(&mut scene, 120, 40).contains("/app"), "{keys}");
        assert_eq!(scene.app.screen, Screen::View(ViewScreen::Activity), "{keys}");
        scene.press("<esc>");
        assert_eq!(scene.app.screen, Screen::Nodes, "{keys}");
    }
}

#[test]
fn any_way_out_of_the_screen_shows_all_nodes_again() {
    let ways = ["1", "2", "4", "5", "6", "7", "8", "9", "0", "t", "q", ":locks<enter>", ":node primary<enter>"];
    for way in ways {
        for (keys, only) in [("o", "only primary"), ("]", "only replica-1")] {
            let mut scene = activity();
            scene.press(keys);
            assert!(seen(&mut scene, 120, 40).contains(only));
            scene.press(way);
            let text = seen(&mut scene, 120, 40);
            assert!(!text.contains(only), "{way}:\n{text}");
            scene.press("<esc><esc>3");
            let text = seen(&mut scene, 120, 40);
            assert!(!text.contains(only) && text.contains("all 7 nodes"), "{way} and back:\n{text}");
        }
    }
}

#[test]
fn the_tables_of_the_same_screen_keep_the_one_node() {
    let mut scene = activity();
    scene.press("o<tab>");
    assert!(seen(&mut scene, 120, 40).contains("only primary"));
    scene.press("<shift-tab><enter><esc>");
    assert!(seen(&mut scene, 120, 40).contains("only primary"), "a row at length is no other screen");
    scene.press("3");
    assert!(seen(&mut scene, 120, 40).contains("only primary"), "nor is the same one");
}

#[test]
fn marked_nodes_are_compared_for_the_visit_alone() {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    scene.press("<space><space>c");
    let text = seen(&mut scene, 120, 40);
    assert!(text.contains("only 2 marked nodes"), "{text}");
    let mut elsewhere = scene.clone();
    for way in [":settings<enter>", "3", "8"] {
        elsewhere.press(way);
        let text = seen(&mut elsewhere, 120, 40);
        assert!(text.contains("all 7 nodes"), "{way}:\n{text}");
    }
    scene.press("<esc>");
    let text = seen(&mut scene, 120, 40);
    assert!(text.contains("Drift") && text.contains("all 7 nodes"), "{text}");
    scene.press("<esc>");
    assert_eq!(scene.app.screen, Screen::Nodes);
}
