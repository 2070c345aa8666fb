//! What the other rules find on real servers. Limits that no test waits for are shorter here.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgwatch::demo::{Install, Server};
use rustix::process::{Pid, Signal, kill_process};

use super::home;
use super::status::{by_rule, status};
use crate::support::here::not_run;
use crate::support::judged::{Judged, ours_with, quick};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{PATIENCE, SOON, wait_for};
use crate::support::watched::blocking;

/// A session of this application that runs a statement and ends with it.
struct Session(Child);

impl Session {
    fn new(server: &Server, application: &str, statements: &[&str]) -> Self {
        let mut psql = server.client("postgres");
        psql.env("PGAPPNAME", application).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for statement in statements {
            psql.args(["-c", statement]);
        }
        Self(psql.spawn().unwrap())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(server: &Server, what: &str, sql: &str) {
    wait_for(what, SOON, || (server.psql(sql).ok()? == "t").then_some(()));
}

#[test]
fn sessions_that_wait_for_locks_are_said_with_who_blocks_them() {
    let cluster = cluster().config("max_prepared_transactions", "5").start().unwrap();
    let primary = cluster.primary();
    let config = ConfigFile::new("", cluster.servers());
    let ours = home(&[]);
    let short = home(&[("lock_waits", &ours_with("lock_waits", &[(">30s", ">1s")]))]);
    primary.psql("create table t (id int primary key); insert into t values (1), (2)").unwrap();
    let _till = Session::new(primary, "till", &["begin; update t set id = 1 where id = 1", "select pg_sleep(600)"]);
    until(
        primary,
        "the blocker",
        "select count(*) = 1 from pg_stat_activity where query like '%pg_sleep(6%' and pid <> pg_backend_pid()",
    );
    let update = ["update t set id = 1 where id = 1"];
    let _waiting = [Session::new(primary, "a", &update), Session::new(primary, "b", &update)];
    until(primary, "both wait", "select count(*) = 2 from pg_stat_activity where wait_event_type = 'Lock'");
    assert_eq!(by_rule(&status(&config, ours.path()).0), [""; 0], "they wait for a moment only");
    let report = wait_for("the wait is long", SOON, || {
        let (report, _) = status(&config, short.path());
        (by_rule(&report) == ["lock_waits primary warning"]).then_some(report)
    });
    let pid = primary.psql("select pid from pg_stat_activity where application_name = 'till'").unwrap();
    let said = format!("sessions that wait for locks behind {pid} (till, active): 2, the longest for ");
    assert!(report["alerts"][0]["message"].as_str().unwrap().starts_with(&said), "{report:#}");
}

#[test]
fn a_prepared_transaction_that_is_left_over_is_said_also_as_a_blocker() {
    let cluster = cluster().standbys(1).config("max_prepared_transactions", "5").start().unwrap();
    let primary = cluster.primary();
    let config = ConfigFile::new("", cluster.servers());
    let ours = home(&[]);
    let short = home(&[
        ("prepared_left", &ours_with("prepared_left", &[(">5m", ">10ms")])),
        ("lock_waits", &ours_with("lock_waits", &[(">30s", ">10ms")])),
    ]);
    primary.psql("create table t (id int primary key)").unwrap();
    primary.psql("begin; insert into t values (1); prepare transaction 'order 7'").unwrap();
    assert_eq!(by_rule(&status(&config, ours.path()).0), [""; 0]);
    assert_eq!(by_rule(&status(&config, short.path()).0), ["prepared_left primary warning"]);
    let _waits = Session::new(primary, "a", &["insert into t values (1)"]);
    until(primary, "one waits", "select count(*) = 1 from pg_stat_activity where wait_event_type = 'Lock'");
    let report = wait_for("both", SOON, || {
        let (report, _) = status(&config, short.path());
        (by_rule(&report) == ["lock_waits primary warning", "prepared_left primary warning"]).then_some(report)
    });
    let said = report.to_string();
    assert!(said.contains("sessions that wait for locks behind prepared:order 7 (–, prepared): 1, "), "{said}");
    assert!(said.contains("transaction order 7 of postgres in postgres has been prepared for "), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_connect_all_the_time_are_said() {
    if Install::find().unwrap().major() < 14 {
        return not_run("new sessions per second", "PostgreSQL counts them from 14 on");
    }
    let cluster = blocking(|| cluster().start().unwrap());
    let primary = cluster.primary();
    let rule = quick("connection_storm", &[(">=50", ">=2"), ("for: 30s", "for: 5s")]);
    let mut judged = Judged::start(vec![primary.node_config()], vec![rule]).await;
    judged.watch(Duration::from_secs(15), |_| false).await;
    assert_eq!(judged.fired, [[""; 4]; 0], "nobody but pgwatch");
    let stop = AtomicBool::new(false);
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        primary.psql("select 1").unwrap();
                    }
                });
            }
            let message = tokio::runtime::Handle::current().block_on(async {
                let until = judged.watch(PATIENCE, |judged| !judged.fired.is_empty()).await;
                until.then(|| judged.fired[0][3].clone())
            });
            stop.store(true, Ordering::Relaxed);
            let message = message.expect("an alert");
            assert!(message.starts_with("clients open ") && message.ends_with(" in database postgres"), "{message}");
        });
    });
    judged.stop().await;
}

