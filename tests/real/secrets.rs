//! No password in any output, in clear or in its URL encoding: commands, invalid files and command lines, `Debug`, the
//! screen while it is typed and when logins fail, logs, exported files, the history, a panic, the process list.

mod screen;
mod statements;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use pgwatch::app::Form;
use pgwatch::config::{self, Environment, conninfo};
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::demo::Server;
use pgwatch::model::{Command, EventKind};
use pgwatch::run::RunOptions;
use tempfile::TempDir;

use crate::support::command::{code, err, file, object, out, pgwatch, run};
use crate::support::servers::{ConfigFile, cluster};

/// Characters that mean something to URLs, shells and YAML, and one beyond ASCII.
const PASSWORD: &str = "p@ss:w/rd %20&ü";
const IN_A_URL: &str = "p%40ss%3Aw%2Frd%20%2520%26%C3%BC";
/// Pieces that are enough to recognise it, even where a column cuts it.
const PIECES: [&str; 4] = ["ss:w/rd", "ss%3aw%2frd", "ss:w\\/rd", "ss\\:w/rd"];

#[track_caller]
fn assert_silent(what: &str, text: &str) {
    let lower = text.to_lowercase();
    let told = PIECES.iter().find(|piece| lower.contains(*piece));
    assert!(told.is_none(), "{what} tells the password: {told:?}\n{text}");
}

#[track_caller]
fn assert_file_is_silent(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_silent(&path.display().to_string(), &text);
    text
}

/// A server with a role `teller` that has this password, which is wrong for `pgwatch`.
fn server() -> &'static Server {
    static CLUSTER: OnceLock<pgwatch::demo::Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| {
        let cluster = cluster().start().unwrap();
        let role = format!("create role teller login password '{PASSWORD}' in role pg_monitor");
        cluster.primary().psql(&role).unwrap();
        cluster
    });
    cluster.primary()
}

/// Every way to give the password, and ways in which logins fail with it.
struct Nodes {
    config: ConfigFile,
    folder: TempDir,
}

impl Nodes {
    const RIGHT: [&str; 5] = ["given", "url", "pairs", "command", "passfile"];

    fn new() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), server().port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("secret"), PASSWORD).unwrap();
        fs::write(path("pass"), format!("*:*:*:teller:{}\n", PASSWORD.replace(':', "\\:"))).unwrap();
        fs::set_permissions(path("pass"), fs::Permissions::from_mode(0o600)).unwrap();
        let mut text = "defaults: {host: 127.0.0.1, database: postgres}\nnodes:\n".to_owned();
        let mut node = |name: &str, what: String| writeln!(text, "  {name}: {what}").unwrap();
        let map = |more: &str| format!("{{port: {port}, user: teller, {more}}}");
        node("given", map(&format!("password: \"{PASSWORD}\"")));
        node("url", format!("postgres://teller:{IN_A_URL}@127.0.0.1:{port}/postgres"));
        node("pairs", format!("\"host=127.0.0.1 port={port} user=teller password='{PASSWORD}'\""));
        node("command", map(&format!("password_command: 'env > {}; cat {}'", path("environment"), path("secret"))));
        node("passfile", map(&format!("passfile: {}", path("pass"))));
        node("wrong", format!("postgres://pgwatch:{IN_A_URL}@127.0.0.1:{port}/postgres"));
        node("nowhere", map(&format!("database: nowhere, password: \"{PASSWORD}\"")));
        node("insists", map(&format!("sslmode: require, password: \"{PASSWORD}\"")));
        node("dead", format!("postgres://teller:{IN_A_URL}@127.0.0.1:1/postgres"));
        node("failing", map(&format!("password_command: 'cat {}; exit 1'", path("secret"))));
        Self { config: file(&text), folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn no_command_reveals_the_password() {
    let nodes = Nodes::new();
    let (status, _) = object(&["status", "--config", nodes.config.arg(), "--format", "json"]);
    let healthy = status["nodes"].as_array().unwrap().iter().filter(|node| node["state"] == "healthy");
    let names: Vec<&str> = healthy.map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, Nodes::RIGHT, "{status:#}");
    let log = nodes.path("log");
    for command in ["check", "status", "status --format json", "query", "query --format json", "query --format csv"] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.extend(["--config", nodes.config.arg(), "--log", log.to_str().unwrap()]);
        if command.starts_with("query") {
            args.push("select current_user");
        }
        let output = pgwatch(&args).env("PGWATCH_LOG", "trace").env("RUST_BACKTRACE", "full").output().unwrap();
        assert_silent(command, &format!("{}{}", out(&output), err(&output)));
    }
    let log = assert_file_is_silent(&log);
    assert!(log.contains("connecting") && log.contains("authentication failed"), "the log tells what happens: {log}");
    assert_file_is_silent(&nodes.path("environment"));

    // From the environment, both right and wrong.
    let address = ["--host", "127.0.0.1", "--port", &server().port().to_string(), "--dbname", "postgres"];
    for (user, ends) in [("teller", 0), ("pgwatch", 2)] {
        let args = [&["status"], &address[..], &["--user", user]].concat();
        let output = pgwatch(&args).env("PGPASSWORD", PASSWORD).output().unwrap();
        assert_eq!(code(&output), ends, "{}", err(&output));
        assert_silent("PGPASSWORD", &format!("{}{}", out(&output), err(&output)));
    }
}

