//! What a program holds of a running manager: its configuration, and the handle that sends it commands.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::model::protocol::{CommandError, NodeSnapshot, ShutdownReport};
use crate::model::{Command, Event, NodeConfig, NodeName};

/// The configuration with which a manager starts.
#[derive(Debug)]
pub struct ManagerConfig {
    /// The nodes in the order of the file, which snapshots keep.
    pub nodes: Vec<NodeConfig>,
    /// How often the manager asks each node for facts.
    pub refresh: Duration,
    /// Upper bound for a shutdown as a whole, including the wait for queries.
    pub shutdown_timeout: Duration,
    /// A second listener that receives every event too (the event log). It may be slow: the manager does not wait for
    /// it.
    pub tap: Option<mpsc::Sender<Event>>,
}

impl ManagerConfig {
    /// Facts once a second, ten seconds for a shutdown, no second listener.
    pub fn new(nodes: Vec<NodeConfig>) -> Self {
        Self { nodes, refresh: Duration::from_secs(1), shutdown_timeout: Duration::from_secs(10), tap: None }
    }
}

/// Where to report whether a command was carried out, if a caller waits for that.
pub(super) type Reply = Option<oneshot::Sender<Result<(), CommandError>>>;

/// A message to the actor.
#[derive(Debug)]
pub(super) enum Request {
    Command(Command, Reply),
    Snapshot(oneshot::Sender<Vec<NodeSnapshot>>),
    Shutdown(bool, oneshot::Sender<ShutdownReport>),
}

/// Sends commands to a running manager. Cheap to clone. All methods are cancel-safe: dropping the future does not
/// revoke what was sent.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Request>,
}

impl Handle {
    pub(super) fn new(commands: mpsc::Sender<Request>) -> Self {
        Self { commands }
    }

    /// Sends a command without waiting. Events report the outcome.
    ///
    /// # Errors
    /// [`CommandError::Busy`] when the channel is full, [`CommandError::ShuttingDown`] when the manager has ended.
    pub fn try_send(&self, command: Command) -> Result<(), CommandError> {
        self.commands.try_send(Request::Command(command, None)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::ShuttingDown,
        })
    }

    /// Sends a command and waits until the manager has carried it out or refused it, not until its effects are
    /// complete: a node that was added is not connected yet. Cancel-safe: a command that was sent is carried out.
    ///
    /// # Errors
    /// The reason for the refusal; [`CommandError::ShuttingDown`] when the manager has ended.
    pub async fn send(&self, command: Command) -> Result<(), CommandError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Command(command, Some(answer));
        self.commands.send(request).await.map_err(|_| CommandError::ShuttingDown)?;
        answered.await.unwrap_or(Err(CommandError::ShuttingDown))
    }

    /// The current state of every node, in the order of the file. Empty when the manager has ended. Cancel-safe.
    pub async fn snapshot(&self) -> Vec<NodeSnapshot> {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Request::Snapshot(answer)).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }

    /// Adds a node and begins to connect to it. Cancel-safe as [`Handle::send`].
    ///
    /// # Errors
    /// [`CommandError::Exists`] if there is a node of that name, even one that is being removed;
    /// [`CommandError::ShuttingDown`] when the manager has ended.
    pub async fn add_node(&self, node: NodeConfig) -> Result<(), CommandError> {
        self.send(Command::AddNode(Box::new(node))).await
    }

    /// Removes a node: waits until its queries have ended or were cancelled and all its sessions are closed.
    /// Cancel-safe as [`Handle::send`].
    ///
    /// # Errors
    /// [`CommandError::NoSuchNode`]; [`CommandError::ShuttingDown`] when the manager has ended.
    pub async fn remove_node(&self, node: NodeName) -> Result<(), CommandError> {
        self.send(Command::RemoveNode(node)).await
    }

    /// Shuts the manager down: with `drain`, waits for running queries first; otherwise cancels them. Then closes every
    /// session. Takes at most `shutdown_timeout`, whatever the servers do. Returns zeros if the manager had ended
    /// before. Cancel-safe: the shutdown goes on.
    pub async fn shutdown(&self, drain: bool) -> ShutdownReport {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Request::Shutdown(drain, answer)).await.is_err() {
            return ShutdownReport::default();
        }
        answered.await.unwrap_or_default()
    }
}
