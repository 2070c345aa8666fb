//! The rules of ARCHITECTURE.md, executable: its table of rooms is read from the page itself, so page and code can
//! not part ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::string_slice, reason = "slices begin and end where a match does")]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room and what it may import of ours; `None` means everything.
type Rooms = BTreeMap<String, Option<BTreeSet<String>>>;

/// Crates and calls that have no business in a room, and why.
const STRANGERS: &[(&str, &[&str], &str)] = &[
    ("model", &["tokio", "ratatui", "crossterm", "bb8", "tokio_postgres"], "plain facts: std and serde"),
    ("config", &["ratatui", "crossterm", "bb8", "tokio_postgres"], "it reads files and connects to nothing"),
    ("connection", &["ratatui", "crossterm"], "it is usable without a terminal"),
    ("fleet", &["tokio", "tokio_util", "ratatui", "crossterm", "bb8", "tokio_postgres"], "it is pure"),
    ("app", &["tokio", "tokio_util", "ratatui", "crossterm", "bb8", "tokio_postgres"], "it is pure"),
    ("tui", &["bb8", "tokio_postgres", "native_tls"], "it draws the state and nothing else"),
    ("output", &["tokio", "ratatui", "crossterm", "bb8", "tokio_postgres"], "it turns what is known into text"),
    ("store", &["ratatui", "crossterm", "bb8", "tokio_postgres"], "it writes what it is given"),
    ("demo", &["ratatui", "crossterm"], "tests use it without a terminal"),
];

/// Wall 3: time and the world come in as messages.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    ".elapsed()",
    "std::fs",
    "std::env",
    "std::net",
];

const LONGEST: usize = 500;
/// The folders whose insides have a table of their own, and the most modules that one folder in them may have.
const FURNISHED: [&str; 2] = ["connection", "app"];
const MODULES: usize = 15;
const SAYS_NOTHING: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];
const PRINTS: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The table of ARCHITECTURE.md: room, what it owns, what it may import.
fn rooms() -> Rooms {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut rooms = Rooms::new();
    let mut all_but = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let path = in_backticks(cells[0]).remove(0);
        assert!(root().join(&path).exists(), "ARCHITECTURE.md names {path}, which is not there");
        let room = path.trim_start_matches("src/").trim_end_matches('/').trim_end_matches(".rs").to_owned();
        let may = match cells[2] {
            "all" => None,
            "nothing of ours" => Some(BTreeSet::new()),
            cell if cell.starts_with("all but ") => {
                all_but.push((room.clone(), in_backticks(cell)));
                None
            }
            list => Some(in_backticks(list).into_iter().collect()),
        };
        rooms.insert(room, may);
    }
    for (room, forbidden) in all_but {
        assert!(forbidden.iter().all(|name| rooms.contains_key(name)), "{room}: all but {forbidden:?}: no such room");
        let may = rooms.keys().filter(|other| !forbidden.contains(other)).cloned().collect();
        rooms.insert(room, Some(may));
    }
    assert!(rooms.len() >= 8, "the table of rooms was not understood: {rooms:?}");
    rooms
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The Rust files below some folders of the package.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> =
        folders.iter().map(|folder| root().join(folder)).filter(|path| path.is_dir()).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// `src/app/query.rs` is in `app`, `src/run.rs` in `run`.
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The file without comments; its lines stay where they are.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

/// Rooms that a file names: `crate::model::Health`, `use crate::{app::App, model}`, `pgwatch::config`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for prefix in ["crate::", "pgwatch::"] {
        for (at, _) in code.match_indices(prefix) {
            if code[..at].ends_with(is_word) {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(first_words(group)),
                None => found.extend(word(rest)),
            }
        }
    }
    found
}

