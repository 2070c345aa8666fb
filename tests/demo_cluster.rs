//! The throw-away cluster itself: it starts, every fault is real, and nothing outlives its holder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use pgwatch::demo::{Cluster, StopMode};

#[test]
fn primary_with_standbys_streams() {
    let start = std::time::Instant::now();
    let cluster = Cluster::builder().standbys(2).cascade().config("max_connections", "20").start().unwrap();
    println!("started in {:?}", start.elapsed());
    assert_eq!(cluster.primary().psql("show max_connections").unwrap(), "20");
    println!("{}", cluster.primary().psql("select application_name, state from pg_stat_replication").unwrap());
    let start = std::time::Instant::now();
    cluster.server("standby1").kill().unwrap();
    println!("kill {:?}", start.elapsed());
    cluster.server("standby1").start().unwrap();
    println!("revived {:?}", start.elapsed());
    cluster.server("standby2").freeze().unwrap();
    cluster.server("standby2").thaw().unwrap();
    cluster.server("standby2").stop(StopMode::Fast).unwrap();
    let start = std::time::Instant::now();
    drop(cluster);
    println!("dropped {:?}", start.elapsed());
}
