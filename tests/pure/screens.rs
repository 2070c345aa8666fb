//! What a person sees: each screen at three sizes, drawn from the manager's events, and what must hold for all screens
//! at every size and with anything that a server sends.

use std::time::Duration;

use pgwatch::model::facts::Sender;
use pgwatch::model::{ErrorKind, EventKind, Health, HealthState, NodeError};
use pgwatch::text;
use pgwatch::tui::{ColorDepth, Theme};
use proptest::prelude::*;
use ratatui::buffer::Buffer;

use crate::scene::{self, NOW, Scene, production, production_with_answers, rows, theme};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn dark() -> Theme {
    theme("dark", ColorDepth::True)
}

/// The screens and dialogs, each with the keys that open it on a running cluster.
const PLACES: [(&str, &str); 9] = [
    ("nodes", ""),
    ("node", "<enter>"),
    ("node_down", "jjjj<enter>"),
    ("query", "9"),
    ("events", "0"),
    ("alerts", "t"),
    ("help", "?"),
    ("form", "a"),
    ("remove", "d"),
];

#[test]
fn every_screen_keeps_its_picture_at_every_size() {
    for (place, keys) in PLACES {
        let mut scene = production_with_answers();
        scene.draw(120, 40, &dark());
        scene.press(keys);
        for (width, height) in SIZES {
            let text = scene::text(&scene.draw(width, height, &dark()));
            insta::assert_snapshot!(format!("{place}_{width}x{height}"), text);
        }
    }
}

#[test]
fn the_empty_start_offers_the_form_and_a_file() {
    let mut scene = Scene::new(Vec::new(), NOW);
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("empty_{width}x{height}"), scene::text(&scene.draw(width, height, &dark())));
    }
}

#[test]
fn the_first_screen_shows_the_state_of_every_node() {
    for (width, height) in SIZES {
        let text = scene::text(&production_with_answers().draw(width, height, &dark()));
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
            "14 s ▲",
            "connection refused",
            "try 4 in 3 s",
            "read-only",
            "14:03:22",
            "q quit",
        ] {
            assert!(text.contains(word), "{word} at {width}x{height}:\n{text}");
        }
    }
}

/// The styles of the first screen in each theme: one letter for each style, in order of appearance.
#[test]
fn every_theme_keeps_state_and_selection_apart() {
    let themes = [
        ("dark", ColorDepth::True),
        ("light", ColorDepth::True),
        ("colorblind", ColorDepth::True),
        ("mono", ColorDepth::True),
        ("dark", ColorDepth::Indexed),
        ("dark", ColorDepth::Sixteen),
        ("dark", ColorDepth::None),
    ];
    let mut scene = production_with_answers();
    for (name, depth) in themes {
        let buf = scene.draw(120, 40, &theme(name, depth));
        insta::assert_snapshot!(format!("styles_{name}_{depth:?}"), scene::styles(&buf, 13));
        let selected = buf[(30, 4)].style();
        let other = buf[(30, 5)].style();
        assert_ne!((selected.bg, selected.add_modifier), (other.bg, other.add_modifier), "{name} {depth:?}");
    }
}

#[test]
fn a_terminal_without_utf8_gets_ascii_alone() {
    let theme = Theme { ascii: true, ..dark() };
    for (place, keys) in PLACES {
        let mut scene = production_with_answers();
        scene.press(keys);
        let text = scene::text(&scene.draw(120, 40, &theme));
        assert!(text.is_ascii(), "{place}:\n{text}");
    }
}

fn line(buf: &Buffer, row: u16) -> String {
    (0..buf.area.width).map(|col| buf[(col, row)].symbol()).collect()
}

#[test]
fn warnings_stay_longest_in_the_header() {
    for width in 80..=200 {
        let mut scene = production_with_answers();
        let header = line(&scene.draw(width, 40, &dark()), 0);
        for word in ["● 5", "◐ 1", "✖ 1", "▲ 3", " t ", "production", "read-only", "14:03:22"] {
            assert!(header.contains(word), "{word} at {width}: {header}");
        }
        // What the header drops as it gets narrower, in order.
        let going = ["alerts", "of 7 nodes", "every 1s", "tps", "cost"].map(|word| header.contains(word));
        assert!(going.is_sorted_by(|earlier, later| earlier >= later), "{width}: {header}");
        // With everything at once, warnings stay whole and the cluster's name is cut.
        scene.app.cluster = Some("the-cluster-of-the-whole-company".to_owned());
        scene.app.read_write = true;
        scene.press("p");
        let header = line(&scene.draw(width, 40, &dark()), 0);
        for word in ["● 5", "◐ 1", "✖ 1", "▲ 3", " t ", "the", "READ-WRITE", "FROZEN 0 s", "14:03:22"] {
            assert!(header.contains(word), "{word} at {width}: {header}");
        }
    }
}

