//! What is shown of the answers: sessions of others, values as people may write them, the faults of nodes, and what a
//! server cannot have.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::Arc;

use pgwatch::config::views;
use pgwatch::demo::Server;
use pgwatch::model::{EventKind, View};
use serde_json::Value;

use super::{config, database, look, run, server, yaml_of};
use crate::support::command::{file, object};
use crate::support::pty::Tui;
use crate::support::servers::cluster;
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::{Watched, blocking, name};

/// An idle session under this name; it ends when its input is closed.
fn idle(application: &str) -> Child {
    let mut psql = server().client("postgres");
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "set application_name = '{application}';").unwrap();
    child
}

#[test]
fn a_session_of_another_program_called_pgwatch_is_shown_and_none_of_ours() {
    let node = database("called", &[]);
    let mut other = idle("pgwatch");
    let pid = wait_for("the other session", SOON, || {
        let sql = "select pid from pg_stat_activity where application_name = 'pgwatch' and usename = 'postgres' and state = 'idle'";
        Some(server().psql(sql).ok()?).filter(|pid| !pid.is_empty())
    });
    // One server under two names: the sessions of both are ours.
    let (one, two) = (yaml_of(&node, "one", "pgwatch"), yaml_of(&server().node_config(), "two", "pgwatch"));
    let config = file(&format!("nodes:\n{one}{two}"));
    let mut tui = Tui::start(&["--config", config.arg()], 160, 50, &[]);
    tui.wait_text("● 2", PATIENCE);
    tui.press("3");
    tui.wait_text("rows are hidden", PATIENCE);
    tui.press("i");
    tui.wait_for("the other session, once for each node", PATIENCE, |screen| {
        screen.contents().lines().filter(|line| line.contains(&format!(" {pid} "))).count() == 2
    });
    let own = "select string_agg(pid::text, ' ') from pg_stat_activity where application_name = 'pgwatch' and usename = 'pgwatch' \
               and client_port is not null and datname = 'called'";
    let own = server().psql(own).unwrap();
    assert!(own.split(' ').count() >= 2, "{own}");
    // Those of another pgwatch are shown to this one.
    let (told, _) = object(&["view", "activity", "--config", config.arg(), "--nodes", "one", "--format", "json"]);
    let rows = told["nodes"][0]["rows"].as_array().unwrap();
    let told: Vec<String> = rows.iter().map(|row| row[0].to_string()).collect();
    assert!(told.contains(&pid) && own.split(' ').all(|own| told.contains(&own.to_owned())), "{told:?}, {own}, {pid}");
    let screen = tui.screen_text();
    let shown = own.split(' ').filter(|own| screen.contains(&format!(" {own} "))).count();
    assert_eq!(shown, 0, "{own}\n{screen}");
    drop(tui);
    drop(other.stdin.take());
    other.wait().unwrap();
}

#[test]
fn storage_parameters_are_read_as_the_server_reads_them() {
    let node = database("options", &["create table plain as select g as i from generate_series(1, 1000) g"]);
    // Each as it may be typed, and what it means: threshold, scale factor and freeze age.
    let tables = [
        ("'50'", "'0.2'", "'200000000'", (50.0, 0.2, 200_000_000)),
        ("'1e5'", "'1e-1'", "'2e8'", (100_000.0, 0.1, 200_000_000)),
        ("' 50 '", "' .5 '", "' 150000000'", (50.0, 0.5, 150_000_000)),
        ("'0x10'", "'00.5'", "'0xBEBC200'", (16.0, 0.5, 200_000_000)),
        ("'0X1f'", "'+1'", "'0100000000'", (31.0, 1.0, 16_777_216)),
        ("'062'", "'5.'", "'1.5e8'", (50.0, 5.0, 150_000_000)),
        ("'100.'", "'0'", "'+200000000'", (100.0, 0.0, 200_000_000)),
    ];
    for (at, (threshold, factor, freeze, _)) in tables.iter().enumerate() {
        run(
            &node,
            &[
                &format!(
                    "create table t{at} (i int, v text) with (autovacuum_vacuum_threshold = {threshold}, \
                     autovacuum_vacuum_scale_factor = {factor}, autovacuum_freeze_max_age = {freeze}, autovacuum_enabled = yes, \
                     fillfactor = '0x46', toast.autovacuum_vacuum_threshold = '1e3', toast.autovacuum_enabled = 'on')"
                ),
                &format!("insert into t{at} select g from generate_series(1, 1000) g; analyze t{at}"),
                &format!("delete from t{at} where i <= 100"),
            ],
        );
    }
    run(&node, &["grant select on all tables in schema public to pgwatch"]);
    let config = config(&node, "pgwatch");
    let read = |view: &str| {
        let (told, exit) = object(&["view", view, "--config", config.arg(), "--format", "json"]);
        assert_eq!(exit, 0, "{told}");
        let column = |column: &Value| column["name"].as_str().unwrap().to_owned();
        let names: Vec<String> = told["columns"].as_array().unwrap().iter().map(column).collect();
        let rows = told["nodes"][0]["rows"].as_array().unwrap().clone();
        let of = |row: Value| names.iter().cloned().zip(row.as_array().unwrap().iter().cloned()).collect();
        let rows: Vec<BTreeMap<String, Value>> = rows.into_iter().map(of).collect();
        rows.into_iter().map(|row| (row["table"].as_str().unwrap().to_owned(), row)).collect::<BTreeMap<_, _>>()
    };
    let rows = wait_for("the statistics of each table", SOON, || {
        let rows = read("tables");
        (0..tables.len()).all(|at| rows[&format!("t{at}")]["dead"] == "100").then_some(rows)
    });
    assert!(rows.contains_key("plain"));
    for (at, (_, _, _, (threshold, factor, freeze))) in tables.iter().enumerate() {
        let row = &rows[&format!("t{at}")];
        let due = row["vacuum_due"].as_f64().unwrap();
        let expected = 100.0 * 100.0 / (threshold + factor * 1000.0);
        assert!((due - expected).abs() < 0.01, "t{at}: {due}, not {expected}");
        assert_eq!(row["freeze_max_age"], freeze.to_string(), "t{at}");
    }
    // The other view that reads them.
    let bloat = read("bloat");
    assert_eq!(bloat["t0"]["fillfactor"].as_f64().map(f64::round), Some(70.0), "{bloat:?}");
}

