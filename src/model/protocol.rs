//! What the connection manager is told ([`Command`]) and what it tells ([`Event`]): the only words that pass between
//! the library half and the screen half.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{
    Facts, Health, HealthState, NodeConfig, NodeError, NodeName, PoolStats, ProbeStats, Role, RowSet, ServerFacts, View,
};

/// Identifies one statement run on many nodes. Chosen by whoever starts it; unique for a manager's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub u64);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One statement for many nodes (C6).
#[derive(Clone, PartialEq)]
pub struct QueryRequest {
    pub batch: BatchId,
    /// Exactly one statement; the server's own 42601 answers several.
    pub statement: String,
    /// Each answers for itself; a name that does not exist answers `not_connected`.
    pub nodes: Vec<NodeName>,
    /// Counts from the start of the batch, waiting for a connection included; then the server is told to cancel.
    pub timeout: Duration,
    /// Rows kept a node; what is more is cut and said.
    pub max_rows: usize,
    /// Bytes of text kept a node.
    pub max_bytes: usize,
}

impl QueryRequest {
    /// Bytes kept a node (C6).
    pub const MAX_BYTES: usize = 64 << 20;
    /// Rows kept a node in the dashboard (C6).
    pub const MAX_ROWS: usize = 100_000;
}

impl fmt::Debug for QueryRequest {
    /// Without the statement, which may hold values that no log should see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryRequest").field("batch", &self.batch).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// What the manager can be told. None of it blocks: the answer comes as events.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Refused (as [`EventKind::Refused`]) if the name exists.
    AddNode(Box<NodeConfig>),
    /// Replaces the node of that name: its sessions are drained and it connects anew. Refused if there is none.
    EditNode(Box<NodeConfig>),
    /// Drains the node's queries up to a limit, then cancels them; no session stays.
    RemoveNode(NodeName),
    /// Closes our sessions on the node until resumed.
    Pause(NodeName),
    Resume(NodeName),
    /// Tries a lost node at once; probes a living one at once.
    Retry(NodeName),
    /// How often [`EventKind::Facts`] are asked for, on every node.
    SetRefresh(Duration),
    /// The nodes of the file, read anew (F9): new ones are added, missing ones removed, changed ones reconnect, and
    /// the others are not touched.
    Reload(Vec<NodeConfig>),
    /// Opens one connection to a node that is not (yet) watched, for the form; answers [`EventKind::Tested`].
    Test {
        id: u64,
        node: Box<NodeConfig>,
    },
    Run(QueryRequest),
    /// What somebody looks at from now on: it is asked, answered as [`EventKind::View`], and nothing else is. A view that
    /// was looked at already keeps its pace.
    Look(Vec<Look>),
    /// Asks all that is looked at at once.
    LookNow,
    /// Cancels what is still running of the batch, on the servers too.
    CancelBatch(BatchId),
    /// Begins to leave: waits for queries in flight while `drain`, else cancels them. A second one with
    /// `drain: false` cancels what the first waits for. Ends with [`EventKind::Stopped`].
    Shutdown {
        drain: bool,
    },
}

/// A view that somebody looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub view: Arc<View>,
    /// On these nodes; `None`: on all.
    pub nodes: Option<Vec<NodeName>>,
    /// At least so long between two questions to a node, and the first one only when the node is up for a while: for what no
    /// screen shows. `None`: at the view's own pace and the refresh.
    pub pace: Option<Duration>,
}

impl Look {
    /// Whether a node is asked.
    pub fn is_at(&self, node: &NodeName) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(node))
    }
}

/// Something that happened, in the order in which the manager saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts up by one.
    pub seq: u64,
    pub at: SystemTime,
    pub kind: EventKind,
}

