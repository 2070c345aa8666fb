//! Turns to connect, or to be asked for what no screen shows. If five hundred nodes were dialled or asked at the same
//! moment, at the start or when a network is back, the servers and poolers that many of them share would be so busy
//! that the probes of nodes already connected are late (N8). Connections that confirm a failure do not wait for a turn:
//! they are urgent (N3).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::address::Addresses;

/// How many health loops may connect at the same time.
const HEALTH: usize = 16;
/// How many connects of facts and pools may run at the same time. They come after those of the health loops.
const LATER: usize = 8;
/// How many background queries may run at the same time. The first one of a session makes the server read its catalogs.
const BACKGROUND: usize = 4;
/// How long a connect may hold its slot. One that hangs frees it after this; a distant node rarely needs longer. How many
/// may hang at one server is limited by its address.
const TURN: Duration = Duration::from_millis(100);

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
        Self {
            health: Queue::new(HEALTH),
            later: Queue::new(LATER),
            background: Queue::new(BACKGROUND),
            addresses: Addresses::default(),
        }
    }
}

/// The callers that wait for one kind of turn, served in order.
#[derive(Debug)]
pub(crate) struct Queue(Arc<Semaphore>);

impl Queue {
    fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Waits for a turn. Cancel-safe: a caller that retries goes to the back of the queue.
    pub(crate) async fn turn(&self) -> Turn {
        // The semaphore is never closed. If it were, we would only lose fairness.
        Turn(Arc::clone(&self.0).acquire_owned().await.ok())
    }

    /// A turn, if one is free now.
    pub(crate) fn free_turn(&self) -> Option<Turn> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(|permit| Turn(Some(permit)))
    }

    /// Waits for a turn and then runs `connect`. Cancel-safe if `connect` is.
    pub(crate) async fn wait<T>(&self, connect: impl Future<Output = T>) -> T {
        self.turn().await.spend(connect).await
    }
}

/// A turn. Dropping it lets the next caller run.
#[derive(Debug)]
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

impl Turn {
    /// Does the work. The turn ends with it, or after [`TURN`] if the work takes longer. Cancel-safe if the work is.
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
    async fn few_connect_at_once_and_those_that_hang_delay_no_other_n8() {
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
