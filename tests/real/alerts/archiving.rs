//! Counters of the archiver outlive the time in which they were true.

use pgwatch::demo::{Server, StopMode};

use super::home;
use super::status::{by_rule, status};
use crate::support::judged::ours_with;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{PATIENCE, wait_for};

fn until(server: &Server, what: &str, sql: &str) {
    wait_for(what, PATIENCE, || (server.psql(sql).ok()? == "t").then_some(()));
}

/// The old primary follows the new one.
fn follow(server: &Server, sender: &Server) {
    let (port, password) = (sender.port(), sender.password().expose());
    server.set("primary_conninfo", &format!("host=127.0.0.1 port={port} user=repl password={password}")).unwrap();
    std::fs::write(server.data_dir().join("standby.signal"), "").unwrap();
    server.start().unwrap();
}

#[test]
fn a_failure_to_archive_is_no_alert_on_a_standby_that_archives_nothing() {
    let cluster =
        cluster().standbys(1).config("archive_mode", "on").config("archive_command", "false").start().unwrap();
    let [old, new] = cluster.servers() else { panic!("two servers") };
    let config = ConfigFile::new("", cluster.servers());
    let rules = home(&[("topology", "off: true\n")]);
    old.psql("create table t (id int)").unwrap();
    old.psql("select pg_switch_wal()").unwrap();
    until(old, "a failure", "select failed_count > 0 from pg_stat_archiver");
    let found = |config: &ConfigFile| by_rule(&status(config, rules.path()).0);
    assert_eq!(found(&config), ["archiver_failing primary critical"]);

    old.stop(StopMode::Fast).unwrap();
    new.set("archive_command", "true").unwrap();
    new.psql("select pg_reload_conf()").unwrap();
    new.promote().unwrap();
    follow(old, new);
    until(old, "it streams", "select count(*) = 1 from pg_stat_wal_receiver where status = 'streaming'");
    let kept = old.psql("select failed_count > 0 from pg_stat_archiver").unwrap();
    assert_eq!(kept, "t", "the counters are those of before");
    until(new, "it archives", "select archived_count > 0 from pg_stat_archiver");
    assert_eq!(found(&config), [""; 0]);

    // A standby that does archive fails again; a failure from before its start says nothing yet.
    old.set("archive_mode", "always").unwrap();
    old.stop(StopMode::Fast).unwrap();
    old.start().unwrap();
    new.psql("create table u (id int)").unwrap();
    new.psql("select pg_switch_wal()").unwrap();
    wait_for("the standby fails", PATIENCE, || (found(&config) == ["archiver_failing primary critical"]).then_some(()));
}

#[test]
fn an_archiver_that_hangs_or_archives_nothing_is_said_and_one_that_works_is_not() {
    let hangs = "until test -e go; do sleep 0.1; done";
    let cluster = cluster().config("archive_mode", "on").config("archive_command", hangs).start().unwrap();
    let server = cluster.primary();
    let config = ConfigFile::new("", [server]);
    let rules = home(&[("archiver_late", &ours_with("archiver_late", &[(">10m", ">1s"), (">1h", ">5m")]))]);
    let found = || by_rule(&status(&config, rules.path()).0);
    let is_late = || (found() == ["archiver_late primary warning"]).then_some(());
    server.psql("create table t (id int); select pg_switch_wal()").unwrap();
    wait_for("it hangs", PATIENCE, is_late);

    std::fs::write(server.data_dir().join("go"), "").unwrap();
    until(server, "it archives", "select count(*) = 0 from pg_ls_archive_statusdir() where name like '%.ready'");
    assert_eq!(found(), [""; 0]);

    server.set("archive_command", "").unwrap();
    server.psql("select pg_reload_conf()").unwrap();
    server.psql("create table u (id int); select pg_switch_wal()").unwrap();
    wait_for("it archives nothing", PATIENCE, is_late);
}
