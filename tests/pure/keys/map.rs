//! The key map is right: every action has a key, no key has two meanings in one place, and the key line shows the keys
//! that work.

use std::collections::{BTreeMap, BTreeSet};

use pgwatch::app::keys::keymap::{Keymap, Place, SOURCE, keymap};
use pgwatch::app::update::available::hints::{help, hints};
use pgwatch::app::{Action, Key};
use pgwatch::model::HealthState;

use super::dashboard::Dashboard;

#[test]
fn the_built_in_map_can_be_read_and_binds_every_action() {
    let map = Keymap::parse(SOURCE).unwrap();
    let bound: BTreeSet<Action> = map
        .places()
        .flat_map(|place| map.section(place))
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(action, _)| action)
        .collect();
    let missing: Vec<_> = Action::ALL.iter().filter(|action| !bound.contains(action)).collect();
    assert!(missing.is_empty(), "without a key: {missing:?}");
}

#[test]
fn no_key_has_two_meanings_in_one_place() {
    let map = keymap();
    for place in map.places() {
        let mut meanings: BTreeMap<String, Vec<Action>> = BTreeMap::new();
        for section in place.chain() {
            for (action, keys) in map.section(*section) {
                for key in keys {
                    meanings.entry(key.label(true)).or_default().push(action);
                }
            }
        }
        for (key, actions) in meanings {
            assert_eq!(actions.len(), 1, "{place:?}: {key} means {actions:?}");
        }
    }
}

#[test]
fn letters_are_plain_text_in_every_text_field() {
    for place in [Place::Editor, Place::Form, Place::Command, Place::Filter] {
        for letter in ' '..='~' {
            assert_eq!(
                keymap().resolve(Key::parse(&letter.to_string()).unwrap_or(Key::sequence("<space>")[0]), place),
                None,
                "{place:?} takes {letter:?}"
            );
        }
    }
}

#[test]
fn a_wrong_map_says_what_is_wrong() {
    for (source, word) in [
        ("nodes: {mark: [spacebar]}", "spacebar"),
        ("nodes: {explode: [x]}", "explode"),
        ("attic: {mark: [x]}", "attic"),
    ] {
        let error = Keymap::parse(source).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn keys_mean_what_the_table_says() {
    for (key, place, action) in [
        ("j", Place::Nodes, Some(Action::Down)),
        ("<down>", Place::Help, Some(Action::Down)),
        ("G", Place::Events, Some(Action::Bottom)),
        ("<space>", Place::Nodes, Some(Action::Mark)),
        ("<space>", Place::Events, None),
        ("r", Place::Nodes, Some(Action::Retry)),
        ("r", Place::Query, Some(Action::Rerun)),
        ("P", Place::Detail, Some(Action::Pause)),
        ("p", Place::Detail, Some(Action::Freeze)),
        ("+", Place::Nodes, Some(Action::Slower)),
        ("-", Place::Nodes, Some(Action::Faster)),
        ("<<>", Place::Nodes, Some(Action::SortLeft)),
        ("<ctrl-c>", Place::Form, Some(Action::LeaveNow)),
        ("<f1>", Place::Editor, Some(Action::Help)),
        ("<f5>", Place::Editor, Some(Action::Run)),
        ("<shift-tab>", Place::Query, Some(Action::PreviousPane)),
        ("2", Place::Nodes, Some(Action::ScreenTopology)),
        ("8", Place::View, Some(Action::ScreenIo)),
        ("b", Place::View, Some(Action::Group)),
        ("x", Place::Nodes, None),
    ] {
        assert_eq!(keymap().resolve(Key::sequence(key)[0], place), action, "{key} in {place:?}");
    }
}

#[test]
fn the_key_line_shows_what_does_something_now() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(
        dashboard.hints(),
        "↑↓ move  ⏎ open  ␣ mark  a add  e edit  d remove  r retry  c compare  ! problems  / filter  s sort  Tab pane  : command  ? help  q quit"
    );
    dashboard.press("<space>");
    assert!(dashboard.hints().contains("Esc clear marks"), "{}", dashboard.hints());
    dashboard.press("/x");
    assert_eq!(dashboard.hints(), "⏎ keep  Esc as before");
    dashboard.press("<enter>");
    assert!(dashboard.hints().contains("Esc clear filter"), "{}", dashboard.hints());
    dashboard.press("0");
    assert!(dashboard.hints().ends_with("? help  Esc/q back"), "{}", dashboard.hints());
    assert!(Dashboard::new(&[]).press("<esc>").is_empty());
}

#[test]
fn every_hint_is_bound_and_possible_wherever_keys_lead() {
    for keys in [
        "",
        "<enter>",
        "9",
        "9<esc>",
        "0",
        "?",
        ":",
        "/",
        "a",
        "d",
        "<tab>",
        "<tab><tab>",
        "<tab><tab><tab>",
        "p",
        ":select 1<enter>",
    ] {
        let mut dashboard = Dashboard::healthy();
        dashboard.health("replica", HealthState::Degraded, None);
        dashboard.press(keys);
        for hint in hints(&dashboard.app) {
            assert!(dashboard.app.can(hint.action), "{keys}: {hint:?}");
        }
    }
}

#[test]
fn the_help_has_live_keys_first_and_every_section_once() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("?");
    let sections = help(&dashboard.app);
    assert_eq!(sections[0].0, Place::Nodes);
    let places: BTreeSet<String> = sections.iter().map(|(place, _)| format!("{place:?}")).collect();
    assert_eq!(places.len(), sections.len());
    for (place, lines) in sections {
        assert!(lines.is_sorted_by_key(|line| !line.live), "{place:?}");
    }
}
