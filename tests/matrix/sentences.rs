//! The README's sentences about keys, each with a walk that proves it: `sentences.yaml` names the sentence, the picture
//! to begin on, the keys, and what the screen shows then that it did not show before. A sentence about a key without a
//! walk fails, and so does a walk whose sentence is gone.

use std::collections::BTreeSet;
use std::path::Path;

use pgwatch::app::keys::keymap::keymap;
use pgwatch::app::{Effect, Key, Msg, update};
use serde::Deserialize;

use crate::look::Look;
use crate::places::{self, Standing};

const SIZE: (u16, u16) = (120, 40);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promise {
    sentence: String,
    walks: Vec<Steps>,
}

/// Keys pressed on a picture, and what the screen shows then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    on: String,
    press: String,
    /// Shown after the keys; the first of them was not shown before.
    #[serde(default)]
    sees: Vec<String>,
    /// Shown after the keys, whether or not it was before.
    #[serde(default)]
    keeps: Vec<String>,
    /// Shown before the keys, and not after them.
    #[serde(default)]
    gone: Vec<String>,
    /// The copied text contains this.
    copies: Option<String>,
}

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The prose of the README without code, tables and pictures; each paragraph and each item of a list on one line.
fn prose(readme: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let (mut in_code, mut is_generated) = (false, false);
    for line in readme.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if line.starts_with("<!--") {
            is_generated = !line.starts_with("<!-- /");
        }
        let is_prose = !in_code
            && !is_generated
            && !line.starts_with(['|', '#', '<'])
            && !line.starts_with("```")
            && !line.starts_with("![");
        if !is_prose || line.is_empty() || line.starts_with("- ") {
            paragraphs.push(String::new());
        }
        if is_prose {
            let paragraph = paragraphs.last_mut().unwrap();
            paragraph.push_str(line.trim_start_matches("- "));
            paragraph.push(' ');
        }
    }
    paragraphs
}

fn sentences(readme: &str) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in prose(readme) {
        let mut rest = paragraph.trim();
        while let Some((sentence, tail)) = rest.split_once(". ") {
            found.push(format!("{}.", sentence.trim()));
            rest = tail.trim();
        }
        found.push(rest.to_owned());
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// The keys as the README writes them.
fn labels() -> BTreeSet<String> {
    let keys = keymap().places().flat_map(|place| keymap().section(place)).flat_map(|(_, keys)| keys);
    let named = ["Enter", "Space"].map(str::to_owned);
    keys.map(|key| key.label(false)).chain(named).collect()
}

fn names_a_key(sentence: &str, labels: &BTreeSet<String>) -> bool {
    sentence.split('`').skip(1).step_by(2).any(|code| labels.contains(code))
}

fn promises() -> Vec<Promise> {
    serde_yaml::from_str(include_str!("sentences.yaml")).unwrap()
}

#[test]
fn every_sentence_about_a_key_has_a_walk() {
    let labels = labels();
    let said: Vec<String> =
        sentences(&readme()).into_iter().filter(|sentence| names_a_key(sentence, &labels)).collect();
    let walked: Vec<String> = promises().into_iter().map(|promise| promise.sentence).collect();
    let without: Vec<&String> = said.iter().filter(|sentence| !walked.contains(sentence)).collect();
    assert!(without.is_empty(), "sentences of the README without a walk in sentences.yaml:\n{without:#?}");
    let gone: Vec<&String> = walked.iter().filter(|sentence| !said.contains(sentence)).collect();
    assert!(gone.is_empty(), "walks for sentences that the README does not have:\n{gone:#?}");
}

fn walk(standing: &Standing, steps: &Steps) -> Result<(), String> {
    let mut scene = standing.scene.clone();
    let before = Look::draw(&mut scene, SIZE).lines.join("\n");
    let mut copied = String::new();
    let mut after = String::new();
    for key in Key::sequence(&steps.press) {
        for effect in update(&mut scene.app, Msg::Key(key)) {
            if let Effect::Copy(text) = effect {
                copied = text;
            }
        }
        after = Look::draw(&mut scene, SIZE).lines.join("\n");
    }
    let shown =
        |wanted: &String| if after.contains(wanted.as_str()) { Ok(()) } else { Err(format!("not shown: {wanted}")) };
    let went = |gone: &String| match (before.contains(gone.as_str()), after.contains(gone.as_str())) {
        (true, false) => Ok(()),
        (false, _) => Err(format!("not shown before: {gone}")),
        (true, true) => Err(format!("still shown: {gone}")),
    };
    let told = || {
        if steps.sees.is_empty() && steps.gone.is_empty() && steps.keeps.is_empty() && steps.copies.is_none() {
            return Err("the walk looks at nothing".to_owned());
        }
        if let Some(first) = steps.sees.first().filter(|first| before.contains(first.as_str())) {
            return Err(format!("shown before: {first}"));
        }
        if let Some(wanted) = steps.copies.as_ref().filter(|wanted| !copied.contains(wanted.as_str())) {
            return Err(format!("copied {copied:?}, not {wanted:?}"));
        }
        steps.sees.iter().chain(&steps.keeps).try_for_each(shown)?;
        steps.gone.iter().try_for_each(went)
    };
    told().map_err(|why| format!("on {}, {}: {why}\n{before}\n->\n{after}", steps.on, steps.press))
}

#[test]
fn the_sentences_about_keys_are_true() {
    let standings = places::all();
    let mut wrong = Vec::new();
    for promise in promises() {
        for steps in &promise.walks {
            let standing = standings.iter().find(|standing| standing.name == steps.on);
            let standing = standing.unwrap_or_else(|| panic!("no picture is called {:?}", steps.on));
            if let Err(why) = walk(standing, steps) {
                wrong.push(format!("{}\n{why}", promise.sentence));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
