//! Shutdown: wait for the user's queries or cancel them, close every session, and report. `shutdown_timeout`
//! bounds the whole, whatever the servers do.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Actor, Leaving, Stage};
use crate::clock;
use crate::model::protocol::{DisconnectReason, ShutdownReport};
use crate::model::{EventKind, NodeName};

/// The part of `shutdown_timeout` reserved for cancelling and closing (at most a fifth of it).
const CLOSING: Duration = Duration::from_secs(2);
/// How long cancelled queries get to report back.
const CANCELLING: Duration = Duration::from_millis(1500);
/// Grace period for tasks that have only their last step left.
const LAST_STEP: Duration = Duration::from_millis(100);
/// How long listeners get to take the last events.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Actor {
    /// Begins a shutdown, or hurries one that waits for queries if `drain` is false.
    pub(super) fn leave(&mut self, drain: bool, answer: Option<oneshot::Sender<ShutdownReport>>) {
        let now = Instant::now();
        let timeout = self.shutdown_timeout;
        let leaving = self.leaving.get_or_insert_with(|| Leaving {
            began: now,
            deadline: now + timeout,
            stage: Stage::Waiting(now + timeout - CLOSING.min(timeout / 5)),
            reported: now,
            report: ShutdownReport::default(),
            answers: Vec::new(),
        });
        leaving.answers.extend(answer);
        if !drain && matches!(leaving.stage, Stage::Waiting(_)) {
            leaving.stage = Stage::Waiting(now);
        }
        self.leave_on();
    }

    /// Takes the next step of the shutdown if it is due.
    pub(super) fn leave_on(&mut self) {
        let queries = self.batches.running();
        let now = Instant::now();
        let Some(leaving) = self.leaving.as_mut() else { return };
        match leaving.stage {
            Stage::Waiting(until) if queries > 0 && now < until => {
                leaving.reported = now;
                self.emit(EventKind::Draining { queries, until: clock::now() + (until - now) });
            }
            Stage::Waiting(_) if queries > 0 => {
                leaving.report.queries_cancelled += queries;
                leaving.stage = Stage::Cancelling((now + CANCELLING).min(leaving.deadline));
                self.batches.cancel_all();
            }
            Stage::Cancelling(until) if queries > 0 && now < until => {}
            Stage::Waiting(_) | Stage::Cancelling(_) => self.close_all(),
            Stage::Closing => {}
        }
    }

    fn close_all(&mut self) {
        let names: Vec<NodeName> = self.nodes.keys().cloned().collect();
        if let Some(leaving) = self.leaving.as_mut() {
            leaving.stage = Stage::Closing;
        }
        self.quit.cancel();
        for name in names {
            self.end(&name, DisconnectReason::Shutdown, Duration::ZERO, true);
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| {
            leaving.stage == Stage::Closing && (self.dismissing.is_empty() || Instant::now() >= leaving.deadline)
        })
    }

    /// Aborts the tasks that did not end in time, and sends the last event.
    pub(super) async fn farewell(&mut self) {
        let Some(mut leaving) = self.leaving.take() else { return };
        // A task that was stopped ends when it is polled next.
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        drop(tokio::time::timeout(LAST_STEP, ended).await);
        self.tunnels.close().await;
        leaving.report.stragglers = self.tasks.len() as u32;
        self.tasks.abort_all();
        leaving.report.elapsed = leaving.began.elapsed();
        self.emit(EventKind::Stopped(leaving.report));
        self.hand_over(Instant::now() + LAST_WORDS).await;
        for answer in leaving.answers {
            answer.send(leaving.report).ok();
        }
    }
}
