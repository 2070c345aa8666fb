//! One node through the library: sessions, the pool, statements of the user, and their failures, on real servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pgwatch::connection::pool::NodePool;
use pgwatch::connection::query;
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::protocol::{NodeOutcome, NodeRows, QueryRequest};
use pgwatch::model::{BatchId, ErrorKind, NodeConfig, NodeError, Role};
use tokio_util::sync::CancellationToken;

/// A node with a pool, and the little that a manager does with them.
struct Node {
    pool: NodePool,
}

impl Node {
    fn new(config: NodeConfig) -> Self {
        let pool = NodePool::new(Arc::new(config));
        pool.set_available(Ok(()));
        Self { pool }
    }

    fn request(statement: &str) -> QueryRequest {
        QueryRequest {
            batch: BatchId(1),
            statement: statement.to_owned(),
            nodes: Vec::new(),
            timeout: Duration::from_secs(30),
            max_rows: QueryRequest::MAX_ROWS,
            max_bytes: QueryRequest::MAX_BYTES,
        }
    }

    async fn run(&self, request: &QueryRequest) -> NodeOutcome {
        query::run(&self.pool, request, Instant::now(), &CancellationToken::new(), &|_| {}).await
    }

    async fn ask(&self, statement: &str) -> Result<NodeRows, NodeError> {
        self.run(&Self::request(statement)).await.result
    }