#[test]
fn a_paused_node_is_not_down() {
    let mut scene = production();
    let paused = Health { state: HealthState::Disconnected, paused: true, ..Health::new(scene.app.now) };
    scene.health("primary", HealthState::Healthy, paused);
    for (width, height) in [(80, 24), (120, 40), (60, 20)] {
        let header = line(&scene.draw(width, height, &dark()), 0);
        assert!(header.contains("✖ 1") && header.contains("○ 1"), "{header}");
        assert!(!scene::text(&scene.draw(width, height, &dark())).contains("PAUSED"));
    }
}

/// Every screen has its tab at every width, the shown one highlighted; on a node's page too.
#[test]
fn every_screen_has_its_tab() {
    const KEYS: &str = "1 2 3 4 5 6 7 8 9 0 t c";
    let places = ["1", "2", "3", "4", "5", "6", "7", "8", "0", "t", "c", "9"].map(|key| (key, key));
    for (keys, active) in places.into_iter().chain([("<enter>", "1")]) {
        let mut scene = production().with_views();
        scene.press(keys);
        for width in [80, 81, 92, 93, 103, 104, 113, 114, 120, 126, 138, 200] {
            let buf = scene.draw(width, 40, &dark());
            let tabs = line(&buf, 1);
            let found: Vec<&str> =
                tabs.split_whitespace().filter(|word| word.chars().count() == 1 && *word != "›").collect();
            assert_eq!(found.join(" "), KEYS, "{width}: {tabs}");
            let lit: String = (0..width)
                .filter(|col| buf[(*col, 1)].bg == dark().patch.bg.unwrap())
                .map(|col| buf[(col, 1)].symbol())
                .collect();
            assert!(
                lit.trim().starts_with(active) && lit.trim().chars().count() <= 13,
                "{keys} at {width}: {lit:?} of {tabs}"
            );
        }
    }
}

#[test]
fn a_window_below_80x24_says_so() {
    let text = scene::text(&production().draw(79, 24, &dark()));
    assert!(text.contains("needs 80x24") && text.contains("this terminal is 79x24"), "{text}");
    assert!(text.contains("✖ 1"), "it still says how the cluster is:\n{text}");
}

#[test]
fn figures_of_a_lost_node_are_marked_as_old() {
    let mut scene = production();
    scene.press("jjjj<enter>");
    let text = scene::text(&scene.draw(120, 40, &dark()));
    for word in ["down 14 s", "since 14:03:08", "figures of 15 s ago", "is the server running"] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
    let tps = text.lines().filter_map(|line| line.split("││").next()).find(|line| line.contains("TPS")).unwrap();
    assert!(tps.contains('–') && !tps.contains('0'), "an unknown rate is never 0: {tps}");
}

#[test]
fn answers_come_one_by_one_with_errors_in_place() {
    let mut scene = production();
    let batch = scene.run("select id, note from notes");
    scene.tick(2);
    let columns = [("id", "int4"), ("note", "text")];
    let answer = rows(&columns, [vec![Some("1"), Some("first")], vec![Some("2"), None]]);
    scene.answer(batch, "primary", Duration::from_millis(3), Ok(answer));
    let error = NodeError::new(ErrorKind::Sql, "relation \"notes\" does not exist");
    scene.answer(batch, "replica-1", Duration::from_millis(4), Err(error));
    scene.press("9");
    let text = scene::text(&scene.draw(120, 40, &dark()));
    for word in ["running: 2 of 7 nodes", "first", "NULL", "relation \"notes\" does not exist", "running 2 s"] {
        assert!(text.contains(word), "{word}:\n{text}");
    }
}

