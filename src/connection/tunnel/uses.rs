//! Who uses a tunnel: attempts to connect and open connections. A tunnel that nobody uses is ended after a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The uses of one tunnel.
#[derive(Debug, Clone)]
pub(super) struct Uses(watch::Sender<Count>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    now: usize,
    /// When the last use ended.
    ended: Instant,
}

impl Uses {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Count { now: 0, ended: Instant::now() }))
    }

    /// Begins to use the tunnel. `keeps` lives at least as long.
    pub(super) fn enter(&self, keeps: Arc<dyn Send + Sync>) -> InUse {
        self.0.send_modify(|count| count.now += 1);
        InUse { uses: self.clone(), _keeps: keeps }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.0.borrow().now == 0
    }

    /// Waits until nobody has used the tunnel for this long. Cancel-safe.
    pub(super) async fn none_for(&self, long: Duration) {
        let mut uses = self.0.subscribe();
        loop {
            // The sender lives as long as `self`, so this cannot fail.
            let Ok(unused) = uses.wait_for(|count| count.now == 0).await.map(|count| *count) else { return };
            let entered = async { drop(uses.wait_for(|count| *count != unused).await) };
            tokio::select! {
                () = entered => {}
                () = sleep_until(unused.ended + long) => return,
            }
        }
    }
}

/// A use of a tunnel, until it is dropped.
pub(super) struct InUse {
    uses: Uses,
    _keeps: Arc<dyn Send + Sync>,
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.uses.0.send_modify(|count| *count = Count { now: count.now.saturating_sub(1), ended: Instant::now() });
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InUse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_not_needed_a_while_after_its_last_use() {
        const LONG: Duration = Duration::from_mins(1);
        let uses = Uses::new();
        let passes = async |time: u64| tokio::time::advance(Duration::from_secs(time)).await;
        let first = uses.enter(Arc::new(()));
        passes(100).await;
        let second = uses.enter(Arc::new(()));
        drop(first);
        passes(100).await;
        assert!(!uses.is_unused());
        drop(second);
        let began = Instant::now();
        passes(50).await;
        // A short use begins the time anew.
        drop(uses.enter(Arc::new(())));
        uses.none_for(LONG).await;
        assert_eq!(began.elapsed(), Duration::from_secs(50) + LONG);
    }
}