    /// The first cell of the first row.
    async fn cell(&self, statement: &str) -> String {
        let rows = self.ask(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        rows.rows.cell(0, 0).unwrap_or_default().to_owned()
    }

    async fn fails(&self, statement: &str) -> NodeError {
        self.ask(statement).await.map(|_| ()).expect_err(statement)
    }

    async fn close(&self) -> u32 {
        self.pool.close(Instant::now() + Duration::from_secs(10)).await
    }
}

fn writable(server: &Server) -> NodeConfig {
    let mut node = server.node_config_as("postgres");
    node.read_only = Some(false);
    node
}

fn sessions(server: &Server) -> u32 {
    let sql = "select count(*) from pg_stat_activity where application_name = 'pgwatch'";
    server.psql(sql).unwrap().trim().parse().unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_open_and_leave_nothing_behind() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let session = session::open(&server.node_config(), SessionKind::Probe).await.unwrap();
    assert_eq!(session.role, Some(Role::Primary));
    let major = session.server_version.split('.').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(session.version_num / 10_000, major);
    session.close(Duration::from_secs(5)).await;
    assert_eq!(sessions(server), 0);

    let mut unix = server.node_config();
    unix.host = server.socket_dir().to_str().unwrap().to_owned();
    let session = session::open(&unix, SessionKind::Probe).await.unwrap();
    session.close(Duration::from_secs(5)).await;
    assert_eq!(sessions(server), 0);

    // Statements over the Unix socket, and their cancellation.
    let node = Node::new(unix);
    assert_eq!(node.cell("select 'over the socket'").await, "over the socket");
    let request = QueryRequest { timeout: Duration::from_millis(300), ..Node::request("select pg_sleep(60)") };
    assert_eq!(node.run(&request).await.result.unwrap_err().kind, ErrorKind::StatementTimeout);
    node.close().await;
    assert_eq!(sessions(server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_on_a_read_only_node_write_nothing() {
    let cluster = Cluster::builder().standbys(1).start().unwrap();
    let server = cluster.primary();
    server.psql("create table t (a int); insert into t values (1); create type mood as enum ('ok')").unwrap();
    let node = Node::new(server.node_config_as("postgres"));

    let rows = node.ask("select 1::int4 as one, null::text, '{1,2}'::int8[] as list, 1.50::numeric, 'ok'::mood").await;
    let rows = rows.unwrap();
    let columns = rows.rows.columns().iter().map(|c| (c.name.as_str(), c.type_name.as_str())).collect::<Vec<_>>();
    assert_eq!(
        columns,
        [("one", "int4"), ("text", "text"), ("list", "_int8"), ("numeric", "numeric"), ("mood", "mood")]
    );
    let cells = rows.rows.row(0).collect::<Vec<_>>();
    assert_eq!(cells, [Some("1"), None, Some("{1,2}"), Some("1.50"), Some("ok")]);
    assert_eq!((rows.row_count, rows.truncated), (1, None));
    assert_eq!(node.cell("select 'ok'::mood").await, "ok");
    assert_eq!(node.cell("select 'ok'::mood").await, "ok");

    // The settings of our sessions, as the server sees them.
    for (setting, value) in [
        ("application_name", "pgwatch"),
        ("transaction_read_only", "on"),
        ("default_transaction_read_only", "on"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("client_encoding", "UTF8"),
        ("search_path", "\"$user\", public"),
    ] {
        assert_eq!(node.cell(&format!("show {setting}")).await, value, "{setting}");
    }
    let version = node.cell("show server_version_num").await.parse::<u32>().unwrap();
    if version >= 140_000 {
        assert_eq!(node.cell("show client_connection_check_interval").await, "1s");
    }

    // Nothing is written, whatever the statement tries, and each error says why.
    for statement in [
        "insert into t values (2)",
        "create table u ()",
        "set default_transaction_read_only = off",
        "set transaction read write",
        "begin read write",
        "do $$ begin perform set_config('transaction_read_only', 'off', false); insert into t values (3); end $$",
        "vacuum t",
    ] {
        let error = node.fails(statement).await;
        let refused = error.kind == ErrorKind::ReadOnly || statement.starts_with("do");
        assert!(refused, "{statement}: {error:?}");
        assert!(error.hint.is_some() || statement.starts_with("do"), "{statement}: {error:?}");
    }
    let error = node.fails("select 1; select 2").await;
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Sql, Some("42601")));
    assert_eq!(node.fails("commit; drop table t").await.sqlstate.as_deref(), Some("42601"));
    assert_eq!(node.fails("select * from nope").await.message, "relation \"nope\" does not exist (at character 15)");
    assert_eq!(node.fails("select 1 / 0").await.sqlstate.as_deref(), Some("22012"));
    assert_eq!(node.fails("copy t to stdout").await.kind, ErrorKind::Sql);
    assert!(node.fails("copy t to stdout").await.message.contains("COPY"));
    assert_eq!(node.fails("select '\0'").await.kind, ErrorKind::Sql);
    assert_eq!(node.ask("").await.unwrap().row_count, 0);
    assert_eq!(node.cell("select count(*) from t").await, "1");
    assert_eq!(node.cell("explain (costs off) select 1").await, "Result");

    // What a statement sets or locks is gone afterwards.
    assert_eq!(node.cell("select set_config('work_mem', '77kB', false)").await, "77kB");
    assert_ne!(node.cell("show work_mem").await, "77kB");
    node.ask("select pg_advisory_lock(7)").await.unwrap();
    until("the advisory lock is gone", async || {
        server.psql("select count(*) from pg_locks where locktype = 'advisory'").unwrap().trim() == "0"
    })
    .await;
    node.ask("commit").await.unwrap();
    node.ask("prepare p as select 1").await.unwrap();
    node.ask("prepare p as select 1").await.unwrap();

    let rows = node.ask("do $$ begin raise notice 'hello'; raise warning 'careful'; end $$").await.unwrap();
    let notices = rows.notices.iter().map(|n| (n.severity.as_str(), n.sqlstate.as_str(), n.message.as_str()));
    assert_eq!(notices.collect::<Vec<_>>(), [("NOTICE", "00000", "hello"), ("WARNING", "01000", "careful")]);

    let standby = Node::new(cluster.server("standby1").node_config());
    assert_eq!(standby.cell("select pg_is_in_recovery()").await, "t");
    assert_eq!(standby.cell("select 2").await, "2");
    assert!((1..=2).contains(&standby.close().await));

    // A session is given back after the leftovers of its statement are cleared away.
    until("every session is given back", async || node.pool.stats().active == 0).await;
    let stats = node.pool.stats();
    assert_eq!((stats.waiting, stats.timed_out), (0, 0));
    assert!(stats.opened < 12, "sessions are used again: {stats:?}");
    node.close().await;
    assert_eq!(sessions(server), 0);
    assert_eq!(node.fails("select 1").await.kind, ErrorKind::NotConnected);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_on_a_writable_node_write_and_leave_no_session_state() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let node = Node::new(writable(server));
    assert_eq!(node.ask("create table t (a int)").await.unwrap().row_count, 0);
    assert_eq!(node.ask("insert into t select generate_series(1, 5)").await.unwrap().row_count, 5);
    assert_eq!(node.ask("update t set a = a + 1 where a > 3").await.unwrap().row_count, 2);
    assert_eq!(node.ask("insert into t values (9) returning a").await.unwrap().rows.cell(0, 0), Some("9"));
    node.ask("vacuum t").await.unwrap();
    node.ask("listen news").await.unwrap();
    node.ask("notify news").await.unwrap();
    // An open transaction, a setting, a temporary table: all gone before the next statement.
    node.ask("begin").await.unwrap();
    node.ask("set work_mem = '77kB'").await.unwrap();
    node.ask("create temp table mine ()").await.unwrap();
    assert_ne!(node.cell("show work_mem").await, "77kB");
    assert_eq!(node.cell("select to_regclass('mine') is null").await, "t");
    assert_eq!(node.cell("select count(*) from pg_stat_activity where state = 'idle in transaction'").await, "0");
    let error = node.fails("copy t from stdin").await;
    assert!(error.message.contains("COPY"), "{error:?}");
    assert_eq!(node.cell("select count(*) from t").await, "6");
    node.close().await;
    assert_eq!(sessions(server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_bounded_in_time_and_stopped_on_the_server() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let node = Node::new(server.node_config());
    let working = || {
        let sql = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%' \
                   and pid <> pg_backend_pid()";
        server.psql(sql).unwrap().trim() == "1"
    };

    let began = Instant::now();
    let request = QueryRequest { timeout: Duration::from_millis(500), ..Node::request("select pg_sleep(60)") };
    let error = node.run(&request).await.result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::StatementTimeout, "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(!working(), "the server works on");

    let cancel = CancellationToken::new();
    let request = Node::request("select pg_sleep(61)");
    let quiet = |_: usize| {};
    let running = query::run(&node.pool, &request, Instant::now(), &cancel, &quiet);
    let outcome = tokio::join!(running, async {
        until("it runs", async || working()).await;
        cancel.cancel();
    });
    assert_eq!(outcome.0.result.unwrap_err().kind, ErrorKind::Cancelled);
    assert!(!working(), "the server works on");

    // Dropped half way: the caller no longer waits, but the server still stops the statement.
    let request = Node::request("select pg_sleep(62)");
    tokio::select! {
        outcome = node.run(&request) => panic!("{outcome:?}"),
        () = until("it runs", async || working()) => {}
    }
    until("it stopped", async || !working()).await;

    // Another session ends it in the middle.
    let request = Node::request("select pg_sleep(63)");
    let (outcome, ()) = tokio::join!(node.run(&request), async {
        until("it runs", async || working()).await;
        server.psql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(63)'").unwrap();
    });
    let error = outcome.result.unwrap_err();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Terminated, Some("57P01")), "{error:?}");

    // Ended while idle in the pool: the next statement does not notice.
    assert_eq!(node.cell("select 1").await, "1");
    server.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    assert_eq!(node.cell("select 2").await, "2");

    // A lock that another session holds.
    server.psql("create table t (a int); grant select on t to public").unwrap();
    let admin = Node::new(writable(server));
    let hold = Node::request("do $$ begin lock table t; perform pg_sleep(60); end $$");
    tokio::select! {
        outcome = admin.run(&hold) => panic!("{outcome:?}"),
        () = async {
            until("the lock is held", async || working()).await;
            let wait = "do $$ begin set local lock_timeout = '100ms'; perform a from t; end $$";
            assert_eq!(node.fails(wait).await.kind, ErrorKind::LockTimeout);
        } => {}
    }
    admin.close().await;

    node.close().await;
    assert_eq!(sessions(server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_costs_no_more_than_the_timeout() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let node = Node::new(server.node_config());
    assert_eq!(node.cell("select 1").await, "1");
    server.freeze().unwrap();
    let began = Instant::now();
    let request = QueryRequest { timeout: Duration::from_millis(500), ..Node::request("select 2") };
    let error = node.run(&request).await.result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // Another statement runs into the lock and is dropped; closing waits no longer than its limit.
    let request = QueryRequest { timeout: Duration::from_mins(1), ..Node::request("select 3") };
    let dropped = tokio::time::timeout(Duration::from_millis(200), node.run(&request)).await;
    assert!(dropped.is_err());
    let began = Instant::now();
    node.pool.close(Instant::now() + Duration::from_secs(2)).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(node.pool.stats().open, 0);
    server.thaw().unwrap();
    until("nothing is left", async || sessions(server) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_cut_in_bounded_memory() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let node = Node::new(server.node_config());
    let told = AtomicUsize::new(0);
    let reading = |rows: usize| {
        told.fetch_max(rows, Ordering::Relaxed);
    };
    let request = Node::request("select g, repeat('x', 20) from generate_series(1, 10000000) g");
    let outcome = query::run(&node.pool, &request, Instant::now(), &CancellationToken::new(), &reading).await;
    let rows = outcome.result.unwrap();
    assert_eq!((rows.row_count, rows.truncated.as_deref()), (100_000, Some("cut at 100,000 rows")));
    assert!(told.load(Ordering::Relaxed) >= 99_000);

    assert_eq!(node.cell("select repeat('é', 5000000)").await.len(), 10_000_000);
    let rows = node.ask("select repeat('x', 1000000) from generate_series(1, 200)").await.unwrap();
    assert_eq!(rows.truncated.as_deref(), Some("cut at 64 MB"));
    assert_eq!(rows.row_count, 67);
    let request = QueryRequest { max_bytes: 1_001, ..Node::request("select repeat('é', 5000)") };
    let rows = node.run(&request).await.result.unwrap();
    assert_eq!(
        (rows.rows.cell(0, 0).map(str::len), rows.truncated.as_deref()),
        (Some(1_000), Some("cut at 1,001 bytes"))
    );

    let error = node.fails("select repeat('x', 300000000)").await;
    assert!(error.message.contains("a row of 286 MB is larger than the limit of 64 MB"), "{error:?}");
    assert_eq!(node.cell("select 1").await, "1");
    node.close().await;
    // A server that was cut off in the middle of a row notices it with its next write.
    until("no session is left", async || sessions(server) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_says_so_and_is_counted() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let mut config = server.node_config();
    config.pool.max = 2;
    config.pool.connect_timeout = Duration::from_secs(3);
    config.pool.min = 1;
    let node = Node::new(config);
    let cancel = CancellationToken::new();
    let request = Node::request("select pg_sleep(60)");
    let quiet = |_: usize| {};
    let busy = || query::run(&node.pool, &request, Instant::now(), &cancel, &quiet);
    let (one, two, ()) = tokio::join!(busy(), busy(), async {
        until("two are out", async || node.pool.stats().active == 2).await;
        let error = node.fails("select 1").await;
        assert_eq!(error.kind, ErrorKind::Busy, "{error:?}");
        assert!(error.message.contains("all 2 connections"), "{error:?}");
        let stats = node.pool.stats();
        assert_eq!((stats.max, stats.open, stats.active, stats.idle, stats.waiting), (2, 2, 2, 0, 0), "{stats:?}");
        assert_eq!((stats.gets, stats.timed_out), (3, 1), "{stats:?}");
        cancel.cancel();
    });
    assert_eq!(one.result.unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(two.result.unwrap_err().kind, ErrorKind::Cancelled);

    // A node that is down answers at once, and has its totals when it is back.
    until("min is there again", async || node.pool.stats().open == 1).await;
    let before = node.pool.stats();
    node.pool.set_available(Err(NodeError::new(ErrorKind::Refused, "refused")));
    let began = Instant::now();
    assert_eq!(node.fails("select 1").await.kind, ErrorKind::Refused);
    assert!(began.elapsed() < node.pool.node().pool.connect_timeout, "it does not wait for a connection");
    until("nothing is open", async || node.pool.stats().open == 0 && sessions(server) == 0).await;
    node.pool.set_available(Ok(()));
    assert_eq!(node.cell("select 1").await, "1");
    let after = node.pool.stats();
    assert_eq!((after.gets, after.opened > before.opened), (before.gets + 2, true), "{before:?} {after:?}");
    assert_eq!(after.opened - after.closed, u64::from(after.open));
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_beyond_min_are_closed_and_min_is_kept() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let mut config = server.node_config();
    config.pool.idle_timeout = Duration::from_millis(900);
    config.pool.min = 1;
    let node = Node::new(config);
    let both = "select pg_sleep(0.5)";
    let (one, two) = tokio::join!(node.ask(both), node.ask(both));
    one.and(two).unwrap();
    let opened = node.pool.stats().opened;
    until("the surplus is closed", async || node.pool.stats().open == 1 && sessions(server) == 1).await;
    let first = server.psql("select pid from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let later = server.psql("select pid from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    assert_eq!(first, later, "the session that is kept is not opened anew");
    assert_eq!(node.pool.stats().opened, opened);
    // A session that the server ended is replaced without a request.
    server.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    until("min is there again", async || {
        let now = server.psql("select pid from pg_stat_activity where application_name = 'pgwatch'").unwrap();
        !now.trim().is_empty() && now != first
    })
    .await;
    node.close().await;
    assert_eq!(sessions(server), 0);
}
