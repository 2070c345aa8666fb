//! Streams that break again and again. The first breaks are told as they happen. Then the stream is said to be unsteady,
//! once, and nothing more is told until it has held for a while or stays away.

use std::time::{Duration, SystemTime};

use crate::model::change::{Severity, Side, Turn, What};
use crate::model::{Facts, Role, figures};

/// A stream that has held for so long is steady.
const STEADY: Duration = Duration::from_mins(1);
/// A stream that is away for so long is not about to return.
const AWAY: Duration = Duration::from_secs(12);
/// How many breaks make a stream unsteady.
const MANY: u32 = 3;

/// A change without its node and time.
type Found = (Severity, String, What);

/// What is remembered of the streams of a server.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    /// The processes that send WAL, and to whom.
    processes: Vec<(i32, String)>,
    breaks: Vec<Breaks>,
}

/// A stream that broke lately.
#[derive(Debug, Clone)]
struct Breaks {
    side: Side,
    name: Option<String>,
    count: u32,
    /// When it broke first, and last.
    first: SystemTime,
    last: SystemTime,
    is_away: bool,
}

impl Breaks {
    fn is_unsteady(&self) -> bool {
        self.count >= MANY
    }

    fn what(&self, turn: Turn) -> What {
        What::Replication { side: self.side, name: self.name.clone(), turn }
    }

    fn who(&self) -> &str {
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        if self.side == Side::Sender { name.unwrap_or("a receiver") } else { "it" }
    }

    fn unsteady(&self) -> Found {
        let within = figures::age(self.last.duration_since(self.first).unwrap_or_default());
        let (who, count) = (self.who(), self.count);
        let message = format!("{who} loses the WAL stream again and again: {count} breaks within {within}");
        (Severity::Warning, message, self.what(Turn::Failing))
    }

    /// What became of an unsteady stream, once that is settled.
    fn outcome(&self, at: SystemTime) -> Option<Found> {
        let since = at.duration_since(self.last).unwrap_or_default();
        let (who, count) = (self.who(), self.count);
        let from = if self.side == Side::Sender { " from here" } else { "" };
        if self.is_away {
            let turn = if self.side == Side::Sender { Turn::Gone } else { Turn::Lost };
            let message = format!("{who} does not receive WAL{from} any more, after {count} breaks");
            (since >= AWAY).then(|| (Severity::Warning, message, self.what(turn)))
        } else {
            let message = format!("{who} receives WAL{from} steadily again, after {count} breaks");
            (since >= STEADY).then(|| (Severity::Good, message, self.what(Turn::Back)))
        }
    }
}

impl Streams {
    /// Adds the breaks that happened between two refreshes, unless the server was `restarted`. Leaves out those of unsteady
    /// streams, and says which are.
    pub(super) fn weigh(&mut self, at: SystemTime, facts: &Facts, restarted: bool, found: &mut Vec<Found>) {
        let seen = std::mem::take(found);
        found.extend(seen.into_iter().filter_map(|one| {
            let is_break = matches!(one.2, What::Replication { turn: Turn::Lost | Turn::Gone, .. });
            self.told(at, one, is_break)
        }));
        for name in self.reconnected(facts, restarted) {
            let message = format!("{name} receives WAL from here again, after a break");
            let what = What::Replication { side: Side::Sender, name: Some(name), turn: Turn::Back };
            found.extend(self.told(at, (Severity::Info, message, what), true));
        }
        self.breaks.retain(|breaks| {
            if breaks.side == Side::Receiver && facts.role == Role::Primary {
                return false;
            }
            if !breaks.is_unsteady() {
                return at.duration_since(breaks.last).unwrap_or_default() < STEADY;
            }
            let outcome = breaks.outcome(at);
            let is_open = outcome.is_none();
            found.extend(outcome);
            is_open
        });
    }

    /// What is told of a change; `None` if its stream is known to be unsteady.
    fn told(&mut self, at: SystemTime, one: Found, is_break: bool) -> Option<Found> {
        let What::Replication { side: side @ (Side::Sender | Side::Receiver), name, turn } = &one.2 else {
            return Some(one);
        };
        // A standby has one receiver, whatever node it receives from.
        let is_this = |breaks: &Breaks| breaks.side == *side && (*side == Side::Receiver || breaks.name == *name);
        let is_away = matches!(turn, Turn::Lost | Turn::Gone);
        let Some(breaks) = self.breaks.iter_mut().find(|breaks| is_this(breaks)) else {
            if is_break {
                let name = name.clone();
                self.breaks.push(Breaks { side: *side, name, count: 1, first: at, last: at, is_away });
            }
            return Some(one);
        };
        let was_unsteady = breaks.is_unsteady();
        breaks.is_away = is_away;
        if is_break {
            (breaks.count, breaks.last) = (breaks.count.saturating_add(1), at);
        }
        match (was_unsteady, breaks.is_unsteady()) {
            (true, _) => None,
            (false, true) => Some(breaks.unsteady()),
            (false, false) => Some(one),
        }
    }

    /// The receivers whose senders are other processes than before: their streams broke, and were back before anybody
    /// looked. Those that connect after the server's restart are not told.
    fn reconnected(&mut self, facts: &Facts, restarted: bool) -> Vec<String> {
        if facts.senders.is_none() {
            return Vec::new();
        }
        // One whose name is hidden is not told from others.
        let sends = facts.sending().filter(|sender| sender.name.is_some());
        if sends.clone().map(|sender| sender.pid).eq(self.processes.iter().map(|(pid, _)| *pid)) {
            return Vec::new();
        }
        let now = sends.filter_map(|sender| Some((sender.pid, sender.name.clone()?))).collect();
        let before = std::mem::replace(&mut self.processes, now);
        if restarted {
            return Vec::new();
        }
        // Which of several processes of one name went on is not known.
        let only = |list: &[(i32, String)], name: &str| {
            let mut of = list.iter().filter(|(_, of)| of == name);
            of.next().map(|(pid, _)| *pid).filter(|_| of.next().is_none())
        };
        let is_new = |name: &String| {
            let pids = only(&before, name).zip(only(&self.processes, name));
            pids.is_some_and(|(was, is)| was != is)
        };
        before.iter().map(|(_, name)| name.clone()).filter(is_new).collect()
    }
}
