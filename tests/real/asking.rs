//! How views are asked: when again after an error, and what a session may remember.

mod denied;
mod hints;
mod shown;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::{Command, EventKind, NodeConfig, NodeError, View};

use crate::support::command::file;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::watched::{Watched, blocking};

type Outcome = Result<Arc<ViewRows>, NodeError>;

/// A server whose databases and roles the tests share among them: each has its own.
fn server() -> &'static Server {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| cluster().config("autovacuum", "off").start().unwrap()).primary()
}

/// A database of a test's own.
fn database(name: &str, statements: &[&str]) -> NodeConfig {
    server().psql(&format!("create database {name}")).unwrap();
    let node = NodeConfig { database: name.to_owned(), ..server().node_config() };
    run(&node, statements);
    node
}

/// Runs statements in the database of the node, as superuser.
fn run(node: &NodeConfig, statements: &[&str]) {
    for statement in statements {
        let mut psql = server().client("postgres");
        psql.args(["-d", &node.database, "-v", "ON_ERROR_STOP=1", "-c", statement]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn yaml_of(node: &NodeConfig, named: &str, user: &str) -> String {
    let (port, password) = (node.port, server().password().expose());
    format!(
        "  {named}: {{host: 127.0.0.1, port: {port}, user: {user}, database: {}, password: {password}}}\n",
        node.database
    )
}

fn config(node: &NodeConfig, user: &str) -> ConfigFile {
    file(&format!("nodes:\n{}", yaml_of(node, "primary", user)))
}

/// Looks at views.
async fn look(watched: &Watched, views: &[&Arc<View>]) {
    let looks = views.iter().map(|view| Look { view: Arc::clone(view), nodes: None, pace: None }).collect();
    watched.handle.send(Command::Look(looks)).await.unwrap();
}

/// The next answer to a view.
async fn next(watched: &mut Watched, of: &View) -> Outcome {
    let what = format!("an answer to {}", of.name);
    watched
        .until(&what, |event| match &event.kind {
            EventKind::View { view, outcome, .. } if **view == *of.name => Some(outcome.clone()),
            _ => None,
        })
        .await
}

/// The answer to a view that is asked for now.
async fn now(watched: &mut Watched, of: &View) -> Outcome {
    watched.handle.send(Command::LookNow).await.unwrap();
    next(watched, of).await
}

fn cell<'a>(view: &View, answer: &'a ViewRows, column: &str) -> Option<&'a str> {
    answer.rows.cell(0, view.asked().position(|asked| asked.name == column).unwrap())
}

fn view_of(name: &str, from: &str) -> Arc<View> {
    let text = format!("title: T\nabout: a\nkey: [n]\nfrom: {from}\ncolumns:\n  n: {{type: int4, about: a}}\n");
    Arc::new(views::from_text(name, &text, "t.yaml").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_error_is_asked_again_at_the_ordinary_pace_and_a_lasting_one_each_minute() {
    let classes = ["40001", "53200", "55000", "57014", "58030", "XX000"];
    let node = blocking(|| {
        let fails = "create function flaky(which text) returns setof int language plpgsql as $$ begin \
                     if exists (select from public.fails) then raise 'not now' using errcode = which; end if; \
                     return next 1; end $$";
        database(
            "passing",
            &["create table fails (); insert into fails default values", fails, "grant select on fails to public"],
        )
    });
    let flaky: Vec<Arc<View>> = classes
        .iter()
        .map(|class| view_of(&format!("of_{}", class.to_lowercase()), &format!("public.flaky('{class}') n")))
        .collect();
    let lasting = view_of("lasting", "public.not_there n");
    let mut watched = Watched::healthy(vec![node.clone()]).await;
    look(&watched, &flaky.iter().chain([&lasting]).collect::<Vec<_>>()).await;
    let mut outcomes: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    let began = Instant::now();
    let mut mended = false;
    let in_time = Duration::from_secs(50);
    while !flaky.iter().all(|view| outcomes.get(&view.name).is_some_and(|of| of.last().is_some_and(Result::is_ok))) {
        let (view, outcome) = watched
            .until("an answer", |event| match &event.kind {
                EventKind::View { view, outcome, .. } => Some((view.to_string(), outcome.clone())),
                _ => None,
            })
            .await;
        outcomes.entry(view).or_default().push(outcome);
        assert!(began.elapsed() < in_time, "not before the minute is over: {outcomes:?}");
        if !mended && flaky.iter().all(|view| outcomes.get(&view.name).is_some_and(|of| of.len() > 1)) {
            blocking(|| run(&node, &["delete from fails"]));
            mended = true;
        }
    }
    assert_eq!(outcomes["lasting"].len(), 1, "{:?}", outcomes["lasting"]);
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_remembers_of_an_extension_may_change() {
    let node =
        blocking(|| database("moved", &["create extension pg_stat_statements version '1.9'", "create schema mon"]));
    let statements = Arc::clone(&views::ours()["statements"]);
    let mut watched = Watched::healthy(vec![node.clone()]).await;
    look(&watched, &[&statements]).await;
    assert!(!next(&mut watched, &statements).await.unwrap().rows.is_empty());
    // Each change is followed by the first answer, which is right.
    for (change, is_there) in [
        ("grant usage on schema mon to pgwatch; alter extension pg_stat_statements set schema mon", true),
        ("alter extension pg_stat_statements update", true),
        ("drop extension pg_stat_statements", false),
        ("create extension pg_stat_statements", true),
        ("alter extension pg_stat_statements set schema mon", true),
        (
            "drop schema mon cascade; create schema other; grant usage on schema other to pgwatch; create extension pg_stat_statements schema other",
            true,
        ),
    ] {
        blocking(|| run(&node, &[change]));
        let outcome = now(&mut watched, &statements).await;
        match (is_there, outcome) {
            (true, Ok(answer)) => assert!(!answer.rows.is_empty(), "{change}"),
            (false, Err(error)) => {
                assert_eq!(error.message, "pg_stat_statements is not installed in database moved");
                let hint = error.hint.unwrap();
                assert_eq!(hint, "run CREATE EXTENSION pg_stat_statements in that database");
            }
            (_, outcome) => panic!("after {change}: {outcome:?}"),
        }
    }
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_remembers_of_its_role_and_its_objects_may_change() {
    let node = blocking(|| {
        server().psql("create role reader; create role owner_of_all; grant reader, owner_of_all to pgwatch").unwrap();
        database("renewed", &["create table t as select 1 as n", "grant select on t to reader"])
    });
    blocking(|| run(&node, &["alter role pgwatch in database renewed set role = reader"]));
    let view = view_of("mine", "public.t");
    let mut watched = Watched::healthy(vec![node.clone()]).await;
    look(&watched, &[&view]).await;
    assert_eq!(next(&mut watched, &view).await.unwrap().rows.len(), 1);
    // The role that a session acts for is that of its beginning, until another one begins.
    blocking(|| {
        run(
            &node,
            &[
                "alter role pgwatch in database renewed set role = owner_of_all",
                "grant select on t to owner_of_all; revoke select on t from reader",
            ],
        );
    });
    assert_eq!(now(&mut watched, &view).await.map(|answer| answer.rows.len()), Ok(1));
    blocking(|| run(&node, &["drop table t"]));
    let error = now(&mut watched, &view).await.unwrap_err();
    assert_eq!(error.sqlstate.as_deref(), Some("42P01"), "{error:?}");
    blocking(|| run(&node, &["create view t as select 2::int8 as n", "grant select on t to owner_of_all"]));
    let answer = now(&mut watched, &view).await.unwrap();
    assert_eq!(cell(&view, &answer, "n"), Some("2"));
    // A right that is granted meanwhile counts at the next question.
    blocking(|| run(&node, &["revoke select on t from owner_of_all"]));
    assert_eq!(now(&mut watched, &view).await.unwrap_err().sqlstate.as_deref(), Some("42501"));
    blocking(|| run(&node, &["grant select on t to owner_of_all"]));
    assert_eq!(now(&mut watched, &view).await.map(|answer| answer.rows.len()), Ok(1));
    // A database that is dropped and made again.
    let again = blocking(|| {
        server().psql("drop database renewed with (force)").unwrap();
        database("renewed", &["create table t as select 3 as n", "grant select on t to public"])
    });
    assert_eq!(again.database, node.database);
    let answer = watched
        .until("the new table", |event| match &event.kind {
            EventKind::View { outcome: Ok(answer), .. } => Some(Arc::clone(answer)),
            _ => None,
        })
        .await;
    assert_eq!(cell(&view, &answer, "n"), Some("3"));
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_promotion_each_view_is_asked_as_of_a_primary() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let standby = cluster.server("standby1");
    let [receivers, subscriptions] = ["receivers", "subscriptions"].map(|view| Arc::clone(&views::ours()[view]));
    let mut watched = Watched::healthy(vec![standby.node_config()]).await;
    look(&watched, &[&receivers, &subscriptions]).await;
    let lacks = |outcome: Outcome| outcome.unwrap().not_applicable.clone();
    assert_eq!(lacks(next(&mut watched, &subscriptions).await).as_deref(), Some("not available on a standby"));
    assert_eq!(lacks(now(&mut watched, &receivers).await), None);
    let began = Instant::now();
    blocking(|| standby.psql("select pg_promote()").unwrap());
    let (mut is_asked, mut is_gone) = (false, false);
    while !(is_asked && is_gone) {
        let (view, lacks) = watched
            .until("answers of a primary", |event| match &event.kind {
                EventKind::View { view, outcome, .. } => Some((view.to_string(), lacks(outcome.clone()))),
                _ => None,
            })
            .await;
        is_asked |= view == "subscriptions" && lacks.is_none();
        is_gone |= view == "receivers" && lacks.as_deref() == Some("not available on a primary");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "not a minute later: {:?}", began.elapsed());
    watched.stop().await;
}
