//! The secrets of other clients, as real servers show them: in the texts of their statements, in settings, and in what
//! replication is told. Each is on the server, and in no output.

use std::fs;
use std::sync::OnceLock;

use pgwatch::config::views;
use pgwatch::demo::Cluster;
use pgwatch::model::View;
use tokio_postgres::{Client, Config, NoTls};

use crate::support::command::{err, out, run};
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// The secret of all clients. It has a quote to escape in it.
const SECRET: &str = "s3cr3t";

/// Each way to write a secret, which some client has sent last. That many of them fail does not matter: their texts are
/// shown all the same.
const WAYS: [(&str, &str); 52] = [
    ("a role's password", "create role r1 login password 's3cr3t'"),
    (
        "a role's password with another option",
        "alter role r1 with encrypted password 's3cr3t' valid until '2100-01-01'",
    ),
    ("a user's password", "alter user r1 password 'it''s3cr3t'"),
    ("a group's password", "create group r2 password 's3cr3t'"),
    ("escapes", r"alter role r1 password E'a\'s3cr3t'"),
    ("Unicode escapes", r"alter role r1 password U&'\0061s3cr3t'"),
    ("dollar quotes", "alter role r1 password $q$s3cr3t$q$"),
    ("a national text", "alter role r1 password N's3cr3t'"),
    ("a text continued in the next line", "alter role r1 password 'a'\n's3cr3t'"),
    ("a backslash that escapes or not", r"alter role r1 password 'a\'s3cr3t'"),
    ("quotes that nobody escaped", "alter role r1 password 'it's s3cr3t; select 1"),
    ("a password without quotes", "alter role r1 password s3cr3t"),
    ("a name in quotes", "select 1 as \"password\", 's3cr3t' as \"value\""),
    ("a name with escapes", r"create user mapping for r1 server s options (U&'pass\0077ord' 's3cr3t')"),
    ("a user mapping", "create user mapping for r1 server s options (user 'u', password 's3cr3t')"),
    ("a foreign server", "alter server s options (add sslpassword 's3cr3t')"),
    ("a subscription", "create subscription s connection 'host=/nowhere password=''s3cr3t''' publication p"),
    ("a connection", "select dblink_connect('c', 'host=h password=''it\\''s3cr3t''')"),
    ("a statement over a connection", "select dblink_exec('c', 'alter role a password ''s3cr3t''')"),
    ("a connection string in a text", "select pg_sleep(0), 'host=h password=''s3cr3t'''"),
    ("a URI", "select 'postgres://u:a/s3cr3t@h/d'"),
    ("an encoded URI", "select 'postgres://u:%61s3cr3t%40@h/d'"),
    ("a parameter of a URI", "select 'postgres://h/d?user=u&sslpassword=s3cr3t&x=y'"),
    ("an encoded parameter of a URI", "select 'postgres://h/d?p%61ssword=s3cr3t'"),
    ("a program", "copy (select 1) to program 'curl -s -u user:s3cr3t file:///dev/null'"),
    ("a block", "do $d$ begin execute 'alter role r1 password ''s3cr3t'''; end $d$"),
    ("a block in a block", "do $d$ begin execute $e$ do $f$ begin perform 'password=s3cr3t'; end $f$ $e$; end $d$"),
    ("a function", "create function f() returns text language sql as $$ select 'token: s3cr3t' $$"),
    ("a comment", "/* password=s3cr3t */ select 1 -- api_key: s3cr3t"),
    ("a setting", "set app.token = 's3cr3t'"),
    ("a setting without quotes", "set app.token to s3cr3t"),
    ("a setting of a role", "alter role r1 set app.client_secret to s3cr3t"),
    ("a setting by a function", "select set_config('app.passwd', 's3cr3t', false)"),
    ("a hash", "select md5('s3cr3t' || 'r1')"),
    ("a key", "select pgp_sym_encrypt('data', 's3cr3t')"),
    ("a hashed password", "select crypt('s3cr3t', gen_salt('bf'))"),
    ("JSON", r#"select '{"id": 1, "apiKey": "s3cr3t"}'::json"#),
    ("escaped JSON", r#"select '{"pass\u0077ord": "s3cr3t"}'::json"#),
    ("YAML", "select 'user: u\nsecret_access_key: s3cr3t\n'"),
    ("a header", "select 'Authorization: Bearer s3cr3t'"),
    ("a column", "select 1 from pg_authid where rolpassword = 's3cr3t' and rolname = 'x'"),
    ("a prepared statement", "prepare p as select crypt($1, 's3cr3t')"),
    ("a value of a prepared statement", "execute p('s3cr3t')"),
    ("an environment", "PGPASSWORD=s3cr3t psql -h h"),
    ("an option of a server", "create server s2 foreign data wrapper f options (dbname 's3cr3t')"),
    ("an option of a command", "select 'mysql -u root -ps3cr3t'"),
    ("a user of a command", "select 'http -u user:s3cr3t h'"),
    ("a key of a cloud", "select f('AKIAIOSFODNN7EXAMPLE', 's3cr3t')"),
    ("a login", "select login('u', 's3cr3t')"),
    ("a line of a password file", "select 'h:5432:*:u:s3cr3t'"),
    ("a signed URI", "select 'https://h/d?a=1&sig=s3cr3t'"),
    ("a command of the server", "alter system set restore_command = 'scp -i /s3cr3t h:%f %p' bogus"),
];

/// What others have written, which plans and errors tell.
const TOLD: &str = r#"
create table logins (id int primary key, password text unique, pin int8);
insert into logins values (1, 's3cr3t', 5);
create view login as select * from logins where password = 's3cr3t' and pin < 12345678;
create view document as select * from logins where password = e'a "b" \'
s3cr3t';
create function fails() returns void language plpgsql as $$ begin
  raise notice 'token: s3cr3t';
  raise exception 'the password is ''s3cr3t''' using detail = 'token=s3cr3t', hint = 'try PGPASSWORD=s3cr3t psql'; end $$;
grant all on logins, login, document to public;
"#;

/// The server, whose clients have sent all of [`WAYS`], and their sessions.
struct Stage {
    cluster: Cluster,
    runtime: tokio::runtime::Runtime,
    clients: Vec<Client>,
}

impl Stage {
    fn shared() -> &'static Self {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let cluster = cluster()
            .standbys(1)
            .config("pg_stat_statements.track_utility", "on")
            .config("track_activity_query_size", "600")
            .config("max_connections", "100")
            .config("ssl_passphrase_command", SECRET)
            .config("archive_mode", "on")
            .config("archive_command", &format!("PGPASSWORD={SECRET} true"))
            .start()
            .unwrap();
        let server = cluster.primary();
        server.psql("create extension if not exists pg_stat_statements; create table locked (id int)").unwrap();
        server.psql(&format!("alter role app set app.password = '{SECRET}'")).unwrap();
        server.psql(TOLD).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut stage = Self { cluster, runtime, clients: Vec::new() };
        for (_, statement) in WAYS {
            stage.send(statement);
        }
        stage.send("set application_name = 'postgres://u:s3cr3t@h/d'");
        // Cut off in the middle of the secret.
        stage.send(&format!("alter role r1 password '{}{}", "x".repeat(540), SECRET.repeat(40)));
        stage.wait_and_block();
        stage
    }

    fn session(&self) -> Client {
        let server = self.cluster.primary();
        let mut config = Config::new();
        config.host(server.host()).port(server.port()).user("postgres").password(server.password().expose());
        config.dbname("postgres").application_name("client");
        let (client, connection) = self.runtime.block_on(config.connect(NoTls)).unwrap();
        self.runtime.spawn(connection);
        client
    }

    fn send(&mut self, statement: &str) {
        let client = self.session();
        drop(self.runtime.block_on(client.simple_query(statement)));
        self.clients.push(client);
    }

    /// One session blocks another one, and both texts hold a secret.
    fn wait_and_block(&mut self) {
        self.send("begin; lock table locked /* token: s3cr3t */");
        let waiting = self.session();
        self.runtime.spawn(async move {
            drop(waiting.simple_query("select 'password=s3cr3t' from locked").await);
        });
        wait_for("a session waits", SOON, || {
            let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
            (self.cluster.primary().psql(waits).unwrap() == "1").then_some(())
        });
    }
}

#[track_caller]
fn assert_kept(what: &str, text: &str) {
    assert!(!text.contains(SECRET), "{what} tells the secret:\n{text}");
    let password = Stage::shared().cluster.primary().password().expose();
    assert!(!text.contains(password), "{what} tells the password of replication:\n{text}");
}

/// The queries that a view shows on the primary.
fn queries(view: &str, config: &ConfigFile) -> Vec<String> {
    let output = run(&["view", view, "--config", config.arg(), "--format", "json", "--interval", "100ms"]);
    let told: serde_json::Value = serde_json::from_str(out(&output)).unwrap_or_else(|_| panic!("{}", err(&output)));
    let primary = told["nodes"].as_array().unwrap().iter().find(|node| node["node"] == "primary").unwrap();
    let column = told["columns"].as_array().unwrap().iter().position(|column| column["name"] == "query").unwrap();
    let rows = primary["rows"].as_array().unwrap_or_else(|| panic!("{primary}")).iter();
    rows.filter_map(|row| row[column].as_str().map(str::to_owned)).collect()
}

/// Without this the other tests would show nothing.
#[test]
fn every_secret_is_in_what_the_server_tells() {
    let server = Stage::shared().cluster.primary();
    let sent = server.psql("select query from pg_stat_activity where application_name = 'client'").unwrap();
    for (what, statement) in WAYS {
        assert!(statement.contains(SECRET) && sent.contains(statement), "{what}: {statement}");
    }
    assert!(sent.contains(&format!("xx{SECRET}{SECRET}")) && !sent.contains(&SECRET.repeat(20)), "a text is cut off");
    for (what, sql) in [
        ("statements", "select count(*) from pg_stat_statements where query like '%s3cr3t%'"),
        ("settings", "select count(*) from pg_settings where setting like '%s3cr3t%'"),
        ("roles", "select count(*) from pg_roles where rolconfig::text like '%s3cr3t%'"),
        ("names", "select 1 + count(*) from pg_stat_activity where application_name like '%s3cr3t%'"),
        ("locks", "select count(*) from pg_stat_activity where query like '%s3cr3t%' and state <> 'idle'"),
    ] {
        assert!(server.psql(sql).unwrap().parse::<u32>().unwrap() >= 2 - u32::from(what == "roles"), "{what}");
    }
}

#[test]
fn no_view_and_no_command_shows_a_secret_of_other_clients() {
    let config = ConfigFile::new("", Stage::shared().cluster.servers());
    // Those that show texts of any kind, and those that are told connection strings.
    let holds = |view: &View| view.columns.iter().any(|column| column.holds.is_some());
    let texts = views::ours().values().filter(|view| holds(view)).map(|view| view.name.as_str());
    for view in texts.chain(["receivers", "topology", "senders"]) {
        let formats: &[&str] = if view == "activity" { &["json", "csv", "table"] } else { &["json"] };
        for format in formats {
            let output = run(&["view", view, "--config", config.arg(), "--format", format, "--interval", "100ms"]);
            assert_kept(view, &format!("{}{}", out(&output), err(&output)));
        }
    }
    for command in ["status", "status --format json", "check"] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.extend(["--config", config.arg()]);
        let output = run(&args);
        assert_kept(command, &format!("{}{}", out(&output), err(&output)));
    }
    let hidden = |view: &str| queries(view, &config).iter().filter(|query| query.contains("'***'")).count();
    assert!(hidden("activity") >= WAYS.len(), "each is shown, without its secret");
    assert!(hidden("statements") >= 2 && hidden("locks") >= 2 && hidden("held_locks") >= 2);
    // The rest of a statement is shown, and so are those without a secret.
    let shown = queries("activity", &config).join("\n");
    assert!(shown.contains("create user mapping for r1 server s options (user '***', password '***')"), "{shown}");
}

