//! Process trees. Every backend of a server is a child of its postmaster but leads a session of its own, so a signal to
//! the postmaster's process group does not reach it. This follows parents in `/proc` instead.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often a condition is checked while waiting for another process, as no event signals it.
const LOOK: Duration = Duration::from_millis(5);

struct Process {
    pid: i32,
    parent: i32,
    state: char,
}

impl Process {
    /// Reads `/proc/PID/stat`. The name in brackets may contain anything, so the fields start after the last bracket.
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let state = words.next()?.chars().next()?;
        Some(Self { pid, parent: words.next()?.parse().ok()?, state })
    }

    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// `root` and all its living descendants, parents before children.
fn family(root: i32) -> Vec<Process> {
    let all: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
        .filter(Process::is_alive)
        .collect();
    let mut members = vec![root];
    let mut next = 0;
    while let Some(&parent) = members.get(next) {
        members.extend(all.iter().filter(|p| p.parent == parent && p.pid != root).map(|p| p.pid));
        next += 1;
    }
    let mut family: Vec<Process> = all.into_iter().filter(|p| members.contains(&p.pid)).collect();
    family.sort_by_key(|p| members.iter().position(|&pid| pid == p.pid));
    family
}

/// Stops all of them (SIGSTOP), parents first so that no new child escapes; true once all are stopped.
pub(super) fn freeze(root: i32, within: Duration) -> bool {
    wait_until(within, || {
        let moving: Vec<_> = family(root).into_iter().filter(|p| !matches!(p.state, 'T' | 't')).collect();
        for process in &moving {
            signal(process.pid, Signal::STOP);
        }
        moving.is_empty().then_some(())
    })
    .is_some()
}

/// Resumes all of them (SIGCONT).
pub(super) fn thaw(root: i32) {
    for process in family(root).iter().rev() {
        signal(process.pid, Signal::CONT);
    }
}

/// Kills all of them (SIGKILL); true once all are gone, except that the root is left for its parent to reap.
pub(super) fn kill(root: i32, within: Duration) -> bool {
    // Collected first: the children cannot be found once their parent is gone.
    let mut members: Vec<i32> = Vec::new();
    for _ in 0..2 {
        for process in family(root) {
            signal(process.pid, Signal::KILL);
            members.push(process.pid);
        }
    }
    wait_until(within, || members.iter().all(|&pid| !Process::read(pid).is_some_and(|p| p.is_alive())).then_some(()))
        .is_some()
}

/// Sends a signal; ignores a process that is gone already.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Checks every few milliseconds until `condition` gives a value; `None` after `within`.
pub(super) fn wait_until<T>(within: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if start.elapsed() >= within {
            return None;
        }
        #[allow(clippy::disallowed_methods, reason = "this is the wait for a condition with a deadline")]
        std::thread::sleep(LOOK);
    }
}
