//! All servers stop, and are back within a moment: how soon all nodes answer again.

use std::thread;
use std::time::{Duration, Instant};

use pgwatch::demo::{Cluster, Server, StopMode};

use crate::cores::Core;
use crate::support::wait::PATIENCE;
use crate::watched::{SETTLE, all_healthy, all_up, pass};

/// How long the servers are away.
const AWAY: Duration = Duration::from_secs(5);

/// The time from the moment at which the last server admits connections.
pub fn measure(cluster: &Cluster, core: Core, config: &str, nodes: usize) -> Duration {
    let mut tui = core.start(&["--config", config], &[]);
    all_healthy(&tui, nodes);
    pass(SETTLE);
    on_all(cluster, &|server| server.stop(StopMode::Immediate).expect("stopped"));
    pass(AWAY);
    on_all(cluster, &|server| server.start().expect("started again"));
    let started = Instant::now();
    all_up(&tui, nodes);
    let back = started.elapsed();
    tui.press("q");
    tui.wait_exit(PATIENCE);
    back
}

/// Does it to all servers at once.
fn on_all(cluster: &Cluster, change: &(dyn Fn(&Server) + Sync)) {
    thread::scope(|scope| {
        for server in cluster.servers() {
            scope.spawn(move || change(server));
        }
    });
}
