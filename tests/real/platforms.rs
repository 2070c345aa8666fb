//! Platforms that are made from PostgreSQL, or speak like it, each simulated in a database of its own by what it forbids,
//! lacks and answers differently (`tests/platforms/*.yaml`): the node is healthy, its role is known, the figures are there
//! except for those that the profile names, the reasons are told, and every view answers or says in a sentence what is
//! missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use pgwatch::config::views;
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::facts::Missing;
use pgwatch::model::protocol::Look;
use pgwatch::model::{Command, ErrorKind, EventKind, NodeConfig, NodeError, NodeName, Role};
use serde::Deserialize;

use crate::support::command::{each, file, object};
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::{Watched, blocking};

/// How a platform differs from PostgreSQL. Functions are named with the types of their arguments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    /// The predefined roles whose rights our role has.
    rights: Vec<String>,
    /// Functions that our role may not call.
    #[serde(default)]
    forbid: Vec<String>,
    /// Functions and views that do not exist.
    #[serde(default)]
    without: Vec<String>,
    /// Functions that raise an error: its SQLSTATE and message.
    #[serde(default)]
    fails: BTreeMap<String, (String, String)>,
    /// Views and functions that return no rows.
    #[serde(default)]
    empty: Vec<String>,
    /// Whatever else there is.
    #[serde(default)]
    sql: String,
    /// What a primary does not tell, as the screen calls it; what a standby does not, if there are any.
    primary: Vec<String>,
    standby: Option<Vec<String>>,
    /// The views that neither has.
    #[serde(default)]
    no_views: BTreeSet<String>,
}

/// What bends a database. Built-in functions are known by their number: one that is replaced gets another.
const BEND: &str = "
create function hide(what text) returns void language plpgsql as $$ begin
  if what like '%)' then execute format('alter function pg_catalog.%s rename to %I', what, 'hidden_' || split_part(what, '(', 1));
  else execute format('alter view pg_catalog.%I rename to %I', what, 'hidden_' || what);
  end if;
end $$;
create function bend(what text, body text) returns void language plpgsql as $$
declare
  oid oid := ('pg_catalog.' || what)::regprocedure;
  arguments text := pg_get_function_arguments(oid);
  result text := pg_get_function_result(oid);
begin
  perform hide(what);
  execute format('create function pg_catalog.%I(%s) returns %s language plpgsql as %L', split_part(what, '(', 1), arguments, result,
    'begin ' || body || '; end');
end $$;
create function clear(what text) returns void language plpgsql as $$ begin
  if what like '%)' then perform bend(what, 'return'); return; end if;
  perform hide(what);
  execute format('create view pg_catalog.%I as select * from pg_catalog.%I where false', what, 'hidden_' || what);
  execute format('grant select on pg_catalog.%I to public', what);
end $$;
";

impl Profile {
    /// True if there is nothing that a rule could miss.
    fn tells_all(&self) -> bool {
        let views = ["wal_files", "temp_files"];
        let figures = self.primary.is_empty() && self.standby.as_ref().is_none_or(Vec::is_empty);
        figures && self.no_views.iter().all(|view| views.contains(&view.as_str()))
    }

    /// The statements that make a database of this platform.
    fn sql(&self) -> String {
        let clear = self.empty.iter().map(|what| format!("select clear('{what}');\n"));
        let fail = self.fails.iter().map(|(what, (sqlstate, message))| {
            format!("select bend('{what}', $$raise exception '{message}' using errcode = '{sqlstate}'$$);\n")
        });
        let hide = self.without.iter().map(|what| format!("select hide('{what}');\n"));
        let forbid =
            self.forbid.iter().map(|what| format!("revoke execute on function {what} from public, pg_monitor;\n"));
        let changes: Vec<String> = clear.chain(fail).chain(hide).chain(forbid).collect();
        format!("{BEND}{}{}", self.sql, changes.concat())
    }
}

/// All profiles by name, and servers with a database and a role for each.
struct Platforms {
    profiles: BTreeMap<String, Profile>,
    cluster: Cluster,
}

impl Platforms {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platforms");
        let profile = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let profile = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), profile)
        };
        let profiles: BTreeMap<String, Profile> = std::fs::read_dir(folder).unwrap().map(profile).collect();
        let cluster = cluster().standbys(1).config("max_connections", "300").config("allow_system_table_mods", "on");
        let cluster = cluster.config("autovacuum", "off").start().unwrap();
        let primary = cluster.primary();
        let password = primary.password().expose();
        for (name, profile) in &profiles {
            primary.psql(&format!("create role {name} login password '{password}'")).unwrap();
            for right in &profile.rights {
                primary.psql(&format!("grant {right} to {name}")).unwrap();
            }
            primary.psql(&format!("create database {name}")).unwrap();
            run(primary, name, &profile.sql());
        }
        primary.psql("create database ready").unwrap();
        let standby = cluster.server("standby1");
        let ready = "select count(*) from pg_database where datname = 'ready'";
        wait_for("all databases on the standby", PATIENCE, || (standby.psql(ready).unwrap() == "1").then_some(()));
        Self { profiles, cluster }
    }

    /// The servers that a platform has, with what each does not tell.
    fn servers(&self, name: &str) -> Vec<(&Server, Role, &[String])> {
        let profile = &self.profiles[name];
        let primary = (self.cluster.primary(), Role::Primary, profile.primary.as_slice());
        let standby = profile.standby.as_deref().map(|of| (self.cluster.server("standby1"), Role::Standby, of));
        [primary].into_iter().chain(standby).collect()
    }

    fn config(&self, name: &str) -> ConfigFile {
        let node = |(server, ..): (&Server, Role, &[String])| {
            let (node, port, password) = (server.name(), server.port(), server.password().expose());
            format!(
                "  {node}: {{host: 127.0.0.1, port: {port}, user: {name}, database: {name}, password: {password}}}\n"
            )
        };
        file(&format!("nodes:\n{}", self.servers(name).into_iter().map(node).collect::<String>()))
    }
}

