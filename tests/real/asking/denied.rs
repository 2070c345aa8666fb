//! Whatever a role may not use of the system catalog takes away only what needs it, and the reason is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use pgwatch::config::views;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::{Target, Version};
use pgwatch::model::{Command, EventKind, HealthState, Role, View};

use super::{Outcome, database, look, run, server};
use crate::support::wait::PATIENCE;
use crate::support::watched::{Watched, blocking, name};

/// The functions and relations of the system catalog that each view names.
fn named(version: u32) -> BTreeMap<(&'static str, String), Vec<Arc<View>>> {
    let list = |sql: &str| -> BTreeSet<String> { server().psql(sql).unwrap().lines().map(str::to_owned).collect() };
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

/// True if each value is there that was there before, or if it is said why not and what would help.
fn is_said(before: &ViewRows, outcome: &Outcome) -> bool {
    let says = |why: &str| why.contains("permission denied");
    match outcome {
        Err(error) => says(&error.message) && error.hint.as_ref().is_some_and(|hint| hint.contains("GRANT")),
        Ok(answer) => match &answer.missing {
            Some(why) => says(why) && why.contains("GRANT"),
            None => known(before).is_subset(&known(answer)),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_may_not_use_takes_away_only_what_needs_it() {
    let (node, objects) = blocking(|| {
        let version = server().psql("select current_setting('server_version_num')::int / 10000").unwrap();
        let node = database("denied", &["create table t (n serial primary key)", "grant select on t to public"]);
        (node, named(version.parse().unwrap()))
    });
    assert!(objects.len() > 80, "{:?}", objects.keys());
    let mut watched = Watched::healthy(vec![node.clone()]).await;
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
                ("execute", format!("function {}", blocking(|| server().psql(&sql).unwrap())))
            }
            _ => ("select", format!("pg_catalog.{object}")),
        };
        blocking(|| run(&node, &[&format!("revoke {right} on {of} from public, pg_monitor, pg_read_all_stats")]));
        look(&watched, &views.iter().collect::<Vec<_>>()).await;
        watched.handle.send(Command::LookNow).await.unwrap();
        let mut left: BTreeSet<&str> = views.iter().map(|view| view.name.as_str()).collect();
        let deadline = Instant::now() + PATIENCE;
        while !left.is_empty() {
            let (view, outcome) = watched
                .until("an answer", |event| match &event.kind {
                    EventKind::View { view, outcome, .. } => Some((view.to_string(), outcome.clone())),
                    _ => None,
                })
                .await;
            assert!(Instant::now() < deadline, "{object} in {left:?}: {outcome:?}");
            if is_said(&before[&view], &outcome) {
                left.remove(view.as_str());
            }
        }
        blocking(|| run(&node, &[&format!("grant {right} on {of} to public")]));
    }
    assert_eq!(watched.state(&name("primary")).await, Some(HealthState::Healthy));
    watched.stop().await;
}
