//! A queue of callers, of which a few are served at once, each for a limited time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

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
    pub(super) fn new(at_once: usize, lasts: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once)), behind: None, lasts }
    }

    pub(super) fn behind(other: &Self, at_once: usize, lasts: Duration) -> Self {
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
    async fn few_connect_at_once_and_those_that_hang_delay_no_other_n8() {
        let (queue, now, most) = (Queue::new(4, Duration::from_millis(100)), AtomicUsize::new(0), AtomicUsize::new(0));
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
