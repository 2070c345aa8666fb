//! Finds the functions for which a view fails, so that something can stand in for them (`views/stand_ins.rs`).

use tokio::time::Instant;

use super::{Failure, ViewSession};
use crate::connection::error;
use crate::model::{NodeConfig, NodeError, Role, View};

impl ViewSession {
    /// After an error of a view: true if there are functions in it that do not work, and that something stands in for.
    pub(super) async fn finds(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Role,
        why: &NodeError,
    ) -> Result<bool, Failure> {
        if view.extension.is_some() {
            return Ok(false);
        }
        let sql = self.statement(node, view, role, View::sql).await?;
        let mut found = false;
        for (probe, text) in self.stand_ins.probes(&sql, why, role) {
            match self.first(node, &text).await {
                Ok(_) => {}
                Err(Failure::Said(error)) => {
                    let error = Box::pin(self.with_remedy(view, error::of_ours(error))).await;
                    self.stand_ins.failed(probe, &error, Instant::now());
                    found = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(found)
    }
}
