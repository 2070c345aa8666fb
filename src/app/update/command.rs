//! The line after `:`: a command with fuzzy completion, or a statement for the marked nodes, or for all if none is
//! marked.

mod meaning;

use std::sync::LazyLock;
use std::time::Duration;

use crate::config::units;
use crate::model::view::ViewScreen;
use crate::model::{Command, NodeName};

use super::nodes::REFRESH_STEPS;
use crate::app::keys::keymap::Place;
use crate::app::screen::{About, SCREENS};
use crate::app::typing::meaning::{Meaning, Spec};
use crate::app::{Action, App, Confirm, Dialog, Effect, Prompt, Screen};
use crate::fleet::Severity;
use crate::sql::verbs::{Begins, begins};

/// A command and what it does.
#[derive(Clone, Copy)]
struct Row {
    spec: Spec,
    /// What can follow the name, for completion.
    takes: Takes,
    does: Does,
}

#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    Nodes,
    Views,
    Themes,
    Refresh,
}

#[derive(Clone, Copy)]
enum Does {
    Show(Screen),
    /// Calls this function; its second parameter is the argument, which may be empty. `Err` says what is wrong with
    /// it.
    Run(fn(&mut App, &str) -> Result<Vec<Effect>, String>),
}

const fn row(
    name: &'static str,
    argument: &'static str,
    doc: &'static str,
    takes: Takes,
    run: fn(&mut App, &str) -> Result<Vec<Effect>, String>,
) -> Row {
    Row { spec: Spec { name, argument, doc }, takes, does: Does::Run(run) }
}

/// The commands that do more than show a screen.
const OTHERS: [Row; 13] = [
    row("add", "", "Add a node", Takes::Nothing, |app, _| Ok(app.perform(Action::Add))),
    row("edit", "[NODE]", "Edit a node", Takes::Nodes, App::edit_named),
    row("remove", "[NODE]", "Remove a node from the dashboard (asks first)", Takes::Nodes, |app, names| {
        let nodes = app.named_targets(names)?;
        app.dialog = Some(Dialog::Confirm(Confirm::removal(nodes)));
        Ok(Vec::new())
    }),
    row("retry", "[NODE]", "Retry a node now", Takes::Nodes, |app, names| {
        let nodes = app.named_targets(names)?.into_iter();
        Ok(nodes.map(|node| Effect::Send(Command::Retry(node))).collect())
    }),
    row("pause", "[NODE]", "Close pgwatch's sessions on a node", Takes::Nodes, |app, names| {
        let nodes = app.named_targets(names)?;
        Ok(app.pause(nodes))
    }),
    row("resume", "[NODE]", "Reconnect to a paused node", Takes::Nodes, |app, names| {
        let nodes = app.named_targets(names)?;
        Ok(app.resume(nodes))
    }),
    row("export", "FILE", "Write the answers to a file: .csv or .json", Takes::Nothing, |app, file| app.export(file)),
    row("filter", "[TEXT]", "Filter the rows", Takes::Nothing, |app, text| {
        app.set_filter(text);
        app.keep_filter();
        Ok(Vec::new())
    }),
    row("refresh", "250ms .. 1m", "Set the refresh interval", Takes::Refresh, |app, time| {
        Ok(app.set_refresh(refresh(time)?))
    }),
    row("theme", "NAME", "Change the theme", Takes::Themes, App::set_theme),
    row("reload", "", "Reload the configuration file", Takes::Nothing, |_, _| Ok(vec![Effect::Reload])),
    row("help", "", "Help", Takes::Nothing, |app, _| Ok(app.perform(Action::Help))),
    row("quit", "", "Leave", Takes::Nothing, |app, _| Ok(app.leave())),
];

/// All commands, in the order of the help: the screens first.
static COMMANDS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let of_screen = |about: &About| {
        let [name, argument, doc] = about.command;
        let takes = match about.screen {
            Screen::Detail => Takes::Nodes,
            Screen::View(ViewScreen::Other) => Takes::Views,
            _ => Takes::Nothing,
        };
        Row { spec: Spec { name, argument, doc }, takes, does: Does::Show(about.screen) }
    };
    SCREENS.iter().map(of_screen).chain(OTHERS).collect()
});

/// All commands, in the order of the help.
pub fn commands() -> impl Iterator<Item = &'static Spec> {
    COMMANDS.iter().map(|row| &row.spec)
}

