//! The views loop of one node: asks for each view at its own pace, never twice at the same time, over sessions that
//! open when a view is first needed and close when they were not used for the pool's `idle_timeout`.
//!
//! Usually there is one session. If an answer is late (the view is heavy, or stuck), the other views do not wait for
//! it: they get another session, up to three. After a failure that the next second will not cure (rights, a version, an
//! extension), a view is asked for once a minute, or when the user presses the key for it. A view takes at most a fifth
//! of the time of one server process: the longer it took, the later it is asked for again.
//!
//! A view that no screen shows but a rule of an alert needs has an interval of its own (a minute or more). Such views
//! are asked for one after the other over one session, on few nodes at the same time. That session stays open: opening
//! one each minute costs a server more than keeping it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, select_all};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::ask::{After, SharedTexts, ViewSession, lock, no_rows};
use super::plan::{Looks, Plans};
use crate::connection::report::{News, Reporter};
use crate::connection::schedule::phase::Phase;
use crate::connection::schedule::queue::Turn;
use crate::connection::schedule::turns::Turns;
use crate::connection::session::endpoint::Endpoint;
use crate::model::protocol::{TextRequest, ViewRows, WholeText};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, View};

/// How long cancelling running statements and closing the sessions may take when the loop stops.
const CLOSING: Duration = Duration::from_millis(1500);

/// For how long figures tell that no session waits for a lock.
const FRESH: Duration = Duration::from_secs(2);

/// How many texts one node may be asked for as a whole, one after the other.
pub(crate) const WHOLE_TEXTS: usize = 8;

/// The refresh interval and the views to ask for. Both follow the user.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) refresh: watch::Receiver<Duration>,
    pub(crate) looks: watch::Receiver<Looks>,
    /// The texts to ask for as a whole.
    pub(crate) texts: mpsc::Receiver<TextRequest>,
}

/// What the figures of the node tell.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) role: watch::Receiver<Option<Role>>,
    /// When the figures were asked for that showed that no session waits for a lock; `None` if one may wait.
    pub(crate) nobody_waits: watch::Receiver<Option<Instant>>,
    /// Slots or subscriptions changed.
    pub(crate) replication_changed: Arc<Notify>,
}

/// The views loop of one node.
pub(crate) struct Viewer {
    node: Arc<Endpoint>,
    reporter: Reporter,
    pace: Pace,
    up: watch::Receiver<bool>,
    figures: Figures,
    turns: Arc<Turns>,
    plans: Plans,
    running: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// The one text that is asked for as a whole.
    fetching: FuturesUnordered<BoxFuture<'static, Fetched>>,
    texts: SharedTexts,
    /// The session given back last is used first.
    idle: Vec<ViewSession>,
    /// Cancelled when the loop stops.
    quit: CancellationToken,
}

/// The outcome of asking for a view.
struct Asked {
    view: Arc<View>,
    outcome: Result<ViewRows, NodeError>,
    /// The session, if it can be used again.
    session: Option<ViewSession>,
}

/// The outcome of asking for a text as a whole.
struct Fetched {
    id: u64,
    outcome: Result<Option<WholeText>, NodeError>,
    /// The session, if it can be used again.
    session: Option<ViewSession>,
}

impl Viewer {
    pub(crate) fn new(
        node: Arc<Endpoint>,
        reporter: Reporter,
        pace: Pace,
        up: watch::Receiver<bool>,
        figures: Figures,
        turns: Arc<Turns>,
    ) -> Self {
        Self {
            node,
            reporter,
            pace,
            up,
            figures,
            turns,
            plans: Plans::new(Instant::now()),
            running: FuturesUnordered::new(),
            fetching: FuturesUnordered::new(),
            texts: SharedTexts::default(),
            idle: Vec::new(),
            quit: CancellationToken::new(),
        }
    }

