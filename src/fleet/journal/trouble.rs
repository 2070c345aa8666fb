//! The trouble of a node as one entry: what is seen of a server that was killed (the lost connection, the states until
//! it is declared dead, why attempts to reach it fail) are the steps of it. Another entry says that the node is back.

use std::time::{Duration, SystemTime};

use super::{Entry, Journal, Severity, Step};
use crate::model::{NodeName, figures};

/// Trouble that gets worse after this time is told anew: nobody looks for it among old entries.
const ONE_STORY: Duration = Duration::from_mins(1);
/// The most steps that an entry keeps.
const STEPS: usize = 100;

/// An entry without its time.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Wording {
    pub(in crate::fleet) node: Option<NodeName>,
    pub(in crate::fleet) severity: Severity,
    pub(in crate::fleet) what: String,
    pub(in crate::fleet) text: String,
    pub(in crate::fleet) part: Part,
}

/// What an event is a part of: what belongs together is one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fleet) enum Part {
    /// It stands alone.
    Alone,
    /// It is trouble of the node: the higher, the worse.
    Trouble(u8),
    /// A further attempt to end the trouble failed for another reason.
    Attempt,
    /// The node answers again.
    Return,
    /// The node is well again.
    Well,
    /// What was begun ends here.
    End,
}

/// How bad trouble is: figures are missing, the node is shaken, it is down.
pub(super) const BLIND: u8 = 0;
pub(super) const SHAKEN: u8 = 1;
pub(super) const DOWN: u8 = 2;

impl Part {
    /// True if the node is down.
    pub(in crate::fleet) fn is_down(self) -> bool {
        self == Self::Trouble(DOWN)
    }
}

impl Wording {
    pub(super) fn of(self, part: Part) -> Self {
        Self { part, ..self }
    }
}

/// Which entries of a node further events belong to.
#[derive(Debug, Clone, Default)]
pub(in crate::fleet) struct Trouble {
    open: Option<Open>,
    /// True once an entry said that the node is back, and until it is well.
    is_back: bool,
}

/// The entry of the trouble that a node is in.
#[derive(Debug, Clone, Copy)]
struct Open {
    seq: u64,
    told: SystemTime,
    /// How bad it is.
    rank: u8,
}

impl Trouble {
    /// Writes what happened to the node, as an entry or as a step of one. `down_for` is how long it was down.
    pub(in crate::fleet) fn write(
        &mut self,
        journal: &mut Journal,
        at: SystemTime,
        wording: Wording,
        down_for: Option<Duration>,
    ) {
        let Wording { node, severity, what, mut text, part } = wording;
        let step = Step { at, what: what.clone(), text: text.clone() };
        let title = if part.is_down() { "down".to_owned() } else { what };
        let was = self.open;
        match part {
            Part::Alone => {}
            Part::Attempt => {
                if let Some(open) = was {
                    open.add(journal, step);
                }
                return;
            }
            Part::Trouble(rank) => {
                self.is_back = false;
                if let Some(open) = was
                    && (rank <= open.rank || at.duration_since(open.told).unwrap_or_default() < ONE_STORY)
                {
                    open.add(journal, step);
                    if rank > open.rank {
                        let worse =
                            |entry: &mut Entry| (entry.severity, entry.what, entry.text) = (severity, title, text);
                        journal.amend(open.seq, worse);
                        self.open = Some(Open { rank, ..open });
                    }
                    return;
                }
            }
            Part::Return => {
                if let Some(open) = was {
                    open.add(journal, step.clone());
                    if let Some(down_for) = down_for {
                        text = format!("{text}; down for {}", figures::age(down_for));
                    }
                }
                *self = Self { open: None, is_back: true };
            }
            Part::Well if std::mem::take(self).is_back => return,
            Part::Well | Part::End => *self = Self::default(),
        }
        let mut entry = Entry::new(at, node, severity, title, text);
        if matches!(part, Part::Trouble(_)) {
            entry.steps.push(step);
        }
        let seq = journal.push(entry);
        if let Part::Trouble(rank) = part {
            self.open = Some(Open { seq, told: at, rank });
        }
    }

    /// True if the node is in trouble.
    pub(in crate::fleet) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The node has figures and is well: what follows is another story.
    pub(in crate::fleet) fn end(&mut self) {
        self.open = None;
    }
}

impl Open {
    fn add(self, journal: &mut Journal, step: Step) {
        journal.amend(self.seq, |entry| {
            if entry.steps.len() < STEPS {
                entry.steps.push(step);
            }
        });
    }
}
