//! Terminals and pipes that behave badly: keys that arrive in pieces, outputs that another program left non-blocking, a
//! terminal without a size, a tmux in between.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionbio;

use crate::support::command::{file, pgwatch, servers};
use crate::support::pty::{Tui, ending};
use crate::support::servers::ConfigFile;
use crate::support::wait::SOON;

/// One node at an address without a server, as none is needed to look at the screen.
const NOBODY: &str = "nodes: {n: {host: 127.0.0.1, port: 1, user: pgwatch}}\n";

/// Longer than any terminal takes between two reads, and shorter than the dashboard waits.
const GAP: Duration = Duration::from_millis(5);
const TOO_LATE: Duration = Duration::from_millis(20);

/// Sends a sequence in two pieces, cut after its Esc. False if this machine was too busy to send the rest in time: then
/// the Esc counts as a key of its own, and the test proves nothing.
fn in_two_pieces(tui: &mut Tui, sequence: &[u8]) -> bool {
    let start = Instant::now();
    tui.send(&sequence[..1]);
    #[allow(clippy::disallowed_methods, reason = "the time between the pieces is what is tried")]
    std::thread::sleep(GAP);
    tui.send(&sequence[1..]);
    start.elapsed() < TOO_LATE
}

#[test]
fn a_key_in_two_pieces_is_one_key() {
    let config = file(NOBODY);
    // What is sent, what shows that it arrived, and the keys that lead back.
    let cases: [(&[u8], &str, &str); 5] = [
        (b"\x1bOP", "Help", "<esc>"),
        (b"\x1b[11~", "Help", "<esc>"),
        (b"\x1b[<0;4;2M", "LAST MINUTE", "1"),
        (b"\x1b[200~one; two\x1b[201~", ":one; two", "<c-u><enter>"),
        (b"\x1b[D", ":ba", "<c-u><enter>"),
    ];
    for (sequence, shows, back) in cases {
        let before = match shows {
            ":one; two" => ":",
            ":ba" => ":a",
            "LAST MINUTE" => "0",
            _ => "",
        };
        let in_time = (0..20).any(|_| {
            let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
            tui.wait_text("LAST MINUTE", SOON);
            tui.press(before);
            if before == "0" {
                tui.wait_for("the events", SOON, |screen| !screen.contents().contains("LAST MINUTE"));
            }
            if !in_two_pieces(&mut tui, sequence) {
                return false;
            }
            if shows == ":ba" {
                tui.press("b");
            }
            tui.wait_text(shows, SOON);
            tui.press(back);
            tui.wait_text("LAST MINUTE", SOON);
            true
        });
        assert!(in_time, "this machine never sent two pieces within {TOO_LATE:?}");
    }
}

#[test]
fn a_lone_escape_is_escape() {
    let config = file(NOBODY);
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")]);
    tui.wait_text("LAST MINUTE", SOON);
    for _ in 0..5 {
        tui.press("?");
        tui.wait_text("Help", SOON);
        tui.press("<esc>");
        tui.wait_for("the help is closed", SOON, |screen| !screen.contents().contains("Help"));
    }
}

/// Runs a command whose output is a pipe that is full and non-blocking, and reads the pipe once the command has had to
/// wait. Returns what came after the filling, and how the command ended.
fn into_a_full_pipe(args: &[&str], to_stderr: bool) -> (Vec<u8>, String) {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    let mut filled = 0;
    while let Ok(count) = writer.write(&[b'.'; 4096]) {
        filled += count;
    }
    let mut command = pgwatch(args);
    let mut child = if to_stderr {
        command.stderr(writer).stdout(Stdio::null()).spawn().unwrap()
    } else {
        command.stdout(writer).stderr(Stdio::inherit()).spawn().unwrap()
    };
    drop(command);
    // A command that does not wait for room would have ended by now.
    let ended = crate::support::wait::within(Duration::from_millis(500), || child.try_wait().unwrap());
    assert_eq!(ended, None, "{args:?} ended while nobody read");
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    (all.split_off(filled), ending(child.wait().unwrap()))
}

