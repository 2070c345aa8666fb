//! `q` and `Esc` go back along the way that a person came.

use pgwatch::app::Effect;
use pgwatch::model::Command;
use pgwatch::tui::ColorDepth;

use super::screen;
use crate::scene::answers::answer;
use crate::scene::{self, Scene, production, theme};

/// A fleet whose topology, sessions and slots are known.
fn dashboard() -> Scene {
    let mut scene = production();
    screen(&mut scene, 120, 40);
    scene.press("2");
    let own = |role: &str| format!("kind=self | name=x | role={role} | timeline=1 | system_identifier=77 | port=5432");
    answer(&mut scene, "primary", "topology", &[&own("primary")]);
    answer(&mut scene, "replica-1", "topology", &[&own("standby")]);
    scene.press("3");
    answer(&mut scene, "primary", "activity", &["pid=4711 | query=select 1", "pid=4712 | query=select 2"]);
    scene.press("5<tab><tab>");
    answer(&mut scene, "primary", "slots", &["slot=orders | active=t"]);
    scene.press("1g");
    screen(&mut scene, 120, 40);
    scene
}

/// What the screen shows: the node of the page, or the title of the first pane and the first word of the selected line.
fn place(scene: &mut Scene) -> String {
    let buf = scene.draw(120, 40, &theme("dark", ColorDepth::True));
    let text = scene::text(&buf);
    let lines: Vec<&str> = text.lines().collect();
    let title =
        lines.iter().find_map(|line| line.strip_prefix("╭─ ")).and_then(|line| line.split(" ─").next()).unwrap();
    if scene.app.picture().nodes.names().any(|node| node.as_str() == title) {
        return format!("page of {title}");
    }
    let selected = (3..38).find(|y| buf[(6, *y)].bg != buf[(0, 0)].bg);
    let line = selected.map_or("", |y| lines[usize::from(y)]);
    match line.split_whitespace().find(|word| word.chars().any(char::is_alphanumeric)) {
        Some(word) => format!("{title} at {word}"),
        None => title.to_owned(),
    }
}

/// Walks these keys, then presses `q` or `Esc` up to the first screen, and returns what is not as expected. Each place
/// on the way back must look as it was left.
fn wrong_way(start: &Scene, keys: &[&str], back: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in ["q", "<esc>"] {
        let mut scene = start.clone();
        let mut left = Vec::new();
        for part in keys {
            left.push(place(&mut scene));
            scene.press(part);
        }
        let mut places = Vec::new();
        for _ in back {
            let leaves = leaves(&scene.press(key));
            places.push(if leaves { "left".to_owned() } else { place(&mut scene) });
        }
        let is_right = |(place, back): (&String, &&str)| place.starts_with(back) && left.contains(place);
        // On the first screen `q` leaves and `Esc` does nothing.
        if !places.iter().zip(back).all(is_right) || leaves(&scene.press(key)) != (key == "q") {
            wrong.push(format!("{keys:?}, then {key}: {places:?}"));
        }
    }
    wrong
}

fn leaves(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Quit | Effect::Send(Command::Shutdown { .. })))
}

#[test]
fn the_way_back_is_the_way_one_came() {
    let start = dashboard();
    let walks: [(&[&str], &[&str]); 16] = [
        (&["<enter>"], &["Nodes at primary"]),
        (&["0", "jj", "<enter>"], &["Events at 13:48:29", "Nodes at primary"]),
        (&["2", "j", "<enter>"], &["Topology at replica-1", "Nodes at primary"]),
        (&["t", "<enter>"], &["Alerts", "Nodes at primary"]),
        (&["3", "j", "<enter>"], &["Sessions", "Nodes at primary"]),
        (&["3", "4", "2"], &["Who waits for whom", "Sessions", "Nodes at primary"]),
        (&["5", ":senders<enter>", "0"], &["Senders", "Slots", "Nodes at primary"]),
        (&[":slots<enter>", ":settings<enter>", ":drift<enter>"], &["Settings", "Slots", "Nodes at primary"]),
        (&[":node replica-1<enter>", "3"], &["page of replica-1", "Nodes at primary"]),
        // Each page of a node is its own place.
        (&["j", "<enter>", "0", "G", "<enter>"], &["Events at 13:48:22", "page of replica-1", "Nodes at replica-1"]),
        // The pane is the one that was left.
        (&["9", "<esc>", "0"], &["Statement", "Nodes at primary"]),
        (&["9", "<esc>", "0", "2"], &["Events", "Statement", "Nodes at primary"]),
        // Opening the screen that is already shown is no step.
        (&["3", "3", "3"], &["Nodes at primary"]),
        // Switching back and forth between two screens makes the way back no longer.
        (&["3", "4", "3", "4", "3", "4"], &["Sessions", "Nodes at primary"]),
        // The digit of the first screen leads home.
        (&["3", "4", "2", "1"], &[]),
        (&[":alerts<enter>", ":nodes<enter>"], &[]),
    ];
    let wrong: Vec<String> = walks.iter().flat_map(|(keys, back)| wrong_way(&start, keys, back)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_way_back_has_an_end_after_any_walk() {
    let mut scene = dashboard();
    let keys = ["3", "4", "5", "6", "7", "8", "9<esc>", "0", "t", "c", ":settings<enter>", ":slots<enter>", "2"];
    for turn in 0..200 {
        scene.press(keys[turn * turn % keys.len()]);
        if turn % 3 == 0 {
            scene.press("<enter>");
        }
    }
    let left = (0..100).position(|_| leaves(&scene.press("q")));
    assert!(left.is_some_and(|left| left < 40), "{left:?}");
}

#[test]
fn nothing_leads_back_to_the_page_of_a_node_that_is_gone() {
    let mut scene = dashboard();
    scene.press("j<enter>");
    assert_eq!(place(&mut scene), "page of replica-1");
    scene.press("3");
    scene.event(pgwatch::model::EventKind::NodeRemoved {
        node: crate::scene::name("replica-1"),
        sessions_closed: 1,
        cancelled: 0,
    });
    scene.press("q");
    assert!(place(&mut scene).starts_with("Nodes at"), "{}", place(&mut scene));
}

/// On a node's page the neighbours are selected in the list that it was opened from.
#[test]
fn the_list_of_nodes_shows_the_neighbour_that_was_looked_at() {
    for key in ["q", "<esc>"] {
        let mut scene = dashboard();
        scene.press(&format!("<enter>]]{key}"));
        assert_eq!(place(&mut scene), "Nodes at replica-2");
    }
}
