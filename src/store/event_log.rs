//! `--event-log FILE`: every event as one JSON object a line, in the order in which the manager saw it, and the changes of
//! servers that the dashboard finds in them.
//!
//! The file is written by a thread of its own, which sleeps until an event comes and then writes all waiting events at
//! once. A disk that hangs therefore delays neither the screen nor a node. A disk that fails ends the log and nothing
//! else; the screen reports it, and so does pgwatch when it ends. A file that was moved away or removed is made again.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::files::{fault, open_private};
use crate::clock;
use crate::model::protocol::LeaveReason;
use crate::model::{Change, Event, EventKind, NodeName};
use crate::output::events;

const FLAG: &str = "--event-log";

/// How many events may wait for the disk before the manager has to drop some.
const QUEUE: usize = 4096;
/// How long pgwatch waits for a disk that does not answer when it ends.
const PATIENCE: Duration = Duration::from_secs(1);

/// A log that is being written. Hand [`EventLog::tap`] to the manager and [`EventLog::changes`] to the dashboard; [`EventLog::finish`] writes the last line.
#[derive(Debug)]
pub struct EventLog {
    tap: mpsc::Sender<Event>,
    changes: mpsc::Sender<Change>,
    writer: JoinHandle<()>,
    reason: oneshot::Sender<LeaveReason>,
    failure: watch::Receiver<Option<String>>,
}

impl EventLog {
    /// Opens the file for appending (readable by its owner alone) and writes the line `started`. Needs a tokio runtime.
    ///
    /// # Errors
    /// A text for people: the file cannot be opened or written.
    pub fn start(path: &Path, cluster: Option<&str>, nodes: &[NodeName]) -> Result<Self, String> {
        let open = open_private(path).map_err(|error| fault(FLAG, path, &error))?;
        let mut file = LogFile { file: open, path: path.to_owned(), seq: 0, last: SystemTime::UNIX_EPOCH };
        let seq = file.next();
        file.write(&events::started(seq, SystemTime::now(), cluster, nodes))?;
        wait_for_readers(&file.file).map_err(|error| fault(FLAG, path, &error))?;
        let (tap, events) = mpsc::channel(QUEUE);
        let (changes, found) = mpsc::channel(QUEUE);
        let (reason, stopped) = oneshot::channel();
        let (report, failure) = watch::channel(None);
        let runtime = Handle::current();
        let writer = tokio::task::spawn_blocking(move || {
            // Without a receiver there is no one to report the failure to.
            if let Err(text) = runtime.block_on(write_all(&mut file, events, found, stopped)) {
                let _ = report.send(Some(text));
            }
        });
        Ok(Self { tap, changes, writer, reason, failure })
    }

    /// Where the manager sends its events.
    pub fn tap(&self) -> mpsc::Sender<Event> {
        self.tap.clone()
    }

    /// Where the dashboard sends the changes of servers that it finds.
    pub fn changes(&self) -> mpsc::Sender<Change> {
        self.changes.clone()
    }

    /// Why no more events are written, once that is known.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    /// Waits until all events are written, then writes the line `stopped`. Call it after the manager has ended. It waits
    /// at most a second for a disk that does not answer. Returns, for people, what was not written and why.
    pub async fn finish(self, reason: LeaveReason) -> Option<String> {
        // A writer that has given up already does not need the reason.
        let _ = self.reason.send(reason);
        drop(self.tap);
        if tokio::time::timeout(PATIENCE, self.writer).await.is_err() {
            return Some("--event-log: the disk does not respond; the last events were not written".to_owned());
        }
        self.failure.borrow().clone()
    }
}

/// Writes until the manager has stopped. An error closes the channels, and everybody continues without the log.
async fn write_all(
    file: &mut LogFile,
    mut events: mpsc::Receiver<Event>,
    mut changes: mpsc::Receiver<Change>,
    reason: oneshot::Receiver<LeaveReason>,
) -> Result<(), String> {
    let mut report = None;
    let (mut waiting, mut found) = (Vec::new(), Vec::new());
    while report.is_none() {
        let mut lines = String::new();
        tokio::select! {
            // A change follows from an event that came before it.
            biased;
            count = events.recv_many(&mut waiting, QUEUE) => if count == 0 {
                break;
            },
            Some(change) = changes.recv() => found.push(change),
        }
        for event in waiting.drain(..) {
            if let EventKind::Stopped(stopped) = event.kind {
                report = Some(stopped);
            } else if let Some(line) = file.event(&event) {
                lines.push_str(&line);
            }
        }
        found.extend(std::iter::from_fn(|| changes.try_recv().ok()));
        for change in found.drain(..) {
            lines.push_str(&file.change(&change));
        }
        file.write(&lines)?;
    }
    let reason = reason.await.unwrap_or(LeaveReason::Error);
    let seq = file.next();
    file.write(&events::stopped(seq, SystemTime::now(), reason, report))
}