/// Runs these statements in a database.
fn run(server: &Server, database: &str, sql: &str) {
    let mut psql = server.client("postgres");
    psql.args(["-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]).stdin(Stdio::piped());
    let mut child = psql.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{database}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What is wrong with an error that a person reads: the words of a statement that is not theirs, no reason, no remedy.
fn not_a_sentence(error: &NodeError) -> Option<&'static str> {
    let says = |words: &str| error.message.contains(words);
    if says("(at character") || says("does not exist") {
        return Some("raw");
    }
    match error.kind {
        ErrorKind::Permission if error.hint.as_deref().is_some_and(|hint| hint.contains("GRANT ")) => None,
        ErrorKind::Permission => Some("no remedy"),
        ErrorKind::Sql if says("this server has no ") || says("not supported") || says("is not installed") => None,
        _ => Some("no reason"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platforms_tell_what_they_can_and_why_they_do_not_tell_the_rest() {
    let platforms = blocking(Platforms::start);
    let mut nodes = Vec::new();
    let mut expected = Vec::new();
    for name in platforms.profiles.keys() {
        for (server, role, missing) in platforms.servers(name) {
            let node = NodeName::parse(&format!("{name}-{}", server.name())).unwrap();
            nodes.push(NodeConfig { name: node.clone(), database: name.clone(), ..server.node_config_as(name) });
            expected.push((node, name.clone(), role, missing));
        }
    }
    let mut watched = Watched::healthy(nodes).await;
    let looks = views::ours().values().map(|view| Look { view: view.clone(), nodes: None, pace: None }).collect();
    watched.handle.send(Command::Look(looks)).await.unwrap();
    let mut faults = Vec::new();
    let mut without: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, platform, role, missing) in &expected {
        let facts = watched.ever("figures", |event| match &event.kind {
            EventKind::Facts { node, facts } if node == name => Some(facts.clone().unwrap()),
            _ => None,
        });
        let facts = facts.await;
        let server = watched.ever("the server", |event| match &event.kind {
            EventKind::Server { node, server } if node == name => Some(server.clone()),
            _ => None,
        });
        let server = server.await;
        if facts.role != *role {
            faults.push(format!("{name} is told as {:?}", facts.role));
        }
        let all: Vec<&Missing> = facts.missing.iter().chain(&server.missing).collect();
        let told: Vec<&str> = all.iter().map(|missing| missing.part.words()).collect();
        if told != *missing {
            faults.push(format!("{name} does not tell {told:?}, but should not tell {missing:?}"));
        }
        let unclear = all.iter().filter_map(|missing| Some((not_a_sentence(&missing.error)?, *missing)));
        faults.extend(unclear.map(|(why, missing)| format!("{name}: {why}: {missing:?}")));
        for view in views::ours().keys() {
            let what = format!("{view} of {name}");
            let answer = watched.ever(&what, |event| match &event.kind {
                EventKind::View { node, view: of, outcome } if node == name && **of == **view => Some(outcome.clone()),
                _ => None,
            });
            let Err(error) = answer.await else { continue };
            if !error.message.contains("is not installed") {
                without.entry(platform.clone()).or_default().insert(view.clone());
            }
            let unclear = not_a_sentence(&error).map(|why| format!("{name}: {view}: {why}: {error:?}"));
            faults.extend(unclear);
        }
    }
    watched.stop().await;
    for (name, profile) in &platforms.profiles {
        let without = without.remove(name).unwrap_or_default();
        if without != profile.no_views {
            faults.push(format!("{name} has no views {without:?}, but should have all except {:?}", profile.no_views));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a person and a script read of one platform.
#[test]
fn status_names_what_it_could_not_judge_on_a_platform() {
    let platforms = Platforms::start();
    std::thread::scope(|scope| {
        for name in platforms.profiles.keys() {
            let platforms = &platforms;
            scope.spawn(move || assert_status(platforms, name));
        }
    });
    let config = platforms.config("aurora");
    let mut tui = Tui::start(&["--config", config.arg()], 160, 60, &[]);
    tui.wait_for("both are healthy", PATIENCE, |screen| {
        screen.contents().lines().filter(|line| line.contains("● healthy")).count() == 2
    });
    tui.press(":node standby1<enter>");
    tui.wait_text("WAL replayed: Function pg_last_wal_replay_lsn() is currently not supported", SOON);
    tui.wait_text("– behind", SOON);
    tui.press("1q");
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0");
}

#[track_caller]
fn assert_status(platforms: &Platforms, name: &str) {
    let config = platforms.config(name);
    let (status, ends) = object(&["status", "--config", config.arg(), "--format", "json"]);
    let roles: Vec<&str> = platforms.servers(name).iter().map(|(_, role, _)| role.as_str()).collect();
    assert_eq!(each(&status, "state"), vec!["healthy"; roles.len()], "{name}: {status:#}");
    assert_eq!(each(&status, "role"), roles, "{name}: {status:#}");
    assert_eq!(status["alerts"].as_array().unwrap().len(), 0, "{name}: {status:#}");
    let unjudged = status["not_judged"].as_array().unwrap();
    assert_eq!(ends, if unjudged.is_empty() { 0 } else { 3 }, "{name}: {status:#}");
    for rule in unjudged {
        let reason = rule["reason"].as_str().unwrap();
        assert!(!reason.contains("does not exist") && !reason.contains("(at character"), "{name}: {reason}");
    }
    assert_eq!(unjudged.is_empty(), platforms.profiles[name].tells_all(), "{name}: {status:#}");
}
