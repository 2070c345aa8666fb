//! Every key that the help names, in every place where it is named: on each screen and each of its tabs, in the
//! dialogs, without nodes, in a frozen picture. Each key is pressed on its own copy of the picture, through the message
//! that the loop makes of it, and the next frame is read: it shows what the key promises, or the line above the keys
//! says why not. `tests/snapshots/matrix__refusals.snap` keeps which keys are refused where, so that a reviewer sees a
//! key that is refused in a new place.
//!
//! A new action does not compile until its promise is written down in `promises.rs`; a new view, screen or place is
//! walked automatically.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../scene/mod.rs"]
mod scene;
#[path = "../support/mod.rs"]
mod support;

mod look;
mod places;
mod promises;
mod sentences;
mod terminal;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pgwatch::app::keys::keymap::{Place, keymap};
use pgwatch::app::{Action, Key, Msg, update};

use look::Look;
use places::Standing;
use promises::{Hands, Pressed, kept};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// The effect of a key.
enum Outcome {
    Kept,
    /// Why nothing happened, as the screen says it.
    Refused(String),
    Silent,
}

/// A picture on which keys are pressed.
struct Picture {
    scene: scene::Scene,
    size: (u16, u16),
}

impl Hands for Picture {
    fn press(&mut self, keys: &[Key]) {
        for key in keys {
            let _ = update(&mut self.scene.app, Msg::Key(*key));
        }
    }

    fn sees(&mut self, condition: &dyn Fn(&Look) -> bool) -> bool {
        condition(&Look::draw(&mut self.scene, self.size))
    }
}

/// Presses one key on a copy of the picture, which was drawn once.
fn press(standing: &Standing, before: &Look, key: Key, action: Action, size: (u16, u16)) -> Outcome {
    let mut scene = standing.scene.clone();
    let effects = update(&mut scene.app, Msg::Key(key));
    let after = Look::draw(&mut scene, size);
    let pressed = Pressed { key, effects: Some(&effects), before, after: &after };
    if kept(action, &pressed, &mut Picture { scene, size }) {
        return Outcome::Kept;
    }
    match after.said(before) {
        Some(said) => Outcome::Refused(said),
        None => Outcome::Silent,
    }
}

/// The keys of a place and their meaning there.
fn keys(place: Place) -> Vec<(Action, Key)> {
    let sections = place.chain().iter().flat_map(|section| keymap().section(*section));
    sections.flat_map(|(action, keys)| keys.iter().map(move |key| (action, *key))).collect()
}

/// The effects of all keys.
#[derive(Default)]
struct Walk {
    silent: Vec<String>,
    refused: BTreeSet<String>,
    places: BTreeSet<String>,
}

impl Walk {
    fn through(&mut self, standing: &Standing) {
        let place = standing.scene.app.place_of_keys();
        self.places.insert(format!("{place:?}"));
        for size in SIZES {
            let mut standing = standing.clone();
            Look::draw(&mut standing.scene, size);
            let before = Look::draw(&mut standing.scene, size);
            for (action, key) in keys(place) {
                let label = key.label(false);
                match press(&standing, &before, key, action, size) {
                    Outcome::Kept => {}
                    Outcome::Refused(why) => drop(self.refused.insert(format!("{} | {label} | {why}", standing.name))),
                    Outcome::Silent => {
                        let (name, doc, (width, height)) = (&standing.name, action.doc(), size);
                        self.silent.push(format!("{name} | {label} at {width}x{height}: {doc}"));
                    }
                }
            }
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.silent.extend(other.silent);
        self.refused.extend(other.refused);
        self.places.extend(other.places);
        self
    }
}

#[test]
fn every_key_does_what_the_help_says_or_says_why_not() {
    let all = places::all();
    let (first, second) = all.split_at(all.len() / 2);
    let walk = |standings: &[Standing]| {
        let mut walk = Walk::default();
        for standing in standings {
            walk.through(standing);
        }
        walk
    };
    let walk = std::thread::scope(|threads| {
        let other = threads.spawn(|| walk(second));
        walk(first).join(other.join().unwrap())
    });
    let unwalked: Vec<String> =
        keymap().places().map(|place| format!("{place:?}")).filter(|place| !walk.places.contains(place)).collect();
    // The two sections that every place shares.
    assert_eq!(unwalked, ["Always", "Screen"], "a place of the key map that no picture leads to");
    let silent = walk.silent.join("\n");
    assert!(silent.is_empty(), "keys that do not what they promise, and do not say why:\n{silent}");
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("matrix__refusals", walk.refused.into_iter().collect::<Vec<_>>().join("\n"));
    });
}

/// A key without a meaning in this place says so: what it means elsewhere, or where to look.
#[test]
fn a_key_of_another_screen_says_where_it_belongs() {
    let all: BTreeSet<String> = keymap()
        .places()
        .filter(|place| places::is_screen(*place))
        .flat_map(keys)
        .map(|(_, key)| key.label(false))
        .chain("$%&*=@^_|~Qu".chars().map(String::from))
        .collect();
    let mut silent = String::new();
    for standing in places::all() {
        let place = standing.scene.app.place_of_keys();
        if !places::is_screen(place) {
            continue;
        }
        let known: BTreeSet<String> = keys(place).into_iter().map(|(_, key)| key.label(false)).collect();
        for label in all.difference(&known).filter(|label| label.chars().count() == 1) {
            let mut scene = standing.scene.clone();
            let before = Look::draw(&mut scene, SIZES[0]);
            scene.press(if label == "<" { "<<>" } else { label });
            let after = Look::draw(&mut scene, SIZES[0]);
            if after.said(&before).is_none_or(|said| !said.contains(label.as_str())) {
                writeln!(silent, "{} | {label}", standing.name).unwrap();
            }
        }
    }
    assert!(silent.is_empty(), "keys that do nothing in silence:\n{silent}");
}
