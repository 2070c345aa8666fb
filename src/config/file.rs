//! The schema of the file: its top-level keys, and how they become a [`Config`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use super::configuration::{Cluster, Config};
use super::diagnostic::{At, Diagnostic, Diagnostics};
use super::environment::Environment;
use super::node::{self, NODE_KEYS, NodeReader};
use super::settings::Settings;
use super::walk::{self, Section};
use super::yaml::{self, Entry, Value, Yaml};
use super::{interpolate, libpq, passfile};
use crate::model::node::Limit;
use crate::model::{ColorRole, NodeConfig, NodeName, PasswordSource, Rgb, THEMES, Thresholds};

const KEYS: [&str; 10] = [
    "nodes",
    "defaults",
    "clusters",
    "refresh",
    "health",
    "query_timeout",
    "shutdown_timeout",
    "show_statements",
    "theme",
    "thresholds",
];
/// A top-level key of the earlier format that sets `pglogical` for all nodes.
const PGLOGICAL: &str = "pglogical";

/// The limit of nodes in a file, above what anybody watches in one dashboard.
const MAX_NODES: usize = 10_000;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

/// Reads the text of the file at `path`.
pub(super) fn read(
    text: &str,
    path: &Path,
    cluster: Option<&str>,
    env: &Environment,
) -> Result<Config, Vec<Diagnostic>> {
    let mut report = Diagnostics::new(path.display().to_string());
    let mut config = Config { path: Some(path.to_owned()), ..Config::default() };
    // A byte order mark is not part of the text.
    let tree = yaml::read(text.strip_prefix('\u{feff}').unwrap_or(text), &mut report);
    if let Some(mut tree) = tree {
        interpolate::tree(&mut tree, env, &mut report);
        let reader = NodeReader { folder: path.parent().unwrap_or(Path::new("")), env };
        fill(&mut config, &tree, cluster, reader, &mut report);
    }
    warn_of_passfiles(&config.nodes, &mut report);
    config.warnings = report.finish()?;
    Ok(config)
}

/// Warns once of each password file in use that libpq's rules forbid to use.
fn warn_of_passfiles(nodes: &[NodeConfig], report: &mut Diagnostics) {
    let files = nodes.iter().filter_map(|node| match &node.password {
        PasswordSource::File(path) => Some(path),
        _ => None,
    });
    for path in files.collect::<BTreeSet<_>>() {
        if let Err(message) = passfile::check(path) {
            report.warning(None, message);
        }
    }
}

fn fill(config: &mut Config, tree: &Yaml, cluster: Option<&str>, reader: NodeReader<'_>, report: &mut Diagnostics) {
    // Keys `x-...` are ignored: authors of files define anchors there.
    let extensions: Vec<&str> = match &tree.value {
        Value::Map(entries) => entries.iter().map(|e| e.key.as_str()).filter(|key| key.starts_with("x-")).collect(),
        _ => Vec::new(),
    };
    // A key of a node that is one level too high gets a message of its own below, with where it belongs.
    let strayed = NODE_KEYS.iter().copied().filter(|key| !KEYS.contains(key) && *key != PGLOGICAL);
    let also: Vec<&str> = extensions.into_iter().chain(strayed.clone()).chain([PGLOGICAL]).collect();
    let top = walk::section_of("the file", tree, &KEYS, &also, report);
    for key in strayed {
        if let Some(entry) = top.get(key) {
            report.problem(entry.position, format!("{key} belongs in a node or under defaults:"));
        }
    }
    let range = |min, max| move |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, min, max);
    set(&mut config.refresh, top.read("refresh", report, range(250 * MS, 60_000 * MS)));
    set(&mut config.query_timeout, top.read("query_timeout", report, range(MS, 24 * HOUR)));
    set(&mut config.shutdown_timeout, top.read("shutdown_timeout", report, range(100 * MS, HOUR)));
    set(&mut config.show_statements, top.read("show_statements", report, walk::boolean));
    if let Some(entry) = top.get("theme") {
        theme(entry, config, report);
    }
    if let Some(entry) = top.get("thresholds") {
        config.thresholds = thresholds(entry, report);
    }
    let defined = top.get("nodes").map(|entry| walk::map_of("nodes", &entry.value, "names to nodes", report));
    let defined = defined.unwrap_or_default();
    let shared = shared(top, reader, report);
    config.template = shared.clone().template(reader.env);
    config.nodes = nodes(top, defined, &shared, reader, report);
    if let Some(entry) = top.get("clusters") {
        config.clusters = clusters(entry, defined, report);
    }
    choose(config, cluster, top, report);
}

fn set<T>(target: &mut T, value: Option<At<T>>) {
    if let Some(At { value, .. }) = value {
        *target = value;
    }
}

