//! pgwatch in a terminal of ours: a pseudoterminal whose other end we hold, read into a model of a screen. Keys go in
//! as a person presses them, and tests read what a person would see.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;
use vt100::{MouseProtocolMode, Parser, Screen};

use super::wait::{SOON, wait_for};

/// A running pgwatch and its terminal.
pub struct Tui {
    child: Child,
    /// `None` after the terminal was closed.
    terminal: Option<File>,
    before: Termios,
    seen: Arc<Seen>,
    reader: Option<JoinHandle<()>>,
    /// Dropping it wakes the reader, which then closes the terminal.
    wake: Option<std::io::PipeWriter>,
    _home: TempDir,
}

/// The output so far.
struct Seen {
    output: Mutex<Output>,
    more: Condvar,
}

struct Output {
    parser: Parser,
    raw: Vec<u8>,
    ended: bool,
}

impl Tui {
    /// Starts `pgwatch ARGS` in a terminal of this size, with an empty home and these variables.
    pub fn start(args: &[&str], cols: u16, rows: u16, env: &[(&str, &str)]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_pgwatch")), args, cols, rows, env)
    }

    /// The same for any program.
    pub fn start_program(program: &Path, args: &[&str], cols: u16, rows: u16, env: &[(&str, &str)]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, winsize(cols, rows)).unwrap();
        let inside: OwnedFd =
            ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        let before = tcgetattr(&terminal).unwrap();

        let home = tempfile::tempdir().unwrap();
        // `setsid` makes the terminal the controlling one of a new session and then becomes the program, which std
        // cannot do.
        let mut command = Command::new("setsid");
        // A shell's background job ignores Ctrl-C, and would pass that on to every program we start; a login shell
        // ignores nothing.
        command.args(["--ctty", "env", "--default-signal"]).arg(program).args(args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") || name.starts_with("XDG_")) {
            command.env_remove(name);
        }
        command.env("HOME", home.path()).env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("NO_COLOR");
        command.env("COLORTERM", "truecolor").envs(env.iter().copied()).current_dir(home.path());
        command.stdin(Stdio::from(inside.try_clone().unwrap())).stdout(Stdio::from(inside.try_clone().unwrap()));
        let child = command.stderr(Stdio::from(inside)).spawn().expect("setsid (package util-linux)");

