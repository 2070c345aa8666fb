//! `/` on every table: the rows are filtered while a person types, the frame says so, and `Esc` ends it.

use pgwatch::app::{Mouse, MouseKind, Msg, Screen, update};
use pgwatch::config::views;
use pgwatch::model::View;
use pgwatch::model::view::Source;

use super::answers::{answer_anything, body, foot, pids, seen, sessions, telling};
use crate::scene::{self, Scene, production, production_with_answers};

/// The screen of a view, with made-up rows on it.
fn opened(view: &View) -> Scene {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    scene.press(&format!(":view {}<enter>", view.name));
    answer_anything(&mut scene, view);
    seen(&mut scene, 200, 40);
    scene
}

/// True if a line of the table is a row of the primary, so that the line begins with its name.
fn is_of_primary(line: &str) -> bool {
    line.trim_start_matches("▸ ").starts_with("primary ")
}

#[test]
fn every_view_is_filtered_as_one_types_and_says_so() {
    let mut by_value = 0;
    for view in views::ours().values() {
        let mut scene = opened(view);
        let before = seen(&mut scene, 200, 40);
        let Some([zero, one, two]) = telling(view) else {
            // No column distinguishes the rows, but the node does.
            assert!(body(&before).iter().any(|line| is_of_primary(line)), "{}:\n{before}", view.name);
            scene.press("/replica-1");
            let text = seen(&mut scene, 200, 40);
            assert!(!body(&text).iter().any(|line| is_of_primary(line)), "{}:\n{text}", view.name);
            assert!(text.contains("/replica-1 · 3 left out"), "{}:\n{text}", view.name);
            continue;
        };
        by_value += 1;
        let has = |text: &str, what: &str| body(text).iter().any(|line| line.contains(what));
        assert!([&zero, &one, &two].iter().all(|what| has(&before, what)), "{}:\n{before}", view.name);
        scene.press(&format!("/{one}"));
        for keys in ["", "<enter>"] {
            scene.press(keys);
            let text = seen(&mut scene, 200, 40);
            assert!(has(&text, &one) && !has(&text, &zero) && !has(&text, &two), "{} {keys}:\n{text}", view.name);
            assert!(text.contains(&format!("/{one} · 4 left out")), "{} {keys}:\n{text}", view.name);
        }
        // One step back clears it.
        let screen = scene.app.screen;
        scene.press("<esc>");
        let text = seen(&mut scene, 200, 40);
        assert!(has(&text, &zero) && !text.contains("left out"), "{}:\n{text}", view.name);
        assert_eq!(scene.app.screen, screen, "{}", view.name);
        // Inverted, then with nothing left, then as it was before the filter line was opened.
        scene.press(&format!("/!{one}"));
        let text = seen(&mut scene, 200, 40);
        assert!(!has(&text, &one) && has(&text, &zero), "{}:\n{text}", view.name);
        scene.press("<ctrl-u>nothing at all");
        let text = seen(&mut scene, 200, 40);
        assert!(has(&text, "No row matches the filter.") && text.contains("6 left out"), "{}:\n{text}", view.name);
        scene.press("<esc>");
        let text = seen(&mut scene, 200, 40);
        assert!(has(&text, &zero) && !text.contains("left out"), "{}:\n{text}", view.name);
        // The command does the same.
        scene.press(&format!(":filter {one}<enter>"));
        let text = seen(&mut scene, 200, 40);
        assert!(!has(&text, &zero) && text.contains("4 left out"), "{}:\n{text}", view.name);
    }
    assert!(by_value > 15, "{by_value} views were filtered by a value");
}

#[test]
fn every_column_of_every_view_can_be_named() {
    for view in views::ours().values() {
        let mut scene = opened(view);
        for column in view.columns.iter().filter(|column| matches!(column.source, Source::Sql { .. })) {
            for name in [&column.name, &column.title] {
                scene.press("/");
                update(&mut scene.app, Msg::Paste(format!("{name}:nothing like it")));
                assert_eq!(scene.app.prompt.as_ref().unwrap().error, None, "{}: {name}", view.name);
                assert_eq!(scene.app.view_table().unwrap().left_out, 6, "{}: {name}", view.name);
                scene.press("<esc>");
            }
        }
    }
}

