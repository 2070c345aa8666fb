//! The open sockets of one pool: counts them, waits until they are closed, cuts them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::watch;

use super::heard::{Heard, lock};

/// Counts the sockets of a node's pool, so that closing can wait until none is left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sockets(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: watch::Sender<usize>,
    ever: AtomicU64,
    all_heard: Mutex<Vec<Weak<Heard>>>,
}

impl Sockets {
    pub(crate) fn open(&self, heard: &Arc<Heard>) -> OpenSocket {
        let mut all_heard = lock(&self.0.all_heard);
        all_heard.retain(|heard| heard.strong_count() > 0);
        all_heard.push(Arc::downgrade(heard));
        self.0.ever.fetch_add(1, Ordering::Relaxed);
        self.0.open.send_modify(|open| *open += 1);
        OpenSocket(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        *self.0.open.borrow()
    }

    /// How many were opened since the start.
    pub(crate) fn ever(&self) -> u64 {
        self.0.ever.load(Ordering::Relaxed)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.0.open.subscribe()
    }

    /// Waits until all sockets are closed. Cancel-safe.
    pub(crate) async fn all_closed(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.watch().wait_for(|open| *open == 0).await;
    }

    pub(crate) fn cut_all(&self) {
        for heard in lock(&self.0.all_heard).iter().filter_map(Weak::upgrade) {
            heard.cut();
        }
    }
}

/// One open socket.
#[derive(Debug)]
pub(crate) struct OpenSocket(Sockets);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.0.open.send_modify(|open| *open -= 1);
    }
}
