//! Pipes, folders and devices where a file is expected, and names of any length.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use pgwatch::config::{self, Flags};
use tempfile::TempDir;

use super::{environment, in_time};
use crate::support::command::{code, err, file, out, pgwatch, run};
use crate::support::pty::Tui;
use crate::support::wait::{PATIENCE, SOON, wait_for};

fn fifo(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// A log that cannot be written is refused before the dashboard opens; pgwatch does not wait for a reader of a pipe.
#[test]
fn logs_that_cannot_be_written_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let pipe = fifo(&folder, "pipe");
    let config = file("nodes: {}\n");
    for (log, why) in [
        (path("."), "Is a directory"),
        (path("none/log"), "No such file"),
        ("/proc/pgwatch.log".to_owned(), "--event-log"),
        (pipe.to_str().unwrap().to_owned(), "a pipe without a reader"),
        (path(&"x".repeat(5_000)), "File name too long"),
        (path(&"x/".repeat(5_000)), "File name too long"),
        ("/dev/full".to_owned(), "No space left"),
    ] {
        let mut command = pgwatch(&["--config", config.arg(), "--event-log", &log]);
        let output = in_time("the event log", move || command.output().unwrap());
        assert_eq!(code(&output), 2, "{log}: {}", err(&output));
        assert!(err(&output).contains(why), "{log}: {}", err(&output));
    }
    let mut command = pgwatch(&["--config", config.arg(), "--log", pipe.to_str().unwrap()]);
    let output = in_time("the log", move || command.output().unwrap());
    assert!(code(&output) == 2 && err(&output).contains("a pipe without a reader"), "{}", err(&output));
}

/// A program may read the log as it comes, through a pipe.
#[test]
fn a_pipe_with_a_reader_gets_every_event() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = fifo(&folder, "pipe");
    let (read, wait) = mpsc::channel();
    let reading = pipe.clone();
    std::thread::spawn(move || read.send(fs::read_to_string(reading).unwrap()));
    let config = file("nodes: {a: {host: 127.0.0.1, port: 1, user: u}}\n");
    // The reader opens the pipe a moment later: until then the pipe has no reader.
    let mut tui = wait_for("a reader", PATIENCE, || {
        let args = ["--config", config.arg(), "--event-log", pipe.to_str().unwrap()];
        let mut tui = Tui::start(&args, 100, 30, &[]);
        let opened = wait_for("a start", SOON, || match tui.screen_text() {
            text if text.contains("without a reader") => Some(false),
            text if text.contains("LAST MINUTE") => Some(true),
            _ => None,
        });
        if opened {
            return Some(tui);
        }
        let _ = tui.wait_exit(SOON);
        None
    });
    tui.wait_text("refused", SOON);
    tui.press("q");
    tui.wait_exit(SOON);
    let log = wait.recv_timeout(SOON).unwrap();
    assert!(log.contains(r#""event":"started""#) && log.contains(r#""event":"stopped""#), "{log}");
}

/// Files that are no files neither hang pgwatch nor fill its memory.
#[test]
fn pipes_and_devices_are_read_or_refused_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = fifo(&folder, "pipe");
    let check = |path: &Path| {
        let path = path.to_owned();
        in_time("a file that is none", move || config::load(&path, None, &environment()))
    };
    for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero"), Path::new("/nonexistent")] {
        let faults = check(path).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
    // A new pipe: the thread that gave up on the first one still waits for it.
    let pipe = fifo(&folder, "written");
    let writing = pipe.clone();
    std::thread::spawn(move || {
        let mut file = fs::OpenOptions::new().write(true).open(writing).unwrap();
        file.write_all(b"nodes: {a: {host: h}}\n").unwrap();
    });
    assert_eq!(check(&pipe).unwrap().nodes.len(), 1);

    for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
        let env = environment().with_var("PGSERVICEFILE", path.to_str().unwrap()).with_var("PGSERVICE", "s");
        let faults = in_time("the service file", move || config::from_flags(&Flags::default(), &env)).unwrap_err();
        assert!(faults[0].message.contains("the service file"), "{faults:?}");
        let path = path.to_owned();
        let found = in_time("the password file", move || config::passfile::lookup(&path, "h", 1, "d", "u"));
        assert!(found.unwrap_err().contains("the password file"));
    }
}

/// The length of a name has no limit, and a long one pushes nothing off the screen.
#[test]
fn a_name_of_a_thousand_letters_pushes_nothing_out() {
    let name = "n".repeat(1_000);
    let config = file(&format!(
        "nodes: {{{name}: {{host: 127.0.0.1, port: 1, user: u}}, b: {{host: 127.0.0.1, port: 1, user: u}}}}\n"
    ));
    let checked = run(&["check", "--config", config.arg()]);
    assert!(code(&checked) == 0 && out(&checked).contains(&name), "{}", err(&checked));
    let tui = Tui::start(&["--config", config.arg()], 100, 30, &[]);
    tui.wait_for("both are down, and why", SOON, |screen| screen.contents().matches("connection refused").count() >= 3);
    let text = tui.screen_text();
    assert!(text.lines().any(|line| line.contains("nnn…") && line.contains("✖ down")), "{text}");
}
