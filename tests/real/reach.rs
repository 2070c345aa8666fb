//! Reaching a server in every way in which psql does: by address, over several hosts, with rules for the login.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use openssl::hash::{MessageDigest, hash};
use pgwatch::connection::pool::NodePool;
use pgwatch::connection::query;
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::Cluster;
use pgwatch::model::SessionAttrs::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};
use pgwatch::model::protocol::QueryRequest;
use pgwatch::model::{
    AuthMethods, BatchId, ErrorKind, Host, NodeConfig, NodeError, PasswordSource, Role, RootCert, Secret, SessionAttrs,
    SslMode,
};
use tokio_util::sync::CancellationToken;

use crate::support::command::{code, err, out, pgwatch};
use crate::support::here::not_run;
use crate::support::tls::{Authority, with_tls};
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// Opens a session alone and one through the pool, and returns what the server says of the second. Both ways must end
/// alike.
async fn reached(node: &NodeConfig, ask: &str) -> Result<String, NodeError> {
    let alone = session::open(node, SessionKind::Test).await;
    let pool = NodePool::new(node.clone().into());
    pool.set_available(Ok(()));
    let request = QueryRequest {
        batch: BatchId(1),
        statement: ask.to_owned(),
        nodes: Vec::new(),
        timeout: PATIENCE,
        max_rows: 1,
        max_bytes: 1_000,
    };
    let outcome = query::run(&pool, &request, Instant::now(), &CancellationToken::new(), &|_| {}).await;
    pool.close(Instant::now() + Duration::from_secs(5)).await;
    match alone {
        Ok(session) => session.close(Duration::from_secs(5)).await,
        Err(error) => {
            assert_eq!(outcome.result.map(|_| ()).map_err(|error| error.kind), Err(error.kind), "{error:?}");
            return Err(error);
        }
    }
    Ok(outcome.result?.rows.cell(0, 0).unwrap_or_default().to_owned())
}

async fn refused(node: &NodeConfig) -> NodeError {
    let error = reached(node, "select 1").await.expect_err("it was reached");
    assert!(error.hint.is_some(), "no remedy: {error:?}");
    error
}

const PORT: &str = "select inet_server_port()";

