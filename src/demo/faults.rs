//! Scheduled faults for `pgwatch demo --fault`: after 15 s of calm something happens to a standby, and 12 s later it is
//! over. It is killed, then frozen, then stopped in order; then the same happens to the next standby.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{Cluster, DemoError, Server, StopMode};

/// How long all servers run undisturbed: long enough to see the node recover, as retries are up to 16 s apart by then.
const CALM: Duration = Duration::from_secs(15);
/// How long a fault lasts: long enough to see the node become unhealthy, and a few retries.
const TROUBLE: Duration = Duration::from_secs(12);

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    Freeze,
    Stop,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Kill, Self::Freeze, Self::Stop];

    fn begin(self, server: &Server) -> Result<(), DemoError> {
        match self {
            Self::Kill => server.kill(),
            Self::Freeze => server.freeze(),
            Self::Stop => server.stop(StopMode::Fast),
        }
    }

    fn end(self, server: &Server) -> Result<(), DemoError> {
        match self {
            Self::Kill | Self::Stop => server.start(),
            Self::Freeze => server.thaw(),
        }
    }
}

/// Runs the schedule until `stop`; does nothing to a cluster without standbys. A fault that is active at that moment is
/// not undone, as the cluster is removed next.
pub async fn rota(cluster: Arc<Cluster>, stop: CancellationToken) {
    let standbys = 1..cluster.servers().len();
    let turns = Fault::ALL.into_iter().flat_map(|fault| standbys.clone().map(move |standby| (fault, standby)));
    for (fault, standby) in turns.cycle() {
        for (pause, step) in [(CALM, Fault::begin as fn(_, &_) -> _), (TROUBLE, Fault::end)] {
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            let cluster = Arc::clone(&cluster);
            let done = spawn_blocking(move || match cluster.servers().get(standby) {
                Some(server) => step(fault, server),
                None => Ok(()),
            });
            if let Ok(Err(error)) = done.await {
                tracing::warn!(?fault, %error, "the demo's fault did not come off");
            }
        }
    }
}
