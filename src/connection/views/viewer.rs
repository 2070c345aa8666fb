//! The views that somebody looks at, asked of one node: each at its own pace, never two of the same at once, on sessions
//! that are opened when the first one is looked at and closed when nothing was asked for the pool's `idle_timeout`.
//!
//! As a rule there is one session. Where an answer is late (a view that is heavy, or stuck) the others do not wait for it:
//! they get another session, up to three. What fails for a reason that the next second will not cure (rights, a version,
//! an extension) is asked again once a minute, or when somebody presses the key for it. A view never takes more than a
//! fifth of one process of the server: the longer it took, the later it is asked again.
//!
//! What no screen shows but a rule of an alert needs is asked at a pace of its own (once a minute or less often), one view after
//! the other on one session, few nodes at once. That session stays open: to open one each minute costs a server more than
//! to keep it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, select_all};
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::ask::ViewSession;
use super::plan::{Looks, Plans};
use crate::connection::report::{News, Reporter};
use crate::connection::schedule::phase::Phase;
use crate::connection::schedule::turns::{Turn, Turns};
use crate::model::protocol::ViewRows;
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, View};

/// Running statements are cancelled, and sessions closed, within so long when the node is let go.
const CLOSING: Duration = Duration::from_millis(1500);

/// What is asked of a node, and how often: both follow the user.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) refresh: watch::Receiver<Duration>,
    pub(crate) looks: watch::Receiver<Looks>,
}

/// The views loop of one node.
pub(crate) struct Viewer {
    node: Arc<NodeConfig>,
    reporter: Reporter,
    pace: Pace,
    up: watch::Receiver<bool>,
    role: watch::Receiver<Option<Role>>,
    turns: Arc<Turns>,
    plans: Plans,
    running: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// The last one back goes out first.
    idle: Vec<ViewSession>,
    /// Cancelled when the node is let go.
    quit: CancellationToken,
}

/// How asking a view ended.
struct Asked {
    view: Arc<View>,
    outcome: Result<ViewRows, NodeError>,
    /// The session, where it can be used again.
    session: Option<ViewSession>,
}

impl Viewer {
    pub(crate) fn new(
        node: Arc<NodeConfig>,
        reporter: Reporter,
        pace: Pace,
        up: watch::Receiver<bool>,
        role: watch::Receiver<Option<Role>>,
        turns: Arc<Turns>,
    ) -> Self {
        Self {
            node,
            reporter,
            pace,
            up,
            role,
            turns,
            plans: Plans::new(Instant::now()),
            running: FuturesUnordered::new(),
            idle: Vec::new(),
            quit: CancellationToken::new(),
        }
    }

