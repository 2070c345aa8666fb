//! A quiet time: healthy servers at work, with all that a healthy fleet does now and then, and whether any rule found
//! something in it.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pgwatch::config::alerts;
use pgwatch::demo::{Cluster, Install, Server};
use pgwatch::model::Rule;

use super::command::{code, out, pgwatch};
use super::judged::Judged;
use super::servers::{ConfigFile, cluster};
use super::wait::{PATIENCE, wait_for};

/// How often `pgwatch status` is asked.
const STATUS: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_secs(1);
/// Transactions per second that pgbench is held to, so that the load is the same on any machine.
const RATE: &str = "150";

/// What a fleet does now and then, one after the other.
const WORK: [(&str, &str); 8] = [
    ("an index build", "create index concurrently again on pgbench_accounts (abalance, aid)"),
    ("its end", "drop index concurrently again"),
    ("a vacuum", "vacuum (analyze) pgbench_accounts"),
    ("a freeze", "vacuum freeze pgbench_branches, pgbench_tellers"),
    ("a bulk load", "insert into bulk select g, repeat('x', 100) from generate_series(1, 100000) g"),
    ("its end", "truncate bulk"),
    ("another file of WAL", "select pg_switch_wal()"),
    ("figures", "analyze"),
];
const CHECKPOINTS: usize = 10;

/// What happened in a quiet time.
#[derive(Debug)]
pub struct Quiet {
    /// How often each thing was done, in its order.
    pub done: Vec<(&'static str, usize)>,
    /// Each alert of the watched fleet, and each line of `pgwatch status` that was no good news.
    pub said: Vec<String>,
    statuses: usize,
}

impl Quiet {
    /// What was done and said, for a person.
    pub fn text(&self) -> String {
        let mut text = format!("pgwatch status: {} times\n", self.statuses);
        for (what, times) in &self.done {
            let _ = writeln!(text, "{what}: {times} times");
        }
        for said in &self.said {
            let _ = writeln!(text, "SAID: {said}");
        }
        text
    }
}

/// True if this machine has what makes the load.
pub fn has_programs() -> bool {
    Install::find().is_ok_and(|install| ["pgbench", "pg_basebackup"].iter().all(|it| install.bin().join(it).is_file()))
}

/// Our rules; each is asked at least this often and has to hold for this long at most.
pub fn rules(every: Duration, lasting: Duration) -> Vec<Arc<Rule>> {
    let rule = |rule: &Arc<Rule>| Rule {
        every: rule.every.min(every),
        lasting: rule.lasting.min(lasting),
        ..Rule::clone(rule)
    };
    alerts::ours().values().map(|ours| Arc::new(rule(ours))).collect()
}

/// A primary, two standbys, one behind another and a subscriber at work for this long, judged by these rules.
pub async fn time(length: Duration, rules: Vec<Arc<Rule>>) -> Quiet {
    let fleet = tokio::task::block_in_place(Fleet::start);
    let nodes = fleet.servers().map(Server::node_config).collect();
    let mut judged = Judged::start(nodes, rules).await;
    let stop = AtomicBool::new(false);
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let work = scope.spawn(|| fleet.work(&stop));
            let statuses = scope.spawn(|| fleet.ask(&stop));
            tokio::runtime::Handle::current().block_on(judged.watch(length, |_| false));
            let is_healthy = judged.is_healthy();
            stop.store(true, Ordering::Relaxed);
            let done = work.join().unwrap();
            let (statuses, mut said) = statuses.join().unwrap();
            assert!(is_healthy, "a node does not answer");
            said.extend(judged.fired.iter().map(|fired| fired.join(" ")));
            Quiet { done, said, statuses }
        })
    })
}

struct Fleet {
    cluster: Cluster,
    subscriber: Cluster,
    bin: std::path::PathBuf,
}

