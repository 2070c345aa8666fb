//! The composition root of the dashboard: one `select!` over keys, events, signals, the watched file and the tick.
//! It performs effects and draws; what anything means is decided in `app`, and no network future is awaited here.
//!
//! | arm | period | why |
//! | --- | --- | --- |
//! | tick | 1 s | the clock and the ages on the screen |
//! | events | at most once a frame | five hundred nodes wake the loop no more often than it can draw |
//! | frame | when due | a key, a change of state, a node's first figures are drawn at once, later ones once a refresh and with the tick if they can, so that twenty nodes cost one frame a second |

mod columns;
mod export;
mod history;
mod keys;
mod signals;
mod watch;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use color_eyre::eyre::{Result, WrapErr as _, eyre};
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use crate::app::{App, Effect, Msg, Reread, Setup, update};
use crate::config::alerts::Rules;
use crate::config::views::Views;
use crate::config::{Config, Diagnostic, Environment};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::model::protocol::{CommandError, ShutdownReport};
use crate::model::{Command, Event, EventKind, THEMES};
use crate::tui::{self, Terminal, TerminalOptions, Theme, ThemeOptions};

pub use signals::LeaveReason;

/// Figures that came in wait so long at most for a common frame; less with a quicker refresh.
const FIGURES: Duration = Duration::from_secs(1);
/// No two frames closer than this: what comes faster is drawn together.
const FRAME: Duration = Duration::from_millis(16);
/// How long leaving waits for a file that is being written.
const WRITING: Duration = Duration::from_secs(5);
/// Beyond `shutdown_timeout`, for a terminal that does not take our last bytes.
const GRACE: Duration = Duration::from_secs(1);

const NO_TERMINAL: &str = "the dashboard needs a terminal (`pgwatch status` and `pgwatch query` need none)";

/// Reads the configuration again; called on a thread of its own.
pub type Reload = Box<dyn Fn() -> Result<Config, Vec<Diagnostic>> + Send + Sync>;

/// Reads all views and rules of alerts, the user's own too, and says what is wrong with those; called on a thread of its
/// own.
pub type ReadViews = dyn Fn() -> (Views, Rules, Vec<Diagnostic>) + Send + Sync;

/// The newest thing that went wrong beside the dashboard.
pub type Troubles = tokio::sync::watch::Receiver<Option<String>>;

/// What the dashboard runs with.
pub struct RunOptions {
    pub config: Config,
    pub read_write: bool,
    /// How to read the file again (F9); without it nothing is watched.
    pub reload: Option<Reload>,
    /// Reads the views and rules.
    pub views: Box<ReadViews>,
    /// Statements of earlier runs; `None` keeps none.
    pub history: Option<PathBuf>,
    /// A second listener to all events: the event log.
    pub tap: Option<mpsc::Sender<Event>>,
    /// What goes wrong with that listener, to be told on the screen.
    pub troubles: Option<Troubles>,
}

impl std::fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How the dashboard was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub reason: LeaveReason,
    pub report: ShutdownReport,
}

/// Opens the dashboard and returns when it was left: the terminal is given back, every session is closed.
///
/// # Errors
/// The terminal could not be taken or went away, or something panicked; the sessions are closed all the same, and
/// the report of that is lost.
pub async fn run(options: RunOptions) -> Result<Left> {
    let mut signals = signals::listen()?;
    let screen = Terminal::enter(TerminalOptions::default()).wrap_err(NO_TERMINAL)?;
    let limit = options.config.shutdown_timeout + GRACE;
    let (handle, events) = ConnectionManager::start(ManagerConfig {
        nodes: options.config.nodes.clone(),
        refresh: options.config.refresh,
        shutdown_timeout: options.config.shutdown_timeout,
        tap: options.tap.clone(),
    });
    signals.watchdog(handle.clone(), limit);
    // What the screen half owns goes with it, the terminal first; the hook gave that back before, if this panics.
    let dashboard = Box::pin(async { Dashboard::new(screen, handle.clone(), options).run(events, &mut signals).await });
    let (ended, report) = to_its_end(dashboard, &handle).await;
    Ok(Left { reason: ended?, report })
}

