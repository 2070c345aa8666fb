//! What the tasks of the nodes report: it changes the record of a node and becomes events. Also the figures of the
//! pools, which the actor reads itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Actor;
use crate::connection::report::{News, Report};
use crate::model::protocol::DisconnectReason;
use crate::model::{EventKind, NodeName};

/// Pool figures that did not change are sent again after this time: at the last tick before ten seconds have passed.
const POOL_AT_LEAST: Duration = Duration::from_millis(8_500);

impl Actor {
    pub(super) fn report(&mut self, report: Report) {
        match report {
            Report::Node(name, life, news) => {
                if self.nodes.get(&name).is_some_and(|node| node.life == life) {
                    self.news(name, news);
                }
            }
            Report::Reading(batch, progress) => {
                if self.batches.contains(batch) {
                    self.progress(batch, progress);
                }
            }
            Report::QueryDone(batch, node, outcome) => self.query_done(batch, node, outcome),
            Report::Dismissed(name, life, dismissed) => self.dismissed(&name, life, dismissed),
            Report::Tested(id, outcome) => {
                self.testing = self.testing.saturating_sub(1);
                self.emit(EventKind::Tested { id, outcome });
            }
        }
    }

    fn news(&mut self, name: NodeName, news: News) {
        let Some(node) = self.nodes.get_mut(&name) else { return };
        let kind = match news {
            News::Connected { role, server_version, connect_time, attempt } => {
                node.connected = true;
                node.role = role.or(node.role);
                node.server_version = Some(server_version.clone());
                node.connect_time = Some(connect_time);
                EventKind::Connected { node: name, role, server_version, connect_time, attempt }
            }
            News::Disconnected(error) => {
                node.connected = false;
                EventKind::Disconnected { node: name, reason: DisconnectReason::Error(error) }
            }
            News::Health(health, probes) => {
                let from = std::mem::replace(&mut node.health, Arc::clone(&health)).state;
                node.probes = probes;
                match (health.state.answers(), &health.error) {
                    (true, _) => node.set_gate(Ok(())),
                    (false, Some(error)) => node.set_gate(Err(error.clone())),
                    (false, None) => {}
                }
                if from == health.state {
                    EventKind::Checked { node: name, health }
                } else {
                    EventKind::Health { node: name, from, health }
                }
            }
            News::Facts(facts) => {
                if let Ok(facts) = &facts {
                    node.role = Some(facts.role);
                }
                EventKind::Facts { node: name, facts }
            }
            News::View(view, outcome) => EventKind::View { node: name, view, outcome },
            News::Text(id, outcome) => EventKind::Text { node: name, id, outcome },
            News::Server(server) => {
                let replaced = server.replaces(node.system_identifier).zip(server.system_identifier);
                node.system_identifier = server.system_identifier.or(node.system_identifier);
                if let Some((was, now)) = replaced {
                    self.emit(EventKind::Replaced { node: name.clone(), was, now });
                }
                EventKind::Server { node: name, server }
            }
        };
        self.emit(kind);
    }

    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let mut events = Vec::new();
        for (name, node) in &mut self.nodes {
            node.apply_pool_errors();
            let pool = node.pool.stats();
            let news = node.reported.as_ref().is_none_or(|(old, at)| *old != pool || now - *at >= POOL_AT_LEAST);
            if news {
                node.reported = Some((pool, now));
                events.push(EventKind::Pool { node: name.clone(), pool, probes: node.probes });
            }
        }
        for kind in events {
            self.emit(kind);
        }
    }
}
