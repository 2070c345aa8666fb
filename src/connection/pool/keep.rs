//! The loop of a pool that keeps `min` sessions open.

use std::sync::Arc;
use std::time::Duration;

use bb8::ErrorSink;
use futures_util::FutureExt;
use tokio::sync::watch;

use super::pooled::{ErrorsTo, Pool};
use crate::connection::schedule::turns::Turns;

/// Keeps `min` sessions open. (bb8 knows only a minimum of idle sessions, and would open another one whenever one is
/// checked out.)
///
/// Period: a third of the idle timeout, so that none of these sessions is idle for all of it, and one second after a
/// socket has closed, so that a server that ends each session at once is not hammered.
pub(super) async fn keep(
    pool: Pool,
    mut sockets: watch::Receiver<usize>,
    errors: ErrorsTo,
    turns: Arc<Turns>,
    min: u32,
    period: Duration,
) {
    // Without a minimum no session is touched before its idle time ends, and none is opened unasked.
    let mut touched = min;
    loop {
        // Checks sessions out and gives them back: bb8 inspects a session when it comes back, and its idle time starts
        // again.
        let idle = pool.state().idle_connections;
        let held = (0..idle.min(touched)).map_while(|_| pool.get_owned().now_or_never()).collect::<Vec<_>>();
        drop(held);
        while pool.state().connections < min {
            // If the node refuses, the health loop deals with that; we try again after a period.
            let session = match turns.later.wait(pool.dedicated_connection()).await {
                Ok(session) => session,
                Err(error) => {
                    errors.sink(error);
                    break;
                }
            };
            if pool.add(session).is_err() {
                break;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(period), if min > 0 => touched = min,
            () = a_socket_closes(&mut sockets) => {
                touched = u32::MAX;
                tokio::time::sleep(period.min(Duration::from_secs(1))).await;
            }
        }
    }
}

async fn a_socket_closes(sockets: &mut watch::Receiver<usize>) {
    let mut open = *sockets.borrow_and_update();
    while sockets.changed().await.is_ok() {
        let before = std::mem::replace(&mut open, *sockets.borrow_and_update());
        if open < before {
            return;
        }
    }
    // The sender lives as long as the pool.
    std::future::pending::<()>().await;
}
