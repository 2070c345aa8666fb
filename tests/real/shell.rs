//! What the shell sees: the manual, completions, paths with `~`, a terminal that cannot draw, a file without nodes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use pgwatch::app::keys::keymap::keymap;
use pgwatch::app::update::command::commands;

use crate::support::command::{code, err, file, out, pgwatch, run};
use crate::support::pty::{Tui, ending};
use crate::support::wait::SOON;

#[test]
fn the_manual_has_the_keys_the_commands_and_the_files() {
    let page = run(&["man"]);
    // roff escapes a minus.
    let text = out(&page).replace("\\-", "-");
    for place in keymap().places() {
        assert!(text.contains(place.title()), "{}", place.title());
        for (action, _) in keymap().section(place) {
            let doc = action.doc();
            let first = doc.split(['-', '\'', '.']).next().unwrap();
            assert!(text.contains(first), "{doc}");
        }
    }
    for spec in commands() {
        assert!(text.contains(&format!(":{}", spec.name)), "{}", spec.name);
    }
    for part in [".SH KEYS", ".SH COMMANDS", "pgwatch/alerts/*.yaml", "a critical alert"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn completions_know_the_views() {
    let names: Vec<&str> = pgwatch::config::views::ours().keys().map(String::as_str).collect();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        for name in &names {
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            assert!(out(&output).split(word).any(|found| found == *name), "{shell} does not know {name}");
        }
    }
    // A bash that has read the script completes with them.
    let script = run(&["completions", "bash"]);
    let ask = "\nCOMP_WORDS=(pgwatch view sl) COMP_CWORD=2\n_pgwatch pgwatch sl view\necho \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = bash.stdin.take().unwrap();
    input.write_all(&script.stdout).unwrap();
    input.write_all(ask.as_bytes()).unwrap();
    drop(input);
    assert_eq!(out(&bash.wait_with_output().unwrap()).trim(), "slots slru");
}

#[test]
fn a_terminal_that_cannot_draw_is_refused_in_one_sentence() {
    for (term, said) in [("dumb", "TERM is dumb"), ("", "TERM is not set")] {
        for args in [&[][..], &["demo"][..]] {
            let mut tui = Tui::start(args, 80, 24, &[("TERM", term)]);
            assert_eq!(ending(tui.wait_exit(SOON)), "code 2", "{}", tui.screen_text());
            let text = tui.screen_text();
            assert!(text.contains(said) && text.contains("pgwatch status"), "{text}");
            assert!(!tui.raw().contains(&0x1b), "nothing is drawn: {text}");
        }
    }
}

#[test]
fn a_file_without_nodes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "# nothing\n", "nodes:\n", "nodes: {}\n", "refresh: 2s\n"] {
        let path = folder.path().join("empty.yaml");
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        for (command, exit) in [(&["status"][..], 3), (&["query", "select 1"][..], 2), (&["view", "locks"][..], 2)] {
            let mut args = command.to_vec();
            args.extend(["--config", path]);
            let output = run(&args);
            assert_eq!(code(&output), exit, "{text:?} {command:?}");
            assert!(err(&output).contains("empty.yaml names no nodes"), "{text:?} {command:?}: {}", err(&output));
        }
        let output = run(&["check", "--config", path]);
        assert!(code(&output) == 0 && out(&output).contains("it names no nodes"), "{text:?}: {}", out(&output));
        let tui = Tui::start(&["--config", path], 80, 24, &[]);
        tui.wait_text("Add a node", SOON);
    }
}

#[test]
fn a_tilde_in_a_path_is_the_home_folder() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.yaml"), "nodes: {a: {host: x, user: u, sslrootcert: ~/ca.crt}}\n").unwrap();
    fs::write(home.path().join("ca.crt"), "").unwrap();
    let output = pgwatch(&["check", "--config=~/a.yaml", "--log=~/log"]).env("HOME", home.path()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(err(&output), "", "the certificate is found");
    assert!(home.path().join("log").exists());
}

#[test]
fn a_tilde_typed_into_the_form_is_the_home_folder() {
    let home = tempfile::tempdir().unwrap();
    // The certificate is read once a server agrees to TLS.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in server.incoming().map_while(Result::ok) {
            let _ = client.read_exact(&mut [0; 8]).and_then(|()| client.write_all(b"S"));
        }
    });
    let config = file("nodes: {}\n");
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[("HOME", home.path().to_str().unwrap())]);
    tui.wait_text("Add a node", SOON);
    tui.press(&format!("postgresql://u@127.0.0.1:{port}/d?sslmode=verify-full&sslrootcert=~/none.crt<enter>"));
    let path = home.path().join("none.crt");
    tui.wait_text(path.to_str().unwrap(), SOON);
}