#[test]
fn grouped_tables_are_filtered_too() {
    for view in views::ours().values().filter(|view| view.columns.iter().any(|column| column.group)) {
        let mut scene = opened(view);
        scene.press("b");
        let text = seen(&mut scene, 200, 40);
        let group = |text: &str, what: &str| body(text).iter().any(|line| line.contains('×') && line.contains(what));
        if !group(&text, "alpha0") {
            // The table is grouped by something that the made-up rows have in common.
            continue;
        }
        scene.press("/alpha1");
        let text = seen(&mut scene, 200, 40);
        assert!(group(&text, "alpha1") && !group(&text, "alpha0"), "{}:\n{text}", view.name);
        assert!(text.contains("/alpha1 · 4 left out"), "{}:\n{text}", view.name);
        scene.press("<enter><esc>");
        let text = seen(&mut scene, 200, 40);
        assert!(group(&text, "alpha0") && !text.contains("left out"), "{}:\n{text}", view.name);
    }
}

#[test]
fn every_form_of_a_filter_works_on_sessions() {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    scene.press("3");
    sessions(&mut scene);
    for (typed, left) in [
        ("metabase", &["88"][..]),
        ("META", &[]),
        ("^w(eb|orker-.)$", &["4711", "4712"]),
        ("!web", &["4711", "88"]),
        ("! application: web", &["4711", "88"]),
        ("application:web", &["4712"]),
        ("application = web", &["4712"]),
        ("application != web", &["4711", "88"]),
        ("user:rep", &["88"]),
        ("node:replica", &["88"]),
        ("duration>1m", &["4711", "88"]),
        ("duration_ms > 60000", &["4711", "88"]),
        ("DURATION<1m", &["4712"]),
        ("!duration>1m", &["4712"]),
        ("wait:^$", &["4711", "88"]),
        ("Lock: transactionid", &["4712"]),
        // Values as the screen writes them.
        ("12 min", &["4711"]),
        ("orders set", &["4711"]),
        // A column that is sent but not shown is searched only if it is named.
        ("754000", &[]),
        ("client backend", &[]),
        ("backend_type:client", &["88"]),
        // A half-typed condition hides nothing.
        ("duration>", &["4711", "4712", "88"]),
        ("application:", &["4711", "4712", "88"]),
    ] {
        scene.press(&format!("/{}", typed.replace('<', "<<>")));
        let text = seen(&mut scene, 160, 40);
        assert_eq!(pids(&text), left, "/{typed}:\n{text}");
        let out = 3 - left.len();
        assert!(text.contains(&format!("/{typed}")) && text.contains(&format!("{out} left out")), "/{typed}:\n{text}");
        scene.press("<esc>");
    }
    scene.press("i/web<enter>");
    let text = seen(&mut scene, 160, 40);
    assert_eq!(pids(&text), ["4712", "4900"], "the idle one too, once it is shown:\n{text}");
}

/// The keys that open each place, on a screen with the answers to a statement.
const PLACES: [&str; 13] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "t", "1c", "1<enter>"];

#[test]
fn an_invalid_filter_is_always_reported() {
    for (typed, said) in [
        ("colour:red", "no column colour, so this is looked for as text"),
        ("colour>5", "no column colour, so this is looked for as text"),
        ("count(", "no regular expression (unclosed group), so this is looked for as text"),
    ] {
        for keys in PLACES {
            let mut scene = production_with_answers();
            seen(&mut scene, 120, 40);
            scene.press(keys);
            scene.press(&format!("/{typed}"));
            let text = seen(&mut scene, 120, 40);
            assert!(foot(&text).contains(said), "{keys} /{typed}:\n{text}");
            scene.press("<enter>");
            let text = seen(&mut scene, 120, 40);
            assert!(foot(&text).contains(said), "{keys} /{typed}<enter>:\n{text}");
            assert!(text.contains(&format!("/{typed} as text")), "{keys} /{typed}:\n{text}");
        }
    }
}