#[test]
fn no_wrong_line_of_the_file_reveals_the_password() {
    let half = "x, ss:w/rd %20&ü";
    for wrong in [
        format!("{{host: h, pasword: \"{PASSWORD}\"}}"),
        format!("{{host: h, password: {half}}}"),
        format!("{{host: h, password: \"{PASSWORD}\", password: \"{PASSWORD}\"}}"),
        format!("{{host: h, password: \"{PASSWORD}\", password_command: \"{PASSWORD}\"}}"),
        format!("{{host: h, password: [\"{PASSWORD}\"]}}"),
        format!("{{host: h, password: {{\"{PASSWORD}\": }}}}"),
        format!("{{host: h, password: !{PASSWORD}}}"),
        format!("{{host: h, password: !!int {PASSWORD}}}"),
        format!("{{host: h, password: *{PASSWORD}}}"),
        format!("{{host: h, password: '{PASSWORD}}}"),
        format!("{{host: h, password: \"\\q{PASSWORD}\"}}"),
        format!("{{host: h, password: '{PASSWORD}' {PASSWORD}}}"),
        format!("{{host: h, password: \"${{{PASSWORD}}}\"}}"),
        format!("{{host: h, port: \"{PASSWORD}\"}}"),
        format!("{{host: h, sslmode: \"{PASSWORD}\"}}"),
        format!("{{host: h, read_only: \"{PASSWORD}\"}}"),
        format!("{{host: h, pool: {{max: \"{PASSWORD}\", idle_timeout: \"{PASSWORD}\"}}}}"),
        format!("{{host: h, pool: \"{PASSWORD}\"}}"),
        format!("{{host: \"{PASSWORD}\"}}"),
        format!("{{host: \"u:{PASSWORD}@h\"}}"),
        format!("{{host: \"postgres://u:{IN_A_URL}@h/d\"}}"),
        format!("{{host: h, password: x, dsn: \"postgres://u:{IN_A_URL}@h/d\"}}"),
        format!("\"postgres://u:{PASSWORD}@h/d\""),
        format!("postgres://u:hun,{PASSWORD}@h/d"),
        format!("\"postgres://u:{IN_A_URL}@h:x/d\""),
        format!("\"postgres://h/d?password={IN_A_URL}&x\""),
        format!("\"host=h password={PASSWORD}\""),
        format!("\"host=h password='{PASSWORD}\""),
        format!("\"host=h password='{PASSWORD}' port=x\""),
        format!("\"{PASSWORD}\""),
        format!("[\"{PASSWORD}\"]"),
    ] {
        for text in [format!("nodes: {{n: {wrong}}}\n"), format!("nodes:\n  n: {wrong}\n")] {
            let config = file(&text);
            let output = run(&["check", "--config", config.arg()]);
            assert_silent(&text, &format!("{}{}", out(&output), err(&output)));
            // Some lines are valid in one of the two styles; their output must not contain the password either.
            assert!([0, 2].contains(&code(&output)), "{text}: {}", err(&output));
        }
    }
}

