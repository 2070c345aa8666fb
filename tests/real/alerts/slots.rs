//! Slots without a reader: those that are advanced instead of read, and those that come near a limit.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use pgwatch::demo::{Install, Server};

use super::home;
use super::status::{by_rule, status};
use crate::support::here::not_run;
use crate::support::judged::{Judged, quick};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::PATIENCE;
use crate::support::watched::blocking;

const PAUSE: Duration = Duration::from_millis(500);

/// Repeats statements on servers until it is dropped.
struct Repeated<'a>(&'a AtomicBool);

impl Drop for Repeated<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn repeat(stop: &AtomicBool, work: &[(&Server, &str)]) {
    while !stop.load(Ordering::Relaxed) {
        for (server, statement) in work {
            server.psql(statement).unwrap();
        }
        thread::park_timeout(PAUSE);
    }
}

/// A cluster manager keeps a slot for each member on the standbys as well, and moves it; a script asks a logical slot
/// now and then. Nobody is connected to them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_moved_is_quiet_and_one_that_stands_still_is_not() {
    let cluster = blocking(|| cluster().standbys(1).config("wal_level", "logical").start().unwrap());
    let [primary, standby] = cluster.servers() else { panic!("two servers") };
    blocking(|| {
        primary
            .psql("create table t (id int); select pg_create_logical_replication_slot('polled', 'test_decoding')")
            .unwrap();
        primary.psql("select pg_create_physical_replication_slot('idle')").unwrap();
        for slot in ["member", "still"] {
            standby.psql(&format!("select pg_create_physical_replication_slot('{slot}', true)")).unwrap();
        }
        // Before 17 the age of a slot is that of the file which it needs first, and that one is written no more.
        primary.psql("insert into t select generate_series(1, 5000); select pg_switch_wal()").unwrap();
    });
    let config = ConfigFile::new("", cluster.servers());
    let found = || blocking(|| by_rule(&status(&config, home(&[]).path()).0));
    assert_eq!(found(), [""; 0], "they retain next to nothing");
    let stop = AtomicBool::new(false);
    let work = [
        (primary, "insert into t select generate_series(1, 5000)"),
        (primary, "select count(*) from pg_logical_slot_get_changes('polled', null, null)"),
        (standby, "select pg_replication_slot_advance('member', pg_last_wal_replay_lsn())"),
    ];
    let rule = quick("slot_unread", &[(">5m", ">3s"), (">1MB", ">200kB"), ("for: 5m", "for: 3s")]);
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let _repeated = Repeated(&stop);
            scope.spawn(|| repeat(&stop, &work));
            tokio::runtime::Handle::current().block_on(async {
                let mut judged =
                    Judged::start(cluster.servers().iter().map(Server::node_config).collect(), vec![rule]).await;
                let message = judged.until(PATIENCE, "standby1", "slot_unread").await;
                assert!(message.starts_with("slot still has no reader and retains "), "{message}");
                judged.watch(Duration::from_secs(8), |_| false).await;
                assert_eq!(judged.fired.len(), 1, "{:?}", judged.fired);
                judged.stop().await;
            });
        });
    });
    assert_eq!(found(), [""; 0], "it has been unread for seconds only");
    if Install::find().unwrap().major() < 17 {
        blocking(|| older(&standby.data_dir().join("pg_wal"), Duration::from_hours(1)));
        assert_eq!(found(), ["slot_unread standby1 warning"]);
    }
}

/// Makes the files of a folder this much older.
fn older(folder: &Path, age: Duration) {
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        File::options().write(true).open(file).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_comes_near_its_limit_is_said_before_it_is_lost() {
    if Install::find().unwrap().major() < 13 {
        return not_run("a limit of what slots retain", "PostgreSQL has one from 13 on");
    }
    let cluster = blocking(|| cluster().config("max_slot_wal_keep_size", "40MB").start().unwrap());
    let primary = cluster.primary();
    blocking(|| {
        primary.psql("create table t (id int); select pg_create_physical_replication_slot('orphan', true)").unwrap();
    });
    let config = ConfigFile::new("", cluster.servers());
    let found = || blocking(|| by_rule(&status(&config, home(&[]).path()).0));
    assert_eq!(found(), [""; 0]);
    let stop = AtomicBool::new(false);
    let work = [(primary, "insert into t select generate_series(1, 10000)")];
    let rules = vec![quick("slot_growing", &[("for: 2m", "for: 2s")]), quick("slot_limit", &[])];
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let _repeated = Repeated(&stop);
            scope.spawn(|| repeat(&stop, &work));
            tokio::runtime::Handle::current().block_on(async {
                let mut judged = Judged::start(vec![primary.node_config()], rules).await;
                let message = judged.until(PATIENCE, "primary", "slot_growing").await;
                assert!(message.contains("reaches max_slot_wal_keep_size in "), "{message}");
                let message = judged.until(PATIENCE, "primary", "slot_limit").await;
                assert!(message.contains(" of the 40 MB of WAL that max_slot_wal_keep_size allows"), "{message}");
                judged.stop().await;
            });
        });
    });
    let found = found();
    assert!(found.iter().any(|found| found.starts_with("slot_limit primary ")), "{found:?}");
}
