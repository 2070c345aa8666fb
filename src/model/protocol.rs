//! Commands to the connection manager ([`Command`]) and events from it ([`Event`]). Nothing else passes between the
//! library half and the screen half.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{
    Facts, Health, HealthState, NodeConfig, NodeError, NodeName, PoolStats, ProbeStats, Role, RowSet, ServerFacts, View,
};

/// Identifies one run of a statement on many nodes. Chosen by the caller; unique for the life of a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub u64);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One statement for many nodes.
#[derive(Clone, PartialEq)]
pub struct QueryRequest {
    /// The identifier that all its events carry.
    pub batch: BatchId,
    /// One statement. For several, the server answers with its own error 42601.
    pub statement: String,
    /// The nodes to run it on. Each answers for itself; a name that does not exist gets `not_connected`.
    pub nodes: Vec<NodeName>,
    /// Time limit from the start of the batch, including the wait for a connection. Then the server is asked to cancel.
    pub timeout: Duration,
    /// Rows kept per node. Further rows are dropped, and the answer says so.
    pub max_rows: usize,
    /// Bytes of text kept per node.
    pub max_bytes: usize,
}

impl QueryRequest {
    /// Bytes kept per node.
    pub const MAX_BYTES: usize = 64 << 20;
    /// Rows kept per node in the dashboard.
    pub const MAX_ROWS: usize = 100_000;
}

impl fmt::Debug for QueryRequest {
    /// Leaves the statement out: it may contain values that must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryRequest").field("batch", &self.batch).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// What the manager can be asked to do. No command blocks; the answers are events.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Adds a node. Refused ([`EventKind::Refused`]) if the name exists.
    AddNode(Box<NodeConfig>),
    /// Replaces the node of that name: its sessions are drained and it connects again. Refused if there is none.
    EditNode(Box<NodeConfig>),
    /// Removes a node: waits for its queries up to a limit, then cancels them and closes all sessions.
    RemoveNode(NodeName),
    /// Closes our sessions on the node until it is resumed.
    Pause(NodeName),
    /// Ends a pause: the node connects again.
    Resume(NodeName),
    /// Tries a lost node at once; probes a connected one at once.
    Retry(NodeName),
    /// Sets how often the facts ([`EventKind::Facts`]) of every node are asked for.
    SetRefresh(Duration),
    /// The nodes of the file after it was reread: new ones are added, missing ones removed, changed ones
    /// reconnected. The others are not touched.
    Reload(Vec<NodeConfig>),
    /// Opens one connection to a node that is not watched yet, for the form; answers with [`EventKind::Tested`].
    Test {
        /// Returned with the answer.
        id: u64,
        /// The node to try; it need not have a name of its own.
        node: Box<NodeConfig>,
    },
    /// Runs a statement on its nodes; answers with events of its batch.
    Run(QueryRequest),
    /// The views to ask from now on, and no others; the answers are [`EventKind::View`]. A view that was asked before
    /// keeps its pace.
    Look(Vec<Look>),
    /// Asks all these views at once.
    LookNow,
    /// Asks for one text as a whole; answers with [`EventKind::Text`].
    Text(TextRequest),
    /// Cancels what is still running of the batch, on the servers too.
    CancelBatch(BatchId),
    /// Begins to leave. With `drain`, waits for queries in flight; otherwise cancels them. A second one without `drain`
    /// cancels what the first waits for. Ends with [`EventKind::Stopped`].
    Shutdown {
        /// True to wait for queries in flight.
        drain: bool,
    },
}

/// A view to be asked regularly.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What to ask.
    pub view: Arc<View>,
    /// The nodes to ask; `None`: all.
    pub nodes: Option<Vec<NodeName>>,
    /// Minimum interval between two queries of a view that no screen shows; the first one also waits until the node has
    /// been up for a while. `None`: at the view's own pace and the refresh.
    pub pace: Option<Duration>,
}

impl Look {
    /// True if this node is asked.
    pub fn is_at(&self, node: &NodeName) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
    }
}

