//! Rules of alerts: a condition on a column of a view, for how long, and the sentence that tells it. They are data
//! (`config/alerts/*.yaml`), read by `config::alerts`; docs/alerts.md tells what their parts mean. Pure: what is found in an
//! answer is a matter of the answer alone.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::node::Thresholds;
use super::view::{Reading, Value, cell};
use super::{Condition, NodeName, View};

pub mod facts;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    Warning,
    Critical,
}

impl AlertSeverity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// When to alarm, as a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The file's name without `.yaml`.
    pub name: String,
    pub title: String,
    /// What is asked: a view, or [`facts::view`], which costs nothing.
    pub view: Arc<View>,
    pub check: Check,
    /// Conditions on other columns that must hold too.
    pub filter: Vec<(usize, Condition)>,
    /// It must hold for so long.
    pub lasting: Duration,
    /// At least so long between two questions that only this rule needs.
    pub every: Duration,
    pub says: Sentence,
    pub remedy: Option<String>,
}

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    Column {
        column: usize,
        limits: Limits,
    },
    /// The shape of the cluster, which all answers tell together.
    Shape,
}

/// From where on a value is too much.
#[derive(Debug, Clone, PartialEq)]
pub enum Limits {
    Own { warning: Option<Condition>, critical: Option<Condition> },
    OfFile(Threshold),
}

/// A limit of the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// On a time.
    ReplicationLag,
    /// On bytes.
    SlotRetention,
    /// On a rate.
    ConflictRate,
}

impl Threshold {
    pub const ALL: [Self; 3] = [Self::ReplicationLag, Self::SlotRetention, Self::ConflictRate];

    /// As the configuration file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplicationLag => "replication_lag",
            Self::SlotRetention => "slot_retention",
            Self::ConflictRate => "conflict_rate",
        }
    }

    /// Where it warns and where it alarms, in units of the column: a time in milliseconds, bytes, so many a second.
    fn limits(self, thresholds: &Thresholds) -> [f64; 2] {
        match self {
            Self::ReplicationLag => {
                let limit = thresholds.replication_lag;
                [limit.warning, limit.critical].map(|time| time.as_secs_f64() * 1e3)
            }
            Self::SlotRetention => {
                let limit = thresholds.slot_retention;
                [limit.warning as f64, limit.critical as f64]
            }
            Self::ConflictRate => {
                let limit = thresholds.conflict_rate;
                [limit.warning / 60.0, limit.critical / 60.0]
            }
        }
    }
}

/// A sentence with the values of a row in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence(pub Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Column(usize),
}

/// Something that a rule is about, on a node, now.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub rule: Arc<Rule>,
    pub node: NodeName,
    pub finding: Finding,
    pub since: SystemTime,
}

/// A row that meets a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: AlertSeverity,
    /// What tells the row from the others of its node.
    pub key: String,
    /// The sentence. It may hold text of a server: make it safe before it reaches a terminal.
    pub message: String,
}

impl Rule {
    /// Whether it is asked for: the facts come anyway.
    pub fn asks(&self) -> bool {
        self.view.name != facts::NAME
    }

    /// Whether two answers are needed to tell.
    pub fn needs_rates(&self) -> bool {
        let is_rate = |column: usize| {
            let column = self.view.columns.get(column);
            column.is_some_and(|column| matches!(column.source, super::view::Source::Rate { .. }))
        };
        let checked = matches!(self.check, Check::Column { column, .. } if is_rate(column));
        checked || self.filter.iter().any(|(column, _)| is_rate(*column))
    }

    /// The rows of a node's answer that meet it; none for a rule about the shape of the cluster.
    pub fn findings(&self, reading: &Reading, thresholds: &Thresholds) -> Vec<Finding> {
        let Check::Column { column, limits } = &self.check else { return Vec::new() };
        let found = |row: usize| {
            let holds = |(at, condition): &(usize, Condition)| reading.value(&self.view, row, *at).meets(condition);
            let severity = limits.severity(reading.value(&self.view, row, *column), thresholds)?;
            self.filter.iter().all(holds).then(|| Finding {
                severity,
                key: reading.key(&self.view, row),
                message: self.says.of(&self.view, reading, row),
            })
        };
        (0..reading.len()).filter_map(found).collect()
    }
}

impl Limits {
    fn severity(&self, value: Value<'_>, thresholds: &Thresholds) -> Option<AlertSeverity> {
        let [warning, critical] = match self {
            Self::Own { warning, critical } => {
                [warning, critical].map(|limit| limit.as_ref().is_some_and(|limit| value.meets(limit)))
            }
            Self::OfFile(threshold) => {
                let number = value.number();
                threshold.limits(thresholds).map(|limit| number.is_some_and(|number| number >= limit))
            }
        };
        match (warning, critical) {
            (_, true) => Some(AlertSeverity::Critical),
            (true, false) => Some(AlertSeverity::Warning),
            (false, false) => None,
        }
    }
}

impl Sentence {
    fn of(&self, view: &View, reading: &Reading, row: usize) -> String {
        let mut said = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => said.push_str(text),
                Part::Column(at) => {
                    if let Some(column) = view.columns.get(*at) {
                        said.push_str(&cell(column, reading.value(view, row, *at), reading.at));
                    }
                }
            }
        }
        said
    }
}
