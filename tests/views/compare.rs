//! Compares what pgwatch says with what psql finds: every column of every view, by value, on a primary, a standby, a
//! cascading standby and a subscriber, for three roles and one with unusual settings, in databases of other encodings.
//!
//! Each answer of pgwatch is between two of psql (`compare/reference.rs`): a value must be the same as one of the two, or a
//! number between them. So durations and counters need no tolerance. Where something else moved meanwhile, the view is
//! asked again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::demo::{Cluster, Install, Server};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::view::{CellKind, Source};
use pgwatch::model::{Command, ErrorKind, EventKind, NodeConfig, NodeError, NodeName, View};

use crate::states::{Sleeper, until};
use crate::support::pooler::{Bouncer, bouncer_with};
use crate::support::watched::blocking;
use crate::versions::{installs, something_of_all};

mod computed;
mod figures;
mod odd;
mod reference;

use reference::{ANY, Found, Of, Reference};

/// For how long a view is asked again until nothing moved while it was asked.
const SETTLING: Duration = Duration::from_secs(20);
/// All views of four nodes, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who asks.
struct Pass<'a> {
    /// In the words of a fault.
    name: &'a str,
    /// The role of pgwatch.
    role: &'a str,
    /// The role of psql: one with the same rights, and with the settings that the server has.
    by_psql: &'a str,
    database: &'a str,
    servers: Vec<&'a Server>,
    /// In front of the servers, if there are any.
    poolers: &'a [Bouncer],
}

impl Pass<'_> {
    fn nodes(&self) -> Vec<NodeConfig> {
        let node = |(at, server): (usize, &&Server)| {
            let node = server.node_config_as(self.role);
            let port = self.poolers.get(at).map_or(node.port, |pooler| pooler.port);
            NodeConfig { database: self.database.to_owned(), port, ..node }
        };
        self.servers.iter().enumerate().map(node).collect()
    }
}

/// Columns without a reference, and why.
fn not_vouched(view: &View, column: usize) -> Option<&'static str> {
    let column = &view.columns[column];
    match (view.name.as_str(), column.name.as_str(), &column.source) {
        (_, _, Source::Rate { .. }) => Some("its counter is; `computed::rates` computes the rate again"),
        (_, _, Source::Until { .. } | Source::Trend { .. } | Source::Unchanged { .. }) => {
            Some("its column is; what becomes of several answers is in the tests of `model/view/rates.rs`")
        }
        (_, _, Source::Age { .. } | Source::Behind { .. } | Source::Lag(_)) => Some("`a_quiet_cluster_has_no_lag`"),
        ("bloat", "bloat" | "bloat_percent" | "row_size", _) => Some("an estimate of ours"),
        ("slots", "wal_age_ms", _) => Some("its file is made older in the real tests of the rule `slot_unread`"),
        ("progress", "detail", _) => Some("words of ours; in the scenes of progress"),
        ("pglogical_conflicts", ..) => {
            Some("the extension cannot be installed here; `conflicts_recorded_by_pglogical_are_shown`")
        }
        _ => None,
    }
}

