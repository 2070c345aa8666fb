//! `pgwatch status`: asks all nodes once, at the same time, applies the rules of alerts to them, and exits as monitoring
//! plugins do.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::alerts::Watch;
use super::args::{Source, StatusFormat, exit};
use super::console::{Exit, block_on, complain, list, load, no_nodes, print_with, watched};
use crate::clock;
use crate::config::alerts::Rules;
use crate::config::{Config, Environment};
use crate::connection::{ConnectionManager, Handle, ManagerConfig};
use crate::model::protocol::NodeSnapshot;
use crate::model::{AlertSeverity, Command, Event, HealthState};
use crate::output::status::{Asked, StatusDocument, Summary};
use crate::run::signals::Signals;

/// How long after the longest connect timeout to wait for a node: its own attempt reports a node that hangs.
const GRACE: Duration = Duration::from_millis(500);
/// How long a node that answers may take to open the rest of its pool, and to be probed once more if we were too late
/// to measure the first latency.
const POOL_PATIENCE: Duration = Duration::from_secs(1);
/// How much longer to wait at least for the answers to the rules' views, which a node gives one after the other; as long
/// as for its connection, since what did not come in time is not judged.
const VIEW_PATIENCE: Duration = Duration::from_secs(2);
/// Longer than the whole command takes, so that everything is asked once.
const ONCE: Duration = Duration::from_mins(1);
/// How long after the first answers to ask a second time, where one answer cannot tell, and how long to wait for that.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_PATIENCE: Duration = Duration::from_secs(2);
/// How long closing may take. It is short, as no query of a user runs on the servers.
const CLOSING: Duration = Duration::from_secs(1);
/// How often to look at the pools, whose figures change without an event.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) fn run(source: &Source, format: StatusFormat) -> Result<u8, Exit> {
    let config = load(source)?;
    if config.nodes.is_empty() {
        return Err(no_nodes(&config));
    }
    let (_, rules, problems) = watched(&Environment::of_process(), config.show_statements);
    complain(&list(&problems));
    let seen = match block_on(ask(&config, rules))?? {
        Ok(seen) => seen,
        Err(signalled) => return Ok(signalled),
    };
    let document = StatusDocument::new(SystemTime::now(), config.cluster.as_deref(), &seen);
    print_with(|out| match format {
        StatusFormat::Json => document.write_json(out),
        StatusFormat::Table => document.write_table(out, colours()),
    })?;
    Ok(exit_code(&document))
}

/// What monitoring plugins exit with: 1 is a warning, 2 is critical.
pub(super) fn exit_code(document: &StatusDocument<'_>) -> u8 {
    let of_nodes = match document.summary {
        Summary { down: 1.., .. } => 2,
        Summary { degraded: 1.., .. } => 1,
        Summary { .. } => exit::OK,
    };
    let of_alerts = match document.worst_alert() {
        Some(AlertSeverity::Critical) => 2,
        Some(AlertSeverity::Warning) => 1,
        None => exit::OK,
    };
    // What could not be judged may be anything: 3 is what plugins exit with then.
    let of_silence = if document.not_judged.is_empty() { exit::OK } else { exit::UNKNOWN };
    of_nodes.max(of_alerts).max(of_silence)
}

/// Connects to all nodes. Waits until each has answered or failed, and until those that answer have opened their pools
/// and answered the rules' views. The inner `Err` is the exit code of a signal.
pub(super) async fn ask(config: &Config, rules: Rules) -> io::Result<Result<Asked, u8>> {
    let mut signals = Signals::listen()?;
    let longest = config.nodes.iter().map(|node| node.pool.connect_timeout).max().unwrap_or_default();
    let deadline = Instant::now() + longest + GRACE;
    let (handle, events) = ConnectionManager::start(ManagerConfig {
        shutdown_timeout: CLOSING,
        refresh: ONCE,
        ..ManagerConfig::new(config.nodes.clone())
    });
    let mut asking = Asking { handle: handle.clone(), events, watch: Watch::new(config, rules) };
    let looks = asking.watch.looks();
    if !looks.is_empty() {
        handle.send(Command::Look(looks)).await.map_err(io::Error::other)?;
    }
    let answered = async {
        let nodes = timeout_at(deadline, asking.until(|nodes, _| all_settled(nodes))).await;
        let nodes = match nodes {
            Ok(nodes) => nodes,
            Err(_late) => handle.snapshot().await,
        };
        drop(timeout(longest.max(VIEW_PATIENCE), asking.until(|nodes, watch| watch.has_heard(nodes))).await);
        if asking.watch.doubts() {
            asking.ask_again().await;
        }
        asking.watch.judged(nodes)
    };
    let seen = tokio::select! {
        seen = answered => Ok(seen),
        signal = signals.next() => Err(exit::signalled(signal)),
    };
    handle.shutdown(false).await;
    Ok(seen)
}

fn all_settled(nodes: &[NodeSnapshot]) -> bool {
    nodes.iter().all(|node| is_settled(node, clock::now()))
}

/// A running manager, whose events are read until enough is known.
struct Asking {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    watch: Watch,
}

impl Asking {
    /// Takes a second sample, where one cannot tell.
    async fn ask_again(&mut self) {
        let began = clock::now();
        let second = [Command::SetRefresh(AGAIN), Command::LookNow];
        for command in second {
            if self.handle.send(command).await.is_err() {
                return;
            }
        }
        drop(timeout(AGAIN_PATIENCE, self.until(|nodes, watch| watch.has_heard_since(nodes, began))).await);
        // A busy machine takes longer than that: what one answer cannot tell is not guessed.
        drop(timeout(VIEW_PATIENCE, self.until(|_, watch| !watch.is_doubtful())).await);
    }

    /// Waits until the nodes and their answers are `enough`. Cancel-safe: the answers so far are kept.
    async fn until(&mut self, enough: impl Fn(&[NodeSnapshot], &Watch) -> bool) -> Vec<NodeSnapshot> {
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.watch.apply(&event);
            }
            let nodes = self.handle.snapshot().await;
            if enough(&nodes, &self.watch) {
                return nodes;
            }
            // The snapshot tells more than the event. A manager that has ended sends no more events.
            let closed = self.events.is_closed();
            tokio::select! {
                Some(event) = self.events.recv(), if !closed => self.watch.apply(&event),
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

/// True if waiting would bring no more news of a node: it failed, or it answers, and its latency is known and its pool
/// open, or it had long enough for both.
fn is_settled(node: &NodeSnapshot, now: SystemTime) -> bool {
    match node.health.state {
        HealthState::Connecting => false,
        HealthState::Healthy | HealthState::Degraded => {
            // `open` counts sessions that are still being opened.
            let is_open = node.pool.active + node.pool.idle >= node.config.pool.min.min(node.config.pool.max);
            let is_known = node.role.is_some() && node.health.latency.is_some();
            let waited = now.duration_since(node.health.since).unwrap_or_default();
            (is_open && is_known) || waited >= POOL_PATIENCE
        }
        HealthState::Unhealthy | HealthState::Reconnecting | HealthState::Disconnected => true,
    }
}

fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
