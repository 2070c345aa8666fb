//! A text that is cut in the table is asked for as a whole before it is opened, copied or explained.

use pgwatch::app::Effect;
use pgwatch::model::protocol::{TextRequest, WholeText};
use pgwatch::model::{Command, ErrorKind, EventKind, NodeError, Role};

use super::{fleet, screen};
use crate::scene::answers::answer;
use crate::scene::{Scene, name};

/// The only session, with a statement that goes on.
fn session(scene: &mut Scene, statement: &str) {
    let row = format!("pid=1 | backend_start=7 | database=app | state=active | duration_ms=5000 | query={statement}");
    answer(scene, "primary", "activity", &[&row]);
    screen(scene, 120, 40);
}

fn shown() -> Scene {
    let mut scene = fleet(&[("primary", Role::Primary, "15.4", Some(1))]);
    scene.press("3");
    session(&mut scene, "select 1, … 900 kB");
    scene
}

fn asked(effects: &[Effect]) -> Option<TextRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(Command::Text(request)) => Some(request.clone()),
        _ => None,
    })
}

fn comes(scene: &mut Scene, id: u64, outcome: Result<Option<&str>, NodeError>) -> Vec<Effect> {
    let outcome = outcome.map(|text| text.map(|text| WholeText { text: text.into(), cut: false }));
    scene.effects_of(EventKind::Text { node: name("primary"), id, outcome })
}

#[test]
fn a_row_that_is_opened_shows_the_whole_text_or_why_not() {
    let mut scene = shown();
    let request = asked(&scene.press("<enter>")).expect("a question");
    assert_eq!(request.key, [Some("1".to_owned()), Some("7".to_owned())]);
    assert!(screen(&mut scene, 120, 40).contains("the whole text is being fetched"));
    assert_eq!(asked(&scene.press("j")), None, "it is asked for once");
    comes(&mut scene, request.id, Ok(Some("select 1, 2 as the_end")));
    let seen = screen(&mut scene, 120, 40);
    assert!(seen.contains("the_end") && !seen.contains("900 kB"), "{seen}");

    // The session goes on to another long statement.
    session(&mut scene, "select 3, … 900 kB");
    let next = asked(&scene.press("k")).expect("another question");
    comes(&mut scene, request.id, Ok(Some("select 1, 2 as the_end")));
    comes(&mut scene, next.id, Ok(Some("select 4")));
    assert!(screen(&mut scene, 120, 40).contains("has gone on to another statement"));
    session(&mut scene, "select 5, … 900 kB");
    let last = asked(&scene.press("k")).expect("another question");
    comes(&mut scene, last.id, Err(NodeError::new(ErrorKind::Timeout, "no answer")));
    assert!(screen(&mut scene, 120, 40).contains("could not be fetched: no answer"));
}

#[test]
fn a_cut_statement_is_copied_and_explained_as_a_whole() {
    let mut scene = shown();
    let request = asked(&scene.press("y")).expect("a question");
    let effects = comes(&mut scene, request.id, Ok(Some("select 1, 2")));
    assert!(effects.contains(&Effect::Copy("select 1, 2".to_owned())), "{effects:?}");
    let mut scene = shown();
    let request = asked(&scene.press("x")).expect("a question");
    let effects = comes(&mut scene, request.id, Ok(Some("select 1, 2")));
    let run =
        |effect: &Effect| matches!(effect, Effect::Send(Command::Run(run)) if run.statement == "EXPLAIN select 1, 2");
    assert!(effects.iter().any(run), "{effects:?}");
    let mut scene = shown();
    let request = asked(&scene.press("x")).expect("a question");
    assert_eq!(comes(&mut scene, request.id, Ok(None)).len(), 0);
    assert!(screen(&mut scene, 120, 40).contains("could not be fetched"));
}
