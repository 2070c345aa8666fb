//! The tunnels of a connection manager: started when a node needs one, shared by the nodes whose commands are equal,
//! started again when they end, and ended when nobody has used them for a while or the manager ends.
//!
//! A tunnel is open when its local end has let somebody in: nobody knocks at it, because many tunnels would pass each
//! knock on to the server. What a command writes to its standard error is the reason when it ends.

mod local;
mod process;
pub(super) mod stream;
mod uses;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::schedule::backoff;
use crate::model::tunnel::{LocalEnd, with_local_end};
use crate::model::{ErrorKind, Host, NodeConfig, NodeError, TunnelConfig};
use local::{Local, Refused, Socket};
use process::{Process, Said};
use stream::TunnelStream;
use uses::{InUse, Uses};

/// A tunnel that nobody uses is ended after this time: longer than a lost node waits for its next attempt.
const UNUSED: Duration = Duration::from_mins(1);
/// How many tunnels may be starting at the same time. An `sshd` refuses some of more than ten that log in at once.
const STARTING: usize = 8;
/// How long a tunnel counts as starting, unless it is open earlier.
const TURN: Duration = Duration::from_secs(2);
/// A tunnel that was open is started again at once, but not more often than this.
const AGAIN: Duration = Duration::from_secs(1);
/// How long after the start to look whether a local end listens, and then after twice that time, up to the longest. Many
/// nodes may wait for a tunnel; as soon as one of them is let in, all look.
const LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_millis(200);
/// How long the process of an open tunnel may take to answer the greeting of SOCKS, which stays on this machine.
const GREETING: Duration = Duration::from_secs(2);
/// The share of `connect_timeout` that a tunnel may take to open: less than all of it, so that the error can say whether
/// the tunnel or the server was late.
const SHARE: f64 = 0.9;
/// How long the reason for a connection that a tunnel closed may take to arrive.
const REASON: Duration = Duration::from_millis(50);

const HINT: &str = "pgwatch starts it again by itself; to see more, run its command in a shell (`pgwatch check` prints that of ssh: \
                    and kubernetes:)";

/// The tunnels of one manager. Clones share them; when the last one is dropped, and the last connection, they end.
#[derive(Clone, Default)]
pub(crate) struct Tunnels(Arc<Owner>);

/// Ends the tunnels when it is dropped.
#[derive(Default)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.quit.cancel();
    }
}

struct Shared {
    /// By the command for the server.
    tunnels: Mutex<HashMap<String, Arc<Tunnel>>>,
    starting: Semaphore,
    tasks: TaskTracker,
    quit: CancellationToken,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            tunnels: Mutex::default(),
            starting: Semaphore::new(STARTING),
            tasks: TaskTracker::new(),
            quit: CancellationToken::new(),
        }
    }
}

impl Shared {
    fn tunnels(&self) -> MutexGuard<'_, HashMap<String, Arc<Tunnel>>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tunnel that somebody uses, or used a short time ago.
struct Tunnel {
    name: String,
    command: String,
    kind: LocalEnd,
    state: watch::Sender<State>,
    /// True if the local end has let somebody in since the command was started.
    open: watch::Sender<bool>,
    said: watch::Sender<Said>,
    /// When and why the command ended last.
    ended: Mutex<Option<(Instant, String)>>,
    uses: Uses,
    /// Whose turn it is to try once more alone, so that what the tunnel says belongs to it.
    alone: tokio::sync::Mutex<()>,
    retry_now: Notify,
}

#[derive(Debug, Clone)]
enum State {
    /// It will run within a second, or as soon as others have started.
    Starting,
    Runs(Arc<Local>),
    /// It ended for this reason, and waits before it is started again.
    Down(String),
}

impl State {
    fn is_down(&self) -> bool {
        matches!(self, Self::Down(_))
    }
}

impl fmt::Debug for Tunnels {
    /// Without the commands, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnels").finish_non_exhaustive()
    }
}

