//! SIGINT, SIGTERM and SIGHUP: the ways out that the keyboard does not know of, and the last resort when the terminal
//! takes no bytes any more.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::Handle;
use crate::model::protocol::LeaveReason;
use crate::tui::terminal;

/// The signals, as they come.
pub(super) struct Signals {
    came: watch::Receiver<Option<LeaveReason>>,
    /// Ends with the dashboard: dropping the set stops its tasks.
    tasks: JoinSet<()>,
}

/// Begins to listen; from here on the signals do not end the process.
pub(super) fn listen() -> io::Result<Signals> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (tell, came) = watch::channel(None);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let reason = tokio::select! {
                () = received(&mut interrupt) => LeaveReason::Sigint,
                () = received(&mut terminate) => LeaveReason::Sigterm,
                () = received(&mut hangup) => LeaveReason::Sighup,
            };
            if tell.send(Some(reason)).is_err() {
                return;
            }
        }
    });
    Ok(Signals { came, tasks })
}

async fn received(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

impl Signals {
    /// The next signal. Cancel-safe.
    pub(super) async fn next(&mut self) -> LeaveReason {
        loop {
            if self.came.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(reason) = *self.came.borrow_and_update() {
                return reason;
            }
        }
    }

    /// A terminal that stopped reading (a frozen window, Ctrl-S) blocks whoever writes to it, the loop too. After a
    /// signal this closes the sessions by itself and ends the process when the loop has not left within `limit`.
    pub(super) fn watchdog(&mut self, handle: Handle, limit: Duration) {
        let mut came = self.came.clone();
        self.tasks.spawn(async move {
            if came.changed().await.is_err() {
                return;
            }
            let _ = tokio::time::timeout(limit, handle.shutdown(false)).await;
            // The loop ends this task by leaving: getting past here means that it cannot.
            tokio::time::sleep(Duration::from_secs(1)).await;
            terminal::abandon();
            #[allow(clippy::disallowed_methods, reason = "the terminal is given back, and the loop cannot return")]
            std::process::exit(1);
        });
    }
}