/// The first word of each part of `app::App, model::{Health, Role}, tui}`.
fn first_words(group: &str) -> Vec<String> {
    let (mut words, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && is_word(c) => {
                words.extend(word(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|&c| is_word(c)).collect();
    (!word.is_empty()).then_some(word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether code names this crate: `tokio::`, `use tokio;`, but not `my_tokio::`.
fn names(code: &str, stranger: &str) -> bool {
    code.match_indices(stranger).any(|(at, _)| {
        let after = &code[at + stranger.len()..];
        !code[..at].ends_with(|c: char| is_word(c) || c == '.' || c == '"')
            && (after.starts_with("::") || (code[..at].ends_with("use ") && after.starts_with(';')))
    })
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn each_room_imports_what_the_page_allows() {
    let rooms = rooms();
    let mut faults = Vec::new();
    for path in files(&["src"]) {
        let room = room_of(&path);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(may) = rooms.get(&room) else {
            faults.push(format!("{}: the room {room} is missing in ARCHITECTURE.md", shown(&path)));
            continue;
        };
        let Some(may) = may else { continue };
        let code = code(&path);
        // Tests, at the end of a file or in one of their own, may also use the throw-away cluster and the views and rules that
        // are built in.
        let only_tests = path.ends_with("tests.rs");
        let (work, tests) = code.split_once("#[cfg(test)]").unwrap_or((&code, ""));
        let (work, tests) = if only_tests { ("", work) } else { (work, tests) };
        let foreign = |import: &String| rooms.contains_key(import) && *import != room && !may.contains(import);
        let tested = imports(tests).into_iter().filter(|import| !["demo", "config"].contains(&import.as_str()));
        for import in imports(work).into_iter().chain(tested).filter(foreign) {
            faults.push(format!("{}: {room} may not import {import}", shown(&path)));
        }
    }
    none(&faults);
}

/// The table of a room's inside in ARCHITECTURE.md: module, what it owns, which of its neighbours it may import.
fn inside(room: &str) -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let start = format!("| `{room}/");
    let rows = page.lines().filter_map(|line| line.strip_prefix(&start));
    let table: BTreeMap<String, BTreeSet<String>> = rows
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[0].trim_end_matches('`').to_owned(), in_backticks(cells[2]).into_iter().collect())
        })
        .collect();
    assert!(table.len() > 5, "the table of {room} was not understood: {table:?}");
    table
}

#[test]
fn each_module_imports_the_neighbours_that_the_page_allows() {
    let graph = imports::graph(&root().join("src"), &files(&["src"]));
    let mut faults = Vec::new();
    for room in FURNISHED {
        let table = inside(room);
        // The file of the room itself is `mod`.
        let part = |module: &[String]| module.get(1).cloned().unwrap_or_else(|| "mod".to_owned());
        for (module, imported) in graph.iter().filter(|(module, _)| module[0] == room) {
            let of = part(module);
            let Some(may) = table.get(&of) else {
                faults.push(format!("ARCHITECTURE.md does not say what {room}/{of} may import"));
                continue;
            };
            for other in imported.iter().filter(|other| other[0] == room) {
                let other = part(other);
                if other != of && !may.contains(&other) {
                    faults.push(format!("src/{}: {room}/{of} may not import {other}", module.join("/")));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let graph = imports::graph(&root().join("src"), &files(&["src"]));
    let circles = imports::circles(&graph);
    none(&circles.iter().map(|circle| format!("a circle: {}", circle.join(", "))).collect::<Vec<_>>());
}

#[test]
fn no_folder_has_more_modules_than_one_can_keep_in_mind() {
    let mut folders: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for path in files(&FURNISHED.map(|room| format!("src/{room}")).each_ref().map(String::as_str)) {
        for (folder, part) in path.ancestors().skip(1).zip(path.ancestors()) {
            if !folder.starts_with(root().join("src")) || folder == root().join("src") {
                break;
            }
            let name = part.file_stem().unwrap().to_str().unwrap().to_owned();
            folders.entry(folder.to_owned()).or_default().insert(name);
        }
    }
    let crowded = folders.iter().filter(|(_, modules)| modules.len() > MODULES);
    none(&crowded.map(|(folder, modules)| format!("{}: {} modules", shown(folder), modules.len())).collect::<Vec<_>>());
}

#[test]
fn strangers_stay_out_of_the_rooms() {
    let mut faults = Vec::new();
    for path in files(&["src"]) {
        let (room, code) = (room_of(&path), code(&path));
        for (_, strangers, why) in STRANGERS.iter().filter(|(of, ..)| *of == room) {
            for stranger in strangers.iter().filter(|stranger| names(&code, stranger)) {
                faults.push(format!("{}: no {stranger} in {room}: {why}", shown(&path)));
            }
        }
        if room == "app" || room == "fleet" {
            for impure in IMPURE.iter().filter(|impure| code.contains(**impure)) {
                faults.push(format!("{}: no {impure} in {room}: it comes in with a message", shown(&path)));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_file_says_what_it_owns_and_is_short() {
    let mut faults = Vec::new();
    for path in files(&["src", "tests", "benches", "examples"]) {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            faults.push(format!("{}: begin with `//!`: what it owns", shown(&path)));
        }
        let lines = text.lines().count();
        if lines > LONGEST {
            faults.push(format!("{}: {lines} lines, more than {LONGEST}: it holds two ideas", shown(&path)));
        }
        if SAYS_NOTHING.contains(&path.file_stem().unwrap().to_str().unwrap()) {
            faults.push(format!("{}: a name that says nothing", shown(&path)));
        }
        for name in SAYS_NOTHING.iter().filter(|name| code(&path).contains(&format!("mod {name} {{"))) {
            faults.push(format!("{}: mod {name} is a name that says nothing", shown(&path)));
        }
    }
    none(&faults);
}

#[test]
fn only_the_command_line_prints() {
    let mut faults = Vec::new();
    for path in files(&["src"]).iter().filter(|path| !["cli", "main"].contains(&room_of(path).as_str())) {
        // Tests may print, and stand at the end of a file.
        let code = code(path);
        let code = code.split("#[cfg(test)]").next().unwrap();
        for print in
            PRINTS.iter().filter(|print| code.match_indices(**print).any(|(at, _)| !code[..at].ends_with(is_word)))
        {
            faults.push(format!("{}: no {print} outside src/cli", shown(path)));
        }
    }
    none(&faults);
}

#[test]
fn imports_are_understood() {
    let code =
        "use crate::{app::{self, App}, model};\nuse crate::tui;\nlet x = pgwatch::config::y();\nmy_crate::demo()";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["app", "config", "model", "tui"]);
    assert!(names("use tokio::time;", "tokio") && names("use tokio;", "tokio"));
    assert!(!names("my_tokio::x; tokio_util::y; \"tokio::\"", "tokio"));
}

/// Turns of phrase that are not English, or that say a thing in riddles, with what to write instead.
const NOT_ENGLISH: &[(&str, &str)] = &[
    ("stands behind", "follows"),
    ("stands beside", "is next to"),
    ("stands under", "is below"),
    ("is to be had", "is available"),
    ("made anew", "rebuilt"),
    ("asked anew", "asked again"),
    ("nobody reads", "has no reader"),
    ("holds it back", "retains it"),
    ("who may not", "a role without"),
    ("who may only", "a role that may only"),
    ("is said with", "is shown with"),
    ("as one types", "as you type"),
    ("the way back", "the previous screen"),
    ("does what no", "does something that no"),
    ("what is wrong with it", "its problems"),
    ("in so far", "as far"),
];

/// The texts that people read: the pages, what views and rules say of themselves, the words in the code.
#[test]
fn what_people_read_is_plain_english() {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut pages = vec![root().join("README.md")];
    pages.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        texts.push((page.display().to_string(), fs::read_to_string(page).unwrap()));
    }
    for folder in ["config/views", "config/alerts"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let said = text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n"));
            texts.push((path.display().to_string(), said.collect()));
        }
    }
    for path in files(&["src"]) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let words = code.filter(|line| line.contains('"')).map(|line| format!("{line}\n"));
        texts.push((path.display().to_string(), words.collect()));
    }
    let mut found = Vec::new();
    for (path, text) in &texts {
        let flat = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let said = NOT_ENGLISH.iter().filter(|(phrase, _)| flat.contains(phrase));
        found.extend(said.map(|(phrase, instead)| format!("{path}: {phrase:?}, better {instead:?}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
