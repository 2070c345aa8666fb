//! The views that somebody looks at, asked of one node: each at its own pace, never two of the same at once, on sessions
//! that are opened when the first one is looked at and closed when nothing was asked for the pool's `idle_timeout`.
//!
//! As a rule there is one session. Where an answer is late (a view that is heavy, or stuck) the others do not wait for it:
//! they get another session, up to [`LINES`]. What fails for a reason that the next second will not cure (rights, a version,
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

use super::ask::Line;
use crate::connection::manager::node::Pace;
use crate::connection::report::{News, Reporter};
use crate::connection::schedule::backoff;
use crate::connection::schedule::backoff::INCURABLE;
use crate::connection::schedule::phase::{FASTEST, Phase};
use crate::connection::schedule::turns::{Turn, Turns};
use crate::model::protocol::{Look, ViewRows};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, View};

/// Sessions for views at most.
const LINES: usize = 3;
/// An answer that takes longer keeps no other view waiting.
const LATE: Duration = Duration::from_millis(250);
/// After an answer, so many times as long as it took pass before the next question.
const REST: u32 = 4;
/// Running statements are cancelled, and sessions closed, within so long when the node is let go.
const CLOSING: Duration = Duration::from_millis(1500);

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub(in crate::connection) struct Looks {
    pub(in crate::connection) looks: Arc<[Look]>,
    /// Counts up when all of it is to be asked at once.
    pub(in crate::connection) asked: u64,
}

/// The views loop of one node.
pub(in crate::connection) struct Viewer {
    node: Arc<NodeConfig>,
    reporter: Reporter,
    pace: Pace,
    up: watch::Receiver<bool>,
    role: watch::Receiver<Option<Role>>,
    turns: Arc<Turns>,
    plans: Vec<Plan>,
    asked: u64,
    /// When the first question that nobody waits for is due.
    settled: Instant,
    running: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// The last one back goes out first.
    idle: Vec<Line>,
    /// Cancelled when the node is let go.
    quit: CancellationToken,
}

/// A view that is looked at, and when it is asked next.
struct Plan {
    view: Arc<View>,
    /// Of what no screen shows.
    pace: Option<Duration>,
    due: Instant,
    failures: u32,
    /// Since when it is under way.
    began: Option<Instant>,
}

/// How asking a view ended.
struct Answer {
    view: Arc<View>,
    outcome: Result<ViewRows, NodeError>,
    /// The session, where it can be used again.
    line: Option<Line>,
}