#[test]
fn a_table_of_100_000_rows_is_a_window() {
    let mut scene = production();
    let batch = scene.run("select * from wide");
    let names: Vec<String> = (0..20).map(|n| format!("column_{n}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "text")).collect();
    let cells: Vec<String> = (0..100_000).map(|n| format!("value {n}")).collect();
    let lines = cells.iter().map(|cell| vec![Some(cell.as_str()); 20]);
    scene.answer(batch, "primary", Duration::from_millis(300), Ok(rows(&columns, lines)));
    scene.press("9");
    scene.draw(120, 40, &dark());
    scene.press("G");
    let text = scene::text(&scene.draw(120, 40, &dark()));
    assert!(text.contains("100,006 rows"), "{text}");
    scene.press("g<right><right>");
    let text = scene::text(&scene.draw(120, 40, &dark()));
    assert!(text.contains("NODE") && text.contains("column_2") && !text.contains("column_1 "), "{text}");
    assert!(text.contains('‹') && text.contains('›'), "{text}");
    let started = std::time::Instant::now();
    for _ in 0..20 {
        scene.draw(120, 40, &dark());
    }
    assert!(started.elapsed() < Duration::from_secs(10), "40 frames took {:?}", started.elapsed());
}

#[test]
fn long_text_is_wrapped_when_asked() {
    let mut scene = production();
    let long = "select ".to_owned() + &"first_column, ".repeat(20) + "last_column from orders";
    let batch = scene.run(&long);
    scene.answer(batch, "primary", Duration::from_millis(3), Ok(scene::one("note", "text", &"word ".repeat(60))));
    scene.done(batch, Duration::from_millis(3));
    scene.press("9e");
    let text = scene::text(&scene.draw(120, 40, &dark()));
    assert!(text.contains("select first_column") && text.contains("last_column from orders"), "{text}");
    scene.press("<esc>");
    assert!(scene::text(&scene.draw(120, 40, &dark())).matches("word").count() < 60);
    scene.press("w");
    let text = scene::text(&scene.draw(120, 40, &dark()));
    assert!(text.matches("word").count() >= 60, "{text}");
}

/// Everything that a server can bring to the screen, set to `text`.
fn hostile(text: &str) -> Scene {
    let mut scene = production();
    let error = NodeError::new(ErrorKind::Sql, text).with_hint(text);
    let mut health = scene::healthy(NOW, Duration::from_millis(1));
    health.state = HealthState::Unhealthy;
    health.error = Some(error.clone());
    scene.health("replica-1", HealthState::Healthy, health);
    let primary = scene::name("primary");
    let node = scene.app.picture().nodes.get(&primary).unwrap();
    let mut server = node.server.as_deref().unwrap().clone();
    text.clone_into(&mut server.version);
    server.cluster_name = Some(text.to_owned());
    for setting in &mut server.settings {
        text.clone_into(&mut setting.value);
    }
    let mut facts = node.facts.as_ref().unwrap().1.as_ref().clone();
    facts.senders = Some(vec![Sender { name: Some(text.to_owned()), replayed: Some(1), ..Sender::default() }]);
    scene.event(EventKind::Server { node: primary.clone(), server: server.into() });
    scene.event(EventKind::Facts { node: primary.clone(), facts: Ok(facts.into()) });
    scene.event(EventKind::Facts { node: scene::name("replica-3"), facts: Err(error.clone()) });
    let batch = scene.run("select 1");
    let answer = rows(&[(text, text), ("plain", "text")], [vec![Some(text), Some(text)], vec![Some(text), None]]);
    scene.answer(batch, "primary", Duration::from_millis(1), Ok(answer));
    scene.answer(batch, "replica-1", Duration::from_millis(1), Err(error));
    scene
}

fn is_safe(buf: &Buffer) -> bool {
    buf.content.iter().all(|cell| text::safe(cell.symbol()) == cell.symbol())
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let text = "\x1b]0;pwned\x07\x1b[2J\u{9d}0;x\u{202e}\u{200b}\u{2028}\r\n\tend";
    for (place, keys) in PLACES {
        let mut scene = hostile(text);
        scene.press(keys);
        for (width, height) in SIZES {
            assert!(is_safe(&scene.draw(width, height, &dark())), "{place} at {width}x{height}");
        }
    }
    let shown = scene::text(&hostile(text).draw(200, 60, &dark()));
    assert!(shown.contains("\\x1b]0;pwned\\x07"), "{shown}");
}

/// One scene drawn at many sizes, as making it takes most of the time.
#[test]
fn no_size_is_too_small_or_too_large() {
    let mut scene = hostile("\x1b[2J 日本 \u{202e}");
    for (_, keys) in PLACES {
        scene.press(keys);
        for width in [1, 2, 3, 5, 9, 20, 79, 80, 81, 97, 99, 100, 101, 133, 160, 240, 300] {
            for height in [1, 2, 3, 4, 5, 8, 23, 24, 25, 31, 40, 60, 100] {
                let buf = scene.draw(width, height, &dark());
                assert!(is_safe(&buf), "{width}x{height}");
            }
        }
        scene.press("<esc><esc><esc>1");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_sent_and_pressed_is_drawn(
        text in "\\PC{0,12}|[\\x00-\\x1f\\u{80}-\\u{a0}\\u{200b}-\\u{202f}a-z]{0,40}",
        keys in "[jkhlgG1909?!sSfzwp/: \\t]{0,12}",
        width in 1u16..300, height in 1u16..100,
    ) {
        let mut scene = hostile(&text);
        scene.press(&keys);
        prop_assert!(is_safe(&scene.draw(width, height, &dark())));
    }
}
