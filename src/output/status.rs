//! The state of all nodes and the alerts on them, as JSON and as a table.

use std::io::{self, Write};
use std::time::SystemTime;

use indexmap::IndexMap;
use serde::Serialize;

use super::json::{PoolGauge, millis, time};
use super::table::{Align, Table};
use crate::model::protocol::NodeSnapshot;
use crate::model::{
    Alert, AlertSeverity, ErrorKind, Grade, HealthState, LagSummary, NodeError, NotJudged, Role, Verdict,
};
use crate::text::{self, UNKNOWN, safe};

/// What was learned from asking once.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeSnapshot>,
    /// How far each of them is behind, if it is a standby that answers.
    pub lags: Vec<Option<LagSummary>>,
    /// What the rules find on them.
    pub alerts: Vec<Alert>,
    /// What the rules could not judge.
    pub not_judged: Vec<NotJudged>,
    /// What is the matter with all of them.
    pub verdict: Verdict,
}

/// The state of a cluster at one moment.
#[derive(Debug, Serialize)]
pub struct StatusDocument<'a> {
    at: String,
    cluster: Option<&'a str>,
    verdict: &'a Verdict,
    pub summary: Summary,
    nodes: Vec<NodeStatus<'a>>,
    alerts: Vec<AlertStatus<'a>>,
    pub not_judged: &'a [NotJudged],
}

#[derive(Debug, Serialize)]
struct AlertStatus<'a> {
    rule: &'a str,
    node: &'a str,
    severity: AlertSeverity,
    since: String,
    message: &'a str,
    remedy: Option<&'a str>,
}

impl<'a> AlertStatus<'a> {
    fn new(alert: &'a Alert) -> Self {
        Self {
            rule: &alert.rule.name,
            node: alert.node.as_str(),
            severity: alert.finding.severity,
            since: time(alert.since),
            message: &alert.finding.message,
            remedy: alert.rule.remedy.as_deref(),
        }
    }

    fn write(&self, out: &mut dyn Write, colours: bool) -> io::Result<()> {
        let (colour, sign) = match self.severity {
            AlertSeverity::Warning => (33, '◐'),
            AlertSeverity::Critical => (31, '✖'),
        };
        let severity = format!("{sign} {}", self.severity.as_str());
        let severity = if colours { format!("\x1b[{colour}m{severity}\x1b[0m") } else { severity };
        writeln!(out, "{severity}  {}: {}", safe(self.node), safe(self.message))?;
        match self.remedy {
            Some(remedy) => writeln!(out, "    {}", safe(remedy)),
            None => Ok(()),
        }
    }
}

/// The number of nodes in each state.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub healthy: usize,
    pub degraded: usize,
    pub down: usize,
}

#[derive(Debug, Serialize)]
struct NodeStatus<'a> {
    name: &'a str,
    host: &'a str,
    port: u16,
    database: &'a str,
    state: HealthState,
    since: String,
    role: Option<Role>,
    server_version: Option<&'a str>,
    latency_ms: Option<f64>,
    connect_ms: Option<f64>,
    pool: PoolGauge,
    lag: Option<&'a LagSummary>,
    error: Option<NodeError>,
    #[serde(skip)]
    snapshot: &'a NodeSnapshot,
}

impl<'a> NodeStatus<'a> {
    fn new(node: &'a NodeSnapshot, lag: Option<&'a LagSummary>) -> Self {
        let health = &node.health;
        let answers = health.state.answers();
        // The status is one moment: a node that is being retried could not be reached, so it is down.
        let (state, since) = match health.state {
            HealthState::Connecting | HealthState::Reconnecting => {
                (HealthState::Unhealthy, health.down_since.unwrap_or(health.since))
            }
            state => (state, health.since),
        };
        let error = match health.state {
            HealthState::Healthy => None,
            HealthState::Connecting => Some(health.error.clone().unwrap_or_else(|| no_answer(node))),
            _ => health.error.clone(),
        };
        Self {
            name: node.config.name.as_str(),
            host: &node.config.host,
            port: node.config.port,
            database: &node.config.database,
            state,
            since: time(since),
            role: node.role,
            server_version: node.server_version.as_deref(),
            latency_ms: health.latency.filter(|_| answers).map(millis),
            connect_ms: node.connect_time.filter(|_| answers).map(millis),
            pool: node.pool.into(),
            lag: lag.filter(|_| answers),
            error,
            snapshot: node,
        }
    }
}

fn no_answer(node: &NodeSnapshot) -> NodeError {
    let limit = text::duration(node.config.pool.connect_timeout);
    NodeError::new(ErrorKind::Timeout, format!("no answer from {} within {limit}", node.config.address()))
}