impl Fleet {
    fn start() -> Self {
        let builder =
            || cluster().config("wal_level", "logical").config("max_wal_size", "64MB").config("full_page_writes", "on");
        let builder = || builder().config("archive_mode", "on").config("archive_command", "true");
        let fleet = Self {
            cluster: builder().standbys(2).cascade().start().unwrap(),
            subscriber: builder().primary_name("subscriber").start().unwrap(),
            bin: Install::find().unwrap().bin().to_owned(),
        };
        let (primary, subscriber) = (fleet.cluster.primary(), fleet.subscriber.primary());
        let status = fleet.program("pgbench", primary, "postgres").args(["-i", "-q", "-s", "3", "postgres"]).status();
        assert!(status.unwrap().success(), "pgbench -i");
        let history = "create table bulk (id int, text text); create publication p for table pgbench_history;
            grant select on pgbench_history to repl; select pg_create_logical_replication_slot('polled', 'test_decoding')";
        primary.psql(history).unwrap();
        fleet.cluster.server("standby1").psql("select pg_create_physical_replication_slot('member', true)").unwrap();
        subscriber
            .psql(
                "create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
            )
            .unwrap();
        let (port, password) = (primary.port(), primary.password().expose());
        let from = format!("host=127.0.0.1 port={port} user=repl password={password} dbname=postgres");
        subscriber.psql(&format!("create subscription s connection '{from}' publication p")).unwrap();
        let streams = "select count(*) = 3 from pg_stat_replication where state = 'streaming'";
        wait_for("all stream", PATIENCE, || (primary.psql(streams).ok()? == "t").then_some(()));
        fleet
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        self.cluster.servers().iter().chain(self.subscriber.servers())
    }

    /// A client program for a server.
    fn program(&self, name: &str, server: &Server, role: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.args(["-h", server.host(), "-p", &server.port().to_string(), "-U", role]);
        command.env("PGPASSWORD", server.password().expose());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn load(&self) -> Ended {
        let mut pgbench = self.program("pgbench", self.cluster.primary(), "postgres");
        Ended(pgbench.args(["-n", "-c", "4", "-R", RATE, "-T", "86400", "postgres"]).spawn().unwrap())
    }

    /// Works until `stop`; the first round is made in any case.
    fn work(&self, stop: &AtomicBool) -> Vec<(&'static str, usize)> {
        let _load = self.load();
        let primary = self.cluster.primary();
        let (standby, cascade) = (self.cluster.server("standby1"), self.cluster.server("cascade1"));
        let mut rounds = 0;
        while rounds == 0 || !stop.load(Ordering::Relaxed) {
            for (_, statement) in WORK {
                primary.psql(statement).unwrap();
                for reader in [standby, cascade] {
                    reader.psql("select sum(abalance) from pgbench_accounts").unwrap();
                }
                standby.psql("select pg_replication_slot_advance('member', pg_last_wal_replay_lsn())").unwrap();
                primary.psql("select count(*) from pg_logical_slot_get_changes('polled', null, null)").unwrap();
                thread::park_timeout(PAUSE);
            }
            for _ in 0..CHECKPOINTS {
                primary.psql("update pgbench_branches set filler = 'x'; checkpoint").unwrap();
            }
            let folder = tempfile::tempdir().unwrap();
            let mut backup = self.program("pg_basebackup", primary, "repl");
            let status = backup.arg("-D").arg(folder.path().join("copy")).args(["-X", "stream", "-c", "fast"]).status();
            assert!(status.unwrap().success(), "pg_basebackup");
            rounds += 1;
        }
        let others = [("checkpoints", rounds * CHECKPOINTS), ("a base backup", rounds)];
        WORK.map(|(what, _)| (what, rounds)).into_iter().chain(others).collect()
    }

    /// Asks `pgwatch status` until `stop`: how often, and each line that is no good news.
    fn ask(&self, stop: &AtomicBool) -> (usize, Vec<String>) {
        let config = ConfigFile::new("", self.servers());
        let (mut times, mut said) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let next = Instant::now() + STATUS;
            let output = pgwatch(&["status", "--config", config.arg()]).output().unwrap();
            times += 1;
            if code(&output) != 0 {
                said.push(format!("status exits with {}: {}", code(&output), out(&output)));
            }
            while Instant::now() < next && !stop.load(Ordering::Relaxed) {
                thread::park_timeout(PAUSE);
            }
        }
        (times, said)
    }
}

/// A program that ends with this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
