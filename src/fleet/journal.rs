//! What happened, newest last: a bounded list of entries made from the manager's events.

pub(in crate::fleet) mod trouble;
pub(in crate::fleet) mod wording;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use crate::model::NodeName;
use crate::model::change::{Change, What};

pub use crate::model::Severity;

/// How many names or settings a sentence has; the details of its entry have them all.
pub(in crate::fleet) const NAMED: usize = 5;

/// One entry. `what` and `text` may contain text of a server: make it safe before it reaches a terminal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The number of the entry, which counts up; it is the entry's key.
    pub seq: u64,
    /// When it happened.
    pub at: SystemTime,
    /// The node that it is about; `None` if it is about no single node.
    pub node: Option<NodeName>,
    /// How much it matters.
    pub severity: Severity,
    /// What happened, in two or three words: `healthy → unhealthy`, `node added`.
    pub what: String,
    /// The reason, and figures.
    pub text: String,
    /// What happened one after the other, if it was more than one thing.
    pub steps: Vec<Step>,
    /// What changed, if it is a change of the server that the event log has too.
    pub change: Option<Arc<What>>,
}

impl Entry {
    /// An entry for a change.
    pub(in crate::fleet) fn of(change: Change) -> Self {
        let Change { at, node, severity, message, what } = change;
        let title = what.title().to_owned();
        let all = what.parts();
        let step = |text: String| Step { at, what: title.clone(), text };
        let steps = if all.len() > NAMED { all.into_iter().map(step).collect() } else { Vec::new() };
        Self { steps, change: Some(Arc::new(what)), ..Self::new(at, Some(node), severity, title.clone(), message) }
    }

    /// An entry for one thing that happened.
    pub(in crate::fleet) fn new(
        at: SystemTime,
        node: Option<NodeName>,
        severity: Severity,
        what: String,
        text: String,
    ) -> Self {
        Self { seq: 0, at, node, severity, what, text, steps: Vec::new(), change: None }
    }

    /// The change as the event log writes it.
    pub fn change(&self) -> Option<Change> {
        Some(Change {
            at: self.at,
            node: self.node.clone()?,
            severity: self.severity,
            message: self.text.clone(),
            what: self.change.as_deref()?.clone(),
        })
    }
}

/// One thing of several that make an entry: a state of an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it happened.
    pub at: SystemTime,
    /// What happened, in two or three words.
    pub what: String,
    /// The reason, and figures.
    pub text: String,
}

/// The newest entries.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    lines: VecDeque<Entry>,
    /// The number of the newest entry.
    seq: u64,
    /// Counts how often an entry was changed.
    amended: u64,
}

impl Journal {
    /// The number of entries kept: hours of an unstable cluster, in a few megabytes at most.
    pub const CAPACITY: usize = 5_000;

    /// Adds an entry and returns the number that it got.
    pub(in crate::fleet) fn push(&mut self, mut line: Entry) -> u64 {
        self.seq += 1;
        line.seq = self.seq;
        if self.lines.len() == Self::CAPACITY {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.seq
    }

    /// Changes an entry, if it is still kept.
    pub(in crate::fleet) fn amend(&mut self, seq: u64, change: impl FnOnce(&mut Entry)) {
        if let Ok(at) = self.lines.binary_search_by_key(&seq, |line| line.seq)
            && let Some(line) = self.lines.get_mut(at)
        {
            change(line);
            self.amended += 1;
        }
    }

    /// A number that grows with each entry that is changed.
    pub fn amended(&self) -> u64 {
        self.amended
    }

    /// The number of the newest entry; 0 before the first.
    pub fn newest_seq(&self) -> u64 {
        self.seq
    }

    /// The newest entry.
    pub fn newest(&self) -> Option<&Entry> {
        self.lines.back()
    }

    /// The entry of this number, if it is still kept. Entries are ordered by number.
    pub fn get(&self, seq: u64) -> Option<&Entry> {
        let at = self.lines.binary_search_by_key(&seq, |line| line.seq).ok()?;
        self.lines.get(at)
    }

    /// All entries, newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.lines.iter().rev()
    }

    /// The entries of one node, newest first.
    pub fn of<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = &'a Entry> {
        self.iter().filter(move |line| line.node.as_ref() == Some(node))
    }

    /// The number of entries kept.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True if nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
