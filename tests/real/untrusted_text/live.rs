//! The same on a real server: names, rows, errors, notices and settings that it really sends, through the dashboard in
//! a terminal and in the output of commands.

use std::sync::OnceLock;

use pgwatch::demo::{Cluster, Server};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::command::{err, file, object, out, run};
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::stream::{clipboard, foreign};
use crate::support::wait::{PATIENCE, SOON};

/// Written as both SQL and YAML escape it in double quotes or `E''`: a title, a question to the terminal, a control
/// character above 127, right to left, zero width, a tag, a family.
const EVIL: &str = r"\x1b]0;pwned\x07\x1b[6n\u009b31m\u202e\u200b\U000e0041日本\U0001f469\u200d\U0001f467";
/// How the start of it is shown.
const SHOWN: &str = r"\x1b]0;pwned\x07\x1b[6n\x9b31m\u202e\u200b\U000e0041日本";

/// What the server makes of [`EVIL`].
fn evil() -> String {
    "\u{1b}]0;pwned\u{7}\u{1b}[6n\u{9b}31m\u{202e}\u{200b}\u{e0041}日本\u{1f469}\u{200d}\u{1f467}".to_owned()
}

fn server() -> &'static Server {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(prepared).primary()
}

/// A role, databases, tables, functions and settings with names and texts that no person would give by accident.
fn prepared() -> Cluster {
    let evil = EVIL;
    let cluster = cluster().start().unwrap();
    let server = cluster.primary();
    let password = server.password().expose();
    let sql = format!(
        r"
select format('create role %I login in role pg_monitor password %L', E'{evil}', '{password}') \gexec
select format('create database %I', E'd{evil}') \gexec
select format('alter database postgres set app.evil = %L', E'{evil}') \gexec
select format('create table %I as select 1 as %I, %L::text as %I, 2 as behind', E't{evil}', 'before', E'{evil}',
  E'c{evil}') \gexec
select format('create view evil as select * from %I', E't{evil}') \gexec
select format('grant select on evil, %I to public', E't{evil}') \gexec
create function fails() returns int language plpgsql as $$ begin
  raise notice E'n{evil}\nn';
  raise exception E'm{evil}\nm' using detail = E'd{evil}\nd', hint = E'h{evil}\nh';
end $$;
create function warns() returns int language plpgsql as $$ begin
  raise warning E'w{evil}\nw';
  return 1;
end $$;
create database legacy encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C';
\connect legacy
create table bytes as select E'caf\xe9 \xff'::text as word, 1 as number;
grant select on bytes to public;
create function fails() returns int language plpgsql as $$ begin raise exception E'caf\xe9 \xff\x1b[2J'; end $$;
"
    );
    server.psql(&sql).unwrap();
    server.set("cluster_name", "\u{1b}[2Jmain").unwrap();
    server.stop(pgwatch::demo::StopMode::Fast).unwrap();
    server.start().unwrap();
    cluster
}

/// The server as several nodes: a good one, one with an evil role and database, one whose role and database do not
/// exist, and one whose rows are not UTF-8.
fn config() -> ConfigFile {
    let server = server();
    let (host, port, password) = (server.host(), server.port(), server.password().expose());
    let evil = EVIL;
    let node = |name: &str, user: &str, database: &str| {
        format!(
            "  {name}: {{host: {host}, port: {port}, user: \"{user}\", database: \"{database}\", password: {password}}}\n"
        )
    };
    file(&format!(
        "nodes:\n{}{}{}{}{}",
        node("good", "pgwatch", "postgres"),
        node("evil", evil, &format!("d{evil}")),
        node("no-database", "pgwatch", &format!("none{evil}")),
        node("no-role", &format!("none{evil}"), "postgres"),
        node("legacy", "pgwatch", "legacy"),
    ))
}

