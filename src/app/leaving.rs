//! Leaving (C8): the first `q` waits for the user's queries, the second cancels them, the third waits for nothing.

use std::time::{Duration, SystemTime};

use crate::model::Command;

use super::{App, Effect, Pane};

/// Leaving has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// Queries still waited for, and until when, once the manager has said so.
    pub queries: u32,
    pub until: Option<SystemTime>,
    /// They are waited for; else they are being cancelled.
    pub drain: bool,
}

impl Leaving {
    /// How long queries are waited for from here.
    pub fn left(&self, now: SystemTime) -> Option<Duration> {
        self.until.map(|until| until.duration_since(now).unwrap_or_default())
    }
}

impl App {
    /// `q` at the top: waits for what the user has running.
    pub(super) fn leave(&mut self) -> Vec<Effect> {
        if self.leaving.is_some() {
            return self.leave_now();
        }
        let queries = u32::from(self.query.is_running());
        let drain = queries > 0;
        self.begin_to_leave(Leaving { queries, until: None, drain });
        vec![Effect::Send(Command::Shutdown { drain })]
    }

    /// Ctrl-C, a signal, or `q` again: cancels what runs. Once more, and not even that is waited for.
    pub(super) fn leave_now(&mut self) -> Vec<Effect> {
        if self.leaving.is_some_and(|leaving| !leaving.drain) {
            return vec![Effect::Quit];
        }
        let queries = self.leaving.map_or(0, |leaving| leaving.queries);
        self.begin_to_leave(Leaving { queries, until: None, drain: false });
        vec![Effect::Send(Command::Shutdown { drain: false })]
    }

    /// Nothing open takes the next `q` from now on.
    fn begin_to_leave(&mut self, leaving: Leaving) {
        self.leaving = Some(leaving);
        self.dialog = None;
        self.prompt = None;
        if self.pane == Pane::Editor {
            self.pane = Pane::Result;
        }
    }
}