/// Large payloads are shared, so an event is cheap to clone for every listener.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The probe's connection to the node is open and has answered.
    Connected {
        node: NodeName,
        role: Role,
        server_version: String,
        connect_time: Duration,
        attempt: u32,
    },
    Disconnected {
        node: NodeName,
        reason: DisconnectReason,
    },
    /// The state changed from `from` to `health.state`.
    Health {
        node: NodeName,
        from: HealthState,
        health: Box<Health>,
    },
    /// A probe was answered or missed; the state is the same. Coalesced: a slow listener sees the newest.
    Checked {
        node: NodeName,
        health: Box<Health>,
    },
    NodeAdded {
        node: Box<NodeConfig>,
    },
    NodeEdited {
        node: Box<NodeConfig>,
    },
    NodeRemoved {
        node: NodeName,
        sessions_closed: u32,
        cancelled: u32,
    },
    /// At most once a second a node, at least every 10 s. Coalesced.
    Pool {
        node: NodeName,
        pool: PoolStats,
        probes: ProbeStats,
    },
    /// The figures of one refresh, or why they could not be had (the node itself may well be healthy). Coalesced.
    Facts {
        node: NodeName,
        facts: Result<Arc<Facts>, NodeError>,
    },
    /// Version, settings: once a connection, and after the server read its configuration anew. Coalesced.
    Server {
        node: NodeName,
        server: Arc<ServerFacts>,
    },
    /// What a node answered to a view that is looked at, or why it did not. Coalesced.
    View {
        node: NodeName,
        /// Its name.
        view: Arc<str>,
        outcome: Result<Arc<ViewRows>, NodeError>,
    },
    /// Another cluster answers at the node's address: its system identifier is no longer `was`.
    Replaced {
        node: NodeName,
        was: u64,
        now: u64,
    },
    Query {
        batch: BatchId,
        progress: QueryProgress,
    },
    /// A command could not be carried out; nothing changed.
    Refused {
        node: Option<NodeName>,
        error: CommandError,
    },
    /// The answer to [`Command::Test`]: version and role, or why not.
    Tested {
        id: u64,
        outcome: Result<Tested, NodeError>,
    },
    /// Leaving: so many queries of the user are still waited for, and this is when waiting ends.
    Draining {
        queries: u32,
        until: SystemTime,
    },
    /// Everything is closed: the last event.
    Stopped(ShutdownReport),
}

/// One node's answer to a view: a row has a cell for each of [`View::asked`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewRows {
    pub rows: RowSet,
    /// From the question to the last row.
    pub elapsed: Duration,
    /// There were more rows than are kept.
    pub truncated: bool,
    /// Why this server cannot have rows of the view: its role or its version lacks the facts. That is no error.
    pub not_applicable: Option<String>,
}

/// What a connection test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    pub server_version: String,
    pub role: Role,
    pub connect_time: Duration,
}

/// Why our sessions on a node ended.
#[derive(Debug, Clone, PartialEq)]
pub enum DisconnectReason {
    Error(NodeError),
    Removed,
    Edited,
    Paused,
    Shutdown,
}

/// How a batch goes on. Each node's outcome comes as soon as it is there.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryProgress {
    Started {
        nodes: Vec<NodeName>,
    },
    /// Rows read so far on a node that takes long. Coalesced.
    Reading {
        node: NodeName,
        rows: usize,
    },
    NodeDone {
        node: NodeName,
        outcome: Arc<NodeOutcome>,
    },
    /// The user cancelled; every node still running answers `cancelled`.
    Cancelled,
    Done {
        elapsed: Duration,
    },
}

/// One node's answer to a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeOutcome {
    /// From the start of the batch to this node's last row, waiting for a connection included.
    pub elapsed: Duration,
    pub result: Result<NodeRows, NodeError>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeRows {
    pub rows: RowSet,
    /// The rows kept, or the rows affected where the statement gives none.
    pub row_count: u64,
    /// Why rows are missing (`cut at 100,000 rows`), where they are.
    pub truncated: Option<String>,
    pub notices: Vec<ServerNotice>,
}

/// A NOTICE or WARNING of the server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ServerNotice {
    pub severity: String,
    pub sqlstate: String,
    pub message: String,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("a node named {0} exists already: choose another name, or edit that one")]
    Exists(NodeName),
    #[error("there is no node named {0}")]
    NoSuchNode(NodeName),
    #[error("batch {0} is already running")]
    BatchExists(BatchId),
    #[error("too many queries are running: wait for one to end, or cancel it")]
    TooManyQueries,
    #[error("pgwatch is shutting down")]
    ShuttingDown,
    /// The manager's command channel is full or gone.
    #[error("the connection manager is busy: try again")]
    Busy,
}

/// What closing took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShutdownReport {
    pub elapsed: Duration,
    pub sessions_closed: u32,
    pub queries_cancelled: u32,
    /// Tasks that did not end in time (a server that does not answer) and were dropped.
    pub stragglers: u32,
}

/// Why the dashboard was left. The event log's line `stopped` has it as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    Key,
    Sigint,
    Sigterm,
    Sighup,
    Error,
}

impl LeaveReason {
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

/// One node as it stands, for who asks once instead of listening (`pgwatch status`).
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSnapshot {
    pub config: NodeConfig,
    pub health: Health,
    pub role: Option<Role>,
    pub server_version: Option<String>,
    /// How long the probe's connection took to open.
    pub connect_time: Option<Duration>,
    pub pool: PoolStats,
    pub probes: ProbeStats,
}
