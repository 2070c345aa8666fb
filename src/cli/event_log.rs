//! `--event-log FILE`: every event as one JSON object a line, in the order in which the manager saw it.
//!
//! The file is written by a thread of its own, which sleeps until an event comes and then writes all that wait in one
//! go: a disk that hangs holds up neither the screen nor a node. A disk that fails ends the log and nothing else: it
//! is told on the screen, and again on the way out.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::json::{millis, time};
use super::log::{fault, open_private};
use crate::model::protocol::{DisconnectReason, QueryProgress, ShutdownReport};
use crate::model::{BatchId, ErrorKind, Event, EventKind, Health, HealthState, NodeError, NodeName};
use crate::run::LeaveReason;

const FLAG: &str = "--event-log";

/// Events that may wait for the disk before the manager has to drop some.
const QUEUE: usize = 4096;
/// How long leaving waits for a disk that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A log that is being written. Hand [`EventLog::tap`] to the manager; [`EventLog::finish`] writes the last line.
#[derive(Debug)]
pub struct EventLog {
    tap: mpsc::Sender<Event>,
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
        let mut file = LogFile { file: open, path: path.to_owned(), seq: 0 };
        let started = json!({
            "version": env!("CARGO_PKG_VERSION"), "cluster": cluster, "nodes": nodes, "pid": std::process::id()
        });
        let line = file.line(SystemTime::now(), "started", None, started);
        file.write(&line)?;
        wait_for_readers(&file.file).map_err(|error| fault(FLAG, path, &error))?;
        let (tap, events) = mpsc::channel(QUEUE);
        let (reason, stopped) = oneshot::channel();
        let (report, failure) = watch::channel(None);
        let writer = tokio::task::spawn_blocking(move || {
            // The receiver is gone only when nobody wants to hear of a failure any more.
            if let Err(text) = write_all(&mut file, events, stopped) {
                let _ = report.send(Some(text));
            }
        });
        Ok(Self { tap, writer, reason, failure })
    }

    /// Where the manager sends its events.
    pub fn tap(&self) -> mpsc::Sender<Event> {
        self.tap.clone()
    }

    /// Why no more events are written, as soon as that is known.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    /// Waits until all events are written, then writes the line `stopped`. Call it after the manager has ended; a disk
    /// that does not answer is not waited for. Says, for people, what was not written and why.
    pub async fn finish(self, reason: LeaveReason) -> Option<String> {
        // The writer may have given up already; then nobody asks for the reason.
        let _ = self.reason.send(reason);
        drop(self.tap);
        if tokio::time::timeout(PATIENCE, self.writer).await.is_err() {
            return Some("--event-log: the disk does not respond; the last events were not written".to_owned());
        }
        self.failure.borrow().clone()
    }
}

/// Writes until the manager has stopped. After an error the channel is closed, and the manager goes on without it.
fn write_all(
    file: &mut LogFile,
    mut events: mpsc::Receiver<Event>,
    reason: oneshot::Receiver<LeaveReason>,
) -> Result<(), String> {
    let mut report = None;
    let mut waiting = Vec::new();
    while report.is_none() && events.blocking_recv_many(&mut waiting, QUEUE) > 0 {
        let mut lines = String::new();
        for event in waiting.drain(..) {
            if let EventKind::Stopped(stopped) = event.kind {
                report = Some((event.at, stopped));
            } else if let Some(line) = file.event(&event) {
                lines.push_str(&line);
            }
        }
        file.write(&lines)?;
    }
    let reason = reason.blocking_recv().unwrap_or(LeaveReason::Error);
    let (at, report) = report.unzip();
    let line = file.line(at.unwrap_or_else(SystemTime::now), "stopped", None, stopped(reason, report));
    file.write(&line)
}

/// From here on the writer, which has a thread to itself, waits for whoever reads a pipe.
fn wait_for_readers(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags - rustix::fs::OFlags::NONBLOCK)?)
}

#[derive(Debug)]
struct LogFile {
    file: File,
    path: PathBuf,
    seq: u64,
}

impl LogFile {
    fn write(&mut self, lines: &str) -> Result<(), String> {
        self.file
            .write_all(lines.as_bytes())
            .map_err(|error| fault(FLAG, &self.path, &error) + "; no further events will be written")
    }

    /// The event's line; `None` for what is not logged (answered probes, figures, the screen's own questions).
    fn event(&mut self, event: &Event) -> Option<String> {
        let (name, node, fields) = describe(event)?;
        Some(self.line(event.at, name, node, fields))
    }

