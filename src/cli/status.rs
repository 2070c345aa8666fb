//! `pgwatch status`: every node asked once, all at the same time, what the rules of alerts find on them, and what monitoring
//! plugins exit with.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::alerts::Watch;
use super::args::{Source, StatusFormat, exit};
use super::json::{PoolGauge, millis, time};
use super::signals::Signals;
use super::table::{Align, Table};
use super::{Stop, block_on, complain, list, load, no_nodes, print_with, watched};
use crate::config::alerts::Rules;
use crate::config::{Config, Environment};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::model::protocol::NodeSnapshot;
use crate::model::{Alert, AlertSeverity, Command, ErrorKind, Event, HealthState, NodeError, Role};
use crate::text::{self, UNKNOWN, safe};

/// A node that hangs is told so by its own connection attempt; this much later nobody waits for it any more.
const GRACE: Duration = Duration::from_millis(500);
/// How long a node that answers is given to open the rest of its pool, and to be probed once more where the first
/// latency was lost to our own lateness.
const POOL_PATIENCE: Duration = Duration::from_secs(1);
/// How much longer nodes that answer are given to answer the rules' views.
const VIEW_PATIENCE: Duration = Duration::from_secs(2);
/// Everything is asked once.
const ONCE: Duration = Duration::from_mins(1);
/// Nothing runs on the servers that would have to be waited for.
const CLOSING: Duration = Duration::from_secs(1);
/// The pool's figures change without an event.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) fn run(source: &Source, format: StatusFormat) -> Result<u8, Stop> {
    let config = load(source)?;
    if config.nodes.is_empty() {
        return Err(no_nodes(&config));
    }
    let (_, rules, problems) = watched(&Environment::of_process());
    complain(&list(&problems));
    let (nodes, alerts) = match block_on(ask(&config, rules))?? {
        Ok(seen) => seen,
        Err(signalled) => return Ok(signalled),
    };
    let report = Report::new(SystemTime::now(), config.cluster.as_deref(), &nodes, &alerts);
    print_with(|out| match format {
        StatusFormat::Json => report.write_json(out),
        StatusFormat::Table => report.write_table(out, colours()),
    })?;
    Ok(report.exit_code())
}

/// What is known of nodes, and what the rules found on them.
pub(super) type Seen = (Vec<NodeSnapshot>, Vec<Alert>);

/// Connects to all nodes and waits until each has answered or failed, the pools of those that answer are open, and they have
/// answered the rules' views. `Err` inside is the exit code of a signal.
pub(super) async fn ask(config: &Config, rules: Rules) -> io::Result<Result<Seen, u8>> {
    let mut signals = Signals::listen()?;
    let longest = config.nodes.iter().map(|node| node.pool.connect_timeout).max().unwrap_or_default();
    let deadline = Instant::now() + longest + GRACE;
    let (handle, events) = ConnectionManager::start(ManagerConfig {
        shutdown_timeout: CLOSING,
        refresh: ONCE,
        ..ManagerConfig::new(config.nodes.clone())
    });
    let mut asking = Asking { handle: handle.clone(), events, watch: Watch::new(config, rules) };
    let looks = asking.watch.looks();
    if !looks.is_empty() {
        handle.send(Command::Look(looks)).await.map_err(io::Error::other)?;
    }
    let answered = async {
        let nodes = timeout_at(deadline, asking.until(|nodes, _| all_settled(nodes))).await;
        let nodes = match nodes {
            Ok(nodes) => nodes,
            Err(_late) => handle.snapshot().await,
        };
        drop(timeout(VIEW_PATIENCE, asking.until(|nodes, watch| watch.has_heard(nodes))).await);
        let alerts = asking.watch.alerts(&nodes);
        (nodes, alerts)
    };
    let seen = tokio::select! {
        seen = answered => Ok(seen),
        code = signals.next() => Err(code),
    };
    handle.shutdown(false).await;
    Ok(seen)
}

fn all_settled(nodes: &[NodeSnapshot]) -> bool {
    nodes.iter().all(|node| is_settled(node, SystemTime::now()))
}

