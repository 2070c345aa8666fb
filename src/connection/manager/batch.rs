//! Running statements: which nodes of a batch have not answered, and the task that runs the statement on one of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Actor, RunningBatch};
use crate::connection::pool::NodePool;
use crate::connection::query;
use crate::connection::report::Report;
use crate::model::protocol::{CommandError, NodeOutcome, QueryProgress, QueryRequest};
use crate::model::{BatchId, ErrorKind, EventKind, NodeError, NodeName};

/// How many batches may run at the same time; each may hold 64 MB of rows per node.
const BATCHES: usize = 16;
/// Shortest interval between two reports of the rows that one node has sent so far.
const READING: Duration = Duration::from_millis(100);

/// The part of a batch that runs on one node.
#[derive(Debug)]
struct Job {
    node: NodeName,
    pool: NodePool,
    request: Arc<QueryRequest>,
    started: Instant,
    /// Cancelled when the user cancels the batch.
    cancel: CancellationToken,
    /// Cancelled when the node's queries must end: on removal, an edit, a pause or shutdown.
    kill: CancellationToken,
    reports: mpsc::Sender<Report>,
}

impl Job {
    async fn run(self) {
        let batch = self.request.batch;
        let reported = AtomicU64::new(0);
        let reading = |rows: usize| {
            let now = self.started.elapsed().as_millis() as u64;
            if now >= reported.load(Ordering::Relaxed) + READING.as_millis() as u64 {
                reported.store(now, Ordering::Relaxed);
                let progress = QueryProgress::Reading { node: self.node.clone(), rows };
                // Only the newest count matters: if the actor's channel is full, the next report replaces this one.
                drop(self.reports.try_send(Report::Reading(batch, progress)));
            }
        };
        let query = query::run(&self.pool, &self.request, self.started, &self.cancel, &reading);
        let mut query = std::pin::pin!(query);
        let outcome = tokio::select! {
            outcome = &mut query => outcome,
            () = self.kill.cancelled() => {
                self.cancel.cancel();
                query.await
            }
        };
        drop(self.reports.send(Report::QueryDone(batch, self.node.clone(), Arc::new(outcome))).await);
    }
}

impl Actor {
    pub(super) fn start_batch(&mut self, mut request: QueryRequest) -> Result<(), CommandError> {
        let batch = request.batch;
        if self.batches.contains(batch) {
            return Err(CommandError::BatchExists(batch));
        }
        if self.batches.0.len() >= BATCHES {
            return Err(CommandError::TooManyQueries);
        }
        let mut seen = HashSet::new();
        request.nodes.retain(|name| seen.insert(name.clone()));
        let request = Arc::new(request);
        let (started, cancel) = (Instant::now(), CancellationToken::new());
        let running = request.nodes.len() as u32;
        self.batches.0.insert(batch, RunningBatch { started, running, cancel: cancel.clone() });
        self.progress(batch, QueryProgress::Started { nodes: request.nodes.clone() });
        for name in &request.nodes {
            let node = self.nodes.get(name);
            let Some((node, crew)) = node.and_then(|node| Some((node, node.crew.as_ref()?))) else {
                let outcome = match node.and_then(|node| node.gate.clone()) {
                    Some(Err(error)) => failed(error, started),
                    _ => no_such_node(name, started),
                };
                self.query_done(batch, name.clone(), Arc::new(outcome));
                continue;
            };
            let job = Job {
                node: name.clone(),
                pool: node.pool.clone(),
                request: Arc::clone(&request),
                started,
                cancel: cancel.child_token(),
                kill: crew.kill.clone(),
                reports: self.reports.clone(),
            };
            self.tasks.spawn(crew.queries.track_future(job.run()));
        }
        if running == 0 {
            self.batches.0.remove(&batch);
            self.progress(batch, QueryProgress::Done { elapsed: started.elapsed() });
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, id: BatchId) {
        if let Some(batch) = self.batches.0.get(&id)
            && !batch.cancel.is_cancelled()
        {
            batch.cancel.cancel();
            self.progress(id, QueryProgress::Cancelled);
        }
    }

    pub(super) fn progress(&mut self, batch: BatchId, progress: QueryProgress) {
        self.emit(EventKind::Query { batch, progress });
    }

    pub(super) fn query_done(&mut self, batch: BatchId, node: NodeName, outcome: Arc<NodeOutcome>) {
        if let Err(error) = &outcome.result
            && let Some(crew) = self.nodes.get(&node).and_then(|node| node.crew.as_ref())
        {
            // A permission error concerns this statement, not whether the node accepts connections.
            if error.kind != ErrorKind::Permission {
                crew.check_admission(error);
            }
        }
        self.progress(batch, QueryProgress::NodeDone { node, outcome });
        if let Some(elapsed) = self.batches.done(batch) {
            self.progress(batch, QueryProgress::Done { elapsed });
        }
        self.leave_on();
    }
}

/// The answer for a name that is no node.
pub(super) fn no_such_node(node: &NodeName, started: Instant) -> NodeOutcome {
    failed(NodeError::new(ErrorKind::NotConnected, format!("there is no node named {node}")), started)
}

/// The answer of a node that cannot run a statement now.
pub(super) fn failed(error: NodeError, started: Instant) -> NodeOutcome {
    NodeOutcome { elapsed: started.elapsed(), result: Err(error) }
}
