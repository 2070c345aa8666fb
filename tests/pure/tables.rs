//! The screens after the first, drawn at three sizes from constant answers: a chain of blockers, a cluster with a
//! cascade, statements over all nodes, a setting that differs.

use pgwatch::app::Effect;
use pgwatch::model::{ErrorKind, EventKind, NodeError};
use pgwatch::tui::ColorDepth;

use crate::scene::answers::answer;
use crate::scene::{self, Scene, name, production, theme};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// The screen that these keys open. `tell` reports twice, two seconds apart, as rates need two answers.
fn told(keys: &str, tell: impl Fn(&mut Scene, u64)) -> Scene {
    let mut scene = production();
    scene.draw(120, 40, &theme("dark", ColorDepth::True));
    scene.press(keys);
    tell(&mut scene, 0);
    for _ in 0..2 {
        scene.now += 1;
    }
    tell(&mut scene, 2);
    scene
}

#[track_caller]
fn shown(place: &str, scene: &mut Scene) {
    for (width, height) in SIZES {
        let text = scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)));
        insta::assert_snapshot!(format!("{place}_{width}x{height}"), text);
    }
}

fn sessions(scene: &mut Scene, _: u64) {
    answer(
        scene,
        "primary",
        "activity",
        &[
            "pid=4711 | user=app | database=shop | application=worker-3 | client=10.0.2.3 | state=idle in transaction | \
         duration_ms=754000 | xact_ms=754100 | backend_type=client backend | background=f | \
         query=update orders set state = $1 where id = $2",
            "pid=4712 | user=app | database=shop | application=web | client=10.0.2.9 | state=active | duration_ms=42000 | \
         xact_ms=42000 | wait=Lock: transactionid | blocked_by={4711} | backend_type=client backend | background=f | \
         query=update orders set state = $1 where id = $2",
            "pid=4800 | user=report | database=shop | application=psql | state=active | duration_ms=9100 | xact_ms=9100 | \
         backend_type=client backend | background=f | \
         query=select customer, sum(total) from orders group by 1 order by 2 desc",
            "pid=4801 | database=shop | user=report | state=active | duration_ms=9000 | leader_pid=4800 | \
         backend_type=parallel worker | background=f | wait=IO: DataFileRead",
            "pid=4900 | user=app | database=shop | state=idle | duration_ms=1200 | backend_type=client backend | background=f",
        ],
    );
    answer(
        scene,
        "replica-1",
        "activity",
        &[
            "pid=88 | user=report | database=shop | application=metabase | state=active | duration_ms=131000 | xact_ms=131000 | \
         backend_type=client backend | background=f | query=with recent as (select * from orders) select count(*) from recent",
        ],
    );
}

#[test]
fn the_activity_tables_keep_their_pictures() {
    let mut scene = told("3", sessions);
    shown("activity", &mut scene);
    // The waiting session: its full statement, what is known of it, and the chain that it waits in.
    scene.press("jj<enter>");
    waiting(&mut scene);
    holding(&mut scene);
    shown("activity_row", &mut scene);
    scene.press("<esc>");
    scene.press("b");
    shown("activity_by_user", &mut scene);
}

/// A prepared transaction without a session, and the sessions that wait for it.
fn waiting(scene: &mut Scene) {
    answer(
        scene,
        "primary",
        "locks",
        &[
            "id=prepared:payment-17 | behind=3 | state=prepared | xact_ms=3600000 | user=app | database=shop | \
             held=Exclusive on transaction 744",
            "id=4711 | pid=4711 | behind=2 | state=idle in transaction | waiting_ms=754000 | mode=Share | \
             object=transaction 744, row of orders | blocked_by={\"prepared:payment-17\"} | xact_ms=754000 | user=app | \
             application=worker-3 | query=update orders set state = $1 where id = $2",
            "id=4712 | pid=4712 | behind=0 | state=active | waiting_ms=42000 | mode=Share | object=transaction 745, row of orders | \
             blocked_by={4711} | user=app | application=web | query=update orders set state = $1 where id = $2",
            "id=4713 | pid=4713 | behind=0 | state=active | waiting_ms=31000 | mode=AccessExclusive | object=orders | \
             blocked_by={4711,4712} | user=deploy | application=psql | query=alter table orders add column note text",
        ],
    );
    answer(scene, "replica-1", "locks", &[]);
}

