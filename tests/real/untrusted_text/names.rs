//! Names and paths that people give: they appear in messages and on the screen, and may contain anything, as other text
//! may.

use std::fs;

use crate::support::command::{code, err, file, out, run};
use crate::support::pty::Tui;
use crate::support::stream::foreign;
use crate::support::wait::PATIENCE;

const EVIL: &str = "\x1b]0;pwned\x07\u{202e}\u{9b}2J\nall is well";
const SHOWN: &str = r"\x1b]0;pwned\x07\u202e\x9b2J\nall is well";

/// Nothing in the output is obeyed, and the text starts no line of its own.
#[track_caller]
fn assert_told(args: &[&str], expected: i32, lines: usize) {
    let output = run(args);
    let said = format!("{}{}", out(&output), err(&output));
    assert_eq!(code(&output), expected, "{said}");
    for line in said.lines() {
        assert_eq!(foreign(line.as_bytes()), Vec::<String>::new(), "{args:?}: {line:?}");
    }
    assert!(said.contains(SHOWN), "{args:?}: {said}");
    assert_eq!(said.lines().count(), lines, "{args:?}: {said}");
}

#[test]
fn paths_are_shown_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let missing = path(&format!("{EVIL}/none"));
    assert_told(&["check", "--config", &missing], 2, 1);
    assert_told(&["status", "--config", &missing], 3, 1);
    assert_told(&["query", "--config", &missing, "select 1"], 2, 1);
    let sound = file("nodes: {}\n");
    assert_told(&["--config", sound.arg(), "--event-log", &missing], 2, 1);
    assert_told(&["--config", sound.arg(), "--log", &missing], 2, 1);

    let odd = path(EVIL);
    fs::write(&odd, "nodes: {a: {host: 127.0.0.1, user: u}}\n").unwrap();
    assert_told(&["check", "--config", &odd], 0, 2);
    fs::write(&odd, "nodes: 1\n").unwrap();
    assert_told(&["check", "--config", &odd], 2, 1);
}

#[test]
fn names_in_a_file_and_on_the_command_line_are_shown_not_obeyed() {
    let name = r#""\e]0;pwned\a\u202e\x9b2J\nall is well""#;
    let wrong = file(&format!("nodes:\n  {name}: {{host: h, user: u}}\n"));
    let output = run(&["check", "--config", wrong.arg()]);
    assert!(foreign(err(&output).trim_end().as_bytes()).is_empty(), "{}", err(&output));
    assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));

    for text in [
        format!("nodes:\n  a: {{host: h, user: {name}, database: {name}}}\nclusters: {{{name}: {{nodes: [a]}}}}\n"),
        format!("nodes:\n  a: {{host: h, user: u, port: {name}}}\n"),
        format!("{name}: 1\n"),
        format!("nodes: {{{name}: [1]}}\n"),
        format!("nodes: {{a: {{host: h, user: u, service: {name}}}}}\n"),
    ] {
        let file = file(&text);
        for args in [&["check", "--config", file.arg()][..], &["check", "--config", file.arg(), "--cluster", EVIL]] {
            let output = run(args);
            for line in out(&output).lines().chain(err(&output).lines()) {
                assert_eq!(foreign(line.as_bytes()), Vec::<String>::new(), "{text}");
                assert!(!line.starts_with("all is well"), "{text}");
            }
        }
    }
    let sound = file("nodes: {a: {host: 127.0.0.1, user: u}}\n");
    for args in [
        &["query", "--config", sound.arg(), "--nodes", EVIL, "select 1"][..],
        &["--config", sound.arg(), "--theme", EVIL],
        &["--config", sound.arg(), "--refresh", EVIL],
        &["check", "--host", "h", "--dbname", EVIL],
        &["check", "--host", EVIL],
        &[EVIL],
    ] {
        let output = run(args);
        for line in out(&output).lines().chain(err(&output).lines()) {
            assert_eq!(foreign(line.as_bytes()), Vec::<String>::new(), "{args:?}");
        }
    }
}

/// Without nodes, the first screen names the file.
#[test]
fn the_path_of_an_empty_file_is_shown_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("\u{202e}\u{1b}[2J日本.yaml");
    fs::write(&path, "nodes: {}\n").unwrap();
    let tui = Tui::start(&["--config", path.to_str().unwrap()], 200, 50, &[]);
    tui.wait_text(r"\u202e\x1b[2J日本.yaml", PATIENCE);
    assert_eq!(foreign(&tui.raw()), Vec::<String>::new());
}