#[test]
fn every_column_has_a_reference_or_a_reason() {
    let references = reference::all();
    let mut faults = Vec::new();
    for (name, view) in views::ours() {
        for (at, column) in view.columns.iter().enumerate() {
            let vouched = references.get(name).is_some_and(|reference| reference.vouches_for(&column.name));
            match (vouched, not_vouched(view, at)) {
                (false, None) => {
                    faults.push(format!("{name}: {} has no reference in tests/views/reference", column.name));
                }
                (true, Some(why)) => {
                    faults.push(format!("{name}: {} has a reference, and a reason for none: {why}", column.name));
                }
                _ => (),
            }
        }
    }
    faults.extend(
        references
            .keys()
            .filter(|name| !views::ours().contains_key(*name))
            .map(|name| format!("there is no view {name}")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_all_views_are_those_of_psql() {
    let mut faults = Vec::new();
    for install in installs() {
        let stage = blocking(|| Stage::new(install));
        let poolers = stage.poolers().await;
        for pass in stage.passes(&poolers) {
            let begun = Instant::now();
            let (compared, found) = compare(stage.major, &pass).await;
            println!("PostgreSQL {}: {}: {compared} values in {:?}", stage.major, pass.name, begun.elapsed());
            faults.extend(found.into_iter().map(|fault| format!("PostgreSQL {}, {}: {fault}", stage.major, pass.name)));
        }
        let servers: Vec<&Server> = stage.cluster.servers().iter().chain(stage.subscriber.servers()).collect();
        let (computed, found) = computed::rates(&servers).await;
        println!("PostgreSQL {}: {computed} rates", stage.major);
        faults.extend(found.into_iter().map(|fault| format!("PostgreSQL {}, rates: {fault}", stage.major)));
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// The servers, with something to show in each view.
struct Stage {
    major: u32,
    // Dropped in this order: sessions first.
    _busy: Vec<Sleeper>,
    subscriber: Cluster,
    cluster: Cluster,
}

impl Stage {
    fn new(install: Install) -> Self {
        let major = install.major();
        let scene = |builder: pgwatch::demo::Builder<'static>| {
            builder.config("autovacuum", "off").config("wal_level", "logical").config("max_prepared_transactions", "5")
        };
        let cluster = scene(Cluster::builder()).install(install.clone()).standbys(1).cascade();
        let cluster = cluster
            .config("max_standby_streaming_delay", "10ms")
            .config("hot_standby_feedback", "off")
            .start()
            .unwrap();
        let subscriber = scene(Cluster::builder()).install(install).primary_name("subscriber").start().unwrap();
        let (primary, sub) = (cluster.primary(), subscriber.primary());
        let password = primary.password().expose();
        for server in [primary, sub] {
            let password = server.password().expose();
            // The role with unusual settings has the rights of `pgwatch`.
            let _ = server.psql("create extension if not exists pg_stat_statements");
            server.psql(&format!("create role plain login password '{password}'; create role odd login password '{password}' in role pg_monitor")).unwrap();
            let md5 = "set password_encryption = md5; create role old login password 'x' connection limit 3";
            server
                .psql(&format!("{md5} valid until '{}'", server.psql("select now() + interval '50 hours'").unwrap()))
                .unwrap();
            odd::give(server);
        }
        // A subscription that works. Its slot cannot be made once transactions are open.
        primary.psql("create table fed (id int2 primary key); create publication for_sub for table fed; grant select on fed to repl").unwrap();
        sub.psql("create table fed (id int2 primary key)").unwrap();
        let port = primary.port();
        sub.psql(&format!("create subscription sub connection 'host=127.0.0.1 port={port} user=repl password={password} dbname=postgres' publication for_sub")).unwrap();
        until(sub, "the copy", "select count(*) = 1 from pg_subscription_rel where srsubstate = 'r'");
        until(sub, "the apply worker", "select count(*) = 1 from pg_stat_subscription where pid is not null");
        let mut busy = something_of_all(&cluster);
        for statement in THINGS {
            primary.psql(statement).unwrap();
        }
        for (name, encoding) in [("latin1", "LATIN1"), ("ascii", "SQL_ASCII")] {
            primary
                .psql(&format!(
                    "create database {name} template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C'"
                ))
                .unwrap();
            let mut psql = primary.client("postgres");
            psql.env("PGCLIENTENCODING", "UTF8").args(["-d", name, "-c", "create schema \"Übung\"; create table \"Übung\".\"größe\" (id serial primary key, \"höhe\" int); create index \"verzeichnis ä\" on \"Übung\".\"größe\" (\"höhe\")"]);
            assert!(psql.status().unwrap().success());
        }
        busy.push(Sleeper::new(sub, "begin;\nselect 1;\n"));
        primary.psql("checkpoint").unwrap();
        Self { major, _busy: busy, subscriber, cluster }
    }

    /// One in front of the primary and one in front of its standby. Each has one connection, so that a view does not find
    /// others of pgwatch.
    async fn poolers(&self) -> [Bouncer; 2] {
        let [primary, standby, ..] = self.cluster.servers() else { panic!("two servers") };
        let lines = "default_pool_size = 1\n";
        [bouncer_with(primary, "transaction", lines).await, bouncer_with(standby, "transaction", lines).await]
    }

    fn passes<'a>(&'a self, poolers: &'a [Bouncer]) -> Vec<Pass<'a>> {
        let servers: Vec<&Server> = self.cluster.servers().iter().chain(self.subscriber.servers()).collect();
        let pass = |name, role, by_psql| Pass {
            name,
            role,
            by_psql,
            database: "postgres",
            servers: servers.clone(),
            poolers: &[],
        };
        let within = |database| Pass {
            name: database,
            role: "pgwatch",
            by_psql: "pgwatch",
            database,
            servers: servers[..2].to_vec(),
            poolers: &[],
        };
        let odd = pass("unusual settings", "odd", "pgwatch");
        vec![
            pass("superuser", "postgres", "postgres"),
            pass("pg_monitor", "pgwatch", "pgwatch"),
            pass("plain role", "plain", "plain"),
            pass("unusual settings", "odd", "pgwatch"),
            within("latin1"),
            within("ascii"),
            // Last: it keeps its connections, whose name is the one that pgwatch gave them.
            Pass { name: "a pooler", servers: servers[..2].to_vec(), poolers, ..odd },
        ]
    }
}

/// What the references of the views expect beside [`something_of_all`].
const THINGS: [&str; 6] = [
    "create sequence narrow; alter table fed alter id set default nextval('narrow')",
    "select setval('narrow', 300); select setval('numbers', 5000)",
    "create table twice (id int) with (autovacuum_vacuum_threshold = 1000, fillfactor = 70); create index twin_a on twice (id); create index twin_b on twice (id)",
    "insert into twice select generate_series(1, 1000); delete from twice where id < 100; update twice set id = -id where id < 200; analyze twice",
    "create table ranges (id int, v text) partition by range (id); create table range_1 partition of ranges for values from (1) to (9)",
    "create unlogged table volatile (id int); create materialized view mat as select * from twice",
];

type Asked = (String, NodeName);
type Outcome = Result<Arc<ViewRows>, NodeError>;

/// Compares all views of a pass; returns how many values were compared, and the faults.
async fn compare(major: u32, pass: &Pass<'_>) -> (usize, Vec<String>) {
    let references = reference::all();
    let nodes = pass.nodes();
    let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(nodes.clone()));
    let mut left: BTreeSet<String> = references.keys().cloned().collect();
    let mut compared = 0;
    let mut faults;
    let deadline = Instant::now() + SETTLING;
    loop {
        // No answer that was on its way before psql asked is taken for a later one.
        handle.send(Command::Look(Vec::new())).await.unwrap();
        let begun = Instant::now();
        let before = blocking(|| by_psql(major, pass, &references, &left));
        let asked_at = SystemTime::now();
        let looks =
            left.iter().map(|view| Look { view: Arc::clone(&views::ours()[view]), nodes: None, pace: None }).collect();
        handle.send(Command::Look(looks)).await.unwrap();
        let mut told: BTreeMap<Asked, Outcome> = BTreeMap::new();
        let answering = Instant::now() + PATIENCE;
        while told.len() < left.len() * nodes.len() {
            let event = tokio::time::timeout(answering.saturating_duration_since(Instant::now()), events.recv()).await;
            let Ok(Some(event)) = event else { break };
            if let EventKind::View { node, view, outcome } = event.kind
                && event.at >= asked_at
            {
                told.entry((view.to_string(), node)).or_insert(outcome);
            }
        }
        let after = blocking(|| by_psql(major, pass, &references, &left));
        faults = BTreeMap::<String, Vec<String>>::new();
        for view in &left {
            let mut of_view = Vec::new();
            for node in &nodes {
                let asked = (view.clone(), node.name.clone());
                let place = format!("{view} on {}", node.name);
                match told.get(&asked) {
                    None => of_view.push(format!("{place}: no answer")),
                    Some(outcome) => {
                        let values = agree(
                            view,
                            &references[view],
                            outcome,
                            before.get(&asked),
                            after.get(&asked),
                            begun.elapsed(),
                        );
                        compared += values.0;
                        of_view.extend(values.1.into_iter().map(|fault| format!("{place}: {fault}")));
                    }
                }
            }
            if !of_view.is_empty() {
                faults.insert(view.clone(), of_view);
            }
        }
        left = faults.keys().cloned().collect();
        if left.is_empty() || Instant::now() > deadline {
            break;
        }
    }
    handle.shutdown(false).await;
    (compared, faults.into_values().flatten().collect())
}

/// What psql finds on each server now. A view that a server does not have is missing.
fn by_psql(
    major: u32,
    pass: &Pass<'_>,
    references: &BTreeMap<String, Reference>,
    wanted: &BTreeSet<String>,
) -> BTreeMap<Asked, Found> {
    let on = |server: &Server| -> Vec<(Asked, Found)> {
        let standby = server.name() != "primary" && server.name() != "subscriber";
        let version = |view: &View| match view.extension.as_deref() {
            None => Some((major, 0)),
            Some(extension) => {
                let mut psql = server.client("postgres");
                let sql = format!("select extversion from pg_extension where extname = '{extension}'");
                let output = psql.args(["-A", "-t", "-d", pass.database, "-c", &sql]).output().unwrap();
                let version = String::from_utf8(output.stdout).unwrap();
                (!version.trim().is_empty()).then(|| reference::parsed(version.trim()))
            }
        };
        let ask = |own: bool| {
            let role = if own { pass.role } else { pass.by_psql };
            let asked =
                references.iter().filter(|(name, reference)| wanted.contains(*name) && reference.is_own() == own);
            let asked: Vec<(&str, String)> = asked
                .filter_map(|(name, reference)| {
                    let view = &views::ours()[name];
                    Some((name.as_str(), reference.sql(view, Of { version: version(view)?, standby }, pass.role)?))
                })
                .collect();
            if asked.is_empty() { BTreeMap::new() } else { reference::ask(server, role, pass.database, &asked) }
        };
        let node = NodeName::parse(server.name()).unwrap();
        ask(false).into_iter().chain(ask(true)).map(|(view, found)| ((view, node.clone()), found)).collect()
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> = pass.servers.iter().map(|server| scope.spawn(|| on(server))).collect();
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
    })
}

/// How many values were compared, and where they differ.
fn agree(
    name: &str,
    reference: &Reference,
    outcome: &Outcome,
    before: Option<&Found>,
    after: Option<&Found>,
    within: Duration,
) -> (usize, Vec<String>) {
    let view = &views::ours()[name];
    let answer = match outcome {
        Ok(answer) => answer,
        // Neither may be asked by this role.
        Err(error)
            if error.kind == ErrorKind::Permission && matches!((before, after), (Some(Err(_)), Some(Err(_)))) =>
        {
            return (0, Vec::new());
        }
        Err(error) if before.is_none() && error.message.contains("is not installed") => return (0, Vec::new()),
        Err(error) => return (0, vec![error.message.clone()]),
    };
    let (before, after) = match (before, after) {
        (None, _) | (_, None) if answer.not_applicable.is_some() => return (0, Vec::new()),
        (Some(Ok(before)), Some(Ok(after))) => (rows(view, before), rows(view, after)),
        (before, _) => return (0, vec![format!("{} rows, but psql: {before:?}", answer.rows.len())]),
    };
    if let Some(why) = &answer.not_applicable {
        return (0, vec![why.clone()]);
    }
    let mut faults = Vec::new();
    let mut compared = 0;
    let mut seen = BTreeSet::new();
    for row in 0..answer.rows.len() {
        let cell = |at: usize| match &view.columns[at].source {
            Source::Sql { at, .. } => answer.rows.cell(row, *at),
            _ => None,
        };
        let key = key(view.key.iter().map(|at| cell(*at)));
        seen.insert(key.clone());
        let (first, last) = match (before.get(&key), after.get(&key)) {
            (Some(before), Some(after)) => (before, after),
            (Some(row), None) | (None, Some(row)) => (row, row),
            (None, None) if reference.may_be_fewer() => continue,
            (None, None) => {
                faults.push(format!("psql has no row {key:?}"));
                continue;
            }
        };
        if !reference.stands_still(first, last) {
            continue;
        }
        for (at, column) in view.columns.iter().enumerate().filter(|(_, column)| reference.vouches_for(&column.name)) {
            let (told, first, last) = (cell(at), text(&first[&column.name]), text(&last[&column.name]));
            if first == Some(ANY) {
                continue;
            }
            compared += 1;
            let begins_again = reference.resets(&column.name) && {
                let [told, first, last] =
                    [told, first, last].map(|text| text.and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN));
                (0.0..=first.max(last) + within.as_secs_f64() * 1000.0).contains(&told)
            };
            if !begins_again && !is_between(column.kind, told, first, last) {
                faults.push(format!("{} of {key:?} is {told:?}, but psql: {first:?}, {last:?}", column.name));
            }
        }
    }
    let missing = before.keys().filter(|key| after.contains_key(*key) && !seen.contains(*key));
    faults.extend(missing.map(|key| format!("no row {key:?}")));
    (compared, faults)
}

fn rows<'a>(
    view: &View,
    rows: &'a [serde_json::Map<String, serde_json::Value>],
) -> HashMap<Vec<String>, &'a serde_json::Map<String, serde_json::Value>> {
    rows.iter().map(|row| (key(view.key.iter().map(|at| text(&row[&view.columns[*at].name]))), row)).collect()
}