#[test]
fn a_full_pipe_that_does_not_block_gets_everything() {
    let config = ConfigFile::new("", servers().servers().iter().take(1));
    let rows = [
        "query",
        "--format",
        "csv",
        "select repeat('x', 1000) from generate_series(1, 5000)",
        "--config",
        config.arg(),
    ];
    let (out, end) = into_a_full_pipe(&rows, false);
    let lines = String::from_utf8_lossy(&out).lines().count();
    assert_eq!((lines, end.as_str()), (5001, "code 0"), "{} bytes", out.len());

    let commands: [&[&str]; 6] = [
        &["status", "--config", config.arg()],
        &["view", "settings", "--config", config.arg()],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["check", "--config", config.arg()],
    ];
    for args in commands {
        let (out, end) = into_a_full_pipe(args, false);
        let last = String::from_utf8_lossy(&out).lines().last().unwrap_or_default().to_owned();
        assert!(!out.is_empty() && out.ends_with(b"\n"), "{args:?}: {last}");
        assert_eq!(end, "code 0", "{args:?}");
    }
    let (out, end) = into_a_full_pipe(&["check", "--config", "/nonexistent/file.yaml"], true);
    assert!(String::from_utf8_lossy(&out).contains("/nonexistent/file.yaml"), "{out:?}");
    assert_eq!(end, "code 2");
}

const UNBLOCKED: &str = "PGWATCH_TEST_UNBLOCKED";

/// Not a test by itself: the next test runs it in a terminal, where it becomes the dashboard on a terminal that does
/// not block.
#[test]
fn dashboard_that_does_not_block() {
    let Ok(config) = std::env::var(UNBLOCKED) else { return };
    ioctl_fionbio(std::io::stdout(), true).unwrap();
    let error = Command::new(env!("CARGO_BIN_EXE_pgwatch")).args(["--config", &config]).exec();
    panic!("{error}");
}

#[test]
fn a_terminal_that_does_not_block_gets_every_frame() {
    let config = file(NOBODY);
    let this = std::env::current_exe().unwrap();
    let args = ["--exact", "terminals::dashboard_that_does_not_block", "--nocapture"];
    // A frame is larger than a terminal's buffer.
    let mut tui = Tui::start_program(&this, &args, 300, 100, &[(UNBLOCKED, config.arg())]);
    tui.wait_text("LAST MINUTE", SOON);
    for key in ["?", "<escape>", "0", "1", "<c-l>", "9"].into_iter().cycle().take(60) {
        tui.press(key);
    }
    tui.press("<c-c>");
    assert_eq!(ending(tui.wait_exit(SOON)), "code 0", "\n{}", tui.screen_text());
    assert_eq!(tui.restored(), Ok(()));
}

#[test]
fn a_terminal_without_a_size_is_80x24() {
    let config = file(NOBODY);
    let script = r#"stty rows 0 cols 0; exec "$0" --config "$1""#;
    let args = ["-c", script, env!("CARGO_BIN_EXE_pgwatch"), config.arg()];
    let mut tui = Tui::start_program(Path::new("/bin/sh"), &args, 80, 24, &[]);
    tui.wait_text("q quit", SOON);
    let text = tui.screen_text();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    // The wider window shows more.
    tui.resize(120, 40);
    tui.wait_for("the whole width", SOON, |screen| screen.contents().lines().any(|line| line.chars().count() > 100));
}

#[test]
fn a_copied_text_is_sent_and_a_multiplexer_in_between_is_named() {
    let config = file(NOBODY);
    for (env, says) in [
        (&[][..], "sent to the terminal"),
        (&[("TMUX", "/tmp/tmux-0/default,1,0"), ("TERM", "tmux-256color")], "set -g set-clipboard on"),
        (&[("STY", "1.pts-0.host"), ("TERM", "screen")], "sent through screen"),
    ] {
        let mut tui = Tui::start(&["--config", config.arg()], 120, 40, env);
        tui.wait_text("LAST MINUTE", SOON);
        tui.press("y");
        tui.wait_text(says, SOON);
        assert!(!tui.screen_text().contains("copied"));
    }
}
