//! The commands as a script runs them, on real servers: what they print, their exit codes, and what remains after them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::command::{
    code, each, err, file, keys, object, out, pgwatch, run, servers, signal, with_dead, working,
};
use crate::support::proxy::{Link, Proxy};
use crate::support::servers::{ConfigFile, assert_no_sessions, cluster};
use crate::support::wait::{PATIENCE, SOON, wait_for};

// check

#[test]
fn check_reports_every_fault_and_connects_to_nothing() {
    let good = file("nodes:\n  a: {host: 203.0.113.1}\n  b: {host: 203.0.113.2, database: app}\n");
    let output = run(&["check", "--config", good.arg()]);
    assert_eq!((code(&output), err(&output)), (0, ""));
    assert!(out(&output).contains("is valid: 2 nodes"), "{}", out(&output));

    let bad = file("nodes:\n  a: {hots: x, port: 99999}\nrefresh: soon\n");
    let output = run(&["check", "--config", bad.arg()]);
    assert_eq!((code(&output), out(&output)), (2, ""));
    let faults: Vec<_> = err(&output).lines().collect();
    assert!(faults.len() >= 3, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.starts_with(&format!("{}:", bad.arg()))), "{faults:?}");
    assert!(err(&output).contains(&format!("{}:2:7: ", bad.arg())), "{faults:?}");
}

#[test]
fn an_invalid_file_or_flag_exits_with_2_or_for_status_with_3() {
    let bad = file("nodes: 7\n");
    for (args, expected) in [
        (["check", "--config", bad.arg()].as_slice(), 2),
        (&["check", "--config", "/nonexistent"], 2),
        (&["check"], 2),
        (&["query", "--config", bad.arg(), "select 1"], 2),
        (&["query", "select 1"], 2),
        (&["query"], 2),
        (&["--config", bad.arg()], 2),
        (&["--config", "/nonexistent"], 2),
        (&["status", "--config", bad.arg()], 3),
        (&["status", "--config", "/nonexistent"], 3),
        (&["status"], 3),
        (&["status", "--nonsense"], 3),
        (&["status", "--format", "csv"], 3),
        (&["--config", bad.arg(), "status"], 3),
        (&["check", "--log", "/dev/null/log"], 2),
    ] {
        let output = run(args);
        assert_eq!(code(&output), expected, "{args:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{args:?}");
        assert!(!err(&output).is_empty() && !err(&output).contains('\u{1b}'), "{args:?}: {}", err(&output));
    }
}

#[test]
fn an_unwritable_output_is_reported_in_one_line() {
    let good = file("nodes:\n  a: {host: 127.0.0.1, port: 1}\n");
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (args, expected) in [(["check", "--config", good.arg()], 1), (["status", "--config", good.arg()], 3)] {
        let output = pgwatch(&args).env("RUST_BACKTRACE", "1").stdout(full()).output().unwrap();
        assert_eq!(code(&output), expected, "{args:?}");
        assert!(err(&output).starts_with("cannot write to standard output: "), "{}", err(&output));
        assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));
    }
}

#[test]
fn the_default_file_is_found_under_xdg_config_home() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("pgwatch")).unwrap();
    fs::write(home.path().join("pgwatch/config.yaml"), "nodes: {only: {host: 203.0.113.1}}\n").unwrap();
    let output = pgwatch(&["check"]).env("XDG_CONFIG_HOME", home.path()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("only"), "{}", out(&output));
}

// status

