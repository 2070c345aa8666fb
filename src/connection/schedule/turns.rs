//! Turns to connect, or to be asked for what no screen shows. If five hundred nodes were dialled or asked at the same
//! moment, at the start or when a network is back, the servers and poolers that many of them share would be so busy
//! that the probes of nodes already connected are late (N8). Connections that confirm a failure do not wait for a turn:
//! they are urgent (N3).
//!
//! Whether a node lives is known before its figures: connects of facts and pools, and background queries, wait behind the
//! connects of the health loops that came before them, and no more than [`HEALTH`] of all hold a place at the same time.

use std::time::Duration;

use super::address::Addresses;
use super::queue::Queue;

/// How many connects and background queries may run at the same time.
const HEALTH: usize = 16;
/// How many connects of facts and pools may be among them, or wait in their queue.
const LATER: usize = 8;
/// How many background queries may run at the same time. The first one of a session makes the server read its catalogs.
const BACKGROUND: usize = 4;
/// How long a connect may hold its place. One that hangs frees it after this; a distant node rarely needs longer. How many
/// may hang at one server is limited by its address.
const CONNECT: Duration = Duration::from_millis(100);
/// How long a background query may. If it were less, a machine whose servers are busy would be given more and more of
/// them at once.
const QUERY: Duration = Duration::from_secs(2);

/// The turns of one connection manager.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) health: Queue,
    pub(crate) later: Queue,
    pub(crate) background: Queue,
    pub(crate) addresses: Addresses,
}

impl Default for Turns {
    fn default() -> Self {
        let health = Queue::new(HEALTH, CONNECT);
        Self {
            later: Queue::behind(&health, LATER, CONNECT),
            background: Queue::behind(&health, BACKGROUND, QUERY),
            health,
            addresses: Addresses::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connects_of_the_health_loops_that_came_before_are_first_n1() {
        let turns = Turns::default();
        let begin = Instant::now();
        let connect = |queue| async move {
            Queue::wait(queue, async { sleep(Duration::from_millis(10)).await }).await;
            begin.elapsed().as_millis()
        };
        let health = join_all((0..HEALTH + 4).map(|_| connect(&turns.health)));
        let later = async { (turns.later.free_turn().is_none(), connect(&turns.later).await) };
        let (health, (is_full, later)) = tokio::join!(health, later);
        assert_eq!((is_full, later), (true, 20), "not at 10 ms, with the last four of the health loops");
        assert_eq!(health.into_iter().filter(|at| *at == 20).count(), 4);
        assert!(turns.later.free_turn().is_some());
    }
}