/// What the session in the middle of the chain holds and waits for, and a lock of another session.
fn holding(scene: &mut Scene) {
    answer(
        scene,
        "primary",
        "held_locks",
        &[
            "id=4712 | pid=4712 | state=wanted | mode=Share | object=transaction 745 | tag=1 | waiting_ms=42000",
            "id=4713 | pid=4713 | state=wanted | mode=AccessExclusive | object=orders | tag=2 | waiting_ms=31000",
            "id=4712 | pid=4712 | state=held | mode=Exclusive | object=row (0,21) of orders | tag=3",
            "id=4712 | pid=4712 | state=held | mode=RowExclusive | object=orders | tag=2",
            "id=4712 | pid=4712 | state=held | mode=AccessShare | object=customers | tag=4",
        ],
    );
}

#[test]
fn what_is_copied_is_the_statement_the_row_or_the_selected_value() {
    let copied = |scene: &mut Scene, keys: &str| {
        scene.press(keys);
        scene.draw(80, 24, &theme("dark", ColorDepth::True));
        match scene.press("y").as_slice() {
            [Effect::Copy(text)] => text.clone(),
            other => panic!("nothing was copied: {other:?}"),
        }
    };
    let statement = "update orders set state = $1 where id = $2";
    let mut scene = told("3", sessions);
    // Copied from the row, from the first line of the row at length, from the third, and from the last lines, which
    // show the formatted statement.
    for (keys, expected) in [("", statement), ("<enter>", "4711"), ("jj", "shop"), ("G", statement)] {
        assert_eq!(copied(&mut scene, keys), expected, "{keys}");
    }
    scene.press("<esc>5<tab><tab>");
    answer(&mut scene, "primary", "slots", &["slot=reporting | slot_type=physical | active=f | retained_bytes=7300"]);
    let row = copied(&mut scene, "");
    assert!(row.starts_with("primary\treporting\tphysical\tf\t7300\t"), "{row}");
}

#[test]
fn the_lock_tables_keep_their_pictures() {
    let mut scene = told("4", |scene, _| waiting(scene));
    shown("locks", &mut scene);
    scene.press("<tab>");
    holding(&mut scene);
    shown("all_locks", &mut scene);
}

#[test]
fn the_replication_tables_keep_their_pictures() {
    let mut scene = told("5<tab><tab>", |scene, second| {
        let (held, decoded) = (7_300_000_000 + second * 9_000_000, 100_000_000 + second * 4_000_000);
        answer(
            scene,
            "primary",
            "slots",
            &[
                &format!(
                    "slot=reporting | slot_type=physical | active=f | retained_bytes={held} | keep_bytes=10737418240 | \
                      wal_status=extended | inactive_ms=5400000"
                ),
                "slot=replica_1 | slot_type=physical | active=t | retained_bytes=65536 | keep_bytes=10737418240 | wal_status=reserved",
                &format!(
                    "slot=search | slot_type=logical | active=t | database=shop | plugin=pgoutput | retained_bytes=1048576 | \
                      pending_bytes=524288 | keep_bytes=10737418240 | wal_status=reserved | decoded_bytes={decoded}"
                ),
            ],
        );
    });
    shown("slots", &mut scene);
}

#[test]
fn the_statement_tables_keep_their_pictures() {
    let mut scene = told("6", |scene, second| {
        for (node, calls) in [("primary", 1_000_000 + second * 900), ("replica-1", 40_000 + second * 30)] {
            answer(
                scene,
                node,
                "statements",
                &[
                    &format!(
                        "database=shop | user=app | calls={calls} | exec_ms={} | exec_cs={} | exec_s={} | mean_ms=0.8 | max_ms=912 | rows={calls} | \
                          hit_percent=99.2 | query_id=77 | toplevel=t | user_id=10 | database_id=5 | \
                          query=select * from orders where customer = $1",
                        calls * 8 / 10,
                        calls * 8 / 100,
                        calls as f64 * 0.0008
                    ),
                    "database=shop | user=report | calls=12 | exec_ms=480000 | exec_cs=48000 | exec_s=480 | mean_ms=40000 | rows=12 | hit_percent=41 | \
                 query_id=78 | toplevel=t | user_id=11 | database_id=5 | query=select customer, sum(total) from orders group by 1",
                ],
            );
        }
    });
    shown("statements", &mut scene);
    // The same statement on all nodes as one row.
    scene.press("b");
    shown("statements_by_query", &mut scene);
}

