//! The connection manager, usable without a terminal: it watches every node, keeps a pool for each, runs one statement
//! on many of them, and tells all that happens as events.
//!
//! ```no_run
//! use pgwatch::connection::{ConnectionManager, ManagerConfig};
//! use pgwatch::model::{NodeConfig, NodeName};
//!
//! # async fn watch() -> Result<(), Box<dyn std::error::Error>> {
//! let node = NodeConfig::new(NodeName::parse("primary")?, "127.0.0.1");
//! let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(vec![node]));
//! while let Some(event) = events.recv().await {
//!     println!("{event:?}");
//! #   break;
//! }
//! handle.shutdown(false).await;
//! # Ok(())
//! # }
//! ```
//!
//! | loop | where | period | speaks through |
//! | --- | --- | --- | --- |
//! | actor | `manager.rs` | woken by commands, reports, and once a second | `Command` in, `Event` out |
//! | health, one a node | `health/monitor.rs`, on the connection of `health/probe.rs` | `health.interval`; retries by `schedule/backoff.rs` | reports to the actor, orders from it |
//! | facts, one a node | `facts/poller.rs` | `refresh`, while the node answers | reports to the actor |
//! | views, one a node | `views/viewer.rs`, over the sessions of `views/ask.rs` | each view's own while a screen shows it, else that of the rules | reports to the actor |
//! | pool, one a node | `pool/keep.rs` | a third of `idle_timeout`; a socket that closes | `PoolStats`, read by the actor once a second |
//! | query, one a node and batch | `query.rs` | ends with the statement | reports to the actor |
//!
//! All channels are bounded. Tasks wait for the actor when it is behind; the actor waits for nobody: what a listener
//! does not take is kept in its outbox, where newer news of a kind replace older (`manager/outbox.rs`).

pub mod error;
mod facts;
mod health;
mod manager;
pub mod pool;
pub mod query;
mod report;
mod schedule;
pub mod session;
mod views;
mod wire;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::model::protocol::{CommandError, NodeSnapshot, ShutdownReport};
use crate::model::{Command, Event, NodeConfig, NodeName};

/// Commands that may wait for the actor; it takes each in microseconds.
const COMMANDS: usize = 256;
/// Events that may wait for a listener before its outbox begins to coalesce them.
const EVENTS: usize = 1024;

/// What a manager starts with.
#[derive(Debug)]
pub struct ManagerConfig {
    /// In the order of the file: snapshots keep it.
    pub nodes: Vec<NodeConfig>,
    /// How often facts are asked for.
    pub refresh: Duration,
    /// Bounds leaving as a whole, queries waited for included.
    pub shutdown_timeout: Duration,
    /// A second listener that is sent every event too (the event log). It may be slow; nobody waits for it.
    pub tap: Option<mpsc::Sender<Event>>,
}

impl ManagerConfig {
    /// A refresh each second, ten seconds to leave, no second listener.
    pub fn new(nodes: Vec<NodeConfig>) -> Self {
        Self { nodes, refresh: Duration::from_secs(1), shutdown_timeout: Duration::from_secs(10), tap: None }
    }
}

/// Starts the actor that owns all nodes.
#[derive(Debug)]
pub struct ConnectionManager;

impl ConnectionManager {
    /// Begins to connect to every node at once and returns without waiting for any of them.
    ///
    /// Must be called within a Tokio runtime. The manager ends after [`Command::Shutdown`], or when every [`Handle`]
    /// is dropped; its last event is `Stopped`, after which the receiver yields `None`. Dropping the receiver stops
    /// nothing: events are then dropped.
    pub fn start(config: ManagerConfig) -> (Handle, mpsc::Receiver<Event>) {
        let (commands, requests) = mpsc::channel(COMMANDS);
        let (listener, events) = mpsc::channel(EVENTS);
        manager::spawn(config, requests, listener);
        (Handle { commands }, events)
    }
}

/// What reaches the actor: a command with whoever waits for its answer, or a question.
#[derive(Debug)]
pub(crate) enum Request {
    Command(Command, Option<oneshot::Sender<Result<(), CommandError>>>),
    Snapshot(oneshot::Sender<Vec<NodeSnapshot>>),
    Shutdown(bool, oneshot::Sender<ShutdownReport>),
}

/// Speaks to a running manager. Cheap to clone; all methods are cancel-safe (dropping the future takes nothing back
/// that was sent).
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Request>,
}

impl Handle {
    /// Sends a command without ever waiting; its answer comes as events.
    ///
    /// # Errors
    /// [`CommandError::Busy`] when the channel is full, [`CommandError::ShuttingDown`] when the manager has ended.
    pub fn try_send(&self, command: Command) -> Result<(), CommandError> {
        self.commands.try_send(Request::Command(command, None)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::ShuttingDown,
        })
    }

    /// Sends a command and waits until it is carried out or refused (not for what follows from it: a node that was
    /// added is not yet connected).
    ///
    /// # Errors
    /// Why it was refused; [`CommandError::ShuttingDown`] when the manager has ended.
    pub async fn send(&self, command: Command) -> Result<(), CommandError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Command(command, Some(answer));
        self.commands.send(request).await.map_err(|_| CommandError::ShuttingDown)?;
        answered.await.unwrap_or(Err(CommandError::ShuttingDown))
    }

    /// Every node as it stands, in the order of the file. Empty when the manager has ended.
    pub async fn snapshot(&self) -> Vec<NodeSnapshot> {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Request::Snapshot(answer)).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }

    /// Adds a node and begins to connect to it.
    ///
    /// # Errors
    /// [`CommandError::Exists`] if there is a node of that name, also while it is being removed.
    pub async fn add_node(&self, node: NodeConfig) -> Result<(), CommandError> {
        self.send(Command::AddNode(Box::new(node))).await
    }

    /// Removes a node: waits until its queries are drained or cancelled and all its sessions are closed.
    ///
    /// # Errors
    /// [`CommandError::NoSuchNode`].
    pub async fn remove_node(&self, node: NodeName) -> Result<(), CommandError> {
        self.send(Command::RemoveNode(node)).await
    }

    /// Leaves: waits for queries in flight while `drain`, else cancels them, then closes every session. Bounded by
    /// `shutdown_timeout` whatever the servers do. Zeros when the manager had ended before.
    pub async fn shutdown(&self, drain: bool) -> ShutdownReport {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Request::Shutdown(drain, answer)).await.is_err() {
            return ShutdownReport::default();
        }
        answered.await.unwrap_or_default()
    }
}
