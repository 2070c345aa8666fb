//! Processor time by the kernel's own accounting: of a program over a time, and of a server for one role.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use pgwatch::demo::Server;

use crate::rig::pass;

/// The unit of times in `/proc/PID/stat`, the same on every usual Linux.
const TICK: Duration = Duration::from_millis(10);
/// How often the times of a program's threads are read. What a thread used after the last reading is lost when it ends.
const LOOK: Duration = Duration::from_millis(250);

/// The processor time of a program in `window`. It is read repeatedly, as a thread that ends takes its account with it.
pub fn spent_in(window: Duration, pid: i32) -> Duration {
    let before = threads(pid);
    let mut last = before.clone();
    let begin = Instant::now();
    while begin.elapsed() < window {
        pass(LOOK.min(window.saturating_sub(begin.elapsed())));
        last.extend(threads(pid));
    }
    last.iter().map(|(thread, &now)| now.saturating_sub(before.get(thread).copied().unwrap_or_default())).sum()
}

fn threads(pid: i32) -> HashMap<i32, Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the program runs").flatten();
    let threads = tasks.filter_map(|task| {
        let thread = task.file_name().to_str()?.parse().ok()?;
        Some((thread, scheduled(&format!("/proc/{pid}/task/{thread}"))?))
    });
    threads.collect()
}

/// The time so far that a server may have spent for a role: that of the role's living sessions, of all children that
/// have ended (each reconnect is a fork, a login, and caches to fill), and of the postmaster itself. The difference of
/// two readings counts for one role if no other client connects between them and autovacuum is off.
pub fn server_time(server: &Server, role: &str) -> Duration {
    let postmaster = server.postmaster_pid().expect("the server runs");
    let ended = stat(postmaster).expect("the server runs").reaped;
    let living = children(postmaster).into_iter().filter(|&pid| works_for(pid, role));
    let living: Duration = living.filter_map(|pid| scheduled(&format!("/proc/{pid}"))).sum();
    scheduled(&format!("/proc/{postmaster}")).unwrap_or_default() + ended + living
}

/// A backend's title names the role: `postgres: CLUSTER: ROLE DATABASE CLIENT what it does`.
fn works_for(pid: i32, role: &str) -> bool {
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&title).contains(&format!(" {role} "))
}

fn children(parent: i32) -> Vec<i32> {
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| stat(pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// Time on a processor.
fn scheduled(task: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("{task}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

struct Stat {
    parent: i32,
    /// User and system time of all children that have ended.
    reaped: Duration,
}

/// The name in brackets may contain anything, so the fields start after the last bracket.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let ticks = |nth: usize| words.get(nth)?.parse::<u32>().ok();
    Some(Stat { parent: words.get(1)?.parse().ok()?, reaped: TICK * (ticks(13)? + ticks(14)?) })
}
