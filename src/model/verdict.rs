//! What is the matter with the whole fleet, in one sentence, and what could not be judged.

use serde::Serialize;

use super::NodeName;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing is wrong that is known.
    #[default]
    Ok,
    /// Somebody should look at it.
    Warning,
    /// Somebody should act on it.
    Critical,
}

/// The state of the fleet in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// The severity of the worst that is wrong.
    pub severity: Grade,
    /// What is wrong, the worst first; what there is, if nothing is. It may hold text of a server: make it safe before it
    /// reaches a terminal.
    pub message: String,
}

/// How far a standby is behind, as programs read it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LagSummary {
    /// How old its data is, in milliseconds; `None` where that is unknown.
    pub time_ms: Option<f64>,
    /// True if it may be older.
    pub at_least: bool,
    /// Bytes of WAL that it has not replayed.
    pub bytes: Option<u64>,
    /// Why it is behind or how it receives WAL, in words; `None` while it streams and replays.
    pub why: Option<String>,
}

/// A rule that could not be applied to a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotJudged {
    /// The name of the rule.
    pub rule: String,
    /// The node.
    pub node: NodeName,
    /// Why not, and what would help. It may hold text of a server: make it safe before it reaches a terminal.
    pub reason: String,
    /// True if the answer is still to come: whoever watches waits for it.
    #[serde(skip)]
    pub pending: bool,
}
