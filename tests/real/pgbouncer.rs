//! Through PgBouncer in each of its modes: what works there, and that nothing of ours remains on the connections that other
//! programs share.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::connection::pool::NodePool;
use pgwatch::connection::query as asking;
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::facts::{Part, Pooling};
use pgwatch::model::protocol::{Look, NodeRows, QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Command, ErrorKind, Event, EventKind, NodeConfig, NodeError, Role};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use crate::support::pooler::{bouncer, bouncer_with};
use crate::support::pty::{Tui, ending};
use crate::support::servers::ConfigFile;
use crate::support::stage::LEAVING;
use crate::support::wait::PATIENCE;
use crate::support::watched::{Watched, blocking, name, query};

async fn ask(pool: &NodePool, statement: &str, timeout: Duration) -> Result<NodeRows, NodeError> {
    let request = QueryRequest {
        batch: BatchId(1),
        statement: statement.to_owned(),
        nodes: Vec::new(),
        timeout,
        max_rows: 100,
        max_bytes: 1 << 20,
    };
    asking::run(pool, &request, Instant::now(), &CancellationToken::new(), &|_| {}).await.result
}

async fn cell(pool: &NodePool, statement: &str) -> String {
    let rows =
        ask(pool, statement, Duration::from_secs(30)).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    rows.rows.cell(0, 0).unwrap_or_default().to_owned()
}

fn pool(node: &NodeConfig) -> NodePool {
    let pool = NodePool::new(node.clone().into());
    pool.set_available(Ok(()));
    pool
}