impl<'a> StatusDocument<'a> {
    pub fn new(at: SystemTime, cluster: Option<&'a str>, asked: &'a Asked) -> Self {
        let Asked { nodes, lags, alerts, not_judged, verdict } = asked;
        let lag = |at: usize| lags.get(at).and_then(Option::as_ref);
        let nodes: Vec<_> = nodes.iter().enumerate().map(|(at, node)| NodeStatus::new(node, lag(at))).collect();
        let mut summary = Summary::default();
        for node in &nodes {
            *match node.state {
                HealthState::Healthy => &mut summary.healthy,
                HealthState::Degraded => &mut summary.degraded,
                _ => &mut summary.down,
            } += 1;
        }
        let alerts = alerts.iter().map(AlertStatus::new).collect();
        Self { at: time(at), cluster, verdict, summary, nodes, alerts, not_judged }
    }

    /// The severity of the worst alert.
    pub fn worst_alert(&self) -> Option<AlertSeverity> {
        self.alerts.iter().map(|alert| alert.severity).max()
    }

    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    pub fn write_table(&self, out: &mut dyn Write, colours: bool) -> io::Result<()> {
        let cells: Vec<[String; 8]> = self.nodes.iter().map(NodeStatus::cells).collect();
        let left = Align::Left;
        let right = Align::Right;
        let mut table = Table::new([
            ("NODE", left),
            ("ROLE", left),
            ("STATE", left),
            ("LATENCY", right),
            ("CONNECT", right),
            ("POOL", right),
            ("VERSION", left),
            ("ADDRESS", left),
        ]);
        for row in &cells {
            table.push(row.iter().map(String::as_str));
        }
        table.write(out, |row, line| match self.nodes.get(row) {
            Some(node) => node.dress(line, colours),
            None => line,
        })?;
        let Summary { healthy, degraded, down } = self.summary;
        writeln!(out, "\n{healthy} healthy, {degraded} degraded, {down} down")?;
        self.write_verdict(out, colours)?;
        if !self.alerts.is_empty() {
            writeln!(out)?;
        }
        self.alerts.iter().try_for_each(|alert| alert.write(out, colours))?;
        self.write_not_judged(out)
    }

    fn write_verdict(&self, out: &mut dyn Write, colours: bool) -> io::Result<()> {
        let said = safe(&self.verdict.message);
        match (self.verdict.severity, colours) {
            (Grade::Warning, true) => writeln!(out, "\x1b[33m{said}\x1b[0m"),
            (Grade::Critical, true) => writeln!(out, "\x1b[31m{said}\x1b[0m"),
            _ => writeln!(out, "{said}"),
        }
    }

    /// What could not be judged: the same reason on the same node is written once, with all of its rules.
    fn write_not_judged(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut reasons: IndexMap<(&str, &str), Vec<&str>> = IndexMap::new();
        for NotJudged { rule, node, reason, .. } in self.not_judged {
            reasons.entry((node.as_str(), reason)).or_default().push(rule);
        }
        if !reasons.is_empty() {
            writeln!(out)?;
        }
        for ((node, reason), rules) in reasons {
            writeln!(out, "? not judged  {}: {}", safe(node), rules.join(", "))?;
            writeln!(out, "    {}", safe(reason))?;
        }
        Ok(())
    }
}

impl NodeStatus<'_> {
    fn cells(&self) -> [String; 8] {
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        let node = self.snapshot;
        let answers = self.state.answers();
        [
            self.name.to_owned(),
            or_unknown(self.role.map(|role| role.as_str().to_owned())),
            format!("{} {}", sign(self.state), self.state.as_str()),
            or_unknown(node.health.latency.filter(|_| answers).map(text::duration)),
            or_unknown(node.connect_time.filter(|_| answers).map(text::duration)),
            format!("{}/{}", node.pool.open, node.pool.max),
            or_unknown(self.server_version.map(str::to_owned)),
            format!("{}/{}", node.config.address(), self.database),
        ]
    }

    /// Colours the state, and adds below the line why the node is not healthy and what to do.
    fn dress(&self, mut line: String, colours: bool) -> String {
        if colours {
            let colour = match self.state {
                HealthState::Healthy => 32,
                HealthState::Degraded => 33,
                _ => 31,
            };
            let state = format!("{} {}", sign(self.state), self.state.as_str());
            line = line.replacen(&state, &format!("\x1b[{colour}m{state}\x1b[0m"), 1);
        }
        if let Some(error) = &self.error {
            line.push_str("\n    ");
            line.push_str(&safe(&error.message));
            if let Some(hint) = &error.hint {
                line.push_str("\n    ");
                line.push_str(&safe(hint));
            }
        }
        line
    }
}

fn sign(state: HealthState) -> char {
    match state {
        HealthState::Healthy => '●',
        HealthState::Degraded => '◐',
        _ => '✖',
    }
}
