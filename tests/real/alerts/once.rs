//! Rules on what all copies of a cluster share: each finding is said once, by the primary, or by the first standby where
//! no primary is watched.

use std::fmt::Write as _;
use std::fs;

use pgwatch::demo::{Cluster, Server};

use super::home;
use super::status::{by_rule, status};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::wait::{SOON, wait_for};

/// Waits until the standbys have replayed what the primary has written so far.
pub(super) fn replayed(cluster: &Cluster) {
    let position = cluster.primary().psql("select pg_current_wal_lsn()").unwrap();
    for standby in &cluster.servers()[1..] {
        let sql = format!("select pg_last_wal_replay_lsn() >= '{position}'");
        wait_for("the standby replays", SOON, || (standby.psql(&sql).ok()? == "t").then_some(()));
    }
}

/// A configuration file with these servers by these names, watched by a superuser.
pub(super) fn as_superuser(servers: &[(&str, &Server)]) -> ConfigFile {
    let config = ConfigFile::new("", []);
    let mut text = "nodes:\n".to_owned();
    for (name, server) in servers {
        let (port, password) = (server.port(), server.password().expose());
        writeln!(text, "  {name}: {{host: 127.0.0.1, port: {port}, user: postgres, password: {password}}}").unwrap();
    }
    fs::write(&config.path, text).unwrap();
    config
}

#[test]
fn what_all_copies_of_a_cluster_share_is_said_once() {
    let cluster = cluster().standbys(2).start().unwrap();
    let [primary, standby1, standby2] = cluster.servers() else { panic!("three servers") };
    let ours = home(&[]);
    let config = as_superuser(&[("standby1", standby1), ("primary", primary), ("standby2", standby2)]);
    assert_eq!(by_rule(&status(&config, ours.path()).0), [""; 0]);
    for statement in [
        "create database half",
        "update pg_database set datconnlimit = -2 where datname = 'half'",
        "set password_encryption = 'md5'; create role \"old & <odd>\" login password 'a';
         create role soon login password 'a' valid until 'tomorrow'; create role endless login valid until 'infinity';
         create role closed login valid until '2020-01-01'; create role later login valid until '2100-01-01';
         create role nobody nologin valid until 'tomorrow'",
        "create sequence s maxvalue 100; select setval('s', 99); create sequence young maxvalue 40; select nextval('young')",
    ] {
        primary.psql(statement).unwrap();
    }
    replayed(&cluster);
    let shared = ["invalid_database", "md5_passwords", "role_expires"];
    let all = |node: &str| shared.map(|rule| format!("{rule} {node} warning")).to_vec();
    let with = |mut found: Vec<String>, more: &str| {
        found.push(more.to_owned());
        found.sort();
        found
    };
    let (report, code) = status(&config, ours.path());
    assert_eq!(by_rule(&report), with(all("primary"), "sequence_end primary critical"), "{report:#}");
    assert_eq!(code, 2);
    let said = report.to_string();
    assert!(said.contains("roles whose password is stored as MD5: 2 (old & <odd>, soon)"), "{said}");
    assert!(said.contains("the password of role soon expires in "), "{said}");
    assert!(said.contains("database half is invalid"), "{said}");

    // Standbys alone: the first of them. What they know of a sequence is up to 32 values ahead of what was given out.
    let alone = as_superuser(&[("standby1", standby1), ("standby2", standby2)]);
    let (report, _) = status(&alone, ours.path());
    assert_eq!(by_rule(&report), all("standby1"), "{report:#}");

    // Two names of one server.
    let twice = as_superuser(&[("primary", primary), ("again", primary)]);
    let (report, _) = status(&twice, home(&[("topology", "off: true\n")]).path());
    assert_eq!(by_rule(&report), with(all("primary"), "sequence_end primary critical"), "{report:#}");

    // Who may not read how passwords are stored does not judge it, and nothing fails. Nor may it read sequences, which is said.
    let config = ConfigFile::new("", cluster.servers());
    let (report, code) = status(&config, ours.path());
    let by_monitor = ["invalid_database primary warning", "role_expires primary warning"];
    assert_eq!((by_rule(&report), code), (by_monitor.map(str::to_owned).to_vec(), 3), "{report:#}");

    // The role that pgwatch itself uses is another matter.
    primary.psql("alter role pgwatch valid until 'tomorrow'").unwrap();
    let (report, code) = status(&config, ours.path());
    assert_eq!(by_rule(&report)[1], "own_role_expires primary critical", "{report:#}");
    assert_eq!(code, 3);
}

#[test]
fn a_password_that_expired_lately_is_said_and_a_role_closed_long_ago_is_not() {
    let cluster = cluster().start().unwrap();
    let primary = cluster.primary();
    let config = ConfigFile::new("", cluster.servers());
    let ours = home(&[]);
    for (age, expected) in [("1 hour", vec!["role_expires primary warning"]), ("2 days", vec![])] {
        let sql = format!("update pg_authid set rolvaliduntil = now() - interval '{age}' where rolname = 'app'");
        primary.psql(&sql).unwrap();
        let (report, _) = status(&config, ours.path());
        assert_eq!(by_rule(&report), expected, "{age}: {report:#}");
    }
}
