//! The events that a listener has not taken yet. Each listener has its own outbox, so a slow one delays neither the
//! actor nor the other.
//!
//! While the listener's channel has room, an event goes straight into it. Otherwise it waits here, in order, and newer
//! news of a topic (a probe's answer, pool figures, facts, rows read so far) replaces older news about the same node,
//! so the number of nodes bounds them. Changes of state and outcomes are kept, up to [`KEPT`] of them; beyond that the
//! oldest is dropped. A gap in `seq` shows that an event was replaced or dropped.
//!
//! Rows are bounded by their bytes too: an answer of more than [`HEAVY`] bytes enters the channel only while that is
//! empty, and when the answers that wait here exceed [`HELD`] bytes, the oldest lose their rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::model::protocol::{NodeOutcome, QueryProgress};
use crate::model::{BatchId, ErrorKind, Event, EventKind, NodeError, NodeName};

/// How many changes of state and outcomes may wait for one listener.
const KEPT: usize = 8192;
/// An answer with more bytes of rows than this gets the channel to itself.
const HEAVY: usize = 64 << 10;
/// Bytes of rows that may wait for one listener: the largest answers of sixteen nodes.
const HELD: usize = 1 << 30;

/// A kind of news about one node or batch of which only the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Topic {
    Checked(NodeName),
    Pool(NodeName),
    Facts(NodeName),
    Server(NodeName),
    View(NodeName, Arc<str>),
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
            EventKind::View { node, view, .. } => Some(Self::View(node.clone(), Arc::clone(view))),
            EventKind::Query { batch, progress: QueryProgress::Reading { node, .. } } => {
                Some(Self::Reading(*batch, node.clone()))
            }
            EventKind::Draining { .. } => Some(Self::Draining),
            _ => None,
        }
    }

    /// True if `kind` makes waiting news of this topic obsolete. Without it, topics of finished batches and removed
    /// nodes would pile up.
    fn is_ended_by(&self, kind: &EventKind) -> bool {
        match (self, kind) {
            (Self::Reading(of, at), EventKind::Query { batch, progress: QueryProgress::NodeDone { node, .. } }) => {
                of == batch && at == node
            }
            (
                Self::Checked(at) | Self::Pool(at) | Self::Facts(at) | Self::Server(at) | Self::View(at, _),
                EventKind::NodeRemoved { node, .. },
            ) => at == node,
            _ => false,
        }
    }
}

