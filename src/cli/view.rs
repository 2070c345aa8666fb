//! `pgwatch view`: asks all nodes for one view at the same time, twice if it has rates.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::args::{QueryFormat, ViewArgs, exit};
use super::console::{Exit, block_on, complain, list, load, print, print_with};
use super::query::chosen;
use crate::app::views::ViewTable;
use crate::clock;
use crate::config::{Config, Environment, nearest, views};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::fleet::Fleet;
use crate::model::protocol::Look;
use crate::model::view::{CellKind, Reading};
use crate::model::{Command, ErrorKind, Event, EventKind, HealthState, NodeError, NodeName, View};
use crate::output::view::{ViewAnswer, ViewDocument};
use crate::run::signals::Signals;
use crate::text::safe;

/// How long after its timeouts to wait for a node: its own attempt reports a node that hangs.
const GRACE: Duration = Duration::from_secs(1);
const CLOSING: Duration = Duration::from_secs(2);
/// How much longer to wait at most until a second refresh tells how far each standby is behind.
const PLACED: Duration = Duration::from_secs(2);

pub(super) fn run(args: &ViewArgs) -> Result<u8, Exit> {
    let (views, problems) = views::load(&Environment::of_process());
    complain(&list(&problems));
    if args.list {
        print(listed(&views).as_bytes())?;
        return Ok(if problems.is_empty() { exit::OK } else { exit::USAGE });
    }
    let mut view = named(&views, args.name.as_deref().unwrap_or_default())?;
    if args.diff && view.compare.is_none() {
        return Err(Exit::Wrong(format!(
            "--diff: the view {} does not compare nodes; settings and drift do",
            view.name
        )));
    }
    let mut config = load(&args.source)?;
    if !config.show_statements {
        view = Arc::new(View::clone(&view).without_statements());
    }
    let names: Vec<&str> = args.nodes.iter().map(|name| name.trim()).collect();
    config.nodes = chosen(&config, &names)?;
    let (answers, signalled) = block_on(ask(&config, &view, args.interval))??;
    let document = answers.document(args.diff);
    match args.format {
        QueryFormat::Json => print_with(|out| document.write_json(out))?,
        QueryFormat::Csv => print_with(|out| document.write_csv(out))?,
        QueryFormat::Table => {
            let rows = answers.in_order();
            if rows.is_empty() {
                answers.complain_of_no_rows();
            }
            print_with(|out| document.write_table(&rows, out))?;
        }
    }
    if args.format != QueryFormat::Json {
        answers.complain();
    }
    Ok(signalled.unwrap_or(if answers.all_ok() { exit::OK } else { exit::FAILED }))
}

fn listed(views: &views::Views) -> String {
    let mut names: Vec<&View> = views.values().map(AsRef::as_ref).collect();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    let width = names.iter().map(|view| view.name.len()).max().unwrap_or_default();
    names.iter().fold(String::new(), |mut text, view| {
        let _ = writeln!(text, "{:width$}  {}", view.name, safe(&view.about));
        text
    })
}

fn named(views: &views::Views, name: &str) -> Result<Arc<View>, Exit> {
    views.get(name).cloned().ok_or_else(|| {
        let meant = nearest(name, views.keys().map(String::as_str)).map(|near| format!(", did you mean {near}?"));
        let meant = meant.unwrap_or_else(|| ": pgwatch view --list shows all views".to_owned());
        Exit::Wrong(format!("there is no view {name:?}{meant}"))
    })
}

/// Asks every node, twice if the view has rates or compares positions. The second value is the exit code of a signal.
async fn ask(config: &Config, view: &Arc<View>, interval: Duration) -> io::Result<(Answers, Option<u8>)> {
    let mut signals = Signals::listen()?;
    let mut answers = Answers::new(config, view, interval);
    let (handle, mut events) = ConnectionManager::start(ManagerConfig {
        shutdown_timeout: CLOSING.min(config.shutdown_timeout),
        ..ManagerConfig::new(config.nodes.clone())
    });
    let longest = config.nodes.iter().map(|node| node.pool.connect_timeout).max().unwrap_or_default();
    let deadline = Instant::now() + longest + view.patience() + GRACE;
    let look = Command::Look(vec![Look { view: Arc::clone(view), nodes: None, pace: None }]);
    if let Err(error) = handle.send(look).await {
        return Err(io::Error::other(error));
    }
    let code = tokio::select! {
        () = answers.take_all(&handle, &mut events, deadline, interval) => None,
        signal = signals.next() => Some(exit::signalled(signal)),
    };
    handle.shutdown(false).await;
    Ok((answers, code))
}

