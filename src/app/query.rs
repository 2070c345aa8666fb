//! Statements on many nodes: the editor, the batch that runs or ran last, and its answers as they come (C6, D3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::model::protocol::{NodeOutcome, NodeRows, QueryProgress};
use crate::model::{BatchId, NodeError, NodeName};

use super::panes::answers::Results;
use super::typing::editor::Editor;

/// The state of screen 9 and of the result pane of screen 1.
#[derive(Debug, Clone)]
pub struct Query {
    pub editor: Editor,
    /// The statement that runs or ran last.
    pub batch: Option<Batch>,
    /// Its answers as one table.
    pub results: Results,
    /// Lines of the history file and of this run, oldest first: statements and commands.
    pub history: Vec<String>,
    /// How far back in the history the editor is, 1 being the newest.
    pub(super) back: usize,
}

/// One statement on many nodes.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: BatchId,
    pub statement: String,
    pub started: SystemTime,
    /// In the order of the nodes on the screen.
    pub nodes: Vec<NodeAnswer>,
    /// From start to the last answer, once it is over.
    pub elapsed: Option<Duration>,
    /// `Esc` was pressed; nodes still running will answer `cancelled`.
    pub cancelled: bool,
    /// It could not even begin.
    pub refused: Option<String>,
}

#[derive(Debug, Clone)]
pub struct NodeAnswer {
    pub node: NodeName,
    pub answer: Answer,
}

/// How far one node is.
#[derive(Debug, Clone)]
pub enum Answer {
    Waiting,
    /// Rows read so far.
    Reading(usize),
    Done(Arc<NodeOutcome>),
}

impl Answer {
    pub fn rows(&self) -> Option<&NodeRows> {
        match self {
            Self::Done(outcome) => outcome.result.as_ref().ok(),
            Self::Waiting | Self::Reading(_) => None,
        }
    }

    pub fn error(&self) -> Option<&NodeError> {
        match self {
            Self::Done(outcome) => outcome.result.as_ref().err(),
            Self::Waiting | Self::Reading(_) => None,
        }
    }

    /// Its one value, where the answer is one row of one column: `Some(None)` is NULL.
    pub fn single(&self) -> Option<Option<&str>> {
        let rows = &self.rows()?.rows;
        (rows.len() == 1 && rows.columns().len() == 1).then(|| rows.cell(0, 0))
    }
}

impl Batch {
    pub fn is_running(&self) -> bool {
        self.elapsed.is_none() && self.refused.is_none()
    }

    /// Nodes that answered with rows.
    pub fn answered(&self) -> usize {
        self.nodes.iter().filter(|node| node.answer.rows().is_some()).count()
    }

    /// Nodes that answered with an error.
    pub fn failed(&self) -> usize {
        self.nodes.iter().filter(|node| node.answer.error().is_some()).count()
    }

    /// Nodes that differ from what most answered, where every answer is a single value and one value has the
    /// majority: by their place in `nodes`.
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

    /// How long it has run, or ran.
    pub fn runtime(&self, now: SystemTime) -> Duration {
        self.elapsed.unwrap_or_else(|| now.duration_since(self.started).unwrap_or_default())
    }

    fn apply(&mut self, progress: &QueryProgress) {
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

impl Query {
    /// Lines of the history kept.
    pub const KEPT: usize = 1_000;

    pub fn new(history: Vec<String>) -> Self {
        Self { editor: Editor::default(), batch: None, results: Results::default(), history, back: 0 }
    }

    pub fn is_running(&self) -> bool {
        self.batch.as_ref().is_some_and(Batch::is_running)
    }

    /// A new batch takes the place of the last one.
    pub(super) fn begin(&mut self, batch: Batch) {
        self.results = Results::default();
        self.batch = Some(batch);
        self.results.rebuild(self.batch.as_ref());
    }

    /// News of a batch; of an older one than the shown it is nothing.
    pub(super) fn apply(&mut self, id: BatchId, progress: &QueryProgress) {
        let Some(batch) = self.batch.as_mut().filter(|batch| batch.id == id) else { return };
        batch.apply(progress);
        match progress {
            QueryProgress::NodeDone { .. } => self.results.rebuild(Some(batch)),
            _ => self.results.update_notes(batch),
        }
    }

    /// Remembers a line for `up`; the same line twice running is kept once.
    pub(super) fn remember(&mut self, line: &str) -> bool {
        self.back = 0;
        if line.trim().is_empty() || self.history.last().is_some_and(|last| last == line) {
            return false;
        }
        if self.history.len() >= Self::KEPT {
            self.history.remove(0);
        }
        self.history.push(line.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_does_not_grow_for_ever() {
        let mut query = Query::new(Vec::new());
        for n in 0..3 * Query::KEPT {
            assert!(query.remember(&format!("select {n}")));
        }
        assert_eq!(query.history.len(), Query::KEPT);
        assert_eq!(query.history.last().map(String::as_str), Some("select 2999"));
    }
}
