//! What happened, newest last: a bounded list of entries made from the manager's events.

pub(in crate::fleet) mod wording;

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::model::NodeName;

/// How much an entry matters; it decides the entry's sign and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something appeared: a node was added.
    Added,
    /// Something was removed on request: a node.
    Removed,
    /// Something happened that is neither good nor bad.
    Info,
    /// Something recovered.
    Good,
    /// Something needs attention.
    Warning,
    /// Something is broken.
    Critical,
}

impl Severity {
    /// The severity as a lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Info => "info",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// True for warnings and critical entries.
    pub fn is_problem(self) -> bool {
        self >= Self::Warning
    }
}

/// One entry. `what` and `text` may contain text of a server: make it safe before it reaches a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// The newest entries.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    lines: VecDeque<Entry>,
    /// The number of the newest entry.
    seq: u64,
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
