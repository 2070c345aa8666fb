//! Runs every view as pgwatch does: on a primary, a standby and a cascading standby, as a superuser, a member of
//! `pg_monitor` and a role that may only log in. On the newest PostgreSQL of this machine, or on each of those whose
//! program folders `PGWATCH_TEST_BINS` lists, separated by colons (`make test-versions`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::demo::{Cluster, Install};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::view::Version;
use pgwatch::model::{Command, ErrorKind, EventKind, NodeConfig, NodeError, NodeName, Role, RowSet};

use crate::states::{Sleeper, session, until};
use crate::support::here::not_run;
use crate::support::watched::{Watched, blocking};

/// Thirty views of nine nodes, on a machine that may be busy with a build.
const PATIENCE: Duration = Duration::from_mins(2);
const ROLES: [&str; 3] = ["postgres", "pgwatch", "plain"];
/// Views that have rows on every server, whatever it does, unless the role may not read them.
const NEVER_EMPTY: [&str; 9] =
    ["activity", "databases", "connections", "wal", "checkpoints", "settings", "topology", "tables", "wraparound"];

type Outcome = Result<std::sync::Arc<ViewRows>, NodeError>;

pub(super) fn installs() -> Vec<Install> {
    match std::env::var("PGWATCH_TEST_BINS") {
        Ok(bins) => bins.split(':').map(|bin| Install::at(Path::new(bin)).unwrap()).collect(),
        Err(_) => vec![Install::find().expect("tests need a PostgreSQL server")],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variant_of_every_view_is_answered() {
    let mut faults = Vec::new();
    // Views that no version answered, and why.
    let mut unasked: BTreeMap<&String, String> = BTreeMap::new();
    let mut asked = BTreeSet::new();
    for install in installs() {
        let major = install.major();
        let cluster = Cluster::builder().install(install).standbys(1).cascade().config("autovacuum", "off");
        let cluster = cluster.config("wal_level", "logical").config("max_prepared_transactions", "5");
        let cluster = cluster.config("max_standby_streaming_delay", "10ms").config("hot_standby_feedback", "off");
        let cluster = cluster.start().unwrap();
        let password = cluster.primary().password().expose();
        let roles = format!("create role plain login password '{password}'; create extension pg_stat_statements");
        // The extension may exist already, for the load of a demo.
        let _ = cluster.primary().psql(&roles.replace("create extension", "create extension if not exists"));
        let busy = blocking(|| something_of_all(&cluster));
        let answers = ask_all(&cluster).await;
        drop(busy);
        faults.extend(answers.iter().filter_map(|(asked, outcome)| fault(major, asked, outcome)));
        faults.extend(views::ours().keys().filter_map(|view| nowhere(major, view, &answers)));
        for view in views::ours().keys() {
            match answers.iter().filter(|((of, ..), _)| of == view).find_map(|(_, outcome)| outcome.as_ref().ok()) {
                Some(_) => drop(asked.insert(view)),
                None => drop(unasked.insert(view, why_not(view, &answers))),
            }
        }
        let rows = answers.values().flatten().map(|answer| answer.rows.len()).sum::<usize>();
        println!("PostgreSQL {major}: {} views x {} sessions, {rows} rows", views::ours().len(), 3 * ROLES.len());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // `conflicts_recorded_by_pglogical_are_shown` tests its view with a replacement for the extension.
    for (view, why) in unasked.iter().filter(|(view, _)| !asked.contains(*view) && !view.starts_with("pglogical")) {
        not_run(&format!("the view {view}"), why);
    }
}

/// The error that the superuser got on the primary.
fn why_not(view: &str, answers: &BTreeMap<Asked, Outcome>) -> String {
    let outcome = &answers[&(view.to_owned(), "primary".to_owned(), "postgres".to_owned())];
    outcome.as_ref().err().map(|error| error.message.clone()).unwrap_or_default()
}

/// Makes something for each view to show: something cancelled, retained, published, in progress, waiting and prepared.
pub(super) fn something_of_all(cluster: &Cluster) -> Vec<Sleeper> {
    let (primary, standby) = (cluster.primary(), cluster.server("standby1"));
    let run = |statements: &[&str]| statements.iter().for_each(|statement| drop(primary.psql(statement).unwrap()));
    run(&["create table gone as select generate_series(1, 1000) as id"]);
    until(standby, "the table", "select to_regclass('gone') is not null");
    let reader = Sleeper::new(standby, "begin isolation level repeatable read;\nselect count(*) from gone;\n");
    until(standby, "a reader", "select count(*) > 0 from pg_stat_activity where state = 'idle in transaction'");
    run(&["delete from gone", "vacuum gone"]);
    until(standby, "a conflict", "select sum(confl_snapshot) > 0 from pg_stat_database_conflicts");
    drop(reader);
    run(&[
        "create table parts (id int primary key, v text); create index on parts (v); create sequence numbers",
        "insert into parts select g, repeat('x', 100) from generate_series(1, 20000) g",
        "delete from parts where id > 10 and id % 2 = 0; analyze parts",
        "create publication p for table parts",
        "create subscription s connection 'host=127.0.0.1 port=1 dbname=postgres' publication p with (connect = false)",
        "select pg_create_physical_replication_slot('unread', true)",
        "select pg_create_logical_replication_slot('logical', 'pgoutput')",
        "begin; update parts set v = '1' where id = 1; prepare transaction 'root'",
    ]);
    session(primary, &["update parts set v = '1' where id = 1"]);
    until(primary, "one who waits", "select count(*) = 1 from pg_stat_activity where wait_event_type = 'Lock'");
    session(primary, &["set vacuum_cost_delay = 100", "set vacuum_cost_limit = 1", "vacuum parts"]);
    until(primary, "a vacuum", "select count(*) = 1 from pg_stat_progress_vacuum");
    let sorted =
        "declare sorted cursor for select g::text from generate_series(1, 100000) g order by 1;\nfetch 1 from sorted;";
    let sleepers = [
        Sleeper::new(primary, "begin;\nupdate parts set v = '2' where id = 2;\n"),
        Sleeper::new(primary, &format!("set work_mem = '64kB';\nbegin;\n{sorted}\n")),
    ];
    until(primary, "both", "select count(*) = 2 from pg_stat_activity where state = 'idle in transaction'");
    sleepers.into()
}

/// View, server and role.
type Asked = (String, String, String);

/// What each server answered to each view, by role.
async fn ask_all(cluster: &Cluster) -> BTreeMap<Asked, Outcome> {
    let mut nodes = Vec::new();
    let mut of = BTreeMap::new();
    for server in cluster.servers() {
        for role in ROLES {
            let name = NodeName::parse(&format!("{}-{role}", server.name())).unwrap();
            of.insert(name.clone(), (server.name().to_owned(), role.to_owned()));
            nodes.push(NodeConfig { name, ..server.node_config_as(role) });
        }
    }
    let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(nodes));
    let looks = views::ours().values().map(|view| Look { view: view.clone(), nodes: None, pace: None }).collect();
    handle.send(Command::Look(looks)).await.unwrap();
    let expected = of.len() * views::ours().len();
    let mut answers = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while answers.len() < expected {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(Some(event)) = tokio::time::timeout(left, events.recv()).await else { break };
        if let EventKind::View { node, view, outcome } = event.kind {
            // A conflict with the replay, for instance: it is asked again.
            if outcome.as_ref().is_err_and(|error| error.sqlstate.as_deref() == Some("40001")) {
                continue;
            }
            let (server, role) = of[&node].clone();
            answers.entry((view.to_string(), server, role)).or_insert(outcome);
        }
    }
    handle.shutdown(false).await;
    assert_eq!(answers.len(), expected, "some views were not answered");
    answers
}

/// What is wrong with an answer.
fn fault(major: u32, (view, server, role): &Asked, outcome: &Outcome) -> Option<String> {
    let told = |what: &str| Some(format!("PostgreSQL {major}: {view} on {server} as {role}: {what}"));
    let definition = &views::ours()[view];
    match outcome {
        Ok(answer) if answer.not_applicable.is_some() => {
            let why = answer.not_applicable.as_deref().unwrap_or_default();
            let needs = why.split(" or newer").next().and_then(|needs| needs.strip_prefix("needs PostgreSQL "));
            let is_newer = needs.and_then(Version::parse).is_some_and(|needed| needed.0 > major);
            let of_extension =
                definition.extension.is_some() && (why.contains("or newer") || why.contains("does not offer it"));
            let of_role = why.starts_with("not available on a ");
            if is_newer || of_extension || of_role { None } else { told(why) }
        }
        Ok(answer) => {
            if answer.rows.columns().len() != definition.asked().count() {
                return told("not all columns");
            }
            if answer.rows.is_empty() && NEVER_EMPTY.contains(&view.as_str()) {
                return told("no rows");
            }
            without_key(definition, &answer.rows).and_then(|what| told(&what))
        }
        Err(error) if error.kind == ErrorKind::Permission && role == "plain" => None,
        Err(error) => {
            let message = error.message.as_str();
            let of_extension = definition.extension.is_some() && message.contains("is not installed");
            if of_extension { None } else { told(message) }
        }
    }
}

/// A view that was answered, but returned rows on no server.
fn nowhere(major: u32, view: &str, answers: &BTreeMap<Asked, Outcome>) -> Option<String> {
    let of_view = answers.iter().filter(|((of, ..), _)| of == view);
    let answered = of_view.filter_map(|(_, outcome)| outcome.as_ref().ok());
    let answered = answered.filter(|answer| answer.not_applicable.is_none());
    let rows: Vec<usize> = answered.map(|answer| answer.rows.len()).collect();
    let none = !rows.is_empty() && rows.iter().all(|rows| *rows == 0);
    none.then(|| format!("PostgreSQL {major}: {view} has no row on any server"))
}

/// Two rows with the same key could not be told apart.
fn without_key(view: &pgwatch::model::View, rows: &RowSet) -> Option<String> {
    use pgwatch::model::view::Source;
    let columns: Vec<usize> = view
        .key
        .iter()
        .filter_map(|column| match view.columns[*column].source {
            Source::Sql { at, .. } => Some(at),
            _ => None,
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    let key = |row: usize| columns.iter().map(|column| rows.cell(row, *column)).collect::<Vec<_>>();
    (0..rows.len()).map(key).find(|key| !seen.insert(key.clone())).map(|key| format!("two rows of the key {key:?}"))
}

/// On each version: a role is told, and figures are there, though the function that tells the role is forbidden; the views
/// that need it or another one lose only what needs them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_functions_leave_the_rest_on_every_version() {
    const FORBIDDEN: [&str; 3] = ["pg_is_in_recovery()", "pg_last_wal_receive_lsn()", "pg_control_checkpoint()"];
    const VIEWS: [&str; 3] = ["topology", "slots", "checkpoints"];
    for install in installs() {
        let major = install.major();
        let cluster = blocking(|| Cluster::builder().install(install).standbys(1).start().unwrap());
        for function in FORBIDDEN {
            blocking(|| {
                let forbid = format!("revoke execute on function {function} from public, pg_monitor");
                cluster.primary().psql(&forbid).unwrap();
            });
        }
        let gone = format!("select not has_function_privilege('pgwatch', '{}', 'execute')", FORBIDDEN[2]);
        blocking(|| cluster.servers().iter().for_each(|server| until(server, "no right", &gone)));
        let nodes: Vec<NodeConfig> = cluster.servers().iter().map(pgwatch::demo::Server::node_config).collect();
        let mut watched = Watched::healthy(nodes.clone()).await;
        let look = |view: &str| Look { view: views::ours()[view].clone(), nodes: None, pace: None };
        watched.handle.send(Command::Look(VIEWS.map(look).into())).await.unwrap();
        for (node, (role, missing)) in nodes.iter().zip([(Role::Primary, 0), (Role::Standby, 1)]) {
            let facts = watched.ever("figures", |event| match &event.kind {
                EventKind::Facts { node: name, facts } if *name == node.name => Some(facts.clone().unwrap()),
                _ => None,
            });
            let facts = facts.await;
            assert_eq!((facts.role, facts.missing.len()), (role, missing), "PostgreSQL {major}: {facts:?}");
            assert!(facts.wal_position.is_some() && facts.timeline.is_some(), "PostgreSQL {major}: {facts:?}");
            for view in VIEWS {
                let answer = watched.ever(view, |event| match &event.kind {
                    EventKind::View { node: name, view: of, outcome } if *name == node.name && **of == *view => {
                        Some(outcome.clone())
                    }
                    _ => None,
                });
                let answer = answer.await.unwrap_or_else(|error| panic!("PostgreSQL {major}: {view}: {error:?}"));
                assert!(view == "slots" || !answer.rows.is_empty(), "PostgreSQL {major}: {view} of {}", node.name);
            }
        }
        watched.stop().await;
    }
}