/// Bytes of the rows that an event carries.
fn weight(event: &Event) -> usize {
    match &event.kind {
        EventKind::Query { progress: QueryProgress::NodeDone { outcome, .. }, .. } => {
            outcome.result.as_ref().map_or(0, |done| done.rows.bytes())
        }
        EventKind::View { outcome: Ok(answer), .. } => answer.rows.bytes(),
        _ => 0,
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    listener: mpsc::Sender<Event>,
    /// The events by `seq`.
    waiting: BTreeMap<u64, Event>,
    /// The `seq` of the waiting news of each topic.
    topics: HashMap<Topic, u64>,
    /// Bytes of all rows in `waiting`.
    held: usize,
}

impl Outbox {
    pub(super) fn new(listener: mpsc::Sender<Event>) -> Self {
        Self { listener, waiting: BTreeMap::new(), topics: HashMap::new(), held: 0 }
    }

    /// Takes an event for the listener. Never blocks.
    pub(super) fn push(&mut self, event: Event) {
        self.flush();
        let event = if self.waiting.is_empty() {
            let Some(event) = self.offer(event) else { return };
            event
        } else {
            event
        };
        for (_, older) in self.topics.extract_if(|topic, _| topic.is_ended_by(&event.kind)) {
            if let Some(older) = self.waiting.remove(&older) {
                self.held -= weight(&older);
            }
        }
        if let Some(topic) = Topic::of(&event.kind)
            && let Some(older) = self.topics.insert(topic, event.seq)
            && let Some(older) = self.waiting.remove(&older)
        {
            self.held -= weight(&older);
        }
        self.held += weight(&event);
        self.waiting.insert(event.seq, event);
        if self.waiting.len() - self.topics.len() > KEPT {
            self.drop_oldest_change();
        }
        if self.held > HELD {
            self.drop_oldest_rows();
        }
    }

    /// Sends what waits, as far as the channel has room.
    pub(super) fn flush(&mut self) {
        while let Some((seq, event)) = self.waiting.pop_first() {
            let topic = Topic::of(&event.kind);
            let bytes = weight(&event);
            if let Some(event) = self.offer(event) {
                self.waiting.insert(seq, event);
                return;
            }
            self.held -= bytes;
            if let Some(topic) = topic {
                self.topics.remove(&topic);
            }
        }
    }

    /// Sends an event; gives it back if the channel has no room. If the listener is gone, the event is dropped.
    fn offer(&self, event: Event) -> Option<Event> {
        if self.listener.capacity() < self.room_for(&event) && !self.listener.is_closed() {
            return Some(event);
        }
        match self.listener.try_send(event) {
            Err(TrySendError::Full(event)) => Some(event),
            Ok(()) | Err(TrySendError::Closed(_)) => None,
        }
    }

    /// How many free places of the channel an event needs.
    fn room_for(&self, event: &Event) -> usize {
        if weight(event) > HEAVY { self.listener.max_capacity() } else { 1 }
    }

    /// Waits until the channel has room for an event that waits; forever if none waits. Cancel-safe.
    pub(super) async fn room(&self) {
        let Some((_, first)) = self.waiting.first_key_value() else { return std::future::pending().await };
        // If the listener is gone, this returns as well: the flush that follows drops everything.
        drop(self.listener.reserve_many(self.room_for(first)).await);
    }

    /// True if every event was sent.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn drop_oldest_change(&mut self) {
        let oldest = self.waiting.iter().find(|(_, event)| Topic::of(&event.kind).is_none()).map(|(seq, _)| *seq);
        if let Some(event) = oldest.and_then(|seq| self.waiting.remove(&seq)) {
            self.held -= weight(&event);
        }
    }

    /// Replaces the oldest rows by an error that says so, until the rest is within [`HELD`] bytes.
    fn drop_oldest_rows(&mut self) {
        for event in self.waiting.values_mut() {
            let bytes = weight(event);
            if self.held <= HELD {
                return;
            }
            if bytes == 0 {
                continue;
            }
            let gone =
                NodeError::new(ErrorKind::Internal, "the rows arrived faster than they were read and were dropped");
            match &mut event.kind {
                EventKind::Query { progress: QueryProgress::NodeDone { outcome, .. }, .. } => {
                    let result = Err(gone.with_hint("run it again, for fewer nodes or fewer rows"));
                    *outcome = Arc::new(NodeOutcome { elapsed: outcome.elapsed, result });
                }
                EventKind::View { outcome, .. } => *outcome = Err(gone),
                _ => {}
            }
            self.held -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::model::protocol::NodeRows;
    use crate::model::{Column, Health, HealthState, RowSet};

    fn name(text: &str) -> NodeName {
        NodeName::parse(text).unwrap()
    }

    fn checked(seq: u64, node: &str) -> Event {
        let health = Arc::new(Health::new(SystemTime::UNIX_EPOCH));
        event(seq, EventKind::Checked { node: name(node), health })
    }

    fn changed(seq: u64, node: &str) -> Event {
        let health = Arc::new(Health::new(SystemTime::UNIX_EPOCH));
        event(seq, EventKind::Health { node: name(node), from: HealthState::Connecting, health })
    }

    fn event(seq: u64, kind: EventKind) -> Event {
        Event { seq, at: SystemTime::UNIX_EPOCH, kind }
    }

    /// Reads every event, and lets the outbox flush in between.
    fn read(outbox: &mut Outbox, reader: &mut mpsc::Receiver<Event>) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Ok(event) = reader.try_recv() {
            seen.push(event.seq);
            outbox.flush();
        }
        seen
    }

    #[test]
    fn newer_events_replace_older_ones_and_changes_keep_their_order() {
        let (sender, mut reader) = mpsc::channel(2);
        let mut outbox = Outbox::new(sender);
        for seq in 1..=3 {
            outbox.push(checked(seq, "a"));
        }
        outbox.push(changed(4, "a"));
        outbox.push(checked(5, "b"));
        outbox.push(checked(6, "a"));
        outbox.push(changed(7, "a"));
        // 1 and 2 were in the channel already; 6 replaced 3.
        assert_eq!(read(&mut outbox, &mut reader), [1, 2, 4, 5, 6, 7]);
        assert!(outbox.is_empty() && outbox.topics.is_empty());
    }

    #[test]
    fn memory_is_bounded_if_the_listener_never_reads() {
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

    fn rows(seq: u64, bytes: usize) -> Event {
        let mut rows = RowSet::new(vec![Column { name: "c".to_owned(), type_name: "text".to_owned() }]);
        rows.push([Some("x".repeat(bytes).as_str())]);
        let result = Ok(NodeRows { rows, row_count: 1, truncated: None, notices: Vec::new() });
        let outcome = Arc::new(NodeOutcome { elapsed: Duration::ZERO, result });
        event(
            seq,
            EventKind::Query { batch: BatchId(seq), progress: QueryProgress::NodeDone { node: name("a"), outcome } },
        )
    }

    #[test]
    fn rows_are_bounded_by_bytes_if_the_listener_never_reads() {
        const MEGABYTES: usize = 32;
        let (sender, mut reader) = mpsc::channel(1024);
        let mut outbox = Outbox::new(sender);
        let one = rows(0, MEGABYTES << 20);
        for seq in 0..60 {
            let reading = QueryProgress::Reading { node: name("a"), rows: 7 };
            outbox.push(event(2 * seq, EventKind::Query { batch: BatchId(seq), progress: reading }));
            let EventKind::Query { progress, .. } = one.kind.clone() else { unreachable!() };
            outbox.push(event(2 * seq + 1, EventKind::Query { batch: BatchId(seq), progress }));
        }
        assert!(outbox.held <= HELD && outbox.held > HELD / 2, "{}", outbox.held);
        assert!(outbox.topics.is_empty(), "an answer ends what was told of its reading");
        let (mut whole, mut gone, mut last) = (0, 0, 0);
        while let Ok(event) = reader.try_recv() {
            assert!(weight(&event) == 0 || reader.is_empty(), "one large answer at a time");
            if let EventKind::Query { progress: QueryProgress::NodeDone { outcome, .. }, .. } = &event.kind {
                *if outcome.result.is_ok() { &mut whole } else { &mut gone } += 1;
            }
            assert!(event.seq >= last);
            last = event.seq;
            outbox.flush();
        }
        assert_eq!((whole + gone, last), (60, 119), "every node has an answer");
        assert!(whole >= HELD / (MEGABYTES << 20) - 2 && gone > 0, "{whole} whole, {gone} gone");
        assert_eq!(outbox.held, 0);
    }

    #[test]
    fn a_receiver_that_left_costs_nothing() {
        let (sender, reader) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.push(changed(1, "a"));
        outbox.push(changed(2, "a"));
        drop(reader);
        outbox.push(changed(3, "a"));
        assert!(outbox.is_empty());
    }
}