#[test]
fn no_plan_no_error_and_no_notice_shows_a_secret_of_others() {
    let config = ConfigFile::new("", Stage::shared().cluster.servers());
    let ask = |statement: &str| {
        let output = run(&["query", statement, "--config", config.arg(), "--nodes", "primary", "--read-write"]);
        let told = format!("{}{}", out(&output), err(&output));
        assert_kept(statement, &told);
        assert!(!told.contains("12345678") && told.contains("'***'"), "{statement}: {told}");
        told
    };
    for format in ["text", "json", "yaml", "xml"] {
        for view in ["login", "document"] {
            let told = ask(&format!("explain (verbose, format {format}) select * from {view}"));
            assert!(told.contains("logins") && told.contains("Scan"), "the rest is shown: {told}");
        }
    }
    for statement in ["select fails()", "insert into logins values (2, 's3cr3t')", "alter role r1 password s3cr3t"] {
        ask(statement);
    }
    let plain = run(&["query", "explain select * from logins", "--config", config.arg(), "--nodes", "primary"]);
    assert!(out(&plain).contains("(cost=") && !out(&plain).contains("'***'"), "{}", out(&plain));
}

/// A dashboard on the primary, with all that it writes.
fn dashboard(folder: &std::path::Path, head: &str) -> (Tui, ConfigFile) {
    let config = ConfigFile::new(head, Stage::shared().cluster.servers());
    let path = |name: &str| folder.join(name).display().to_string();
    let (log, events, state) = (path("log"), path("events"), path("state"));
    let args = ["--config", config.arg(), "--log", &log, "--event-log", &events];
    let tui = Tui::start(&args, 220, 70, &[("PGWATCH_LOG", "trace"), ("XDG_STATE_HOME", &state)]);
    tui.wait_for("two nodes are healthy", PATIENCE, |screen| screen.contents().matches("● healthy").count() == 2);
    (tui, config)
}

