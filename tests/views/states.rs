//! States made on real servers: what the screens show of them, and the rows that programs get, compared with what psql
//! reports.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use pgwatch::demo::{Cluster, Install, Server};
use pgwatch::model::NodeConfig;
use serde_json::Value;

use crate::live::Live;
use crate::live::picture::{Only, pictures};
use crate::support::command::object;
use crate::support::here::not_run;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{SOON, wait_for};
use crate::support::watched::blocking;

fn psql(server: &Server) -> Command {
    let mut psql = server.client("postgres");
    psql.stdout(Stdio::null()).stderr(Stdio::null());
    psql
}

/// A session that runs these statements one after the other, until they or the server end.
pub(super) fn session(server: &Server, statements: &[&str]) {
    let mut psql = psql(server);
    for statement in statements {
        psql.args(["-c", statement]);
    }
    std::thread::spawn(move || psql.status());
}

/// A session that waits for its client after these statements; it ends when this value is dropped.
pub(super) struct Sleeper(Child);

impl Sleeper {
    pub(super) fn new(server: &Server, statements: &str) -> Self {
        let mut child = psql(server).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(statements.as_bytes()).unwrap();
        Self(child)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

pub(super) fn until(server: &Server, what: &str, sql: &str) {
    wait_for(what, SOON, || (server.psql(sql).ok()? == "t").then_some(()));
}

pub(super) type Row = BTreeMap<String, Value>;

/// The rows of a view by the names of its columns, for each node that answered.
pub(super) fn rows(config: &ConfigFile, view: &str) -> BTreeMap<String, Vec<Row>> {
    let (told, _) = object(&["view", view, "--config", config.arg(), "--format", "json"]);
    let name = |column: &Value| column["name"].as_str().unwrap().to_owned();
    let names: Vec<String> = told["columns"].as_array().unwrap().iter().map(name).collect();
    let answered = told["nodes"].as_array().unwrap().iter().filter(|node| node["ok"] == true);
    let row = |row: &Value| names.iter().cloned().zip(row.as_array().unwrap().iter().cloned()).collect();
    answered
        .map(|node| {
            let rows = node["rows"].as_array().unwrap().iter().map(row).collect();
            (node["node"].as_str().unwrap().to_owned(), rows)
        })
        .collect()
}

/// A cell in the format of psql.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "t" } else { "f" }.to_owned(),
        other => other.to_string(),
    }
}

/// Compares these columns of the view with what psql reports: the lines must be the same.
#[track_caller]
pub(super) fn same(server: &Server, told: &[Row], columns: &[&str], sql: &str) {
    let line = |row: &Row| columns.iter().map(|column| text(&row[*column])).collect::<Vec<_>>().join("|");
    let mut told: Vec<String> = told.iter().map(line).collect();
    let by_psql = server.psql(sql).unwrap();
    let mut by_psql: Vec<String> = by_psql.lines().map(str::to_owned).collect();
    told.sort();
    by_psql.sort();
    assert_eq!(told, by_psql, "{sql}");
}

pub(super) fn configs(cluster: &Cluster) -> Vec<NodeConfig> {
    cluster.servers().iter().map(Server::node_config).collect()
}

