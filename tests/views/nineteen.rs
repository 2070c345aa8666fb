//! What PostgreSQL 19 shows that older servers do not, and what it calls by other names: values against psql, on a
//! server of 19 where there is one (`make test-versions` fetches it).

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use pgwatch::demo::{Builder, Cluster, Install, Server};
use pgwatch::model::EventKind;

use crate::live::Live;
use crate::states::{Row, Sleeper, configs, rows, same, session, text, until};
use crate::support::command::{err, object, out, pgwatch};
use crate::support::here::not_run;
use crate::support::servers::ConfigFile;
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::blocking;
use crate::versions::installs;

/// A cluster of 19 or newer to be extended; `None`, and noted, if there is no such server.
fn nineteen() -> Option<Builder<'static>> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/postgres/19/bin");
    let install = installs().into_iter().chain(Install::at(&fetched)).find(|install| install.major() >= 19);
    if install.is_none() {
        not_run("what PostgreSQL 19 added", "`make test-versions` fetches it");
    }
    let cluster = Cluster::builder().install(install?).config("autovacuum", "off").config("wal_level", "logical");
    Some(cluster.config("deadlock_timeout", "10ms"))
}

fn run(server: &Server, statements: &[&str]) {
    for statement in statements {
        server.psql(statement).unwrap();
    }
}

/// The rows of a view on one node, of which `wanted` says which.
fn of(config: &ConfigFile, server: &Server, view: &str, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
    let rows = rows(config, view).remove(server.name()).unwrap_or_else(|| panic!("{view} is not answered"));
    rows.into_iter().filter(wanted).collect()
}

fn all(_: &Row) -> bool {
    true
}

/// [`same`] for all rows of a view.
#[track_caller]
fn same_rows(config: &ConfigFile, server: &Server, view: &str, columns: &[&str], sql: &str) {
    same(server, &of(config, server, view, all), columns, sql);
}

fn subscribe(publisher: &Server, subscriber: &Server, name: &str) {
    let (port, password) = (publisher.port(), publisher.password().expose());
    run(
        subscriber,
        &[&format!(
            "create subscription {name} connection 'host=127.0.0.1 port={port} user=repl password={password} dbname=postgres' publication {name}"
        )],
    );
}

