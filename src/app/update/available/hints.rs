//! The key line and the help: which keys do something now, and what each one does.

use crate::app::keys::keymap::{Place, keymap, labels};
use crate::app::{Action, App, Dialog, Key};

/// A hint in the key line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The keys to press.
    pub keys: String,
    /// The word for what they do.
    pub word: &'static str,
    /// The action that a click on it performs.
    pub action: Action,
}

/// One line of the help or of the README's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpLine {
    /// The keys to press.
    pub keys: String,
    /// What they do.
    pub doc: &'static str,
    /// True if they do something now.
    pub live: bool,
}

impl App {
    /// The section of the key map in which the next key is looked up.
    pub fn place_of_keys(&self) -> Place {
        match (&self.dialog, &self.prompt) {
            (Some(Dialog::Form(_)), _) => Place::Form,
            (Some(Dialog::Confirm(_)), _) => Place::Confirm,
            (Some(Dialog::Help(_)), _) => Place::Help,
            (Some(Dialog::Columns(_)), _) => Place::Columns,
            (None, Some(prompt)) => prompt.place(),
            (None, None) => self.screen.place(self.pane),
        }
    }
}

/// The key line: only keys that do something now. Neighbours with the same word share it (`↑↓ move`).
pub fn hints(app: &App) -> Vec<Hint> {
    let place = app.place_of_keys();
    let mut hints: Vec<Hint> = Vec::new();
    for action in Action::ALL {
        // The cheapest test comes first: most actions have no word.
        let word = app.word(*action);
        if word.is_empty() {
            continue;
        }
        let Some(key) = keymap().keys(*action, place).first() else { continue };
        if !app.can(*action) {
            continue;
        }
        match hints.last_mut() {
            Some(last) if last.word == word => {
                let label = key.label(app.ascii);
                let short = last.keys.chars().count() + label.chars().count() == 2;
                last.keys = [last.keys.as_str(), label.as_str()].join(if short { "" } else { "/" });
            }
            _ => hints.push(Hint { keys: key.label(app.ascii), word, action: *action }),
        }
    }
    hints
}

/// The help for the screen below the dialog: its own keys, the keys of every screen, and those of input lines.
pub fn help(app: &App) -> Vec<(Place, Vec<HelpLine>)> {
    let mut places = app.screen.place(app.pane).chain().to_vec();
    places.extend(
        [Place::Command, Place::Filter, Place::Form, Place::Editor]
            .into_iter()
            .filter(|place| !places.contains(place))
            .collect::<Vec<_>>(),
    );
    places.into_iter().map(|place| (place, help_section(app, place))).collect()
}

fn help_section(app: &App, place: Place) -> Vec<HelpLine> {
    let line = |(action, keys): (Action, &[Key])| HelpLine {
        keys: labels(keys, app.ascii),
        doc: action.doc(),
        live: app.can_on_screen(action, place),
    };
    let mut lines: Vec<HelpLine> = keymap().section(place).into_iter().map(line).collect();
    lines.sort_by_key(|line| !line.live);
    lines
}