        let parser = Parser::new(size(rows), size(cols), 0);
        let output = Mutex::new(Output { parser, raw: Vec::new(), ended: false });
        let seen = Arc::new(Seen { output, more: Condvar::new() });
        let terminal = File::from(terminal);
        let (woken, wake) = std::io::pipe().unwrap();
        let reader = {
            let (terminal, seen) = (terminal.try_clone().unwrap(), Arc::clone(&seen));
            std::thread::spawn(move || read(terminal, &woken.into(), &seen))
        };
        // Closes our copies of the program's end, which the command keeps: otherwise we would not notice that the
        // program ended.
        drop(command);
        Self { child, terminal: Some(terminal), before, seen, reader: Some(reader), wake: Some(wake), _home: home }
    }

    /// Presses keys: characters as they are, others by name (`<enter>`, `<esc>`, `<c-c>`, `<pgdn>`, `<lt>` for `<`).
    /// After `<esc>` wait for its effect: followed closely by another key it would mean Alt.
    pub fn press(&mut self, keys: &str) {
        let application = self.screen(Screen::application_cursor);
        let terminal = self.terminal.as_mut().expect("the terminal was closed");
        for key in parse_keys(keys) {
            let bytes = if application && key.len() == 3 && key.starts_with(b"\x1b[") {
                [b"\x1bO", &key[2..]].concat()
            } else {
                key
            };
            terminal.write_all(&bytes).expect("the terminal takes keys");
        }
    }

    /// Sends bytes unchanged, in one piece.
    pub fn send(&mut self, bytes: &[u8]) {
        self.terminal.as_mut().expect("the terminal was closed").write_all(bytes).expect("the terminal takes keys");
    }

    /// Waits until the screen satisfies `condition`; fails the test with the screen if it does not in time.
    #[track_caller]
    pub fn wait_for(&self, what: &str, within: Duration, condition: impl Fn(&Screen) -> bool) {
        if let Err(state) = self.sees(within, condition) {
            panic!("{state}, not seen: {what}\n{}", self.screen_text());
        }
    }

    /// The same for a caller that can go on without it: returns the screen that was there instead.
    pub fn sees(&self, within: Duration, condition: impl Fn(&Screen) -> bool) -> Result<(), String> {
        let start = Instant::now();
        let mut output = self.seen.output.lock().unwrap();
        while !condition(output.parser.screen()) {
            let left = within.saturating_sub(start.elapsed());
            if left.is_zero() || output.ended {
                let state = if output.ended { "the program ended" } else { "time is up" };
                return Err(format!("{state} after {:?}", start.elapsed()));
            }
            output = self.seen.more.wait_timeout(output, left).unwrap().0;
        }
        Ok(())
    }

    /// The same, but for whole frames only: between the first byte of one and its last, the screen is neither old nor
    /// new.
    /// nor new.
    pub fn sees_frame(&self, within: Duration, condition: impl Fn(&Screen) -> bool) -> Result<(), String> {
        let start = Instant::now();
        let mut output = self.seen.output.lock().unwrap();
        loop {
            let last = |end: &str| find_last(&output.raw, format!("\x1b[?2026{end}").as_bytes());
            if last("h") <= last("l") && condition(output.parser.screen()) {
                return Ok(());
            }
            let left = within.saturating_sub(start.elapsed());
            if left.is_zero() || output.ended {
                let state = if output.ended { "the program ended" } else { "time is up" };
                return Err(format!("{state} after {:?}", start.elapsed()));
            }
            output = self.seen.more.wait_timeout(output, left).unwrap().0;
        }
    }

    /// Waits until the screen shows this text in one line.
    #[track_caller]
    pub fn wait_text(&self, text: &str, within: Duration) {
        self.wait_for(&format!("{text:?}"), within, |screen| screen.contents().contains(text));
    }

    /// Reads the screen model itself.
    pub fn screen<T>(&self, look: impl FnOnce(&Screen) -> T) -> T {
        look(self.seen.output.lock().unwrap().parser.screen())
    }

    /// The text that a person reads now, line by line.
    pub fn screen_text(&self) -> String {
        self.screen(Screen::contents)
    }

    /// Every byte so far.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.output.lock().unwrap().raw.clone()
    }

    /// The number of those bytes.
    pub fn written(&self) -> usize {
        self.seen.output.lock().unwrap().raw.len()
    }

    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.seen.output.lock().unwrap().parser.set_size(size(rows), size(cols));
        tcsetwinsize(self.terminal.as_ref().expect("the terminal was closed"), winsize(cols, rows)).unwrap();
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Closes the terminal, as closing its window does: the program gets SIGHUP, and its reads and writes fail.
    pub fn close_terminal(&mut self) {
        drop(self.wake.take());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        drop(self.terminal.take());
    }

    /// Waits for the end of the program and for its last output.
    #[track_caller]
    pub fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        let end = self.exit_within(within);
        end.unwrap_or_else(|| panic!("still running after {within:?}\n{}", self.screen_text()))
    }

    /// The same for a caller that can go on without it.
    pub fn exit_within(&mut self, within: Duration) -> Option<ExitStatus> {
        let status = super::wait::within(within, || self.child.try_wait().unwrap())?;
        if self.terminal.is_some() {
            wait_for("the end of the output", SOON, || self.seen.output.lock().unwrap().ended.then_some(()));
        }
        Some(status)
    }

    /// Checks that the terminal was given back as it was before; returns what was not, in words.
    pub fn restored(&self) -> Result<(), String> {
        let mut faults = Vec::new();
        let output = self.seen.output.lock().unwrap();
        let screen = output.parser.screen();
        let mut check = |fault: bool, what: &str| {
            if fault {
                faults.push(what.to_owned());
            }
        };
        check(screen.alternate_screen(), "the alternate screen is still on");
        check(screen.hide_cursor(), "the cursor is hidden");
        check(screen.mouse_protocol_mode() != MouseProtocolMode::None, "the mouse is still reported");
        check(screen.bracketed_paste(), "bracketed paste is still on");
        check(screen.application_cursor(), "the cursor keys are in application mode");
        check(screen.fgcolor() != vt100::Color::Default, "the text is coloured");
        check(screen.bgcolor() != vt100::Color::Default, "the background is coloured");
        // Modes that the screen model does not know: on unless the last sequence ends in `l`.
        for (mode, what) in [("1004", "focus reports are on"), ("2026", "synchronized output is held")] {
            let last = |end: &str| find_last(&output.raw, format!("\x1b[?{mode}{end}").as_bytes());
            check(last("h") > last("l"), what);
        }
        let pushed = |sign| keyboard_protocol(&output.raw, sign);
        check(pushed(b'>') > pushed(b'<'), "the keyboard protocol is not taken back");
        if let Some(terminal) = &self.terminal {
            let now = tcgetattr(terminal).unwrap();
            check(now.local_modes != self.before.local_modes, "echo and line mode differ");
            check(now.input_modes != self.before.input_modes, "the input modes differ");
            check(now.output_modes != self.before.output_modes, "the output modes differ");
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.wake.take());
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// How a program ended, for assertions: `code 0`, `signal 15`.
pub fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no end".to_owned(),
    }
}

