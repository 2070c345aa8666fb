//! Records what real servers do as stories for the tests of the fleet.

use std::path::Path;
use std::time::Duration;

use pgwatch::config::views;
use pgwatch::demo::{Server, StopMode};
use pgwatch::model::Command;
use pgwatch::model::protocol::Look;
use tokio::time::sleep;

use crate::scene::recording::{Line, Recording, VIEWS};
use crate::support::servers::cluster;
use crate::support::watched::{Watched, blocking};

/// A primary that dies, its standby that is promoted, and the old primary that comes back beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes tests/pure/scenarios/recorded_*.yaml anew: run it alone when the fleet's events change"]
async fn recording() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let nodes: Vec<_> = cluster.servers().iter().map(Server::node_config).collect();
    let names: Vec<String> = nodes.iter().map(|node| node.name.to_string()).collect();
    let mut watched = Watched::healthy(nodes).await;
    let look = |view: &&str| Look { view: views::ours()[*view].clone(), nodes: None, pace: None };
    watched.handle.send(Command::Look(VIEWS.iter().map(look).collect())).await.unwrap();
    listen(&mut watched, 4).await;
    blocking(|| cluster.server("primary").stop(StopMode::Immediate).unwrap());
    listen(&mut watched, 4).await;
    keep(
        &watched,
        &names,
        "recorded_primary_killed",
        "the primary is killed: its standby still answers, and receives nothing",
    );
    blocking(|| cluster.server("standby1").promote().unwrap());
    listen(&mut watched, 5).await;
    keep(
        &watched,
        &names,
        "recorded_promotion",
        "the standby is promoted after its primary died: one primary, one node down",
    );
    blocking(|| cluster.server("primary").start().unwrap());
    listen(&mut watched, 45).await;
    keep(
        &watched,
        &names,
        "recorded_split_brain",
        "the old primary comes back beside the promoted standby: split brain",
    );
    watched.stop().await;
}

async fn listen(watched: &mut Watched, seconds: u64) {
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    while tokio::time::Instant::now() < end {
        while let Ok(event) = watched.events.try_recv() {
            watched.seen.push(event);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn keep(watched: &Watched, nodes: &[String], name: &str, about: &str) {
    let since = watched.seen[0].at;
    let events = watched.seen.iter().filter_map(|event| Line::of(event, since)).collect();
    let recording = Recording { about: about.to_owned(), nodes: nodes.to_vec(), events };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pure/scenarios/{name}.yaml"));
    std::fs::write(path, serde_yaml::to_string(&recording).unwrap()).unwrap();
}
