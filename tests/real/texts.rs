//! Texts of other clients: very long ones, very many, and in any encoding. None of them costs a row, a session or a figure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::{Command, EventKind, NodeConfig, NodeError, NodeName};
use serde_json::Value;
use tokio_postgres::{Client, NoTls};

use crate::support::command::{err, file, object, out, run};
use crate::support::pty::Tui;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stream::clipboard;
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::blocking;

/// A session of role `app`, which lasts until its client is dropped.
async fn client(server: &Server, database: &str, application: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.port()).user("app").dbname(database).application_name(application);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    #[allow(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    client
}

fn trusting() -> pgwatch::demo::Builder<'static> {
    cluster().hba("host all app 127.0.0.1/32 trust").config("autovacuum", "off")
}

/// What the command prints of a view, for each node.
fn view(config: &ConfigFile, name: &str, more: &[&str]) -> Vec<Value> {
    let args = [&["view", name, "--config", config.arg(), "--format", "json"], more].concat();
    object(&args).0["nodes"].as_array().unwrap().clone()
}

/// The values of a column in the rows of a node.
fn column(config: &ConfigFile, name: &str, wanted: &str) -> Vec<Value> {
    let (told, _) = object(&["view", name, "--config", config.arg(), "--format", "json"]);
    let columns = told["columns"].as_array().unwrap();
    let at = columns.iter().position(|column| column["name"] == wanted).unwrap();
    told["nodes"][0]["rows"].as_array().unwrap().iter().map(|row| row[at].clone()).collect()
}

/// The sessions of ours that the server has.
fn ours(server: &Server) -> BTreeSet<String> {
    let sql = "select pid from pg_stat_activity where application_name = 'pgwatch'";
    server.psql(sql).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_sessions_with_texts_of_900_kilobytes_are_all_shown_and_cost_no_session() {
    let cluster = blocking(|| trusting().config("track_activity_query_size", "1MB").start().unwrap());
    let server = cluster.primary();
    let mut sessions = Vec::new();
    for number in 0..40 {
        let session = client(server, "postgres", "long").await;
        let text = format!("begin /* {} */; /* password='s3cr3t' */ select {number} as the_end", "x ".repeat(450_000));
        session.simple_query(&text).await.unwrap();
        sessions.push(session);
    }
    blocking(|| {
        let config = ConfigFile::new("", [server]);
        let texts = column(&config, "activity", "query");
        let long: Vec<&str> = texts.iter().filter_map(Value::as_str).filter(|text| text.starts_with("begin")).collect();
        assert_eq!(long.len(), 40);
        assert!(long.iter().all(|text| text.ends_with("… 879 kB") && text.len() < 1_100), "{}", long[0]);
        for name in ["activity", "locks", "held_locks", "progress", "connections", "databases"] {
            for node in view(&config, name, &[]) {
                assert_eq!((&node["ok"], &node["truncated"]), (&true.into(), &false.into()), "{name}: {node}");
            }
        }
        let mut tui = Tui::start(&["--config", config.arg()], 160, 50, &[]);
        tui.press("3");
        tui.wait_for("all sessions", PATIENCE, |screen| screen.contents().matches("begin /*").count() >= 40);
        // The session for rules is opened some seconds after the others.
        wait_for("sessions that stay, none new and none lost", PATIENCE, || {
            let before = ours(server);
            let latest = "select max(query_start) from pg_stat_activity where application_name = 'pgwatch'";
            let now = server.psql(latest).unwrap();
            let later = format!("select ({latest}) > '{now}'::timestamptz + interval '3 s'");
            wait_for("some refreshes", PATIENCE, || (server.psql(&later).unwrap() == "t").then_some(()));
            (ours(server) == before).then_some(())
        });
        tui.press("<enter>");
        wait_for("the end of the whole text", PATIENCE, || {
            tui.press("G");
            tui.sees(Duration::from_secs(2), |screen| screen.contents().contains("as the_end")).ok()
        });
        tui.press("y");
        // The sequence may come in pieces.
        let ended = |raw: &[u8]| {
            String::from_utf8_lossy(raw).rsplit("]52;").next().is_some_and(|part| part.contains(['\x07', '\x1b']))
        };
        wait_for("a copy", PATIENCE, || {
            let raw = tui.raw();
            (raw.windows(4).any(|part| part == b"]52;") && ended(&raw)).then_some(())
        });
        let copied = wait_for("the whole text", PATIENCE, || clipboard(&tui.raw()).pop());
        assert!(copied.len() > 900_000 && copied.ends_with("as the_end"), "{} bytes", copied.len());
        assert!(!copied.contains("s3cr3t") && !tui.screen_text().contains("s3cr3t"));
    });
}

/// The session has ended, or has gone on, when its text is wanted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_text_that_is_gone_says_so_in_its_place() {
    let cluster = blocking(|| trusting().config("track_activity_query_size", "100kB").start().unwrap());
    let server = cluster.primary();
    let session = client(server, "postgres", "long").await;
    session.simple_query(&format!("begin; select '{}' as first", "x ".repeat(5_000))).await.unwrap();
    let config = ConfigFile::new("refresh: 1m\n", [server]);
    let mut tui = blocking(|| {
        let mut tui = Tui::start(&["--config", config.arg()], 160, 50, &[]);
        tui.press("3");
        tui.wait_text("begin; select", PATIENCE);
        tui
    });
    session.simple_query("select 2").await.unwrap();
    blocking(|| {
        tui.press("<enter>");
        tui.wait_text("has gone on to another statement", SOON);
        tui.press("<esc>x");
        tui.wait_text("could not be fetched", SOON);
    });
}

