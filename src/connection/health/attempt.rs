//! An attempt to connect. It counts as unanswered at its deadline, but goes on: a server that was frozen, or is late for
//! another reason, answers it at the moment it can.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::probe::{Probe, STALL, until};
use crate::connection::error;
use crate::connection::schedule::address::{Address, Place};
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::model::{ErrorKind, NodeConfig, NodeError};

/// A connection that has answered its first probe, and the latency of that, if we know it.
pub(super) type Opened = (Probe, Option<Duration>);

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Result<Opened, NodeError>),
    /// There was no answer before the deadline. The attempt goes on.
    Silent,
}

/// An attempt under way. Dropping it closes what it has opened.
pub(super) struct Attempt {
    work: BoxFuture<'static, Result<Opened, NodeError>>,
    within: Duration,
    /// When it was made; it may have waited for its turn after that.
    made: Instant,
    /// When it began to connect.
    begun: Arc<OnceLock<Instant>>,
    /// The earliest deadline, moved back when we ourselves were late.
    not_before: Instant,
    /// True once it counted as unanswered.
    silent: bool,
    /// True once the login is over.
    logged_in: Arc<AtomicBool>,
    address: Arc<Address>,
    /// The place at the address of an attempt that did not wait for one.
    _place: Option<Place>,
}

impl Attempt {
    /// Connects when it is the node's turn. Counts as unanswered `within` that time after its turn has come, or if no
    /// attempt at its address is answered while it waits for that.
    pub(super) fn in_turn(node: &Arc<Endpoint>, turns: &Arc<Turns>, address: &Arc<Address>, within: Duration) -> Self {
        let begun = Arc::<OnceLock<Instant>>::default();
        let (node, turns, begins) = (Arc::clone(node), Arc::clone(turns), Arc::clone(&begun));
        let at = Arc::clone(address);
        let logged_in = Arc::<AtomicBool>::default();
        let login = Arc::clone(&logged_in);
        let work = Box::pin(async move {
            let _place = at.login().await;
            let turn = turns.health.turn().await;
            begins.get_or_init(Instant::now);
            let opened = turn.spend(Box::pin(Probe::open(node, login))).await;
            if !opened.as_ref().is_err_and(|error| is_silence(error.kind)) {
                at.answered(Instant::now());
            }
            opened
        });
        Self { logged_in, ..Self::new(work, within, begun, address) }
    }

    /// Connects at once.
    pub(super) fn at_once(node: &Arc<Endpoint>, address: &Arc<Address>, within: Duration) -> Self {
        let logged_in = Arc::<AtomicBool>::default();
        let work = Box::pin(Probe::open(Arc::clone(node), Arc::clone(&logged_in)));
        Self { logged_in, ..Self::new(work, within, Arc::new(OnceLock::from(Instant::now())), address) }
    }

    fn new(
        work: BoxFuture<'static, Result<Opened, NodeError>>,
        within: Duration,
        begun: Arc<OnceLock<Instant>>,
        address: &Arc<Address>,
    ) -> Self {
        let made = Instant::now();
        let address = Arc::clone(address);
        let logged_in = Arc::default();
        Self { work, within, made, begun, not_before: made, silent: false, logged_in, address, _place: None }
    }