    /// Runs until `stop`, then cancels what runs and closes the sessions. Says how many there were.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live() => {}
        }
        self.quit.cancel();
        let sessions = self.idle.len() + self.running.len();
        let idle = futures_util::future::join_all(std::mem::take(&mut self.idle).into_iter().map(ViewSession::close));
        let running = async { while self.running.next().await.is_some() {} };
        drop(timeout(CLOSING, futures_util::future::join(idle, running)).await);
        sessions as u32
    }

    async fn live(&mut self) {
        // A health loop that is gone will say no more: `stop` is on its way.
        while self.up.wait_for(|up| *up).await.is_ok() {
            self.plans.node_is_up(Instant::now() + Phase::of(self.reporter.life).to_background());
            let mut up = self.up.clone();
            tokio::select! {
                _ = up.wait_for(|up| !*up) => {}
                () = Box::pin(self.watch()) => {}
            }
            // A node that is down takes its connections with it.
            self.running.clear();
            self.idle.clear();
            self.plans.clear();
        }
    }

    /// One question after the other, until the node is down.
    async fn watch(&mut self) {
        loop {
            let now = Instant::now();
            self.plans.apply(&self.pace.looks.borrow_and_update().clone(), &self.node.name, now);
            while let Some(at) = self.plans.next(now) {
                self.start(at, None);
            }
            let background = self.plans.next_in_background(now);
            let unused = self.surplus().map(|session| session.used + self.node.pool.idle_timeout).min();
            let wake = [self.plans.wake(now), unused].into_iter().flatten().min();
            tokio::select! {
                biased;
                Some(asked) = self.running.next(), if !self.running.is_empty() => self.answered(asked).await,
                turn = self.turns.background.turn(), if background.is_some() => if let Some(at) = background {
                    self.start(at, Some(turn));
                },
                () = one_ends(&mut self.idle) => {}
                changed = self.pace.looks.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                // A refresh that was changed counts from the next question on; what is due is asked when the loop begins
                // anew.
                () = async { sleep_until(wake.unwrap_or(now)).await }, if wake.is_some() => self.close_unused().await,
            }
        }
    }

    fn is_looked_at(&self, view: &Arc<View>) -> bool {
        let looks = self.pace.looks.borrow();
        looks.looks.iter().any(|look| Arc::ptr_eq(&look.view, view) && look.is_at(&self.node.name))
    }

    /// The sessions that may be closed when nothing is asked on them: all but the one that is used first, while anything is
    /// looked at.
    fn surplus(&self) -> impl Iterator<Item = &ViewSession> {
        let kept = usize::from(!self.plans.is_empty());
        self.idle.iter().rev().skip(kept)
    }

    fn start(&mut self, at: usize, turn: Option<Turn>) {
        let Some(view) = self.plans.begin(at, Instant::now()) else { return };
        let session = self.idle.pop();
        let (node, turns, quit) = (Arc::clone(&self.node), Arc::clone(&self.turns), self.quit.clone());
        let role = *self.role.borrow();
        let ask = ask(node, view, session, role, turns, quit);
        self.running.push(match turn {
            Some(turn) => turn.spend(ask).boxed(),
            None => ask.boxed(),
        });
    }

    async fn answered(&mut self, asked: Asked) {
        let Asked { view, outcome, session } = asked;
        self.idle.extend(session);
        let refresh = *self.pace.refresh.borrow();
        if !self.plans.ended(&view, &outcome, refresh, Instant::now(), fastrand::f64()) {
            return;
        }
        if self.is_looked_at(&view) {
            self.reporter.send(News::View(view.name.as_str().into(), outcome.map(Arc::new))).await;
        }
    }

    /// Closes the sessions that nothing was asked on for long.
    async fn close_unused(&mut self) {
        let limit = self.node.pool.idle_timeout;
        let surplus = self.surplus().count();
        let unused: Vec<ViewSession> =
            self.idle.extract_if(..surplus, |session| session.used.elapsed() >= limit).collect();
        futures_util::future::join_all(unused.into_iter().map(ViewSession::close)).await;
    }
}

/// Asks a view on a session, or on a new one.
async fn ask(
    node: Arc<NodeConfig>,
    view: Arc<View>,
    mut session: Option<ViewSession>,
    role: Option<Role>,
    turns: Arc<Turns>,
    quit: CancellationToken,
) -> Asked {
    loop {
        let was_open = session.is_some();
        let mut on = match session.take() {
            Some(session) => session,
            None => match quit.run_until_cancelled(ViewSession::open(&node, &turns)).await {
                Some(Ok(session)) => session,
                Some(Err(error)) => return Asked { view, outcome: Err(error), session: None },
                None => return Asked { outcome: Err(let_go(&node)), view, session: None },
            },
        };
        let asked = quit.run_until_cancelled(on.ask(&node, &view, role)).await;
        let Some((outcome, lives)) = asked else {
            on.abandon().await;
            return Asked { outcome: Err(let_go(&node)), view, session: None };
        };
        if lives {
            return Asked { view, outcome, session: Some(on) };
        }
        let ended = matches!(&outcome, Err(error) if error.kind != ErrorKind::Timeout && error.kind != ErrorKind::StatementTimeout);
        on.abandon().await;
        // It may have ended long before the question.
        if !(ended && was_open) {
            return Asked { view, outcome, session: None };
        }
    }
}

fn let_go(node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::NotConnected, format!("{} is being disconnected", node.name))
}

/// Takes out a session that has ended; pends while none has. Cancel-safe.
async fn one_ends(idle: &mut Vec<ViewSession>) {
    if idle.is_empty() {
        return std::future::pending().await;
    }
    let ((), ended, _) = select_all(idle.iter_mut().map(|session| Box::pin(session.ended()))).await;
    idle.remove(ended);
}
