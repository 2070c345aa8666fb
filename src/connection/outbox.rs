//! What a listener has not taken yet. One outbox a listener, so a slow reader slows neither the actor nor the other.
//!
//! An event goes straight into the listener's channel while there is room. When there is none it waits here, in order,
//! and newer news of a kind (a probe's answer, pool figures, facts, rows read so far) replace older ones of that node:
//! so those are bounded by the number of nodes. Changes of state and outcomes are kept, up to [`KEPT`] of them; past
//! that the oldest is dropped. A gap in `seq` says that something was replaced or dropped.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::model::protocol::QueryProgress;
use crate::model::{BatchId, Event, EventKind, NodeName};

/// Changes of state and outcomes that wait for one listener.
const KEPT: usize = 8192;

/// News of which only the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Topic {
    Checked(NodeName),
    Pool(NodeName),
    Facts(NodeName),
    Server(NodeName),
    Reading(BatchId, NodeName),
    Draining,
}

impl Topic {
    fn of(kind: &EventKind) -> Option<Self> {
        match kind {
            EventKind::Checked { node, .. } => Some(Self::Checked(node.clone())),
            EventKind::Pool { node, .. } => Some(Self::Pool(node.clone())),
            EventKind::Facts { node, .. } => Some(Self::Facts(node.clone())),
            EventKind::Server { node, .. } => Some(Self::Server(node.clone())),
            EventKind::Query { batch, progress: QueryProgress::Reading { node, .. } } => {
                Some(Self::Reading(*batch, node.clone()))
            }
            EventKind::Draining { .. } => Some(Self::Draining),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    listener: mpsc::Sender<Event>,
    /// By `seq`.
    waiting: BTreeMap<u64, Event>,
    /// Where the waiting news of a topic stands.
    topics: HashMap<Topic, u64>,
}

impl Outbox {
    pub(super) fn new(listener: mpsc::Sender<Event>) -> Self {
        Self { listener, waiting: BTreeMap::new(), topics: HashMap::new() }
    }

    /// Takes an event for the listener. Never blocks.
    pub(super) fn push(&mut self, event: Event) {
        self.flush();
        let event = if self.waiting.is_empty() {
            match self.listener.try_send(event) {
                Ok(()) | Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(event)) => event,
            }
        } else {
            event
        };
        if let Some(topic) = Topic::of(&event.kind)
            && let Some(older) = self.topics.insert(topic, event.seq)
        {
            self.waiting.remove(&older);
        }
        self.waiting.insert(event.seq, event);
        if self.waiting.len() - self.topics.len() > KEPT {
            self.drop_oldest_change();
        }
    }

    /// Hands over what the listener has room for.
    pub(super) fn flush(&mut self) {
        while let Some((seq, event)) = self.waiting.pop_first() {
            let topic = Topic::of(&event.kind);
            match self.listener.try_send(event) {
                Ok(()) => {
                    if let Some(topic) = topic {
                        self.topics.remove(&topic);
                    }
                }
                Err(TrySendError::Full(event)) => {
                    self.waiting.insert(seq, event);
                    return;
                }
                Err(TrySendError::Closed(_)) => {
                    self.waiting.clear();
                    self.topics.clear();
                }
            }
        }
    }

    /// Waits until the listener has room for something that waits; for ever when nothing does. Cancel-safe.
    pub(super) async fn room(&self) {
        if self.waiting.is_empty() {
            std::future::pending::<()>().await;
        }
        // A listener that is gone is "room" too: the flush that follows throws everything away.
        drop(self.listener.reserve().await);
    }

    /// Whether everything was handed over.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn drop_oldest_change(&mut self) {
        let oldest = self.waiting.iter().find(|(_, event)| Topic::of(&event.kind).is_none()).map(|(seq, _)| *seq);
        if let Some(seq) = oldest {
            self.waiting.remove(&seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::{Health, HealthState};

    fn name(text: &str) -> NodeName {
        NodeName::parse(text).unwrap()
    }

    fn checked(seq: u64, node: &str) -> Event {
        let health = Box::new(Health::new(SystemTime::UNIX_EPOCH));
        event(seq, EventKind::Checked { node: name(node), health })
    }

    fn changed(seq: u64, node: &str) -> Event {
        let health = Box::new(Health::new(SystemTime::UNIX_EPOCH));
        event(seq, EventKind::Health { node: name(node), from: HealthState::Connecting, health })
    }

    fn event(seq: u64, kind: EventKind) -> Event {
        Event { seq, at: SystemTime::UNIX_EPOCH, kind }
    }

    /// Reads all, letting the outbox flush in between.
    fn read(outbox: &mut Outbox, reader: &mut mpsc::Receiver<Event>) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Ok(event) = reader.try_recv() {
            seen.push(event.seq);
            outbox.flush();
        }
        seen
    }

    #[test]
    fn newer_news_replace_older_and_changes_stay_in_order() {
        let (sender, mut reader) = mpsc::channel(2);
        let mut outbox = Outbox::new(sender);
        for seq in 1..=3 {
            outbox.push(checked(seq, "a"));
        }
        outbox.push(changed(4, "a"));
        outbox.push(checked(5, "b"));
        outbox.push(checked(6, "a"));
        outbox.push(changed(7, "a"));
        // 1 and 2 were in the channel already; 3 gave way to 6.
        assert_eq!(read(&mut outbox, &mut reader), [1, 2, 4, 5, 6, 7]);
        assert!(outbox.is_empty() && outbox.topics.is_empty());
    }

    #[test]
    fn memory_is_bounded_when_nobody_reads() {
        let (sender, mut reader) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        for seq in 0..3 * KEPT as u64 {
            outbox.push(if seq % 2 == 0 { checked(seq, "a") } else { changed(seq, "a") });
        }
        assert_eq!(outbox.waiting.len(), KEPT + 1);
        let seen = read(&mut outbox, &mut reader);
        assert!(seen.is_sorted());
        assert_eq!(seen.last(), Some(&(3 * KEPT as u64 - 1)), "the newest is never the one dropped");
    }

    #[test]
    fn a_listener_that_left_costs_nothing() {
        let (sender, reader) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.push(changed(1, "a"));
        outbox.push(changed(2, "a"));
        drop(reader);
        outbox.push(changed(3, "a"));
        assert!(outbox.is_empty());
    }
}