#[test]
fn status_of_healthy_nodes_has_the_promised_shape_and_exits_with_0() {
    let nodes = servers().servers();
    let config = ConfigFile::new("clusters:\n  here: {nodes: [primary, standby1]}\n", nodes);
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(keys(&report), ["at", "cluster", "verdict", "summary", "nodes", "alerts", "not_judged"]);
    let verdict = json!({"severity": "ok", "message": "one primary, one standby streaming"});
    assert_eq!((&report["verdict"], &report["not_judged"]), (&verdict, &json!([])));
    assert_eq!(report["cluster"], "here");
    assert_eq!(report["alerts"], json!([]));
    assert_eq!(report["summary"], json!({"healthy": 2, "degraded": 0, "down": 0}));
    assert_eq!(each(&report, "name"), ["primary", "standby1"]);
    assert_eq!(each(&report, "role"), ["primary", "standby"]);
    let node = &report["nodes"][0];
    let expected = "name host port database state since role server_version latency_ms connect_ms pool lag error";
    assert_eq!(keys(node).join(" "), expected);
    assert_eq!((&node["state"], &node["error"]), (&json!("healthy"), &Value::Null));
    assert_eq!(node["lag"], Value::Null);
    assert_eq!(keys(&report["nodes"][1]["lag"]), ["time_ms", "at_least", "bytes", "why"]);
    assert_eq!((&node["port"], &node["database"]), (&json!(nodes[0].port()), &json!("postgres")));
    assert_eq!(keys(&node["pool"]), ["max", "open", "active", "idle", "waiting"]);
    assert_eq!((&node["pool"]["max"], &node["pool"]["open"]), (&json!(10), &json!(0)));
    assert!(node["latency_ms"].is_f64() && node["connect_ms"].is_f64(), "{node:#}");
    let version = nodes[0].psql("show server_version").unwrap();
    assert!(version.starts_with(node["server_version"].as_str().unwrap()), "{version}");
    for time in [&report["at"], &node["since"]] {
        let time = time.as_str().unwrap();
        assert!(time.len() == "2026-11-23T20:21:59.123456Z".len() && time.ends_with('Z'), "{time}");
    }
}

#[test]
fn status_reports_settings_that_wait_for_a_restart_and_exits_with_1() {
    let cluster = cluster().start().unwrap();
    let server = cluster.primary();
    server.psql("alter system set max_connections = 77").unwrap();
    server.psql("select pg_reload_conf()").unwrap();
    wait_for("a setting waits for a restart", SOON, || {
        (server.psql("select count(*) from pg_settings where pending_restart").unwrap() == "1").then_some(())
    });
    let config = ConfigFile::new("", [server]);
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["alerts"][0]["rule"], "pending_restart", "{report:#}");
    let output = run(&["status", "--config", config.arg()]);
    assert!(out(&output).contains("changed settings that need a restart: 1"), "{}", out(&output));
}

#[test]
fn status_reports_a_dead_node_among_others_and_exits_with_2() {
    let config = with_dead(ConfigFile::new("", [servers().primary()]));
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(code, 2, "{report:#}");
    assert_eq!(report["cluster"], Value::Null);
    assert_eq!(each(&report, "state"), ["healthy", "unhealthy"]);
    let dead = &report["nodes"][1];
    assert_eq!(dead["error"]["kind"], "refused", "{dead:#}");
    assert_eq!(keys(&dead["error"]), ["kind", "sqlstate", "message", "hint"]);
    for unknown in ["role", "server_version", "latency_ms", "connect_ms"] {
        assert_eq!(dead[unknown], Value::Null, "{unknown}");
    }

    let output = run(&["status", "--config", config.arg()]);
    assert!(out(&output).contains("● healthy") && out(&output).contains("✖ unhealthy"), "{}", out(&output));
    assert!(out(&output).contains("refused") && out(&output).contains("1 healthy, 0 degraded, 1 down"));
    assert!(!out(&output).contains('\u{1b}'), "colours in a pipe");
}

#[test]
fn status_of_a_slow_node_exits_with_1() {
    let primary = servers().primary();
    let proxy = Proxy::to(primary.port());
    proxy.set(Link::Delay(Duration::from_millis(100)));
    let head = "health: {slow_after: 50ms, timeout: 5s, interval: 5s}\n";
    let config = ConfigFile::with_ports(
        head,
        [(primary, proxy.port()), (&servers().servers()[1], servers().servers()[1].port())],
    );
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(each(&report, "state"), ["degraded", "healthy"], "{report:#}");
    assert_eq!(code, 1);
}

