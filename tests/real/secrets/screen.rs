//! The dashboard: what it shows, writes and leaves on the machine while passwords are typed and logins fail.

use std::fs;

use super::{IN_A_URL, Nodes, PASSWORD, assert_file_is_silent, assert_silent, server};
use crate::support::command::file;
use crate::support::pty::{Tui, ending};
use crate::support::stage::{LEAVING, panic_now, panicking};
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// A dashboard on all of these nodes that logs everything.
struct Stage {
    nodes: Nodes,
    tui: Tui,
}

impl Stage {
    fn new() -> Self {
        let nodes = Nodes::new();
        let path = |name: &str| nodes.path(name).display().to_string();
        let (log, events, folder) = (path("log"), path("events"), path("state"));
        let args = ["--config", nodes.config.arg(), "--log", &log, "--event-log", &events];
        let env = [("PGWATCH_LOG", "trace"), ("XDG_STATE_HOME", folder.as_str()), ("RUST_BACKTRACE", "full")];
        let tui = Tui::start(&args, 160, 50, &env);
        let stage = Self { nodes, tui };
        stage.tui.wait_for("each has answered or failed", PATIENCE, |screen| {
            let rows = |sign: &str| screen.contents().lines().filter(|line| line.contains(sign)).count();
            rows("● healthy") == Nodes::RIGHT.len() && rows("✖ down") >= 4
        });
        stage
    }

    #[track_caller]
    fn assert_screen_is_silent(&self) {
        // `assert_silent` also finds pieces of the password, as a line may be cut or wrapped.
        assert_silent("the screen", &self.tui.screen_text());
    }

    /// Presses keys, and searches the screen once it shows their effect.
    #[track_caller]
    fn see(&mut self, keys: &str, shown: &str) {
        self.tui.press(keys);
        self.tui.wait_text(shown, SOON);
        self.assert_screen_is_silent();
    }

    /// Types key by key, and searches the screen after each.
    #[track_caller]
    fn type_out(&mut self, text: &str) {
        for c in text.chars() {
            self.tui.press(&c.to_string());
            self.assert_screen_is_silent();
        }
        self.tui.wait_text("••••", SOON);
        self.assert_screen_is_silent();
    }

    /// Leaves, and searches every byte sent to the terminal and every file.
    #[track_caller]
    fn leave(mut self) -> Nodes {
        self.tui.press("<escape><escape>q");
        assert_eq!(ending(self.tui.wait_exit(LEAVING)), "code 0", "\n{}", self.tui.screen_text());
        assert_silent("the terminal", &String::from_utf8_lossy(&self.tui.raw()));
        for name in ["log", "events", "environment", "state/pgwatch/history"] {
            assert_file_is_silent(&self.nodes.path(name));
        }
        self.nodes
    }
}

#[test]
fn no_screen_and_no_file_reveals_the_password() {
    let mut stage = Stage::new();
    for node in ["given", "url", "pairs", "command", "passfile", "wrong", "nowhere", "insists", "dead", "failing"] {
        stage.see(&format!(":node {node}<enter>"), "sslmode");
    }
    stage.see("0", "authentication failed");
    stage.see("?", "Help");
    stage.tui.press("<escape>1");
    // Not the name alone: an authentication error shows it before any node has answered.
    stage.see(":select 'answered as ' || current_user<enter>9", "answered as teller");
    let answers = stage.nodes.path("answers.json");
    stage.see(&format!(":export {}<enter>", answers.display()), "written to");
    assert!(assert_file_is_silent(&answers).contains("answered as teller"));
    // A file that became invalid is reported on the screen.
    let right = fs::read_to_string(&stage.nodes.config.path).unwrap();
    fs::write(
        &stage.nodes.config.path,
        format!("{right}  half: {{host: h, port: \"{PASSWORD}\", password: x, {PASSWORD}}}\n"),
    )
    .unwrap();
    stage.see("1", "whole number");
    fs::write(&stage.nodes.config.path, right).unwrap();

    let pid = stage.tui.pid();
    for file in ["environ", "cmdline"] {
        let text = fs::read(format!("/proc/{pid}/{file}")).unwrap();
        assert_silent(file, &String::from_utf8_lossy(&text));
    }
    let nodes = stage.leave();
    let log = fs::read_to_string(nodes.path("log")).unwrap();
    assert!(log.contains("authentication failed") && log.contains("TRACE"), "the log tells what happens");
}

#[test]
fn no_form_reveals_the_password_while_it_is_typed() {
    let mut stage = Stage::new();
    let port = server().port();
    for string in [
        format!("postgres://teller:{IN_A_URL}@127.0.0.1:{port}/postgres"),
        format!("postgres://teller:{PASSWORD}@127.0.0.1:{port}/postgres"),
        format!("postgres://127.0.0.1:{port}/postgres?user=teller&password={IN_A_URL}&sslmode=prefer"),
        format!("host=127.0.0.1 port={port} user=teller password='{PASSWORD}'"),
        format!("host=127.0.0.1 port={port} password={PASSWORD} user=teller"),
    ] {
        stage.see("1a", "Connection string");
        stage.type_out(&string);
        stage.tui.press("<tab><c-u>typed<c-t>");
        stage.tui.wait_for("tested, or said to be wrong", SOON, |screen| {
            let text = screen.contents();
            ["connected in", "anyway", "✖"].iter().any(|sign| text.contains(sign))
        });
        stage.assert_screen_is_silent();
        stage.tui.press("<escape>");
    }
    for (node, tested) in [("given", "connected in"), ("wrong", "anyway")] {
        stage.see(&format!("1:edit {node}<enter>"), "Password");
        // From the field of the host to that of the password.
        stage.tui.press("<tab><tab><tab><tab>");
        stage.type_out(PASSWORD);
        stage.see("<c-t>", tested);
        stage.see("<enter>", "LAST MINUTE");
    }
    stage.leave();
}

/// A typed statement is shown, as it has to be, and saved nowhere.
#[test]
fn no_file_keeps_a_statement_with_the_password() {
    let mut stage = Stage::new();
    stage.tui.press(&format!(":alter role teller password '{PASSWORD}'<enter>9"));
    stage.tui.wait_text("read-only", SOON);
    stage.tui.press(":select 1<enter>");
    let history = stage.nodes.path("state/pgwatch/history");
    wait_for("the history", SOON, || {
        fs::read_to_string(&history).is_ok_and(|text| text.contains("select 1")).then_some(())
    });
    stage.tui.press("<escape><escape>q");
    assert_eq!(ending(stage.tui.wait_exit(LEAVING)), "code 0", "\n{}", stage.tui.screen_text());
    for name in ["log", "events", "state/pgwatch/history"] {
        assert_file_is_silent(&stage.nodes.path(name));
    }
}

/// Not a test by itself: [`panicking`] runs it.
#[test]
fn dashboard_that_panics() {
    crate::support::stage::dashboard_that_panics();
}

#[test]
fn no_panic_reveals_the_password() {
    let port = server().port();
    let config = file(&format!("nodes: {{n: \"postgres://teller:{IN_A_URL}@127.0.0.1:{port}/postgres\"}}\n"));
    let mut tui = panicking(&config, "secrets::screen::dashboard_that_panics");
    tui.wait_text("● healthy", PATIENCE);
    panic_now(&config);
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0", "\n{}", tui.screen_text());
    let raw = String::from_utf8_lossy(&tui.raw()).into_owned();
    assert!(raw.contains("a panic for a test"), "{raw}");
    assert_silent("a panic", &raw);
}