    fn line(&mut self, at: SystemTime, event: &str, node: Option<&NodeName>, fields: Value) -> String {
        self.seq += 1;
        let mut line = Map::new();
        line.insert("at".to_owned(), time(at).into());
        line.insert("seq".to_owned(), self.seq.into());
        line.insert("event".to_owned(), event.into());
        if let Some(node) = node {
            line.insert("node".to_owned(), node.as_str().into());
        }
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        format!("{}\n", Value::Object(line))
    }
}

/// The event's name, the node it is about, and its further fields.
fn describe(event: &Event) -> Option<(&'static str, Option<&NodeName>, Value)> {
    Some(match &event.kind {
        EventKind::Connected { node, role, server_version, connect_time, attempt } => {
            let fields = json!({
                "role": role, "server_version": server_version, "connect_ms": millis(*connect_time), "attempt": attempt
            });
            ("connected", Some(node), fields)
        }
        EventKind::Disconnected { node, reason } => {
            ("disconnected", Some(node), json!({ "reason": disconnect_reason(reason) }))
        }
        EventKind::Health { node, from, health } => ("health", Some(node), health_change(event.at, *from, health)),
        EventKind::NodeAdded { node } => ("node_added", Some(&node.name), json!({})),
        EventKind::NodeEdited { node } => ("node_edited", Some(&node.name), json!({})),
        EventKind::NodeRemoved { node, sessions_closed, cancelled } => {
            let fields = json!({ "sessions_closed": sessions_closed, "cancelled": cancelled });
            ("node_removed", Some(node), fields)
        }
        EventKind::Pool { node, pool, probes } => {
            let fields = json!({
                "max": pool.max, "open": pool.open, "active": pool.active, "idle": pool.idle, "waiting": pool.waiting,
                "gets": pool.gets, "waited": pool.waited, "timed_out": pool.timed_out,
                "opened": pool.opened, "closed": pool.closed,
                "probes": probes.probes, "probes_missed": probes.missed, "latency_ms": probes.latency.map(millis)
            });
            ("pool", Some(node), fields)
        }
        // As text: programs read numbers of JSON as floating point, which has no room for these.
        EventKind::Replaced { node, was, now } => {
            let fields = json!({ "was": was.to_string(), "system_identifier": now.to_string() });
            ("replaced", Some(node), fields)
        }
        EventKind::Query { batch, progress } => {
            let (node, fields) = query(*batch, progress)?;
            ("query", node, fields)
        }
        EventKind::Checked { .. }
        | EventKind::Facts { .. }
        | EventKind::Server { .. }
        | EventKind::View { .. }
        | EventKind::Refused { .. }
        | EventKind::Tested { .. }
        | EventKind::Draining { .. }
        | EventKind::Stopped(_) => return None,
    })
}

fn disconnect_reason(reason: &DisconnectReason) -> Value {
    match reason {
        DisconnectReason::Error(error) => json!(error),
        DisconnectReason::Removed => json!({ "kind": "removed" }),
        DisconnectReason::Edited => json!({ "kind": "edited" }),
        DisconnectReason::Paused => json!({ "kind": "paused" }),
        DisconnectReason::Shutdown => json!({ "kind": "shutdown" }),
    }
}

fn health_change(at: SystemTime, from: HealthState, health: &Health) -> Value {
    let next_retry = health.next_retry.map(|next| millis(next.duration_since(at).unwrap_or_default()));
    json!({
        "from": from, "to": health.state, "error": health.error,
        "failures": health.failures, "attempt": health.attempt, "next_retry_ms": next_retry
    })
}

fn query(batch: BatchId, progress: &QueryProgress) -> Option<(Option<&NodeName>, Value)> {
    let line = |phase: &str, ok: Option<bool>, row_count: Option<u64>, elapsed: Option<Duration>, error: Value| {
        json!({
            "batch": batch.0, "phase": phase, "ok": ok, "row_count": row_count,
            "elapsed_ms": elapsed.map(millis), "error": error
        })
    };
    Some(match progress {
        QueryProgress::Started { .. } => (None, line("started", None, None, None, Value::Null)),
        QueryProgress::Reading { .. } => return None,
        QueryProgress::NodeDone { node, outcome } => {
            let (rows, error) = match &outcome.result {
                Ok(rows) => (Some(rows.row_count), Value::Null),
                Err(error) => (None, json!(without_values(error))),
            };
            (Some(node), line("node_done", Some(rows.is_some()), rows, Some(outcome.elapsed), error))
        }
        QueryProgress::Cancelled => (None, line("cancelled", None, None, None, Value::Null)),
        QueryProgress::Done { elapsed } => (None, line("done", None, None, Some(*elapsed), Value::Null)),
    })
}

/// A server's message about a statement quotes the values in it (`invalid input syntax for type integer: "..."`), and
/// those have no place in a log.
fn without_values(error: &NodeError) -> NodeError {
    if error.kind != ErrorKind::Sql {
        return error.clone();
    }
    NodeError { message: "the statement failed".to_owned(), hint: None, ..error.clone() }
}

