//! What the manager tells, and the time: the only ways in which the picture of the cluster changes (C10).

use std::time::SystemTime;

use crate::model::protocol::CommandError;
use crate::model::{Command, Event, EventKind, NodeConfig, NodeName};

use crate::app::dialogs::form::Test;
use crate::app::journal::{Line, wording};
use crate::app::nodes::{Node, Unsaved};
use crate::app::{App, Dialog, Effect, Leaving, Reread, Screen, Severity};

impl App {
    pub(in crate::app) fn apply(&mut self, event: Event) -> Vec<Effect> {
        let Event { at, kind, .. } = event;
        self.now = self.now.max(at);
        self.live.at = self.live.at.max(at);
        // Worded before it is taken in: what changes is told against what was.
        let wording = wording::of(&kind, &self.live.nodes, self.query.batch.as_ref());
        let effects = self.take_in(at, kind);
        if let Some(wording::Wording { node, severity, what, text }) = wording {
            self.write_line(Line { seq: 0, at, node, severity, what, text });
        }
        self.write_alerts();
        effects
    }

    fn write_line(&mut self, mut line: Line) {
        self.dirty = true;
        line.seq = self.live.journal.push(line.clone());
        self.show_line(&line);
    }

    /// What became of alerts, as lines of the journal.
    pub(in crate::app) fn write_alerts(&mut self) {
        for line in self.alerts.take_news() {
            self.write_line(line);
        }
    }

    fn take_in(&mut self, at: SystemTime, kind: EventKind) -> Vec<Effect> {
        match kind {
            EventKind::Connected { node, role, server_version, connect_time, .. } => self.of(&node, |node| {
                node.role = Some(role);
                node.server_version = Some(server_version);
                node.connect_time = Some(connect_time);
                node.connected_at = Some(at);
            }),
            EventKind::Disconnected { node, .. } => self.of(&node, |node| node.connected_at = None),
            EventKind::Health { node, health, .. } => {
                self.of(&node, |node| node.set_health(at, *health));
                self.figures_changed();
                self.unsettle_sheet();
            }
            EventKind::Checked { node, health } => self.of(&node, |node| node.set_health(at, *health)),
            EventKind::NodeAdded { node } => self.node_added(at, *node),
            EventKind::NodeEdited { node } => self.node_edited(at, *node),
            EventKind::NodeRemoved { node, .. } => self.node_removed(&node),
            EventKind::Pool { node, pool, probes } => self.of(&node, |node| {
                node.pool = Some(pool);
                node.probes = Some(probes);
            }),
            EventKind::Facts { node: name, facts } => {
                if let Ok(facts) = &facts {
                    self.cost.add(at, facts.elapsed);
                }
                self.of(&name, |node| match facts {
                    Ok(facts) => node.set_facts(at, facts),
                    Err(error) => node.facts_error = Some(error),
                });
                self.heed_facts(at, &name);
            }
            EventKind::Server { node, server } => self.of(&node, |node| node.server = Some(server)),
            EventKind::View { node, view, outcome } => {
                if let Ok(answer) = &outcome {
                    self.cost.add(at, answer.elapsed);
                }
                self.view_answered(at, &node, &view, outcome);
            }
            EventKind::Replaced { node, was, .. } => self.of(&node, |node| node.replaced = Some((at, was))),
            EventKind::Query { batch, progress } => self.query.apply(batch, &progress),
            EventKind::Refused { node, error } => self.refused(node.as_ref(), &error),
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
        }
        Vec::new()
    }

    /// Whether this fills what has been empty on the screen since the start: somebody waits for it (N1).
    pub fn awaits(&self, kind: &EventKind) -> bool {
        let of = |node| self.live.nodes.get(node);
        match kind {
            EventKind::Facts { node, .. } => of(node).is_some_and(|of| of.facts.is_none() && of.facts_error.is_none()),
            EventKind::Server { node, .. } => of(node).is_some_and(|of| of.server.is_none()),
            EventKind::View { node, .. } => self.sheet().is_some_and(|sheet| !sheet.has_heard(node)),
            _ => false,
        }
    }

