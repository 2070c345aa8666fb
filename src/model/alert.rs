//! Rules of alerts: a condition on a column of a view, how long it must hold, and the message. They are data
//! (`config/alerts/*.yaml`), read by `config::alerts`; docs/alerts.md explains their parts. Pure: findings depend on
//! the answer alone.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::node::Thresholds;
use super::view::{Copies, Reading, Value, cell};
use super::{Condition, NodeName, View};

pub mod facts;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    /// Somebody should look at it.
    Warning,
    /// Somebody should act on it.
    Critical,
}

impl AlertSeverity {
    /// `warning` or `critical`, as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A rule, as its file defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The file's name without `.yaml`.
    pub name: String,
    /// What it is called on the screen.
    pub title: String,
    /// The view that is asked, or [`facts::view`], whose figures are there anyway.
    pub view: Arc<View>,
    /// What it looks at.
    pub check: Check,
    /// Conditions on other columns that must hold too.
    pub filter: Vec<(usize, Condition)>,
    /// Which nodes say the same, because they hold copies of what it looks at: only one of them says it. `None`: each
    /// node speaks for itself.
    pub once: Option<Copies>,
    /// How long it must hold before it is an alert.
    pub lasting: Duration,
    /// Minimum interval between two queries of the view on a node, as long as only this rule needs them.
    pub every: Duration,
    /// The message of a finding.
    pub says: Sentence,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// The value of one column.
    Column {
        /// Which column of the view.
        column: usize,
        /// When its value is too much.
        limits: Limits,
    },
    /// The topology, which needs the answers of all nodes together.
    Shape,
}

/// The limits of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Limits {
    /// Conditions of the rule itself.
    Own {
        /// Values that are a warning.
        warning: Option<Condition>,
        /// Values that are critical.
        critical: Option<Condition>,
    },
    /// A limit of the configuration file; values from the limit on count.
    OfFile(Threshold),
}

/// A limit that the configuration file sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// Lag of a standby: a time.
    ReplicationLag,
    /// WAL that a slot retains: bytes.
    SlotRetention,
    /// Conflicts: a rate.
    ConflictRate,
}

impl Threshold {
    /// All limits, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::ReplicationLag, Self::SlotRetention, Self::ConflictRate];

    /// As the configuration file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplicationLag => "replication_lag",
            Self::SlotRetention => "slot_retention",
            Self::ConflictRate => "conflict_rate",
        }
    }

    /// The warning and the critical limit in the unit of the column: milliseconds, bytes, or events a second.
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

/// A message with places for values of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence(pub Vec<Part>);

/// A piece of a [`Sentence`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is written.
    Text(String),
    /// The value of this column of the view.
    Column(usize),
}

/// A finding of a rule that holds on a node now.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The rule that holds.
    pub rule: Arc<Rule>,
    /// The node that it holds on.
    pub node: NodeName,
    /// The row that met the rule last, with its message.
    pub finding: Finding,
    /// When it began to hold.
    pub since: SystemTime,
}

/// A row that meets a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is, by the limits that the row meets.
    pub severity: AlertSeverity,
    /// Identifies the row among those of its node.
    pub key: String,
    /// The message. It may hold text of a server: make it safe before it reaches a terminal.
    pub message: String,
}

impl Rule {
    /// True if it looks at how the nodes of a cluster hang together.
    pub fn is_about_shape(&self) -> bool {
        match self.check {
            Check::Shape => true,
            Check::Column { column, .. } => {
                !self.asks() && self.view.columns.get(column).is_some_and(|column| column.name == facts::SPLIT_BRAIN)
            }
        }
    }

    /// True if its view must be asked. The facts are there anyway.
    pub fn asks(&self) -> bool {
        self.view.name != facts::NAME
    }

    /// True if it looks at a rate, or at what follows from one, which needs two answers.
    pub fn needs_rates(&self) -> bool {
        self.counters().next().is_some()
    }

    /// The columns that it looks at.
    fn columns(&self) -> impl Iterator<Item = usize> {
        let checked = match self.check {
            Check::Column { column, .. } => Some(column),
            Check::Shape => None,
        };
        checked.into_iter().chain(self.filter.iter().map(|(column, _)| *column))
    }

    /// The columns of the rates that it looks at.
    pub fn counters(&self) -> impl Iterator<Item = usize> {
        self.columns().filter_map(|column| self.view.columns.get(column)?.source.counter())
    }

    /// The rows of a node's answer that meet the rule; none for a rule on the topology.
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

    /// True if an answer that lacks something leaves it open whether a row meets the rule: a value that it looks at is
    /// unknown and no other one decides, or the row itself may be missing. The shape of the cluster is made of whatever is
    /// known.
    pub fn is_open(&self, reading: &Reading, thresholds: &Thresholds) -> bool {
        if reading.answer.missing.is_none() {
            return false;
        }
        let Check::Column { column, limits } = &self.check else { return reading.answer.incomplete };
        let value = |row: usize, at: usize| reading.value(&self.view, row, at);
        // A rate is not known from the first answer on. Its counter is.
        let asked = |at: usize| self.view.columns.get(at).and_then(|of| of.source.counter()).unwrap_or(at);
        let is_open = |row: usize| {
            let checked = value(row, *column);
            let may = |(at, condition): &(usize, Condition)| {
                let value = value(row, *at);
                value == Value::Unknown || value.meets(condition)
            };
            self.columns().any(|at| value(row, asked(at)) == Value::Unknown)
                && (checked == Value::Unknown || limits.severity(checked, thresholds).is_some())
                && self.filter.iter().all(may)
        };
        reading.answer.incomplete || (0..reading.len()).any(is_open)
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
                        said.push_str(&cell(column, reading.value(view, row, *at), reading.clock(reading.at)));
                    }
                }
            }
        }
        said
    }
}
