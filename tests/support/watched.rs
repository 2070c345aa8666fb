//! A connection manager with all of its events, for tests that wait for one of them.
#![allow(clippy::print_stdout, reason = "the times it measured")]

use std::time::{Duration, Instant};

use pgwatch::connection::{ConnectionManager, Handle, ManagerConfig};
use pgwatch::model::protocol::{NodeOutcome, QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Event, EventKind, Health, HealthState, NodeConfig, NodeName};
use tokio::sync::mpsc;

use super::wait::PATIENCE;

/// A manager, and all of its events so far.
pub struct Watched {
    pub handle: Handle,
    pub events: mpsc::Receiver<Event>,
    pub seen: Vec<Event>,
}

impl Watched {
    pub fn start(nodes: Vec<NodeConfig>) -> Self {
        let (handle, events) = ConnectionManager::start(ManagerConfig::new(nodes));
        Self { handle, events, seen: Vec::new() }
    }

    /// A manager that has found all of its nodes healthy.
    pub async fn healthy(nodes: Vec<NodeConfig>) -> Self {
        let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        let mut watched = Self::start(nodes);
        for name in names {
            if watched.state(&name).await != Some(HealthState::Healthy) {
                watched.until_state(&name, HealthState::Healthy).await;
            }
        }
        watched
    }

    pub async fn state(&self, name: &NodeName) -> Option<HealthState> {
        let nodes = self.handle.snapshot().await;
        nodes.into_iter().find(|node| node.config.name == *name).map(|node| node.health.state)
    }

    /// Looks for the event among those so far, or reads on until it arrives.
    pub async fn ever<T>(&mut self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        match self.seen.iter().find_map(&mut find) {
            Some(found) => found,
            None => self.until(what, find).await,
        }
    }

    /// Reads events until `find` returns something.
    pub async fn until<T>(&mut self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let event = match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => event,
                ended => panic!("never: {what} ({ended:?}); seen: {:#?}", self.story()),
            };
            let found = find(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    pub async fn until_state(&mut self, node: &NodeName, state: HealthState) -> Health {
        self.until(&format!("{node} {}", state.as_str()), |event| match &event.kind {
            EventKind::Health { node: name, health, .. } if name == node && health.state == state => {
                Some(health.as_ref().clone())
            }
            _ => None,
        })
        .await
    }

    pub async fn outcome(&mut self, batch: BatchId) -> NodeOutcome {
        self.ever("an answer", |event| match &event.kind {
            EventKind::Query { batch: id, progress: QueryProgress::NodeDone { outcome, .. } } if *id == batch => {
                Some(outcome.as_ref().clone())
            }
            _ => None,
        })
        .await
    }

    /// The states of a node after the first `from` events.
    pub fn states(&self, node: &NodeName, from: usize) -> Vec<HealthState> {
        let changes = self.seen.iter().skip(from).filter_map(|event| match &event.kind {
            EventKind::Health { node: name, health, .. } if name == node => Some(health.state),
            _ => None,
        });
        changes.collect()
    }

    pub fn story(&self) -> Vec<String> {
        let told = self.seen.iter().filter(|event| {
            !matches!(event.kind, EventKind::Checked { .. } | EventKind::Pool { .. } | EventKind::Facts { .. })
        });
        told.map(|event| format!("{:?} {:?}", event.at, event.kind)).collect()
    }

    pub async fn stop(mut self) {
        let begun = Instant::now();
        let report = self.handle.shutdown(false).await;
        println!("left in {:?}: {report:?}", begun.elapsed());
        assert_eq!(report.stragglers, 0);
        while self.events.recv().await.is_some_and(|event| !matches!(event.kind, EventKind::Stopped(_))) {}
        assert!(self.events.recv().await.is_none(), "nothing comes after `stopped`");
    }
}

pub fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

pub fn query(batch: u64, statement: &str, nodes: &[&NodeName]) -> QueryRequest {
    QueryRequest {
        batch: BatchId(batch),
        statement: statement.to_owned(),
        nodes: nodes.iter().map(|&name| name.clone()).collect(),
        timeout: Duration::from_mins(1),
        max_rows: 1000,
        max_bytes: QueryRequest::MAX_BYTES,
    }
}

/// Runs blocking work of a test outside the runtime's threads.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