#[tokio::test(flavor = "multi_thread")]
async fn hostaddr_is_dialled_and_the_name_counts_for_tls_and_the_password_file() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("Our authority");
    let cert = authority.server("db.example.com");
    let cluster = with_tls(Cluster::builder(), &cert, &authority).start().unwrap();
    let server = cluster.primary();
    let root = dir.path().join("root.crt");
    fs::write(&root, authority.pem()).unwrap();
    let passfile = dir.path().join("pgpass");
    fs::write(&passfile, format!("db.example.com:*:*:*:{}\n", server.password().expose())).unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();

    let mut node = server.node_config();
    "db.example.com".clone_into(&mut node.host);
    node.connect.hostaddr = Some([127, 0, 0, 1].into());
    node.tls.mode = SslMode::VerifyFull;
    node.tls.root_cert = Some(RootCert::File(root.clone()));
    node.password = PasswordSource::File(passfile);
    assert_eq!(reached(&node, PORT).await.unwrap(), server.port().to_string());

    let mut other = node.clone();
    "another.example.com".clone_into(&mut other.host);
    other.password = PasswordSource::Given(server.password().clone());
    let error = refused(&other).await;
    assert_eq!(error.kind, ErrorKind::Tls);
    assert!(error.message.contains("not for the name another.example.com: it is for db.example.com"), "{error:?}");

    // The same through a file and through the environment, by the program itself.
    let file = dir.path().join("nodes.yaml");
    let text = format!(
        "nodes:\n  a: {{host: db.example.com, hostaddr: 127.0.0.1, port: {0}, user: pgwatch, password: \"{1}\", \
         sslmode: verify-full, sslrootcert: {2}}}\n",
        server.port(),
        server.password().expose(),
        root.display()
    );
    fs::write(&file, text).unwrap();
    let query = |args: &[&str]| {
        let mut command = pgwatch(args);
        command.args(["query", "select 1 as one"]);
        command
    };
    let output = query(&["--config", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    let mut by_environment = query(&["--host", "db.example.com", "--port", &server.port().to_string()]);
    by_environment.env("PGHOSTADDR", "127.0.0.1").env("PGUSER", "pgwatch").env("PGDATABASE", "postgres");
    by_environment
        .env("PGPASSWORD", server.password().expose())
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", &root);
    let output = by_environment.output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_tried_in_order_until_one_is_of_the_wanted_kind() {
    let cluster = Cluster::builder().standbys(1).start().unwrap();
    let (primary, standby) = (cluster.primary(), &cluster.servers()[1]);
    let at = |ports: &[u16], attrs: SessionAttrs| {
        let mut node = primary.node_config();
        let host = |port: &u16| Host { name: "127.0.0.1".to_owned(), addr: None, port: *port };
        node.set_hosts(ports.iter().map(host).collect());
        node.connect.session_attrs = attrs;
        node
    };
    let (one, two) = (primary.port(), standby.port());
    for (ports, attrs, expected) in [
        (vec![1, one], Any, one),
        (vec![two, one], Any, two),
        (vec![two, one], ReadWrite, one),
        (vec![one, two], ReadOnly, two),
        (vec![two, one], Primary, one),
        (vec![one, two], Standby, two),
        (vec![1, one, two], PreferStandby, two),
        (vec![1, one], PreferStandby, one),
    ] {
        let port =
            reached(&at(&ports, attrs), PORT).await.unwrap_or_else(|error| panic!("{attrs:?} {ports:?}: {error:?}"));
        assert_eq!(port, expected.to_string(), "{attrs:?} {ports:?}");
    }
    let role = session::open(&at(&[two, one], ReadWrite), SessionKind::Probe).await.unwrap();
    assert_eq!(role.role, Some(Role::Primary));
    role.close(Duration::from_secs(5)).await;

    let error = refused(&at(&[1, two], Primary)).await;
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("connection refused by 127.0.0.1:1; "), "{error:?}");
    assert!(error.message.contains("it is a standby, and target_session_attrs is primary"), "{error:?}");
    // One that answers and does not want us ends the search.
    let mut wrong = at(&[one, two], Any);
    wrong.password = PasswordSource::Given(Secret::new("wrong"));
    let error = refused(&wrong).await;
    assert_eq!((error.kind, error.message.matches("127.0.0.1:").count()), (ErrorKind::Authentication, 1), "{error:?}");

    // A host that accepts and never answers takes its share of the time and no more.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = at(&[mute.local_addr().unwrap().port(), one], Any);
    slow.pool.connect_timeout = Duration::from_secs(4);
    assert_eq!(reached(&slow, PORT).await.unwrap(), one.to_string());

    // The options of the user reach the server, and no session that was not taken is left.
    let mut node = at(&[two, one], ReadWrite);
    node.connect.options = Some("-c geqo_seed=0.25".to_owned());
    assert_eq!(reached(&node, "show geqo_seed").await.unwrap(), "0.25");
    let left = "select count(*) from pg_stat_activity where application_name = 'pgwatch'";
    wait_for("no session is left", SOON, || (standby.psql(left).unwrap().trim() == "0").then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_keeps_to_what_the_user_requires() {
    let cluster = Cluster::builder()
        .hba("host all clear 127.0.0.1/32 password")
        .hba("host all hashed 127.0.0.1/32 md5")
        .hba("host all trusted 127.0.0.1/32 trust")
        .start()
        .unwrap();
    let server = cluster.primary();
    // Hashed by hand: the text of a statement cannot hold bytes that are not UTF-8.
    let latin = b"gr\xfc\xdfe";
    let md5 = md5_of(&[&latin[..], b"hashed"].concat());
    server
        .psql(&format!(
            "create role clear login password 'secret'; create role trusted login; create role hashed login password 'md5{md5}'; \
             create role broken login password E'secret\\n'; \
             create role many login password 'SCRAM-SHA-256$600000:c2FsdHNhbHRzYWx0c2E=$zC0qTTg0BD3CsW1pMbdpXZwSiuf+GUxGkPsvGzIvtXo=:zC0qTTg0BD3CsW1pMbdpXZwSiuf+GUxGkPsvGzIvtXo='"
        ))
        .unwrap();
    let as_role = |role: &str, password: &[u8], require: &str| {
        let mut node = server.node_config_as(role);
        node.password = PasswordSource::Given(Secret::new(password));
        node.connect.require_auth = (!require.is_empty()).then(|| AuthMethods::parse(require).unwrap());
        node
    };
    for (role, password, require, allowed) in [
        ("clear", &b"secret"[..], "", true),
        ("clear", b"secret", "password", true),
        ("clear", b"secret", "scram-sha-256", false),
        ("clear", b"secret", "!password,!md5", false),
        ("trusted", b"", "", true),
        ("trusted", b"", "scram-sha-256,md5", false),
        ("hashed", latin, "md5", true),
        ("hashed", latin, "!md5", false),
        ("hashed", b"gr\xfc\xdf", "md5", false),
        ("broken", b"secret\n", "scram-sha-256", true),
    ] {
        let got = reached(&as_role(role, password, require), "select 1").await;
        assert_eq!(got.is_ok(), allowed, "{role} {require}: {got:?}");
        if let Err(error) = got {
            assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
            let ours = error.message.contains("which require_auth does not allow: nothing was sent");
            assert_eq!(ours, require != "md5", "{error:?}");
        }
    }

    let error = refused(&as_role("clear", b"secret\n", "")).await;
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("ends with a line break")), "{error:?}");
    let error = refused(&as_role("many", b"secret", "")).await;
    assert_eq!(error.kind, ErrorKind::Authentication);
    assert!(error.message.contains("stored with 600000 SCRAM iterations"), "{error:?}");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("scram_iterations")), "{error:?}");

    // The account at the other end of a unix socket.
    let mut local = server.node_config();
    local.host = server.socket_dir().to_str().unwrap().to_owned();
    let owner = fs::metadata(server.data_dir()).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&owner);
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let name = accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(owner)).then(|| fields[0].to_owned())
    });
    local.connect.require_peer = name.clone();
    assert_eq!(reached(&local, "select 1").await.unwrap(), "1");
    local.connect.require_peer = Some("daemon".to_owned());
    let error = refused(&local).await;
    assert_eq!(error.kind, ErrorKind::Authentication);
    assert!(error.message.contains(&format!("runs as {}, but requirepeer is daemon", name.unwrap())), "{error:?}");

    // What cannot be promised is not connected to.
    let mut unmet = server.node_config();
    unmet.connect.unmet = vec!["gssencmode=require: pgwatch does not support it".to_owned()];
    let error = refused(&unmet).await;
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("is not connected to: gssencmode=require"), "{error:?}");
}

