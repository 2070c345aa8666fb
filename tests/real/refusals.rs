//! Every way in which a connection can fail, by real faults: each has its kind, a clear text and a remedy, and none
//! takes longer than the attempt may.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use pgwatch::connection::pool::NodePool;
use pgwatch::connection::query;
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::{Cluster, StopMode};
use pgwatch::model::protocol::QueryRequest;
use pgwatch::model::{BatchId, ErrorKind, NodeConfig, NodeError, NodeName, PasswordSource, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Opens a session alone and one through a pool: both must report the same error.
async fn refused(node: &NodeConfig) -> NodeError {
    let began = Instant::now();
    let alone = session::open(node, SessionKind::Probe).await.map(|_| ()).expect_err("it opened");
    let pool = NodePool::new(node.clone().into());
    pool.set_available(Ok(()));
    let request = QueryRequest {
        batch: BatchId(1),
        statement: "select 1".to_owned(),
        nodes: Vec::new(),
        timeout: Duration::from_secs(30),
        max_rows: 1,
        max_bytes: 1_000,
    };
    let outcome = query::run(&pool, &request, Instant::now(), &CancellationToken::new(), &|_| {}).await;
    let pooled = outcome.result.map(|_| ()).expect_err("it ran");
    assert_eq!(alone.kind, pooled.kind, "{alone:?} {pooled:?}");
    pool.close(Instant::now() + Duration::from_secs(5)).await;
    assert!(began.elapsed() < node.pool.connect_timeout * 3 + Duration::from_secs(5), "{alone:?}");
    assert!(alone.hint.is_some(), "no remedy: {alone:?}");
    alone
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_real_server_has_its_kind_and_text() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let good = server.node_config();
    let secret = server.password().expose().to_owned();
    server
        .psql("create role outsider login; create database closed; revoke connect on database closed from public")
        .unwrap();
    server.psql("create database shut allow_connections false").unwrap();

    let with = |change: &dyn Fn(&mut NodeConfig)| {
        let mut node = good.clone();
        change(&mut node);
        node
    };
    // Nothing listens on it. A port that was free a moment ago may be in use by now.
    let port = 1;
    let empty = tempfile::tempdir().unwrap();
    for (what, node, kind, text) in [
        ("refused", with(&|n| n.port = port), ErrorKind::Refused, format!("connection refused by 127.0.0.1:{port}")),
        (
            "no socket",
            with(&|n| n.host = empty.path().to_str().unwrap().to_owned()),
            ErrorKind::Refused,
            "no server listens on the socket".to_owned(),
        ),
        (
            "no such host",
            with(&|n| n.host = "no-such-host.invalid".to_owned()),
            ErrorKind::HostNotFound,
            "the host name no-such-host.invalid cannot be resolved".to_owned(),
        ),
        (
            "wrong password",
            with(&|n| n.password = PasswordSource::Given(Secret::new("hunter2"))),
            ErrorKind::Authentication,
            "password authentication failed for user \"pgwatch\"".to_owned(),
        ),
        (
            "no password",
            with(&|n| n.password = PasswordSource::None),
            ErrorKind::Authentication,
            "the server asks for the password of user \"pgwatch\"".to_owned(),
        ),
        (
            "no such user",
            with(&|n| n.user = "nobody_at_all".to_owned()),
            ErrorKind::Authentication,
            "password authentication failed".to_owned(),
        ),
        (
            "no such database",
            with(&|n| n.database = "nope".to_owned()),
            ErrorKind::NoDatabase,
            "database \"nope\" does not exist".to_owned(),
        ),
        (
            "a database that takes nobody",
            with(&|n| n.database = "shut".to_owned()),
            ErrorKind::NoDatabase,
            "not currently accepting connections".to_owned(),
        ),
        (
            "no right to connect",
            with(&|n| n.database = "closed".to_owned()),
            ErrorKind::Permission,
            "permission denied for database \"closed\"".to_owned(),
        ),
    ] {
        let error = refused(&node).await;
        assert_eq!(error.kind, kind, "{what}: {error:?}");
        assert!(error.message.contains(&text), "{what}: {error:?}");
        assert!(!format!("{error:?} {node:?}").contains("hunter2"), "{what}");
        assert!(!format!("{error:?} {node:?}").contains(&secret), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_or_stopping_server_says_so() {
    let cluster = Cluster::builder().config("max_connections", "12").start().unwrap();
    let server = cluster.primary();
    let good = server.node_config();
    // All connections are used.
    let mut held = Vec::new();
    let full = loop {
        match session::open(&good, SessionKind::Probe).await {
            Ok(session) => held.push(session),
            Err(error) => break error,
        }
        assert!(held.len() < 20);
    };
    assert_eq!((full.kind, full.sqlstate.as_deref()), (ErrorKind::TooManyConnections, Some("53300")), "{full:?}");
    // Asked to stop while a client is still connected.
    server.request_stop(StopMode::Smart).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let error = session::open(&good, SessionKind::Probe).await.expect_err("it is stopping");
        if error.kind == ErrorKind::ShuttingDown {
            assert_eq!(error.sqlstate.as_deref(), Some("57P03"));
            break;
        }
        assert!(Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Our ended sessions report the reason too.
    let session = held.pop().unwrap();
    server.request_stop(StopMode::Fast).unwrap();
    let mut driver = session.driver;
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Some(Err(error)) = driver.next().await {
                return driver.explain(&error, &good);
            }
        }
    });
    let error = ended.await.unwrap();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Terminated, Some("57P01")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_taken_from_files_and_commands() {
    let cluster = Cluster::builder().start().unwrap();
    let server = cluster.primary();
    let secret = server.password().expose().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let mut node = server.node_config();

    let passfile = dir.path().join("pgpass");
    std::fs::write(&passfile, format!("*:*:*:somebody:x\n127.0.0.1:{}:*:pgwatch:{secret}\n", server.port())).unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    node.password = PasswordSource::File(passfile.clone());
    session::open(&node, SessionKind::Probe).await.unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = session::open(&node, SessionKind::Probe).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Authentication);
    // As in libpq, the file is not used, and the error says so if the server then wants a password.
    assert!(error.message.contains("none is configured"), "{error:?}");
    assert!(
        error.hint.as_ref().unwrap().contains("chmod 0600") && !format!("{error:?}").contains(&secret),
        "{error:?}"
    );

    // The password is looked up at each connect, so a rotated one is found.
    let rotating = dir.path().join("rotating");
    std::fs::write(&rotating, "old\n").unwrap();
    node.password = PasswordSource::Command(format!("cat {}", rotating.display()));
    assert_eq!(session::open(&node, SessionKind::Probe).await.unwrap_err().kind, ErrorKind::Authentication);
    std::fs::write(&rotating, format!("{secret}\nsecond line\n")).unwrap();
    session::open(&node, SessionKind::Probe).await.unwrap();

    node.password = PasswordSource::Command(format!("echo {secret}; echo {secret} >&2; exit 7"));
    let error = refused(&node).await;
    assert!(error.message.contains("exit status: 7") && !format!("{error:?}").contains(&secret), "{error:?}");

    node.pool.connect_timeout = Duration::from_millis(500);
    node.password = PasswordSource::Command("sleep 60".to_owned());
    assert_eq!(refused(&node).await.kind, ErrorKind::Timeout);
}

/// A server that does not speak PostgreSQL: runs `serve` for every connection.
async fn impostor<F>(serve: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> NodeConfig
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut node = NodeConfig::new(NodeName::parse("impostor").unwrap(), "127.0.0.1");
    node.port = listener.local_addr().unwrap().port();
    node.pool.connect_timeout = Duration::from_millis(700);
    let mut sessions = tokio::task::JoinSet::new();
    #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            sessions.spawn(serve(socket));
        }
    });
    node
}

