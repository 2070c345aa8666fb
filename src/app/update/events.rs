//! Reports of the manager, and time: the fleet takes both in, then the screen follows.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::app::dialogs::form::Test;
use crate::app::{App, Dialog, Effect, Leaving, Reread, Screen};
use crate::fleet::{Severity, Unsaved, topology};
use crate::model::protocol::CommandError;
use crate::model::view::Reading;
use crate::model::{Command, ErrorKind, Event, EventKind, NodeError, NodeName};

/// How often time passes for the screen.
const TICK: Duration = Duration::from_secs(1);

impl App {
    pub(in crate::app) fn apply(&mut self, event: Event) -> Vec<Effect> {
        // Of a time that was not watched, the fleet learns before it takes in what came after it.
        let mut effects = Vec::new();
        if event.at.duration_since(self.now).is_ok_and(|ahead| ahead > TICK * 2) {
            effects = self.tick(event.at);
        }
        self.now = self.now.max(event.at);
        self.fleet.apply(&event);
        // First, since the screen may arrange all entries again.
        effects.extend(self.show_new_entries());
        effects.extend(self.follow(event.at, event.kind));
        effects
    }

    /// Shows the entries that the journal has got since the last call. Those of changes go to the event log too.
    fn show_new_entries(&mut self) -> Vec<Effect> {
        let journal = Arc::clone(&self.fleet.now().journal);
        let mut effects = Vec::new();
        let new = journal.iter().take_while(|entry| entry.seq > self.journal_shown).count();
        self.dirty |= new > 0;
        for entry in journal.iter().take(new).rev() {
            self.journal_shown = entry.seq;
            self.show_entry(entry);
            effects.extend(entry.change().map(Effect::Log));
        }
        // An outage that goes on changes its entry.
        if journal.amended() != std::mem::replace(&mut self.journal_amended, journal.amended()) {
            self.dirty = true;
            if self.frozen.is_none() && (self.events_table.problems_only || !self.events_table.filter.passes_all()) {
                self.arrange_events();
            }
        }
        effects
    }

    /// Updates the screen after the fleet has taken in an event.
    fn follow(&mut self, at: SystemTime, kind: EventKind) -> Vec<Effect> {
        match kind {
            EventKind::Health { .. } => {
                self.figures_changed();
                self.unsettle_view();
            }
            EventKind::NodeAdded { node } => {
                self.arrange_nodes();
                if self.expected.take_if(|expected| *expected == node.name).is_some() {
                    self.fleet.set_unsaved(&node.name, Unsaved::Added);
                    self.select_node(&node.name);
                }
            }
            EventKind::NodeEdited { node } => self.node_edited(&node.name),
            EventKind::NodeRemoved { .. } => self.node_removed(),
            EventKind::View { node, view, .. } => self.view_answered(&node, &view),
            EventKind::Query { batch, progress } => self.query.follow(self.fleet.batch(), batch, &progress),
            EventKind::Text { id, outcome, .. } => return self.text_came(id, outcome),
            EventKind::Refused { error, .. } => self.refused(&error),
            EventKind::Tested { id, outcome } => {
                return self.tested(id, outcome.map_or_else(Test::Failed, Test::Passed));
            }
            EventKind::Draining { queries, until } => {
                let leaving = self.leaving.unwrap_or(Leaving { queries, until: None, drain: true, since: at });
                self.leaving = Some(Leaving { queries, until: Some(until), ..leaving });
            }
            EventKind::Stopped(report) => {
                self.stopped = Some(report);
                return vec![Effect::Quit];
            }
            EventKind::Connected { .. }
            | EventKind::Disconnected { .. }
            | EventKind::Checked { .. }
            | EventKind::Pool { .. }
            | EventKind::Facts { .. }
            | EventKind::Server { .. }
            | EventKind::Replaced { .. } => {}
        }
        Vec::new()
    }

    /// True if the event fills a part of the screen that has been empty since the start, or replaces rows that are stale:
    /// the user is waiting for it (N1).
    pub fn awaits(&self, kind: &EventKind) -> bool {
        let of = |node| self.fleet.now().nodes.get(node);
        match kind {
            EventKind::Facts { node, .. } => of(node).is_some_and(|of| of.facts.is_none() && of.facts_error.is_none()),
            EventKind::Server { node, .. } => of(node).is_some_and(|of| of.server.is_none()),
            EventKind::View { node, view, .. } => self.view_table().is_some_and(|table| {
                let last = self.fleet.now().readings.of(view).and_then(|of| of.node(node)?.last());
                let is_stale = |reading: &Reading| reading.age(self.now) > table.view.fresh_for(self.fleet.refresh);
                table.view.name == **view && last.is_none_or(|last| last.is_ok_and(is_stale))
            }),
            _ => false,
        }
    }

