//! Turns to connect, or to be asked for what no screen shows. If five hundred nodes were dialled or asked at the same
//! moment, at the start or when a network is back, the servers and poolers that many of them share would be so busy
//! that the probes of nodes already connected are late (N8). Connections that confirm a failure do not wait for a turn:
//! they are urgent (N3).
//!
//! Whether a node lives is known before its figures: connects of facts and pools, and background queries, wait behind the
//! connects of the health loops that came before them, and no more than [`HEALTH`] of all run at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::address::Addresses;

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

/// The callers that wait for one kind of turn, served in order.
#[derive(Debug)]
pub(crate) struct Queue {
    places: Arc<Semaphore>,
    /// The places of another queue, one of which each turn takes as well.
    behind: Option<Arc<Semaphore>>,
    /// How long a turn lasts at most.
    lasts: Duration,
}

impl Queue {
    fn new(at_once: usize, lasts: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once)), behind: None, lasts }
    }

    fn behind(other: &Self, at_once: usize, lasts: Duration) -> Self {
        Self { behind: Some(Arc::clone(&other.places)), ..Self::new(at_once, lasts) }
    }

    /// Waits for a turn. Cancel-safe: a caller that retries goes to the back of the queue.
    pub(crate) async fn turn(&self) -> Turn {
        let mut places = Vec::with_capacity(2);
        for queue in self.queues() {
            // The semaphore is never closed. If it were, we would only lose fairness.
            places.extend(Arc::clone(queue).acquire_owned().await);
        }
        Turn { places, lasts: self.lasts }
    }

    /// A turn, if there is a place now and no other caller waits for it.
    pub(crate) fn free_turn(&self) -> Option<Turn> {
        let places = self.queues().map(|queue| Arc::clone(queue).try_acquire_owned().ok());
        Some(Turn { places: places.collect::<Option<_>>()?, lasts: self.lasts })
    }

    fn queues(&self) -> impl Iterator<Item = &Arc<Semaphore>> {
        [Some(&self.places), self.behind.as_ref()].into_iter().flatten()
    }

    /// Waits for a turn and then runs `connect`. Cancel-safe if `connect` is.
    pub(crate) async fn wait<T>(&self, connect: impl Future<Output = T>) -> T {
        self.turn().await.spend(connect).await
    }
}

/// A turn. Dropping it lets the next caller run.
#[derive(Debug)]
pub(crate) struct Turn {
    places: Vec<OwnedSemaphorePermit>,
    lasts: Duration,
}

impl Turn {
    /// Does the work. The turn ends with it, or after its time if the work takes longer. Cancel-safe if the work is.
    pub(crate) async fn spend<T>(self, work: impl Future<Output = T>) -> T {
        let Self { places, lasts } = self;
        let mut work = std::pin::pin!(work);
        if let Ok(done) = timeout(lasts, &mut work).await {
            return done;
        }
        drop(places);
        work.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    #[tokio::test(start_paused = true)]
    async fn few_connect_at_once_and_those_that_hang_delay_no_other_n8() {
        let (queue, now, most) = (Queue::new(4, CONNECT), AtomicUsize::new(0), AtomicUsize::new(0));
        let connect = |takes| {
            let (queue, now, most) = (&queue, &now, &most);
            queue.wait(async move {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                sleep(Duration::from_millis(takes)).await;
                now.fetch_sub(1, Ordering::Relaxed);
            })
        };
        let begin = Instant::now();
        join_all((0..40).map(|_| connect(10))).await;
        assert_eq!((most.load(Ordering::Relaxed), begin.elapsed().as_millis()), (4, 100));

        let begin = Instant::now();
        let hang = join_all((0..8).map(|_| connect(5000)));
        let quick = async {
            connect(10).await;
            begin.elapsed().as_millis()
        };
        let (_, quick) = tokio::join!(hang, quick);
        assert!(quick <= 220, "{quick} ms");
    }
}
