//! The composition root of the dashboard: one `select!` over keys, events, signals, the watched file and the tick.
//! It performs effects and draws. `app` decides what anything means, and no network future is awaited here.
//!
//! | arm | period | why |
//! | --- | --- | --- |
//! | tick | 1 s | the clock and the ages on the screen |
//! | events | at once, then at most once a frame | five hundred nodes wake the loop no more often than it can draw |
//! | configuration file | 1 s | a thread of its own looks at it (`run/reload.rs`): a hanging drive stops nothing |
//! | frame | when due | a key, a change of state and a node's first figures are drawn at once; later figures once a refresh, with the tick if possible, so that twenty nodes cost one frame a second |

mod frames;
mod keys;
mod reload;
pub(crate) mod signals;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr as _, eyre};
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use crate::app::{App, Effect, Export, ExportFormat, Msg, Query, Reread, Setup, update};
use crate::clock;
use crate::config::alerts::Rules;
use crate::config::views::Views;
use crate::config::{Config, Diagnostic, Environment};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::model::protocol::{CommandError, LeaveReason, ShutdownReport};
use crate::model::{Change, Command, Event, THEMES};
use crate::output::answers::{Answer, Answers};
use crate::store::{self, columns, history};
use crate::tui::{self, Terminal, TerminalOptions, Theme, ThemeOptions};

use frames::{Frames, is_figure};
use signals::Signals;

pub use reload::Reload;

/// How long to wait at the end for a file that is being written.
const WRITING: Duration = Duration::from_secs(5);
/// How long after `shutdown_timeout` a terminal may take to accept our last bytes.
const GRACE: Duration = Duration::from_secs(1);

const NO_TERMINAL: &str = "the dashboard needs a terminal (`pgwatch status` and `pgwatch query` need none)";

/// Reads all views and rules of alerts, with those of the user, and returns the faults of the user's own. Called on a
/// thread of its own, with whether the statements of other clients are to be shown.
pub type ReadViews = dyn Fn(bool) -> (Views, Rules, Vec<Diagnostic>) + Send + Sync;

/// The newest error outside the dashboard, for example of the event log.
pub type Troubles = tokio::sync::watch::Receiver<Option<String>>;

/// What the dashboard runs with.
pub struct RunOptions {
    pub config: Config,
    pub read_write: bool,
    /// Reads the file again; without it nothing is watched.
    pub reload: Option<Reload>,
    /// Reads the views and rules.
    pub views: Box<ReadViews>,
    /// Statements of earlier runs; `None` keeps none.
    pub history: Option<PathBuf>,
    /// A second listener to all events: the event log.
    pub tap: Option<mpsc::Sender<Event>>,
    /// Where the changes of servers go that the dashboard finds: the event log.
    pub changes: Option<mpsc::Sender<Change>>,
    /// The errors of that listener, to be shown on the screen.
    pub troubles: Option<Troubles>,
}

impl std::fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How the dashboard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub reason: LeaveReason,
    pub report: ShutdownReport,
}

/// Opens the dashboard. Returns when it has ended, the terminal is restored and every session is closed.
///
/// # Errors
/// The terminal could not be used or went away, or something panicked. The sessions are closed all the same; only the
/// report of that is lost.
pub async fn run(options: RunOptions) -> Result<Left> {
    let mut signals = Signals::listen()?;
    let for_watchdog = Signals::listen()?;
    let screen = Terminal::enter(TerminalOptions::default()).wrap_err(NO_TERMINAL)?;
    let limit = options.config.shutdown_timeout + GRACE;
    let (handle, events) = ConnectionManager::start(ManagerConfig {
        nodes: options.config.nodes.clone(),
        refresh: options.config.refresh,
        shutdown_timeout: options.config.shutdown_timeout,
        tap: options.tap.clone(),
    });
    let _watchdog = signals::watchdog(for_watchdog, handle.clone(), limit);
    // When the dashboard ends, everything it owns is dropped, the terminal first. After a panic the hook has already
    // restored the terminal.
    let dashboard = Box::pin(async { Dashboard::new(screen, handle.clone(), options).run(events, &mut signals).await });
    let (ended, report) = to_its_end(dashboard, &handle).await;
    Ok(Left { reason: ended?, report })
}

/// Runs the screen half to its end, then closes every session. A panic of the screen half is an error like any other and
/// must not leave a session open.
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
    reload: Option<reload::Reloader>,
    history: Option<PathBuf>,
    changes: Option<mpsc::Sender<Change>>,
    troubles: Option<Troubles>,
    /// Files being written or read; each task reports how it went.
    errands: JoinSet<Msg>,
    views: Arc<ReadViews>,
    reason: Option<LeaveReason>,
    frames: Frames,
    quit: bool,
}