async fn works_through(mode: &str) {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    server.psql("create table t (a int); grant all on t to public; create type mood as enum ('ok')").unwrap();
    let bouncer = bouncer(server, mode).await;
    let mut node = server.node_config();
    node.port = bouncer.port;

    let session = session::open(&node, SessionKind::Probe).await.unwrap();
    assert_eq!(session.role, Some(Role::Primary));
    assert!(session.version_num >= 100_000);
    session.close(Duration::from_secs(5)).await;

    // Statements are read-only and limited, though PgBouncer ignored the settings of the session.
    let reader = pool(&node);
    for _ in 0..3 {
        assert_eq!(cell(&reader, "select 'ok'::mood").await, "ok");
        assert_eq!(cell(&reader, "show transaction_read_only").await, "on");
        assert_eq!(cell(&reader, "show lock_timeout").await, "10s");
    }
    let error = ask(&reader, "insert into t values (1)", Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReadOnly, "{error:?}");
    let error = ask(&reader, "select 1; select 2", Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.sqlstate.as_deref(), Some("42601"), "{error:?}");
    let error = ask(&reader, "select pg_sleep(60)", Duration::from_millis(700)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::StatementTimeout, "{error:?}");
    let sleeping = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%' \
                    and pid <> pg_backend_pid()";
    assert_eq!(server.psql(sleeping).unwrap().trim(), "0", "the server works on");
    assert_eq!(cell(&reader, "select 2").await, "2");

    // Other users of those connections find them unchanged.
    node.read_only = Some(false);
    let writer = pool(&node);
    for _ in 0..3 {
        ask(&writer, "insert into t values (2)", Duration::from_secs(30)).await.unwrap();
        for (setting, value) in [
            ("default_transaction_read_only", "off"),
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("search_path", "\"$user\", public"),
        ] {
            assert_eq!(cell(&writer, &format!("show {setting}")).await, value, "{setting}");
        }
    }
    assert_eq!(cell(&reader, "select count(*) from t").await, "3");
    for pool in [reader, writer] {
        assert!(pool.stats().opened < 12, "{:?}", pool.stats());
        pool.close(Instant::now() + Duration::from_secs(10)).await;
    }

    // PgBouncer's own refusals are classified too.
    let mut stranger = node.clone();
    "nobody".clone_into(&mut stranger.user);
    let error = session::open(&stranger, SessionKind::Test).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
    let mut nowhere = node.clone();
    "nope".clone_into(&mut nowhere.database);
    let error = session::open(&nowhere, SessionKind::Test).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoDatabase, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pgwatch_works_through_a_pooler_in_session_mode() {
    works_through("session").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pgwatch_works_through_a_pooler_in_transaction_mode() {
    works_through("transaction").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pgwatch_works_through_a_pooler_in_statement_mode() {
    works_through("statement").await;
}

/// A session of another program, which lasts until its client is dropped.
async fn other(server: &Server, port: u16) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user("pgwatch").dbname("postgres").application_name("other");
    let (client, connection) = config.password(server.password().expose()).connect(NoTls).await.unwrap();
    #[allow(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    client
}

/// What another program of the same role finds on each of the pooler's two connections: the process, all settings, and how
/// many statements are prepared.
async fn found_by_others(server: &Server, port: u16) -> BTreeMap<i32, (BTreeSet<String>, String)> {
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = other(server, port).await;
        // Both are held at the same time, so they are different ones.
        client.batch_execute("begin").await.unwrap();
        clients.push(client);
    }
    let mut found = BTreeMap::new();
    for client in clients {
        let sql = "select pg_catalog.pg_backend_pid(), (select count(*) from pg_catalog.pg_prepared_statements), name || ' = ' || setting \
                   from pg_catalog.pg_settings";
        for message in client.simple_query(sql).await.unwrap() {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let pid = row.get(0).unwrap().parse().unwrap();
            let of: &mut (BTreeSet<String>, String) = found.entry(pid).or_default();
            row.get(1).unwrap().clone_into(&mut of.1);
            of.0.insert(row.get(2).unwrap().to_owned());
        }
        client.batch_execute("rollback").await.unwrap();
    }
    found
}

/// Whatever pgwatch asks, other programs find the connections as they were; and what they have put in the way of its names
/// is not called: the views tell the same as over a direct connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_on_the_connections_of_a_pooler_and_nothing_there_is_trusted() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    server
        .psql(
            "create table t (a int); grant all on t to public; create type mood as enum ('ok');
             create schema mon; grant usage on schema mon to public;
             create view mon.pg_stat_activity as select 1 as nothing; grant select on mon.pg_stat_activity to public;
             create function mon.pg_is_in_recovery() returns bool language sql as 'select true';
             create function mon.pg_backend_pid() returns int language sql as 'select 1';
             create function mon.current_setting(text) returns text language sql as $$select 'none'$$;
             create function mon.set_config(text, text, bool) returns text language sql as $$select 'none'$$;
             create function mon.never(int, int) returns bool language plpgsql as $$begin raise 'called'; end$$;
             create operator mon.<> (leftarg = int, rightarg = int, function = mon.never);
             create operator mon.= (leftarg = int, rightarg = int, function = mon.never);
             alter role pgwatch set search_path = mon, pg_catalog, public;
             alter role pgwatch set statement_timeout = '77s'; alter role pgwatch set work_mem = '5MB'",
        )
        .unwrap();
    let lines = "default_pool_size = 2\nignore_startup_parameters = options,extra_float_digits\n";
    let bouncer = bouncer_with(server, "transaction", lines).await;
    let before = found_by_others(server, bouncer.port).await;
    assert_eq!(before.len(), 2, "connections");

    let direct = NodeConfig { name: name("direct"), ..server.node_config() };
    let pooled = NodeConfig { name: name("pooled"), port: bouncer.port, ..server.node_config() };
    let writer = NodeConfig { name: name("writer"), read_only: Some(false), ..pooled.clone() };
    let names = [direct.name.clone(), pooled.name.clone(), writer.name.clone()];
    let mut watched = Watched::healthy(vec![direct, pooled, writer]).await;
    let looks = views::ours().values().map(|view| Look { view: view.clone(), nodes: None, pace: None }).collect();
    watched.handle.send(Command::Look(looks)).await.unwrap();
    let mut told = BTreeMap::new();
    while told.len() < names.len() * views::ours().len() {
        let (asked, said) = watched
            .until("all views", |event| match &event.kind {
                EventKind::View { node, view, outcome } => {
                    let said = outcome.as_ref().map(|answer| (answer.not_applicable.clone(), answer.missing.clone()));
                    Some(((view.to_string(), node.clone()), said.map_err(|error| error.message.clone())))
                }
                _ => None,
            })
            .await;
        told.insert(asked, said);
    }
    for view in views::ours().keys() {
        let [direct, pooled, writer] = names.each_ref().map(|node| &told[&(view.clone(), node.clone())]);
        assert_eq!((pooled, writer), (direct, direct), "{view}");
    }
    for node in &names {
        let role = watched.ever("figures", |event| match &event.kind {
            EventKind::Facts { node: of, facts } if of == node => Some(facts.as_ref().unwrap().role),
            _ => None,
        });
        assert_eq!(role.await, Role::Primary, "{node}");
    }
    let statements = [
        "select 'ok'::public.mood",
        "select array['ok'::public.mood], row(1, 'ok'::public.mood)",
        "select no_such_column",
        "insert into public.t values (1)",
        "show statement_timeout",
    ];
    for (batch, statement) in (1..).zip(statements) {
        let run = query(batch, statement, &names.each_ref());
        watched.handle.send(Command::Run(run)).await.unwrap();
        for _ in &names {
            let done = watched.until("an answer", |event| match &event.kind {
                EventKind::Query { batch: id, progress: QueryProgress::NodeDone { node, outcome } } => {
                    (id.0 == batch).then(|| (node.clone(), outcome.result.clone()))
                }
                _ => None,
            });
            let (node, result) = done.await;
            let may_insert = statement.starts_with("insert") && node.as_str() == "writer";
            let expected = statement.starts_with("show") || statement.contains("ok") || may_insert;
            assert_eq!(result.is_ok(), expected, "{statement} on {node}: {result:?}");
        }
    }
    watched.stop().await;
    let after = found_by_others(server, bouncer.port).await;
    for (pid, (settings, prepared)) in &after {
        let (known, _) = before.get(pid).unwrap_or_else(|| panic!("{pid} is not one of {:?}", before.keys()));
        assert_eq!(settings.difference(known).collect::<Vec<_>>(), Vec::<&String>::new(), "process {pid}");
        assert_eq!(prepared, "0", "process {pid}");
    }
    assert_eq!(after.len(), 2);
}

