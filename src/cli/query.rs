//! `pgwatch query`: one statement on many nodes at the same time, and every node's rows or error.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::args::{QueryArgs, QueryFormat, exit};
use super::console::{Exit, block_on, complain, load, no_nodes, print_with};
use crate::clock;
use crate::config::{Config, nearest};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::fleet::batch::{self, NodeAnswer};
use crate::fleet::{Batch, Fleet};
use crate::model::protocol::{NodeOutcome, QueryProgress, QueryRequest};
use crate::model::{BatchId, Command, ErrorKind, Event, EventKind, NodeConfig, NodeError};
use crate::output::answers::{Answer, Answers};
use crate::run::signals::Signals;
use crate::text::safe;

const BATCH: BatchId = BatchId(1);
/// How long after the deadline of the statement to wait for the manager's last answers.
const GRACE: Duration = Duration::from_secs(5);
/// How long servers may take to confirm a cancellation, after a signal.
const CANCELLING: Duration = Duration::from_secs(2);

pub(super) fn run(args: &QueryArgs) -> Result<u8, Exit> {
    let mut config = load(&args.source)?;
    let names: Vec<&str> = args.nodes.iter().map(|name| name.trim()).collect();
    config.nodes = chosen(&config, &names)?;
    if args.read_write {
        config.apply_read_write();
        for node in config.nodes.iter().filter(|node| node.is_read_only()) {
            complain(&format!("{}: stays read-only, because the file sets read_only: true", node.name));
        }
    }
    let request = QueryRequest {
        batch: BATCH,
        statement: statement(&args.sql)?,
        nodes: config.nodes.iter().map(|node| node.name.clone()).collect(),
        timeout: args.timeout.unwrap_or(config.query_timeout),
        max_rows: args.max_rows,
        max_bytes: QueryRequest::MAX_BYTES,
    };
    // JSON has a place for errors and notices. For the other formats they are printed as they come.
    let report = if args.format == QueryFormat::Json { |_: &Answer| {} } else { tell };
    let (answers, signalled) = block_on(ask(&config, request, report))??;
    print_with(|out| match args.format {
        QueryFormat::Json => answers.write_json(out),
        QueryFormat::Csv => answers.write_csv(out),
        QueryFormat::Table => answers.write_tables(out),
    })?;
    if args.format == QueryFormat::Table {
        complain(&answers.summary());
    }
    Ok(signalled.unwrap_or(if answers.all_ok() { exit::OK } else { exit::FAILED }))
}

/// The nodes that `--nodes` names, in the order of the file.
pub(super) fn chosen(config: &Config, names: &[&str]) -> Result<Vec<NodeConfig>, Exit> {
    if config.nodes.is_empty() {
        return Err(no_nodes(config));
    }
    if let Some(unknown) = names.iter().find(|name| !config.nodes.iter().any(|node| node.name.as_str() == **name)) {
        let known: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
        let meant = nearest(unknown, known.iter().copied()).map(|near| format!(", did you mean {near}?"));
        return Err(Exit::Wrong(format!(
            "--nodes: there is no node named {unknown:?}{} The nodes are {}.",
            meant.unwrap_or_else(|| ".".to_owned()),
            known.join(", ")
        )));
    }
    let wanted = |node: &&NodeConfig| names.is_empty() || names.contains(&node.name.as_str());
    Ok(config.nodes.iter().filter(wanted).cloned().collect())
}

fn statement(sql: &str) -> Result<String, Exit> {
    let text = if sql == "-" {
        io::read_to_string(io::stdin()).map_err(|error| Exit::Wrong(format!("standard input: {error}")))?
    } else {
        sql.to_owned()
    };
    if text.trim().is_empty() {
        return Err(Exit::Wrong(
            "no statement is given: pass one as an argument, or - to read it from standard input".to_owned(),
        ));
    }
    if text.contains('\0') {
        return Err(Exit::Wrong("the statement contains a NUL byte, which PostgreSQL does not accept".to_owned()));
    }
    Ok(text)
}