/// A manager whose events are heard until enough is known.
struct Asking {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    watch: Watch,
}

impl Asking {
    /// The nodes as soon as they and what they answered are `enough`. Cancel-safe: what came is kept.
    async fn until(&mut self, enough: impl Fn(&[NodeSnapshot], &Watch) -> bool) -> Vec<NodeSnapshot> {
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.watch.apply(&event);
            }
            let nodes = self.handle.snapshot().await;
            if enough(&nodes, &self.watch) {
                return nodes;
            }
            // Whatever happened: the snapshot says it better than the event. A manager that ended says nothing more.
            let closed = self.events.is_closed();
            tokio::select! {
                Some(event) = self.events.recv(), if !closed => self.watch.apply(&event),
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

/// Whether there is no more to be learnt of a node: it failed, or it answers, its latency is known and its pool is open
/// (or they will not be).
fn is_settled(node: &NodeSnapshot, now: SystemTime) -> bool {
    match node.health.state {
        HealthState::Connecting => false,
        HealthState::Healthy | HealthState::Degraded => {
            // `open` counts sessions that are still being opened.
            let is_open = node.pool.active + node.pool.idle >= node.config.pool.min.min(node.config.pool.max);
            let is_known = node.role.is_some() && node.health.latency.is_some();
            let waited = now.duration_since(node.health.since).unwrap_or_default();
            (is_open && is_known) || waited >= POOL_PATIENCE
        }
        HealthState::Unhealthy | HealthState::Reconnecting | HealthState::Disconnected => true,
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    at: String,
    cluster: Option<&'a str>,
    summary: Summary,
    nodes: Vec<NodeStatus<'a>>,
    alerts: Vec<AlertStatus<'a>>,
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

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Summary {
    healthy: usize,
    degraded: usize,
    down: usize,
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
    error: Option<NodeError>,
    #[serde(skip)]
    snapshot: &'a NodeSnapshot,
}

impl<'a> NodeStatus<'a> {
    fn new(node: &'a NodeSnapshot) -> Self {
        let health = &node.health;
        let answers = health.state.answers();
        // Whoever asks once has no use for the retries that go on meanwhile: the node could not be reached.
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
            error,
            snapshot: node,
        }
    }
}

fn no_answer(node: &NodeSnapshot) -> NodeError {
    let limit = text::duration(node.config.pool.connect_timeout);
    NodeError::new(ErrorKind::Timeout, format!("no answer from {} within {limit}", node.config.address()))
}

impl<'a> Report<'a> {
    pub(super) fn new(
        at: SystemTime,
        cluster: Option<&'a str>,
        nodes: &'a [NodeSnapshot],
        alerts: &'a [Alert],
    ) -> Self {
        let nodes: Vec<_> = nodes.iter().map(NodeStatus::new).collect();
        let mut summary = Summary::default();
        for node in &nodes {
            *match node.state {
                HealthState::Healthy => &mut summary.healthy,
                HealthState::Degraded => &mut summary.degraded,
                _ => &mut summary.down,
            } += 1;
        }
        let alerts = alerts.iter().map(AlertStatus::new).collect();
        Self { at: time(at), cluster, summary, nodes, alerts }
    }

    pub(super) fn exit_code(&self) -> u8 {
        let of_nodes = match self.summary {
            Summary { down: 1.., .. } => 2,
            Summary { degraded: 1.., .. } => 1,
            Summary { .. } => exit::OK,
        };
        let of_alerts = self.alerts.iter().map(|alert| match alert.severity {
            AlertSeverity::Warning => 1,
            AlertSeverity::Critical => 2,
        });
        of_alerts.fold(of_nodes, u8::max)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    pub(super) fn write_table(&self, out: &mut dyn Write, colours: bool) -> io::Result<()> {
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
        if !self.alerts.is_empty() {
            writeln!(out)?;
        }
        self.alerts.iter().try_for_each(|alert| alert.write(out, colours))
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

    /// The state in its colour, and under the line why the node is not well and what to do.
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

fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
