//! `pgwatch demo` from outside (L5): what a newcomer sees, and that nothing of it stays on the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use support::pty::{Tui, ending};
use support::wait::{PATIENCE, SOON, wait_for};
use tempfile::TempDir;

const LEAVING: Duration = Duration::from_secs(20);

/// A temporary folder for the demo to make its own in, open to the user that its servers run as.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = tempfile::Builder::new().prefix("pgw").tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let place = Self(place.unwrap());
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }

    fn processes(&self) -> usize {
        let folders =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().path().join("cwd").read_link().ok());
        folders.filter(|folder| folder.starts_with(self.path())).count()
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[track_caller]
    fn assert_empty(&self, within: Duration) {
        wait_for("no server is left", within, || (self.processes() == 0).then_some(()));
        wait_for("no file is left", within, || self.files().is_empty().then_some(()));
    }

    fn dashboard(&self, args: &[&str]) -> Tui {
        let args = [&["demo"], args].concat();
        let tui = Tui::start(&args, 120, 40, &[("TMPDIR", self.text())]);
        tui.wait_for("three healthy nodes", PATIENCE, |screen| {
            screen.contents().lines().filter(|line| line.contains("● healthy")).count() == 3
        });
        assert!(self.processes() > 10, "three servers run in the folder");
        tui
    }
}

#[test]
fn without_a_terminal_it_prints_the_status_and_leaves() {
    let place = Place::new();
    let output = Command::new(env!("CARGO_BIN_EXE_pgwatch"))
        .arg("demo")
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(ending(output.status), "code 0", "{text}{errors}");
    for node in ["primary", "standby1", "standby2"] {
        let line = text.lines().find(|line| line.starts_with(node)).unwrap_or_else(|| panic!("{node} in {text}"));
        assert!(line.contains("healthy"), "{line}");
    }
    place.assert_empty(Duration::from_secs(1));
}

#[test]
fn q_leaves_nothing_behind() {
    let place = Place::new();
    let mut tui = place.dashboard(&[]);
    tui.press("q");
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0", "\n{}", tui.screen_text());
    assert_eq!(tui.restored(), Ok(()));
    place.assert_empty(Duration::from_secs(1));
}

#[test]
fn a_closed_terminal_leaves_nothing_behind() {
    let place = Place::new();
    let mut tui = place.dashboard(&["--fault"]);
    tui.close_terminal();
    tui.wait_exit(LEAVING);
    place.assert_empty(SOON);
}

#[test]
fn killed_it_leaves_nothing_behind() {
    let place = Place::new();
    let mut tui = place.dashboard(&[]);
    tui.signal(Signal::KILL);
    assert_eq!(ending(tui.wait_exit(LEAVING)), "signal 9");
    place.assert_empty(SOON);
}

#[test]
fn without_server_programs_it_says_what_to_install() {
    // A file system without PostgreSQL cannot be had here; the text is the library's.
    let error = pgwatch::demo::Install::at(Path::new("/nonexistent")).unwrap_err().to_string();
    assert!(error.contains("apt-get install postgresql"), "{error}");
}