    /// Runs until `stop`, then cancels what runs and closes the sessions. Returns how many there were.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> u32 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.live() => {}
        }
        self.quit.cancel();
        let sessions = self.idle.len() + self.running.len() + self.fetching.len();
        let idle = futures_util::future::join_all(std::mem::take(&mut self.idle).into_iter().map(ViewSession::close));
        let running = async { while self.running.next().await.is_some() {} };
        let fetching = async { while self.fetching.next().await.is_some() {} };
        drop(timeout(CLOSING, futures_util::future::join3(idle, running, fetching)).await);
        sessions as u32
    }

    async fn live(&mut self) {
        // This ends when the health loop is gone; `stop` follows.
        while self.is_up().await {
            self.plans.node_is_up(Instant::now() + Phase::of(self.reporter.life).to_background());
            let mut up = self.up.clone();
            tokio::select! {
                _ = up.wait_for(|up| !*up) => {}
                () = Box::pin(self.watch()) => {}
            }
            // When the node goes down, its connections are closed.
            self.running.clear();
            self.fetching.clear();
            self.idle.clear();
            self.plans.clear();
            // Another server may answer next.
            lock(&self.texts).clear();
        }
    }

    /// Waits until the node is up, and meanwhile refuses to ask for texts. Returns false if it will never be.
    async fn is_up(&mut self) -> bool {
        loop {
            let mut up = self.up.clone();
            let request = tokio::select! {
                up = up.wait_for(|up| *up) => return up.is_ok(),
                Some(request) = self.pace.texts.recv() => request,
            };
            let error = NodeError::new(ErrorKind::NotConnected, format!("{} does not answer", self.node.name));
            self.reporter.send(News::Text(request.id, Err(error))).await;
        }
    }

    /// Asks for the views that are due; runs until it is dropped, when the node goes down.
    async fn watch(&mut self) {
        loop {
            let now = Instant::now();
            self.plans.apply(&self.pace.looks.borrow_and_update().clone(), &self.node.name, now);
            while let Some(at) = self.plans.next(now) {
                self.start(at, None);
            }
            let nobody_waits = *self.figures.nobody_waits.borrow_and_update();
            if nobody_waits.is_some_and(|at| at.elapsed() <= FRESH) {
                while let Some(view) = self.plans.next_without_rows(now).and_then(|at| self.plans.begin(at, now)) {
                    let outcome = Ok(ViewRows { rows: no_rows(&view), ..ViewRows::default() });
                    self.answered(Asked { view, outcome, session: None }).await;
                }
            }
            let background = self.plans.next_in_background(now);
            let unused = self.surplus().map(|session| session.used + self.node.pool.idle_timeout).min();
            let wake = [self.plans.wake(now), unused].into_iter().flatten().min();
            tokio::select! {
                biased;
                Some(asked) = self.running.next(), if !self.running.is_empty() => self.answered(asked).await,
                Some(fetched) = self.fetching.next(), if !self.fetching.is_empty() => self.fetched(fetched).await,
                Some(request) = self.pace.texts.recv(), if self.fetching.is_empty() => self.fetch(request),
                turn = self.turns.background.turn(), if background.is_some() => if let Some(at) = background {
                    self.start(at, Some(turn));
                },
                () = one_ends(&mut self.idle) => {}
                changed = self.pace.looks.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                changed = self.figures.role.changed() => match changed {
                    Ok(()) => self.plans.role_changed(Instant::now()),
                    Err(_) => return std::future::pending().await,
                },
                Ok(()) = self.figures.nobody_waits.changed() => {}
                () = self.figures.replication_changed.notified() => self.plans.replication_changed(Instant::now()),
                // A changed refresh interval applies from the next query on. What is due is asked for when the loop
                // repeats.
                () = async { sleep_until(wake.unwrap_or(now)).await }, if wake.is_some() => self.close_unused().await,
            }
        }
    }

    fn is_looked_at(&self, view: &Arc<View>) -> bool {
        let looks = self.pace.looks.borrow();
        looks.looks.iter().any(|look| Arc::ptr_eq(&look.view, view) && look.is_at(&self.node.name))
    }

    /// The sessions that may be closed when they are not used: all except the one that is used first, while any view is
    /// planned.
    fn surplus(&self) -> impl Iterator<Item = &ViewSession> {
        let kept = usize::from(!self.plans.is_empty());
        self.idle.iter().rev().skip(kept)
    }

    fn start(&mut self, at: usize, turn: Option<Turn>) {
        let Some(view) = self.plans.begin(at, Instant::now()) else { return };
        let session = self.idle.pop();
        let (node, quit) = (Arc::clone(&self.node), self.quit.clone());
        // A query in the background has its turn.
        let turns = turn.is_none().then(|| Arc::clone(&self.turns));
        let role = *self.figures.role.borrow();
        let (texts, wish) = (Arc::clone(&self.texts), self.pace.looks.borrow().asked);
        let ask = ask(node, view, session, role, turns, quit, (texts, wish));
        self.running.push(match turn {
            Some(turn) => turn.spend(ask).boxed(),
            None => ask.boxed(),
        });
    }

    fn fetch(&mut self, request: TextRequest) {
        let (node, turns, quit) = (Arc::clone(&self.node), Arc::clone(&self.turns), self.quit.clone());
        let (session, role) = (self.idle.pop(), *self.figures.role.borrow());
        self.fetching.push(fetch(node, request, session, role, turns, quit).boxed());
    }

    async fn fetched(&mut self, fetched: Fetched) {
        self.idle.extend(fetched.session);
        self.reporter.send(News::Text(fetched.id, fetched.outcome)).await;
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

    /// Closes the sessions that were not used for `idle_timeout`.
    async fn close_unused(&mut self) {
        let limit = self.node.pool.idle_timeout;
        let surplus = self.surplus().count();
        let unused: Vec<ViewSession> =
            self.idle.extract_if(..surplus, |session| session.used.elapsed() >= limit).collect();
        futures_util::future::join_all(unused.into_iter().map(ViewSession::close)).await;
    }
}