/// Reads until the program ends or the terminal is to be closed, and answers the questions that programs ask a
/// terminal.
fn read(mut terminal: File, wake: &OwnedFd, seen: &Seen) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut ready = [PollFd::new(&terminal, PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        let _ = poll(&mut ready, None);
        if !ready[1].revents().is_empty() {
            break;
        }
        // Reading fails with EIO once no process has the other end open.
        let Ok(count @ 1..) = terminal.read(&mut buffer) else { break };
        let bytes = &buffer[..count];
        for (question, answer) in [("\x1b[c", "\x1b[?62;22c"), ("\x1b[6n", "\x1b[1;1R"), ("\x1b[?u", "\x1b[?0u")] {
            if count_of(bytes, question.as_bytes()) > 0 {
                let _ = terminal.write_all(answer.as_bytes());
            }
        }
        let mut output = seen.output.lock().unwrap();
        output.parser.process(bytes);
        output.raw.extend_from_slice(bytes);
        drop(output);
        seen.more.notify_all();
    }
    seen.output.lock().unwrap().ended = true;
    seen.more.notify_all();
}

fn parse_keys(keys: &str) -> Vec<Vec<u8>> {
    let mut parsed = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (bytes, after): (Vec<u8>, &str) = match named {
            Some((name, after)) => (named_key(name), after),
            None => (first.to_string().into_bytes(), rest.strip_prefix(first).unwrap()),
        };
        parsed.push(bytes);
        rest = after;
    }
    parsed
}

fn named_key(name: &str) -> Vec<u8> {
    let bytes: &[u8] = match name {
        "enter" => b"\r",
        "esc" => b"\x1b",
        // Terminals with the keyboard protocol send Esc like this, so that another key may follow closely.
        "escape" => b"\x1b[27u",
        "tab" => b"\t",
        "backtab" => b"\x1b[Z",
        "space" => b" ",
        "backspace" => b"\x7f",
        "lt" => b"<",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "home" => b"\x1b[H",
        "end" => b"\x1b[F",
        "insert" => b"\x1b[2~",
        "delete" => b"\x1b[3~",
        "pgup" => b"\x1b[5~",
        "pgdn" => b"\x1b[6~",
        "f1" => b"\x1bOP",
        "f5" => b"\x1b[15~",
        _ => match name.strip_prefix("c-").map(str::as_bytes) {
            Some(&[letter]) => return vec![letter & 0x1f],
            _ => panic!("no key is named <{name}>"),
        },
    };
    bytes.to_vec()
}

fn count_of(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).filter(|window| *window == what).count()
}

/// How many times the keyboard protocol was pushed (`>`) or popped (`<`): `CSI > FLAGS u`. Without the `u` it is a
/// question.
fn keyboard_protocol(bytes: &[u8], sign: u8) -> usize {
    let begins = bytes.windows(3).enumerate().filter(|(_, window)| *window == [0x1b, b'[', sign]);
    let last = |(at, _)| bytes[at + 3..].iter().find(|byte| !byte.is_ascii_digit() && **byte != b';');
    begins.filter_map(last).filter(|&&byte| byte == b'u').count()
}

fn find_last(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|window| window == what)
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has a size")
}

fn winsize(cols: u16, rows: u16) -> Winsize {
    Winsize { ws_col: cols, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}
