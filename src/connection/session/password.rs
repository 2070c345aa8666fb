//! Where a password comes from. It is looked up at each connect and not kept, so that a rotated one is found and a token
//! is never older than the connect. Errors contain neither the password nor the output of a command.

use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, copy, sink};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::config::passfile;
use crate::model::{ErrorKind, NodeConfig, NodeError, PasswordSource, Secret};

/// Passwords of people are shorter; tokens of cloud providers have some kilobytes.
const MAX_BYTES: u64 = 64 << 10;

/// The share of `connect_timeout` that a command may take: less than all of it, so that the error can say whether the
/// command or the server was late.
const SHARE: f64 = 0.9;

/// How many commands run at once, for all nodes together: most of them start an interpreter and ask a service for a
/// token.
const COMMANDS: usize = 8;

static TURNS: Semaphore = Semaphore::const_new(COMMANDS);

/// The result of looking up a node's password.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) password: Option<Secret>,
    /// Why the password file was not used. As in libpq this is not an error: not every server asks for a password.
    pub(crate) ignored: Option<String>,
}

impl Found {
    /// If a server refuses us for lack of a password, adds that a password file was not used; if it refuses the
    /// password, that this ends with a line break.
    pub(crate) fn explain(&self, error: NodeError) -> NodeError {
        if error.kind != ErrorKind::Authentication {
            return error;
        }
        match (&self.ignored, &self.password) {
            (Some(why), _) => error.with_hint(why.clone()),
            (None, Some(password)) if password.ends_with_line_break() => {
                error.with_hint("the password ends with a line break: remove it unless it belongs to the password")
            }
            _ => error,
        }
    }
}

/// The password for `node`, which has one host, now. A command may take 90 percent of `connect_timeout`, waiting for its
/// turn included. Cancel-safe: dropping the future kills the command and everything it started.
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
            run_within(line, node, within).await.map_or_else(
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

async fn run_within(line: &str, node: &NodeConfig, within: Duration) -> Result<Secret, (ErrorKind, String)> {
    let deadline = Instant::now() + within;
    let late = |what: &str| (ErrorKind::Timeout, format!("it {what} within {} ms", within.as_millis()));
    // The semaphore is never closed.
    let _turn = timeout_at(deadline, TURNS.acquire())
        .await
        .map_err(|_| late(&format!("waited for {COMMANDS} others, the most that run at once, and did not begin")))?;
    match timeout_at(deadline, run(line, node)).await {
        Ok(done) => done.map_err(|why| (ErrorKind::Authentication, why)),
        Err(_) => Err(late("did not finish")),
    }
}

async fn run(line: &str, node: &NodeConfig) -> Result<Secret, String> {
    let mut command = Command::new("sh");
    command
        .env("PGHOST", &node.host)
        .env("PGPORT", node.port.to_string())
        .env("PGUSER", &node.user)
        .env("PGDATABASE", &node.database)
        .env("PGWATCH_NODE", node.name.as_str());
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
    while first.pop_if(|byte| matches!(byte, b'\n' | b'\r')).is_some() {}
    if first.is_empty() { Err("it printed nothing".to_owned()) } else { Ok(Secret::new(first)) }
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
    use super::*;
    use crate::model::NodeName;

    fn node() -> NodeConfig {
        let mut node = NodeConfig::new(NodeName::parse("one").unwrap(), "db.example");
        (node.port, node.user, node.database) = (6432, "mon itor".to_owned(), "shop".to_owned());
        node
    }

    async fn printed(line: &str) -> Result<Secret, String> {
        run(line, &node()).await
    }

    #[tokio::test]
    async fn the_first_line_is_the_password() {
        assert_eq!(printed("printf 'secret\\nsecond\\n'").await.unwrap().expose(), "secret");
        assert_eq!(printed("printf secret").await.unwrap().expose(), "secret");
        assert_eq!(printed("echo secret; sleep 0.05; echo more && sleep 0.01").await.unwrap().expose(), "secret");
        assert_eq!(printed("printf 'gr\\374\\337e\\r\\n'").await.unwrap().bytes(), b"gr\xfc\xdfe");
        assert!(printed("echo hunter2; exit 3").await.unwrap_err().contains("exit status: 3"));
        assert_eq!(printed("true").await.unwrap_err(), "it printed nothing");
    }

    #[tokio::test]
    async fn a_command_knows_its_node() {
        let told = printed("echo \"$PGHOST $PGPORT $PGUSER $PGDATABASE $PGWATCH_NODE\"").await.unwrap();
        assert_eq!(told.expose(), "db.example 6432 mon itor shop one");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let line = format!("(sleep 1; touch {}) & sleep 60", mark.display());
        let began = Instant::now();
        let (kind, why) = run_within(&line, &node(), Duration::from_millis(200)).await.unwrap_err();
        assert_eq!((kind, why.as_str()), (ErrorKind::Timeout, "it did not finish within 200 ms"));
        assert!(began.elapsed() < Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(!mark.exists(), "a grandchild lived on");
    }

    /// Each command writes a line when it begins and one when it ends.
    #[tokio::test]
    async fn eight_commands_run_at_once_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let line = format!("echo begin >> {0}; sleep 0.2; echo end >> {0}; echo secret", log.display());
        let node = node();
        let all = (0..20).map(|_| run_within(&line, &node, Duration::from_mins(1)));
        let passwords = futures_util::future::join_all(all).await;
        assert!(passwords.iter().all(Result::is_ok), "{passwords:?}");
        let (mut running, mut most, mut began) = (0_i32, 0, 0);
        for line in std::fs::read_to_string(&log).unwrap().lines() {
            let begins = line == "begin";
            running += if begins { 1 } else { -1 };
            began += i32::from(begins);
            most = most.max(running);
        }
        assert_eq!((running, began), (0, 20));
        assert!((2..=8).contains(&most), "{most} at once");
    }
}