/// Answers "no TLS", then lets the client in as a server would.
async fn let_in(socket: &mut tokio::net::TcpStream) {
    let mut buf = [0; 1024];
    let _ = socket.read(&mut buf).await;
    let _ = socket.write_all(b"N").await;
    let _ = socket.read(&mut buf).await;
    let _ = socket.write_all(b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I").await;
}

/// What else such a server may send is tested in `hostile/`.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_do_not_speak_postgresql_are_refused_in_time() {
    // Accepts and never sends a word; so does one that speaks TLS and then nothing.
    let silent = impostor(async |_socket| std::future::pending::<()>().await).await;
    let error = refused(&silent).await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("no answer from 127.0.0.1"), "{error:?}");
    let stuck = impostor(async |mut socket| {
        let _ = socket.read(&mut [0; 8]).await;
        let _ = socket.write_all(b"S").await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(refused(&stuck).await.kind, ErrorKind::Timeout);

    // Lets the client in and is silent then: the first answer counts too.
    let half = impostor(async |mut socket| {
        let_in(&mut socket).await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = session::open(&half, SessionKind::Probe).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error:?}");

    // Closes the connection at once.
    let error = refused(&impostor(async |socket| drop(socket)).await).await;
    assert_eq!(error.kind, ErrorKind::ConnectionLost, "{error:?}");

    // Speaks another protocol, with and without a request for TLS.
    for encrypted in [false, true] {
        let mut web = impostor(async |mut socket| {
            let _ = socket.read(&mut [0; 64]).await;
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = socket.read(&mut [0; 64]).await;
        })
        .await;
        if !encrypted {
            web.tls.mode = pgwatch::model::SslMode::Disable;
        }
        let error = refused(&web).await;
        assert!(error.message.contains("does not speak the PostgreSQL protocol"), "{error:?}");
    }
}