/// The settings of the file for all nodes.
fn shared(top: Section<'_>, reader: NodeReader<'_>, report: &mut Diagnostics) -> Settings {
    let mut shared = top.get("defaults").map(|entry| reader.defaults(entry, report)).unwrap_or_default();
    if let Some(entry) = top.get("health") {
        let mut settings = Settings::default();
        node::health(entry, &mut settings, report);
        shared.fill_from(settings);
    }
    let pglogical = top.read(PGLOGICAL, report, walk::boolean);
    shared.fill_from(Settings { pglogical, ..Settings::default() });
    shared
}

/// All nodes of the file, each with the settings that complete its own keys.
fn nodes(
    top: Section<'_>,
    defined: Section<'_>,
    shared: &Settings,
    reader: NodeReader<'_>,
    report: &mut Diagnostics,
) -> Vec<NodeConfig> {
    if defined.entries().is_empty() {
        return Vec::new();
    }
    if defined.entries().len() > MAX_NODES {
        report.problem(top.get("nodes").map(|entry| entry.position), format!("there are more than {MAX_NODES} nodes"));
        return Vec::new();
    }
    let environment = libpq::of_environment(reader.env, report);
    let mut nodes = Vec::with_capacity(defined.entries().len());
    for entry in defined.entries() {
        let told = report.count();
        let mut settings = reader.node(entry, report);
        settings.fill_from(shared.clone());
        let beside = settings.has_hosts().then(|| libpq::beside_hosts(&environment, report));
        libpq::fill_rest(&mut settings, beside.as_ref().unwrap_or(&environment), reader.env, report);
        match NodeName::parse(&entry.key) {
            // After a problem in this node, its host may be missing only because of that.
            Ok(_) if !settings.has_hosts() && report.count() > told => {}
            Ok(name) => nodes.extend(settings.finish(name, Some(entry.position), reader.env, report)),
            Err(error) => report.problem(entry.position, error.to_string()),
        }
    }
    nodes
}

fn clusters(entry: &Entry, defined: Section<'_>, report: &mut Diagnostics) -> Vec<Cluster> {
    let mut clusters = Vec::new();
    let by_name: HashMap<&str, &Entry> = defined.entries().iter().map(|entry| (entry.key.as_str(), entry)).collect();
    let mut first_default: Option<&Entry> = None;
    for entry in walk::map_of("clusters", &entry.value, "names to clusters", report).entries() {
        let keys = walk::section(entry, &["nodes", "default"], &[], report);
        let default = keys.read("default", report, walk::boolean).is_some_and(|at| at.value);
        if let (true, Some(first)) = (default, first_default) {
            let message = format!(
                "cluster {} is marked as default, and so is {} on line {}: keep one",
                entry.key, first.key, first.position.line
            );
            report.problem(entry.position, message);
        } else if default {
            first_default = Some(entry);
        }
        let list = keys.get("nodes");
        if list.is_none() {
            report.problem(entry.position, format!("cluster {} has no nodes: write nodes: [a, b]", entry.key));
        }
        let nodes = list.map(|list| members(list, defined, &by_name, report)).unwrap_or_default();
        clusters.push(Cluster { name: entry.key.clone(), nodes, default });
    }
    clusters
}