impl App {
    pub(in crate::app) fn open_command(&mut self) {
        self.dialog = None;
        self.prompt = Some(Prompt::command(""));
        self.prompt_changed();
    }

    pub(in crate::app) fn open_filter(&mut self) {
        self.dialog = None;
        self.prompt = Some(Prompt::filter(self.filter().source()));
    }

    /// The line was edited: a filter applies at once, a command offers completions.
    pub(in crate::app) fn prompt_changed(&mut self) {
        let Some(mut prompt) = self.prompt.take() else { return };
        prompt.error = None;
        prompt.chosen = None;
        prompt.back = 0;
        prompt.input.text().clone_into(&mut prompt.typed);
        if prompt.place() == Place::Filter {
            self.set_filter(&prompt.typed);
            prompt.error = self.filter().fault().map(str::to_owned);
        } else {
            prompt.completions = self.completions(&prompt.typed);
            prompt.meaning = self.meaning(&prompt.typed);
        }
        self.prompt = Some(prompt);
    }

    /// `Tab`: puts the next completion into the line; after the last one, what was typed.
    pub(in crate::app) fn complete(&mut self, forward: bool) {
        let Some(mut prompt) = self.prompt.take() else { return };
        let places = prompt.completions.len() + 1;
        let at = prompt.chosen.map_or(0, |chosen| chosen + 1);
        let next = (at + if forward { 1 } else { places - 1 }) % places;
        prompt.chosen = next.checked_sub(1);
        let text = prompt.chosen.and_then(|chosen| prompt.completions.get(chosen)).unwrap_or(&prompt.typed);
        prompt.input.set(text.clone());
        prompt.error = None;
        prompt.meaning = self.meaning(prompt.input.text());
        self.prompt = Some(prompt);
    }

    /// Goes back and forth in the history, in the command line or in the editor.
    pub(in crate::app) fn recall(&mut self, older: bool) {
        let back = self.prompt.as_ref().map_or(self.query.back, |prompt| prompt.back);
        // The editor takes only statements.
        let fits = |line: &&String| self.prompt.is_some() || begins(line) == Begins::Statement;
        let next = if older { back + 1 } else { back.saturating_sub(1) };
        let found = next.checked_sub(1).map(|at| self.query.history.iter().rev().filter(fits).nth(at).cloned());
        let line = match found {
            Some(Some(line)) => line,
            None if back > 0 => String::new(),
            Some(None) => return self.say_why("the history goes no further back"),
            None => return self.say_why("the history has nothing newer"),
        };
        if let Some(mut prompt) = self.prompt.take() {
            let text = if next == 0 { prompt.typed.clone() } else { line };
            prompt.input.set(text.replace('\n', " "));
            prompt.back = next;
            prompt.error = None;
            prompt.meaning = self.meaning(prompt.input.text());
            self.prompt = Some(prompt);
        } else {
            let was_written = self.query.editor.text() == line;
            self.query.editor.set(&line);
            self.query.back = next;
            // The statement that ran last is in the editor already.
            if was_written {
                self.recall(older);
            }
        }
    }

    pub(in crate::app) fn accept_command(&mut self) -> Vec<Effect> {
        let Some(prompt) = self.prompt.take() else { return Vec::new() };
        let line = prompt.input.text().trim().to_owned();
        if line.is_empty() {
            return Vec::new();
        }
        match self.execute(&line) {
            Ok(mut effects) => {
                effects.extend(self.remember(&line));
                effects
            }
            Err(error) => {
                self.prompt = Some(Prompt { error: Some(error), ..prompt });
                Vec::new()
            }
        }
    }

    fn execute(&mut self, line: &str) -> Result<Vec<Effect>, String> {
        match self.meaning(line) {
            Meaning::Nothing => Ok(Vec::new()),
            Meaning::Command(spec, rest) => {
                match COMMANDS.iter().find(|row| row.spec.name == spec.name).map(|row| row.does) {
                    Some(Does::Show(screen)) => self.show_named(screen, &rest),
                    Some(Does::Run(run)) => run(self, &rest),
                    None => Ok(Vec::new()),
                }
            }
            Meaning::View(name) => self.view(&name),
            Meaning::Statement(_) => Ok(self.run(line)),
            Meaning::Wrong(why) => Err(why),
        }
    }

    fn view(&mut self, name: &str) -> Result<Vec<Effect>, String> {
        if self.show_view(name) {
            return Ok(Vec::new());
        }
        Err(if name.is_empty() {
            "view NAME: name a view; Tab lists them".to_owned()
        } else {
            format!("there is no view {name:?}; Tab lists the views")
        })
    }

