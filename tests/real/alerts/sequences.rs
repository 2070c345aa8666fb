//! The end of a sequence: the narrowest column that it feeds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::home;
use super::once::{as_superuser, replayed};
use super::status::{by_rule, status};
use crate::support::command::object;
use crate::support::servers::{ConfigFile, cluster};

/// Statements, the sequence, its end, its column and the share of it that is used.
type Case = (&'static str, &'static str, i64, &'static str, Option<f64>);

const INT4: i64 = 2_147_483_647;
const INT8: i64 = i64::MAX;

const CASES: [Case; 18] = [
    ("create table a (id int4 default nextval('a1')); select setval('a1', 2147483000)", "a1", INT4, "a.id", Some(100.0)),
    ("create table b (id int8 default nextval('b1')); select setval('b1', 2147483000)", "b1", INT8, "b.id", Some(0.0)),
    ("create table c (id int2 default nextval('c1')); select setval('c1', 16384)", "c1", 32_767, "c.id", Some(50.0)),
    // Several columns, the owner among them.
    (
        "create table d (id int8 default nextval('d1')); create table d2 (id int4 default nextval('d1'));
         alter sequence d1 owned by d.id; select setval('d1', 2147483000)",
        "d1",
        INT4,
        "d2.id",
        Some(100.0),
    ),
    ("create table e (id bigserial); alter table e alter id type int4; select nextval('e_id_seq')", "e_id_seq", INT4, "e.id", Some(0.0)),
    (
        "create domain e4 as int4; create domain e5 as e4 check (value > 0); create table f (id e5 default nextval('f1'));
         select setval('f1', 2147483000)",
        "f1",
        INT4,
        "f.id",
        Some(100.0),
    ),
    (
        "create table g (id int8, k int) partition by list (k); create table g2 partition of g for values in (1);
         alter table g alter id type int4; alter table g alter id set default nextval('g1'); select setval('g1', 2147483000)",
        "g1",
        INT4,
        "g.id",
        Some(100.0),
    ),
    // Only a partition has the default.
    (
        "create table h (id int4, k int) partition by list (k); create table h2 partition of h for values in (1);
         alter table h2 alter id set default nextval('h1'); select setval('h1', 2147483000)",
        "h1",
        INT4,
        "h2.id",
        Some(100.0),
    ),
    ("create table i (id int4 generated always as identity); select setval('i_id_seq', 2147483000)", "i_id_seq", INT4, "i.id", Some(100.0)),
    ("create table j (id numeric(6, 2) default nextval('j1')); select setval('j1', 5000)", "j1", 9_999, "j.id", Some(50.0)),
    ("create table r (id oid default nextval('r1')); select setval('r1', 4294967000)", "r1", 4_294_967_295, "r.id", Some(100.0)),
    ("create table k (id numeric default nextval('k1')); select setval('k1', 5000)", "k1", INT8, "k.id", Some(0.0)),
    // Descending, with limits of its own, in circles.
    (
        "drop sequence l1; create sequence l1 increment -1; create table l (id int4 default nextval('l1'));
         select setval('l1', -2147483000)",
        "l1",
        -INT4 - 1,
        "l.id",
        Some(100.0),
    ),
    ("drop sequence m1; create sequence m1 minvalue 100 maxvalue 300; select setval('m1', 250)", "m1", 300, "", Some(75.0)),
    ("drop sequence n1; create sequence n1 maxvalue 300 cycle; select setval('n1', 290)", "n1", 300, "", None),
    (
        "drop sequence o1; create sequence o1 cycle; create table o (id int4 default nextval('o1'));
         select setval('o1', 2147483000)",
        "o1",
        INT4,
        "o.id",
        Some(100.0),
    ),
    // A value that its column does not take any more, and one that was never used.
    ("create table p (id int4 default nextval('p1')); select setval('p1', 9000000000)", "p1", INT4, "p.id", Some(100.0)),
    ("create table q (id int4 default nextval('q1'))", "q1", INT4, "q.id", None),
];

#[test]
fn the_narrowest_column_that_a_sequence_feeds_is_its_end() {
    let cluster = cluster().standbys(1).start().unwrap();
    let primary = cluster.primary();
    for (statements, sequence, ..) in CASES {
        let own = if sequence.ends_with("_seq") { String::new() } else { format!("create sequence {sequence};") };
        primary.psql(&format!("{own}{statements}")).unwrap();
    }
    let config = as_superuser(&[("primary", primary), ("standby1", cluster.server("standby1"))]);
    replayed(&cluster);
    let (told, _) = object(&["view", "sequences", "--config", config.arg(), "--format", "json"]);
    let columns: Vec<&str> =
        told["columns"].as_array().unwrap().iter().map(|at| at["name"].as_str().unwrap()).collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    for node in told["nodes"].as_array().unwrap() {
        let rows: BTreeMap<&str, &Value> =
            node["rows"].as_array().unwrap().iter().map(|row| (row[at("sequence")].as_str().unwrap(), row)).collect();
        for (_, sequence, end, column, used) in CASES {
            let row = rows[sequence];
            // A number beyond those of JavaScript is a text.
            let told = row[at("end_value")].to_string();
            let found = (told.trim_matches('"'), row[at("used_by")].as_str().unwrap_or_default());
            assert_eq!(found, (end.to_string().as_str(), column), "{sequence} on {}", node["node"]);
            let percent = row[at("used_percent")].as_f64();
            // A standby counts up to 32 values less.
            let room = if node["node"] == "primary" { 0.1 } else { 17.0 };
            let close = percent.zip(used).is_none_or(|(percent, used)| (percent - used).abs() <= room);
            assert!(close && percent.is_some() == used.is_some(), "{sequence} on {}: {percent:?}", node["node"]);
        }
    }
    let (report, code) = status(&config, home(&[]).path());
    let found = by_rule(&report);
    assert!(code == 2 && found.iter().all(|found| found == "sequence_end primary critical"), "{report:#}");
    let ending = CASES.iter().filter(|(.., used)| used.is_some_and(|used| used > 99.0)).count();
    assert_eq!(found.len(), ending, "{report:#}");
}

/// The role that is recommended for monitoring may not read sequences: nothing is said of them unless something was read.
#[test]
fn sequences_that_may_not_be_read_are_named_as_not_judged() {
    let cluster = cluster().standbys(1).start().unwrap();
    let primary = cluster.primary();
    let made = "create schema \"Odd\"; create table \"Odd\".b (id serial); create table a (id serial);
        create sequence ring cycle; select setval('a_id_seq', 2147483000)";
    primary.psql(made).unwrap();
    let of = |grant: &str| {
        primary.psql(grant).unwrap();
        replayed(&cluster);
        let (report, code) = status(&ConfigFile::new("", cluster.servers()), home(&[]).path());
        let silent: Vec<(String, String)> = report["not_judged"].as_array().unwrap().iter().map(of_rule).collect();
        (code, by_rule(&report), silent)
    };
    let not_judged = |reason: &str| vec![("sequence_end primary".to_owned(), reason.to_owned())];
    let all = "not read: 2 of 3 sequences: GRANT SELECT ON ALL SEQUENCES IN SCHEMA \"Odd\" TO pgwatch; \
               GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO pgwatch";
    assert_eq!(of("select 1"), (3, Vec::new(), not_judged(all)));
    let found = vec!["sequence_end primary critical".to_owned()];
    let one = "not read: 1 of 3 sequences: GRANT SELECT ON ALL SEQUENCES IN SCHEMA \"Odd\" TO pgwatch";
    let grant = "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO pgwatch";
    assert_eq!(of(grant), (3, found.clone(), not_judged(one)));
    assert_eq!(of("GRANT SELECT ON ALL SEQUENCES IN SCHEMA \"Odd\" TO pgwatch"), (2, found, Vec::new()));
}

fn of_rule(one: &Value) -> (String, String) {
    let said = |field: &str| one[field].as_str().unwrap();
    (format!("{} {}", said("rule"), said("node")), said("reason").to_owned())
}