/// Runs the screen half to its end, then closes every session: a panic of it must not leave one behind, and is an
/// error like any other.
async fn to_its_end<T>(dashboard: impl Future<Output = Result<T>>, handle: &Handle) -> (Result<T>, ShutdownReport) {
    let ended = AssertUnwindSafe(dashboard).catch_unwind().await;
    let report = handle.shutdown(false).await;
    (ended.unwrap_or_else(|_| Err(eyre!("the dashboard panicked; see the report above"))), report)
}

/// Everything the loop owns.
struct Dashboard {
    app: App,
    screen: Terminal,
    handle: Handle,
    theme: Theme,
    config: Config,
    reload: Option<watch::Reloader>,
    history: Option<PathBuf>,
    troubles: Option<Troubles>,
    /// Files being written or read; each tells how it went.
    errands: JoinSet<Msg>,
    views: Arc<ReadViews>,
    reason: Option<LeaveReason>,
    /// When the next frame is due; `None` when nothing changed.
    due: Option<Instant>,
    drawn_at: Instant,
    /// There are figures that no frame has shown yet, and when one last did.
    figures_wait: bool,
    figures_at: Option<Instant>,
    /// Events that come before this wait for it: what no frame shows yet need wake nobody.
    events_at: Instant,
    quit: bool,
}

impl Dashboard {
    fn new(screen: Terminal, handle: Handle, options: RunOptions) -> Self {
        let RunOptions { config, read_write, reload, views, history, troubles, .. } = options;
        let theme = theme(&config, config.theme.as_deref().unwrap_or(THEMES[0]));
        let setup = Setup {
            cluster: config.cluster.clone(),
            config_path: config.path.clone(),
            nodes: config.nodes.clone(),
            refresh: config.refresh,
            query_timeout: config.query_timeout,
            theme: theme_name(&config),
            themes: THEMES.iter().map(ToString::to_string).collect(),
            thresholds: config.thresholds.clone(),
            template: config.template.clone(),
            read_write,
            ascii: theme.ascii,
            history: history.as_deref().map(history::read).unwrap_or_default(),
            columns: history.as_deref().map(columns::read).unwrap_or_default(),
        };
        let reload = reload.map(|load| watch::Reloader::start(config.clone(), load));
        let now = Instant::now();
        let views = Arc::from(views);
        Self {
            app: App::new(setup, SystemTime::now()),
            screen,
            handle,
            theme,
            config,
            reload,
            history,
            troubles,
            errands: JoinSet::new(),
            views,
            reason: None,
            due: Some(now),
            drawn_at: now,
            figures_wait: false,
            figures_at: None,
            events_at: now,
            quit: false,
        }
    }

    async fn run(mut self, mut events: mpsc::Receiver<Event>, signals: &mut signals::Signals) -> Result<LeaveReason> {
        let mut keys = keys::Keys::listen().wrap_err("the terminal is gone")?;
        let mut tick = interval_at(Instant::now(), Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.read_views();
        while !self.quit {
            // At once, not by a timer: those are a millisecond late or two.
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.draw()?;
            }
            let due = self.due;
            tokio::select! {
                reason = signals.next() => {
                    self.reason.get_or_insert(reason);
                    self.update(Msg::Terminate);
                }
                event = keys.next() => match event {
                    Some(Ok(event)) => self.input(event),
                    Some(Err(error)) => return Err(error).wrap_err("the terminal is gone"),
                    None => return Err(eyre!("the terminal is gone")),
                },
                event = next_event(&mut events, self.events_at) => match event {
                    Some(event) => self.events(event, &mut events),
                    None => self.quit = true,
                },
                reloaded = watch::next(&mut self.reload) => self.reloaded(reloaded),
                Some(Ok(msg)) = self.errands.join_next() => self.update(msg),
                text = next_trouble(&mut self.troubles) => self.update(Msg::Failed(text)),
                _ = tick.tick() => self.update(Msg::Tick(SystemTime::now())),
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {}
            }
        }
        // Who leaves by a key wants the file that was just asked for; a signal waits for nothing.
        if self.reason.is_none() {
            let _ = timeout(WRITING, async { while self.errands.join_next().await.is_some() {} }).await;
        }
        Ok(self.reason.unwrap_or(LeaveReason::Key))
    }

