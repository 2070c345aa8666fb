//! The process of a tunnel: started without a terminal, in a session of its own, and ended with all that it started.
//!
//! A shell waits beside the command at the end of a pipe that we hold open. When pgwatch ends in any way, killed with
//! SIGKILL included, the shell reads the end of the pipe, ends the command's whole process group, frozen processes too,
//! and removes the folder of its socket.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::sql::secrets::masked_message;

/// `$1` is the command, `$2` the folder to remove, or nothing. `setsid` takes the terminal away, so that no command can
/// ask for a password on it.
const GUARD: &str = r#"
exec 3<&0 4>&2 </dev/null 2>/dev/null
setsid sh -c "$1" 2>&4 3<&- 4>&- &
command=$!
{
  read -r _ <&3
  kill -TERM "-$command" "$command"
  sleep 0.5
  kill -KILL "-$command" "$command"
} 4>&- &
watch=$!
wait "$command"
status=$?
kill -KILL "-$command"
kill "$watch"
[ -z "$2" ] || rm -rf -- "$2"
exit "$status"
"#;

/// How long the guard may take: longer than it waits before it kills.
pub(super) const ENDING: Duration = Duration::from_secs(1);
/// How long what was written before the end may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// A line that was written longer before the end is not its reason.
const RECENT: Duration = Duration::from_secs(1);
/// How many bytes of a line are kept.
const LONGEST: usize = 300;

/// How many lines are kept.
const LINES: usize = 16;

/// The last lines that a command wrote to its standard error, and when. Foreign text.
#[derive(Debug, Default)]
pub(super) struct Said(VecDeque<(Instant, Arc<str>)>);

impl Said {
    fn add(&mut self, line: &str) {
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), line.into()));
    }

    /// The last line, if it came at that time or later. What concerns one connection of many is not counted.
    pub(super) fn last(&self, since: Instant) -> Option<Arc<str>> {
        let mut lines = self.0.iter().rev().filter(|(_, line)| without_channel(line) == &**line);
        lines.next().filter(|(at, _)| *at >= since).map(|(_, line)| Arc::clone(line))
    }

    /// The different things that it has said since then.
    pub(super) fn reasons(&self, since: Instant) -> Vec<String> {
        let lines = self.0.iter().filter(|(at, _)| *at >= since).map(|(_, line)| without_channel(line));
        let mut reasons: Vec<String> = Vec::new();
        for line in lines {
            if !reasons.iter().any(|reason| reason == line) {
                reasons.push(line.to_owned());
            }
        }
        reasons
    }
}

/// A message of `ssh` without the number of its channel.
fn without_channel(line: &str) -> &str {
    let rest = line.strip_prefix("channel ").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.and_then(|rest| rest.strip_prefix(": open failed: ")).unwrap_or(line)
}

/// A running command and its guard. Dropping it ends both, without waiting.
#[derive(Debug)]
pub(super) struct Process {
    guard: Child,
    /// The pipe at whose end the guard waits.
    _pipe: ChildStdin,
    errors: ChildStderr,
    line: Vec<u8>,
    said: watch::Sender<Said>,
}

impl Process {
    /// Starts a command for `sh -c`; `folder` is removed at its end. `said` receives what it writes to its standard
    /// error. Must be called within a Tokio runtime.
    pub(super) fn start(command: &str, folder: Option<&Path>, said: watch::Sender<Said>) -> io::Result<Self> {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "pgwatch-tunnel", command]).args(folder);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut guard = guard.spawn()?;
        // Not left in `guard`, because `Child::wait` would close it.
        let pipe = guard.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let errors = guard.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { guard, _pipe: pipe, errors, line: Vec::new(), said })
    }

    /// Waits until the command has ended, and returns why, in its own words where it has said something. Cancel-safe.
    pub(super) async fn ended(&mut self) -> String {
        let mut bytes = [0; 1024];
        let mut writes = true;
        let status = loop {
            tokio::select! {
                status = self.guard.wait() => break status,
                read = self.errors.read(&mut bytes), if writes => {
                    writes = self.heard(bytes.get(..read.unwrap_or(0)).unwrap_or_default());
                }
            }
        };
        let rest = async {
            while let Ok(read) = self.errors.read(&mut bytes).await
                && self.heard(bytes.get(..read).unwrap_or_default())
            {}
        };
        drop(timeout(LAST_WORDS, rest).await);
        self.heard(b"\n");
        let said = Instant::now().checked_sub(RECENT).and_then(|since| self.said.borrow().last(since));
        match said {
            Some(line) => line.to_string(),
            None => status.map_or_else(|error| format!("it is not known how it ended: {error}"), how),
        }
    }

    /// Takes in what the command wrote, a line at a time. Returns false for nothing, the end of the stream.
    fn heard(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            if byte != b'\n' && byte != b'\r' {
                if self.line.len() < LONGEST {
                    self.line.push(byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.line);
            let line = line.trim();
            if !line.is_empty() {
                self.said.send_modify(|said| said.add(&masked_message(line)));
            }
            self.line.clear();
        }
        !bytes.is_empty()
    }

    /// Ends the command with all that it started, and waits for that up to [`ENDING`].
    pub(super) async fn end(self) {
        let Self { mut guard, _pipe: pipe, .. } = self;
        drop(pipe);
        drop(timeout(ENDING, guard.wait()).await);
    }
}

/// How a command ended, by the exit status of its shell.
fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code @ 129..=192) => format!("it was killed by signal {}", code - 128),
        Some(code) => format!("it ended with exit status {code}"),
        None => format!("its guard ended ({status})"),
    }
}
