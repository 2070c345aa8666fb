//! The set of nodes, and its changes while the manager runs: add, edit, remove, pause, resume, reload. The
//! events of a change are sent at once; its sessions are closed in a task that reports back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Actor;
use super::crew::{Crew, dismiss};
use super::node::{NodeRecord, Removal};
use crate::clock;
use crate::connection::handle::Reply;
use crate::connection::health::{self, Observation};
use crate::connection::report::{Dismissed, LifeId, Report, Reporter};
use crate::connection::views::viewer::{Pace, WHOLE_TEXTS};
use crate::model::protocol::{CommandError, DisconnectReason};
use crate::model::{ErrorKind, EventKind, Health, HealthState, NodeConfig, NodeError, NodeName};

/// How long queries may continue on a node that is removed, edited or paused.
const DRAIN: Duration = Duration::from_secs(2);
/// Upper bound for dismissing one node's tasks and closing its sessions.
const DISMISSAL: Duration = Duration::from_secs(6);

impl Actor {
    /// The node of this name, unless it is being removed.
    pub(super) fn node(&mut self, name: &NodeName) -> Result<&mut NodeRecord, CommandError> {
        self.nodes
            .get_mut(name)
            .filter(|node| node.removal.is_none())
            .ok_or_else(|| CommandError::NoSuchNode(name.clone()))
    }

    pub(super) fn add(&mut self, config: NodeConfig, delay: Duration) -> Result<(), CommandError> {
        if self.nodes.contains_key(&config.name) {
            return Err(CommandError::Exists(config.name));
        }
        let name = config.name.clone();
        self.emit(EventKind::NodeAdded { node: Box::new(config.clone()) });
        self.nodes.insert(name.clone(), NodeRecord::new(config, &self.turns, &self.tunnels));
        self.begin(&name, delay);
        Ok(())
    }

    /// Starts a new life of a node: fresh health, new tasks.
    pub(super) fn begin(&mut self, name: &NodeName, delay: Duration) {
        self.lives += 1;
        let life = LifeId(self.lives);
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.life = life;
        node.health = Arc::new(Health::new(clock::now()));
        node.gate = None;
        node.pool.expect();
        let reporter = Reporter { node: name.clone(), life, reports: self.reports.clone() };
        let (texts, wanted) = mpsc::channel(WHOLE_TEXTS);
        let pace = Pace { refresh: self.refresh.subscribe(), looks: self.looks.subscribe(), texts: wanted };
        node.crew = Some(Crew::start(&node.config, &reporter, (pace, texts), delay, &self.turns, &mut self.tasks));
    }

    /// Ends a node's life: events and the record say so at once, while a task dismisses its crew. `close` also closes
    /// the pool.
    pub(super) fn end(&mut self, name: &NodeName, reason: DisconnectReason, drain: Duration, close: bool) {
        self.lives += 1;
        let life = LifeId(self.lives);
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.life = life;
        let from = node.health.state;
        let paused = reason == DisconnectReason::Paused;
        let seen = Observation::Left { paused };
        node.health = Arc::new(health::step(&node.config.health, &node.health, seen, clock::now()));
        let was_connected = std::mem::take(&mut node.connected);
        let pool = close.then(|| node.pool.clone());
        if close {
            // Closing shuts the gate too, and counts the sessions that it closes.
            node.gate = Some(Err(left(&reason)));
        } else {
            node.set_gate(Err(left(&reason)));
        }
        let crew = node.crew.take();
        let health = Arc::clone(&node.health);
        if was_connected {
            self.emit(EventKind::Disconnected { node: name.clone(), reason });
        }
        if from != HealthState::Disconnected {
            self.emit(EventKind::Health { node: name.clone(), from, health });
        }
        let deadline = self.leaving.as_ref().map_or_else(|| Instant::now() + DISMISSAL, |leaving| leaving.deadline);
        let (reports, name) = (self.reports.clone(), name.clone());
        self.dismissing.insert(life, name.clone());
        self.tasks.spawn(async move {
            let dismissed = dismiss(crew, drain, pool, deadline).await;
            drop(reports.send(Report::Dismissed(name, life, dismissed)).await);
        });
    }