    fn node_edited(&mut self, name: &NodeName) {
        if self.expected.take_if(|expected| *expected == *name).is_some() {
            let known = self.fleet.now().nodes.get(name).and_then(|node| node.unsaved);
            self.fleet.set_unsaved(name, known.unwrap_or(Unsaved::Edited));
        }
    }

    fn node_removed(&mut self) {
        self.unsettle_view();
        self.arrange_nodes();
        if self.screen == Screen::Detail && self.selected().is_none() {
            self.return_to_previous();
        }
    }

    /// Takes in that a node answered a view, or failed to.
    fn view_answered(&mut self, node: &NodeName, view: &str) {
        if self.fleet.now().nodes.get(node).is_none() {
            return;
        }
        if let Some(table) = self.views.of(view) {
            table.unsettled = true;
        }
        self.topology.unsettled |= topology::VIEWS.contains(&view);
    }

    /// Shows why the manager refused a command: nothing changed.
    fn refused(&mut self, error: &CommandError) {
        self.say(Severity::Critical, error.to_string());
    }

    fn tested(&mut self, id: u64, outcome: Test) -> Vec<Effect> {
        let Some(Dialog::Form(form)) = &mut self.dialog else { return Vec::new() };
        let Test::Running { then_add, .. } = form.test.clone() else { return Vec::new() };
        if form.test != (Test::Running { id, then_add }) {
            return Vec::new();
        }
        let passed = matches!(outcome, Test::Passed(_));
        form.test = outcome;
        if then_add && passed { self.submit_form() } else { Vec::new() }
    }

    /// Time passed: updates ages, the history and notices. Sends again the commands that must not be lost.
    pub(in crate::app) fn tick(&mut self, now: SystemTime) -> Vec<Effect> {
        let second = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        self.dirty |= second(now) != second(self.now) || self.fleet.runs_statement() || self.leaving.is_some();
        self.now = now;
        self.fleet.advance(now);
        let mut effects = self.show_new_entries();
        if !self.alerts_table.filter.passes_all() {
            // The filter may compare the ages of alerts.
            self.arrange_alerts();
        }
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
            self.dirty = true;
        }
        // The tree shows how far each standby is behind, which its figures tell.
        self.topology.unsettled = true;
        self.figures_changed();
        self.settle();
        effects.extend(std::mem::take(&mut self.unsent).into_iter().map(Effect::Send));
        effects
    }

    /// The manager's channel was full. Leaving and cancelling are sent again; the user can repeat anything else.
    pub(in crate::app) fn not_sent(&mut self, command: Command) -> Vec<Effect> {
        match command {
            // Only the newest look matters.
            Command::Look(_) => {
                self.unsent.retain(|command| !matches!(command, Command::Look(_)));
                self.unsent.push(command);
            }
            Command::Shutdown { .. } | Command::CancelBatch(_) | Command::Reload(_) | Command::SetRefresh(_) => {
                self.unsent.push(command);
            }
            Command::Run(request) => {
                let busy = CommandError::Busy.to_string();
                self.fleet.refuse(request.batch, busy);
            }
            Command::Test { id, .. } => drop(self.tested(id, Test::Idle)),
            Command::Text(request) => {
                let busy = NodeError::new(ErrorKind::Busy, CommandError::Busy.to_string());
                return self.text_came(request.id, Err(busy));
            }
            Command::RemoveNode(name) => self.fleet.set_removing(&name, false),
            _ => {}
        }
        self.say(Severity::Warning, CommandError::Busy.to_string());
        Vec::new()
    }

    /// Takes in a file that was read again. An invalid file changes only the errors shown.
    pub(in crate::app) fn reloaded(&mut self, outcome: Result<Box<Reread>, Vec<String>>) -> Vec<Effect> {
        match outcome {
            Ok(reread) => {
                let Reread { cluster, nodes, query_timeout, thresholds, template, refresh, theme } = *reread;
                self.reload_errors.clear();
                self.say(Severity::Info, "the configuration file was reloaded");
                self.cluster = cluster;
                self.query_timeout = query_timeout;
                self.fleet.thresholds = thresholds;
                self.template = template;
                // All nodes are as the file says now; a node that it does not name is removed.
                self.fleet.saved();
                self.theme = theme.unwrap_or_else(|| std::mem::take(&mut self.theme));
                self.arrange_nodes();
                let mut effects = vec![Effect::Send(Command::Reload(nodes))];
                effects.extend(refresh.into_iter().flat_map(|refresh| self.set_refresh(refresh)));
                effects
            }
            Err(errors) => {
                let first = errors.first().cloned().unwrap_or_default();
                self.say(Severity::Critical, format!("the configuration file is invalid and was ignored: {first}"));
                self.reload_errors = errors;
                Vec::new()
            }
        }
    }
}