/// Asks for a view over this session, or a new one. Cancelling `quit` stops it.
async fn ask(
    node: Arc<Endpoint>,
    view: Arc<View>,
    mut session: Option<ViewSession>,
    role: Option<Role>,
    turns: Option<Arc<Turns>>,
    quit: CancellationToken,
    (texts, wish): (SharedTexts, u64),
) -> Asked {
    loop {
        let was_open = session.is_some();
        let mut on = match session.take() {
            Some(session) => session,
            None => match quit.run_until_cancelled(open(&node, turns.as_deref())).await {
                Some(Ok(session)) => session,
                Some(Err(error)) => return Asked { view, outcome: Err(error), session: None },
                None => return Asked { outcome: Err(let_go(&node)), view, session: None },
            },
        };
        let asked = quit.run_until_cancelled(on.ask(&node, &view, role, &texts, wish)).await;
        let Some((outcome, after)) = asked else {
            on.abandon().await;
            return Asked { outcome: Err(let_go(&node)), view, session: None };
        };
        let again = match after {
            After::Usable => return Asked { view, outcome, session: Some(on) },
            After::Outdated => {
                on.close().await;
                true
            }
            After::Broken => {
                on.abandon().await;
                // It may have ended before the query.
                matches!(&outcome, Err(error) if error.kind != ErrorKind::Timeout && error.kind != ErrorKind::StatementTimeout)
            }
        };
        // Only a session that was open before: try again on another one.
        if !(again && was_open) {
            return Asked { view, outcome, session: None };
        }
    }
}

/// Opens a session, once it is this node's turn.
async fn open(node: &Endpoint, turns: Option<&Turns>) -> Result<ViewSession, NodeError> {
    match turns {
        Some(turns) => turns.later.wait(ViewSession::open(node)).await,
        None => ViewSession::open(node).await,
    }
}

/// Asks for a text over this session, or a new one. Cancelling `quit` stops it.
async fn fetch(
    node: Arc<Endpoint>,
    request: TextRequest,
    session: Option<ViewSession>,
    role: Option<Role>,
    turns: Arc<Turns>,
    quit: CancellationToken,
) -> Fetched {
    let id = request.id;
    let mut on = match session {
        Some(session) => session,
        None => match quit.run_until_cancelled(open(&node, Some(&turns))).await {
            Some(Ok(session)) => session,
            Some(Err(error)) => return Fetched { id, outcome: Err(error), session: None },
            None => return Fetched { id, outcome: Err(let_go(&node)), session: None },
        },
    };
    let Some((outcome, lives)) = quit.run_until_cancelled(on.whole(&node, &request, role)).await else {
        on.abandon().await;
        return Fetched { id, outcome: Err(let_go(&node)), session: None };
    };
    if lives {
        return Fetched { id, outcome, session: Some(on) };
    }
    on.abandon().await;
    Fetched { id, outcome, session: None }
}

fn let_go(node: &NodeConfig) -> NodeError {
    NodeError::new(ErrorKind::NotConnected, format!("{} is being disconnected", node.name))
}

/// Removes a session that has ended; waits until one has. Cancel-safe.
async fn one_ends(idle: &mut Vec<ViewSession>) {
    if idle.is_empty() {
        return std::future::pending().await;
    }
    let ((), ended, _) = select_all(idle.iter_mut().map(|session| Box::pin(session.ended()))).await;
    idle.remove(ended);
}
