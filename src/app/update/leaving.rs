//! Leaving: the first `q` waits for the user's queries, the second cancels them. One more leaves what does not
//! close, but only after a while: a hasty double press must not leave sessions behind.

use std::time::Duration;

use crate::model::Command;

use crate::app::{App, Effect, Leaving, Pane};

/// How long sessions may take to close before a key gives up on them.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// `q` at the top: waits for what the user has running.
    pub(in crate::app) fn leave(&mut self) -> Vec<Effect> {
        if self.leaving.is_some() {
            return self.leave_now();
        }
        let queries = u32::from(self.fleet.runs_statement());
        let drain = queries > 0;
        self.begin_to_leave(Leaving { queries, until: None, drain, since: self.now });
        vec![Effect::Send(Command::Shutdown { drain })]
    }

    /// Ctrl-C, a signal, or `q` again: cancels what runs.
    pub(in crate::app) fn leave_now(&mut self) -> Vec<Effect> {
        if let Some(leaving) = self.leaving.filter(|leaving| !leaving.drain) {
            let waited = self.now.duration_since(leaving.since).unwrap_or_default();
            return if waited >= PATIENCE { vec![Effect::Quit] } else { Vec::new() };
        }
        let queries = self.leaving.map_or(0, |leaving| leaving.queries);
        self.begin_to_leave(Leaving { queries, until: None, drain: false, since: self.now });
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
