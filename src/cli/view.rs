//! `pgwatch view`: one view of all nodes, asked at the same time; twice where it has rates.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::args::{QueryFormat, ViewArgs, exit};
use super::json::{millis, time};
use super::query::chosen;
use super::rows::{JsonValue, record};
use super::signals::Signals;
use super::table::{Align, Table};
use super::{Stop, block_on, complain, list, load, print, print_with};
use crate::app::views::Sheet;
use crate::config::{Config, Environment, nearest, views};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::model::protocol::Look;
use crate::model::view::{CellKind, Reading, Value, cell};
use crate::model::{Command, ErrorKind, Event, EventKind, HealthState, NodeError, NodeName, View};
use crate::text::safe;

/// A node that hangs is told so by its own connection attempt; this much later nobody waits for it any more.
const GRACE: Duration = Duration::from_secs(1);
const CLOSING: Duration = Duration::from_secs(2);

pub(super) fn run(args: &ViewArgs) -> Result<u8, Stop> {
    let (views, problems) = views::load(&Environment::of_process());
    complain(&list(&problems));
    if args.list {
        print(listed(&views).as_bytes())?;
        return Ok(if problems.is_empty() { exit::OK } else { exit::USAGE });
    }
    let view = named(&views, args.name.as_deref().unwrap_or_default())?;
    if args.diff && view.compare.is_none() {
        return Err(Stop::Wrong(format!(
            "--diff: the view {} does not compare nodes; settings and drift do",
            view.name
        )));
    }
    let mut config = load(&args.source)?;
    let names: Vec<&str> = args.nodes.iter().map(|name| name.trim()).collect();
    config.nodes = chosen(&config, &names)?;
    let (mut answers, signalled) = block_on(ask(&config, &view, args.interval))??;
    if args.diff {
        answers.keep_differences();
    }
    print_with(|out| match args.format {
        QueryFormat::Json => {
            serde_json::to_writer(&mut *out, &answers)?;
            writeln!(out)
        }
        QueryFormat::Csv => answers.write_csv(out),
        QueryFormat::Table => answers.write_table(out),
    })?;
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

fn named(views: &views::Views, name: &str) -> Result<Arc<View>, Stop> {
    views.get(name).cloned().ok_or_else(|| {
        let meant = nearest(name, views.keys().map(String::as_str)).map(|near| format!(", did you mean {near}?"));
        let meant = meant.unwrap_or_else(|| ": pgwatch view --list shows all views".to_owned());
        Stop::Wrong(format!("there is no view {name:?}{meant}"))
    })
}

/// Asks every node, twice where the view has rates. The second value is the exit code of a signal.
async fn ask(config: &Config, view: &Arc<View>, interval: Duration) -> io::Result<(Answers, Option<u8>)> {
    let mut signals = Signals::listen()?;
    let mut answers = Answers::new(config, view);
    let (handle, mut events) = ConnectionManager::start(ManagerConfig {
        shutdown_timeout: CLOSING.min(config.shutdown_timeout),
        ..ManagerConfig::new(config.nodes.clone())
    });
    let longest = config.nodes.iter().map(|node| node.pool.connect_timeout).max().unwrap_or_default();
    let deadline = Instant::now() + longest + view.timeout + GRACE;
    let look = Command::Look(vec![Look { view: Arc::clone(view), nodes: None, pace: None }]);
    if let Err(error) = handle.send(look).await {
        return Err(io::Error::other(error));
    }
    let code = tokio::select! {
        () = answers.take_all(&handle, &mut events, deadline, interval) => None,
        code = signals.next() => Some(code),
    };
    handle.shutdown(false).await;
    Ok((answers, code))
}

/// What each node said, in the order of the file.
struct Answers {
    view: Arc<View>,
    at: SystemTime,
    nodes: Vec<(NodeName, Result<Arc<Reading>, NodeError>)>,
    /// How long it took nodes to fail.
    failed: HashMap<NodeName, Duration>,
    began: Instant,
    /// The rows to show; all of them without.
    only: Option<HashSet<(NodeName, usize)>>,
}

impl Answers {
    fn new(config: &Config, view: &Arc<View>) -> Self {
        let silent = |name: &NodeName| NodeError::new(ErrorKind::Timeout, format!("no answer from {name} in time"));
        let nodes = config.nodes.iter().map(|node| (node.name.clone(), Err(silent(&node.name))));
        Self {
            view: Arc::clone(view),
            at: SystemTime::now(),
            nodes: nodes.collect(),
            failed: HashMap::new(),
            began: Instant::now(),
            only: None,
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
        if self.view.has_rates() && self.nodes.iter().any(|(_, answer)| answer.is_ok()) {
            sleep_until(Instant::now() + interval).await;
            // What was asked again of its own accord meanwhile is no second answer.
            while events.try_recv().is_ok() {}
            if handle.send(Command::LookNow).await.is_ok() {
                let _ = timeout_at(Instant::now() + self.view.timeout + GRACE, self.take(events)).await;
            }
        }
        self.at = SystemTime::now();
    }

    /// Until each node that may answer has. Cancel-safe: what has come is kept.
    async fn take(&mut self, events: &mut mpsc::Receiver<Event>) {
        let lost =
            |answer: &Result<Arc<Reading>, NodeError>| answer.as_ref().is_err_and(|e| e.kind != ErrorKind::Timeout);
        let mut waiting: Vec<NodeName> =
            self.nodes.iter().filter(|(_, answer)| !lost(answer)).map(|(node, _)| node.clone()).collect();
        while !waiting.is_empty() {
            let Some(event) = events.recv().await else { return };
            let (node, outcome) = match event.kind {
                EventKind::View { node, outcome, .. } => (node, outcome),
                EventKind::Health { node, health, .. } if health.state == HealthState::Unhealthy => {
                    let Some(error) = health.error else { continue };
                    (node, Err(error))
                }
                _ => continue,
            };
            waiting.retain(|waiting| *waiting != node);
            if outcome.is_err() {
                self.failed.insert(node.clone(), self.began.elapsed());
            }
            let Some((_, answer)) = self.nodes.iter_mut().find(|(name, _)| *name == node) else { continue };
            let earlier = answer.as_ref().ok().map(AsRef::as_ref);
            let reading = outcome.map(|rows| Arc::new(Reading::new(&self.view, event.at, rows, earlier)));
            *answer = reading;
        }
    }

    /// Keeps the rows that are not the same on every node that answered.
    fn keep_differences(&mut self) {
        let sheet = self.sheet();
        let kept: HashSet<(NodeName, usize)> = sheet.rows().map(|(node, row)| (node.clone(), row)).collect();
        self.only = Some(kept);
    }

    /// As the dashboard shows it at first.
    fn sheet(&self) -> Sheet {
        Sheet::of(Arc::clone(&self.view), self.answered().map(|(node, reading)| (node.clone(), Arc::clone(reading))))
    }

    fn answered(&self) -> impl Iterator<Item = (&NodeName, &Arc<Reading>)> {
        self.nodes.iter().filter_map(|(node, answer)| Some((node, answer.as_ref().ok()?)))
    }

    fn rows(&self, node: &NodeName, reading: &Reading) -> Vec<usize> {
        let shown = |row: &usize| self.only.as_ref().is_none_or(|only| only.contains(&(node.clone(), *row)));
        (0..reading.len()).filter(shown).collect()
    }

    fn all_ok(&self) -> bool {
        self.nodes.iter().all(|(_, answer)| answer.is_ok())
    }

    /// Errors, what nodes cannot have, and rows that were cut, on standard error.
    fn complain(&self) {
        for (node, answer) in &self.nodes {
            match answer {
                Ok(reading) => {
                    if let Some(why) = &reading.answer.not_applicable {
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

    /// Why the table is empty, where that is not said of each node: what failed or cannot be is no answer.
    fn complain_of_no_rows(&self) {
        let without: Vec<&str> = self
            .answered()
            .filter(|(_, reading)| reading.answer.not_applicable.is_none())
            .map(|(node, _)| node.as_str())
            .collect();
        if without.len() == self.nodes.len() {
            complain(self.view.empty.as_deref().unwrap_or("no rows"));
        } else if !without.is_empty() {
            complain(&format!("no rows from {}", without.join(", ")));
        }
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let names = self.view.told().map(|(_, column)| Some(column.name.as_str()));
        record(out, [Some("node")].into_iter().chain(names))?;
        for (node, reading) in self.answered() {
            for row in self.rows(node, reading) {
                let cells: Vec<Option<String>> = self
                    .view
                    .told()
                    .map(|(column, _)| written(&self.view, column, reading.value(&self.view, row, column)))
                    .collect();
                record(out, [Some(node.as_str())].into_iter().chain(cells.iter().map(Option::as_deref)))?;
            }
        }
        Ok(())
    }

    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let view = &self.view;
        let shown: Vec<usize> = view.told().filter(|(_, column)| !column.hidden).map(|(at, _)| at).collect();
        let heads = shown.iter().map(|at| {
            let column = &view.columns[*at];
            (column.title.clone(), if column.kind.is_number() { Align::Right } else { Align::Left })
        });
        let mut cells = Vec::new();
        let sheet = self.sheet();
        for (node, row) in sheet.rows() {
            let values = shown.iter().map(|at| cell(&view.columns[*at], sheet.value(node, row, *at), self.at));
            cells.push((node.as_str(), values.collect::<Vec<_>>()));
        }
        let mut table = Table::new([("NODE".to_owned(), Align::Left)].into_iter().chain(heads));
        for (node, row) in &cells {
            table.push([*node].into_iter().chain(row.iter().map(AsRef::as_ref)));
        }
        if cells.is_empty() {
            self.complain_of_no_rows();
        }
        table.write(out, |_, line| line)
    }
}

/// A value as programs read it.
fn written(view: &View, column: usize, value: Value<'_>) -> Option<String> {
    match value {
        Value::Unknown => None,
        Value::Rate(rate) => rate.is_finite().then(|| format!("{rate:.3}")),
        Value::Text(text) => Some(match view.columns.get(column).map(|column| column.kind) {
            Some(CellKind::Time) => moment(text)?,
            _ => text.to_owned(),
        }),
    }
}

/// Seconds since 1970 as RFC 3339.
fn moment(text: &str) -> Option<String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    Some(time(SystemTime::UNIX_EPOCH.checked_add(since)?))
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct JsonColumn<'a> {
            name: &'a str,
            unit: Option<&'a str>,
            r#type: &'a str,
        }
        let columns = self.view.told().map(|(_, column)| JsonColumn {
            name: &column.name,
            unit: column.unit.map(crate::model::view::Unit::as_str),
            r#type: column.kind.pg_type(),
        });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("view", &self.view.name)?;
        map.serialize_entry("at", &time(self.at))?;
        map.serialize_entry("columns", &columns.collect::<Vec<_>>())?;
        map.serialize_entry("nodes", &JsonNodes(self))?;
        map.end()
    }
}

struct JsonNodes<'a>(&'a Answers);

impl Serialize for JsonNodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.nodes.iter().map(|(node, answer)| JsonNode(self.0, node, answer)))
    }
}

