//! Spoiled text, and a cluster that contains nothing else: every word on the screen that is not our own is such a text.

#![allow(unreachable_pub, reason = "a test file is a crate of its own")]

use std::sync::Arc;
use std::time::Duration;

use pgwatch::app::{Effect, Msg, update};
use pgwatch::model::facts::{Sender, Setting};
use pgwatch::model::protocol::{DisconnectReason, NodeRows, ServerNotice, Tested};
use pgwatch::model::{Command, ErrorKind, EventKind, HealthState, NodeError, Role};
use proptest::prelude::*;

use crate::scene::{NOW, Scene, healthy, name, production, rows};

/// Texts that have fooled terminals and tables before.
pub const PIECES: &[&str] = &[
    // Obeyed by a terminal: the title, the clipboard, questions that it answers as if keys were pressed, the screen,
    // the charset.
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[>q",
    "\x1b[2J\x1b[H",
    "\x1b[?1049l",
    "\x1bP+q544e\x1b\\",
    "\x1b_x\x1b\\",
    "\x1b(0",
    "\x1bc",
    "\x1b",
    "\u{9b}31m",
    "\u{9d}0;title\u{9c}",
    "\u{90}q\u{9c}",
    "\x07",
    "\x08\x08",
    "\x0e",
    "\x7f",
    "\0",
    "\r",
    "\n",
    "\t",
    "\u{85}",
    "\u{2028}",
    // Shown in reverse order, or not shown at all.
    "\u{202e}evil\u{202c}",
    "\u{2066}\u{2069}\u{61c}",
    "\u{200b}\u{feff}\u{2060}\u{ad}",
    "\u{e0041}\u{e0001}",
    "\u{3164}\u{115f}",
    "\u{fe0f}",
    "\u{e000}",
    // Wider or narrower than it looks.
    "日本語",
    "ｗｉｄｅ",
    "e\u{301}",
    "Z\u{335}\u{321}\u{308}\u{30d}\u{311}\u{343}\u{346}",
    "\u{301}",
    "👩\u{200d}👩\u{200d}👧",
    "👍🏽",
    "❤\u{fe0f}",
    "🇩🇪",
    "🏴\u{e0067}\u{e0062}\u{e007f}",
    "한국어\u{1112}\u{1161}\u{11ab}",
    "لا سلام",
    "ក្ក",
    "क्षि",
    "ｶﾞ",
    "\u{17d8}",
    "\u{fffd}",
    // Plain text, in between.
    "plain",
    " ",
    "│─╭",
];

pub fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[ -~]{1,12}",
    ];
    proptest::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// The cluster of the pictures, in which all text from servers, files and people is `text`.
pub fn cluster(text: &str) -> Scene {
    let mut scene = production();
    scene.app.cluster = Some(text.to_owned());
    scene.app.config_path = Some(text.into());
    edited(&mut scene, text);
    told(&mut scene, text);
    failing(&mut scene, text);
    answered(&mut scene, text);
    scene
}

fn error(text: &str) -> NodeError {
    NodeError { sqlstate: Some(text.to_owned()), ..NodeError::new(ErrorKind::Sql, text).with_hint(text) }
}

/// A node whose configuration, written by a person, contains the text.
fn edited(scene: &mut Scene, text: &str) {
    let node = scene.app.picture().nodes.get(&name("eu-primary")).unwrap();
    let mut config = node.config.clone();
    for field in [&mut config.host, &mut config.database, &mut config.user] {
        text.clone_into(field);
    }
    scene.event(EventKind::NodeEdited { node: Box::new(config) });
}