/// Something that happened. Events come in the order in which the manager saw them.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Grows by one with every event.
    pub seq: u64,
    /// When it happened, by this machine's clock.
    pub at: SystemTime,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Large payloads are shared, so that an event is cheap to clone for every listener.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The probe's connection to the node is open and has answered.
    Connected {
        /// The node.
        node: NodeName,
        /// What the server is; `None` if it does not tell.
        role: Option<Role>,
        /// As the server prints it: `17.2`.
        server_version: String,
        /// How long opening the connection took, the first answer included.
        connect_time: Duration,
        /// Which attempt succeeded, from 1.
        attempt: u32,
    },
    /// Our sessions on the node have ended.
    Disconnected {
        /// The node.
        node: NodeName,
        /// Why they ended.
        reason: DisconnectReason,
    },
    /// The state changed from `from` to `health.state`.
    Health {
        /// The node.
        node: NodeName,
        /// The state before.
        from: HealthState,
        /// The state now, and why.
        health: Arc<Health>,
    },
    /// A probe was answered or missed, and the state is the same. Coalesced: a slow listener sees only the newest.
    Checked {
        /// The node.
        node: NodeName,
        /// The state and its figures now.
        health: Arc<Health>,
    },
    /// The node is watched from now on.
    NodeAdded {
        /// Its configuration.
        node: Box<NodeConfig>,
    },
    /// The node has a new configuration, and connects again.
    NodeEdited {
        /// Its configuration now.
        node: Box<NodeConfig>,
    },
    /// The node is no longer watched.
    NodeRemoved {
        /// The node.
        node: NodeName,
        /// Our sessions that were closed.
        sessions_closed: u32,
        /// Queries of the user that were cancelled.
        cancelled: u32,
    },
    /// Figures of the pool: per node at most once per second, and at least every 10 s. Coalesced.
    Pool {
        /// The node.
        node: NodeName,
        /// Its pool now.
        pool: PoolStats,
        /// Totals of its health loop.
        probes: ProbeStats,
    },
    /// The figures of one refresh, or why there are none (the node itself may well be healthy). Coalesced.
    Facts {
        /// The node.
        node: NodeName,
        /// The figures, or why there are none.
        facts: Result<Arc<Facts>, NodeError>,
    },
    /// Version and settings: once per connection, and after the server reread its configuration. Coalesced.
    Server {
        /// The node.
        node: NodeName,
        /// What it said of itself.
        server: Arc<ServerFacts>,
    },
    /// A node's answer to a view of [`Command::Look`], or why there is none. Coalesced.
    View {
        /// The node.
        node: NodeName,
        /// The name of the view.
        view: Arc<str>,
        /// The rows, or why there are none.
        outcome: Result<Arc<ViewRows>, NodeError>,
    },
    /// The answer to [`Command::Text`].
    Text {
        /// The node.
        node: NodeName,
        /// The `id` of the request.
        id: u64,
        /// The text, or why there is none; `None` if the row is no longer there, or has no such text.
        outcome: Result<Option<WholeText>, NodeError>,
    },
    /// Another cluster answers at the node's address.
    Replaced {
        /// The node.
        node: NodeName,
        /// The system identifier before.
        was: u64,
        /// The system identifier now.
        now: u64,
    },
    /// Progress of a batch.
    Query {
        /// Which batch.
        batch: BatchId,
        /// Its progress.
        progress: QueryProgress,
    },
    /// A command could not be carried out; nothing changed.
    Refused {
        /// The node of the command, where it names one.
        node: Option<NodeName>,
        /// Why it was refused.
        error: CommandError,
    },
    /// The answer to [`Command::Test`].
    Tested {
        /// The `id` of the command.
        id: u64,
        /// What the test found, or why it failed.
        outcome: Result<Tested, NodeError>,
    },
    /// pgwatch is leaving and waits for queries of the user.
    Draining {
        /// Queries that are still waited for.
        queries: u32,
        /// When waiting ends and they are cancelled.
        until: SystemTime,
    },
    /// Everything is closed. The last event.
    Stopped(ShutdownReport),
}

/// One node's answer to a view. A row has one cell for each of [`View::asked`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewRows {
    /// The rows.
    pub rows: RowSet,
    /// From the query to the last row.
    pub elapsed: Duration,
    /// True if there were more rows than are kept.
    pub truncated: bool,
    /// Why this server cannot have rows of the view: its role or version lacks the facts. This is not an error.
    pub not_applicable: Option<String>,
    /// The cells whose text is cut, as row and position in the row, in their order.
    pub cuts: Vec<(u32, u32)>,
    /// Why values are missing from the rows, if some are: a server may be unable to send a text, or forbid a function.
    pub missing: Option<String>,
}

/// One text of a row, of which the table shows the beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct TextRequest {
    /// Chosen by the caller, and returned with the text.
    pub id: u64,
    /// The node whose row it is.
    pub node: NodeName,
    /// The view.
    pub view: Arc<View>,
    /// The cells of the view's key.
    pub key: Vec<Option<String>>,
    /// The column.
    pub column: usize,
}

/// A text as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeText {
    /// The text, without the passwords in it.
    pub text: Arc<str>,
    /// True if even this is not all of it.
    pub cut: bool,
}

