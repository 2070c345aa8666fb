//! All rules of alerts: the built-in ones, and the user's own files, which may replace those by name or switch them
//! off.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use super::diagnostic::Diagnostic;
use super::environment::{Environment, default_path};
use super::read::text as text_of;
use super::views::{self, Views, files};
use crate::model::Rule;

mod read;

pub use read::from_text;

/// The built-in rules: name and text of each file of `config/alerts`.
static OURS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/alerts.rs"));

/// The rules, by name.
pub type Rules = IndexMap<String, Arc<Rule>>;

/// The built-in rules, on the built-in views. A file that cannot be read is left out; `tests/alerts` checks that there
/// is none.
pub fn ours() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(|| on(views::ours()).0);
    &RULES
}

/// Name and text of each built-in file.
pub fn our_files() -> &'static [(&'static str, &'static str)] {
    OURS
}

/// `$XDG_CONFIG_HOME/pgwatch/alerts`. It need not exist.
pub fn folder(env: &Environment) -> Option<PathBuf> {
    Some(default_path(env)?.parent()?.join("alerts"))
}

/// The built-in rules, replaced and extended by those of the user's folder, on these views. Blocks while it reads
/// files.
///
/// # Errors
/// All problems of the user's files, and of built-in rules where a view of the user lacks their columns. The valid
/// rules are returned all the same.
pub fn load(env: &Environment, views: &Views) -> (Rules, Vec<Diagnostic>) {
    let own: Vec<(String, PathBuf)> = files(folder(env).as_deref()).into_iter().map(named).collect();
    let (mut rules, mut problems) = on(views);
    // Built-in rules that the user replaces may be broken.
    let replaced = |problem: &Diagnostic| own.iter().any(|(name, _)| problem.file == our_path(name));
    problems.retain(|problem| !replaced(problem));
    for (name, path) in own {
        match read_file(&name, &path, views) {
            Ok(Some(rule)) => drop(rules.insert(name, Arc::new(rule))),
            Ok(None) => drop(rules.shift_remove(&name)),
            Err(more) => problems.extend(more),
        }
    }
    (rules, problems)
}

fn on(views: &Views) -> (Rules, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut rules = Rules::new();
    for (name, text) in OURS {
        match from_text(name, text, &our_path(name), views) {
            Ok(rule) => rules.extend(rule.map(|rule| ((*name).to_owned(), Arc::new(rule)))),
            Err(more) => problems.extend(more),
        }
    }
    (rules, problems)
}

fn our_path(name: &str) -> String {
    format!("config/alerts/{name}.yaml")
}

fn named(path: PathBuf) -> (String, PathBuf) {
    (path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(), path)
}

fn read_file(name: &str, path: &Path, views: &Views) -> Result<Option<Rule>, Vec<Diagnostic>> {
    let file = path.display().to_string();
    let text = text_of(path).map_err(|(position, message)| vec![Diagnostic::new(&*file, position, message)])?;
    from_text(name, &text, &file, views)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_user_replace_ours_or_switch_them_off() {
        let folder = tempfile::tempdir().unwrap();
        let alerts = folder.path().join("pgwatch/alerts");
        let own_views = folder.path().join("pgwatch/views");
        for folder in [&alerts, &own_views] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let right = "title: Mine\nview: mine\ncolumn: a\nwarning: \"= x\"\nsays: \"{a} it is\"\n";
        std::fs::write(alerts.join("mine.yaml"), right).unwrap();
        std::fs::write(alerts.join("wraparound.yaml"), right.replace("Mine", "Other")).unwrap();
        std::fs::write(alerts.join("invalid_index.yaml"), "off: true\n").unwrap();
        std::fs::write(alerts.join("wrong.yaml"), "title: 1\nviews: a\n").unwrap();
        let view = "title: V\nabout: x\nkey: [a]\nfrom: t\ncolumns: {a: {type: text, about: x}}\n";
        std::fs::write(own_views.join("mine.yaml"), view).unwrap();
        // A built-in view is replaced by one without the columns that a built-in rule needs.
        std::fs::write(own_views.join("archiver.yaml"), view).unwrap();
        let env = Environment::empty().with_var("XDG_CONFIG_HOME", folder.path().to_str().unwrap());
        let (views, faults) = views::load(&env);
        assert_eq!(faults, []);
        let (rules, problems) = load(&env, &views);
        assert_eq!((rules["mine"].title.as_str(), rules["wraparound"].title.as_str()), ("Mine", "Other"));
        assert!(ours().contains_key("invalid_index") && !rules.contains_key("invalid_index"));
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said.ends_with("2:1: unknown key \"views\": did you mean view?")), "{said:?}");
        let ours = said.iter().find(|said| said.starts_with("config/alerts/archiver_failing.yaml:")).unwrap();
        assert!(ours.contains("there is no column \"failing\""), "{said:?}");
        assert!(problems.iter().all(|p| p.file.ends_with("wrong.yaml") || p.file.contains("archiver")), "{said:?}");
    }
}
