//! Keys, clicks and changes of size, read by a task of its own. crossterm's stream spins on a lock each time it is asked
//! while nothing waits, and a loop that is woken by every node would ask it each time.

use std::io;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// More than a hand presses within a frame; a paste comes as one.
const WAITING: usize = 64;

/// What comes from the terminal. Dropping it ends the reading.
pub(super) struct Keys {
    events: mpsc::Receiver<io::Result<Event>>,
    _task: JoinSet<()>,
}

impl Keys {
    pub(super) fn listen() -> Self {
        let (heard, events) = mpsc::channel(WAITING);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut stream = EventStream::new();
            while let Some(event) = stream.next().await {
                if heard.send(event).await.is_err() {
                    return;
                }
            }
        });
        Self { events, _task: task }
    }

    /// The next one; `None` when the terminal is gone. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }
}
