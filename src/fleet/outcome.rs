//! What came of the questions for views that rules are about. The answers themselves are read once and dropped; this is
//! what is kept of them. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::view::{Reading, Source};
use crate::model::{NodeError, RowSet, Rule, Thresholds, View};

/// How many reasons are named.
const REASONS: usize = 3;

/// What came of the last question for each view that a rule is about.
pub(super) type Outcomes = HashMap<String, Outcome>;

/// What came of a question for a view.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Answered(Gaps),
    /// The node has nothing of it, so that nothing can be wrong with it.
    HasNone,
    Cut,
    Failed(NodeError),
}

/// What is missing from an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Gaps {
    /// How many rows the role may not read, and what would help.
    pub(super) unread: Option<String>,
    /// Why values are missing, and the rules that need them.
    pub(super) missing: Option<(String, Vec<String>)>,
}

impl Outcome {
    pub(super) fn of(
        rules: &[Arc<Rule>],
        view: &View,
        answer: Result<&Reading, &NodeError>,
        thresholds: &Thresholds,
    ) -> Self {
        let reading = match answer {
            Err(error) => return Self::Failed(error.clone()),
            Ok(reading) if reading.answer.not_applicable.is_some() => return Self::HasNone,
            Ok(reading) if reading.answer.truncated => return Self::Cut,
            Ok(reading) => reading,
        };
        let missing = reading.answer.missing.as_ref().map(|why| {
            let open = rules.iter().filter(|rule| rule.view.name == view.name && rule.is_open(reading, thresholds));
            (why.clone(), open.map(|rule| rule.name.clone()).collect())
        });
        Self::Answered(Gaps { unread: unread(view, &reading.answer.rows), missing })
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