struct JsonNode<'a>(&'a Answers, &'a NodeName, &'a Result<Arc<Reading>, NodeError>);

impl Serialize for JsonNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answers, node, answer) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("node", node)?;
        map.serialize_entry("ok", &answer.is_ok())?;
        match answer {
            Ok(reading) => {
                map.serialize_entry("elapsed_ms", &millis(reading.answer.elapsed))?;
                let rows: Vec<JsonRow<'_>> =
                    answers.rows(node, reading).into_iter().map(|row| JsonRow(&answers.view, reading, row)).collect();
                map.serialize_entry("rows", &rows)?;
                map.serialize_entry("truncated", &reading.answer.truncated)?;
                if let Some(why) = &reading.answer.not_applicable {
                    map.serialize_entry("not_applicable", why)?;
                }
            }
            Err(error) => {
                map.serialize_entry("elapsed_ms", &answers.failed.get(*node).copied().map(millis))?;
                map.serialize_entry("error", error)?;
            }
        }
        map.end()
    }
}

struct JsonRow<'a>(&'a View, &'a Reading, usize);

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view, reading, row) = *self;
        let mut cells = serializer.serialize_seq(Some(view.told().count()))?;
        for (at, column) in view.told() {
            match reading.value(view, row, at) {
                Value::Unknown => cells.serialize_element(&None::<f64>)?,
                // What will never be is not known.
                Value::Rate(rate) => {
                    cells.serialize_element(&rate.is_finite().then_some((rate * 1000.0).round() / 1000.0))?;
                }
                Value::Text(text) if column.kind == CellKind::Time => cells.serialize_element(&moment(text))?,
                Value::Text(text) => cells.serialize_element(&JsonValue(text, column.kind.pg_type()))?,
            }
        }
        cells.end()
    }
}
