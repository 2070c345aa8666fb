//! One statement on many nodes, and what each of them has answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::model::protocol::{NodeOutcome, NodeRows, QueryProgress};
use crate::model::{BatchId, NodeError, NodeName};

/// One statement on many nodes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The number of the batch, as the manager reports it.
    pub id: BatchId,
    /// The statement, as it was typed.
    pub statement: String,
    /// When it was sent.
    pub started: SystemTime,
    /// The answers, in the order in which the nodes were chosen.
    pub nodes: Vec<NodeAnswer>,
    /// The time from the start to the last answer; `None` while the batch runs.
    pub elapsed: Option<Duration>,
    /// True if a person cancelled it: nodes that still run it will answer with the error `cancelled`.
    pub cancelled: bool,
    /// Why the batch could not begin; `None` if it began.
    pub refused: Option<String>,
}

/// What one node has answered.
#[derive(Debug, Clone)]
pub struct NodeAnswer {
    /// The name of the node.
    pub node: NodeName,
    /// How far it is.
    pub answer: Answer,
}

/// How far one node is.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It has sent nothing yet.
    Waiting,
    /// It is sending rows: the number read so far.
    Reading(usize),
    /// It has answered, with rows or with an error.
    Done(Arc<NodeOutcome>),
}

impl Answer {
    /// The rows, if the node answered with rows.
    pub fn rows(&self) -> Option<&NodeRows> {
        match self {
            Self::Done(outcome) => outcome.result.as_ref().ok(),
            Self::Waiting | Self::Reading(_) => None,
        }
    }

    /// The error, if the node answered with one.
    pub fn error(&self) -> Option<&NodeError> {
        match self {
            Self::Done(outcome) => outcome.result.as_ref().err(),
            Self::Waiting | Self::Reading(_) => None,
        }
    }

    /// The one value of an answer of one row and one column: `Some(None)` is NULL. `None` for any other answer.
    pub fn single(&self) -> Option<Option<&str>> {
        let rows = &self.rows()?.rows;
        (rows.len() == 1 && rows.columns().len() == 1).then(|| rows.cell(0, 0))
    }
}

impl Batch {
    /// A statement that was just sent to these nodes.
    pub fn new(id: BatchId, statement: String, started: SystemTime, nodes: impl IntoIterator<Item = NodeName>) -> Self {
        let nodes = nodes.into_iter().map(|node| NodeAnswer { node, answer: Answer::Waiting }).collect();
        Self { id, statement, started, nodes, elapsed: None, cancelled: false, refused: None }
    }

    /// True while the batch runs: it could begin, and a node has not answered yet.
    pub fn is_running(&self) -> bool {
        self.elapsed.is_none() && self.refused.is_none()
    }

    /// The number of nodes that answered with rows.
    pub fn answered(&self) -> usize {
        self.nodes.iter().filter(|node| node.answer.rows().is_some()).count()
    }

    /// The number of nodes that answered with an error.
    pub fn failed(&self) -> usize {
        self.nodes.iter().filter(|node| node.answer.error().is_some()).count()
    }

    /// The nodes whose value differs from the majority's, by their index in `nodes`. Errors do not count. Empty
    /// unless every answer is a single value and more than half of them agree.
    pub fn differing(&self) -> Vec<usize> {
        let mut values: Vec<(usize, Option<&str>)> = Vec::new();
        let mut votes: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            match (node.answer.rows(), node.answer.single()) {
                (Some(_), Some(value)) => {
                    values.push((at, value));
                    *votes.entry(value).or_default() += 1;
                }
                (Some(_), None) => return Vec::new(),
                (None, _) => {}
            }
        }
        match votes.into_iter().max_by_key(|(_, votes)| *votes) {
            Some((most, votes)) if votes * 2 > values.len() => {
                values.into_iter().filter(|(_, value)| *value != most).map(|(at, _)| at).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How long the batch has run so far, or ran in all.
    pub fn runtime(&self, now: SystemTime) -> Duration {
        self.elapsed.unwrap_or_else(|| now.duration_since(self.started).unwrap_or_default())
    }

    pub(super) fn apply(&mut self, progress: &QueryProgress) {
        let answer_of = |nodes: &mut Vec<NodeAnswer>, name: &NodeName, answer: Answer| {
            if let Some(node) = nodes.iter_mut().find(|node| node.node == *name) {
                node.answer = answer;
            }
        };
        match progress {
            QueryProgress::Started { .. } => {}
            QueryProgress::Reading { node, rows } => answer_of(&mut self.nodes, node, Answer::Reading(*rows)),
            QueryProgress::NodeDone { node, outcome } => {
                answer_of(&mut self.nodes, node, Answer::Done(Arc::clone(outcome)));
            }
            QueryProgress::Cancelled => self.cancelled = true,
            QueryProgress::Done { elapsed } => self.elapsed = Some(*elapsed),
        }
    }
}