fn md5_of(bytes: &[u8]) -> String {
    hash(MessageDigest::md5(), bytes).unwrap().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A password with bytes that are not UTF-8, from each of its sources, by the program itself.
#[test]
fn passwords_of_any_bytes_come_from_every_source() {
    let cluster = Cluster::builder().hba("host all hashed 127.0.0.1/32 md5").start().unwrap();
    let server = cluster.primary();
    let latin = std::ffi::OsStr::from_bytes(b"gr\xfc\xdfe");
    let md5 = md5_of(b"gr\xfc\xdfehashed");
    server.psql(&format!("create role hashed login password 'md5{md5}'")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let passfile = dir.path().join("pgpass");
    fs::write(&passfile, b"*:*:*:hashed:gr\xfc\xdfe\n").unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    let file = dir.path().join("nodes.yaml");
    let status = |password: &str, set: &dyn Fn(&mut Command)| -> Output {
        let node = format!("host: 127.0.0.1, port: {}, user: hashed, database: postgres", server.port());
        fs::write(&file, format!("nodes:\n  a: {{{node}{password}}}\n")).unwrap();
        let mut command = pgwatch(&["query", "--config", file.to_str().unwrap(), "select 1"]);
        set(&mut command);
        command.output().unwrap()
    };
    let passfile_line = format!(", passfile: {}", passfile.display());
    for (what, output) in [
        ("PGPASSWORD", status("", &|command| _ = command.env("PGPASSWORD", latin))),
        ("a variable", status(", password: \"${SECRET}\"", &|command| _ = command.env("SECRET", latin))),
        ("a password file", status(&passfile_line, &|_| ())),
        ("a command", status(", password_command: \"printf 'gr\\\\374\\\\337e\\\\n'\"", &|_| ())),
    ] {
        assert_eq!(code(&output), 0, "{what}: {} {}", out(&output), err(&output));
    }
    let check = |value: &str| {
        let mut command = pgwatch(&["check", "--config", file.to_str().unwrap()]);
        fs::write(&file, "nodes:\n  a: {host: h, user: u, password: \"${SECRET}\"}\n").unwrap();
        command.env("SECRET", value).output().unwrap()
    };
    assert!(!err(&check("secret")).contains("line break"));
    let told = check("secret\n");
    assert_eq!(code(&told), 0);
    assert!(err(&told).contains("password ends with a line break") && !err(&told).contains("secret"), "{}", err(&told));
}

/// A name with two addresses, the first of which swallows packets: its listener's queue is full.
#[test]
fn a_name_whose_first_address_is_dead_is_reached_at_once() {
    // The resolver puts the address first that is nearest to our own.
    let cluster = Cluster::builder().config("listen_addresses", "127.0.0.2").start().unwrap();
    let server = cluster.primary();
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 two.pgwatch.test\n127.0.0.2 two.pgwatch.test\n").unwrap();
    let run = |args: &[&str]| {
        // A table of hosts of our own, in a mount namespace of our own.
        let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_pgwatch")]).args(args);
        command.env("PGPASSWORD", server.password().expose()).env("HOME", dir.path());
        command.output()
    };
    let possible = Command::new("unshare")
        .args(["--mount", "--", "sh", "-c"])
        .arg(format!("mount --bind {} /etc/hosts && getent ahosts two.pgwatch.test", hosts.display()))
        .output();
    if !possible.is_ok_and(|output| out(&output).contains("127.0.0.2") && out(&output).contains("127.0.0.1")) {
        return not_run(
            "a name with two addresses",
            "no mount namespace (root and unshare are needed) to name them in",
        );
    }
    // Linux takes one connection more than the queue has places, and drops the packets of the others.
    let dead = socket_with_a_full_queue(server.port());
    let port = server.port().to_string();
    let began = Instant::now();
    let status = |port: &str| {
        run(&["status", "--host", "two.pgwatch.test", "--port", port, "--user", "pgwatch", "--dbname", "postgres"])
            .unwrap()
    };
    let output = status(&port);
    assert!(out(&output).contains("healthy"), "{} {}", out(&output), err(&output));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop(dead);
    // Nothing listens at either address: both are named.
    let output = status("1");
    assert!(out(&output).contains("127.0.0.1: refused, 127.0.0.2: refused"), "{} {}", out(&output), err(&output));
}

fn socket_with_a_full_queue(port: u16) -> impl Sized {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    let address: std::net::SocketAddrV4 = format!("127.0.0.1:{port}").parse().unwrap();
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let mut held = Vec::new();
    while let Ok(taken) = std::net::TcpStream::connect_timeout(&address.into(), Duration::from_millis(300)) {
        held.push(taken);
        assert!(held.len() < 100, "the queue is never full");
    }
    (socket, held)
}
