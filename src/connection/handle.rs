//! What a program holds of a running manager: how it is configured, and the handle that sends it commands.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::model::protocol::{CommandError, NodeSnapshot, ShutdownReport};
use crate::model::{Command, Event, NodeConfig, NodeName};

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

/// Where to send whether a command was carried out, if anyone waits for that.
pub(super) type Reply = Option<oneshot::Sender<Result<(), CommandError>>>;

/// What reaches the actor: a command with whoever waits for its answer, or a question.
#[derive(Debug)]
pub(super) enum Request {
    Command(Command, Reply),
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
    pub(super) fn new(commands: mpsc::Sender<Request>) -> Self {
        Self { commands }
    }

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
