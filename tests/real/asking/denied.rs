//! Whatever a role may not use of the system catalog takes away only what needs it, and the reason is said.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Instant;

use pgwatch::config::views;
use pgwatch::demo::Server;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::{Target, Version};
use pgwatch::model::{Command, EventKind, HealthState, Role, View};

use super::{Outcome, look};
use crate::support::servers::cluster;
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::{Watched, blocking, name};

/// A transaction that stays open, for the views of sessions and locks to show. It ends when its input is closed.
fn open_transaction(server: &Server) -> Child {
    let mut psql = server.client("postgres");
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "begin; lock table t;").unwrap();
    wait_for("the transaction alone", SOON, || {
        let others = "select string_agg(state, ' ') from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'";
        (server.psql(others).ok()? == "idle in transaction").then_some(())
    });
    child
}

/// The functions and relations of the system catalog that each view names.
fn named(server: &Server) -> BTreeMap<(&'static str, String), Vec<Arc<View>>> {
    let version = server.psql("select current_setting('server_version_num')::int / 10000").unwrap().parse().unwrap();
    let list = |sql: &str| -> BTreeSet<String> { server.psql(sql).unwrap().lines().map(str::to_owned).collect() };
    let functions = list(
        "select proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f' and proname ~ '^pg_'",
    );
    let relations =
        list("select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')");
    let mut objects: BTreeMap<_, Vec<Arc<View>>> = BTreeMap::new();
    for view in views::ours().values() {
        let target = Target { version: Version(version, 0), role: Role::Primary, schema: None, as_bytes: false };
        let Ok(sql) = view.sql(target) else { continue };
        if view.extension.is_some() {
            continue;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for (at, word) in sql.split(|c| !is_name(c)).map(|word| (word.as_ptr() as usize - sql.as_ptr() as usize, word))
        {
            let is_call = sql.get(at + word.len()..).is_some_and(|rest| rest.starts_with('('));
            let kind = if is_call && functions.contains(word) {
                "function"
            } else if !is_call && relations.contains(word) {
                "table"
            } else {
                continue;
            };
            let of = objects.entry((kind, word.to_owned())).or_default();
            if !of.iter().any(|known| known.name == view.name) {
                of.push(Arc::clone(view));
            }
        }
    }
    objects
}

/// The columns that have a value in any row.
fn known(answer: &ViewRows) -> BTreeSet<&str> {
    let rows = &answer.rows;
    let columns = rows.columns().iter().enumerate();
    let known = columns.filter(|(at, _)| (0..rows.len()).any(|row| rows.cell(row, *at).is_some()));
    known.map(|(_, column)| column.name.as_str()).collect()
}

/// The views that are lost whole without a function, on any version: their rows come from it, or are found by it.
const NEEDED: [(&str, &str); 15] = [
    ("pg_backend_pid", "activity"),
    ("pg_backend_pid", "held_locks"),
    ("pg_backend_pid", "locks"),
    ("pg_char_to_encoding", "drift"),
    ("pg_collation_actual_version", "drift"),
    ("pg_ls_tmpdir", "temp_files"),
    ("pg_ls_waldir", "wal_files"),
    ("pg_options_to_table", "autovacuum"),
    ("pg_options_to_table", "bloat"),
    ("pg_options_to_table", "tables"),
    ("pg_partition_ancestors", "publications"),
    ("pg_prepared_xact", "held_locks"),
    ("pg_prepared_xact", "locks"),
    ("pg_stat_get_activity", "locks"),
    ("pg_stat_get_activity", "roles"),
];

/// True if each value is there that was there before, or if it is said why not and what would help. `is_needed`: all may be
/// lost.
fn is_said(before: &ViewRows, outcome: &Outcome, is_needed: bool) -> bool {
    let says = |why: &str| why.contains("permission denied");
    match outcome {
        Err(error) => {
            is_needed && says(&error.message) && error.hint.as_ref().is_some_and(|hint| hint.contains("GRANT"))
        }
        Ok(answer) => match &answer.missing {
            Some(why) => says(why) && why.contains("GRANT"),
            None => known(before).is_subset(&known(answer)),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_may_not_use_takes_away_only_what_needs_it() {
    // A server of its own: what the sessions of other tests would show now is gone a moment later.
    let (cluster, objects, _transaction) = blocking(|| {
        let cluster = cluster().config("autovacuum", "off").start().unwrap();
        let server = cluster.primary();
        server.psql("create table t (n serial primary key); grant select on t to public").unwrap();
        let objects = named(server);
        let transaction = open_transaction(server);
        (cluster, objects, transaction)
    });
    let server = cluster.primary();
    let run = |sql: &str| blocking(|| server.psql(sql).unwrap());
    assert!(objects.len() > 80, "{:?}", objects.keys());
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let mut before = BTreeMap::new();
    let all: Vec<&Arc<View>> = views::ours().values().filter(|view| view.extension.is_none()).collect();
    look(&watched, &all).await;
    for view in &all {
        let answer = watched.ever("an answer", |event| match &event.kind {
            EventKind::View { view: of, outcome, .. } if **of == *view.name => Some(outcome.clone()),
            _ => None,
        });
        before.insert(view.name.clone(), answer.await.unwrap());
    }
    for ((kind, object), views) in &objects {
        let (right, of) = match *kind {
            "function" => {
                let sql =
                    format!("select string_agg(oid::regprocedure::text, ', ') from pg_proc where proname = '{object}'");
                ("execute", format!("function {}", run(&sql)))
            }
            _ => ("select", format!("pg_catalog.{object}")),
        };
        run(&format!("revoke {right} on {of} from public, pg_monitor, pg_read_all_stats"));
        look(&watched, &views.iter().collect::<Vec<_>>()).await;
        watched.handle.send(Command::LookNow).await.unwrap();
        let mut left: BTreeSet<&str> = views.iter().map(|view| view.name.as_str()).collect();
        let deadline = Instant::now() + PATIENCE;
        while !left.is_empty() {
            let (view, outcome) = watched
                .until(&format!("without {object}, an answer to {left:?}"), |event| match &event.kind {
                    EventKind::View { view, outcome, .. } => Some((view.to_string(), outcome.clone())),
                    _ => None,
                })
                .await;
            assert!(Instant::now() < deadline, "{object} in {left:?}: {outcome:?}, before: {:?}", before[&view]);
            let is_needed = *kind == "table" || NEEDED.contains(&(object.as_str(), view.as_str()));
            if is_said(&before[&view], &outcome, is_needed) {
                left.remove(view.as_str());
            }
        }
        run(&format!("grant {right} on {of} to public"));
    }
    assert_eq!(watched.state(&name("primary")).await, Some(HealthState::Healthy));
    watched.stop().await;
}