const STATEMENTS: usize = 5_000;

/// Five thousand statements of 20 kB: the figures of all, without the file of their texts, which is read once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_statements_are_asked_once_and_figures_never_need_them() {
    let cluster = blocking(|| {
        let cluster = trusting().config("pg_stat_statements.max", "20000").start().unwrap();
        let sql = "create extension if not exists pg_stat_statements; create table t (a int, b int); grant select on t to app";
        cluster.primary().psql(sql).unwrap();
        cluster
    });
    let server = cluster.primary();
    let session = client(server, "postgres", "many").await;
    let comment = "x".repeat(20_000);
    for number in 0..STATEMENTS {
        // Each is a statement of its own: which columns it selects is the number in binary.
        let columns: Vec<&str> = (0..13).map(|bit| if number >> bit & 1 == 1 { "a" } else { "b" }).collect();
        let text = format!("select {} from t where false /* {comment} */ and true", columns.join(", "));
        session.simple_query(&text).await.unwrap();
    }
    blocking(|| {
        let config = ConfigFile::new("", [server]);
        let texts = column(&config, "statements", "query");
        // The view shows the 5,000 that cost most.
        assert_eq!(texts.len(), 5_000);
        assert!(texts.iter().all(Value::is_string), "each has its text");
        assert!(texts.iter().filter(|text| text.as_str().unwrap().ends_with("… 20 kB")).count() > 4_000);
        server.psql("select pg_stat_statements_reset(oid, 0, 0) from pg_roles where rolname = 'pgwatch'").unwrap();
        let mut tui = Tui::start(&["--config", config.arg()], 160, 50, &[]);
        tui.press("6/from t<enter>");
        let calls = "select coalesce(sum(calls), 0) from pg_stat_statements join pg_roles r on r.oid = userid \
                     where rolname = 'pgwatch' and query like";
        let figures = format!("{calls} 'PREPARE%pg_stat_statements%'");
        tui.wait_for("statements with their texts", PATIENCE, |screen| screen.contents().contains("select b, b"));
        wait_for("six refreshes", PATIENCE, || {
            (server.psql(&figures).unwrap().parse::<u32>().unwrap() >= 6).then_some(())
        });
        let texts = format!("{calls} 'with b%octet_length(\"query\")%'");
        let read: u32 = server.psql(&texts).unwrap().parse().unwrap();
        assert!((1..=2).contains(&read), "the texts were read {read} times");
        let written = "select coalesce(sum(temp_blks_written), 0) from pg_stat_statements \
                       where query like 'PREPARE%pg_stat_statements%'";
        assert_eq!(server.psql(written).unwrap(), "0", "figures need no temporary files");
    });
}

const DATABASES: [&str; 5] = ["postgres", "latin", "win", "euc", "any_bytes"];

/// Databases of several encodings, with names and statements that the others cannot express.
fn babel() -> Cluster {
    let cluster = cluster().config("autovacuum", "off").start().unwrap();
    let sql = r#"
create extension if not exists pg_stat_statements;
create database latin encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C';
create database win encoding 'WIN1252' template template0 lc_collate 'C' lc_ctype 'C';
create database euc encoding 'EUC_JP' template template0 lc_collate 'C' lc_ctype 'C';
create database any_bytes encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C';
\connect latin
set client_encoding = 'UTF8';
create extension pg_stat_statements;
create role "café";
create database "salé";
create table "thé" as select 'crème'::text as word;
grant select on "thé" to public;
\connect win
set client_encoding = 'UTF8';
create extension pg_stat_statements;
create table "prix €" (id int);
\connect euc
set client_encoding = 'UTF8';
create extension pg_stat_statements;
create role "日本";
create table "東京" (id int);
\connect any_bytes
create extension pg_stat_statements;
set client_encoding = 'SQL_ASCII';
create table bytes as select E'caf\xe9 \xff'::text as word, 1 as number;
grant select on bytes to public;
\connect postgres
select 1 as "€";
"#;
    cluster.primary().psql(sql).unwrap();
    cluster
}

fn each_database(server: &Server) -> ConfigFile {
    let (host, port, password) = (server.host(), server.port(), server.password().expose());
    let node = |database: &str| {
        format!(
            "  {database}: {{host: {host}, port: {port}, database: {database}, user: pgwatch, password: {password}}}\n"
        )
    };
    let nodes: String = DATABASES.into_iter().map(node).collect();
    file(&format!("nodes:\n{nodes}"))
}

