//! Statements on many nodes: the editor, the batch that runs or ran last, and its answers as they come.

use super::panes::answers::Results;
use super::typing::editor::Editor;
use crate::fleet::Batch;
use crate::model::BatchId;
use crate::model::protocol::QueryProgress;

/// The state of screen 9, and of the result pane of screen 1.
#[derive(Debug, Clone)]
pub struct Query {
    /// Where the statement is written.
    pub editor: Editor,
    /// The answers to the last statement, as one table.
    pub results: Results,
    /// Statements and commands from the history file and from this run, oldest first.
    pub history: Vec<String>,
    /// The position in the history while the editor shows one of its lines: 1 is the newest, 0 is none.
    pub(super) back: usize,
}

impl Query {
    /// The number of history lines kept.
    pub const KEPT: usize = 1_000;

    /// An empty editor, with this history.
    pub fn new(history: Vec<String>) -> Self {
        Self { editor: Editor::default(), results: Results::default(), history, back: 0 }
    }

    /// Shows a new batch in place of the last one.
    pub(super) fn begin(&mut self, batch: Option<&Batch>) {
        self.results = Results::default();
        self.results.rebuild(batch);
    }

    /// Shows the progress of a batch, which already contains it. Progress of a batch that is no longer shown is
    /// ignored.
    pub(super) fn follow(&mut self, batch: Option<&Batch>, id: BatchId, progress: &QueryProgress) {
        let Some(batch) = batch.filter(|batch| batch.id == id) else { return };
        match progress {
            QueryProgress::NodeDone { .. } => self.results.rebuild(Some(batch)),
            _ => self.results.update_notes(batch),
        }
    }

    /// Adds a line to the history, unless it equals the last one.
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
