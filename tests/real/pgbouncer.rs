//! Through PgBouncer, in session and in transaction mode: what works there, and that nothing of ours remains on the
//! connections that other programs share.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgwatch::connection::pool::NodePool;
use pgwatch::connection::query;
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::facts::Part;
use pgwatch::model::protocol::{NodeRows, QueryRequest};
use pgwatch::model::{BatchId, ErrorKind, EventKind, NodeConfig, NodeError, Role};
use tokio_util::sync::CancellationToken;

use crate::support::watched::Watched;

/// A PgBouncer in front of `server`, ended when dropped.
struct Bouncer {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(flag: &str) -> u32 {
    let output = Command::new("id").args([flag, "postgres"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect("there is a user postgres")
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// Starts a PgBouncer and waits until it listens; tries another port if this one is taken.
async fn bouncer(server: &Server, mode: &str) -> Bouncer {
    for _ in 0..5 {
        let mut bouncer = start(server, mode);
        let deadline = Instant::now() + Duration::from_secs(20);
        while bouncer.child.try_wait().unwrap().is_none() {
            if tokio::net::TcpStream::connect(("127.0.0.1", bouncer.port)).await.is_ok() {
                return bouncer;
            }
            assert!(Instant::now() < deadline, "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("pgbouncer ends at once");
}

fn start(server: &Server, mode: &str) -> Bouncer {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Below the ports that the kernel uses for outgoing connections.
    let port = fastrand::u16(12_000..32_000);
    let password = server.password().expose();
    let users = dir.path().join("users.txt");
    write(&users, &format!("\"pgwatch\" \"{password}\"\n\"postgres\" \"{password}\"\n"));
    let config = dir.path().join("pgbouncer.ini");
    write(
        &config,
        &format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 2\n",
            server.port(),
            users.display(),
        ),
    );
    let mut command = Command::new("pgbouncer");
    command.arg("-q").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        // PgBouncer refuses to run as root.
        let (user, group) = (id("-u"), id("-g"));
        chown(dir.path(), Some(user), Some(group)).unwrap();
        command.uid(user).gid(group);
    }
    let child = command.spawn().expect("pgbouncer starts (Debian: apt-get install pgbouncer)");
    Bouncer { child, port, _dir: dir }
}

async fn ask(pool: &NodePool, statement: &str, timeout: Duration) -> Result<NodeRows, NodeError> {
    let request = QueryRequest {
        batch: BatchId(1),
        statement: statement.to_owned(),
        nodes: Vec::new(),
        timeout,
        max_rows: 100,
        max_bytes: 1 << 20,
    };
    query::run(pool, &request, Instant::now(), &CancellationToken::new(), &|_| {}).await.result
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
