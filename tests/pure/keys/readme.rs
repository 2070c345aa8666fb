//! The README's table of keys matches the key map. After a change of the map: `PGWATCH_BLESS=1 cargo test --test pure
//! keys::readme`.

use std::fmt::Write as _;
use std::path::Path;

use pgwatch::app::keys::keymap::{Place, keymap};
use pgwatch::app::update::command::commands;
use pgwatch::app::{Action, Key};

const BEGIN: &str = "<!-- keys: made from config/keys.yaml, checked by tests/pure/keys -->\n";
const END: &str = "<!-- /keys -->";

/// Places that the README describes. Dialogs name their own keys.
const PLACES: [Place; 9] = [
    Place::Screen,
    Place::Nodes,
    Place::Detail,
    Place::Topology,
    Place::View,
    Place::Query,
    Place::Events,
    Place::Editor,
    Place::Always,
];

fn keys(keys: &[Key]) -> String {
    keys.iter().map(|key| format!("`{}`", key.label(false))).collect::<Vec<_>>().join(" ")
}

/// Actions whose keys work in several places are listed once, at the first of them.
fn table() -> String {
    let mut table = String::from("| where | key | does |\n| --- | --- | --- |\n");
    let mut told: Vec<(Action, String)> = Vec::new();
    for place in PLACES {
        let mut heading = place.title();
        for (action, bound) in keymap().section(place) {
            let line = (action, keys(bound));
            if told.contains(&line) {
                continue;
            }
            writeln!(table, "| {heading} | {} | {} |", line.1, action.doc()).unwrap();
            told.push(line);
            heading = "";
        }
    }
    let commands: Vec<String> =
        commands().map(|spec| format!("`{}`", format!("{} {}", spec.name, spec.argument).trim())).collect();
    writeln!(table, "\nAfter `:`, type a statement or a command: {}.", commands.join(", ")).unwrap();
    table
}

#[test]
fn the_readme_lists_the_key_map() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(BEGIN).expect("the README marks where the keys stand");
    let (shown, tail) = rest.split_once(END).expect("the README marks where the keys end");
    let table = table();
    if std::env::var_os("PGWATCH_BLESS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert_eq!(shown, table, "run PGWATCH_BLESS=1 cargo test --test pure keys::readme");
    }
}
