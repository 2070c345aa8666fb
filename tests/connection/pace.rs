//! How the views that no screen shows are asked: later, rarely, and on one session that stays open.

use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::model::protocol::Look;
use pgwatch::model::{Command, EventKind};

use crate::support::servers::cluster;
use crate::support::wait::{PATIENCE, SOON, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_no_screen_shows_is_asked_later_and_rarely() {
    let cluster = cluster().start().unwrap();
    let mut node = cluster.primary().node_config();
    node.pool.idle_timeout = Duration::from_millis(300);
    let pace = Duration::from_secs(1);
    let look = |name: &str, pace| Look { view: views::ours()[name].clone(), nodes: None, pace };
    let background = [look("connections", Some(pace)), look("wal", Some(pace))];
    let refresh = Duration::from_millis(100);
    let config = ManagerConfig { refresh, ..ManagerConfig::new(vec![node]) };
    let (handle, mut events) = ConnectionManager::start(config);
    handle.send(Command::Look(background.to_vec())).await.unwrap();
    // Asking many nodes at once is for views on a screen.
    handle.send(Command::LookNow).await.unwrap();
    let mut up = None;
    let mut answers: Vec<(String, Instant)> = Vec::new();
    while answers.len() < 6 {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        match event.kind {
            EventKind::Connected { .. } => up = Some(Instant::now()),
            EventKind::View { view, outcome, .. } => {
                assert!(outcome.is_ok(), "{outcome:?}");
                answers.push((view.to_string(), Instant::now()));
            }
            _ => {}
        }
    }
    let first = answers[0].1 - up.unwrap();
    assert!(first >= Duration::from_millis(900), "{first:?}");
    let times: Vec<Instant> = answers.iter().filter(|(view, _)| view == "wal").map(|(_, at)| *at).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= pace * 3 / 4), "{answers:?}");
    let starts = "select string_agg(backend_start::text, ',' order by pid) from pg_stat_activity \
                  where application_name = 'pgwatch'";
    let before = cluster.primary().psql(starts).unwrap();

    // A view that a screen shows too is asked at once, at the pace of the screen.
    let mut looks = background.to_vec();
    looks.push(look("connections", None));
    handle.send(Command::Look(looks)).await.unwrap();
    let mut quick = 0;
    let began = Instant::now();
    while quick < 8 {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        quick += usize::from(matches!(event.kind, EventKind::View { view, .. } if &*view == "connections"));
    }
    assert!(began.elapsed() < pace * 7, "eight answers took {:?}", began.elapsed());
    let after = cluster.primary().psql(starts).unwrap();
    assert_eq!(before, after, "the session stays, however short others are kept");
    handle.send(Command::Look(Vec::new())).await.unwrap();
    eventually("the session is closed when nothing is looked at", SOON, async || {
        (cluster.primary().psql(starts).unwrap() != before).then_some(())
    })
    .await;
    handle.shutdown(false).await;
}
