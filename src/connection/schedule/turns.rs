//! Whose turn it is to connect, or to be asked what nobody waits for. Five hundred nodes that are dialled or asked in one
//! instant, at the start or when a network is back, would keep servers and poolers that many of them share busy with
//! nothing else, until the probes of those that were let in are late (N8). What confirms a failure does not wait for its turn: there is a hurry (N3).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connects of health loops under way at once.
const HEALTH: usize = 16;
/// The same of facts and pools, which come after them.
const LATER: usize = 8;
/// Questions under way at once that no screen shows: the first of a session make the server read its catalogs.
const BACKGROUND: usize = 4;
/// A turn is kept for so long: those that hang stand in nobody's way, and far nodes hardly.
const TURN: Duration = Duration::from_millis(100);

/// The turns of one connection manager.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) health: Queue,
    pub(crate) later: Queue,
    pub(crate) background: Queue,
}

impl Default for Turns {
    fn default() -> Self {
        Self { health: Queue::new(HEALTH), later: Queue::new(LATER), background: Queue::new(BACKGROUND) }
    }
}

/// Those who wait for one kind of turn, served as they came.
#[derive(Debug)]
pub(crate) struct Queue(Arc<Semaphore>);

impl Queue {
    fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Waits for a turn. Cancel-safe: who comes again stands behind the others.
    pub(crate) async fn turn(&self) -> Turn {
        // Nobody closes it; without a turn nothing would be lost but order.
        Turn(Arc::clone(&self.0).acquire_owned().await.ok())
    }

    /// Begins to connect when it is its turn. Cancel-safe as far as `connect` is.
    pub(crate) async fn wait<T>(&self, connect: impl Future<Output = T>) -> T {
        self.turn().await.spend(connect).await
    }
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

impl Turn {
    /// Does the work, whose turn ends with it or before, where it takes long. Cancel-safe as far as the work is.
    pub(crate) async fn spend<T>(self, work: impl Future<Output = T>) -> T {
        let Self(permit) = self;
        let mut work = std::pin::pin!(work);
        if let Ok(done) = timeout(TURN, &mut work).await {
            return done;
        }
        drop(permit);
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
    async fn so_many_connect_at_once_and_those_that_hang_stand_in_nobodys_way_n8() {
        let (queue, now, most) = (Queue::new(4), AtomicUsize::new(0), AtomicUsize::new(0));
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
