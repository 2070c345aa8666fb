//! The decisions of a person that change what is known: a statement that was sent, an alert that was acknowledged, a node
//! that is being removed.

use super::Fleet;
use super::alerts::AlertId;
use super::batch::Batch;
use super::nodes::Unsaved;
use crate::model::{BatchId, NodeName};

/// The decisions of a person.
impl Fleet {
    /// A statement was sent: it replaces the last one.
    pub fn begin(&mut self, batch: Batch) {
        self.batch = Some(batch);
    }

    /// Marks the running statement as cancelled: nodes that still run it will answer with the error `cancelled`.
    /// Returns its number; `None` if no statement runs.
    pub fn cancel(&mut self) -> Option<BatchId> {
        let batch = self.batch.as_mut().filter(|batch| batch.is_running())?;
        batch.cancelled = true;
        Some(batch.id)
    }

    /// The statement could not be sent, for this reason.
    pub fn refuse(&mut self, id: BatchId, why: String) {
        if let Some(batch) = self.batch.as_mut().filter(|batch| batch.id == id) {
            batch.refused = Some(why);
        }
    }

    /// Marks an alert as acknowledged, or takes that back.
    pub fn acknowledge(&mut self, alert: &AlertId) {
        self.alerts.acknowledge(alert);
    }

    /// Marks a node as being removed, or takes that back.
    pub fn set_removing(&mut self, node: &NodeName, removing: bool) {
        self.of(node, |node| node.removing = removing);
    }

    /// Records how a node differs from the file.
    pub fn set_unsaved(&mut self, node: &NodeName, unsaved: Unsaved) {
        self.of(node, |node| node.unsaved = Some(unsaved));
    }

    /// The file was read again: all nodes are as it says.
    pub fn saved(&mut self) {
        self.now.nodes.saved();
    }
}
