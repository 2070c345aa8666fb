//! Where a password comes from. It is looked up at each connect, so that a rotated one is found. Errors contain
//! neither the password nor the output of a command.

use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, copy, sink};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::config::passfile;
use crate::model::{ErrorKind, NodeConfig, NodeError, PasswordSource, Secret};

/// Passwords of people are shorter; tokens of cloud providers have some kilobytes.
const MAX_BYTES: u64 = 64 << 10;

/// The share of `connect_timeout` that a command may take: less than all of it, so that the error can say whether the
/// command or the server was late.
const SHARE: f64 = 0.9;

/// The result of looking up a node's password.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) password: Option<Secret>,
    /// Why the password file was not used. As in libpq this is not an error: not every server asks for a password.
    pub(crate) ignored: Option<String>,
}

impl Found {
    /// If a server refuses us for lack of a password, adds that a password file was not used.
    pub(crate) fn explain(&self, error: NodeError) -> NodeError {
        match &self.ignored {
            Some(why) if error.kind == ErrorKind::Authentication => error.with_hint(why.clone()),
            _ => error,
        }
    }
}

/// The password for `node` now. A command may take 90 percent of `connect_timeout`. Cancel-safe: dropping the future
/// kills the command and everything it started.
pub(crate) async fn look_up(node: &NodeConfig) -> Result<Found, NodeError> {
    let found = |password| Ok(Found { password, ignored: None });
    match &node.password {
        PasswordSource::None => found(None),
        PasswordSource::Given(secret) => found(Some(secret.clone())),
        // A small local file is read on this thread.
        PasswordSource::File(path) => passfile::lookup(path, &node.host, node.port, &node.database, &node.user)
            .map_or_else(|why| Ok(Found { password: None, ignored: Some(why) }), found),
        PasswordSource::Command(line) => {
            let within = node.pool.connect_timeout.mul_f64(SHARE);
            run_within(line, within).await.map_or_else(
                |(kind, why)| {
                    let error = NodeError::new(kind, format!("password_command of {}: {why}", node.name));
                    let hint = "run it in a shell: it must print the password on its first line and exit with 0";
                    Err(error.with_hint(hint))
                },
                |password| found(Some(password)),
            )
        }
    }
}

async fn run_within(line: &str, within: Duration) -> Result<Secret, (ErrorKind, String)> {
    match timeout(within, run(line)).await {
        Ok(done) => done.map_err(|why| (ErrorKind::Authentication, why)),
        Err(_) => Err((ErrorKind::Timeout, format!("it did not finish within {} ms", within.as_millis()))),
    }
}

async fn run(line: &str) -> Result<Secret, String> {
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let child = command.kill_on_drop(true).spawn().map_err(|error| format!("sh cannot be started: {error}"))?;
    let mut group = Group { leader: child.id(), child };
    let mut output = BufReader::new(group.child.stdout.take().ok_or("its output cannot be read")?);
    let mut first = Vec::new();
    (&mut output)
        .take(MAX_BYTES)
        .read_until(b'\n', &mut first)
        .await
        .map_err(|error| format!("its output cannot be read: {error}"))?;
    // The rest of its output is read as well: a closed pipe would kill the command, which would look like a failure of
    // its own.
    let mut nowhere = sink();
    let mut rest = pin!(copy(&mut output, &mut nowhere));
    let mut writes = true;
    let status = loop {
        tokio::select! {
            status = group.child.wait() => break status.map_err(|error| format!("its exit status cannot be read: {error}"))?,
            _ = &mut rest, if writes => writes = false,
        }
    };
    group.leader = None;
    if !status.success() {
        return Err(format!("it failed ({status})"));
    }
    let text = String::from_utf8(first).map_err(|_| "its output is not UTF-8")?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() { Err("it printed nothing".to_owned()) } else { Ok(Secret::new(password)) }
}

/// A shell and what it started: dropping this kills all of them.
struct Group {
    leader: Option<u32>,
    child: Child,
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.leader.and_then(|pid| Pid::from_raw(pid as i32)) {
            // It may have ended by itself in the meantime.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn the_first_line_is_the_password() {
        assert_eq!(run("printf 'secret\\nsecond\\n'").await.unwrap().expose(), "secret");
        assert_eq!(run("printf secret").await.unwrap().expose(), "secret");
        assert_eq!(run("echo secret; sleep 0.05; echo more && sleep 0.01").await.unwrap().expose(), "secret");
        assert!(run("echo hunter2; exit 3").await.unwrap_err().contains("exit status: 3"));
        assert_eq!(run("true").await.unwrap_err(), "it printed nothing");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let line = format!("(sleep 1; touch {}) & sleep 60", mark.display());
        let began = Instant::now();
        let (kind, why) = run_within(&line, Duration::from_millis(200)).await.unwrap_err();
        assert_eq!((kind, why.as_str()), (ErrorKind::Timeout, "it did not finish within 200 ms"));
        assert!(began.elapsed() < Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(!mark.exists(), "a grandchild lived on");
    }
}