fn text(value: &serde_json::Value) -> Option<&str> {
    value.as_str()
}

fn key<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    // A time as a number has as many digits as its server gives it.
    let cell = |cell: Option<&str>| match cell.unwrap_or_default() {
        "true" => "t".to_owned(),
        "false" => "f".to_owned(),
        text if text.contains('.') => {
            text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| format!("{number:.3}"))
        }
        text => text.to_owned(),
    };
    cells.map(cell).collect()
}

/// True if the value is one of the two, or a number between them.
fn is_between(kind: CellKind, told: Option<&str>, first: Option<&str>, last: Option<&str>) -> bool {
    let Some(value) = told else { return first.is_none() || last.is_none() };
    let same = |other: Option<&str>| match (kind, other) {
        (CellKind::Bool, Some(other)) => other.starts_with(value),
        (_, other) => other == Some(value),
    };
    if same(first) || same(last) {
        return true;
    }
    let number = |text: &str| match kind {
        CellKind::Lsn => lsn(text),
        _ if kind.is_number() => text.parse::<f64>().ok(),
        _ => None,
    };
    let bounds: Vec<f64> = [first, last].into_iter().flatten().filter_map(number).collect();
    let (Some(value), Some(low), Some(high)) =
        (number(value), bounds.iter().copied().reduce(f64::min), bounds.iter().copied().reduce(f64::max))
    else {
        return false;
    };
    // The last digit of a fraction.
    let digit = if matches!(kind, CellKind::Float8 | CellKind::Numeric | CellKind::Interval | CellKind::Time) {
        1e-3f64.max(high.abs() * 1e-9)
    } else {
        0.0
    };
    (low - digit..=high + digit).contains(&value)
}

fn lsn(text: &str) -> Option<f64> {
    let (high, low) = text.split_once('/')?;
    Some((u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?) as f64)
}