/// Each of the lines contains its words, in this order from top to bottom.
fn in_order(frame: &str, lines: &[&[&str]]) -> bool {
    let mut left = frame.lines();
    lines.iter().all(|words| left.any(|line| words.iter().all(|word| line.contains(word))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_blockers_is_shown_up_to_a_prepared_transaction() {
    let cluster = blocking(|| cluster().config("max_prepared_transactions", "5").start().unwrap());
    let server = cluster.primary();
    blocking(|| {
        let table =
            "create table t (id int primary key, v int); insert into t select g, 0 from generate_series(1, 9) g";
        server.psql(table).unwrap();
        server.psql("begin; update t set v = 1 where id = 1; prepare transaction 'root'").unwrap();
        for id in 2..=5 {
            let [own, wanted] = [id, id - 1].map(|id| format!("update t set v = 1 where id = {id}"));
            session(server, &["begin", &own, &wanted]);
            let waiting = format!("select count(*) = {} from pg_stat_activity where wait_event_type = 'Lock'", id - 1);
            until(server, "one more that waits", &waiting);
        }
    });
    let mut live = Live::start(configs(&cluster));
    live.press("4");
    let chain: [&[&str]; 5] = [&["prepared:root"], &[" └"], &["   └"], &["     └"], &["       └"]];
    live.until("the chain, its root first", |frame| in_order(frame, &chain)).await;
    pictures(&mut live, "chain", "4", &["behind"], &[], |frame| in_order(frame, &chain)).await;

    let config = ConfigFile::new("", [server]);
    let told = blocking(|| rows(&config, "locks").remove("primary").unwrap());
    assert_eq!(told.len(), 5);
    let behind = |row: &&Row| (text(&row["behind"]), text(&row["waiters"]));
    let root = told.iter().find(|row| row["id"] == "prepared:root");
    assert_eq!(root.as_ref().map(behind), Some(("4".to_owned(), "1".to_owned())), "{told:?}");
    let waiting: Vec<Row> = told.into_iter().filter(|row| row["id"] != "prepared:root").collect();
    // PostgreSQL reports a prepared transaction only as pid 0.
    let blockers = "select pid, translate(replace(pg_blocking_pids(pid)::text, '{0}', '{prepared:root}'), '\"', '')
        from pg_stat_activity where wait_event_type = 'Lock'";
    blocking(|| same(server, &waiting, &["id", "blocked_by"], blockers));

    // Each lock that they hold or want, by name, including those of the prepared transaction, which locks its row's
    // transaction.
    let held = blocking(|| rows(&config, "held_locks").remove("primary").unwrap());
    let of_sessions: Vec<Row> = held.iter().filter(|row| row["application"] == "psql").cloned().collect();
    let by_psql = "select pid, replace(mode, 'Lock', ''), case when granted then 'held' else 'wanted' end
        from pg_locks join pg_stat_activity using (pid)
        where application_name = 'psql' and pid <> pg_backend_pid() and not (locktype = 'virtualxid' and granted)";
    blocking(|| same(server, &of_sessions, &["pid", "mode", "state"], by_psql));
    let prepared: Vec<String> =
        held.iter().filter(|row| row["id"] == "prepared:root").map(|row| text(&row["object"])).collect();
    assert!(
        prepared.contains(&"public.t".to_owned()) && prepared.iter().any(|object| object.starts_with("transaction ")),
        "{prepared:?}"
    );
    live.press("jj<enter>");
    let own: [&[&str]; 3] = [&["LOCKS"], &["wanted", "Share", "transaction"], &["held", "RowExclusive", "public.t"]];
    live.until("the locks of the session", |frame| in_order(frame, &own)).await;
    live.press("<esc>");

    blocking(|| server.psql("rollback prepared 'root'").unwrap());
    live.until("nobody waits any more", |frame| frame.contains("no session is waiting for a lock")).await;
    live.watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_and_broken_replication_is_shown() {
    let cluster = blocking(|| cluster().standbys(1).cascade().config("hot_standby_feedback", "off").start().unwrap());
    let server = cluster.primary();
    let slot = "select pg_create_physical_replication_slot('orphan', true)";
    blocking(|| server.psql(slot).unwrap());
    let mut live = Live::start(configs(&cluster));

    live.press("2");
    let tree: [&[&str]; 3] =
        [&["● primary", "primary"], &["─ ● standby1", "streaming"], &["  └─ ● cascade1", "streaming"]];
    live.until("each under what it receives from", |frame| in_order(frame, &tree)).await;

    live.press("5<tab><tab>");
    let unread: [&[&str]; 1] = [&["orphan", "no"]];
    live.until("the slot that nobody reads", |frame| in_order(frame, &unread)).await;
    pictures(&mut live, "topology", "2", &["timeline"], &[], |frame| in_order(frame, &tree)).await;
    pictures(&mut live, "slots", ":slots<enter>", &[], &[], |frame| in_order(frame, &unread)).await;
    pictures(&mut live, "senders", ":senders<enter>", &[], &[], |frame| frame.contains("streaming")).await;

    let config = ConfigFile::new("", cluster.servers());
    let slots = blocking(|| rows(&config, "slots").remove("primary").unwrap());
    let by_psql = "select slot_name, active, wal_status from pg_replication_slots";
    blocking(|| same(server, &slots, &["slot", "active", "wal_status"], by_psql));
    // As WAL is written, the slot retains more of it.
    let retained = |slots: &[Row]| {
        let orphan = slots.iter().find(|row| row["slot"] == "orphan").unwrap();
        text(&orphan["retained_bytes"]).parse::<u64>().unwrap()
    };
    let before = retained(&slots);
    blocking(|| server.psql("create table written as select generate_series(1, 100000)").unwrap());
    let after = retained(&blocking(|| rows(&config, "slots").remove("primary").unwrap()));
    assert!(after >= before + 4_000_000, "{before} bytes, then {after}");
    let senders = blocking(|| rows(&config, "senders"));
    let by_psql = "select application_name, state, sync_state from pg_stat_replication";
    for name in ["primary", "standby1"] {
        blocking(|| same(cluster.server(name), &senders[name], &["application", "state", "sync_state"], by_psql));
    }

    // An index whose build failed: only its primary knows that no session builds it now.
    blocking(|| {
        server.psql("create table twice as select 1 as id from generate_series(1, 2)").unwrap();
        assert!(server.psql("create unique index concurrently broken on twice (id)").is_err());
        until(cluster.server("standby1"), "the index on the standby", "select to_regclass('broken') is not null");
    });
    let indexes = blocking(|| rows(&config, "indexes"));
    for (name, state) in [("primary", "invalid"), ("standby1", "unfinished")] {
        let broken = indexes[name].iter().find(|row| row["index"] == "broken").map(|row| text(&row["state"]));
        assert_eq!(broken.as_deref(), Some(state), "{name}");
    }

    // A standby that was promoted while its primary was still running.
    blocking(|| cluster.server("standby1").promote().unwrap());
    pictures(&mut live, "split_brain", "2", &["timeline"], &[], |frame| {
        frame.contains("split brain: primary (timeline 1) and standby1 (timeline 2)")
    })
    .await;
    live.watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_whose_apply_fails_is_shown() {
    let publisher = blocking(|| cluster().primary_name("pub").config("wal_level", "logical").start().unwrap());
    let subscriber = blocking(|| cluster().primary_name("sub").start().unwrap());
    let (from, to) = (publisher.primary(), subscriber.primary());
    blocking(|| {
        from.psql("create table t (id int primary key); grant select on t to repl; create publication p for table t")
            .unwrap();
        to.psql("create table t (id int primary key)").unwrap();
        let (port, password) = (from.port(), from.password().expose());
        let subscription = format!(
            "create subscription s connection 'host=127.0.0.1 port={port} user=repl password={password} dbname=postgres' publication p"
        );
        to.psql(&subscription).unwrap();
    });
    let mut live = Live::start(vec![from.node_config(), to.node_config()]);
    live.press("2");
    let tree: [&[&str]; 2] = [&["● pub"], &["┄ ● sub", "s", "follows p"]];
    live.until("the subscriber under its publisher", |frame| in_order(frame, &tree)).await;
    pictures(&mut live, "subscriber", "2", &["timeline"], &[], |frame| in_order(frame, &tree)).await;

    // A row that the subscriber inserted itself causes a conflict.
    blocking(|| {
        to.psql("insert into t values (1)").unwrap();
        from.psql("insert into t values (1)").unwrap();
    });
    let config = ConfigFile::new("", [from, to]);
    let failed = || {
        let row = rows(&config, "subscriptions").remove("sub")?.pop()?;
        text(&row["apply_errors"]).parse::<i64>().is_ok_and(|errors| errors > 0).then_some(row)
    };
    if Install::find().unwrap().major() < 15 {
        not_run("the errors of an apply worker", "PostgreSQL counts them from 15 on");
    } else {
        blocking(|| wait_for("errors of the apply worker", SOON, failed));
        // Between two tries, where it is most of the time.
        let failing: [&[&str]; 1] = [&["sub", "s", "no worker"]];
        let keys = ":subscriptions<enter>";
        pictures(&mut live, "failing_apply", keys, &["tables", "tables_not_ready", "sync_errors"], &[], |frame| {
            in_order(frame, &failing)
        })
        .await;
    }
    live.watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_and_idle_transactions_are_shown() {
    let cluster = blocking(|| cluster().config("autovacuum", "off").start().unwrap());
    let server = cluster.primary();
    blocking(|| {
        server.psql("create table t (id int); insert into t select generate_series(1, 100000); delete from t where id % 3 = 0").unwrap();
        server.psql("create function slow(int) returns int language plpgsql immutable as 'begin perform pg_sleep(0.01); return $1; end'").unwrap();
        session(server, &["copy (select g, pg_sleep(0.01) from generate_series(1, 100000) g) to '/dev/null'"]);
        session(server, &["set vacuum_cost_delay = 100", "set vacuum_cost_limit = 1", "vacuum t"]);
        session(
            server,
            &["create table i as select g as id from generate_series(1, 100000) g", "create index on i (slow(id))"],
        );
    });
    let sleeper = blocking(|| Sleeper::new(server, "begin;\nselect count(*) from t;\n"));
    let mut live = Live::start(configs(&cluster));
    live.press("3");
    let idle: [&[&str]; 1] = [&["idle in tr"]];
    live.until("the idle transaction", |frame| in_order(frame, &idle)).await;
    live.press("<tab>");
    for command in ["COPY", "VACUUM", "CREATE INDEX"] {
        live.until(command, |frame| frame.to_uppercase().contains(command)).await;
    }
    let under_way = |frame: &str| ["COPY", "VACUUM", "CREATE INDEX"].iter().all(|command| frame.contains(command));
    pictures(&mut live, "progress", ":progress<enter>", &[], &[], |frame| under_way(&frame.to_uppercase())).await;
    let config = ConfigFile::new("", [server]);
    let told = blocking(|| rows(&config, "progress").remove("primary").unwrap());
    let pids = "select pid from pg_stat_progress_copy union select pid from pg_stat_progress_vacuum
        union select pid from pg_stat_progress_create_index";
    blocking(|| same(server, &told, &["pid"], pids));
    live.watched.stop().await;
    drop(sleeper);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_conflict_on_a_standby_is_shown() {
    let cluster = blocking(|| {
        let cluster = cluster().standbys(1).config("hot_standby_feedback", "off").config("autovacuum", "off");
        cluster.config("max_standby_streaming_delay", "10ms").start().unwrap()
    });
    let (primary, standby) = (cluster.primary(), cluster.server("standby1"));
    blocking(|| {
        primary.psql("create table t as select generate_series(1, 1000) as id").unwrap();
        until(standby, "the table on the standby", "select to_regclass('t') is not null");
    });
    let sleeper =
        blocking(|| Sleeper::new(standby, "begin isolation level repeatable read;\nselect count(*) from t;\n"));
    let mut live = Live::start(configs(&cluster));
    let idle: [&[&str]; 1] = [&["standby1", "idle in tr"]];
    pictures(&mut live, "idle_transaction", "3", &[], &[("application", &["psql", "standby1"])], |frame| {
        in_order(frame, &idle)
    })
    .await;

    for statement in ["delete from t", "vacuum t"] {
        blocking(|| primary.psql(statement).unwrap());
    }
    let conflict: [&[&str]; 1] = [&["standby1", "replay", "postgres", "snapshot", "1"]];
    pictures(&mut live, "conflict", ":conflicts<enter>", &["count"], &[], |frame| in_order(frame, &conflict)).await;
    let config = ConfigFile::new("", cluster.servers());
    let told = blocking(|| rows(&config, "conflicts"));
    let by_psql = "select datname, confl_snapshot from pg_stat_database_conflicts where confl_snapshot > 0";
    blocking(|| same(standby, &told["standby1"], &["source", "count"], by_psql));
    assert!(told["primary"].is_empty(), "a primary has none");
    live.watched.stop().await;
    drop(sleeper);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_near_its_freeze_age_is_shown() {
    const LOWEST: &str = "100000";
    let lowered = |cluster: pgwatch::demo::Builder<'static>| cluster.config("autovacuum_freeze_max_age", LOWEST);
    let cluster = blocking(|| lowered(cluster().config("autovacuum", "off")).start().unwrap());
    let server = cluster.primary();
    blocking(|| {
        server.psql("create table old (id int); create table young (id int)").unwrap();
        let transactions = "do $$ begin for n in 1..80000 loop perform txid_current(); commit; end loop; end $$";
        server.psql(transactions).unwrap();
        server.psql("vacuum freeze young").unwrap();
    });
    let config = ConfigFile::new("", [server]);
    let tables: Vec<Row> = blocking(|| rows(&config, "tables").remove("primary").unwrap());
    let old: Vec<Row> =
        tables.into_iter().filter(|row| ["old", "young"].contains(&text(&row["table"]).as_str())).collect();
    let by_psql =
        format!("select relname, age(relfrozenxid), {LOWEST} from pg_class where relname in ('old', 'young')");
    blocking(|| same(server, &old, &["table", "freeze_age", "freeze_max_age"], &by_psql));
    let databases = blocking(|| rows(&config, "wraparound").remove("primary").unwrap());
    blocking(|| {
        same(server, &databases, &["database", "xid_age"], "select datname, age(datfrozenxid) from pg_database");
    });
    let percent = |row: &Row| row["freeze_percent"].as_f64().unwrap();
    assert!(databases.iter().all(|row| (80.0..90.0).contains(&percent(row))), "{databases:?}");

    let mut live = Live::start(configs(&cluster));
    live.press("7");
    live.until("the tables", |frame| frame.contains("young")).await;
    live.press("llllllll");
    live.until("the old one, its bar nearly full", |frame| in_order(frame, &[&["old", "▰▰▰▰▱"]])).await;
    let nearest: [&[&str]; 1] = [&["postgres"]];
    pictures(&mut live, "wraparound", ":wraparound<enter>", &[], &[], |frame| in_order(frame, &nearest)).await;
    live.watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_those_that_psql_finds() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let server = cluster.primary();
    let config = ConfigFile::new("", cluster.servers());
    blocking(|| {
        server
            .psql("create table big as select g as id, repeat('x', 100) as text from generate_series(1, 20000) g")
            .unwrap();
        server.psql("create unique index a on big (id); create index b on big (id); create index c on big (text); analyze big").unwrap();
        server.psql("create sequence near maxvalue 100; select setval('near', 99)").unwrap();
        cluster.server("standby1").set("work_mem", "7MB").unwrap();
        cluster.server("standby1").psql("select pg_reload_conf()").unwrap();
    });

    let tables = blocking(|| rows(&config, "tables").remove("primary").unwrap());
    let big: Vec<Row> = tables.into_iter().filter(|row| row["table"] == "big").collect();
    let by_psql = "select relname, n_live_tup, pg_indexes_size(relid) from pg_stat_user_tables where relname = 'big'";
    blocking(|| same(server, &big, &["table", "live", "index_size"], by_psql));

    let indexes = blocking(|| rows(&config, "indexes").remove("primary").unwrap());
    let twins: Vec<Row> = indexes.into_iter().filter(|row| row["table"] == "big").collect();
    let duplicate = twins.iter().find(|row| row["index"] == "b").unwrap();
    assert_eq!(text(&duplicate["duplicate_of"]), "a", "of two on the same column the unique one is kept");

    // pg_monitor may not read it: the value is unknown, never 0.
    let near = || -> Vec<Row> {
        let sequences = rows(&config, "sequences").remove("primary").unwrap();
        sequences.into_iter().filter(|row| row["sequence"] == "near").collect()
    };
    assert_eq!(text(&blocking(near)[0]["last_value"]), "");
    blocking(|| server.psql("grant select on near to pgwatch").unwrap());
    let by_psql = "select sequencename, last_value from pg_sequences where sequencename = 'near'";
    blocking(|| same(server, &near(), &["sequence", "last_value"], by_psql));

    let databases = blocking(|| rows(&config, "databases").remove("primary").unwrap());
    blocking(|| {
        same(server, &databases, &["database"], "select datname from pg_database");
    });

    let (told, exit) =
        blocking(|| object(&["view", "settings", "--diff", "--config", config.arg(), "--format", "json"]));
    assert_eq!(exit, 0);
    let differing = told.to_string();
    assert!(differing.contains("work_mem") && !differing.contains("shared_buffers"), "{differing}");
    let mut live = Live::start(configs(&cluster));
    let drift: [&[&str]; 1] = [&["setting", "work_mem", "7MB"]];
    // Two of the hundreds of settings and collations, whose number depends on the server's packages.
    let two: Only<'_> = &[("name", &["work_mem", "maintenance_work_mem"])];
    pictures(&mut live, "drift", "c", &[], two, |frame| in_order(frame, &drift)).await;
    live.watched.stop().await;
}

/// Reads the conflicts that an installed pglogical records. The extension cannot be installed here, so its table is
/// replaced by one made as in its own upgrade script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_recorded_by_pglogical_are_shown() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let config = ConfigFile::new("", [server]);
    let (told, _) = blocking(|| object(&["view", "pglogical_conflicts", "--config", config.arg(), "--format", "json"]));
    assert!(told.to_string().contains("pglogical is not installed"), "{told}");
    blocking(|| {
        server.psql("create schema pglogical").unwrap();
        server
            .psql(
                "create table pglogical.conflict_history (id bigserial, recorded_at timestamptz not null default clock_timestamp(),
                   sub_id oid not null, sub_name name, conflict_type text not null, resolution text not null, schema_name name not null,
                   table_name name not null, index_name name, local_tuple jsonb, local_xid xid, local_origin integer,
                   local_commit_ts timestamptz, remote_tuple jsonb, remote_origin integer not null,
                   remote_commit_ts timestamptz not null, remote_commit_lsn pg_lsn not null,
                   has_before_triggers boolean not null default false, primary key (recorded_at, id)) partition by range (recorded_at);
                 create table pglogical.all_of_them partition of pglogical.conflict_history default;
                 grant usage on schema pglogical to public; grant select on pglogical.conflict_history to public",
            )
            .unwrap();
        // From 12 on the oid is an ordinary column.
        server
            .psql(
                "set allow_system_table_mods = on; insert into pg_extension select (jsonb_populate_record(null::pg_extension,
                   jsonb_build_object('oid', 99999, 'extname', 'pglogical', 'extowner', 10, 'extnamespace', 'pglogical'::regnamespace::oid,
                     'extrelocatable', false, 'extversion', '2.5.0'))).*",
            )
            .unwrap();
        server
            .psql(
                "insert into pglogical.conflict_history (recorded_at, sub_id, sub_name, conflict_type, resolution, schema_name, table_name,
                   remote_tuple, remote_origin, remote_commit_ts, remote_commit_lsn)
                 select now() - age, 1, 'shops', 'update_update', 'keep_local', 'public', 'orders', '{\"id\": 7}', 1, now() - age, '0/1'
                 from unnest('{1 hour, 8 days}'::interval[]) age",
            )
            .unwrap();
    });
    let rows = blocking(|| rows(&config, "pglogical_conflicts").remove("primary").unwrap());
    assert_eq!(rows.len(), 1, "of the last week");
    let said: Vec<String> =
        ["subscription", "table", "conflict", "resolution"].iter().map(|column| text(&rows[0][*column])).collect();
    assert_eq!(said, ["shops", "public.orders", "update update", "keep local"]);
}