fn stopped(reason: LeaveReason, report: Option<ShutdownReport>) -> Value {
    json!({
        "reason": reason.as_str(),
        "elapsed_ms": report.map(|report| millis(report.elapsed)),
        "sessions_closed": report.map(|report| report.sessions_closed),
        "queries_cancelled": report.map(|report| report.queries_cancelled)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::*;
    use crate::model::protocol::{NodeOutcome, NodeRows};
    use crate::model::{PoolStats, ProbeStats, Role};

    fn name() -> NodeName {
        NodeName::parse("primary").unwrap()
    }

    fn event(kind: EventKind) -> Event {
        Event { seq: 7, at: SystemTime::UNIX_EPOCH + Duration::from_millis(1500), kind }
    }

    fn refused() -> NodeError {
        NodeError::new(ErrorKind::Refused, "connection refused")
    }

    fn described(kind: EventKind) -> String {
        match describe(&event(kind)) {
            Some((name, node, fields)) => format!("{name} {} {fields}", node.map_or("-", NodeName::as_str)),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn each_event_has_the_promised_fields() {
        let mut health = Health::new(SystemTime::UNIX_EPOCH);
        health.state = HealthState::Reconnecting;
        health.failures = 3;
        health.next_retry = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2));
        health.error = Some(refused());
        let health = Box::new(health);
        let failed = |kind| NodeOutcome {
            elapsed: Duration::from_micros(1200),
            result: Err(NodeError::new(kind, "invalid input: \"hunter2\"")),
        };
        let done = |outcome| EventKind::Query {
            batch: BatchId(4),
            progress: QueryProgress::NodeDone { node: name(), outcome: Arc::new(outcome) },
        };
        let rows = NodeOutcome {
            elapsed: Duration::from_millis(3),
            result: Ok(NodeRows { row_count: 2, ..NodeRows::default() }),
        };
        let lines = [
            EventKind::Connected {
                node: name(),
                role: Role::Primary,
                server_version: "17.2".to_owned(),
                connect_time: Duration::from_micros(6200),
                attempt: 1,
            },
            EventKind::Disconnected { node: name(), reason: DisconnectReason::Error(refused()) },
            EventKind::Disconnected { node: name(), reason: DisconnectReason::Removed },
            EventKind::Health { node: name(), from: HealthState::Unhealthy, health: health.clone() },
            EventKind::Checked { node: name(), health },
            EventKind::NodeRemoved { node: name(), sessions_closed: 2, cancelled: 1 },
            EventKind::Pool { node: name(), pool: PoolStats::default(), probes: ProbeStats::default() },
            EventKind::Replaced { node: name(), was: 7_441_290_887_651_234_567, now: 8 },
            done(rows),
            done(failed(ErrorKind::Sql)),
            EventKind::Query { batch: BatchId(4), progress: QueryProgress::Done { elapsed: Duration::from_millis(4) } },
        ]
        .map(described);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        connected primary {"role":"primary","server_version":"17.2","connect_ms":6.2,"attempt":1}
        disconnected primary {"reason":{"kind":"refused","sqlstate":null,"message":"connection refused","hint":null}}
        disconnected primary {"reason":{"kind":"removed"}}
        health primary {"from":"unhealthy","to":"reconnecting","error":{"kind":"refused","sqlstate":null,"message":"connection refused","hint":null},"failures":3,"attempt":1,"next_retry_ms":500.0}
        nothing
        node_removed primary {"sessions_closed":2,"cancelled":1}
        pool primary {"max":0,"open":0,"active":0,"idle":0,"waiting":0,"gets":0,"waited":0,"timed_out":0,"opened":0,"closed":0,"probes":0,"probes_missed":0,"latency_ms":null}
        replaced primary {"was":"7441290887651234567","system_identifier":"8"}
        query primary {"batch":4,"phase":"node_done","ok":true,"row_count":2,"elapsed_ms":3.0,"error":null}
        query primary {"batch":4,"phase":"node_done","ok":false,"row_count":null,"elapsed_ms":1.2,"error":{"kind":"sql","sqlstate":null,"message":"the statement failed","hint":null}}
        query - {"batch":4,"phase":"done","ok":null,"row_count":null,"elapsed_ms":4.0,"error":null}
        "#);
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
        // The manager's copy of the tap may well outlive it.
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
    async fn a_bad_path_is_said_at_once_and_a_disk_that_fails_later_at_the_end() {
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
        let told = log.finish(LeaveReason::Key).await.unwrap();
        assert_eq!(shown.as_deref(), Some(told.as_str()));
        assert!(told.contains("Broken pipe") && told.ends_with("no further events will be written"), "{told}");
    }
}