/// Through the dashboard. Every byte sent to the terminal is text or one of our own sequences.
#[test]
fn what_a_server_says_is_shown_in_a_terminal_and_never_obeyed() {
    let config = config();
    let mut tui = Tui::start(&["--config", config.arg()], 200, 60, &[]);
    tui.wait_for("three nodes are healthy", PATIENCE, |screen| screen.contents().matches("● healthy").count() == 3);
    tui.wait_text(&format!("\"none{SHOWN}"), SOON);
    // The error may quote a password, so it does not name the role. The table of the page cuts it.
    let role = r"none\x1b]0;pwned\x07";
    for (node, seen) in [("good", "[2Jmain"), ("evil", SHOWN), ("no-database", SHOWN), ("no-role", role)] {
        tui.press(&format!("1g/{node}<enter>"));
        tui.press("<enter>");
        tui.wait_text(&format!("› {node}"), SOON);
        tui.wait_text(seen, SOON);
        tui.press("<esc>");
        tui.wait_text("LAST MINUTE", SOON);
        tui.press("<esc>");
        tui.wait_for("no filter", SOON, |screen| !screen.contents().contains(&format!(" /{node} ")));
    }
    for (statement, seen) in [
        ("select * from evil", SHOWN.to_owned()),
        ("select fails()", format!("m{SHOWN}")),
        ("select warns()", "WARNING".to_owned()),
        ("show app.evil", SHOWN.to_owned()),
        ("select word from bytes", "legacy".to_owned()),
    ] {
        tui.press(&format!(":{statement}<enter>"));
        tui.press("9");
        tui.wait_for(statement, SOON, |screen| {
            let text = screen.contents();
            text.contains(statement) && text.contains(&seen) && text.contains("of 5 answered")
        });
        tui.press("w");
        tui.wait_text("╌╌╌╌", SOON);
        tui.press("w1");
        tui.wait_text("LAST MINUTE", SOON);
    }
    copies(&mut tui);
    tui.press(":export /dev/null/\u{202e}\u{200b}x.csv<enter>");
    tui.wait_text(r"could not write /dev/null/\u202e\u200bx.csv", SOON);
    assert_seen_and_left(&mut tui);
}

/// The clipboard gets the text itself, encoded so that no terminal obeys it.
fn copies(tui: &mut Tui) {
    tui.press(":select * from evil<enter>");
    tui.press("9");
    tui.wait_text(" behind ", SOON);
    tui.press("gy");
    let copied = crate::support::wait::wait_for("OSC 52", SOON, || clipboard(&tui.raw()).pop());
    assert!(copied.contains(&evil()), "{copied:?}");
}

/// Leaves, and checks every byte that came before the terminal was given back.
fn assert_seen_and_left(tui: &mut Tui) {
    tui.signal(Signal::TERM);
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0");
    let raw = tui.raw();
    let end = b"\x1b[?1049l";
    let end = raw.windows(end.len()).rposition(|window| window == end).expect("the terminal was given back");
    assert_eq!(foreign(&raw[..end]), Vec::<String>::new());
}

/// What is printed for people contains nothing that a terminal obeys, and no line made up by a server.
#[test]
fn tables_and_messages_show_what_csv_and_json_keep() {
    let config = config();
    let query = |format: &str, sql: &str| {
        run(&["query", "--config", config.arg(), "--nodes", "good", "--format", format, "--timeout", "20s", sql])
    };
    for sql in ["select * from evil", "select fails()", "select warns()", "show app.evil"] {
        let output = query("table", sql);
        let (out, err) = (out(&output), err(&output));
        assert!(out.contains(SHOWN) || err.contains(SHOWN), "{sql}: {out}{err}");
        for line in out.lines().chain(err.lines()) {
            assert_eq!(foreign(line.as_bytes()), Vec::<String>::new(), "{sql}: {line:?}");
        }
        let ours = ["good: ", "  h", "1 of 1 nodes", "0 of 1 nodes"];
        assert!(err.lines().all(|line| ours.iter().any(|start| line.starts_with(start))), "{err}");
    }
    let csv = query("csv", "select * from evil");
    assert!(out(&csv).contains(&evil()), "{:?}", out(&csv));
    let args = ["query", "--config", config.arg(), "--nodes", "good", "--format", "json", "select * from evil"];
    let (report, code) = object(&args);
    assert_eq!((code, &report["nodes"][0]["rows"][0][1]), (0, &Value::from(evil())));

    for args in [&["status", "--config", config.arg()][..], &["check", "--config", config.arg()]] {
        let output = run(args);
        let (out, err) = (out(&output), err(&output));
        assert!(out.contains(SHOWN), "{out}{err}");
        for line in out.lines().chain(err.lines()) {
            assert_eq!(foreign(line.as_bytes()), Vec::<String>::new(), "{args:?}: {line:?}");
        }
    }
}

/// Bytes that are not UTF-8 are an answer like any other: the server's own error or the value, never a panic, and the
/// node stays in use.
#[test]
fn bytes_that_are_not_utf_8_are_reported_and_the_node_stays_in_use() {
    let config = config();
    for (sql, seen) in [
        ("select word from bytes", "(bytes that are not UTF-8)"),
        ("select number from bytes", "1"),
        ("select fails()", "caf\u{fffd}"),
        ("select convert_to(word, 'SQL_ASCII') from bytes", r"\x636166e920ff"),
    ] {
        let output = run(&["query", "--config", config.arg(), "--nodes", "legacy", "--timeout", "20s", sql]);
        let said = format!("{}{}", out(&output), err(&output));
        assert!(said.contains(seen), "{sql}: {said}");
        assert!(!said.contains("internal") && !said.contains("panicked"), "{sql}: {said}");
        for line in said.lines() {
            assert_eq!(foreign(line.as_bytes()), Vec::<String>::new(), "{sql}: {line:?}");
        }
    }
}