/// The nodes of a cluster, looked up among those of the file.
fn members(
    list: &Entry,
    defined: Section<'_>,
    by_name: &HashMap<&str, &Entry>,
    report: &mut Diagnostics,
) -> Vec<NodeName> {
    let Value::List(items) = &list.value.value else {
        if list.value.value != Value::Broken {
            report.problem(list.value.position, "nodes of a cluster must be a list of names: [a, b]");
        }
        return Vec::new();
    };
    let mut names: Vec<NodeName> = Vec::with_capacity(items.len());
    let mut seen = HashSet::with_capacity(items.len());
    for item in items {
        let Some(text) = walk::text_of("a node's name", item, report) else { continue };
        let Some(known) = by_name.get(text.as_str()) else {
            let names = defined.entries().iter().map(|entry| entry.key.as_str());
            let near = report.nearest(&text, names);
            let hint = near.map_or_else(
                || "name a node that is defined under nodes:".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            report.problem(item.position, format!("there is no node {text:?}: {hint}"));
            continue;
        };
        // An invalid name was reported where the node is defined.
        let Ok(name) = NodeName::parse(&known.key) else { continue };
        if seen.insert(name.clone()) {
            names.push(name);
        } else {
            report.problem(item.position, format!("{name} is listed twice in this cluster"));
        }
    }
    names
}

/// Keeps the nodes of the wanted cluster, else of the default one, else of the first.
fn choose(config: &mut Config, wanted: Option<&str>, top: Section<'_>, report: &mut Diagnostics) {
    let names = || config.clusters.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>().join(", ");
    let chosen = match wanted {
        Some(wanted) => {
            let found = config.clusters.iter().find(|cluster| cluster.name == wanted);
            if found.is_none() {
                let there = if config.clusters.is_empty() {
                    "the file has none".to_owned()
                } else {
                    format!("the file has {}", names())
                };
                report.problem(
                    top.get("clusters").map(|entry| entry.position),
                    format!("--cluster {wanted}: no such cluster; {there}"),
                );
            }
            found
        }
        None => config.clusters.iter().find(|cluster| cluster.default).or_else(|| config.clusters.first()),
    };
    let Some(chosen) = chosen.cloned() else { return };
    let shown: HashSet<&str> =
        config.clusters.iter().flat_map(|cluster| &cluster.nodes).map(NodeName::as_str).collect();
    let names: HashSet<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
    if let Some(Value::Map(entries)) = top.get("nodes").map(|nodes| &nodes.value.value) {
        for Entry { key, position, .. } in entries.iter().filter(|entry| names.contains(entry.key.as_str())) {
            if !shown.contains(key.as_str()) {
                report.warning(*position, format!("node {key} is in no cluster, so it is never shown"));
            }
        }
    }
    let members: HashSet<&NodeName> = chosen.nodes.iter().collect();
    config.nodes.retain(|node| members.contains(&node.name));
    config.cluster = Some(chosen.name);
}

/// `theme: light`, or `theme: {name: light, colors: {primary: "#00BFFF"}}`.
fn theme(entry: &Entry, config: &mut Config, report: &mut Diagnostics) {
    let allowed = format!("is not a theme: choose one of {}", THEMES.join(", "));
    let name = |entry: &Entry, report: &mut Diagnostics| {
        walk::parsed(entry, report, &allowed, |text| THEMES.contains(&text).then(|| text.to_owned()))
    };
    if matches!(entry.value.value, Value::Text(_)) {
        config.theme = name(entry, report);
        return;
    }
    let keys = walk::section(entry, &["name", "colors"], &[], report);
    config.theme = keys.read("name", report, name).map(|at| at.value);
    let Some(colors) = keys.get("colors") else { return };
    let roles = ColorRole::ALL.map(ColorRole::as_str);
    for entry in walk::section(colors, &roles, &[], report).entries() {
        let Some(role) = ColorRole::parse(&entry.key) else { continue };
        if entry.value.value == Value::Null {
            // YAML reads a # without quotes as a comment.
            report.problem(
                entry.position,
                format!("{} has no value: put the colour in quotes, as in \"#00BFFF\"", entry.key),
            );
        } else if let Some(rgb) =
            walk::parsed(entry, report, "is not a colour: write it in quotes, as in \"#00BFFF\"", Rgb::parse)
        {
            config.colors.push((role, rgb));
        }
    }
}

fn thresholds(entry: &Entry, report: &mut Diagnostics) -> Thresholds {
    let default = Thresholds::default();
    let keys = walk::section(entry, &["replication_lag", "slot_retention", "conflict_rate"], &[], report);
    let lag = |entry: &Entry, report: &mut Diagnostics| walk::duration(entry, report, Duration::ZERO, 7 * 24 * HOUR);
    Thresholds {
        replication_lag: limit(keys.get("replication_lag"), default.replication_lag, report, lag),
        slot_retention: limit(keys.get("slot_retention"), default.slot_retention, report, walk::size),
        conflict_rate: limit(keys.get("conflict_rate"), default.conflict_rate, report, walk::number),
    }
}

fn limit<T: Copy + PartialOrd>(
    entry: Option<&Entry>,
    default: Limit<T>,
    report: &mut Diagnostics,
    reader: impl Fn(&Entry, &mut Diagnostics) -> Option<T>,
) -> Limit<T> {
    let Some(entry) = entry else { return default };
    let keys = walk::section(entry, &["warning", "critical"], &[], report);
    let warning = keys.read("warning", report, &reader);
    let critical = keys.read("critical", report, &reader);
    let place = critical.as_ref().or(warning.as_ref()).and_then(|at| at.position);
    // A default yields to the other value.
    let limit = match (warning.map(|at| at.value), critical.map(|at| at.value)) {
        (Some(warning), None) => {
            Limit { warning, critical: if warning > default.critical { warning } else { default.critical } }
        }
        (None, Some(critical)) => {
            Limit { warning: if critical < default.warning { critical } else { default.warning }, critical }
        }
        (warning, critical) => {
            Limit { warning: warning.unwrap_or(default.warning), critical: critical.unwrap_or(default.critical) }
        }
    };
    if limit.warning > limit.critical {
        report.problem(place, format!("{}: critical must not be smaller than warning", entry.key));
    }
    limit
}