/// What a connection test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// As the server prints it: `17.2`.
    pub server_version: String,
    /// What the server is; `None` if it does not tell.
    pub role: Option<Role>,
    /// How long opening the connection took, the first answer included.
    pub connect_time: Duration,
}

/// Why our sessions on a node ended.
#[derive(Debug, Clone, PartialEq)]
pub enum DisconnectReason {
    /// A failure; the node is retried.
    Error(NodeError),
    /// The user removed the node.
    Removed,
    /// The node has a new configuration.
    Edited,
    /// The user paused the node.
    Paused,
    /// pgwatch is leaving.
    Shutdown,
}

/// Progress of a batch. Each node's outcome is sent as soon as it is there.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryProgress {
    /// The statement was handed to the nodes.
    Started {
        /// The nodes that will answer.
        nodes: Vec<NodeName>,
    },
    /// Rows read so far on a node with a long answer. Coalesced.
    Reading {
        /// The node.
        node: NodeName,
        /// Rows read so far.
        rows: usize,
    },
    /// A node has answered, or failed.
    NodeDone {
        /// The node.
        node: NodeName,
        /// Its answer.
        outcome: Arc<NodeOutcome>,
    },
    /// The user cancelled the batch: every node that is still running answers `cancelled`.
    Cancelled,
    /// Every node has answered.
    Done {
        /// From the start of the batch to the last answer.
        elapsed: Duration,
    },
}

/// One node's answer to a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeOutcome {
    /// From the start of the batch to this node's last row, including the wait for a connection.
    pub elapsed: Duration,
    /// The rows, or why there are none.
    pub result: Result<NodeRows, NodeError>,
}

/// The rows of one node and what belongs to them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeRows {
    /// The rows kept.
    pub rows: RowSet,
    /// The number of rows kept, or of rows affected if the statement returns none.
    pub row_count: u64,
    /// Why rows are missing (`cut at 100,000 rows`), if some are.
    pub truncated: Option<String>,
    /// What the server reported while it ran the statement.
    pub notices: Vec<ServerNotice>,
}

/// A NOTICE or WARNING of the server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ServerNotice {
    /// `NOTICE`, `WARNING` …, in the server's language.
    pub severity: String,
    /// Five characters.
    pub sqlstate: String,
    /// The server's text: make it safe before it reaches a terminal.
    pub message: String,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A node of this name is watched already.
    #[error("a node named {0} exists already: choose another name, or edit that one")]
    Exists(NodeName),
    /// No node of this name is watched.
    #[error("there is no node named {0}")]
    NoSuchNode(NodeName),
    /// The identifier belongs to a batch that is running.
    #[error("batch {0} is already running")]
    BatchExists(BatchId),
    /// The limit of batches at once is reached.
    #[error("too many queries are running: wait for one to end, or cancel it")]
    TooManyQueries,
    /// The manager is leaving, and takes no more commands.
    #[error("pgwatch is shutting down")]
    ShuttingDown,
    /// The manager's command channel is full or gone.
    #[error("the connection manager is busy: try again")]
    Busy,
}

/// How closing went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShutdownReport {
    /// From the command to the end of the last task.
    pub elapsed: Duration,
    /// Our sessions that were closed.
    pub sessions_closed: u32,
    /// Queries of the user that were cancelled.
    pub queries_cancelled: u32,
    /// Tasks that did not end in time, as a server did not answer, and were dropped.
    pub stragglers: u32,
}

/// Why the dashboard was left. The word is in the line `stopped` of the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// A key, or a command that the user typed.
    Key,
    /// SIGINT.
    Sigint,
    /// SIGTERM.
    Sigterm,
    /// SIGHUP: the terminal was closed.
    Sighup,
    /// The terminal failed.
    Error,
}

impl LeaveReason {
    /// The word in the event log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Sigint => "SIGINT",
            Self::Sigterm => "SIGTERM",
            Self::Sighup => "SIGHUP",
            Self::Error => "error",
        }
    }
}

/// The state of one node, for a caller that asks once instead of listening (`pgwatch status`).
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSnapshot {
    /// What it was configured with.
    pub config: NodeConfig,
    /// Its health now.
    pub health: Health,
    /// What the server is, once it has said so.
    pub role: Option<Role>,
    /// As the server prints it, once it has said so.
    pub server_version: Option<String>,
    /// How long the probe's connection took to open.
    pub connect_time: Option<Duration>,
    /// Its pool now.
    pub pool: PoolStats,
    /// Totals of its health loop.
    pub probes: ProbeStats,
}