#[test]
fn status_is_bounded_by_the_connect_timeout_of_a_node_that_hangs() {
    let primary = servers().primary();
    let proxy = Proxy::to(primary.port());
    proxy.set(Link::HangNew);
    let config = ConfigFile::with_ports(
        "defaults: {pool: {connect_timeout: 2s}}\n",
        [(&servers().servers()[1], servers().servers()[1].port()), (primary, proxy.port())],
    );
    let started = Instant::now();
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert!((Duration::from_secs(2)..SOON).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(each(&report, "state"), ["healthy", "unhealthy"], "{report:#}");
    let error = &report["nodes"][1]["error"];
    assert_eq!((code, &error["kind"]), (2, &json!("timeout")));
    assert!(error["message"].as_str().unwrap().ends_with("within 2 s"), "{error}");
}

#[test]
fn a_signal_ends_status_at_once() {
    let proxy = Proxy::to(servers().primary().port());
    proxy.set(Link::HangNew);
    let head = "defaults: {pool: {connect_timeout: 1m}}\n";
    let config = ConfigFile::with_ports(head, [(servers().primary(), proxy.port())]);
    let child = pgwatch(&["status", "--config", config.arg()]).spawn().unwrap();
    wait_for("signals are heard", SOON, || hears_signals(&child).then_some(()));
    let started = Instant::now();
    signal(&child, Signal::TERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), out(&output)), (143, ""), "{}", err(&output));
    assert!(started.elapsed() < SOON);
}

/// True once SIGHUP no longer kills the process; it is the last of the signals that pgwatch sets a handler for.
fn hears_signals(child: &Child) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", child.id())) else { return false };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & 1 == 1)
}

// query

#[test]
fn a_dead_and_a_slow_node_do_not_spoil_a_query_on_five_nodes() {
    let config = with_dead(ConfigFile::new("", servers().servers()));
    // Only the primary sleeps.
    let sql = "select 42 as answer, pg_sleep(case when pg_is_in_recovery() then 0 else 600 end)::text as slept";
    let started = Instant::now();
    let (report, code) = object(&["query", "--config", config.arg(), "--format", "json", "--timeout", "8s", sql]);
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert_eq!(code, 1);
    assert_eq!(keys(&report), ["statement", "elapsed_ms", "nodes"]);
    assert_eq!(report["statement"], sql);
    assert_eq!(each(&report, "node"), ["primary", "standby1", "standby2", "cascade1", "dead"]);
    assert_eq!(each(&report, "ok"), [false, true, true, true, false], "{report:#}");
    let standby = &report["nodes"][1];
    assert_eq!(keys(standby), ["node", "ok", "elapsed_ms", "columns", "rows", "row_count", "truncated", "notices"]);
    assert_eq!(standby["columns"], json!([{"name": "answer", "type": "int4"}, {"name": "slept", "type": "text"}]));
    assert_eq!((&standby["rows"], &standby["row_count"]), (&json!([[42, ""]]), &json!(1)));
    let kinds: Vec<_> = [0, 4].map(|node| report["nodes"][node]["error"]["kind"].as_str().unwrap()).into();
    assert!(["statement_timeout", "timeout"].contains(&kinds[0]) && kinds[1] == "refused", "{report:#}");
    wait_for("the primary stops working on it", SOON, || (working(servers().primary()) == 0).then_some(()));
}

#[test]
fn values_reach_json_as_promised() {
    let config = ConfigFile::new("", [servers().primary()]);
    let sql = r#"select 1::int2 a, -2 b, 9007199254740993::int8 c, 1.50::numeric d, 0.1::float8 e, 'NaN'::float8 f,
        true g, null::text h, '' i, '{"k": [1, null]}'::jsonb j, '{"k":  1}'::json k, array[1,2] l, '\x00ff'::bytea m,
        1::oid n, '2026-11-23 20:21:59+00'::timestamptz at time zone 'UTC' o, 'null'::jsonb p"#;
    let (report, code) = object(&["query", "--config", config.arg(), "--format", "json", sql]);
    assert_eq!(code, 0, "{report:#}");
    let expected = json!([
        1, -2, "9007199254740993", "1.50", 0.1, "NaN", true, null, "", {"k": [1, null]}, {"k": 1}, "{1,2}", "\\x00ff",
        1, "2026-11-23 20:21:59", null
    ]);
    assert_eq!(report["nodes"][0]["rows"], json!([expected]));
    let types: Vec<_> = report["nodes"][0]["columns"].as_array().unwrap().iter().map(|c| c["type"].clone()).collect();
    assert_eq!(types[..5], ["int2", "int4", "int8", "numeric", "float8"]);
    assert_eq!((&types[9], &types[11], &types[12]), (&json!("jsonb"), &json!("_int4"), &json!("bytea")));
}

