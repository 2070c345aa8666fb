//! Which file of `src` imports which: `crate::`, `super::`, `self::` and the names of child modules are followed to the file
//! that defines what they name. A `pub use` hands a name on: it is no import, and whoever uses the name imports the file
//! that defines it. `mod x;` is none either. Tests at the end of a file, and files of tests, are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A module by the parts of its path: `app`, `rows`, `table`.
pub(crate) type Module = Vec<String>;
/// For each file the files that it imports.
pub(crate) type Graph = BTreeMap<Module, BTreeSet<Module>>;

struct Source {
    code: String,
    /// The modules that are files below this one.
    children: BTreeSet<String>,
}

/// Reads these files below `src`.
pub(crate) fn graph(src: &Path, files: &[PathBuf]) -> Graph {
    let uses = Regex::new(r"(?m)^[ \t]*(pub(?:\([^)]*\))?[ \t]+)?use\s+([^;]+);").unwrap();
    let inline = Regex::new(r"\b(?:crate|super|self|[a-z_]+)(?:::\w+)+").unwrap();
    let mut sources: BTreeMap<Module, Source> = BTreeMap::new();
    for path in files {
        let module = module_of(src, path);
        if !module.is_empty() && path.file_name().is_some_and(|name| name != "tests.rs") {
            sources.insert(module, Source { code: code(path), children: BTreeSet::new() });
        }
    }
    let modules: Vec<Module> = sources.keys().cloned().collect();
    for (parent, child) in modules.iter().filter_map(|module| Some((module.split_last()?.1, module.last()?))) {
        if let Some(parent) = sources.get_mut(parent) {
            parent.children.insert(child.clone());
        }
    }
    let mut handed_on: BTreeMap<Module, Module> = BTreeMap::new();
    for (module, source) in &sources {
        for found in uses.captures_iter(&source.code).filter(|found| found.get(1).is_some()) {
            for (parts, name) in leaves(&found[2]) {
                if let Some(path) = absolute(&parts, module, &source.children) {
                    handed_on.insert([module.as_slice(), &[name]].concat(), path);
                }
            }
        }
    }
    let mut graph = Graph::new();
    for (module, source) in &sources {
        let mut named: Vec<Module> = Vec::new();
        for found in uses.captures_iter(&source.code).filter(|found| found.get(1).is_none()) {
            named.extend(leaves(&found[2]).into_iter().map(|(parts, _)| parts));
        }
        let without = uses.replace_all(&source.code, "");
        let without = without.replace("pub(in ", "pub(in_");
        named.extend(
            inline
                .find_iter(&without)
                .filter(|found| begins_a_path(&without, found.start()))
                .map(|found| found.as_str().split("::").map(str::to_owned).collect::<Module>()),
        );
        let paths = named.iter().filter_map(|parts| absolute(parts, module, &source.children));
        let imported = paths.filter_map(|path| defining(&path, &sources, &handed_on, 0));
        graph.insert(module.clone(), imported.filter(|other| other != module).collect());
    }
    graph
}

/// `src/app/rows.rs` is `app::rows`, `src/app/mod.rs` is `app`; the roots of the library and the program are none.
fn module_of(src: &Path, path: &Path) -> Module {
    let inside = path.strip_prefix(src).unwrap().with_extension("");
    let mut module: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if module.first().is_some_and(|first| ["lib", "main"].contains(&first.as_str())) { Module::new() } else { module }
}

fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let work = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    work.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn begins_a_path(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c == ':' || c == '_' || c.is_alphanumeric())
}

/// Each path of a use tree, and the name that it brings: `a::{b, c as d}` is `a::b` as `b` and `a::c` as `d`.
fn leaves(tree: &str) -> Vec<(Module, String)> {
    let mut found = Vec::new();
    let mut open: Vec<(Module, String)> = vec![(Module::new(), tree.to_owned())];
    while let Some((before, tree)) = open.pop() {
        let tree = tree.trim();
        let parts = |path: &str| -> Module {
            let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty());
            before.iter().cloned().chain(parts.map(str::to_owned)).collect()
        };
        if let Some((path, group)) = tree.split_once('{') {
            let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
            open.extend(split(group).into_iter().map(|part| (parts(path), part)));
            continue;
        }
        let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
        let mut parts = parts(path);
        if parts.last().is_some_and(|last| last == "self") {
            parts.pop();
        }
        if let Some(last) = parts.last() {
            let name = name.map_or_else(|| last.clone(), |name| name.trim().to_owned());
            found.push((parts, name));
        }
    }
    found
}

/// The parts of a group: `a, b::{c, d}` has two.
fn split(group: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The path from the root of the crate; `None` for what another crate has.
fn absolute(parts: &[String], module: &[String], children: &BTreeSet<String>) -> Option<Module> {
    let first = parts.first()?.as_str();
    match first {
        "crate" => Some(parts[1..].to_vec()),
        "self" => Some([module, &parts[1..]].concat()),
        "super" => {
            let up = parts.iter().take_while(|part| *part == "super").count();
            Some([module.get(..module.len().checked_sub(up)?)?, &parts[up..]].concat())
        }
        child if children.contains(child) => Some([module, parts].concat()),
        _ => None,
    }
}

/// The file that defines what a path names.
fn defining(
    path: &[String],
    sources: &BTreeMap<Module, Source>,
    handed_on: &BTreeMap<Module, Module>,
    depth: usize,
) -> Option<Module> {
    for end in (1..=path.len()).rev() {
        let (head, rest) = path.split_at(end);
        if let Some(path) = handed_on.get(head).filter(|_| depth < 8) {
            return defining(&[path.as_slice(), rest].concat(), sources, handed_on, depth + 1);
        }
        if sources.contains_key(head) {
            return Some(head.to_vec());
        }
    }
    None
}

/// The files that import each other in a ring, ring by ring.
pub(crate) fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        graph.keys().map(|module| (module, reachable(graph, module))).collect();
    let mut seen: BTreeSet<&Module> = BTreeSet::new();
    let mut circles = Vec::new();
    for module in graph.keys() {
        let back = |other: &&&Module| reached.get(**other).is_some_and(|from| from.contains(module));
        let ring: Vec<&Module> = reached[module].iter().filter(back).copied().collect();
        if ring.len() > 1 && ring.iter().all(|module| !seen.contains(*module)) {
            circles.push(ring.iter().map(|module| module.join("/")).collect());
            seen.extend(ring);
        }
    }
    circles
}

fn reachable<'a>(graph: &'a Graph, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = graph[from].iter().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(graph.get(module).into_iter().flatten());
        }
    }
    found
}

#[test]
fn use_trees_are_understood() {
    let leaves = leaves("crate::{app::{self, App as A}, model}");
    let names: BTreeSet<String> = leaves.iter().map(|(parts, name)| format!("{} {name}", parts.join("::"))).collect();
    let expected = ["crate::app app", "crate::app::App A", "crate::model model"];
    assert_eq!(names, expected.map(str::to_owned).into());
    let module = |text: &str| -> Module { text.split("::").map(str::to_owned).collect() };
    let children = BTreeSet::from(["c".to_owned()]);
    for (path, expected) in [("super::x", Some("a::x")), ("c::d", Some("a::b::c::d")), ("std::fmt", None)] {
        assert_eq!(absolute(&module(path), &module("a::b"), &children), expected.map(module), "{path}");
    }
}
