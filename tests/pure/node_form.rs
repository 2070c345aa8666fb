//! The form that adds or edits a node, driven by its keys and read on the drawn screen: it proposes a free name, one
//! Enter tests and adds, it says what is missing and that the change is for this session only.

use std::time::Duration;

use pgwatch::app::{Effect, Msg, update};
use pgwatch::model::protocol::Tested;
use pgwatch::model::{Command, ErrorKind, EventKind, NodeConfig, NodeError, Role};
use pgwatch::tui::ColorDepth;

use crate::scene::{self, Scene, production, theme};

fn drawn(scene: &mut Scene, width: u16, height: u16) -> String {
    scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)))
}

fn shows(scene: &mut Scene, words: &[&str]) {
    for (width, height) in [(80, 24), (120, 40)] {
        let text = drawn(scene, width, height);
        for word in words {
            assert!(text.contains(word), "{word} at {width}x{height}:\n{text}");
        }
    }
}

/// The test that the form asked for, and its node.
fn test_of(effects: &[Effect]) -> Option<(u64, NodeConfig)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(Command::Test { id, node }) => Some((*id, (**node).clone())),
        _ => None,
    })
}

fn added(effects: &[Effect]) -> Option<NodeConfig> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(Command::AddNode(node) | Command::EditNode(node)) => Some((**node).clone()),
        _ => None,
    })
}

/// Reports how a test ended and returns the effects.
fn tell(scene: &mut Scene, id: u64, outcome: Result<Tested, NodeError>) -> Vec<Effect> {
    let event = pgwatch::model::Event { seq: 1_000_000, at: scene.app.now, kind: EventKind::Tested { id, outcome } };
    update(&mut scene.app, Msg::Event(event))
}

fn passed() -> Tested {
    Tested { server_version: "17.2".to_owned(), role: Some(Role::Primary), connect_time: Duration::from_millis(6) }
}

#[test]
fn a_free_name_is_proposed() {
    for (typed, name) in [
        ("postgresql://u@db1.example.com/app", "db1"),
        ("host=primary", "primary-5432"),
        ("host=primary port=5433 dbname=shop", "primary-5433"),
        ("postgresql://u@127.0.0.1:5851/app", "node-127-0-0-1"),
        ("<tab><tab>reporting", "reporting-5432"),
        ("<tab><tab>reporting<tab>5433", "reporting-5433"),
    ] {
        let mut scene = production();
        scene.press("a");
        scene.press(typed);
        let (_, node) = test_of(&scene.press("<enter>")).unwrap_or_else(|| panic!("{typed} is complete"));
        assert_eq!(node.name.as_str(), name, "{typed}");
    }
    // The names from host, port and database are all taken: a number follows.
    let mut scene = production();
    for expected in ["x", "x-5432", "x-5432-postgres", "x-2", "x-3"] {
        scene.press("a");
        let (id, _) = test_of(&scene.press("host=x<enter>")).unwrap();
        let node = added(&tell(&mut scene, id, Ok(passed()))).unwrap();
        assert_eq!(node.name.as_str(), expected);
        scene.event(EventKind::NodeAdded { node: Box::new(node) });
    }
}

#[test]
fn enter_anywhere_tests_and_adds() {
    for keys in ["", "<tab>", "<tab><tab>", "<tab><tab><tab><tab><tab><tab><tab>", "<shift-tab>"] {
        let mut scene = production();
        scene.press("ahost=10.0.0.7");
        scene.press(keys);
        shows(&mut scene, &["Add a node for this session", "the file is not written", "Test and add", "test and add"]);
        let (id, _) = test_of(&scene.press("<enter>")).unwrap_or_else(|| panic!("{keys:?} tests"));
        assert_eq!(scene.press("<enter>"), [], "a second Enter waits for the test");
        let node = added(&tell(&mut scene, id, Ok(passed()))).unwrap_or_else(|| panic!("{keys:?} adds"));
        assert!(scene.app.dialog.is_none());
        scene.event(EventKind::NodeAdded { node: Box::new(node) });
        shows(&mut scene, &["node-10-0-0-7 +"]);
        scene.press("<enter>");
        let text = drawn(&mut scene, 120, 40);
        assert!(text.contains("added for this session"), "{text}");
        scene.press("?");
        shows(&mut scene, &["+ added for this session", "~ edited for this session"]);
    }
}

#[test]
fn a_failed_test_says_why_and_the_next_enter_adds_anyway() {
    let mut scene = production();
    scene.press("ahost=10.0.0.7");
    let (id, _) = test_of(&scene.press("<enter>")).unwrap();
    assert_eq!(tell(&mut scene, id, Err(NodeError::new(ErrorKind::Refused, "connection refused"))), []);
    shows(&mut scene, &["connection refused", "Add anyway", "add anyway"]);
    assert!(added(&scene.press("<enter>")).is_some());
}

#[test]
fn a_missing_field_is_named_and_gets_the_cursor() {
    let mut scene = production();
    scene.press("a");
    assert_eq!(scene.press("<enter>"), []);
    shows(&mut scene, &["Host is needed"]);
    scene.press("10.0.0.7");
    assert!(test_of(&scene.press("<enter>")).is_some(), "the focus had gone to the host");
    let mut scene = production();
    scene.press("ahost=10.0.0.7<tab><ctrl-u>primary<tab>");
    assert_eq!(scene.press("<enter>"), []);
    shows(&mut scene, &["a node of that name exists"]);
    assert!(test_of(&scene.press("<ctrl-t>")).is_some(), "a test does not need a name");
}

#[test]
fn hints_are_shown_in_full_where_there_is_room() {
    let mut scene = production();
    scene.press("a<tab>1<tab>a b<tab>0");
    shows(
        &mut scene,
        &["✖ start with a letter, then use letters, digits, -", "✖ enter one host, without blanks", "✖ 1 to 65535"],
    );
    scene.press("<esc>a");
    shows(&mut scene, &["a letter, then letters, digits, - and _", "name, address, or a socket's directory"]);
}

#[test]
fn edits_and_removals_are_for_this_session_only() {
    let mut scene = production();
    scene.press("e");
    shows(&mut scene, &["Edit primary for this session", "the file is not written"]);
    let (id, _) = test_of(&scene.press("<ctrl-u>10.9.9.9<enter>")).unwrap();
    let node = added(&tell(&mut scene, id, Ok(passed()))).unwrap();
    scene.event(EventKind::NodeEdited { node: Box::new(node) });
    shows(&mut scene, &["primary ~"]);
    scene.press("d");
    shows(&mut scene, &["For this session"]);
}
