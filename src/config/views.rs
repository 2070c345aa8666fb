//! All views: the built-in ones, and the user's own files, which may replace those by name.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use super::diagnostic::Diagnostic;
use super::environment::{Environment, default_path};
use super::read::text as text_of;
use crate::model::View;
use crate::model::view::{CellKind, Holds};

mod column;
mod read;

pub use read::from_text;

/// The built-in views: name and text of each file of `config/views`.
static OURS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/views.rs"));

/// The views, by name.
pub type Views = IndexMap<String, Arc<View>>;

/// The built-in views. A file that cannot be read is left out; `tests/views` checks that there is none.
pub fn ours() -> &'static Views {
    static VIEWS: LazyLock<Views> = LazyLock::new(|| {
        let read = |(name, text): &(&str, &str)| from_text(name, text, &format!("config/views/{name}.yaml")).ok();
        OURS.iter().filter_map(read).map(|view| (view.name.clone(), Arc::new(view))).collect()
    });
    &VIEWS
}

/// Name and text of each built-in file.
pub fn our_files() -> &'static [(&'static str, &'static str)] {
    OURS
}

/// `$XDG_CONFIG_HOME/pgwatch/views`. It need not exist.
pub fn folder(env: &Environment) -> Option<PathBuf> {
    Some(default_path(env)?.parent()?.join("views"))
}

/// The built-in views, replaced and extended by those of the user's folder. Blocks while it reads files.
/// Also returns all problems of the user's files; the valid ones are among the views.
pub fn load(env: &Environment) -> (Views, Vec<Diagnostic>) {
    let mut views = ours().clone();
    let mut problems = Vec::new();
    for path in files(folder(env).as_deref()) {
        match read_file(&path) {
            Ok(view) => drop(views.insert(view.name.clone(), Arc::new(view))),
            Err(more) => problems.extend(more),
        }
    }
    (views, problems)
}

/// Makes views that do not ask for the statements of other clients (`show_statements: false`).
pub fn hide_statements(views: &mut Views) {
    for view in views.values_mut() {
        *view = Arc::new(View::clone(view).without_statements());
    }
}

/// The YAML files of a folder, by name.
pub(super) fn files(folder: Option<&Path>) -> Vec<PathBuf> {
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let mut files: Vec<PathBuf> = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files.sort();
    files
}

fn read_file(path: &Path) -> Result<View, Vec<Diagnostic>> {
    let file = path.display().to_string();
    let text = text_of(path).map_err(|(position, message)| vec![Diagnostic::new(&*file, position, message)])?;
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut view = from_text(&name, &text, &file)?;
    // What the texts of a user hold is not known.
    for column in view.columns.iter_mut().filter(|column| column.kind == CellKind::Text) {
        column.holds.get_or_insert(Holds::Definition);
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_user_add_views_or_replace_ours() {
        let folder = tempfile::tempdir().unwrap();
        let views = folder.path().join("pgwatch/views");
        std::fs::create_dir_all(&views).unwrap();
        let write = |name: &str, text: &str| std::fs::write(views.join(name), text).unwrap();
        let right = "title: Mine\nabout: x\nkey: [a]\nfrom: t\ncolumns: {a: {type: text, about: x}}\n";
        write("mine.yaml", right);
        write("activity.yaml", right);
        write("wrong.yaml", "title: 1\nkeys: [a]\n");
        write("notes.txt", "no view");
        let env = Environment::empty().with_var("XDG_CONFIG_HOME", folder.path().to_str().unwrap());
        let (views, problems) = load(&env);
        assert_eq!(views["mine"].title, "Mine");
        assert_eq!(views["activity"].title, "Mine");
        assert_eq!(views["mine"].columns[0].holds, Some(Holds::Definition));
        assert!(views.len() > ours().len() && !views.contains_key("wrong"));
        assert!(problems.iter().all(|problem| problem.file.ends_with("wrong.yaml")), "{problems:?}");
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said.ends_with("2:1: unknown key \"keys\": did you mean key?")), "{said:?}");
    }
}