    pub(super) fn edit(&mut self, config: NodeConfig) -> Result<(), CommandError> {
        let name = config.name.clone();
        self.node(&name)?;
        self.end(&name, DisconnectReason::Edited, DRAIN, true);
        self.emit(EventKind::NodeEdited { node: Box::new(config.clone()) });
        if let Some(node) = self.nodes.get_mut(&name) {
            *node = NodeRecord::new(config, &self.turns, &self.tunnels);
        }
        self.begin(&name, Duration::ZERO);
        Ok(())
    }

    /// Begins to remove a node. Returns `answer` if there is no such node.
    pub(super) fn remove(&mut self, name: &NodeName, answer: Reply) -> Option<Reply> {
        let Ok(node) = self.node(name) else { return Some(answer) };
        node.removal = Some(Removal { answer, ..Removal::default() });
        self.end(name, DisconnectReason::Removed, DRAIN, true);
        None
    }

    pub(super) fn pause(&mut self, name: &NodeName) -> Result<(), CommandError> {
        if self.node(name)?.crew.is_some() {
            self.end(name, DisconnectReason::Paused, DRAIN, false);
        }
        Ok(())
    }

    pub(super) fn resume(&mut self, name: &NodeName) -> Result<(), CommandError> {
        let node = self.node(name)?;
        if node.crew.is_none() {
            let from = node.health.state;
            self.begin(name, Duration::ZERO);
            let health = Arc::clone(&self.node(name)?.health);
            self.emit(EventKind::Health { node: name.clone(), from, health });
        }
        Ok(())
    }

    /// Applies the nodes of a configuration file that was reloaded.
    pub(super) fn reload(&mut self, nodes: Vec<NodeConfig>) {
        let wanted: HashSet<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        let gone: Vec<NodeName> = self.nodes.keys().filter(|name| !wanted.contains(*name)).cloned().collect();
        for name in gone {
            if let Some(NodeRecord { removal: Some(removal), .. }) = self.nodes.get_mut(&name) {
                removal.successor = None;
            }
            self.remove(&name, None);
        }
        for (place, config) in nodes.into_iter().enumerate() {
            let name = config.name.clone();
            match self.nodes.get_mut(&name) {
                None => drop(self.add(config, Duration::ZERO)),
                Some(NodeRecord { removal: Some(removal), .. }) => removal.successor = Some(Box::new(config)),
                Some(node) if **node.config == config => {}
                Some(_) => drop(self.edit(config)),
            }
            if let Some(at) = self.nodes.get_index_of(&name) {
                self.nodes.move_index(at, place.min(self.nodes.len() - 1));
            }
        }
    }

    pub(super) fn dismissed(&mut self, name: &NodeName, life: LifeId, dismissed: Dismissed) {
        self.dismissing.remove(&life);
        if let Some(leaving) = self.leaving.as_mut() {
            leaving.report.sessions_closed += dismissed.sessions;
            leaving.report.queries_cancelled += dismissed.cancelled;
        }
        let Some(node) = self.nodes.get_mut(name) else { return };
        let Some(removal) = node.removal.as_mut() else { return };
        removal.dismissed.sessions += dismissed.sessions;
        removal.dismissed.cancelled += dismissed.cancelled;
        // An edit or a pause shortly before the removal may still be closing sessions. The node is gone when none is
        // left.
        if self.dismissing.values().any(|other| other == name) {
            return;
        }
        let Some(removal) = node.removal.take() else { return };
        self.nodes.shift_remove(name);
        self.emit(EventKind::NodeRemoved {
            node: name.clone(),
            sessions_closed: removal.dismissed.sessions,
            cancelled: removal.dismissed.cancelled,
        });
        if let Some(answer) = removal.answer {
            drop(answer.send(Ok(())));
        }
        if let Some(config) = removal.successor
            && self.leaving.is_none()
        {
            drop(self.add(*config, Duration::ZERO));
        }
    }
}

/// Why our sessions end; also the error for a checkout from a pool that is closing.
fn left(reason: &DisconnectReason) -> NodeError {
    let text = match reason {
        DisconnectReason::Error(error) => return error.clone(),
        DisconnectReason::Removed => "the node is being removed",
        DisconnectReason::Edited => "the node is being changed",
        DisconnectReason::Paused => "the node is paused",
        DisconnectReason::Shutdown => "pgwatch is shutting down",
    };
    NodeError::new(ErrorKind::NotConnected, text)
}