    fn of(&mut self, name: &NodeName, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.live.nodes.get_mut(name) {
            change(node);
        }
    }

    fn node_added(&mut self, at: SystemTime, node: NodeConfig) {
        // The nodes of the start are known; the manager tells of them as well.
        let name = node.name.clone();
        if self.live.nodes.get(&name).is_none_or(|known| known.removing) {
            self.live.nodes.put(node, at);
        }
        self.arrange_nodes();
        if self.expected.take_if(|expected| *expected == name).is_some() {
            self.of(&name, |node| node.unsaved = Some(Unsaved::Added));
            self.select_node(&name);
        }
    }

    fn node_edited(&mut self, at: SystemTime, node: NodeConfig) {
        let name = node.name.clone();
        self.live.nodes.edit(node, at);
        if self.expected.take_if(|expected| *expected == name).is_some() {
            self.of(&name, |node| node.unsaved = node.unsaved.or(Some(Unsaved::Edited)));
        }
    }

    fn node_removed(&mut self, name: &NodeName) {
        self.live.nodes.remove(name);
        self.alerts.forget(name);
        self.forget_removed_nodes();
        self.arrange_nodes();
        if self.screen == Screen::Detail && self.selected().is_none() {
            self.return_to_previous();
        }
    }

    /// Nothing changed; the reason is shown where the command was given.
    fn refused(&mut self, node: Option<&NodeName>, error: &CommandError) {
        if let Some(node) = node.and_then(|name| self.live.nodes.get_mut(name)) {
            node.removing = false;
        }
        let of_query = matches!(error, CommandError::BatchExists(_) | CommandError::TooManyQueries);
        if of_query && let Some(batch) = self.query.batch.as_mut().filter(|batch| batch.is_running()) {
            batch.refused = Some(error.to_string());
        }
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

    /// Time passed: ages, the history, notices. Commands that must not be lost are sent again.
    pub(in crate::app) fn tick(&mut self, now: SystemTime) -> Vec<Effect> {
        let second = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        self.dirty |= second(now) != second(self.now) || self.query.is_running() || self.leaving.is_some();
        self.now = now;
        self.live.at = now;
        self.live.nodes.advance(now, self.refresh);
        self.alerts.advance(now, &self.live.nodes);
        self.write_alerts();
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
            self.dirty = true;
        }
        self.figures_changed();
        self.settle();
        std::mem::take(&mut self.unsent).into_iter().map(Effect::Send).collect()
    }

    /// The manager's channel was full. Leaving and cancelling are tried again; the rest is for the user to repeat.
    pub(in crate::app) fn not_sent(&mut self, command: Command) -> Vec<Effect> {
        match command {
            // Only the newest is of use.
            Command::Look(_) => {
                self.unsent.retain(|command| !matches!(command, Command::Look(_)));
                self.unsent.push(command);
            }
            Command::Shutdown { .. } | Command::CancelBatch(_) | Command::Reload(_) | Command::SetRefresh(_) => {
                self.unsent.push(command);
            }
            Command::Run(request) => {
                let busy = CommandError::Busy.to_string();
                if let Some(batch) = self.query.batch.as_mut().filter(|batch| batch.id == request.batch) {
                    batch.refused = Some(busy);
                }
            }
            Command::Test { id, .. } => drop(self.tested(id, Test::Idle)),
            Command::RemoveNode(name) => self.of(&name, |node| node.removing = false),
            _ => {}
        }
        self.say(Severity::Warning, CommandError::Busy.to_string());
        Vec::new()
    }

    /// The file was read again (F9). A wrong one changes nothing but the errors shown.
    pub(in crate::app) fn reloaded(&mut self, outcome: Result<Box<Reread>, Vec<String>>) -> Vec<Effect> {
        match outcome {
            Ok(reread) => {
                let Reread { cluster, nodes, query_timeout, thresholds, template, refresh, theme } = *reread;
                self.reload_errors.clear();
                self.say(Severity::Info, "the configuration file was reloaded");
                self.cluster = cluster;
                self.query_timeout = query_timeout;
                self.thresholds = thresholds;
                self.template = template;
                // The file is what holds now: what it does not name goes.
                self.live.nodes.saved();
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
