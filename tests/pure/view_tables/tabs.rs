//! Which table a screen opens, and which of its tabs are dim.

use pgwatch::app::Effect;
use pgwatch::config::views;
use pgwatch::model::view::{Version, ViewScreen};
use pgwatch::model::{Command, ErrorKind, NodeError, Role};
use pgwatch::tui::ColorDepth;
use ratatui::style::Color;

use super::{fleet, screen};
use crate::scene::answers::{answer, fails, lacks};
use crate::scene::{self, Scene, theme};

fn of_version(version: &str) -> Scene {
    fleet(&[("primary", Role::Primary, version, Some(1)), ("replica", Role::Standby, version, Some(1))])
}

/// The title of the shown table.
fn shown(scene: &mut Scene) -> String {
    let text = screen(scene, 160, 40);
    let title = text.lines().find_map(|line| line.strip_prefix("╭─ ")).and_then(|line| line.split(" ─").next());
    title.unwrap().to_owned()
}

/// The colour of a tab of the table line.
fn colour(scene: &mut Scene, tab: &str) -> Color {
    let buf = scene.draw(160, 40, &theme("dark", ColorDepth::True));
    let text = scene::text(&buf);
    let line = text.lines().nth(2).unwrap();
    let before = line.split(tab).next().unwrap();
    assert_ne!(before, line, "{tab} is no tab of {line}");
    buf[(before.chars().count() as u16, 2)].fg
}

#[test]
fn a_screen_opens_on_the_first_table_that_a_node_can_have() {
    let mut scene = of_version("15.18");
    scene.press("8");
    assert_eq!(shown(&mut scene), "WAL");
    assert_ne!(colour(&mut scene, "I/O"), colour(&mut scene, "SLRU"), "what cannot be is dim");
    // The tab can still be reached, and says why it is empty.
    scene.press("<shift-tab>");
    assert_eq!(shown(&mut scene), "I/O");
    for node in ["primary", "replica"] {
        lacks(&mut scene, node, "io", "needs PostgreSQL 16 or newer, this is 15");
    }
    assert!(screen(&mut scene, 120, 40).contains("2 nodes  needs PostgreSQL 16 or newer, this is 15"));
    assert_eq!(shown(&mut scene), "I/O", "a person chose it");
    scene.press("18");
    assert_eq!(shown(&mut scene), "WAL", "but it is not remembered");
    let mut scene = of_version("16.4");
    scene.press("8");
    assert_eq!(shown(&mut scene), "I/O");
    // One node that supports it is enough.
    let mut scene = fleet(&[("old", Role::Primary, "13.20", Some(1)), ("new", Role::Primary, "17.2", Some(2))]);
    scene.press(":io<enter>");
    assert_eq!(shown(&mut scene), "I/O");
}

#[test]
fn every_screen_of_every_version_opens_on_a_table_that_can_be_had() {
    let screens = [('3', ViewScreen::Activity), ('4', ViewScreen::Locks), ('5', ViewScreen::Replication)];
    let more = [('6', ViewScreen::Statements), ('7', ViewScreen::Tables), ('8', ViewScreen::Io)];
    for major in 10..=19 {
        for role in [Role::Primary, Role::Standby] {
            for (key, screen) in screens.into_iter().chain(more) {
                let mut scene = fleet(&[("node", role, &format!("{major}.1"), Some(1))]);
                scene.press(&key.to_string());
                let title = shown(&mut scene);
                let view = views::ours().values().find(|view| view.screen == Some(screen) && view.title == title);
                let view = view.unwrap_or_else(|| panic!("{major} {role:?} {key}: {title}"));
                let lacks = view.extension.is_none().then(|| view.lacks(Version(major, 0), role)).flatten();
                assert_eq!(lacks, None, "{major} {role:?} {key}: {title}");
            }
        }
    }
}