    /// Drives the attempt until it ends or its deadline passes, which happens once. Cancel-safe; must not be called again
    /// after `Done`.
    pub(super) async fn outcome(&mut self) -> Outcome {
        loop {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                done = &mut self.work => return Outcome::Done(done),
                () = until(deadline) => if self.is_overdue() {
                    self.silent = true;
                    return Outcome::Silent;
                },
            }
        }
    }

    /// What to say of it when it counts as unanswered.
    pub(super) fn unanswered(&self, node: &NodeConfig) -> NodeError {
        if self.logged_in.load(Ordering::Relaxed) {
            error::no_answer_after_login(node, self.within)
        } else {
            error::no_answer(node, self.within)
        }
    }

    /// True if it counted as unanswered.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// When it began to connect; `None` while it waits for its turn.
    pub(super) fn begun(&self) -> Option<Instant> {
        self.begun.get().copied()
    }

    /// Tries again with the attempt that is still waiting for its turn, so that it keeps its place in the queue.
    pub(super) fn renew(&mut self) {
        (self.made, self.silent) = (Instant::now(), false);
    }

    /// Keeps an attempt that did not wait for its turn, if there is a place for it at its address.
    pub(super) fn kept(self) -> Option<Self> {
        let place = self.address.login_now()?;
        Some(Self { _place: Some(place), ..self })
    }

    fn deadline(&self) -> Option<Instant> {
        if self.silent {
            return None;
        }
        let since = self.begun().or(self.address.last_answer()).unwrap_or(self.made).max(self.made);
        Some((since + self.within).max(self.not_before))
    }

    /// Time in which we ourselves could not run does not count.
    fn is_overdue(&mut self) -> bool {
        let Some(deadline) = self.deadline() else { return false };
        let now = Instant::now();
        if now < deadline {
            return false;
        }
        let late = now - deadline;
        if late > STALL {
            self.not_before = now + late.min(self.within);
            return false;
        }
        true
    }
}

/// True if an attempt that failed for this reason got no answer from the address.
fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::HostNotFound | ErrorKind::Tunnel)
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("begun", &self.begun).field("silent", &self.silent).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// An attempt of which nothing comes, with five seconds' time.
    fn pending(address: &Arc<Address>, begun: Option<Instant>) -> Attempt {
        let begun = Arc::new(begun.map_or_else(OnceLock::new, OnceLock::from));
        Attempt::new(Box::pin(std::future::pending()), 5 * SECOND, begun, address)
    }

    async fn is_silent_within(attempt: &mut Attempt, time: Duration) -> bool {
        matches!(timeout(time, attempt.outcome()).await, Ok(Outcome::Silent))
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_called_unanswered_once_and_goes_on_n13() {
        let address = Arc::default();
        let mut attempt = pending(&address, Some(Instant::now()));
        assert!(!is_silent_within(&mut attempt, Duration::from_millis(4_999)).await);
        assert!(is_silent_within(&mut attempt, Duration::from_millis(2)).await && attempt.is_silent());
        assert!(!is_silent_within(&mut attempt, 1000 * SECOND).await);

        let refused = NodeError::new(ErrorKind::Refused, "no");
        let begun = Arc::new(OnceLock::from(Instant::now()));
        let late = Box::pin(async move {
            tokio::time::sleep(60 * SECOND).await;
            Err(refused)
        });
        let mut attempt = Attempt::new(late, 5 * SECOND, begun, &address);
        assert!(is_silent_within(&mut attempt, 6 * SECOND).await);
        let done = timeout(60 * SECOND, attempt.outcome()).await;
        assert!(matches!(done, Ok(Outcome::Done(Err(error))) if error.kind == ErrorKind::Refused));
    }

    /// Many nodes of one address that log in one after the other are no reason to call it silent.
    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_waits_for_its_turn_is_unanswered_only_if_the_others_are() {
        let address = Arc::<Address>::default();
        let mut attempt = pending(&address, None);
        for _ in 0..3 {
            assert!(!is_silent_within(&mut attempt, 4 * SECOND).await);
            address.answered(Instant::now());
        }
        assert!(!is_silent_within(&mut attempt, 4 * SECOND).await);
        assert!(is_silent_within(&mut attempt, 2 * SECOND).await);
        attempt.renew();
        assert!(!is_silent_within(&mut attempt, 4 * SECOND).await);
        attempt.begun.set(Instant::now()).unwrap();
        assert!(!is_silent_within(&mut attempt, 4 * SECOND).await, "its time begins with its turn");
        assert!(is_silent_within(&mut attempt, 2 * SECOND).await);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_we_did_not_run_does_not_count() {
        let address = Arc::default();
        let mut attempt = pending(&address, Some(Instant::now()));
        advance(9 * SECOND).await;
        assert!(!is_silent_within(&mut attempt, 3 * SECOND).await);
        assert!(is_silent_within(&mut attempt, 2 * SECOND).await);
    }
}