impl Dashboard {
    fn new(screen: Terminal, handle: Handle, options: RunOptions) -> Self {
        let RunOptions { config, read_write, reload, views, history, changes, troubles, .. } = options;
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
            history: history.as_deref().map(|path| history::read(path, Query::KEPT)).unwrap_or_default(),
            columns: history.as_deref().map(columns::read).unwrap_or_default(),
        };
        let reload = reload.map(|load| reload::Reloader::start(config.clone(), load));
        let views = Arc::from(views);
        Self {
            app: App::new(setup, clock::now()),
            screen,
            handle,
            theme,
            config,
            reload,
            history,
            changes,
            troubles,
            errands: JoinSet::new(),
            views,
            reason: None,
            frames: Frames::new(),
            quit: false,
        }
    }

    async fn run(mut self, mut events: mpsc::Receiver<Event>, signals: &mut Signals) -> Result<LeaveReason> {
        let mut keys = keys::Keys::listen().wrap_err("the terminal is gone")?;
        let mut tick = interval_at(Instant::now(), Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.read_views();
        while !self.quit {
            // A due frame is drawn at once, without the timer, which is up to two milliseconds late.
            if self.frames.is_due() {
                self.draw()?;
            }
            let due = self.frames.due();
            tokio::select! {
                signal = signals.next() => {
                    self.reason.get_or_insert(signals::reason(signal));
                    self.update(Msg::Terminate);
                }
                event = keys.next() => match event {
                    Some(Ok(event)) => self.input(event),
                    Some(Err(error)) => return Err(error).wrap_err("the terminal is gone"),
                    None => return Err(eyre!("the terminal is gone")),
                },
                event = self.frames.next_event(&mut events) => match event {
                    Some(event) => self.events(event, &mut events),
                    None => self.quit = true,
                },
                reloaded = reload::next(&mut self.reload) => self.reloaded(reloaded),
                Some(Ok(msg)) = self.errands.join_next() => self.update(msg),
                text = next_trouble(&mut self.troubles) => self.update(Msg::Failed(text)),
                _ = tick.tick() => self.update(Msg::Tick(clock::now())),
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {}
            }
        }
        // A user who leaves by a key wants the file that was just asked for. A signal does not wait.
        if self.reason.is_none() {
            let _ = timeout(WRITING, async { while self.errands.join_next().await.is_some() {} }).await;
        }
        Ok(self.reason.unwrap_or(LeaveReason::Key))
    }

    /// Handles a key, a click, a paste or a new size of the terminal.
    fn input(&mut self, event: crossterm::event::Event) {
        if let Some(msg) = tui::input::message(event) {
            self.update(msg);
        }
    }

    /// Applies all waiting events before the next frame.
    fn events(&mut self, first: Event, events: &mut mpsc::Receiver<Event>) {
        let mut next = Some(first);
        while let Some(event) = next {
            if self.frames.brings_first_figures(&event.kind) {
                self.frames.plan_first_figures();
            }
            let waits = is_figure(&event.kind) && !self.app.awaits(&event.kind);
            let soonest = if waits { self.frames.next_figures(self.app.fleet.refresh) } else { Instant::now() };
            self.update_by(Msg::Event(event), soonest);
            next = events.try_recv().ok();
        }
        self.frames.events_read();
    }

    /// Reads the views and rules. The first frame does not wait for them, as it shows no view.
    fn read_views(&mut self) {
        let (views, show_statements) = (Arc::clone(&self.views), self.config.show_statements);
        self.errands.spawn_blocking(move || {
            let (views, rules, problems) = views(show_statements);
            Msg::Views(views, rules.into_values().collect(), problems.iter().map(ToString::to_string).collect())
        });
    }

    fn reloaded(&mut self, loaded: Result<Config, Vec<Diagnostic>>) {
        let msg = match loaded {
            Ok(config) => {
                self.theme = theme(&config, &self.app.theme);
                let before = std::mem::replace(&mut self.config, config);
                self.read_views();
                Msg::Reloaded(Ok(Box::new(reread(&before, &self.config))))
            }
            Err(problems) => Msg::Reloaded(Err(problems.iter().map(ToString::to_string).collect())),
        };
        self.update(msg);
    }

    /// Hands a message to the state, performs what it asks for, and plans a frame at once if it changed.
    fn update(&mut self, msg: Msg) {
        self.update_by(msg, Instant::now());
    }

    /// Like `update`, with a frame no sooner than `soonest`.
    fn update_by(&mut self, msg: Msg, soonest: Instant) {
        for effect in update(&mut self.app, msg) {
            self.perform(effect);
        }
        if self.app.take_dirty() {
            self.frames.plan(soonest);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send(command) => self.send(command),
            Effect::Log(change) => {
                // A log that is full or has failed says so itself.
                if let Some(log) = &self.changes {
                    let _ = log.try_send(change);
                }
            }
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
                self.errands.spawn_blocking(move || write(*export));
            }
            Effect::Redraw => self.screen.redraw(),
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
        self.theme.set_back = clock::set_back();
        self.update(Msg::Frame);
        let mut drawn = None;
        let (app, theme) = (&self.app, &self.theme);
        let began = Instant::now();
        let bytes = self.screen.draw(|buf| {
            let (measured, cursor) = tui::draw(app, theme, buf);
            drawn = Some(measured);
            cursor
        });
        let bytes = bytes.wrap_err("the terminal is gone")?;
        let ended = self.frames.drawn();
        tracing::trace!(micros = (ended - began).as_micros() as u64, bytes, "frame");
        if let Some(drawn) = drawn {
            self.update(Msg::Drawn(drawn));
        }
        Ok(())
    }
}

/// Writes answers into the file that the user named. Blocks as long as the disk does.
fn write(export: Export) -> Msg {
    let Export { path, format, statement, elapsed, nodes } = export;
    let nodes = nodes.into_iter().map(|(node, outcome)| Answer { node, outcome }).collect();
    let answers = Answers { statement, elapsed, nodes };
    let written = store::export::write(&Environment::of_process().expand(&path), |out| match format {
        ExportFormat::Csv => answers.write_csv(out),
        ExportFormat::Json => answers.write_json(out),
    });
    written.map_or_else(Msg::Failed, Msg::Done)
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

/// The next error outside the dashboard; never completes if nothing reports any. Cancel-safe.
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

fn theme(config: &Config, name: &str) -> Theme {
    Theme::new(&ThemeOptions::of_terminal(name, config.colors.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::Cluster;
    use crate::model::{EventKind, HealthState};

    /// If the loop panics (in applying a message, in drawing a frame), no session is left, and the panic is an error.
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
