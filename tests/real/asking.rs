//! How views are asked: when again after an error, what a session may remember, what a hint names, which sessions are
//! ours, and how values are read that people may write in many ways.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::{Command, EventKind, NodeConfig, NodeError, View};
use serde_json::Value;

use crate::support::command::{file, object};
use crate::support::pty::Tui;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::{Watched, blocking, name};

type Outcome = Result<Arc<ViewRows>, NodeError>;

/// A server whose databases and roles the tests share among them: each has its own.
fn server() -> &'static Server {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| cluster().config("autovacuum", "off").start().unwrap()).primary()
}

/// A database of a test's own.
fn database(name: &str, statements: &[&str]) -> NodeConfig {
    server().psql(&format!("create database {name}")).unwrap();
    let node = NodeConfig { database: name.to_owned(), ..server().node_config() };
    run(&node, statements);
    node
}

/// Runs statements in the database of the node, as superuser.
fn run(node: &NodeConfig, statements: &[&str]) {
    for statement in statements {
        let mut psql = server().client("postgres");
        psql.args(["-d", &node.database, "-v", "ON_ERROR_STOP=1", "-c", statement]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn yaml_of(node: &NodeConfig, named: &str, user: &str) -> String {
    let (port, password) = (node.port, server().password().expose());
    format!(
        "  {named}: {{host: 127.0.0.1, port: {port}, user: {user}, database: {}, password: {password}}}\n",
        node.database
    )
}

fn config(node: &NodeConfig, user: &str) -> ConfigFile {
    file(&format!("nodes:\n{}", yaml_of(node, "primary", user)))
}

/// Looks at views.
async fn look(watched: &Watched, views: &[&Arc<View>]) {
    let looks = views.iter().map(|view| Look { view: Arc::clone(view), nodes: None, pace: None }).collect();
    watched.handle.send(Command::Look(looks)).await.unwrap();
}

/// The next answer to a view.
async fn next(watched: &mut Watched, of: &View) -> Outcome {
    let what = format!("an answer to {}", of.name);
    watched
        .until(&what, |event| match &event.kind {
            EventKind::View { view, outcome, .. } if **view == *of.name => Some(outcome.clone()),
            _ => None,
        })
        .await
}

/// The answer to a view that is asked for now.
async fn now(watched: &mut Watched, of: &View) -> Outcome {
    watched.handle.send(Command::LookNow).await.unwrap();
    next(watched, of).await
}

fn cell<'a>(view: &View, answer: &'a ViewRows, column: &str) -> Option<&'a str> {
    answer.rows.cell(0, view.asked().position(|asked| asked.name == column).unwrap())
}

fn view_of(name: &str, from: &str) -> Arc<View> {
    let text = format!("title: T\nabout: a\nkey: [n]\nfrom: {from}\ncolumns:\n  n: {{type: int4, about: a}}\n");
    Arc::new(views::from_text(name, &text, "t.yaml").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_error_is_asked_again_at_the_ordinary_pace_and_a_lasting_one_each_minute() {
    let classes = ["40001", "53200", "55000", "57014", "58030", "XX000"];
    let node = blocking(|| {
        let fails = "create function flaky(which text) returns setof int language plpgsql as $$ begin \
                     if exists (select from public.fails) then raise 'not now' using errcode = which; end if; \
                     return next 1; end $$";
        database(
            "passing",
            &["create table fails (); insert into fails default values", fails, "grant select on fails to public"],
        )
    });
    let flaky: Vec<Arc<View>> = classes
        .iter()
        .map(|class| view_of(&format!("of_{}", class.to_lowercase()), &format!("public.flaky('{class}') n")))
        .collect();
    let lasting = view_of("lasting", "public.not_there n");
    let mut watched = Watched::healthy(vec![node.clone()]).await;
    look(&watched, &flaky.iter().chain([&lasting]).collect::<Vec<_>>()).await;
    let mut outcomes: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    let began = Instant::now();
    let mut mended = false;
    let in_time = Duration::from_secs(50);
    while !flaky.iter().all(|view| outcomes.get(&view.name).is_some_and(|of| of.last().is_some_and(Result::is_ok))) {
        let (view, outcome) = watched
            .until("an answer", |event| match &event.kind {
                EventKind::View { view, outcome, .. } => Some((view.to_string(), outcome.clone())),
                _ => None,
            })
            .await;
        outcomes.entry(view).or_default().push(outcome);
        assert!(began.elapsed() < in_time, "not before the minute is over: {outcomes:?}");
        if !mended && flaky.iter().all(|view| outcomes.get(&view.name).is_some_and(|of| of.len() > 1)) {
            blocking(|| run(&node, &["delete from fails"]));
            mended = true;
        }
    }
    assert_eq!(outcomes["lasting"].len(), 1, "{:?}", outcomes["lasting"]);
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_remembers_of_an_extension_may_change() {
    let node =
        blocking(|| database("moved", &["create extension pg_stat_statements version '1.9'", "create schema mon"]));
    let statements = Arc::clone(&views::ours()["statements"]);
    let mut watched = Watched::healthy(vec![node.clone()]).await;
    look(&watched, &[&statements]).await;
    assert!(!next(&mut watched, &statements).await.unwrap().rows.is_empty());
    // Each change is followed by the first answer, which is right.
    for (change, is_there) in [
        ("grant usage on schema mon to pgwatch; alter extension pg_stat_statements set schema mon", true),
        ("alter extension pg_stat_statements update", true),
        ("drop extension pg_stat_statements", false),
        ("create extension pg_stat_statements", true),
        ("alter extension pg_stat_statements set schema mon", true),
        (
            "drop schema mon cascade; create schema other; grant usage on schema other to pgwatch; create extension pg_stat_statements schema other",
            true,
        ),
    ] {
        blocking(|| run(&node, &[change]));
        let outcome = now(&mut watched, &statements).await;
        match (is_there, outcome) {
            (true, Ok(answer)) => assert!(!answer.rows.is_empty(), "{change}"),
            (false, Err(error)) => {
                assert_eq!(error.message, "pg_stat_statements is not installed in database moved");
                let hint = error.hint.unwrap();
                assert_eq!(hint, "run CREATE EXTENSION pg_stat_statements in that database");
            }
            (_, outcome) => panic!("after {change}: {outcome:?}"),
        }
    }
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_remembers_of_its_role_and_its_objects_may_change() {
    let node = blocking(|| {
        server().psql("create role reader; create role owner_of_all; grant reader, owner_of_all to pgwatch").unwrap();
        database("renewed", &["create table t as select 1 as n", "grant select on t to reader"])
    });
    blocking(|| run(&node, &["alter role pgwatch in database renewed set role = reader"]));
    let view = view_of("mine", "public.t");
    let mut watched = Watched::healthy(vec![node.clone()]).await;
    look(&watched, &[&view]).await;
    assert_eq!(next(&mut watched, &view).await.unwrap().rows.len(), 1);
    // The role that a session acts for is that of its beginning, until another one begins.
    blocking(|| {
        run(
            &node,
            &[
                "alter role pgwatch in database renewed set role = owner_of_all",
                "grant select on t to owner_of_all; revoke select on t from reader",
            ],
        );
    });
    assert_eq!(now(&mut watched, &view).await.map(|answer| answer.rows.len()), Ok(1));
    blocking(|| run(&node, &["drop table t"]));
    let error = now(&mut watched, &view).await.unwrap_err();
    assert_eq!(error.sqlstate.as_deref(), Some("42P01"), "{error:?}");
    blocking(|| run(&node, &["create view t as select 2::int8 as n", "grant select on t to owner_of_all"]));
    let answer = now(&mut watched, &view).await.unwrap();
    assert_eq!(cell(&view, &answer, "n"), Some("2"));
    // A right that is granted meanwhile counts at the next question.
    blocking(|| run(&node, &["revoke select on t from owner_of_all"]));
    assert_eq!(now(&mut watched, &view).await.unwrap_err().sqlstate.as_deref(), Some("42501"));
    blocking(|| run(&node, &["grant select on t to owner_of_all"]));
    assert_eq!(now(&mut watched, &view).await.map(|answer| answer.rows.len()), Ok(1));
    // A database that is dropped and made again.
    let again = blocking(|| {
        server().psql("drop database renewed with (force)").unwrap();
        database("renewed", &["create table t as select 3 as n", "grant select on t to public"])
    });
    assert_eq!(again.database, node.database);
    let answer = watched
        .until("the new table", |event| match &event.kind {
            EventKind::View { outcome: Ok(answer), .. } => Some(Arc::clone(answer)),
            _ => None,
        })
        .await;
    assert_eq!(cell(&view, &answer, "n"), Some("3"));
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_promotion_each_view_is_asked_as_of_a_primary() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let standby = cluster.server("standby1");
    let [receivers, subscriptions] = ["receivers", "subscriptions"].map(|view| Arc::clone(&views::ours()[view]));
    let mut watched = Watched::healthy(vec![standby.node_config()]).await;
    look(&watched, &[&receivers, &subscriptions]).await;
    let lacks = |outcome: Outcome| outcome.unwrap().not_applicable.clone();
    assert_eq!(lacks(next(&mut watched, &subscriptions).await).as_deref(), Some("not available on a standby"));
    assert_eq!(lacks(now(&mut watched, &receivers).await), None);
    let began = Instant::now();
    blocking(|| standby.psql("select pg_promote()").unwrap());
    let (mut is_asked, mut is_gone) = (false, false);
    while !(is_asked && is_gone) {
        let (view, lacks) = watched
            .until("answers of a primary", |event| match &event.kind {
                EventKind::View { view, outcome, .. } => Some((view.to_string(), lacks(outcome.clone()))),
                _ => None,
            })
            .await;
        is_asked |= view == "subscriptions" && lacks.is_none();
        is_gone |= view == "receivers" && lacks.as_deref() == Some("not available on a primary");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "not a minute later: {:?}", began.elapsed());
    watched.stop().await;
}

/// The error of a view for a role.
fn error_of(config: &ConfigFile, view: &str) -> Option<Value> {
    let (told, _) = object(&["view", view, "--config", config.arg(), "--format", "json"]);
    let node = &told["nodes"][0];
    (node["ok"] == false).then(|| node["error"].clone())
}

#[test]
fn a_hint_is_a_statement_that_helps_and_names_what_is_not_held_yet() {
    let node =
        database("hints", &[r#"create table "My secrets" (n int)"#, "create schema shut; create table shut.t (n int)"]);
    let password = server().password().expose();
    let login = format!("login password '{password}'");
    let roles = [
        format!(r#"create role "mon-ro" {login}; create role "user" {login} in role pg_monitor"#),
        format!(r#"create role "no heir" noinherit {login} in role pg_monitor"#),
        format!(r#"create role "acts" {login}; create role "As Another"; grant "As Another" to "acts""#),
        r#"alter role "acts" set role = 'As Another'"#.to_owned(),
        "revoke execute on function pg_ls_tmpdir(oid) from pg_monitor".to_owned(),
    ];
    run(&node, &roles.each_ref().map(String::as_str));
    // What helps, in the order in which it is found out.
    let inherit = server().psql("select current_setting('server_version_num')::int >= 160000").unwrap() == "t";
    let heir =
        if inherit { r#"GRANT pg_monitor TO "no heir" WITH INHERIT TRUE"# } else { r#"ALTER ROLE "no heir" INHERIT"# };
    for (role, hint) in [
        ("acts", r#"GRANT pg_monitor TO "As Another""#),
        ("no heir", heir),
        ("mon-ro", r#"GRANT pg_monitor TO "mon-ro""#),
    ] {
        let config = config(&node, role);
        let mut tui = Tui::start(&["--config", config.arg()], 160, 60, &[]);
        tui.wait_text("● 1", PATIENCE);
        tui.press("<enter>");
        tui.wait_for(&format!("{role}: {hint}"), SOON, |screen| {
            // The left half of the page.
            let words: String = screen
                .rows(0, 88)
                .flat_map(|row| row.replace('│', " ").chars().collect::<Vec<_>>())
                .filter(|c| !c.is_whitespace())
                .collect();
            words.contains(&hint.split_whitespace().collect::<String>())
        });
    }
    for (role, hints) in [
        (
            r#"'"mon-ro"'"#,
            vec![r#"GRANT pg_monitor TO "mon-ro""#, r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(oid) TO "mon-ro""#],
        ),
        ("user", vec![r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(oid) TO "user""#]),
        ("'no heir'", vec![heir, r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(oid) TO "no heir""#]),
        (
            "acts",
            vec![
                r#"GRANT pg_monitor TO "As Another""#,
                r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(oid) TO "As Another""#,
            ],
        ),
    ] {
        let role = role.replace('"', "");
        let config = config(&node, &role);
        for hint in hints {
            let error = error_of(&config, "temp_files").unwrap_or_else(|| panic!("{role} needs {hint}"));
            assert_eq!((&error["sqlstate"], &error["hint"]), (&"42501".into(), &hint.into()), "{role}: {error}");
            run(&node, &[hint]);
        }
        assert_eq!(error_of(&config, "temp_files"), None, "{role}");
    }
    // Of a statement of the user too.
    let config = config(&node, "acts");
    let ask = |sql: &str| object(&["query", "--config", config.arg(), "--format", "json", sql]).0["nodes"][0].clone();
    for (sql, hints) in [
        (r#"select * from "My secrets""#, vec![r#"GRANT SELECT ON "My secrets" TO "As Another""#]),
        (
            "select * from shut.t",
            vec![r#"GRANT USAGE ON SCHEMA "shut" TO "As Another""#, r#"GRANT SELECT ON shut.t TO "As Another""#],
        ),
    ] {
        for hint in hints {
            let answer = ask(sql);
            assert_eq!(answer["error"]["hint"], hint, "{answer}");
            run(&node, &[hint]);
        }
        assert_eq!(ask(sql)["ok"], true, "{sql}");
    }
}

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