/// Waits until `status` has an alert of this rule.
#[track_caller]
fn until_alert(config: &ConfigFile, rule: &str) {
    wait_for(rule, PATIENCE, || {
        let output = pgwatch(&["status", "--config", config.arg(), "--format", "json"]).output().unwrap();
        let report: serde_json::Value =
            serde_json::from_str(out(&output)).unwrap_or_else(|e| panic!("{e}: {}", err(&output)));
        report["alerts"].as_array()?.iter().any(|alert| alert["rule"] == rule).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribed_sequences_and_a_failing_apply_are_told_apart_and_raise_their_alerts() {
    let Some(builder) = nineteen() else { return };
    let builder = builder.config("wal_retrieve_retry_interval", "1s");
    let (publisher, subscriber) = blocking(|| {
        (builder.clone().primary_name("pub").start().unwrap(), builder.primary_name("sub").start().unwrap())
    });
    let (from, to) = (publisher.primary(), subscriber.primary());
    let config = ConfigFile::new("", [from, to]);
    let objects = "create table t (id int primary key); create sequence first; create sequence second";
    let holder = blocking(|| {
        run(from, &[objects, "grant select on t, first, second to repl"]);
        run(from, &["create publication tables for table t; create publication sequences for all sequences"]);
        run(to, &[objects]);
        // The worker that copies sequences waits for this session.
        let holder = Sleeper::new(to, "begin;\nalter sequence first increment 2;\n");
        until(
            to,
            "the lock",
            "select count(*) > 0 from pg_locks where relation = 'first'::regclass and pid <> pg_backend_pid()",
        );
        subscribe(from, to, "tables");
        subscribe(from, to, "sequences");
        let both = "select count(*) = 2 from pg_stat_subscription where subname = 'sequences' and pid is not null";
        until(to, "a worker that copies sequences beside the one that applies", both);
        let ready = "select bool_and(srsubstate = 'r') from pg_subscription_rel where srrelid = 't'::regclass";
        until(to, "the copy of the table", ready);
        holder
    });
    blocking(|| {
        let columns =
            ["subscription", "state", "tables", "tables_not_ready", "sequences", "sequences_not_ready", "sync_workers"];
        let by_psql = "select s.subname, case s.subname when 'tables' then 'running' else 'synchronizing' end,
            count(*) filter (where c.relkind = 'r'), count(*) filter (where c.relkind = 'r' and srsubstate <> 'r'),
            count(*) filter (where c.relkind = 'S'), count(*) filter (where c.relkind = 'S' and srsubstate <> 'r'),
            (select count(*) from pg_stat_subscription w where w.subid = s.oid and w.worker_type <> 'apply')
            from pg_subscription s join pg_subscription_rel on srsubid = s.oid join pg_class c on c.oid = srrelid group by s.oid, 1, 2";
        same_rows(&config, to, "subscriptions", &columns, by_psql);
        let worker =
            of(&config, to, "activity", |row| row["backend_type"] == "logical replication sequencesync worker");
        assert_eq!(
            worker.iter().map(|row| text(&row["query"])).collect::<Vec<_>>(),
            ["logical replication sequencesync worker"]
        );
        drop(holder);
        let copied = "select bool_and(srsubstate = 'r') from pg_subscription_rel";
        until(to, "the sequences", copied);
        run(from, &["revoke select on second from repl"]);
        run(to, &["alter subscription sequences refresh sequences"]);
        until_alert(&config, "subscription_sequences_fail");
        run(from, &["grant select on second to repl"]);
        until(to, "the sequences again", copied);
    });

    // A row that the subscriber has already.
    blocking(|| {
        run(to, &["insert into t values (1)"]);
        run(from, &["insert into t values (1)"]);
    });
    blocking(|| until_alert(&config, "subscription_stopped"));
    let mut live = Live::start(vec![from.node_config(), to.node_config()]);
    live.press(":subscriptions<enter>");
    live.until("the subscription", |frame| frame.contains("tables")).await;
    live.until("the alert that it cannot apply", |frame| frame.contains("fails to apply changes")).await;
    live.watched.stop().await;

    blocking(|| {
        run(to, &["alter subscription tables disable"]);
        until(
            to,
            "no worker",
            "select count(*) = 0 from pg_stat_subscription where subname = 'tables' and pid is not null",
        );
        let columns = ["subscription", "apply_errors", "sync_errors", "sequence_errors", "conflicts", "retention"];
        let by_psql = "select subname, apply_error_count, sync_table_error_count, sync_seq_error_count, confl_insert_exists, 'off'
            from pg_stat_subscription_stats";
        same_rows(&config, to, "subscriptions", &columns, by_psql);
        assert_ne!(
            to.psql("select apply_error_count from pg_stat_subscription_stats where subname = 'tables'").unwrap(),
            "0"
        );
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publications_of_all_sequences_and_with_except_are_counted_as_the_server_does() {
    let Some(builder) = nineteen() else { return };
    blocking(|| {
        let cluster = builder.start().unwrap();
        let server = cluster.primary();
        run(
            server,
            &[
                "create table plain (id int primary key); create table parts (id int primary key) partition by range (id)",
                "create table low partition of parts for values from (0) to (9) partition by range (id)",
                "create table lowest partition of low for values from (0) to (3)",
                "create table high partition of parts for values from (9) to (99)",
                "create sequence one; create sequence two; create unlogged sequence three; create unlogged table four (id int)",
                "create publication sequences for all sequences; create publication tables for all tables",
                "create publication without for all tables except (table plain)",
                "create publication whole for all tables except (table parts), all sequences",
                "create publication named for table plain; create publication placed for tables in schema public",
            ],
        );
        let by_psql = "select pubname, puballtables, puballsequences, (select count(*) from pg_publication_tables t where t.pubname = p.pubname),
            (select count(*) from pg_publication_sequences s where s.pubname = p.pubname),
            (select count(*) from pg_publication_rel where prpubid = p.oid and prexcept) from pg_publication p where pubname <> 'placed'";
        let config = ConfigFile::new("", [server]);
        let told = of(&config, server, "publications", |row| row["publication"] != "placed");
        let columns = ["publication", "all_tables", "all_sequences", "tables", "sequences", "except_tables"];
        same(server, &told, &columns, by_psql);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repack_is_called_so_and_its_processes_and_lock_waits_are_shown() {
    let Some(builder) = nineteen() else { return };
    blocking(|| {
        let cluster = builder.start().unwrap();
        let server = cluster.primary();
        let config = ConfigFile::new("", [server]);
        run(
            server,
            &["create table big (id int primary key); insert into big select generate_series(1, 20000)", "analyze big"],
        );
        run(server, &["create table old (id int); insert into old select generate_series(1, 100000); delete from old"]);
        // It swaps the files once nobody writes any more.
        let writer = Sleeper::new(server, "begin;\nlock table big in row exclusive mode;\n");
        until(
            server,
            "the writer",
            "select count(*) > 0 from pg_locks where mode = 'RowExclusiveLock' and relation = 'big'::regclass",
        );
        session(server, &["repack (concurrently) big"]);
        session(server, &["set vacuum_cost_delay = 100", "set vacuum_cost_limit = 1", "vacuum old"]);
        let backup = server.client("repl");
        let program = Path::new(backup.get_program()).with_file_name("pg_basebackup");
        let mut backup = {
            let mut command = Command::new(program);
            command.envs(backup.get_envs().filter_map(|(name, value)| Some((name, value?)))).args([
                "-h",
                server.host(),
                "-U",
                "repl",
            ]);
            command.args([
                "-p",
                &server.port().to_string(),
                "-D",
                "-",
                "-F",
                "t",
                "-X",
                "none",
                "--max-rate",
                "32k",
                "-c",
                "fast",
            ]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let waits = "select count(*) = 1 from pg_stat_progress_repack join pg_stat_activity using (pid) where phase = 'catch-up' and wait_event_type = 'Lock'";
        until(server, "the repack waits for the writer", waits);
        until(server, "a vacuum", "select count(*) = 1 from pg_stat_progress_vacuum");
        until(server, "a backup", "select count(*) = 1 from pg_stat_progress_basebackup where backup_type = 'full'");
        let by_psql = "select pid, command, phase, '', '' from pg_stat_progress_repack
            union all select pid, 'VACUUM', phase, mode, started_by from pg_stat_progress_vacuum
            union all select pid, 'BASE BACKUP', phase, backup_type, '' from pg_stat_progress_basebackup";
        // A phase may end between the two.
        let columns = ["pid", "command", "phase", "mode", "started_by"];
        let line = |row: &Row| columns.map(|column| text(&row[column])).join("|");
        wait_for("the progress that psql shows", SOON, || {
            let mut told: Vec<String> = of(&config, server, "progress", all).iter().map(line).collect();
            let mut found: Vec<String> = server.psql(by_psql).unwrap().lines().map(str::to_owned).collect();
            told.sort();
            found.sort();
            (told == found && told.len() == 3).then_some(())
        });
        let repack = of(&config, server, "progress", |row| row["command"] == "REPACK");
        assert_eq!(text(&repack[0]["detail"]), "20000 rows read, 20000 inserted, 1 indexes built");
        let worker = of(&config, server, "activity", |row| row["backend_type"] == "REPACK decoding worker");
        let said: Vec<String> =
            worker.iter().map(|row| text(&row["query"]) + " " + &text(&row["leader_pid"])).collect();
        let leader = server.psql("select pid from pg_stat_progress_repack").unwrap();
        assert_eq!(said, [format!("REPACK decoding worker {leader}")]);
        drop(writer);
        until(server, "the end of the repack", "select count(*) = 0 from pg_stat_progress_repack");
        backup.kill().unwrap();
        backup.wait().unwrap();

        // Its wait was longer than deadlock_timeout. A session counts when it has ended.
        until(server, "a wait that was counted", "select waits > 0 from pg_stat_lock where locktype = 'relation'");
        same_rows(
            &config,
            server,
            "waits",
            &["type", "waits", "fastpath_exceeded"],
            "select locktype, waits, fastpath_exceeded from pg_stat_lock",
        );
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_connects_and_its_recovery_are_shown() {
    let Some(builder) = nineteen() else { return };
    // It takes connections and never answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let cluster = blocking(|| builder.standbys(1).start().unwrap());
    let (primary, standby) = (cluster.primary(), cluster.server("standby1"));
    let config = ConfigFile::new("", cluster.servers());
    blocking(|| {
        let columns = ["timeline", "replayed_lsn", "replaying_lsn", "promote_triggered"];
        let by_psql =
            "select last_replayed_tli, last_replayed_end_lsn, replay_end_lsn, promote_triggered from pg_stat_recovery";
        // Both at once, or a record of the background writer may come between.
        run(standby, &["select pg_wal_replay_pause()"]);
        until(standby, "the pause", "select pause_state = 'paused' from pg_stat_recovery");
        same_rows(&config, standby, "recovery", &columns, by_psql);
        same_rows(&config, standby, "recovery", &["state"], "select pause_state from pg_stat_recovery");
        let drift = object(&["view", "drift", "--diff", "--config", config.arg(), "--format", "json"]).0.to_string();
        assert!(!drift.contains("hosts_file") && !drift.contains("effective_wal_level"), "{drift}");

        run(standby, &["select pg_wal_replay_resume()"]);
        let port = silent.local_addr().unwrap().port();
        standby.set("primary_conninfo", &format!("host=127.0.0.1 port={port} user=repl")).unwrap();
        run(standby, &["select pg_reload_conf()"]);
        until(standby, "a receiver that connects", "select status = 'connecting' from pg_stat_wal_receiver");
        let receiver = of(&config, standby, "receivers", all);
        let said = ["status", "sender_host", "sender_port"].map(|column| text(&receiver[0][column]));
        assert_eq!(said, ["connecting".to_owned(), "127.0.0.1".to_owned(), port.to_string()]);
    });
    let mut live = Live::start(configs(&cluster));
    live.press(":receivers<enter>");
    live.until("the word", |frame| frame.lines().any(|line| line.contains("standby1") && line.contains("connecting")))
        .await;
    live.watched.stop().await;
    drop((primary, silent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_warns_of_at_the_login_is_said_once_on_the_node() {
    let Some(builder) = nineteen() else { return };
    let cluster = blocking(|| builder.hba("host all old 127.0.0.1/32 md5").start().unwrap());
    let server = cluster.primary();
    blocking(|| {
        let password = server.password().expose();
        let role =
            format!("set password_encryption = md5; create role old login password '{password}' in role pg_monitor");
        run(server, &[&format!("{role} valid until '{}'", server.psql("select now() + interval '50 hours'").unwrap())]);
    });
    let mut live = Live::start(vec![server.node_config_as("old")]);
    live.press("<enter>");
    let warned = |frame: &str| frame.contains("warned at login") && frame.contains("MD5") && frame.contains("2 days");
    live.until("the warnings on the page of the node", warned).await;
    // What is known of the server is asked again, over the same session and over a new one.
    blocking(|| run(server, &["select pg_reload_conf()"]));
    let reports =
        |live: &Live| live.watched.seen.iter().filter(|event| matches!(event.kind, EventKind::Server { .. })).count();
    while reports(&live) < 2 {
        live.step().await;
    }
    let ours = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'old'";
    blocking(|| server.psql(ours).unwrap());
    let before = reports(&live);
    while reports(&live) == before {
        live.step().await;
    }
    live.press("0");
    let frame = live.until("the events", |frame| frame.contains("warning at login")).await;
    assert_eq!(frame.matches("warning at login").count(), 1, "{frame}");
    live.watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counters_that_19_added_are_those_of_psql() {
    let Some(builder) = nineteen() else { return };
    blocking(|| {
        let cluster = builder.start().unwrap();
        let server = cluster.primary();
        let config = ConfigFile::new("", [server]);
        run(
            server,
            &[
                "create extension if not exists pg_stat_statements",
                "create table t (id int primary key, v text); insert into t select g, repeat('x', 100) from generate_series(1, 5000) g",
                "analyze t; select pg_stat_reset_single_table_counters('t_pkey'::regclass)",
                "select pg_create_logical_replication_slot('unread', 'pgoutput')",
                "checkpoint; update t set v = ''",
                "prepare one (int) as select count(*) from t where id = $1; execute one(1); set plan_cache_mode = force_generic_plan; execute one(2)",
            ],
        );
        // A table whose counters were reset alone, an index too, and one that was not. The last digit may be rounded.
        run(server, &["select pg_stat_reset_single_table_counters('t'::regclass)"]);
        for (view, name, of_name) in [("tables", "table", "t"), ("indexes", "index", "t_pkey")] {
            let told = text(&of(&config, server, view, |row| row[name] == of_name)[0]["stats_reset"]);
            let is_so = format!(
                "select abs(extract(epoch from pg_stat_get_stat_reset_time('{of_name}'::regclass) - '{told}')) < 0.001"
            );
            assert_eq!(server.psql(&is_so).unwrap(), "t", "{of_name}: {told}");
        }
        let untouched = of(&config, server, "tables", |row| row["table"] == "pg_class");
        assert_eq!(text(&untouched[0]["stats_reset"]), "");

        run(server, &["delete from t where id > 100"]);
        let by_psql = "select v.relname, do_vacuum, do_analyze, greatest(xid_score, mxid_score, vacuum_score, vacuum_insert_score, analyze_score) = score
            from pg_stat_autovacuum_scores v where relname = 't'";
        let disabled = of(&config, server, "autovacuum", |row| row["table"] == "t");
        assert_eq!(text(&disabled[0]["due"]), "off", "{disabled:?}");
        // It waits for days before it does anything.
        for (name, value) in [("autovacuum", "on"), ("autovacuum_naptime", "2000000")] {
            server.set(name, value).unwrap();
        }
        run(server, &["select pg_reload_conf()"]);
        until(
            server,
            "what is due",
            "select do_vacuum and do_analyze from pg_stat_autovacuum_scores where relname = 't'",
        );
        let scores = of(&config, server, "autovacuum", |row| row["table"] == "t");
        let due = text(&scores[0]["due"]);
        let told = format!(
            "t|{}|{}|t",
            if due.contains("vacuum") { 't' } else { 'f' },
            if due.contains("analyze") { 't' } else { 'f' }
        );
        assert_eq!(told, server.psql(by_psql).unwrap(), "{scores:?}");
        assert_eq!(text(&scores[0]["why"]), "changed rows", "{scores:?}");
        let score = server.psql("select analyze_score from pg_stat_autovacuum_scores where relname = 't'").unwrap();
        assert!(
            (scores[0]["score"].as_f64().unwrap() - score.parse::<f64>().unwrap()).abs() < 0.011,
            "{scores:?}, {score}"
        );

        same_rows(
            &config,
            server,
            "slots",
            &["slot", "slotsync_skip_reason", "slotsync_skips", "mem_exceeded"],
            "select slot_name, slotsync_skip_reason, slotsync_skip_count, mem_exceeded_count
             from pg_replication_slots left join pg_stat_replication_slots using (slot_name)",
        );
        let plans = of(&config, server, "statements", |row| text(&row["query"]).starts_with("prepare one"));
        let by_psql =
            "select generic_plan_calls, custom_plan_calls from pg_stat_statements where query like 'prepare one%'";
        same(server, &plans, &["generic_plans", "custom_plans"], by_psql);
        assert_eq!(server.psql(by_psql).unwrap(), "1|1");

        // The server writes WAL by itself now and then.
        let written = || server.psql("select wal_fpi_bytes from pg_stat_wal").unwrap().parse::<u64>().unwrap();
        let before = written();
        let wal = of(&config, server, "wal", all);
        let told = text(&wal[0]["fpi_bytes"]).parse::<u64>().unwrap();
        assert!(before > 0 && (before..=written()).contains(&told), "{before}, {told}");
        assert_eq!(text(&wal[0]["effective_wal_level"]), "logical");
    });
}