    /// A key, a click, a paste, a new size.
    fn input(&mut self, event: crossterm::event::Event) {
        if let Some(msg) = tui::input::message(event) {
            self.update(msg);
        }
    }

    /// Everything that waits is taken in before the next frame.
    fn events(&mut self, first: Event, events: &mut mpsc::Receiver<Event>) {
        let mut next = Some(first);
        while let Some(event) = next {
            let waits = is_figure(&event.kind) && !self.app.awaits(&event.kind);
            let soonest = if waits { self.next_figures() } else { Instant::now() };
            self.update_by(Msg::Event(event), soonest);
            next = events.try_recv().ok();
        }
        self.events_at = Instant::now() + FRAME;
    }

    /// Their files are read behind the first frame: nobody looks at a view before.
    fn read_views(&mut self) {
        let views = Arc::clone(&self.views);
        self.errands.spawn_blocking(move || {
            let (views, rules, problems) = views();
            Msg::Views(views, rules.into_values().collect(), problems.iter().map(ToString::to_string).collect())
        });
    }

    fn reloaded(&mut self, loaded: Result<Config, Vec<Diagnostic>>) {
        let msg = match loaded {
            Ok(config) => {
                self.theme = theme(&config, &self.app.theme);
                self.read_views();
                let before = std::mem::replace(&mut self.config, config);
                Msg::Reloaded(Ok(Box::new(reread(&before, &self.config))))
            }
            Err(problems) => Msg::Reloaded(Err(problems.iter().map(ToString::to_string).collect())),
        };
        self.update(msg);
    }

    /// When figures that come now are to be drawn: the first at once, later ones together.
    fn next_figures(&mut self) -> Instant {
        self.figures_wait = true;
        let pause = FIGURES.min(self.app.refresh);
        self.figures_at.map_or_else(Instant::now, |at| at + pause)
    }

    /// Hands a message to the state, performs what it asks for, and plans a frame at once if it changed.
    fn update(&mut self, msg: Msg) {
        self.update_by(msg, Instant::now());
    }

    /// The same with a frame no sooner than `soonest`.
    fn update_by(&mut self, msg: Msg, soonest: Instant) {
        for effect in update(&mut self.app, msg) {
            self.perform(effect);
        }
        if self.app.take_dirty() {
            let due = soonest.max(self.drawn_at + FRAME);
            self.due = Some(self.due.map_or(due, |planned| planned.min(due)));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send(command) => self.send(command),
            Effect::Copy(text) => match self.screen.copy(&text) {
                Ok(said) => self.update(Msg::Done(said.to_owned())),
                Err(error) => self.update(Msg::Failed(format!("could not copy: {error}"))),
            },
            Effect::Reload => match &self.reload {
                Some(reload) => reload.now(),
                None => self.update(Msg::Failed("there is no configuration file to reload".to_owned())),
            },
            Effect::SaveHistory(line) => self.try_to("save the history", |dashboard| {
                dashboard.history.as_deref().map_or(Ok(()), |path| history::append(path, &line))
            }),
            Effect::SaveColumns(chosen) => self.try_to("save the chosen columns", |dashboard| {
                dashboard.history.as_deref().map_or(Ok(()), |path| columns::write(path, &chosen))
            }),
            Effect::Export(export) => {
                self.errands.spawn_blocking(move || export::write(*export));
            }
            Effect::Redraw => self.try_to("redraw the screen", |dashboard| dashboard.screen.redraw()),
            Effect::Suspend => self.try_to("stop", |dashboard| dashboard.screen.suspend()),
            Effect::Quit => self.quit = true,
        }
    }

    fn send(&mut self, mut command: Command) {
        if let Command::AddNode(node) | Command::EditNode(node) | Command::Test { node, .. } = &mut command {
            Environment::of_process().expand_node(node);
        }
        match self.handle.try_send(command.clone()) {
            Ok(()) => {}
            // The manager has ended and its last event is on the way: no command can change anything now.
            Err(CommandError::ShuttingDown) => self.quit |= self.app.stopped.is_some(),
            Err(_) => self.update(Msg::Busy(Box::new(command))),
        }
    }