/// The first answer of each node to each view.
async fn ask_all(server: &Server) -> BTreeMap<(String, String), Result<Arc<ViewRows>, NodeError>> {
    let node = |database: &str| NodeConfig {
        name: NodeName::parse(database).unwrap(),
        database: database.to_owned(),
        ..server.node_config()
    };
    let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(DATABASES.map(node).into()));
    let looks = views::ours().values().map(|view| Look { view: view.clone(), nodes: None, pace: None }).collect();
    handle.send(Command::Look(looks)).await.unwrap();
    let mut answers = BTreeMap::new();
    let all = async {
        while answers.len() < DATABASES.len() * views::ours().len() {
            if let EventKind::View { node, view, outcome } = events.recv().await.unwrap().kind {
                answers.entry((view.to_string(), node.to_string())).or_insert(outcome);
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("all answers");
    handle.shutdown(false).await;
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_in_another_encoding_cost_no_row() {
    let cluster = blocking(babel);
    let server = cluster.primary();
    let config = each_database(server);
    // A session of another encoding, with a text that ours cannot take.
    let mut there = server.client("postgres");
    there.env("PGCLIENTENCODING", "UTF8").args(["-d", "latin", "-c", "select pg_sleep(600), 'à côté'"]);
    let mut there = there.spawn().unwrap();
    let asleep =
        "select count(*) = 1 from pg_stat_activity where query like 'select pg_sleep(600)%' and state = 'active'";
    wait_for("a session in latin", SOON, || (server.psql(asleep).ok()? == "t").then_some(()));

    let answers = ask_all(server).await;
    let of = |view: &str, node: &str| answers.get(&(view.to_owned(), node.to_owned())).unwrap();
    let faults = answers.iter().filter(|((view, _), outcome)| outcome.is_err() && view != "pglogical_conflicts");
    assert_eq!(faults.map(|(of, outcome)| (of, outcome.as_ref().err())).collect::<Vec<_>>(), []);
    let texts = |view: &str, node: &str, column: &str| -> Vec<Option<String>> {
        let rows = &of(view, node).as_ref().unwrap().rows;
        let at = rows.columns().iter().position(|known| known.name == column).unwrap();
        (0..rows.len()).map(|row| rows.cell(row, at).map(str::to_owned)).collect()
    };
    for node in DATABASES {
        let names = texts("databases", node, "database");
        let name = if ["latin", "win"].contains(&node) { "salé" } else { r"sal\xe9" };
        assert!(names.len() > 7 && names.contains(&Some(name.to_owned())), "{node}: {names:?}");
        let sleeping =
            texts("activity", node, "query").into_iter().flatten().find(|text| text.contains("pg_sleep(600)"));
        let seen = if node == "latin" { "'à côté'" } else { r"'\xe0 c\xf4t\xe9'" };
        assert!(sleeping.as_ref().is_some_and(|text| text.contains(seen)), "{node}: {sleeping:?}");
        let statements = texts("statements", node, "query");
        let known = statements.iter().flatten().count();
        let missing = of("statements", node).as_ref().unwrap().missing.clone();
        assert!(statements.len() > 20, "{node}: {} statements", statements.len());
        match node {
            // They can take any text, as it is or as its bytes.
            "postgres" | "any_bytes" => {
                assert_eq!((known, missing), (statements.len(), None), "{node}");
                assert!(statements.contains(&Some("select $1 as \"€\"".to_owned())), "{node}");
            }
            // One text that the server cannot convert is all it takes, but the figures are there and the reason is said.
            _ => assert!(known == 0 && missing.is_some_and(|why| why.contains("QUERY is missing")), "{node}"),
        }
    }
    assert!(texts("tables", "euc", "table").contains(&Some("東京".to_owned())));
    there.kill().unwrap();
    there.wait().unwrap();

    blocking(|| {
        let mut tui = Tui::start(&["--config", config.arg()], 200, 50, &[]);
        tui.press("6");
        tui.wait_text("QUERY is missing", PATIENCE);
        let told = view(&config, "statements", &["--nodes", "euc"]);
        assert!(
            told[0]["missing"].as_str().is_some_and(|why| why.starts_with("QUERY is missing")),
            "{}",
            told[0]["missing"]
        );
    });
}

/// Statements of the user in databases whose bytes may be no text.
#[test]
fn bytes_in_an_answer_of_the_user_cost_no_row() {
    let cluster = babel();
    let config = each_database(cluster.primary());
    let query = |node: &str, sql: &str| {
        let output = run(&["query", "--config", config.arg(), "--nodes", node, "--format", "csv", sql]);
        format!("{}{}", out(&output), err(&output))
    };
    let said = query("any_bytes", "select number, word, 'é' as sign from bytes");
    assert!(said.contains("any_bytes,1,(bytes that are not UTF-8),é"), "{said}");
    assert!(query("latin", "select word from \"thé\"").contains("crème"));
    // WIN1252 has no character of this number.
    let said = query("win", "select 1 as number, chr(129) as none, 'plain' as word where 'é' = 'é'");
    assert!(said.contains("win,1,(bytes that are not UTF-8),plain"), "{said}");
}