#[test]
fn a_table_that_turns_out_not_to_be_available_gives_way_to_the_next() {
    // The version is not known yet.
    let mut scene = Scene::new(vec![scene::config("primary", "10.0.0.1")], scene::NOW).with_views();
    scene.press("8");
    assert_eq!(shown(&mut scene), "I/O");
    lacks(&mut scene, "primary", "io", "needs PostgreSQL 16 or newer, this is 15");
    let effects = pgwatch::app::update(&mut scene.app, pgwatch::app::Msg::Frame);
    let looks: Vec<&str> = effects
        .iter()
        .flat_map(|effect| match effect {
            Effect::Send(Command::Look(looks)) => looks.iter().filter(|look| look.pace.is_none()).collect(),
            _ => Vec::new(),
        })
        .map(|look| look.view.name.as_str())
        .collect();
    assert_eq!(looks, ["wal"], "and the server is asked for it");
    assert_eq!(shown(&mut scene), "WAL");
}

#[test]
fn what_nodes_can_have_is_known_in_a_frozen_picture_too() {
    let mut scene = Scene::new(vec![scene::config("primary", "10.0.0.1")], scene::NOW).with_views();
    scene.press("p8");
    assert_eq!(shown(&mut scene), "I/O");
    lacks(&mut scene, "primary", "io", "needs PostgreSQL 16 or newer, this is 15");
    let _ = pgwatch::app::update(&mut scene.app, pgwatch::app::Msg::Frame);
    assert_eq!(shown(&mut scene), "WAL");
}

/// A rule may have kept an answer since long before the table is opened.
#[test]
fn a_person_who_opens_a_table_waits_for_the_first_answer_that_is_not_stale() {
    let mut scene = of_version("17.2");
    answer(&mut scene, "replica", "receivers", &["status=streaming"]);
    let next = |view: &str| pgwatch::model::EventKind::View {
        node: scene::name("replica"),
        view: view.into(),
        outcome: Ok(std::sync::Arc::default()),
    };
    scene.tick(60);
    scene.press(":receivers<enter>");
    assert!(scene.app.awaits(&next("receivers")), "what is known is a minute old");
    assert!(!scene.app.awaits(&next("locks")), "it is for a rule");
    answer(&mut scene, "replica", "receivers", &["status=streaming"]);
    assert!(!scene.app.awaits(&next("receivers")));
}

#[test]
fn where_an_extension_is_missing_its_tables_say_so_and_are_dim() {
    let mut scene = of_version("17.2");
    scene.press("6");
    for node in ["primary", "replica"] {
        let error = NodeError::new(ErrorKind::Sql, "pg_stat_statements is not installed in database app");
        fails(&mut scene, node, "statements", error.with_hint("CREATE EXTENSION pg_stat_statements, in that database"));
    }
    assert_eq!(shown(&mut scene), "Statements", "there is no other to go to");
    let text = screen(&mut scene, 120, 40);
    assert!(text.contains("✖ 2 nodes  pg_stat_statements is not installed"), "{text}");
    scene.press("5");
    let usual = colour(&mut scene, "Slots");
    assert_eq!(colour(&mut scene, "pglogical"), usual, "not asked yet");
    scene.press("<shift-tab>");
    assert_eq!(shown(&mut scene), "pglogical");
    for node in ["primary", "replica"] {
        let error = NodeError::new(ErrorKind::Sql, "pglogical is not installed in database app");
        fails(&mut scene, node, "pglogical_conflicts", error);
    }
    scene.press("<tab>");
    screen(&mut scene, 160, 40);
    assert_ne!(colour(&mut scene, "pglogical"), usual);
    // A missing right makes nothing unavailable.
    let mut scene = of_version("17.2");
    scene.press("6");
    for node in ["primary", "replica"] {
        let error = NodeError { sqlstate: Some("42501".into()), ..NodeError::new(ErrorKind::Permission, "denied") };
        fails(&mut scene, node, "statements", error);
    }
    screen(&mut scene, 160, 40);
    assert_eq!(colour(&mut scene, "Statement statistics"), usual);
}

#[test]
fn the_table_that_was_chosen_is_remembered_while_it_has_rows() {
    let mut scene = of_version("17.2");
    scene.press("5<tab><tab>");
    assert_eq!(shown(&mut scene), "Slots");
    answer(&mut scene, "primary", "slots", &["slot=orders | active=t"]);
    answer(&mut scene, "replica", "slots", &[]);
    screen(&mut scene, 120, 40);
    scene.press("15");
    assert_eq!(shown(&mut scene), "Slots");
    answer(&mut scene, "primary", "slots", &[]);
    screen(&mut scene, 120, 40);
    scene.press("15");
    assert_eq!(shown(&mut scene), "Senders");
}