/// An index is not valid while it is rebuilt or dropped concurrently. What such a statement leaves behind when it ends early is said.
#[test]
fn an_index_that_is_rebuilt_or_dropped_is_no_fault_and_its_rest_is() {
    if Install::find().unwrap().major() < 12 {
        return not_run("reindex concurrently", "it came with PostgreSQL 12");
    }
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    let config = ConfigFile::new("", cluster.servers());
    let ours = home(&[]);
    primary.psql("create table t as select 1 as a, 2 as b; create index a on t (a); create index b on t (b)").unwrap();
    for (statement, invalid) in [("drop index concurrently b", 1), ("reindex table concurrently t", 1)] {
        let until_invalid = format!("select count(*) >= {invalid} from pg_index where not indisvalid");
        let snapshot = ["begin isolation level repeatable read; select count(*) from t", "select pg_sleep(600)"];
        let old = Session::new(primary, "old", &snapshot);
        until(
            primary,
            "a snapshot",
            "select count(*) = 1 from pg_stat_activity where backend_xmin is not null and application_name = 'old'",
        );
        let work = Session::new(primary, "work", &[statement]);
        until(primary, statement, &until_invalid);
        until(
            primary,
            "it waits",
            "select count(*) = 1 from pg_stat_activity where application_name = 'work' and wait_event_type = 'Lock'",
        );
        assert_eq!(by_rule(&status(&config, ours.path()).0), [""; 0], "{statement}");
        for session in ["work", "old"] {
            let of = format!("from pg_stat_activity where application_name = '{session}'");
            primary.psql(&format!("select pg_terminate_backend(pid) {of}")).unwrap();
            until(primary, "its end", &format!("select count(*) = 0 {of}"));
        }
        drop((work, old));
        assert_eq!(by_rule(&status(&config, ours.path()).0), ["invalid_index primary warning"], "{statement}");
        primary.psql("drop index if exists b, a_ccnew").unwrap();
    }
}

/// Lets the process work for a hundredth of the time.
fn slow_down(pid: i32, stop: &AtomicBool) {
    let pid = Pid::from_raw(pid).unwrap();
    while !stop.load(Ordering::Relaxed) {
        for (signal, time) in [(Signal::STOP, 400), (Signal::CONT, 4)] {
            let _ = kill_process(pid, signal);
            thread::park_timeout(Duration::from_millis(time));
        }
    }
    let _ = kill_process(pid, Signal::CONT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_falls_further_behind_is_said_and_a_paused_one_is_not() {
    let cluster = blocking(|| cluster().standbys(2).start().unwrap());
    let [primary, slow, paused] = cluster.servers() else { panic!("three servers") };
    blocking(|| {
        primary.psql("create table t (id int)").unwrap();
        paused.psql("select pg_wal_replay_pause()").unwrap();
    });
    let startup = blocking(|| slow.psql("select pid from pg_stat_activity where backend_type = 'startup'").unwrap());
    let stop = AtomicBool::new(false);
    let rule = quick("catch_up", &[(">256MB", ">2MB"), (">10s", ">500ms"), ("for: 5m", "for: 5s")]);
    let mut judged = Judged::start(vec![primary.node_config()], vec![rule]).await;
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            scope.spawn(|| slow_down(startup.parse().unwrap(), &stop));
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    primary.psql("insert into t select generate_series(1, 20000)").unwrap();
                }
            });
            let seen = tokio::runtime::Handle::current().block_on(async {
                let seen = judged.watch(PATIENCE, |judged| !judged.fired.is_empty()).await;
                judged.watch(Duration::from_secs(3), |_| false).await;
                seen
            });
            stop.store(true, Ordering::Relaxed);
            assert!(seen, "no alert");
        });
    });
    assert_eq!(judged.fired.len(), 1, "{:?}", judged.fired);
    assert!(judged.fired[0][3].starts_with("standby1 at 127.0.0.1 is "), "{:?}", judged.fired);
    judged.stop().await;
}