    /// Shows a screen, with what the argument of its command names.
    fn show_named(&mut self, screen: Screen, name: &str) -> Result<Vec<Effect>, String> {
        match screen {
            Screen::View(ViewScreen::Other) => return self.view(name),
            Screen::Detail => {
                let node = self.known_node(name)?;
                self.open_node(&node);
            }
            screen => self.show_from_its_top(screen),
        }
        Ok(Vec::new())
    }

    fn edit_named(&mut self, name: &str) -> Result<Vec<Effect>, String> {
        if !name.is_empty() {
            let node = self.known_node(name)?;
            self.select_node(&node);
        }
        self.named_targets("")?;
        Ok(self.perform(Action::Edit))
    }

    fn known_node(&self, name: &str) -> Result<NodeName, String> {
        if name.is_empty() {
            return Err("node NAME: name a node; Tab lists them".to_owned());
        }
        let known = self.fleet.now().nodes.names().find(|known| known.as_str() == name);
        known.cloned().ok_or_else(|| format!("there is no node named {name}"))
    }

    /// The nodes named after a command; if none is named, those that a key would act on.
    fn named_targets(&self, names: &str) -> Result<Vec<NodeName>, String> {
        let nodes = if names.is_empty() {
            self.targets()
        } else {
            names
                .split([' ', ','])
                .filter(|name| !name.is_empty())
                .map(|name| self.known_node(name))
                .collect::<Result<_, _>>()?
        };
        if nodes.is_empty() { Err("no node is selected".to_owned()) } else { Ok(nodes) }
    }

    fn set_theme(&mut self, name: &str) -> Result<Vec<Effect>, String> {
        if !self.themes.iter().any(|theme| theme == name) {
            return Err(format!("no theme {name:?}; choose one of {}", self.themes.join(", ")));
        }
        name.clone_into(&mut self.theme);
        self.say(Severity::Info, format!("theme {name}"));
        Ok(Vec::new())
    }

    fn completions(&self, typed: &str) -> Vec<String> {
        let Some((word, rest)) = typed.split_once(' ') else {
            let views = self.views.all().map(|view| view.name.as_str());
            let views = views.filter(|view| commands().all(|spec| spec.name != *view));
            let names = commands().map(|spec| spec.name).chain(views);
            return ranked(typed, names).into_iter().map(str::to_owned).collect();
        };
        let takes = COMMANDS.iter().find(|row| row.spec.name == word).map_or(Takes::Nothing, |row| row.takes);
        let candidates: Vec<String> = match takes {
            Takes::Nothing => Vec::new(),
            Takes::Themes => self.themes.clone(),
            Takes::Views => self.views.all().map(|view| view.name.clone()).collect(),
            Takes::Nodes => self.fleet.now().nodes.names().map(ToString::to_string).collect(),
            Takes::Refresh => REFRESH_STEPS.iter().map(|step| units::format_duration(*step)).collect(),
        };
        ranked(rest, candidates.iter().map(String::as_str)).into_iter().map(|found| format!("{word} {found}")).collect()
    }
}

fn refresh(text: &str) -> Result<Duration, String> {
    let allowed = || "write a time between 250ms and 1m, such as 500ms or 2s".to_owned();
    let refresh = units::parse_duration(text).ok_or_else(allowed)?;
    let bounds = REFRESH_STEPS[0]..=REFRESH_STEPS[REFRESH_STEPS.len() - 1];
    if bounds.contains(&refresh) { Ok(refresh) } else { Err(allowed()) }
}

/// The candidates that contain the letters of `typed` in this order, the closest first: those that begin with it,
/// then those with the fewest letters in between.
fn ranked<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = typed.trim().to_ascii_lowercase();
    let mut found: Vec<(usize, &str)> = candidates.filter_map(|name| Some((distance(&wanted, name)?, name))).collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, name)| name).collect()
}

/// The number of letters skipped to find all of `wanted` in `name`; `None` if some are missing.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    let mut letters = lower.chars();
    let mut passed = 0;
    for c in wanted.chars() {
        passed += letters.position(|letter| letter == c)?;
    }
    Some(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_are_fuzzy() {
        assert_eq!(ranked("rt", ["retry", "remove", "reset"].into_iter()), ["retry", "reset"]);
        assert_eq!(ranked("", ["b", "a"].into_iter()), ["b", "a"]);
    }
}
