//! Comments and names of tests refer to requirements by the codes of the README's table of figures, N1 to N13, and by
//! no others, as a reader could not look those up. Anything else of that form, such as the key `F1`, is put in
//! backticks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// Folders with our own code, and the pages that describe it.
const PLACES: [&str; 8] =
    ["src", "tests", "benches", "examples", "fuzz/fuzz_targets", "docs", "build.rs", "ARCHITECTURE.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
        found.push(path.to_owned());
    }
}

/// Each file as its path in the repository and its text.
fn files() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for place in PLACES {
        collect(&root().join(place), &mut paths);
    }
    assert!(paths.len() > 300, "the files are gone: {}", paths.len());
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The codes in the first column of the README's table.
fn explained() -> BTreeSet<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let row = Regex::new(r"(?m)^\| (N\d+) \|").unwrap();
    row.captures_iter(&readme).map(|row| row[1].to_owned()).collect()
}

/// The prose of a line: all of it on a page, only the comment in code. Quoted code is left out.
fn prose(line: &str, is_code: bool) -> String {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:^|\s)//.*").unwrap());
    let prose = if is_code { COMMENT.find(line).map_or("", |comment| comment.as_str()) } else { line };
    prose.split('`').step_by(2).collect()
}

/// The codes in prose.
fn codes(prose: &str) -> Vec<String> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[A-Z]\d{1,2}\b").unwrap());
    CODE.find_iter(prose).map(|code| code.as_str().to_owned()).collect()
}

/// The names of the tests in a file.
fn names(text: &str) -> Vec<String> {
    static TEST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"#\[(?:tokio::)?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)").unwrap()
    });
    TEST.captures_iter(text).map(|test| test[1].to_owned()).collect()
}

/// The codes that a name ends in.
fn suffixes(name: &str) -> Vec<String> {
    let is_code = |word: &&str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_lowercase());
        word.len() == digits.len() + 1
            && matches!(digits.len(), 1 | 2)
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    name.rsplit('_').take_while(is_code).map(str::to_uppercase).collect()
}

#[test]
fn every_code_in_a_comment_or_a_name_is_in_the_readme() {
    let explained = explained();
    assert!(!explained.is_empty(), "the README's table has no codes");
    let mut unknown = Vec::new();
    for (file, text) in files() {
        let is_code = Path::new(&file).extension().is_some_and(|extension| extension == "rs");
        for (at, line) in text.lines().enumerate() {
            let left = codes(&prose(line, is_code)).into_iter().filter(|code| !explained.contains(code));
            unknown.extend(left.map(|code| format!("{file}:{}: {code}", at + 1)));
        }
        for name in names(&text) {
            let left = suffixes(&name).into_iter().filter(|code| !explained.contains(code));
            unknown.extend(left.map(|code| format!("{file}: {name}: {code}")));
        }
    }
    assert!(unknown.is_empty(), "codes that the README does not explain:\n{}", unknown.join("\n"));
}

/// Finds codes also within a text, such as the message of an assertion or the row of a benchmark.
#[test]
fn every_n_code_is_in_the_readme() {
    let explained = explained();
    let written = Regex::new(r"\bN\d{1,2}\b").unwrap();
    for (file, text) in files() {
        for code in written.find_iter(&text) {
            assert!(explained.contains(code.as_str()), "{file}: {}", code.as_str());
        }
    }
}

#[test]
fn codes_are_found() {
    // Built from pieces, so that this file itself has no such comment.
    let line = ["let x = 1; /", "/ late (Z3, N2), see `F1` and 57P03"].concat();
    assert_eq!(codes(&prose(&line, true)), ["Z3", "N2"]);
    assert_eq!(codes(&prose("let x = \"Z3\";", true)), [""; 0]);
    assert_eq!(suffixes("leaving_is_bounded_c8_n6"), ["N6", "C8"]);
    assert_eq!(suffixes("screens_at_80x24"), [""; 0]);
    let text = "#[test]\n#[ignore]\nfn a() {}\n#[tokio::test(flavor = \"x\")]\nasync fn b() {}\nfn c() {}";
    assert_eq!(names(text), ["a", "b"]);
}