/// Runs the batch to its end. A signal cancels it on the servers; the answers are then those that came before, and the
/// second value is the exit code.
async fn ask(config: &Config, request: QueryRequest, report: fn(&Answer)) -> io::Result<(Answers, Option<u8>)> {
    let mut signals = Signals::listen()?;
    let limit = request.timeout;
    let mut asking = Asking::new(config, &request, report);
    let (handle, mut events) = ConnectionManager::start(ManagerConfig {
        shutdown_timeout: config.shutdown_timeout.min(CANCELLING),
        ..ManagerConfig::new(config.nodes.clone())
    });
    let deadline = Instant::now() + request.timeout + GRACE;
    if let Err(error) = handle.send(Command::Run(request)).await {
        return Err(io::Error::other(error));
    }
    let signalled = tokio::select! {
        _ = timeout_at(deadline, asking.listen(&mut events)) => None,
        signal = signals.next() => Some(exit::signalled(signal)),
    };
    if signalled.is_some() {
        cancel(&handle, &mut asking, &mut events, &mut signals).await;
    }
    handle.shutdown(false).await;
    let answers = asking.answers(limit).ok_or_else(|| io::Error::other("no statement was run"))?;
    Ok((answers, signalled))
}

/// Waits until the servers confirm the cancellation; a second signal ends the wait.
async fn cancel(
    handle: &Handle,
    asking: &mut Asking,
    events: &mut tokio::sync::mpsc::Receiver<Event>,
    signals: &mut Signals,
) {
    // The manager refuses only if the batch has just ended by itself.
    let _ = handle.send(Command::CancelBatch(BATCH)).await;
    tokio::select! {
        _ = timeout_at(Instant::now() + CANCELLING, asking.listen(events)) => {}
        _ = signals.next() => {}
    }
}

/// A statement that runs, and whom to report each answer to.
struct Asking {
    fleet: Fleet,
    report: fn(&Answer),
}

impl Asking {
    fn new(config: &Config, request: &QueryRequest, report: fn(&Answer)) -> Self {
        let started = clock::now();
        let mut fleet = Fleet::new(config.nodes.clone(), config.refresh, config.thresholds.clone(), started);
        fleet.begin(Batch::new(BATCH, request.statement.clone(), started, request.nodes.iter().cloned()));
        Self { fleet, report }
    }

    /// Returns when the batch is done or the manager has ended. Cancel-safe: the answers so far are kept.
    async fn listen(&mut self, events: &mut tokio::sync::mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            self.fleet.apply(&event);
            match event.kind {
                EventKind::Query { batch: BATCH, progress: QueryProgress::NodeDone { node, outcome } } => {
                    (self.report)(&Answer { node, outcome });
                }
                EventKind::Query { batch: BATCH, progress: QueryProgress::Done { .. } } => return,
                _ => {}
            }
        }
    }

    /// The answers so far. A node without one has failed, and took as long as it was given.
    fn answers(&self, limit: Duration) -> Option<Answers> {
        let batch = self.fleet.batch()?;
        let outcome = |node: &NodeAnswer| match &node.answer {
            batch::Answer::Done(outcome) => Arc::clone(outcome),
            batch::Answer::Waiting | batch::Answer::Reading(_) => {
                Arc::new(NodeOutcome { elapsed: limit, result: Err(NodeError::new(ErrorKind::Internal, "no answer")) })
            }
        };
        let nodes = batch.nodes.iter().map(|node| Answer { node: node.node.clone(), outcome: outcome(node) });
        let elapsed = batch.elapsed.unwrap_or(limit);
        Some(Answers { statement: batch.statement.clone(), elapsed, nodes: nodes.collect() })
    }
}

/// Prints to standard error what has no place in CSV or a table.
fn tell(answer: &Answer) {
    let node = &answer.node;
    match &answer.outcome.result {
        Ok(rows) => {
            for notice in &rows.notices {
                complain(&format!("{node}: {}: {}", safe(&notice.severity), safe(&notice.message)));
            }
            if let Some(why) = &rows.truncated {
                complain(&format!("{node}: {why}"));
            }
            if rows.rows.columns().is_empty() {
                complain(&format!("{node}: done, {} rows affected", rows.row_count));
            }
        }
        Err(error) => {
            let sqlstate = error.sqlstate.as_ref().map(|code| format!(" (SQLSTATE {code})"));
            complain(&format!("{node}: {}{}", safe(&error.message), safe(&sqlstate.unwrap_or_default())));
            if let Some(hint) = &error.hint {
                complain(&format!("  {}", safe(hint)));
            }
        }
    }
}