/// What each node said, in the order of the file.
struct Answers {
    view: Arc<View>,
    fleet: Fleet,
    /// Answers of nodes whose clock is not known yet: it comes with their figures.
    early: Vec<Event>,
    at: SystemTime,
    nodes: Vec<(NodeName, Result<Arc<Reading>, NodeError>)>,
    /// How long it took nodes to fail.
    failed: HashMap<NodeName, Duration>,
    began: Instant,
}

impl Answers {
    fn new(config: &Config, view: &Arc<View>, interval: Duration) -> Self {
        let silent = |name: &NodeName| NodeError::new(ErrorKind::Timeout, format!("no answer from {name} in time"));
        let nodes = config.nodes.iter().map(|node| (node.name.clone(), Err(silent(&node.name))));
        let at = clock::now();
        let mut fleet = Fleet::new(config.nodes.clone(), config.refresh, config.thresholds.clone(), at);
        fleet.take_rules(IndexMap::from([(view.name.clone(), Arc::clone(view))]), Vec::new());
        fleet.rate_span = interval;
        fleet.follow(view);
        Self {
            view: Arc::clone(view),
            fleet,
            early: Vec::new(),
            at,
            nodes: nodes.collect(),
            failed: HashMap::new(),
            began: Instant::now(),
        }
    }

    async fn take_all(
        &mut self,
        handle: &Handle,
        events: &mut mpsc::Receiver<Event>,
        deadline: Instant,
        interval: Duration,
    ) {
        let _ = timeout_at(deadline, self.take(events)).await;
        let needs_two = self.view.has_rates() || self.view.has_positions();
        if needs_two && self.nodes.iter().any(|(_, answer)| answer.is_ok()) {
            self.wait(events, interval).await;
            if handle.send(Command::LookNow).await.is_ok() {
                let _ = timeout_at(Instant::now() + self.view.patience() + GRACE, self.take(events)).await;
            }
        }
        for event in std::mem::take(&mut self.early) {
            self.apply(&event);
        }
        self.at = clock::now();
    }