impl Tunnels {
    /// Opens a connection to the server of a node with one host, through its tunnel, which is started if it does not
    /// run. The tunnel may take 90 percent of `connect_timeout`; how long the server takes is the caller's to bound.
    ///
    /// Cancel-safe: dropping the future closes the connection; the tunnel runs on for a while.
    ///
    /// # Errors
    /// [`ErrorKind::Tunnel`] if the tunnel is down; another kind if it is open, but does not reach the server.
    pub(crate) async fn connect(&self, node: &NodeConfig) -> Result<TunnelStream, NodeError> {
        let Some(config) = &node.tunnel else {
            return Err(NodeError::new(ErrorKind::Internal, format!("{} has no tunnel", node.name)));
        };
        let (tunnel, in_use) = self.enter(&node.first_host(), config)?;
        match tunnel.lead(node, config).await {
            Ok(socket) => Ok(TunnelStream::new(socket, in_use)),
            Err(Failure::Known(error)) => Err(error),
            Err(Failure::Ambiguous) => {
                let _alone = tunnel.alone.lock().await;
                match tunnel.lead(node, config).await {
                    Ok(socket) => Ok(TunnelStream::new(socket, in_use)),
                    Err(Failure::Known(error)) => Err(error),
                    Err(Failure::Ambiguous) => Err(unreached(node, config, "")),
                }
            }
        }
    }

    /// The tunnel to a host, which is started if it does not run.
    fn enter(&self, host: &Host, config: &TunnelConfig) -> Result<(Arc<Tunnel>, InUse), NodeError> {
        let command =
            config.for_server(host).map_err(|error| NodeError::new(ErrorKind::Config, format!("tunnel: {error}")))?;
        let shared = &self.0.0;
        let mut tunnels = shared.tunnels();
        let tunnel = tunnels.entry(command).or_insert_with_key(|command| {
            let tunnel = Arc::new(Tunnel {
                name: config.name().to_owned(),
                command: command.clone(),
                kind: config.local_end(),
                state: watch::Sender::new(State::Starting),
                open: watch::Sender::new(false),
                said: watch::Sender::new(Said::default()),
                ended: Mutex::new(None),
                uses: Uses::new(),
                alone: tokio::sync::Mutex::default(),
                retry_now: Notify::new(),
            });
            shared.tasks.spawn(supervise(Arc::clone(shared), Arc::clone(&tunnel)));
            tunnel
        });
        let in_use = tunnel.uses.enter(Arc::clone(&self.0) as _);
        Ok((Arc::clone(tunnel), in_use))
    }

    /// The error of an attempt that began then, with what its tunnel says: that it is down, or why it closed the connection.
    pub(crate) async fn explain(&self, node: &NodeConfig, began: Instant, error: NodeError) -> NodeError {
        let Some(config) = node.tunnel.as_ref().filter(|_| error.kind == ErrorKind::ConnectionLost) else {
            return error;
        };
        let Some(tunnel) = self.find(node).pop() else { return error };
        sleep(REASON).await;
        if let Some(why) = tunnel.ended_since(began) {
            return down(config, &why);
        }
        match tunnel.said.borrow().reasons(began).as_slice() {
            [why] => NodeError { message: format!("{}; the tunnel said: {why}", error.message), ..error },
            _ => error,
        }
    }

    /// Starts the node's tunnel now if it waits to be started again.
    pub(crate) fn retry_now(&self, node: &NodeConfig) {
        for tunnel in self.find(node) {
            tunnel.retry_now.notify_waiters();
        }
    }