/// What a server reports about itself.
fn told(scene: &mut Scene, text: &str) {
    for node in ["primary", "eu-primary"].map(name) {
        let known = scene.app.picture().nodes.get(&node).unwrap();
        let mut server = known.server.as_deref().unwrap().clone();
        let mut facts = known.facts.as_ref().unwrap().1.as_ref().clone();
        text.clone_into(&mut server.version);
        server.cluster_name = Some(text.to_owned());
        let word = || text.to_owned();
        server.settings.insert(1, Setting { name: word(), value: word(), source: word(), pending_restart: true });
        facts.senders = Some(vec![Sender { name: Some(word()), replayed: Some(1), ..Sender::default() }]);
        let (role, server_version) = (Some(Role::Primary), word());
        let connect_time = Duration::from_millis(1);
        scene.event(EventKind::Connected { node: node.clone(), role, server_version, connect_time, attempt: 1 });
        scene.event(EventKind::Server { node: node.clone(), server: Arc::new(server) });
        scene.event(EventKind::Facts { node, facts: Ok(Arc::new(facts)) });
    }
}

/// Nodes that fail, and why.
fn failing(scene: &mut Scene, text: &str) {
    for (node, state) in [("replica-1", HealthState::Unhealthy), ("eu-replica", HealthState::Degraded)] {
        let mut health = healthy(NOW, Duration::from_millis(1));
        (health.state, health.error) = (state, Some(error(text)));
        scene.event(EventKind::Disconnected { node: name(node), reason: DisconnectReason::Error(error(text)) });
        scene.health(node, HealthState::Healthy, health);
    }
    scene.event(EventKind::Facts { node: name("replica-3"), facts: Err(error(text)) });
}

/// The columns before and after the spoiled one, and their value.
pub const BEFORE: &str = "before";
pub const BEHIND: &str = "afterwards";

/// Answers of every kind to a statement that also contains the text.
fn answered(scene: &mut Scene, text: &str) {
    scene.press(":");
    let statement = format!("select {text} x");
    let _ = update(&mut scene.app, Msg::Paste(statement));
    let started = scene.press("<enter>1").into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(request)) => Some(request.batch),
        _ => None,
    });
    // A text that begins a comment leaves nothing to send.
    if scene.app.prompt.is_some() {
        scene.press("<esc>");
    }
    let batch = started.unwrap_or_else(|| scene.run("select 1"));
    let took = Duration::from_millis(1);
    let columns = [(BEFORE, "text"), (text, text), (BEHIND, "text")];
    let line = |cell| vec![Some(BEFORE), cell, Some(BEHIND)];
    let answer = rows(&columns, [line(Some(text)), line(None), line(Some("short"))]);
    scene.answer(batch, "primary", took, Ok(answer.clone()));
    scene.answer(batch, "eu-primary", took, Ok(answer));
    scene.answer(batch, "replica-1", took, Err(error(text)));
    let notice = ServerNotice { severity: text.to_owned(), sqlstate: text.to_owned(), message: text.to_owned() };
    let affected =
        NodeRows { row_count: 2, truncated: Some(text.to_owned()), notices: vec![notice], ..NodeRows::default() };
    scene.answer(batch, "replica-2", took, Ok(affected));
}

/// The form with a test that ended in `outcome`.
pub fn tested(scene: &mut Scene, text: &str, passed: bool) {
    // The node whose fields are valid.
    scene.press("ge");
    let id = scene.press("<ctrl-t>").into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Test { id, .. }) => Some(id),
        _ => None,
    });
    let found = Tested { server_version: text.to_owned(), role: Some(Role::Primary), connect_time: Duration::ZERO };
    let outcome = if passed { Ok(found) } else { Err(error(text)) };
    scene.event(EventKind::Tested { id: id.expect("the form tests"), outcome });
}

/// Pastes into whatever has the focus.
pub fn paste(scene: &mut Scene, text: &str) {
    let _ = update(&mut scene.app, Msg::Paste(text.to_owned()));
}

/// A message in the foot, or what is wrong with the file.
pub fn remark(scene: &mut Scene, text: &str, of_file: bool) {
    let msg = if of_file { Msg::Reloaded(Err(vec![text.to_owned(); 3])) } else { Msg::Failed(text.to_owned()) };
    let _ = update(&mut scene.app, msg);
}

/// A dashboard without nodes, which shows the path of the file.
pub fn empty(text: &str) -> Scene {
    let mut scene = Scene::new(Vec::new(), NOW);
    scene.app.config_path = Some(text.into());
    scene
}