    /// Waits for the interval, and a little longer until it is known where each standby stands. Answers that the manager
    /// asked for by itself meanwhile are dropped: they are not the second ones.
    async fn wait(&mut self, events: &mut mpsc::Receiver<Event>, interval: Duration) {
        let due = Instant::now() + interval;
        let doubtful =
            |fleet: &Fleet| self.view.has_positions() && fleet.now().nodes.iter().any(|node| node.lag.doubtful);
        loop {
            let until = if doubtful(&self.fleet) { due + PLACED } else { due };
            match timeout_at(until, events.recv()).await {
                Ok(Some(event)) if !matches!(event.kind, EventKind::View { .. }) => self.fleet.apply(&event),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Reads events until each node that may still answer has answered. Cancel-safe: the answers so far are kept.
    async fn take(&mut self, events: &mut mpsc::Receiver<Event>) {
        let lost =
            |answer: &Result<Arc<Reading>, NodeError>| answer.as_ref().is_err_and(|e| e.kind != ErrorKind::Timeout);
        let mut waiting: Vec<NodeName> =
            self.nodes.iter().filter(|(_, answer)| !lost(answer)).map(|(node, _)| node.clone()).collect();
        while !waiting.is_empty() {
            let Some(event) = events.recv().await else { return };
            if self.is_early(&event) {
                self.early.push(event);
                continue;
            }
            let of_figures = matches!(event.kind, EventKind::Facts { .. });
            let answered = self.apply(&event);
            waiting.retain(|node| answered.as_ref() != Some(node));
            if of_figures {
                let (early, due) = std::mem::take(&mut self.early).into_iter().partition(|event| self.is_early(event));
                self.early = early;
                for event in due {
                    let answered = self.apply(&event);
                    waiting.retain(|node| answered.as_ref() != Some(node));
                }
            }
        }
    }

    /// True for an answer with times of a server whose clock is not known yet.
    fn is_early(&self, event: &Event) -> bool {
        let EventKind::View { node, .. } = &event.kind else { return false };
        let known = self.fleet.now().nodes.get(node);
        self.view.columns.iter().any(|column| column.kind == CellKind::Time && !column.hidden)
            && known.is_some_and(|node| node.facts.is_none() && node.facts_error.is_none())
    }

    /// Takes in an event. Returns the node that it answers for.
    fn apply(&mut self, event: &Event) -> Option<NodeName> {
        self.fleet.apply(event);
        let (node, answer) = match &event.kind {
            EventKind::View { node, .. } => (node, self.answer_of(node)?),
            EventKind::Health { node, health, .. } if health.state == HealthState::Unhealthy => {
                (node, Err(health.error.clone()?))
            }
            _ => return None,
        };
        if answer.is_err() {
            self.failed.insert(node.clone(), self.began.elapsed());
        }
        if let Some((_, known)) = self.nodes.iter_mut().find(|(name, _)| name == node) {
            *known = answer;
        }
        Some(node.clone())
    }

    /// What a node answered last.
    fn answer_of(&self, node: &NodeName) -> Option<Result<Arc<Reading>, NodeError>> {
        let of = self.fleet.now().readings.of(&self.view.name)?.node(node)?;
        match of.error() {
            Some(error) => Some(Err(error.clone())),
            None => of.newest().cloned().map(Ok),
        }
    }

    /// The answers to write: all rows, or only those that are `differing` between the nodes that answered.
    fn document(&self, differing: bool) -> ViewDocument<'_> {
        let only: Option<HashSet<(NodeName, usize)>> = differing.then(|| self.in_order().into_iter().collect());
        let nodes = self.nodes.iter().map(|(node, answer)| {
            let shown = |row: &usize| only.as_ref().is_none_or(|only| only.contains(&(node.clone(), *row)));
            ViewAnswer {
                node,
                answer: answer.as_deref(),
                rows: (0..answer.as_ref().map_or(0, |reading| reading.len())).filter(shown).collect(),
                failed_after: self.failed.get(node).copied(),
            }
        });
        ViewDocument { view: &self.view, at: self.at, nodes: nodes.collect() }
    }

    /// The rows that the dashboard would show first, in its order. If the view compares nodes, these are the rows that
    /// are not the same on every node.
    fn in_order(&self) -> Vec<(NodeName, usize)> {
        let readings = self.answered().map(|(node, reading)| (node.clone(), Arc::clone(reading)));
        let table = ViewTable::of(Arc::clone(&self.view), readings);
        table.rows().map(|(node, row)| (node.clone(), row)).collect()
    }

    fn answered(&self) -> impl Iterator<Item = (&NodeName, &Arc<Reading>)> {
        self.nodes.iter().filter_map(|(node, answer)| Some((node, answer.as_ref().ok()?)))
    }

    fn all_ok(&self) -> bool {
        self.nodes.iter().all(|(_, answer)| answer.is_ok())
    }

    /// Prints errors, why a view does not apply to a node, and cut answers to standard error.
    fn complain(&self) {
        for (node, answer) in &self.nodes {
            match answer {
                Ok(reading) => {
                    if let Some(why) = &reading.answer.not_applicable {
                        complain(&format!("{node}: {}", safe(why)));
                    }
                    if let Some(why) = &reading.answer.missing {
                        complain(&format!("{node}: {}", safe(why)));
                    }
                    if reading.answer.truncated {
                        complain(&format!("{node}: cut at {} rows", reading.len()));
                    }
                }
                Err(error) => {
                    complain(&format!("{node}: {}", safe(&error.message)));
                    if let Some(hint) = &error.hint {
                        complain(&format!("  {}", safe(hint)));
                    }
                }
            }
        }
    }

    /// Says why the table is empty, unless only what is reported elsewhere says it: nodes that failed, and nodes to which
    /// the view does not apply.
    fn complain_of_no_rows(&self) {
        let without: Vec<&str> = self
            .answered()
            .filter(|(_, reading)| reading.answer.not_applicable.is_none())
            .map(|(node, _)| node.as_str())
            .collect();
        if without.is_empty() {
            return;
        }
        if self.all_ok() {
            complain(self.view.empty.as_deref().unwrap_or("no rows"));
        } else {
            complain(&format!("no rows from {}", without.join(", ")));
        }
    }
}
