//! Says what a line after `:` means before `Enter` is pressed: a command, a view, or a statement and where it would
//! run.

use crate::config::nearest;
use crate::model::view::ViewScreen;
use crate::sql::acts::acts;
use crate::sql::verbs::{Begins, begins};

use super::{commands, ranked};
use crate::app::typing::meaning::Meaning;
use crate::app::{App, Screen};

impl App {
    pub(in crate::app) fn meaning(&self, line: &str) -> Meaning {
        let line = line.trim();
        let begins = begins(line);
        if begins == Begins::Statement {
            return Meaning::Statement(acts(line));
        }
        let line = line.trim_end_matches([';', ' ']);
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (word, rest) = (word.to_lowercase(), rest.trim());
        if word.is_empty() {
            return Meaning::Nothing;
        }
        let views = || self.views.all().map(|view| view.name.as_str());
        let meaning = match one_name(&word, views().collect()) {
            Ok(name) => match commands().find(|spec| spec.name == name) {
                // A view of the same name takes precedence. Not every server has the view of I/O, so that name means
                // the screen.
                Some(spec) if matches!(name, "topology" | "io") || !views().any(|view| view == name) => {
                    Meaning::Command(spec, rest.to_owned())
                }
                _ => Meaning::View(name.to_owned()),
            },
            Err(why) => Meaning::Wrong(why),
        };
        match (meaning, begins) {
            (Meaning::View(name), _) if !rest.is_empty() => Meaning::Wrong(too_much(&name, begins)),
            (Meaning::Command(spec, _), _) if spec.argument.is_empty() && !rest.is_empty() => {
                Meaning::Wrong(too_much(spec.name, begins))
            }
            (Meaning::Wrong(_), Begins::Verb(usage)) => {
                Meaning::Wrong(format!("{word:?} is not a command; as a statement, write {usage}"))
            }
            (meaning, _) => meaning,
        }
    }

    /// What `Enter` would do with the open line, in a few words; the first value is `false` if it would do nothing.
    pub fn meaning_of_prompt(&self) -> Option<(bool, String)> {
        let prompt = self.prompt.as_ref()?;
        let said = match &prompt.meaning {
            Meaning::Nothing => return None,
            Meaning::Wrong(why) => return Some((false, why.clone())),
            Meaning::Statement(_) if self.statement_targets().is_empty() => {
                return Some((false, "there is no node to run a statement on".to_owned()));
            }
            Meaning::Statement(acts) if acts.is_empty() => format!("runs {}", self.where_it_runs()),
            Meaning::Statement(acts) => {
                let names: Vec<&str> = acts.iter().map(|act| act.name.as_str()).collect();
                format!("asks, then runs {}: {}", self.where_it_runs(), names.join(", "))
            }
            Meaning::View(name) => {
                let title = || self.views.all().find(|view| view.name == *name).map(|view| view.title.as_str());
                let title = screen(name).map(Screen::title).or_else(title);
                format!("opens {}", title.unwrap_or(name))
            }
            Meaning::Command(spec, rest) => match screen(spec.name) {
                Some(screen) => format!("opens {}", screen.title()),
                None if spec.name == "view" && !rest.is_empty() => format!("opens the view {rest}"),
                None => spec.doc.to_owned(),
            },
        };
        Some((true, said))
    }

    /// The nodes on which a statement of the command line or the editor runs, in words.
    pub fn where_it_runs(&self) -> String {
        let targets = self.statement_targets();
        let marked = !self.nodes_table.marks.is_empty();
        match (targets.as_slice(), marked) {
            ([one], false) => format!("on {one}"),
            ([one], true) => format!("on 1 marked node: {one}"),
            (several, false) => format!("on {} nodes", several.len()),
            (several, true) => format!("on {} marked nodes", several.len()),
        }
    }
}

/// The screen that a command opens.
fn screen(command: &str) -> Option<Screen> {
    let view = |screen| Some(Screen::View(screen));
    match command {
        "nodes" => Some(Screen::Nodes),
        "topology" => Some(Screen::Topology),
        "activity" => view(ViewScreen::Activity),
        "locks" => view(ViewScreen::Locks),
        "replication" => view(ViewScreen::Replication),
        "statements" => view(ViewScreen::Statements),
        "tables" => view(ViewScreen::Tables),
        "io" => view(ViewScreen::Io),
        "query" => Some(Screen::Query),
        "events" => Some(Screen::Events),
        "alerts" => Some(Screen::Alerts),
        _ => None,
    }
}

/// The command or view that a word means: by its name, as vim's `q`, or by the beginning of exactly one name.
fn one_name<'a>(word: &str, views: Vec<&'a str>) -> Result<&'a str, String> {
    if matches!(word, "q" | "q!" | "exit") {
        return Ok("quit");
    }
    let mut names: Vec<&'a str> = commands().map(|spec| spec.name).chain(views).collect();
    if let Some(name) = names.iter().find(|name| name.eq_ignore_ascii_case(word)) {
        return Ok(name);
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    let starting: Vec<&'a str> = names.iter().copied().filter(|name| name.starts_with(word)).collect();
    match starting.as_slice() {
        [name] => Ok(name),
        [] => {
            let near: Vec<&str> = ranked(word, names.iter().copied()).into_iter().take(3).collect();
            let near = if near.is_empty() { nearest(word, names).into_iter().collect() } else { near };
            Err(match near.as_slice() {
                [] => format!("{word:?} is neither a command nor a statement; Tab lists the commands"),
                near => format!("{word:?} is neither a command nor a statement; did you mean {}?", listed(near)),
            })
        }
        several => Err(format!("{word:?} may be {}", listed(several))),
    }
}

/// A list in words: `a, b or c`.
fn listed(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn too_much(name: &str, begins: Begins) -> String {
    match begins {
        Begins::Verb(usage) => format!("{name} takes no argument; as a statement, write {usage}"),
        _ => format!("{name} takes no argument"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_enough_when_it_is_one_alone() {
        let of = |word| one_name(word, vec!["locks", "settings", "slots", "statement_stats", "wal", "wal_files"]);
        assert_eq!(of("ev"), Ok("events"));
        assert_eq!(of("node"), Ok("node"));
        assert_eq!(of("q"), Ok("quit"));
        assert_eq!(of("lock"), Ok("locks"));
        assert_eq!(of("set"), Ok("settings"));
        assert_eq!(of("wal"), Ok("wal"));
        assert_eq!(of("statement"), Err("\"statement\" may be statements or statement_stats".to_owned()));
        assert_eq!(of("re"), Err("\"re\" may be replication, remove, retry, resume, refresh or reload".to_owned()));
        assert_eq!(of("vnt"), Err("\"vnt\" is neither a command nor a statement; did you mean events?".to_owned()));
        assert_eq!(of("lokcs"), Err("\"lokcs\" is neither a command nor a statement; did you mean locks?".to_owned()));
        assert!(of("zzz").is_err());
    }
}