#[test]
fn the_fault_of_one_node_stands_on_the_screen_however_many_rows_others_have() {
    let node = database(
        "faulty",
        &[
            "create function allowed() returns bool language sql as 'select true'",
            "revoke execute on function allowed() from public; grant execute on function allowed() to pgwatch",
            &format!("create role shut login password '{}'", server().password().expose()),
        ],
    );
    let mut text = "nodes:\n".to_owned();
    for at in 1..=6 {
        text += &yaml_of(&node, &format!("n{at}"), if at == 4 { "shut" } else { "pgwatch" });
    }
    let config = file(&text);
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("pgwatch/views");
    std::fs::create_dir_all(&folder).unwrap();
    let view = "title: Mine\nabout: a\nkey: [n]\nfrom: generate_series(1, 50) n where public.allowed()\n\
                columns:\n  n: {type: int4, about: a, group: true}\n";
    std::fs::write(folder.join("mine.yaml"), view).unwrap();
    let env = [("XDG_CONFIG_HOME", home.path().to_str().unwrap())];
    let mut tui = Tui::start(&["--config", config.arg()], 80, 24, &env);
    let fault = |screen: &vt100::Screen| screen.contents().contains("✖ n4: permission denied");
    tui.wait_text("● 6", PATIENCE);
    // The views have been read once a table of them is shown.
    tui.press("3");
    tui.wait_for("sessions", PATIENCE, |screen| {
        let text = screen.contents();
        text.contains("no other sessions") || text.contains("hidden") || text.contains(" idle ·")
    });
    tui.press(":mine<enter>");
    tui.wait_for("rows, and the fault", PATIENCE, |screen| screen.contents().contains("of 25") && fault(screen));
    // Sorted, grouped, filtered.
    for keys in ["s", "S", "b", "b", "/n=7<enter>"] {
        tui.press(keys);
        tui.wait_for(&format!("the fault after {keys}"), SOON, |screen| {
            fault(screen) || screen.contents().contains("✖ n4  permission denied")
        });
    }
    tui.press("9");
    tui.wait_text("Nothing asked yet", SOON);
    tui.press("select n from generate_series(1, 50) n where public.allowed()<f5>");
    tui.wait_for("answers, and the fault", PATIENCE, |screen| {
        screen.contents().contains("5 of 6 answered") && fault(screen)
    });
    tui.press("G");
    tui.wait_for("the fault at the end too", SOON, |screen| screen.contents().contains("–251") && fault(screen));
}

/// For each view and each role of a server: what it cannot have is no error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_cannot_have_is_no_error_of_any_view() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let nodes = cluster.servers().iter().map(Server::node_config).collect();
    let mut watched = Watched::healthy(nodes).await;
    let views: Vec<&Arc<View>> = views::ours().values().collect();
    look(&watched, &views).await;
    let mut outcomes = BTreeMap::new();
    while outcomes.len() < 2 * views.len() {
        let (key, outcome) = watched
            .until("all answers", |event| match &event.kind {
                EventKind::View { node, view, outcome } => Some(((view.to_string(), node.clone()), outcome.clone())),
                _ => None,
            })
            .await;
        outcomes.entry(key).or_insert(outcome);
    }
    watched.stop().await;
    let lacking = |node: &str| -> Vec<&str> {
        let of = outcomes.iter().filter(|((_, of), _)| *of == name(node));
        let lacks = of.filter(|(_, outcome)| outcome.as_ref().is_ok_and(|answer| answer.not_applicable.is_some()));
        lacks.map(|((view, _), _)| view.as_str()).filter(|view| views::ours()[*view].extension.is_none()).collect()
    };
    let [primary, standby] = ["primary", "standby1"].map(lacking);
    assert!(primary.contains(&"receivers") && primary.contains(&"recovery_prefetch"), "{primary:?}");
    assert!(standby.contains(&"subscriptions") && !standby.contains(&"receivers"), "{standby:?}");
    for ((view, node), outcome) in &outcomes {
        if let Err(error) = outcome {
            assert!(error.message.contains("is not installed"), "{view} of {node}: {error:?}");
        }
    }
}