/// Leaves, and searches every byte that was sent to the terminal and every file.
fn leave(mut tui: Tui, folder: &std::path::Path) {
    tui.press("<escape><escape>1");
    tui.wait_text("LAST MINUTE", SOON);
    tui.press("q");
    assert_eq!(ending(tui.wait_exit(LEAVING)), "code 0", "\n{}", tui.screen_text());
    assert_kept("the terminal", &String::from_utf8_lossy(&tui.raw()));
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_kept(&path.display().to_string(), &String::from_utf8_lossy(&fs::read(&path).unwrap()));
            }
        }
    }
}

#[test]
fn no_screen_and_no_export_shows_a_secret_of_other_clients() {
    let folder = tempfile::tempdir().unwrap();
    let (mut tui, _config) = dashboard(folder.path(), "");
    for (view, title) in [
        ("locks", "Who waits for whom"),
        ("held_locks", "All locks"),
        ("statements", "Statements"),
        ("activity", "Sessions"),
    ] {
        let shows = |title: String| {
            move |screen: &vt100::Screen| {
                let text = screen.contents();
                text.contains(&title) && text.contains("'***'")
            }
        };
        tui.press(&format!(":{view}<enter>"));
        tui.wait_for(view, SOON, shows(format!("─ {title} ─")));
        // A row alone, with its whole text.
        tui.press("g");
        // A row of ours may end before it is opened.
        let is_selected = |line: &str| line.contains('▸') && (line.contains("'***'") || view == "statements");
        tui.wait_for("a row is selected", SOON, |screen| screen.contents().lines().any(is_selected));
        tui.press("<enter>");
        tui.wait_text(&format!("─ {title} · "), SOON);
        tui.press("<escape>");
        tui.wait_for(view, SOON, shows(format!("─ {title} ─")));
    }
    tui.press("i");
    let rows = |text: &str| text.matches("'***'").count();
    tui.wait_for("idle sessions", SOON, |screen| rows(&screen.contents()) > WAYS.len() - 10);
    // What is exported are answers: here, that of the dashboard's own question.
    let answers = folder.path().join("answers.json");
    tui.press(":select 'answered'<enter>9");
    tui.wait_text("of 2 answered", SOON);
    tui.press(&format!(":export {}<enter>", answers.display()));
    wait_for("the export", SOON, || answers.exists().then_some(()));
    for view in ["settings", "drift", "subscriptions", "receivers", "topology"] {
        tui.press(&format!(":{view}<enter>"));
        tui.wait_for("it was answered", SOON, |screen| !screen.contents().contains("asking"));
    }
    // The selected row is the one that waits, whose text is hidden in part.
    tui.press(":activity<enter>/from locked<enter>");
    tui.wait_text("from locked", SOON);
    tui.press("gx");
    tui.wait_text("hidden, as it may hold a secret", SOON);
    leave(tui, folder.path());
}

#[test]
fn no_statement_of_other_clients_is_shown_if_the_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = ConfigFile::new("show_statements: false\n", Stage::shared().cluster.servers());
    let not_shown = pgwatch::model::view::NOT_SHOWN;
    for view in ["activity", "locks", "held_locks", "statements"] {
        let queries = queries(view, &config);
        assert!(queries.len() >= 2 && queries.iter().all(|query| query == not_shown), "{view}: {queries:?}");
    }
    // A file that is changed while the dashboard runs is followed.
    let (mut tui, config) = dashboard(folder.path(), "");
    tui.press(":locks<enter>");
    tui.wait_text("from locked", SOON);
    let text = fs::read_to_string(&config.path).unwrap();
    fs::write(&config.path, format!("show_statements: false\n{text}")).unwrap();
    tui.wait_for("no text is shown", SOON, |screen| {
        let text = screen.contents();
        text.contains(not_shown) && !text.contains("from locked")
    });
    tui.press("gx");
    tui.wait_text("statements are not shown", SOON);
    leave(tui, folder.path());
}
