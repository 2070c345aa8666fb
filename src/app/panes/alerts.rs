//! The alerts as a list, below them what could not be judged, and what the filter of the list sees.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::app::rows::filter::{Column, Fields};
use crate::app::rows::table::Key;
use crate::fleet::Fleet;
use crate::fleet::alerts::{AlertId, Held};
use crate::model::view::Unit;
use crate::model::{Condition, NodeName, NotJudged, Rule, figures};

/// The columns of an alert that a filter may name.
const COLUMNS: [Column<'static>; 5] = [
    Column::text("node"),
    Column::number("since", Some(Unit::Seconds)),
    Column::text("rule"),
    Column::text("what"),
    Column::text("severity"),
];
const SINCE: usize = 1;

/// What a row of the list is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertKey {
    /// An alert.
    Alert(AlertId),
    /// A rule that could not be applied.
    Unjudged {
        /// The name of the rule.
        rule: String,
        /// Why not.
        reason: String,
    },
}

/// A rule that could not be applied to these nodes for the same reason.
#[derive(Debug, Clone)]
pub struct Unjudged {
    /// The rule.
    pub rule: Arc<Rule>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeName>,
    /// Why not, and what would help. It may hold text of a server: make it safe before it reaches a terminal.
    pub reason: String,
}

impl Unjudged {
    /// The names of the nodes.
    pub fn names(&self) -> String {
        self.nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
    }

    pub(in crate::app) fn key(&self) -> AlertKey {
        AlertKey::Unjudged { rule: self.rule.name.clone(), reason: self.reason.clone() }
    }
}

/// The rules that could not be applied to nodes that answer, and what is still to come of them.
#[derive(Debug, Clone, Default)]
pub struct Silence {
    /// Each rule with each reason, in the order of the nodes.
    pub unjudged: Vec<Unjudged>,
    /// How many rules these are, on how many nodes.
    pub extent: [usize; 2],
    /// How many rules are still to be applied to how many nodes.
    pub pending: [usize; 2],
}

impl Silence {
    pub(in crate::app) fn of(fleet: &Fleet) -> Self {
        let all = fleet.now().nodes.iter().flat_map(|node| &node.not_judged);
        let (pending, known): (Vec<_>, Vec<_>) = all.partition(|one| one.pending);
        let mut reasons: IndexMap<(&str, &str), Vec<NodeName>> = IndexMap::new();
        for NotJudged { rule, node, reason, .. } in &known {
            reasons.entry((rule, reason)).or_default().push(node.clone());
        }
        let found = reasons.into_iter().filter_map(|((rule, reason), nodes)| {
            let rule = Arc::clone(fleet.alerts().rule(rule)?);
            Some(Unjudged { rule, nodes, reason: reason.to_owned() })
        });
        Self { unjudged: found.collect(), extent: extent(&known), pending: extent(&pending) }
    }
}

/// How many rules these are, on how many nodes.
fn extent(all: &[&NotJudged]) -> [usize; 2] {
    [different(all.iter().map(|one| &one.rule)), different(all.iter().map(|one| &one.node))]
}

fn different<T: std::hash::Hash + Eq>(all: impl Iterator<Item = T>) -> usize {
    all.collect::<std::collections::HashSet<_>>().len()
}

impl Key for AlertKey {
    fn filtered() -> Vec<Column<'static>> {
        COLUMNS.to_vec()
    }

    const WRAPS: bool = true;
}

impl Fields for Unjudged {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..COLUMNS.len() - 1
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        match column {
            0 => Cow::Owned(self.names()),
            SINCE => Cow::Borrowed(""),
            2 => Cow::Borrowed(&self.rule.title),
            3 => Cow::Owned(format!("not judged: {}", self.reason)),
            _ => Cow::Borrowed("not judged"),
        }
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        column != SINCE && condition.holds(Some(&self.text(column)))
    }
}

/// An alert at a given time, as a filter sees it.
pub(in crate::app) struct Seen<'a> {
    pub(in crate::app) held: &'a Held,
    pub(in crate::app) now: SystemTime,
}

impl Seen<'_> {
    fn age(&self) -> Duration {
        self.now.duration_since(self.held.alert.since).unwrap_or_default()
    }
}

impl Fields for Seen<'_> {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..COLUMNS.len() - 1
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        let alert = &self.held.alert;
        match column {
            0 => Cow::Borrowed(alert.node.as_str()),
            SINCE => Cow::Owned(figures::age(self.age())),
            2 => Cow::Borrowed(&alert.rule.title),
            3 => Cow::Borrowed(&alert.finding.message),
            _ => Cow::Borrowed(alert.finding.severity.as_str()),
        }
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        if column == SINCE {
            return condition.holds_number(Some(self.age().as_secs_f64()));
        }
        condition.holds(Some(&self.text(column)))
    }
}
