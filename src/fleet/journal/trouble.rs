//! The trouble of a node as one entry: what is seen of a server that was killed (the lost connection, the missed probes,
//! the states until it is declared dead, the attempts to reach it) are steps of it, and what is seen of its return are
//! steps of another one.

use std::time::{Duration, SystemTime};

use super::wording::{Part, Wording};
use super::{Entry, Journal, Step};

/// Trouble that gets worse after this time is told anew: nobody looks for it among old entries.
const ONE_STORY: Duration = Duration::from_mins(1);
/// The most steps that an entry keeps.
const STEPS: usize = 100;

/// The entries of a node that further events may belong to.
#[derive(Debug, Clone, Default)]
pub(in crate::fleet) struct Trouble {
    /// The entry of the trouble that the node is in, when it was told, and how bad it is.
    open: Option<(u64, SystemTime, u8)>,
    /// The entry that says that the node answers again.
    returned: Option<u64>,
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
        let (title, mut add) = (if part.is_down() { "down".to_owned() } else { what }, |seq| {
            journal.amend(seq, |entry| {
                if entry.steps.len() < STEPS {
                    entry.steps.push(step.clone());
                }
            });
        });
        match part {
            Part::Alone => {}
            Part::End => *self = Self::default(),
            Part::Attempt => {
                if let Some((seq, ..)) = self.open {
                    add(seq);
                }
                return;
            }
            Part::Trouble(rank) => match self.open {
                Some((seq, told, worst)) => {
                    self.returned = None;
                    let is_worse = rank > worst;
                    if !is_worse || at.duration_since(told).unwrap_or_default() < ONE_STORY {
                        add(seq);
                        if is_worse {
                            journal
                                .amend(seq, |entry| (entry.severity, entry.what, entry.text) = (severity, title, text));
                            self.open = Some((seq, told, rank));
                        }
                        return;
                    }
                }
                None => self.returned = None,
            },
            Part::Return => {
                if let Some(down_for) = down_for.filter(|_| self.open.is_some_and(|(.., rank)| rank > 0)) {
                    text = format!("{text}; down for {}", crate::model::figures::age(down_for));
                }
            }
            Part::Well => {
                let returned = self.returned;
                *self = Self::default();
                if let Some(seq) = returned {
                    add(seq);
                    return;
                }
            }
        }
        let steps = if part == Part::Alone { Vec::new() } else { vec![step] };
        let seq = journal.push(Entry { steps, ..Entry::new(at, node, severity, title, text) });
        match part {
            Part::Trouble(rank) => self.open = Some((seq, at, rank)),
            Part::Return => *self = Self { open: None, returned: Some(seq) },
            _ => {}
        }
    }

    /// True if something is open.
    pub(in crate::fleet) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The node has figures and is well: what follows is another story.
    pub(in crate::fleet) fn end(&mut self) {
        self.open = None;
    }
}
