//! How often a node is asked: for its figures, which are signs of life, by probes, and for the views that no screen shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::model::protocol::Look;
use pgwatch::model::{Command, Event, EventKind, HealthState, NodeConfig};

use crate::support::proxy::Proxy;
use crate::support::servers::cluster;
use crate::support::wait::{PATIENCE, SOON, eventually};
use crate::support::watched::{Watched, blocking, name};

const OFTEN: Duration = Duration::from_millis(250);

/// Probed four times a second, if its figures do not show that it lives.
fn probed_often(mut node: NodeConfig) -> NodeConfig {
    node.health.interval = OFTEN;
    node
}

async fn with_refresh(node: NodeConfig, refresh: Duration) -> Watched {
    let (handle, events) = ConnectionManager::start(ManagerConfig { refresh, ..ManagerConfig::new(vec![node]) });
    let mut watched = Watched { handle, events, seen: Vec::new() };
    watched.until_state(&name("primary"), HealthState::Healthy).await;
    watched
}

fn is_checked(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Checked { health, .. } if health.state == HealthState::Healthy)
}

fn is_figures(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Facts { facts: Ok(_), .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_figures_come_in_time_is_not_probed_n11() {
    let cluster = blocking(|| cluster().start().unwrap());
    let proxy = Proxy::to(cluster.primary().port());
    let mut node = probed_often(cluster.primary().node_config());
    node.port = proxy.port();
    let mut watched = with_refresh(node, OFTEN).await;
    // The first refresh asks what the server is, too.
    let figures = |event: &Event| is_figures(event).then_some(());
    for _ in 0..4 {
        watched.until("the first figures", figures).await;
    }
    let (before, asked) = (watched.seen.len(), proxy.questions());
    for _ in 0..20 {
        watched.until("figures", figures).await;
    }
    let asked = proxy.questions() - asked;
    let checked = watched.seen[before..].iter().filter(|event| is_checked(event)).count();
    // Figures that are late on a busy machine are a reason for a probe.
    assert!((15..30).contains(&asked), "asked {asked} times for 20 figures");
    assert!(checked >= 15, "{checked} of 20 figures counted as answers");
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_figures_come_rarely_is_probed() {
    let cluster = blocking(|| cluster().start().unwrap());
    let mut watched = with_refresh(probed_often(cluster.primary().node_config()), Duration::from_mins(1)).await;
    let began = Instant::now();
    for _ in 0..8 {
        watched.until("probes are answered", |event| is_checked(event).then_some(())).await;
    }
    assert!(began.elapsed() > OFTEN, "{:?}", began.elapsed());
    assert!(watched.seen.iter().filter(|event| is_figures(event)).count() <= 2);
    watched.stop().await;
}

/// The figures wait for a lock, the probes do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_figures_hang_is_healthy() {
    const LOCKED: &str = "begin; lock table pg_subscription in access exclusive mode; select pg_sleep(2); commit";
    let cluster = Arc::new(blocking(|| cluster().start().unwrap()));
    let mut watched = with_refresh(probed_often(cluster.primary().node_config()), OFTEN).await;
    watched.until("figures", |event| is_figures(event).then_some(())).await;
    let before = watched.seen.len();
    let server = Arc::clone(&cluster);
    let holder = std::thread::spawn(move || server.primary().psql(LOCKED).map(drop));
    watched
        .until("figures without the locked part", |event| match &event.kind {
            EventKind::Facts { facts: Ok(facts), .. } if !facts.missing.is_empty() => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(watched.states(&name("primary"), before), [], "health does not change");
    watched.stop().await;
    blocking(|| holder.join().unwrap().unwrap());
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_whom_is_asked_only_while_somebody_waits() {
    let cluster = Arc::new(blocking(|| cluster().start().unwrap()));
    let mut watched = with_refresh(cluster.primary().node_config(), OFTEN).await;
    let look = Look { view: views::ours()["locks"].clone(), nodes: None, pace: Some(OFTEN) };
    watched.handle.send(Command::Look(vec![look])).await.unwrap();
    let rows = |event: &Event| match &event.kind {
        EventKind::View { outcome, .. } => Some(outcome.as_ref().unwrap().rows.len()),
        _ => None,
    };
    for _ in 0..3 {
        assert_eq!(watched.until("an answer", rows).await, 0);
    }
    let ours = "select count(*) from pg_stat_activity where application_name = 'pgwatch'";
    assert_eq!(blocking(|| cluster.primary().psql(ours).unwrap()), "2", "no session was opened for it");
    let [one, two] = ["pg_sleep(3)", "1"].map(|then| {
        let server = Arc::clone(&cluster);
        let sql = format!("begin; select pg_advisory_xact_lock(1); select {then}; commit");
        std::thread::spawn(move || server.primary().psql(&sql).map(drop))
    });
    watched.until("the one that waits and the other", |event| rows(event).filter(|rows| *rows == 2)).await;
    watched.until("nobody waits", |event| rows(event).filter(|rows| *rows == 0)).await;
    watched.stop().await;
    blocking(|| [one, two].map(|thread| thread.join().unwrap().unwrap()));
}