/// How the pooler hands out its connections is told once it has shown it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_of_a_pooler_is_told() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    for (mode, pooling) in
        [("session", Pooling::Session), ("transaction", Pooling::Transaction), ("statement", Pooling::Statement)]
    {
        let bouncer = bouncer_with(server, mode, "default_pool_size = 9\n").await;
        let node = NodeConfig { port: bouncer.port, ..server.node_config() };
        let mut watched = Watched::healthy(vec![node]).await;
        watched.handle.send(Command::SetRefresh(Duration::from_millis(250))).await.unwrap();
        let told = |event: &Event| match &event.kind {
            EventKind::Server { server, .. } if server.pooling == Some(pooling) => Some(()),
            EventKind::Facts { facts: Err(error), .. } => panic!("{mode}: {error:?}"),
            _ => None,
        };
        watched.ever(mode, told).await;
        watched.stop().await;
    }
    let mut watched = Watched::healthy(vec![server.node_config()]).await;
    let pooling = watched.ever("figures", |event| match &event.kind {
        EventKind::Server { server, .. } => Some(server.pooling),
        _ => None,
    });
    assert_eq!(pooling.await, None, "no pooler");
    watched.stop().await;
}

/// At the narrowest width at which settings stand beside the summary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_a_node_names_the_mode_of_its_pooler() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let bouncer = bouncer(server, "transaction").await;
    let config = ConfigFile::with_ports("", [(server, bouncer.port)]);
    blocking(|| {
        let mut tui = Tui::start(&["--config", config.arg()], 100, 40, &[]);
        tui.wait_text("● healthy", PATIENCE);
        tui.press("<enter>");
        tui.wait_text("through a pooler (transaction)", PATIENCE);
        tui.press("qq");
        assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0");
    });
}

/// A pooler whose connections are all in use lets clients in and lets them wait: the error says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pooler_is_not_taken_for_a_server_that_hangs_at_the_login() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let bouncer = bouncer_with(server, "transaction", "default_pool_size = 1\n").await;
    let client = other(server, bouncer.port).await;
    client.batch_execute("begin").await.unwrap();
    let mut node = NodeConfig { port: bouncer.port, ..server.node_config() };
    node.pool.connect_timeout = Duration::from_secs(1);
    let error = session::open(&node, SessionKind::Probe).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error:?}");
    assert!(error.message.contains("accepts the login, but does not answer within 1"), "{error:?}");
    assert!(error.hint.is_some_and(|hint| hint.contains("pooler")));
    client.batch_execute("rollback").await.unwrap();
    session::open(&node, SessionKind::Probe).await.unwrap();
}

/// Where nothing is prepared, a forbidden function takes away only what needs it, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_function_takes_away_only_what_needs_it_behind_a_pooler() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    server.psql("revoke execute on function pg_stat_get_wal_senders(), pg_conf_load_time() from public").unwrap();
    let bouncer = bouncer(server, "transaction").await;
    let node = NodeConfig { port: bouncer.port, ..server.node_config() };
    let mut watched = Watched::healthy(vec![node]).await;
    for _ in 0..2 {
        let facts = watched.until("figures", |event| match &event.kind {
            EventKind::Facts { facts, .. } => Some(facts.clone().unwrap()),
            _ => None,
        });
        let facts = facts.await;
        let missing: Vec<Part> = facts.missing.iter().map(|missing| missing.part).collect();
        assert_eq!(missing, [Part::Senders, Part::ConfigLoaded]);
        assert!(facts.wal_position.is_some() && facts.active.is_some(), "{facts:?}");
    }
    watched.stop().await;
}
