//! What came of the questions for views that rules are about. The answers themselves are read once and dropped; this is
//! what is kept of them. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::protocol::ViewRows;
use crate::model::view::Source;
use crate::model::{NodeError, RowSet, View};

/// How many reasons are named.
const REASONS: usize = 3;

/// What came of the last question for each view that a rule is about.
pub(super) type Outcomes = HashMap<String, Outcome>;

/// What came of a question for a view.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// With rows that the role may not read, and why; `None`: with all of them.
    Answered(Option<String>),
    /// The node has nothing of it, so that nothing can be wrong with it.
    HasNone,
    Cut,
    Failed(NodeError),
}

impl Outcome {
    pub(super) fn of(view: &View, answer: &Result<Arc<ViewRows>, NodeError>) -> Self {
        match answer {
            Err(error) => Self::Failed(error.clone()),
            Ok(rows) if rows.not_applicable.is_some() => Self::HasNone,
            Ok(rows) if rows.truncated => Self::Cut,
            Ok(rows) => Self::Answered(unread(view, &rows.rows)),
        }
    }
}

/// How many rows are not read, and the first few reasons.
fn unread(view: &View, rows: &RowSet) -> Option<String> {
    let Source::Sql { at, .. } = view.columns.get(view.unread?)?.source else { return None };
    let mut reasons = BTreeMap::new();
    for reason in (0..rows.len()).filter_map(|row| rows.cell(row, at)) {
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let count: usize = reasons.values().sum();
    let said: Vec<&str> = reasons.keys().copied().take(REASONS).collect();
    let (what, more) = (view.title.to_lowercase(), if reasons.len() > REASONS { " …" } else { "" });
    (count > 0).then(|| format!("not read: {count} of {} {what}: {}{more}", rows.len(), said.join("; ")))
}