    fn try_to(&mut self, what: &str, act: impl FnOnce(&mut Self) -> std::io::Result<()>) {
        if let Err(error) = act(self) {
            self.update(Msg::Failed(format!("could not {what}: {error}")));
        }
    }

    fn draw(&mut self) -> Result<()> {
        if self.theme.name != self.app.theme {
            self.theme = theme(&self.config, &self.app.theme);
        }
        self.update(Msg::Frame);
        let mut drawn = None;
        let (app, theme) = (&self.app, &self.theme);
        let began = Instant::now();
        let bytes =
            self.screen.draw(|frame| drawn = Some(tui::draw(app, theme, frame))).wrap_err("the terminal is gone")?;
        self.drawn_at = Instant::now();
        tracing::trace!(micros = (self.drawn_at - began).as_micros() as u64, bytes, "frame");
        self.due = None;
        if std::mem::take(&mut self.figures_wait) {
            self.figures_at = Some(self.drawn_at);
        }
        if let Some(drawn) = drawn {
            self.update(Msg::Drawn(drawn));
        }
        Ok(())
    }
}

fn reread(before: &Config, config: &Config) -> Reread {
    Reread {
        cluster: config.cluster.clone(),
        nodes: config.nodes.clone(),
        query_timeout: config.query_timeout,
        thresholds: config.thresholds.clone(),
        template: config.template.clone(),
        refresh: (config.refresh != before.refresh).then_some(config.refresh),
        theme: (config.theme != before.theme).then(|| theme_name(config)),
    }
}

fn theme_name(config: &Config) -> String {
    config.theme.clone().unwrap_or_else(|| THEMES[0].to_owned())
}

/// The next event, no sooner than `soonest`. Cancel-safe.
async fn next_event(events: &mut mpsc::Receiver<Event>, soonest: Instant) -> Option<Event> {
    sleep_until(soonest).await;
    events.recv().await
}

/// The next thing that went wrong beside the dashboard; pends for ever where nobody tells. Cancel-safe.
async fn next_trouble(troubles: &mut Option<Troubles>) -> String {
    if let Some(troubles) = troubles {
        while troubles.changed().await.is_ok() {
            if let Some(text) = troubles.borrow_and_update().clone() {
                return text;
            }
        }
    }
    std::future::pending().await
}

/// What may wait for the next common frame: figures, not changes of state.
fn is_figure(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Checked { .. }
            | EventKind::Pool { .. }
            | EventKind::Facts { .. }
            | EventKind::Server { .. }
            | EventKind::View { .. }
    )
}

fn theme(config: &Config, name: &str) -> Theme {
    Theme::new(&ThemeOptions::of_terminal(name, config.colors.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::Cluster;
    use crate::model::HealthState;

    /// C8: wherever the loop panics (a message applied, a frame drawn), no session is left, and it is an error.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_panic_of_the_screen_half_closes_every_session() {
        let cluster = Cluster::builder().start().unwrap();
        let node = cluster.primary().node_config();
        let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(vec![node]));
        let sessions = || {
            let sql = "select count(*) from pg_stat_activity where application_name = 'pgwatch'";
            cluster.primary().psql(sql).unwrap()
        };
        let screen_half = async {
            while let Some(event) = events.recv().await {
                if matches!(event.kind, EventKind::Health { health, .. } if health.state == HealthState::Healthy) {
                    assert_ne!(sessions(), "0");
                    panic!("a panic for a test");
                }
            }
            Ok(())
        };
        let (ended, report) = to_its_end(screen_half, &handle).await;
        assert!(ended.unwrap_err().to_string().contains("the dashboard panicked"));
        assert_eq!(report.stragglers, 0);
        assert!(report.sessions_closed > 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        while sessions() != "0" {
            assert!(Instant::now() < deadline, "sessions are left");
        }
        assert_eq!(handle.try_send(crate::model::Command::Shutdown { drain: false }), Err(CommandError::ShuttingDown));
    }
}
