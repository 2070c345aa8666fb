//! Leaving: the first `q` waits for the user's running queries, the next one cancels them. Without a running query the
//! first one already closes all sessions. While sessions close, one more `q` closes the screen, but not within
//! [`PATIENCE`]: pressing the key too often must not leave sessions open on the servers.

use std::time::Duration;

use crate::model::Command;

use crate::app::{App, Effect, Leaving, Pane};

/// How long sessions may take to close before a key gives up on them.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// `q` on the first screen, or `:quit`: waits for the user's running queries.
    pub(in crate::app) fn leave(&mut self) -> Vec<Effect> {
        if self.leaving.is_some() {
            return self.leave_now();
        }
        let queries = u32::from(self.fleet.runs_statement());
        let drain = queries > 0;
        self.begin_to_leave(Leaving { queries, until: None, drain, since: self.now });
        vec![Effect::Send(Command::Shutdown { drain })]
    }

    /// Ctrl-C, a signal, or a second `q`: cancels what runs.
    pub(in crate::app) fn leave_now(&mut self) -> Vec<Effect> {
        if let Some(leaving) = self.leaving.filter(|leaving| !leaving.drain) {
            let waited = self.now.duration_since(leaving.since).unwrap_or_default();
            return if waited >= PATIENCE { vec![Effect::Quit] } else { Vec::new() };
        }
        let queries = self.leaving.map_or(0, |leaving| leaving.queries);
        self.begin_to_leave(Leaving { queries, until: None, drain: false, since: self.now });
        vec![Effect::Send(Command::Shutdown { drain: false })]
    }

    /// Starts to leave. Closes dialogs and input lines, because they would take the next `q`.
    fn begin_to_leave(&mut self, leaving: Leaving) {
        self.leaving = Some(leaving);
        self.dialog = None;
        self.prompt = None;
        if self.pane == Pane::Editor {
            self.pane = Pane::Result;
        }
    }
}