impl Viewer {
    pub(in crate::connection) fn new(
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
            plans: Vec::new(),
            asked: 0,
            settled: Instant::now(),
            running: FuturesUnordered::new(),
            idle: Vec::new(),
            quit: CancellationToken::new(),
        }
    }

    /// Runs until `stop`, then cancels what runs and closes the sessions. Says how many there were.
    pub(in crate::connection) async fn run(mut self, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live() => {}
        }
        self.quit.cancel();
        let sessions = self.idle.len() + self.running.len();
        let idle = futures_util::future::join_all(std::mem::take(&mut self.idle).into_iter().map(Line::close));
        let running = async { while self.running.next().await.is_some() {} };
        drop(timeout(CLOSING, futures_util::future::join(idle, running)).await);
        sessions as u32
    }

    async fn live(&mut self) {
        // A health loop that is gone will say no more: `stop` is on its way.
        while self.up.wait_for(|up| *up).await.is_ok() {
            self.settled = Instant::now() + Phase::of(self.reporter.life).to_background();
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
            self.heed_looks();
            let now = Instant::now();
            while let Some(at) = self.next(now) {
                self.start(at, None);
            }
            let background = self.next_in_background(now);
            let wake = self.wake(now);
            tokio::select! {
                biased;
                Some(answer) = self.running.next(), if !self.running.is_empty() => self.answered(answer).await,
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

    /// Takes over what is looked at now. What was looked at before keeps its pace.
    fn heed_looks(&mut self) {
        let looks = self.pace.looks.borrow_and_update().clone();
        let mut wanted: Vec<&Look> = looks.looks.iter().filter(|look| look.is_at(&self.node.name)).collect();
        // Of two that look at the same, the quicker.
        wanted.sort_by_key(|look| look.pace);
        self.plans.retain(|plan| plan.began.is_some() || wanted.iter().any(|look| Arc::ptr_eq(&look.view, &plan.view)));
        let now = Instant::now();
        let mut heeded: Vec<&Arc<View>> = Vec::new();
        for look in wanted {
            if heeded.iter().any(|view| Arc::ptr_eq(view, &look.view)) {
                continue;
            }
            heeded.push(&look.view);
            let plan = self.plans.iter_mut().find(|plan| Arc::ptr_eq(&plan.view, &look.view));
            match plan {
                // Somebody waits for it now.
                Some(plan) if plan.pace.is_some() && look.pace.is_none() => (plan.pace, plan.due) = (None, now),
                Some(plan) => plan.pace = look.pace,
                None => {
                    let (view, pace) = (Arc::clone(&look.view), look.pace);
                    let due = if pace.is_some() { now.max(self.settled) } else { now };
                    self.plans.push(Plan { view, pace, due, failures: 0, began: None });
                }
            }
        }
        if std::mem::replace(&mut self.asked, looks.asked) != looks.asked {
            self.plans.iter_mut().filter(|plan| plan.pace.is_none()).for_each(|plan| plan.due = now);
        }
    }

    fn is_looked_at(&self, view: &Arc<View>) -> bool {
        let looks = self.pace.looks.borrow();
        looks.looks.iter().any(|look| Arc::ptr_eq(&look.view, view) && look.is_at(&self.node.name))
    }

    /// The view to ask now that somebody looks at, if there is one and a session to ask it on.
    fn next(&self, now: Instant) -> Option<usize> {
        let running = self.plans.iter().filter_map(|plan| plan.began);
        if running.clone().count() >= LINES || running.clone().any(|began| now < began + LATE) {
            return None;
        }
        self.first_due(now, |plan| plan.pace.is_none())
    }

    /// The view to ask when it is this node's turn, as nobody waits for it: one after the other.
    fn next_in_background(&self, now: Instant) -> Option<usize> {
        let alone = self.plans.iter().all(|plan| plan.began.is_none());
        self.first_due(now, |plan| plan.pace.is_some()).filter(|_| alone)
    }

    fn first_due(&self, now: Instant, of: impl Fn(&Plan) -> bool) -> Option<usize> {
        let due = |(_, plan): &(usize, &Plan)| plan.began.is_none() && plan.due <= now && of(plan);
        let first = self.plans.iter().enumerate().filter(due).min_by_key(|(_, plan)| plan.due);
        first.map(|(at, _)| at)
    }

    /// When to look again: a view is due, one that runs is late, a session is no longer needed.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let late = self.plans.iter().filter_map(|plan| Some(plan.began? + LATE)).filter(|late| *late > now).min();
        let due = self.plans.iter().filter(|plan| plan.began.is_none()).map(|plan| plan.due).min();
        // What is due while something runs waits for that to end, or to be late.
        let due = due.filter(|due| *due > now);
        let unused = self.surplus().map(|line| line.used + self.node.pool.idle_timeout).min();
        [late, due, unused].into_iter().flatten().min()
    }

    /// The sessions that may be closed when nothing is asked on them: all but the one that is used first, while anything is
    /// looked at.
    fn surplus(&self) -> impl Iterator<Item = &Line> {
        let kept = usize::from(!self.plans.is_empty());
        self.idle.iter().rev().skip(kept)
    }

    fn start(&mut self, at: usize, turn: Option<Turn>) {
        let Some(plan) = self.plans.get_mut(at) else { return };
        plan.began = Some(Instant::now());
        let (view, line) = (Arc::clone(&plan.view), self.idle.pop());
        let (node, turns, quit) = (Arc::clone(&self.node), Arc::clone(&self.turns), self.quit.clone());
        let role = *self.role.borrow();
        let ask = ask(node, view, line, role, turns, quit);
        self.running.push(match turn {
            Some(turn) => turn.spend(ask).boxed(),
            None => ask.boxed(),
        });
    }

    async fn answered(&mut self, answer: Answer) {
        let Answer { view, outcome, line } = answer;
        self.idle.extend(line);
        let refresh = *self.pace.refresh.borrow();
        let Some(at) = self.plans.iter().position(|plan| Arc::ptr_eq(&plan.view, &view)) else { return };
        let now = Instant::now();
        if let Some(plan) = self.plans.get_mut(at) {
            let began = plan.began.take().unwrap_or(now);
            let pace = plan.pace.unwrap_or(refresh);
            let every = view.every.map_or(pace, |every| every.max(pace)).max(FASTEST);
            plan.failures = if outcome.is_ok() { 0 } else { plan.failures.saturating_add(1) };
            let pause = match &outcome {
                Ok(rows) if rows.not_applicable.is_some() => INCURABLE,
                Ok(_) => (now - began) * REST,
                Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::Sql) => INCURABLE,
                Err(_) => backoff::delay(plan.failures - 1, fastrand::f64()),
            };
            plan.due = (began + every).max(now + pause);
        }
        if self.is_looked_at(&view) {
            self.reporter.send(News::View(view.name.as_str().into(), outcome.map(Arc::new))).await;
        }
    }

    /// Closes the sessions that nothing was asked on for long.
    async fn close_unused(&mut self) {
        let limit = self.node.pool.idle_timeout;
        let surplus = self.surplus().count();
        let unused: Vec<Line> = self.idle.extract_if(..surplus, |line| line.used.elapsed() >= limit).collect();
        futures_util::future::join_all(unused.into_iter().map(Line::close)).await;
    }
}

/// Asks a view on a session, or on a new one.
async fn ask(
    node: Arc<NodeConfig>,
    view: Arc<View>,
    line: Option<Line>,
    role: Option<Role>,
    turns: Arc<Turns>,
    quit: CancellationToken,
) -> Answer {
    let mut line = line;
    loop {
        let was_open = line.is_some();
        let mut session = match line.take() {
            Some(line) => line,
            None => match quit.run_until_cancelled(Line::open(&node, &turns)).await {
                Some(Ok(line)) => line,
                Some(Err(error)) => return Answer { view, outcome: Err(error), line: None },
                None => return Answer { outcome: Err(let_go(&node)), view, line: None },
            },
        };
        let asked = quit.run_until_cancelled(session.ask(&node, &view, role)).await;
        let Some((outcome, lives)) = asked else {
            session.abandon().await;
            return Answer { outcome: Err(let_go(&node)), view, line: None };
        };
        if lives {
            return Answer { view, outcome, line: Some(session) };
        }
        let ended = matches!(&outcome, Err(error) if error.kind != ErrorKind::Timeout && error.kind != ErrorKind::StatementTimeout);
        session.abandon().await;
        // It may have ended long before the question.
        if !(ended && was_open) {
            return Answer { view, outcome, line: None };
        }
    }
}

fn let_go(node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::NotConnected, format!("{} is being disconnected", node.name))
}

/// Takes out a session that has ended; pends while none has. Cancel-safe.
async fn one_ends(idle: &mut Vec<Line>) {
    if idle.is_empty() {
        return std::future::pending().await;
    }
    let ((), ended, _) = select_all(idle.iter_mut().map(|line| Box::pin(line.ended()))).await;
    idle.remove(ended);
}