/// A remedy that is too long for its line can still be read in full.
#[test]
fn the_reason_for_missing_rows_opens_at_length() {
    const REMEDY: &str = "CREATE EXTENSION pg_stat_statements, in a database that the tool connects to, and restart";
    let mut scene = production();
    scene.draw(80, 24, &theme("dark", ColorDepth::True));
    scene.press("6");
    for node in ["primary", "replica-1"] {
        let error = NodeError::new(ErrorKind::Sql, "pg_stat_statements is not installed in database shop");
        let outcome = Err(error.with_hint(REMEDY));
        scene.event(EventKind::View { node: name(node), view: "statements".into(), outcome });
    }
    let said = |scene: &mut Scene| {
        let text = scene::text(&scene.draw(80, 24, &theme("dark", ColorDepth::True)));
        text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(!said(&mut scene).contains(REMEDY));
    scene.press("<enter>");
    let opened = said(&mut scene);
    assert!(opened.contains(REMEDY) && opened.contains("primary, replica-1"), "{opened}");
    answer(&mut scene, "primary", "statements", &[]);
    answer(&mut scene, "replica-1", "statements", &[]);
    assert!(!said(&mut scene).contains(REMEDY), "it is over");
}

#[test]
fn the_table_views_keep_their_pictures() {
    let mut scene = told("7", |scene, _| {
        answer(
            scene,
            "primary",
            "tables",
            &[
                "schema=public | table=orders | total=48318382080 | live=120000000 | dead=31000000 | dead_percent=20.5 | vacuum_due=129 | \
             freeze_age=178000000 | freeze_max_age=200000000 | hot_percent=12 | system=f | kind=table",
                "schema=public | table=customers | total=1073741824 | live=2000000 | dead=1000 | dead_percent=0.1 | vacuum_due=1 | \
             freeze_age=1000000 | freeze_max_age=200000000 | hot_percent=96 | system=f | kind=table",
            ],
        );
        let error = pgwatch::model::NodeError::new(
            pgwatch::model::ErrorKind::Permission,
            "permission denied for table pg_class",
        );
        let outcome = Err(error.with_hint("GRANT pg_monitor TO pgwatch"));
        scene.event(EventKind::View { node: name("replica-1"), view: "tables".into(), outcome });
    });
    shown("tables", &mut scene);
    scene.press("v");
    shown("tables_columns", &mut scene);
}

#[test]
fn the_topology_keeps_its_picture() {
    let mut scene = told("2", |scene, _| {
        let own = |role: &str, name: &str, timeline: u32| {
            format!(
                "kind=self | name={name} | role={role} | timeline={timeline} | system_identifier=7712 | port=5432 | position=2A/10F8"
            )
        };
        answer(
            scene,
            "primary",
            "topology",
            &[
                &(own("primary", "primary", 3) + " | quorum=ANY 1 (replica_1, replica_2)"),
                "kind=sender | name=replica_1 | slot=replica_1 | slot_type=physical | state=streaming | sync_state=quorum",
                "kind=sender | name=replica_2 | slot=replica_2 | slot_type=physical | state=catchup | sync_state=quorum",
                "kind=sender | name=warehouse | host=10.4.0.8 | slot=warehouse | slot_type=logical | state=streaming | sync_state=async",
            ],
        );
        for (node, receiver) in [("replica-1", "replica_1"), ("replica-2", "replica_2")] {
            answer(
                scene,
                node,
                "topology",
                &[
                    &own("standby", node, 3),
                    &format!(
                        "kind=receiver | name={receiver} | host=10.0.0.1 | peer_port=5432 | slot={receiver} | state=streaming"
                    ),
                ],
            );
        }
        answer(
            scene,
            "replica-3",
            "topology",
            &[
                &own("standby", "replica-3", 2),
                "kind=receiver | name=replica_3 | host=10.0.0.1 | peer_port=5432 | state=stopped",
            ],
        );
        answer(
            scene,
            "primary",
            "slots",
            &["slot=reporting | active=f | retained_bytes=7300000000 | wal_age_ms=600000"],
        );
    });
    shown("topology", &mut scene);
}

#[test]
fn the_drift_table_keeps_its_picture() {
    let mut scene = told("c", |scene, _| {
        for (node, work_mem, version) in
            [("primary", "64MB", "1.10"), ("replica-1", "64MB", "1.10"), ("replica-2", "4MB", "1.8")]
        {
            answer(
                scene,
                node,
                "drift",
                &[
                    &format!("kind=setting | name=work_mem | value={work_mem}"),
                    "kind=setting | name=shared_buffers | value=8GB",
                    &format!("kind=extension | name=pg_stat_statements | value={version}"),
                ],
            );
        }
    });
    shown("drift", &mut scene);
}
