//! SIGINT, SIGTERM and SIGHUP, for the dashboard and for commands. While there is a listener, they no longer kill the
//! process: the listener cancels what runs on the servers and ends. For the dashboard there is a watchdog too, the last
//! resort when the terminal accepts no bytes any more.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::connection::Handle;
use crate::model::protocol::LeaveReason;
use crate::tui::terminal;

/// A listener. Each one gets every signal.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Needs a tokio runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal. Cancel-safe.
    pub(crate) async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        }
    }
}

pub(super) fn reason(signal: SignalKind) -> LeaveReason {
    if signal == SignalKind::interrupt() {
        LeaveReason::Sigint
    } else if signal == SignalKind::terminate() {
        LeaveReason::Sigterm
    } else {
        LeaveReason::Sighup
    }
}

/// A terminal that stopped reading (a frozen window, Ctrl-S) blocks everything that writes to it, the loop too. After a
/// signal this closes the sessions by itself, and ends the process if the loop has not ended within `limit`. Dropping
/// the set stops it.
pub(super) fn watchdog(mut signals: Signals, handle: Handle, limit: Duration) -> JoinSet<()> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        signals.next().await;
        let _ = tokio::time::timeout(limit, handle.shutdown(false)).await;
        // Dropping the set ends this task. It gets past here only if the loop is blocked.
        tokio::time::sleep(Duration::from_secs(1)).await;
        terminal::abandon();
        #[allow(clippy::disallowed_methods, reason = "the terminal is given back, and the loop cannot return")]
        std::process::exit(1);
    });
    task
}