/// Every letter that is a key somewhere is plain text after `/` and after `:`.
#[test]
fn letters_after_the_prompt_never_run_as_commands() {
    const LETTERS: &str = "standby1 query aedrPcvxboifpwzyWq!?[]+-E";
    for empty in [true, false] {
        for keys in PLACES.into_iter().chain(["?", "d", "3v", "2?"]) {
            // In the editor, where there are no answers yet, a letter is plain text.
            let keys = if keys == "9" { "9<esc>" } else { keys };
            for sign in ["/", ":"] {
                let mut scene = production();
                if empty {
                    scene = Scene::new(Vec::new(), scene::NOW).with_views();
                    scene.press("<esc>");
                }
                seen(&mut scene, 80, 24);
                scene.press(keys);
                let screen = scene.app.screen;
                let effects = scene.press(&format!("{sign}{LETTERS}"));
                assert_eq!(effects, [], "{keys} {sign}");
                assert_eq!(scene.app.screen, screen, "{keys} {sign}");
                assert!(scene.app.dialog.is_none(), "{keys} {sign}");
                let text = seen(&mut scene, 80, 24);
                assert!(foot(&text).contains(&format!("{sign}{LETTERS}")), "{keys} {sign}:\n{text}");
                scene.press("<esc>");
                let text = seen(&mut scene, 80, 24);
                assert!(!text.contains(LETTERS), "{keys} {sign}: as before:\n{text}");
            }
        }
    }
}

/// `E` without answers still opens its line and says below it what is missing: otherwise `day.csv` would remove a node.
#[test]
fn the_name_of_a_file_never_runs_as_commands() {
    for mut scene in [production(), Scene::new(Vec::new(), scene::NOW).with_views()] {
        scene.press("<esc>9<esc>");
        seen(&mut scene, 120, 40);
        let effects = scene.press("Eday.csv");
        assert_eq!(effects, []);
        assert!(scene.app.dialog.is_none() && scene.app.screen == Screen::Query);
        let text = seen(&mut scene, 120, 40);
        assert!(foot(&text).contains(":export day.csv"), "{text}");
        scene.press("<enter>");
        let text = seen(&mut scene, 120, 40);
        assert!(text.contains("there are no answers yet; run a statement first"), "{text}");
    }
}

#[test]
fn each_table_keeps_its_own_filter() {
    for keys in PLACES {
        let mut scene = production_with_answers();
        seen(&mut scene, 120, 40);
        scene.press(keys);
        scene.press("/zzz<enter>");
        for other in PLACES {
            // The filter leaves no node, so there is no page of a node to open.
            if keys == other || (keys == "1" && other == "1<enter>") {
                continue;
            }
            let mut there = scene.clone();
            there.press(other);
            let text = seen(&mut there, 120, 40);
            assert!(!text.contains("zzz"), "{keys} filtered, {other} shown:\n{text}");
        }
        scene.press(if keys == "6" { "5" } else { "6" });
        scene.press(keys);
        let text = seen(&mut scene, 120, 40);
        assert!(text.contains("/zzz"), "{keys} keeps its own:\n{text}");
    }
    let mut scene = production();
    scene.press("3/zzz<enter><tab>");
    let text = seen(&mut scene, 120, 40);
    assert!(!text.contains("zzz"), "the next table of the screen:\n{text}");
    scene.press("<shift-tab>");
    assert!(seen(&mut scene, 120, 40).contains("/zzz"));
}

#[test]
fn rows_that_arrive_later_are_filtered_too() {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    scene.press("3/metabase<enter>");
    sessions(&mut scene);
    let text = seen(&mut scene, 160, 40);
    assert_eq!(pids(&text), ["88"], "{text}");
}

/// A click goes to another screen; the open line closes.
#[test]
fn an_open_filter_line_never_filters_another_table() {
    let mut scene = production();
    seen(&mut scene, 120, 40);
    scene.press("/prim");
    let (tab, _) = *scene.app.drawn.tabs.iter().find(|(_, screen)| *screen == Screen::Events).unwrap();
    let click = Mouse { kind: MouseKind::Click, x: tab.x + 1, y: tab.y };
    update(&mut scene.app, Msg::Mouse(click));
    let text = seen(&mut scene, 120, 40);
    assert_eq!(scene.app.screen, Screen::Events);
    assert!(!text.contains("/prim") && scene.app.prompt.is_none(), "{text}");
    scene.press("1");
    assert!(seen(&mut scene, 120, 40).contains("/prim · 5 left out"));
}