#[test]
fn csv_and_tables_keep_errors_apart() {
    let config = with_dead(ConfigFile::new("", [servers().primary(), &servers().servers()[1]]));
    let sql = "select n, case n when 1 then null when 2 then '' else 'a,\"b\"' end as t from generate_series(1, 3) n";
    let output = run(&["query", "--config", config.arg(), "--format", "csv", sql]);
    assert_eq!(code(&output), 1);
    let lines = ["1,", "2,\"\"", "3,\"a,\"\"b\"\"\""];
    let of = |node: &str| lines.map(|line| format!("{node},{line}\n")).concat();
    assert_eq!(out(&output), format!("node,n,t\n{}{}", of("primary"), of("standby1")));
    assert!(err(&output).starts_with("dead: ") && err(&output).contains("refused"), "{}", err(&output));

    let output =
        run(&["query", "--config", config.arg(), "--nodes", "standby1,primary", "select 7 as n, E'a\\x1b[2J' as t"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(out(&output), "node      n  t\nprimary   7  a\\x1b[2J\nstandby1  7  a\\x1b[2J\n");
    assert!(err(&output).starts_with("2 of 2 nodes answered in "), "{}", err(&output));
}

#[test]
fn rows_are_cut_on_request_and_notices_are_reported() {
    let config = ConfigFile::new("", [servers().primary()]);
    let query = |sql: &str| object(&["query", "--config", config.arg(), "--format", "json", "--max-rows", "3", sql]).0;
    let node = query("select generate_series(1, 10)")["nodes"][0].clone();
    assert_eq!((&node["rows"], &node["row_count"]), (&json!([[1], [2], [3]]), &json!(3)), "{node:#}");
    assert_eq!(node["truncated"], true);
    let node = query("do $$ begin raise warning 'hello'; end $$")["nodes"][0].clone();
    let notice = json!([{"severity": "WARNING", "sqlstate": "01000", "message": "hello"}]);
    assert_eq!((&node["notices"], &node["rows"]), (&notice, &json!([])), "{node:#}");
    let node = query("select 1; select 2")["nodes"][0].clone();
    assert_eq!((&node["error"]["kind"], &node["error"]["sqlstate"]), (&json!("sql"), &json!("42601")), "{node:#}");
}

#[test]
fn a_statement_comes_from_standard_input() {
    let config = ConfigFile::new("", [servers().primary()]);
    let mut child =
        pgwatch(&["query", "-c", config.arg(), "--format", "csv", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"-- why\nshow work_mem\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), out(&output)), (0, "node,work_mem\nprimary,4MB\n"), "{}", err(&output));
    let output = run(&["query", "-c", config.arg(), "-"]);
    assert_eq!((code(&output), out(&output)), (2, ""), "an empty statement");
}

#[test]
fn an_unknown_node_is_named_with_the_nearest_one() {
    let config = ConfigFile::new("", servers().servers());
    let output = run(&["query", "--config", config.arg(), "--nodes", "primary,stanby1", "select 1"]);
    assert_eq!((code(&output), out(&output)), (2, ""));
    assert!(err(&output).contains("\"stanby1\", did you mean standby1?"), "{}", err(&output));
}

#[test]
fn nothing_is_written_without_read_write_nor_where_the_file_says_read_only() {
    let primary = servers().primary();
    primary.psql("create table notes (n int); grant all on notes to pgwatch").unwrap();
    let config = ConfigFile::new("", [primary]);
    let write = |config: &ConfigFile, flags: &[&str]| {
        let args =
            [&["query", "--config", config.arg(), "--format", "json"], flags, &["insert into notes values (1), (2)"]];
        let (report, code) = object(&args.concat());
        (report["nodes"][0].clone(), code)
    };
    let (node, code) = write(&config, &[]);
    assert_eq!((code, &node["error"]["kind"], &node["error"]["sqlstate"]), (1, &json!("read_only"), &json!("25006")));
    let text = fs::read_to_string(&config.path).unwrap();
    let (node, code) = write(&config, &["--read-write"]);
    assert_eq!((code, &node["row_count"]), (0, &json!(2)), "{node:#}");
    fs::write(&config.path, format!("defaults: {{read_only: true}}\n{text}")).unwrap();
    let (node, code) = write(&config, &["--read-write"]);
    assert_eq!((code, &node["error"]["kind"]), (1, &json!("read_only")), "{node:#}");
    assert_eq!(primary.psql("select count(*) from notes").unwrap(), "2");
}

#[test]
fn a_signal_cancels_the_query_on_the_servers() {
    let cluster = cluster().standbys(1).start().unwrap();
    let config = ConfigFile::new("", cluster.servers());
    for (sent, expected) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let child =
            pgwatch(&["query", "--config", config.arg(), "--format", "json", "select pg_sleep(600)"]).spawn().unwrap();
        for server in cluster.servers() {
            wait_for("the query runs", PATIENCE, || (working(server) == 1).then_some(()));
        }
        signal(&child, sent);
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), expected, "{}", err(&output));
        let report: Value = serde_json::from_str(out(&output)).unwrap();
        assert_eq!(each(&report, "ok"), [false, false]);
        assert_eq!(report["nodes"][0]["error"]["kind"], "cancelled", "{report:#}");
        for server in cluster.servers() {
            assert_no_sessions(server, SOON);
        }
    }
}

#[test]
fn a_command_whose_reader_leaves_ends_quietly() {
    let config = ConfigFile::new("", [servers().primary()]);
    let program = env!("CARGO_BIN_EXE_pgwatch");
    let sql = "select repeat('x', 1000) from generate_series(1, 5000)";
    for command in [
        format!("{program} query -c {} --format csv \"{sql}\" | head -n 1", config.arg()),
        format!("{program} query -c {} --format json \"{sql}\" | head -c 1", config.arg()),
        format!("{program} completions bash | head -n 1"),
    ] {
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert_eq!((code(&output), err(&output)), (0, ""), "{command}");
        assert!(!output.stdout.is_empty(), "{command}");
    }
}

// Passwords

#[test]
fn a_password_is_in_no_output_log_or_process_list() {
    let primary = servers().primary();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let good = ConfigFile::new("", [primary]);
    let wrong = file(&format!(
        "nodes: {{n: {{host: 127.0.0.1, port: {}, user: pgwatch, password: hunter2}}}}\n",
        primary.port()
    ));
    let broken = file("nodes: {n: {host: h, password: hunter2, pasword: hunter2}}\n");
    for (config, command) in [(&good, "status"), (&wrong, "status"), (&wrong, "query"), (&broken, "check")] {
        let mut args = vec![command, "--config", config.arg(), "--log", log.to_str().unwrap()];
        if command == "query" {
            args.push("select 1");
        }
        let output = pgwatch(&args).env("PGWATCH_LOG", "trace").output().unwrap();
        let log = fs::read_to_string(&log).unwrap();
        for text in [out(&output), err(&output), &log] {
            assert!(!text.contains("hunter2") && !text.contains(primary.password().expose()), "{command}: {text}");
        }
    }
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("connected") && log.contains("authentication failed"), "the log tells what happens: {log}");
    let connection = format!("postgres://pgwatch:hunter2@127.0.0.1:{}/postgres", primary.port());
    let output = run(&["status", "--dbname", &connection]);
    assert_eq!(code(&output), 3, "a password on the command line is refused: {}", err(&output));
    assert!(!err(&output).contains("hunter2"), "{}", err(&output));
    let mut child = pgwatch(&["query", "-c", good.arg(), "select pg_sleep(600)"]).spawn().unwrap();
    wait_for("the query runs", PATIENCE, || (working(primary) > 0).then_some(()));
    let cmdline = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(cmdline.contains("query") && !cmdline.contains(primary.password().expose()));
    signal(&child, Signal::INT);
    child.wait().unwrap();
}

