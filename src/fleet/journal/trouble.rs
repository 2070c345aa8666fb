//! The trouble of a node as one entry: what is seen of a server that was killed (the lost connection, the states until
//! it is declared dead, why attempts to reach it fail) are the steps of it. Another entry says that the node is back. A
//! node that flaps fills no journal: what happens to it again within a minute is told in the same two entries.

use std::time::{Duration, SystemTime};

use super::{Entry, Journal, Severity, Step};
use crate::model::{NodeName, figures};

/// Trouble that gets worse, or comes again, after this time is told anew: nobody looks for it among old entries.
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
    /// The trouble that ended last.
    last: Option<Ended>,
}

/// The entries of trouble that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    open: Open,
    /// The entry that says so.
    seq: u64,
    /// How often it came, and was as bad.
    times: u32,
    /// True once the present time is among them.
    is_counted: bool,
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
        if let Part::Trouble(rank) = part {
            self.come_again(at, rank);
        }
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
                    let times = self.times(open, rank);
                    if rank > open.rank || times > 1 {
                        let text = counted(text, times);
                        let worse =
                            |entry: &mut Entry| (entry.severity, entry.what, entry.text) = (severity, title, text);
                        journal.amend(open.seq, worse);
                        self.open = Some(Open { rank, ..open });
                    }
                    return;
                }
            }
            Part::Return | Part::Well if part == Part::Return || !self.is_back => {
                if let Some(open) = was {
                    open.add(journal, step.clone());
                    if let Some(down_for) = down_for {
                        text = format!("{text}; down for {}", figures::age(down_for));
                    }
                }
                (self.open, self.is_back) = (None, part == Part::Return);
                if let Some(last) = self.last.filter(|last| was.is_some_and(|open| open.seq == last.open.seq)) {
                    let text = counted(text, last.times);
                    journal.amend(last.seq, |entry| (entry.severity, entry.what, entry.text) = (severity, title, text));
                    return;
                }
            }
            Part::Return | Part::Well => {
                (self.open, self.is_back) = (None, false);
                return;
            }
            Part::End => *self = Self::default(),
        }
        let mut entry = Entry::new(at, node, severity, title, text);
        if matches!(part, Part::Trouble(_)) {
            entry.steps.push(step);
        }
        let seq = journal.push(entry);
        match (part, was) {
            (Part::Trouble(rank), _) => self.open = Some(Open { seq, told: at, rank }),
            (Part::Return | Part::Well, Some(open)) => {
                self.last = Some(Ended { open, seq, times: 1, is_counted: true });
            }
            _ => {}
        }
    }

    /// Goes on with the trouble that ended last, if this is the same once more.
    fn come_again(&mut self, at: SystemTime, rank: u8) {
        if self.open.is_none()
            && let Some(last) = self.last.as_mut()
            && rank <= last.open.rank
            && at.duration_since(last.open.told).unwrap_or_default() < ONE_STORY
        {
            last.is_counted = false;
            self.open = Some(last.open);
        }
    }

    /// How often the open trouble has been this bad, if this is news; else 0.
    fn times(&mut self, open: Open, rank: u8) -> u32 {
        match self.last.as_mut().filter(|last| last.open.seq == open.seq) {
            Some(last) if rank > open.rank => {
                *last = Ended { open: Open { rank, ..open }, times: 1, is_counted: true, ..*last };
                1
            }
            Some(last) if rank == open.rank && !last.is_counted => {
                last.is_counted = true;
                last.times += 1;
                last.times
            }
            _ => 0,
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

fn counted(text: String, times: u32) -> String {
    match (times, text.is_empty()) {
        (0 | 1, _) => text,
        (_, true) => format!("{times} times within a minute"),
        (_, false) => format!("{text}; {times} times within a minute"),
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
