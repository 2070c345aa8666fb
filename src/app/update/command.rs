//! The line behind `:`: a command with fuzzy completion, or a statement for the marked nodes, else for all.

mod meaning;

use std::time::Duration;

use crate::config::units;
use crate::model::NodeName;

use super::nodes::REFRESH_STEPS;
use crate::app::keys::keymap::Place;
use crate::app::{Action, App, Effect, Prompt};
use crate::fleet::Severity;
use crate::sql::verbs::{Begins, begins};

pub use meaning::Meaning;

/// A command of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub name: &'static str,
    /// What stands behind it, as the help shows it.
    pub argument: &'static str,
    pub doc: &'static str,
}

const fn spec(name: &'static str, argument: &'static str, doc: &'static str) -> Spec {
    Spec { name, argument, doc }
}

/// All commands, in the order of the help.
pub const COMMANDS: [Spec; 26] = [
    spec("nodes", "", "Show the nodes"),
    spec("topology", "", "Show which node receives from which"),
    spec("activity", "", "Show sessions and progress"),
    spec("locks", "", "Show which session waits for which"),
    spec("replication", "", "Show senders, receivers, slots and subscriptions"),
    spec("statements", "", "Show which statements cost most"),
    spec("tables", "", "Show tables, indexes and databases"),
    spec("io", "", "Show I/O, WAL and checkpoints"),
    spec("view", "NAME", "Show a view by its name; the word view is optional"),
    spec("query", "", "Show the query editor and its results"),
    spec("events", "", "Show the events"),
    spec("alerts", "", "Show the alerts"),
    spec("node", "NAME", "Open a node"),
    spec("add", "", "Add a node"),
    spec("edit", "[NODE]", "Edit a node"),
    spec("remove", "[NODE]", "Remove a node from the dashboard (asks first)"),
    spec("retry", "[NODE]", "Retry a node now"),
    spec("pause", "[NODE]", "Close pgwatch's sessions on a node"),
    spec("resume", "[NODE]", "Reconnect to a paused node"),
    spec("export", "FILE", "Write the answers to a file: .csv or .json"),
    spec("filter", "[TEXT]", "Filter the rows"),
    spec("refresh", "250ms .. 1m", "Set the refresh interval"),
    spec("theme", "NAME", "Change the theme"),
    spec("reload", "", "Reload the configuration file"),
    spec("help", "", "Help"),
    spec("quit", "", "Leave"),
];

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

    /// The line was edited: a filter works at once, a command offers completions.
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

    /// `Tab` puts the next completion into the line; behind the last comes what was typed.
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
        // The editor is for statements alone.
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
            // What ran last is in the editor already.
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
            Meaning::Command(spec, rest) => self.command(spec.name, &rest),
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

    fn command(&mut self, name: &str, rest: &str) -> Result<Vec<Effect>, String> {
        let effects = match name {
            "topology" => self.perform(Action::ScreenTopology),
            "activity" => self.perform(Action::ScreenActivity),
            "locks" => self.perform(Action::ScreenLocks),
            "replication" => self.perform(Action::ScreenReplication),
            "statements" => self.perform(Action::ScreenStatements),
            "tables" => self.perform(Action::ScreenTables),
            "io" => self.perform(Action::ScreenIo),
            "view" => self.view(rest)?,
            "nodes" => self.perform(Action::ScreenNodes),
            "query" => self.perform(Action::ScreenQuery),
            "events" => self.perform(Action::ScreenEvents),
            "alerts" => self.perform(Action::ScreenAlerts),
            "help" => self.perform(Action::Help),
            "export" => self.export(rest)?,
            "node" => {
                self.open_node(&self.known_node(rest)?);
                Vec::new()
            }
            "add" => self.perform(Action::Add),
            "edit" => {
                if !rest.is_empty() {
                    self.select_node(&self.known_node(rest)?);
                }
                self.named_targets("")?;
                self.perform(Action::Edit)
            }
            "remove" => {
                let nodes = self.named_targets(rest)?;
                self.dialog = Some(crate::app::Dialog::Confirm(crate::app::Confirm::removal(nodes)));
                Vec::new()
            }
            "retry" => self
                .named_targets(rest)?
                .into_iter()
                .map(|node| Effect::Send(crate::model::Command::Retry(node)))
                .collect(),
            "pause" => {
                let nodes = self.named_targets(rest)?;
                self.pause(nodes)
            }
            "resume" => {
                let nodes = self.named_targets(rest)?;
                self.resume(nodes)
            }
            "filter" => {
                self.set_filter(rest);
                self.keep_filter();
                Vec::new()
            }
            "refresh" => self.set_refresh(refresh(rest)?),
            "theme" => self.set_theme(rest)?,
            "reload" => vec![Effect::Reload],
            _ => self.leave(),
        };
        Ok(effects)
    }

    fn known_node(&self, name: &str) -> Result<NodeName, String> {
        if name.is_empty() {
            return Err("node NAME: name a node; Tab lists them".to_owned());
        }
        let known = self.fleet.now().nodes.names().find(|known| known.as_str() == name);
        known.cloned().ok_or_else(|| format!("there is no node named {name}"))
    }

    /// The nodes named behind a command, else those that a key would act on.
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
            let views = views.filter(|view| COMMANDS.iter().all(|spec| spec.name != *view));
            let names = COMMANDS.iter().map(|spec| spec.name).chain(views);
            return ranked(typed, names).into_iter().map(str::to_owned).collect();
        };
        let candidates: Vec<String> = match word {
            "theme" => self.themes.clone(),
            "view" => self.views.all().map(|view| view.name.clone()).collect(),
            "node" | "edit" | "remove" | "retry" | "pause" | "resume" => {
                self.fleet.now().nodes.names().map(ToString::to_string).collect()
            }
            "refresh" => REFRESH_STEPS.iter().map(|step| units::format_duration(*step)).collect(),
            _ => Vec::new(),
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

/// Candidates that hold the letters of `typed` in that order, the closest first: those that begin with it, then
/// those with fewest letters between.
fn ranked<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = typed.trim().to_ascii_lowercase();
    let mut found: Vec<(usize, &str)> = candidates.filter_map(|name| Some((distance(&wanted, name)?, name))).collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, name)| name).collect()
}

/// Letters passed over to find all of `wanted` in `name`; `None` where they are not all there.
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