// completions, man, help

#[test]
fn completions_parse_and_the_manual_renders() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains("event-log") && out(&output).contains("status"), "{shell}");
    }
    let script = run(&["completions", "bash"]);
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(&script.stdout).unwrap();
    let parsed = bash.wait_with_output().unwrap();
    assert!(parsed.status.success() && parsed.stderr.is_empty(), "{}", err(&parsed));

    let page = run(&["man"]);
    for part in [
        ".TH PGWATCH 1",
        ".SH OPTIONS",
        ".SH \"PGWATCH STATUS\"",
        ".SH \"EXIT STATUS\"",
        ".SH ENVIRONMENT",
        ".SH EXAMPLES",
    ] {
        assert!(out(&page).contains(part), "{part}: {}", out(&page));
    }
    let help = run(&["--help"]);
    assert!(code(&help) == 0 && out(&help).contains("Examples:") && err(&help).is_empty());
    assert_eq!(out(&run(&["--version"])), format!("pgwatch {}\n", env!("CARGO_PKG_VERSION")));
}

// --event-log

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_event_log_has_connect_kill_and_remove_in_order() {
    use pgwatch::connection::{ConnectionManager, ManagerConfig};
    use pgwatch::demo::Server;
    use pgwatch::model::protocol::LeaveReason;
    use pgwatch::model::{EventKind, HealthState, NodeConfig};
    use pgwatch::store::event_log::EventLog;

    let cluster = tokio::task::spawn_blocking(|| cluster().standbys(1).start().unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let nodes: Vec<NodeConfig> = cluster.servers().iter().map(Server::node_config).collect();
    let names: Vec<_> = nodes.iter().map(|node| node.name.clone()).collect();
    let log = EventLog::start(&path, Some("test"), &names).unwrap();
    let config = ManagerConfig { tap: Some(log.tap()), ..ManagerConfig::new(nodes) };
    let (handle, mut events) = ConnectionManager::start(config);
    let mut wait_until = async |states: [HealthState; 2]| {
        let mut seen = BTreeMap::new();
        while !names.iter().zip(states).all(|(name, state)| seen.get(name) == Some(&state)) {
            let event = tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event").unwrap();
            if let EventKind::Health { node, health, .. } | EventKind::Checked { node, health } = event.kind {
                seen.insert(node, health.state);
            }
        }
    };
    wait_until([HealthState::Healthy, HealthState::Healthy]).await;
    cluster.servers()[1].kill().unwrap();
    wait_until([HealthState::Healthy, HealthState::Reconnecting]).await;
    handle.remove_node(names[1].clone()).await.unwrap();
    handle.shutdown(false).await;
    log.finish(LeaveReason::Key).await;

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], json!(at + 1), "{line}");
        assert_eq!(keys(line)[..3], ["at", "seq", "event"]);
    }
    assert_eq!(keys(&lines[0])[3..], ["version", "cluster", "nodes", "pid"]);
    assert_eq!(lines[0]["nodes"], json!(["primary", "standby1"]));
    let about: Vec<&Value> = lines.iter().filter(|line| line["node"] == "standby1").collect();
    let story: Vec<String> = about
        .iter()
        .filter(|line| line["event"] != "pool" && line["event"] != "node_added")
        .map(|line| match line["event"].as_str().unwrap() {
            "health" => format!("{}>{}", line["from"].as_str().unwrap(), line["to"].as_str().unwrap()),
            event => event.to_owned(),
        })
        .collect();
    // A killed server may appear as degraded first, and is retried more than once.
    assert!(story.starts_with(&["connected".to_owned(), "connecting>healthy".to_owned()]), "{story:?}");
    let place = |what: &str| story.iter().position(|step| step == what || step.ends_with(what));
    let order = ["disconnected", ">unhealthy", "unhealthy>reconnecting", "node_removed"].map(place);
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{order:?} {story:?}");
    let line = |event: &str| *about.iter().find(|line| line["event"] == event).unwrap();
    assert_eq!(keys(line("connected"))[4..], ["role", "server_version", "connect_ms", "attempt"]);
    assert_eq!(keys(line("health"))[4..], ["from", "to", "error", "failures", "attempt", "next_retry_ms"]);
    assert_eq!(keys(line("node_removed"))[4..], ["sessions_closed", "cancelled"]);
    assert!(keys(line("pool"))[4..].starts_with(&["max", "open", "active", "idle", "waiting", "gets"]));
    let last = lines.last().unwrap();
    assert_eq!(keys(last)[3..], ["reason", "elapsed_ms", "sessions_closed", "queries_cancelled"]);
    assert_eq!((&last["event"], &last["reason"]), (&json!("stopped"), &json!("key")));
    assert!(!text.contains(cluster.primary().password().expose()));
}