/// Makes writing block until the reader of a pipe catches up: the writer has a thread of its own.
fn wait_for_readers(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags - rustix::fs::OFlags::NONBLOCK)?)
}

#[derive(Debug)]
struct LogFile {
    file: File,
    path: PathBuf,
    seq: u64,
    /// The time of the last line.
    last: SystemTime,
}

impl LogFile {
    fn write(&mut self, lines: &str) -> Result<(), String> {
        let written = self.follow().and_then(|()| self.file.write_all(lines.as_bytes()));
        written.map_err(|error| fault(FLAG, &self.path, &error) + "; no further events will be written")
    }

    /// Opens the file again if another one, or none, is at its path: logs are rotated.
    fn follow(&mut self) -> io::Result<()> {
        let open = self.file.metadata()?;
        let is_there = std::fs::metadata(&self.path).is_ok_and(|at| (at.dev(), at.ino()) == (open.dev(), open.ino()));
        if open.is_file() && !is_there {
            self.file = open_private(&self.path)?;
        }
        Ok(())
    }

    /// The event's line; `None` for an event that is not logged.
    fn event(&mut self, event: &Event) -> Option<String> {
        let line = events::line(self.seq + 1, event, clock::set_back())?;
        self.seq += 1;
        self.last = event.at;
        Some(line)
    }

    fn change(&mut self, change: &Change) -> String {
        let seq = self.next();
        self.last = self.last.max(change.at);
        events::change(seq, self.last, change)
    }

    /// The number of a line that is no event of the manager.
    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::{Value, json};

    use super::*;
    use crate::model::protocol::{DisconnectReason, ShutdownReport};

    fn name() -> NodeName {
        NodeName::parse("primary").unwrap()
    }

    fn event(kind: EventKind) -> Event {
        Event { seq: 7, at: SystemTime::UNIX_EPOCH + Duration::from_millis(1500), kind }
    }

    #[tokio::test]
    async fn a_log_begins_with_started_ends_with_stopped_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let log = EventLog::start(&path, Some("production"), &[name()]).unwrap();
        let tap = log.tap();
        tap.send(event(EventKind::Disconnected { node: name(), reason: DisconnectReason::Paused })).await.unwrap();
        let report = ShutdownReport { sessions_closed: 3, ..ShutdownReport::default() };
        tap.send(event(EventKind::Stopped(report))).await.unwrap();
        // The manager's copy of the tap may outlive it.
        log.finish(LeaveReason::Sigterm).await;
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |key: &str| lines.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("event"), ["started", "disconnected", "stopped"]);
        assert_eq!(of("seq"), [1, 2, 3]);
        assert_eq!(lines[0]["nodes"], json!(["primary"]));
        assert_eq!((&lines[2]["reason"], &lines[2]["sessions_closed"]), (&json!("SIGTERM"), &json!(3)));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(tap);
    }

    #[tokio::test]
    async fn a_log_that_is_rotated_goes_on_in_a_new_file_and_one_without_a_folder_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, old) = (folder.path().join("logs"), folder.path().join("old"));
        let path = inner.join("events.jsonl");
        fs::create_dir(&inner).unwrap();
        let log = EventLog::start(&path, None, &[]).unwrap();
        let tap = log.tap();
        let paused = || event(EventKind::Disconnected { node: name(), reason: DisconnectReason::Paused });
        fs::rename(&path, &old).unwrap();
        tap.send(paused()).await.unwrap();
        let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        while !lines(&path).contains("\"seq\":2") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(lines(&old).lines().count(), 1, "started");
        fs::remove_dir_all(&inner).unwrap();
        tap.send(paused()).await.unwrap();
        let failure = log.failure().wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(
            failure.contains("No such file") && failure.ends_with("no further events will be written"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn a_bad_path_is_reported_at_once_and_a_failing_disk_at_the_end() {
        let error = EventLog::start(Path::new("/dev/null/x"), None, &[]).unwrap_err();
        assert!(error.starts_with("--event-log /dev/null/x: "), "{error}");
        let error = EventLog::start(Path::new("/dev/full"), None, &[]).unwrap_err();
        assert!(error.contains("No space left"), "{error}");

        let (reader, writer) = std::io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let log = EventLog::start(Path::new(&path), None, &[]).unwrap();
        drop((reader, writer));
        let tap = log.tap();
        tap.send(event(EventKind::NodeRemoved { node: name(), sessions_closed: 0, cancelled: 0 })).await.unwrap();
        tap.closed().await;
        let shown = log.failure().wait_for(Option::is_some).await.unwrap().clone();
        let reported = log.finish(LeaveReason::Key).await.unwrap();
        assert_eq!(shown.as_deref(), Some(reported.as_str()));
        assert!(
            reported.contains("Broken pipe") && reported.ends_with("no further events will be written"),
            "{reported}"
        );
    }
}