#[test]
fn no_wrong_command_line_reveals_the_password() {
    for connection in [
        format!("postgres://u:{PASSWORD}@h/d"),
        format!("postgresql://u:{IN_A_URL}@h/d"),
        format!("postgres://h/d?password={IN_A_URL}"),
        format!("host=h password='{PASSWORD}'"),
    ] {
        let connection = connection.as_str();
        let joined = format!("--config={connection}");
        for args in [
            vec![connection],
            vec![joined.as_str()],
            vec!["--config", connection],
            vec!["check", "--config", connection],
            vec!["status", connection],
            vec!["status", "--host", connection],
            vec!["status", "--dbname", connection],
            vec!["status", "--port", connection],
            vec!["--user", connection, "status"],
            vec!["--cluster", connection, "check"],
            vec!["query", "--nodes", connection, "select 1"],
            vec!["--theme", connection],
            vec!["check", "--log", connection],
            vec!["--event-log", connection],
            vec!["completions", connection],
            vec!["query", "--bogus", connection],
        ] {
            let output = run(&args);
            assert!(code(&output) >= 2, "{args:?}: {}", err(&output));
            assert_silent(&format!("{args:?}"), &format!("{}{}", out(&output), err(&output)));
            assert!(err(&output).contains("PGPASSWORD"), "says where it belongs: {}", err(&output));
        }
    }
    let output = run(&[&format!("--password={PASSWORD}")]);
    assert_silent("--password", err(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_debug_output_reveals_the_password() {
    let nodes = tokio::task::block_in_place(Nodes::new);
    let environment = Environment::of_process().with_var("PGPASSWORD", PASSWORD);
    let config = config::load(&nodes.config.path, None, &environment).unwrap();
    let node = config.nodes[0].clone();
    let mut said = format!("{environment:?} {config:#?} {:?}", Form::edit(&node));
    for text in
        [format!("postgres://u:{IN_A_URL}@h/d"), format!("host=h password='{PASSWORD}' sslpassword='{PASSWORD}'")]
    {
        write!(said, "{:?}", conninfo::parse(&text).unwrap()).unwrap();
    }
    for command in [
        Command::AddNode(Box::new(node.clone())),
        Command::Reload(config.nodes.clone()),
        Command::Test { id: 1, node: Box::new(node.clone()) },
    ] {
        write!(said, "{command:?}").unwrap();
    }
    write!(said, "{:?}", EventKind::NodeAdded { node: Box::new(node.clone()) }).unwrap();
    write!(said, "{:?}", session::open(&node, SessionKind::Probe).await.unwrap()).unwrap();
    let manager = ManagerConfig::new(config.nodes.clone());
    write!(said, "{manager:?}").unwrap();
    let (handle, mut events) = ConnectionManager::start(manager);
    write!(said, "{handle:?} {:?}", handle.snapshot().await).unwrap();
    handle.shutdown(false).await;
    while let Some(event) = events.recv().await {
        write!(said, "{event:?}").unwrap();
    }
    let views =
        Box::new(|_| (pgwatch::config::views::ours().clone(), pgwatch::config::alerts::ours().clone(), Vec::new()));
    let options = RunOptions {
        config,
        read_write: false,
        reload: None,
        views,
        history: None,
        tap: None,
        changes: None,
        troubles: None,
    };
    write!(said, "{options:?}").unwrap();
    assert!(said.contains("teller"));
    assert_silent("Debug", &said);
}