    /// Waits until a tunnel of the node is started again. Never returns if it has none that is down. Cancel-safe.
    pub(crate) async fn restarted(&self, node: &NodeConfig) {
        let tunnels = self.find(node);
        let waits = tunnels.iter().filter(|tunnel| tunnel.state.borrow().is_down()).map(|tunnel| {
            Box::pin(async {
                let mut state = tunnel.state.subscribe();
                // The sender lives as long as `tunnels`.
                drop(state.wait_for(|state| !state.is_down()).await);
            })
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            std::future::pending::<()>().await;
        }
        drop(futures_util::future::select_all(waits).await);
    }

    /// The tunnels to the hosts of a node, as far as they are there.
    fn find(&self, node: &NodeConfig) -> Vec<Arc<Tunnel>> {
        let Some(config) = &node.tunnel else { return Vec::new() };
        let commands: Vec<String> = node.hosts().filter_map(|host| config.for_server(&host).ok()).collect();
        let tunnels = self.0.0.tunnels();
        commands.iter().filter_map(|command| tunnels.get(command).cloned()).collect()
    }

    /// Ends all tunnels, and waits a little more than a second for that at most. No other one may be started afterwards.
    pub(crate) async fn close(&self) {
        let shared = &self.0.0;
        shared.quit.cancel();
        shared.tasks.close();
        drop(timeout(process::ENDING + REASON, shared.tasks.wait()).await);
    }
}

impl Tunnel {
    /// Opens a connection to the node's server.
    async fn lead(&self, node: &NodeConfig, config: &TunnelConfig) -> Result<Socket, Failure> {
        let within = node.pool.connect_timeout.mul_f64(SHARE);
        let began = Instant::now();
        let mut reached = false;
        let opened = timeout(within, self.opened(&mut reached)).await;
        let (local, mut socket) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(why)) => return Err(Failure::Known(down(config, &why))),
            Err(_) => {
                let late = if reached { "it does not answer" } else { "it has not opened its local end" };
                let ms = within.as_millis();
                let last = self.said.borrow().last(began).map(|line| format!("; it last said: {line}"));
                let why = format!("{late} within {ms} ms{}", last.unwrap_or_default());
                return Err(Failure::Known(down(config, &why)));
            }
        };
        let asked = Instant::now();
        match local.lead(&mut socket, &node.first_host()).await {
            Ok(()) => return Ok(socket),
            Err(Refused::Not(why)) => return Err(Failure::Known(down(config, why))),
            Err(Refused::Unreached(why)) if !why.is_empty() => {
                return Err(Failure::Known(unreached(node, config, why)));
            }
            Err(Refused::NotOpen | Refused::Unreached(_)) => sleep(REASON).await,
        }
        if let Some(why) = self.ended_since(began) {
            return Err(Failure::Known(down(config, &why)));
        }
        match self.said.borrow().reasons(asked).as_slice() {
            [] => Err(Failure::Known(unreached(node, config, ""))),
            [why] => Err(Failure::Known(unreached(node, config, why))),
            _ => Err(Failure::Ambiguous),
        }
    }

    /// Waits until the local end lets us in. `reached` is set when something listens there.
    async fn opened(&self, reached: &mut bool) -> Result<(Arc<Local>, Socket), String> {
        let (mut state, mut open) = (self.state.subscribe(), self.open.subscribe());
        let mut look = LOOK;
        loop {
            let now = state.borrow_and_update().clone();
            let local = match now {
                State::Starting => None,
                State::Runs(local) => Some(local),
                State::Down(why) => return Err(why),
            };
            if let Some(local) = &local {
                match self.enter(local, reached).await {
                    Ok(socket) => return Ok((Arc::clone(local), socket)),
                    Err(Refused::NotOpen) => {}
                    Err(Refused::Unreached(why) | Refused::Not(why)) => return Err(why.to_owned()),
                }
            }
            tokio::select! {
                // The senders live as long as `self`.
                _ = state.changed() => look = LOOK,
                _ = open.changed() => {}
                () = sleep(look), if local.is_some() => look = (look * 2).min(LONGEST_LOOK),
            }
        }
    }

    async fn enter(&self, local: &Local, reached: &mut bool) -> Result<Socket, Refused> {
        let mut socket = local.connect().await?;
        *reached = true;
        let greeted = timeout(GREETING, local.greet(&mut socket)).await;
        greeted.unwrap_or(Err(Refused::Not("its process does not answer")))?;
        self.open.send_if_modified(|open| !std::mem::replace(open, true));
        Ok(socket)
    }

    /// Why the command ended, if it did then or later.
    fn ended_since(&self, then: Instant) -> Option<String> {
        self.ended().clone().filter(|(at, _)| *at >= then).map(|(_, why)| why)
    }

    fn ended(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no connection to a server.
enum Failure {
    Known(NodeError),
    /// The tunnel gave several reasons at once, of which one is this server's.
    Ambiguous,
}

/// Why a run of a command is over.
enum Over {
    Ended(String),
    /// Nobody has used it for a while, or the manager ends.
    NotNeeded,
}

/// Keeps a tunnel running until nobody needs it.
async fn supervise(shared: Arc<Shared>, tunnel: Arc<Tunnel>) {
    let mut failed = 0;
    loop {
        let Some(Ok(turn)) = shared.quit.run_until_cancelled(shared.starting.acquire()).await else { return };
        let started = Instant::now();
        let Over::Ended(why) = run(&shared, &tunnel, turn).await else { return };
        tracing::debug!(tunnel = ?tunnel.name, ?why, "tunnel ended");
        *tunnel.ended() = Some((Instant::now(), why.clone()));
        let was_open = tunnel.open.send_replace(false);
        let wait = if was_open {
            failed = 0;
            AGAIN.saturating_sub(started.elapsed())
        } else {
            failed += 1;
            backoff::delay(failed - 1, fastrand::f64())
        };
        tunnel.state.send_replace(if was_open { State::Starting } else { State::Down(why) });
        tokio::select! {
            () = sleep(wait) => {}
            () = tunnel.retry_now.notified() => {}
            () = left(&shared, &tunnel) => return,
        }
        tunnel.state.send_replace(State::Starting);
    }
}

/// Runs the command once.
async fn run(shared: &Shared, tunnel: &Tunnel, turn: SemaphorePermit<'_>) -> Over {
    let local = match Local::choose(tunnel.kind) {
        Ok(local) => Arc::new(local),
        Err(error) => return Over::Ended(format!("there is no place for its local end: {error}")),
    };
    let command = with_local_end(&tunnel.command, &local.text());
    let mut process = match Process::start(&command, local.folder(), tunnel.said.clone()) {
        Ok(process) => process,
        Err(error) => return Over::Ended(format!("sh cannot be started: {error}")),
    };
    let turn_ends = Instant::now() + TURN;
    tracing::debug!(tunnel = ?tunnel.name, "tunnel started");
    tunnel.state.send_replace(State::Runs(local));
    let mut open = tunnel.open.subscribe();
    let mut turn = Some(turn);
    loop {
        let is_open = async { drop(open.wait_for(|open| *open).await) };
        tokio::select! {
            why = process.ended() => return Over::Ended(why),
            () = is_open, if turn.is_some() => turn = None,
            () = sleep_until(turn_ends), if turn.is_some() => turn = None,
            () = left(shared, tunnel) => {
                process.end().await;
                return Over::NotNeeded;
            }
        }
    }
}

/// Waits until nobody needs the tunnel any more: it is forgotten then. Cancel-safe.
async fn left(shared: &Shared, tunnel: &Tunnel) {
    loop {
        let unused = shared.quit.run_until_cancelled(tunnel.uses.none_for(UNUSED)).await;
        let mut tunnels = shared.tunnels();
        // Whoever enters does so under this lock.
        if unused.is_none() || tunnel.uses.is_unused() {
            tunnels.remove(&tunnel.command);
            return;
        }
    }
}

fn down(config: &TunnelConfig, why: &str) -> NodeError {
    NodeError::new(ErrorKind::Tunnel, format!("tunnel {} is down: {why}", config.name())).with_hint(HINT)
}

/// The tunnel is open, but does not reach the server, perhaps for a reason.
fn unreached(node: &NodeConfig, config: &TunnelConfig, why: &str) -> NodeError {
    let kind = if why.to_lowercase().contains("refused") {
        ErrorKind::Refused
    } else if ["not known", "resolve"].iter().any(|sign| why.contains(sign)) {
        ErrorKind::HostNotFound
    } else {
        ErrorKind::Unreachable
    };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    NodeError::new(kind, format!("{} cannot reach {}{why}", config.name(), node.address()))
        .with_hint("the tunnel is open: check the server, and the network between it and the far end of the tunnel")
}
