//! `pgwatch demo` from outside: what a newcomer sees, and that nothing remains on the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::pty::{Tui, ending};
use crate::support::wait::{PATIENCE, SOON, wait_for};

const LEAVING: Duration = Duration::from_secs(20);

/// A temporary folder in which the demo makes its own, accessible to the user that its servers run as.
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
        self.dashboard_of(args, 120, 40)
    }

    fn dashboard_of(&self, args: &[&str], cols: u16, rows: u16) -> Tui {
        let args = [&["demo"], args].concat();
        let tui = Tui::start(&args, cols, rows, &[("TMPDIR", self.text())]);
        tui.wait_for("four healthy nodes", PATIENCE, |screen| {
            screen.contents().lines().filter(|line| line.contains("● healthy")).count() == 4
        });
        assert!(self.processes() > 20, "four servers run in the folder");
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
    for node in ["primary", "standby1", "standby2", "subscriber"] {
        let line = text.lines().find(|line| line.starts_with(node)).unwrap_or_else(|| panic!("{node} in {text}"));
        assert!(line.contains("healthy"), "{line}");
    }
    place.assert_empty(Duration::from_secs(1));
}

/// The demo starts whatever libpq's variables and files, the locale, the time zone and the umask are. If servers cannot
/// run in `TMPDIR`, because the path of a socket there would be too long, they run elsewhere.
#[test]
fn nothing_in_the_environment_breaks_the_demo() {
    let place = Place::new();
    let long = place.path().join("x".repeat(90));
    fs::create_dir(&long).unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".postgresql")).unwrap();
    for (name, text) in [
        (".pgpass", "*:*:*:*:wrong\n"),
        (".psqlrc", "\\echo here\n\\set ON_ERROR_STOP on\nselect nothing;\n"),
        (".pg_service.conf", "[other]\nhost=203.0.113.9\n"),
        (".postgresql/root.crt", "no certificate\n"),
    ] {
        fs::write(home.path().join(name), text).unwrap();
        fs::set_permissions(home.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let output = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" demo", env!("CARGO_BIN_EXE_pgwatch")])
        .env("HOME", home.path())
        .env("TMPDIR", &long)
        .envs([("LANG", "de_DE.UTF-8"), ("LC_ALL", "de_DE.UTF-8"), ("LANGUAGE", "de"), ("TZ", "Asia/Kolkata")])
        .envs([("PGHOST", "203.0.113.9"), ("PGHOSTADDR", "203.0.113.9"), ("PGPORT", "1"), ("PGUSER", "someone")])
        .envs([
            ("PGPASSWORD", "wrong"),
            ("PGSERVICE", "other"),
            ("PGDATABASE", "elsewhere"),
            ("PGDATA", "/nonexistent"),
        ])
        .envs([("PGOPTIONS", "-c statement_timeout=1"), ("PGSSLMODE", "verify-full"), ("PGCLIENTENCODING", "LATIN1")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(ending(output.status), "code 0", "{text}{errors}");
    assert_eq!(text.matches("● healthy").count(), 4, "{text}{errors}");
}

/// Every screen: its key in the line of tabs, the keys that open it, what its rows say at 80 columns, and the least
/// number of rows.
const SCREENS: [(char, &str, &str, usize); 12] = [
    ('1', "1", "● healthy", 4),
    ('2', "2", "streaming", 3),
    ('3', "3", "idle in tr", 2),
    ('4', "4", "└", 2),
    ('5', "5", "standby1", 1),
    ('6', "6", "primary", 5),
    ('7', "7", "carts", 4),
    // The first table needs PostgreSQL 16.
    ('8', "8", "standby1", 1),
    ('9', ":select count(*) from shop.stock<enter>9", "50", 4),
    ('0', "<escape>0", "connected", 4),
    ('t', "t", "standby2", 1),
    ('c', "c", "setting", 1),
];

/// The key of the highlighted tab.
fn highlighted(screen: &vt100::Screen) -> Option<char> {
    let cells = (0..screen.size().1.get()).filter_map(|col| screen.cell(1, col));
    let lit = cells.filter(|cell| cell.bgcolor() != vt100::Color::Default && !cell.contents().trim().is_empty());
    lit.map(|cell| cell.contents().to_owned()).next()?.chars().next()
}

/// A newcomer looks at one screen after the other.
#[track_caller]
fn every_screen_is_alive(cols: u16, rows: u16) {
    let place = Place::new();
    let mut tui = place.dashboard_of(&[], cols, rows);
    for (key, keys, says, least) in SCREENS {
        tui.press(keys);
        tui.wait_for(&format!("{least} rows with {says:?} after {keys:?}"), SOON, |screen| {
            let text = screen.contents();
            let opened = highlighted(screen) == Some(key);
            let shown = text.lines().filter(|line| line.starts_with('│') && line.contains(says)).count();
            opened && shown >= least && !text.contains('✖')
        });
    }
}

#[test]
fn every_screen_is_alive_at_80x24() {
    every_screen_is_alive(80, 24);
}

#[test]
fn every_screen_is_alive_at_120x40() {
    every_screen_is_alive(120, 40);
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
fn a_killed_demo_leaves_nothing_behind() {
    let place = Place::new();
    let mut tui = place.dashboard(&[]);
    tui.signal(Signal::KILL);
    assert_eq!(ending(tui.wait_exit(LEAVING)), "signal 9");
    place.assert_empty(SOON);
}

#[test]
fn without_server_programs_it_says_what_to_install() {
    // A file system without PostgreSQL is not available here, so only the library's text is checked.
    let error = pgwatch::demo::Install::at(Path::new("/nonexistent")).unwrap_err().to_string();
    assert!(error.contains("apt-get install postgresql"), "{error}");
}
