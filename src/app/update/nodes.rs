//! What actions on nodes do: they apply to the marked nodes, or to the selected one if none is marked. Statements go
//! to the marked nodes, or to all.

use std::time::Duration;

use crate::config::units;
use crate::model::protocol::QueryRequest;
use crate::model::{BatchId, Command, NodeName};

use crate::app::panes::answers::{AnswerLine, Cell};
use crate::app::views::whole::Then;
use crate::app::{App, Confirm, Dialog, Effect, Form, Pane, Screen};
use crate::fleet::Severity;
use crate::fleet::alerts::Held;
use crate::fleet::batch::Batch;
use crate::sql::acts::acts;
use crate::sql::secrets::{is_masked, masked};

/// The refresh intervals that `+` and `-` step through.
pub(in crate::app) const REFRESH_STEPS: [Duration; 8] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

impl App {
    /// The marked nodes in the order of the rows, or the selected one if none is marked. On the detail screen: the
    /// one shown.
    pub fn targets(&self) -> Vec<NodeName> {
        let marks = &self.nodes_table.marks;
        if marks.is_empty() || self.screen == Screen::Detail {
            return self.nodes_table.selected().cloned().into_iter().collect();
        }
        self.picture().nodes.names().filter(|name| marks.contains(*name)).cloned().collect()
    }

    /// The nodes that a statement runs on: the marked ones, or all.
    pub fn statement_targets(&self) -> Vec<NodeName> {
        let marks = &self.nodes_table.marks;
        self.fleet.now().nodes.names().filter(|name| marks.is_empty() || marks.contains(*name)).cloned().collect()
    }

    pub(in crate::app) fn mark(&mut self) {
        let page = self.drawn.page(Pane::Nodes);
        self.changing_node(|app| app.nodes_table.toggle_mark(page));
    }

    pub(in crate::app) fn open_add_form(&mut self) {
        let taken = self.fleet.now().nodes.names().cloned().collect();
        self.dialog = Some(Dialog::Form(Box::new(Form::add(&self.template, taken))));
    }

    pub(in crate::app) fn open_edit_form(&mut self) {
        if let Some(node) = self.selected() {
            self.dialog = Some(Dialog::Form(Box::new(Form::edit(&node.config))));
        }
    }

    pub(in crate::app) fn ask_removal(&mut self) {
        self.dialog = Some(Dialog::Confirm(Confirm::removal(self.targets())));
    }

    pub(in crate::app) fn remove(&mut self, nodes: Vec<NodeName>) -> Vec<Effect> {
        for name in &nodes {
            self.fleet.set_removing(name, true);
        }
        nodes.into_iter().map(|name| Effect::Send(Command::RemoveNode(name))).collect()
    }

    pub(in crate::app) fn retry(&mut self) -> Vec<Effect> {
        let targets = self.targets();
        self.say(Severity::Info, format!("retrying {}", listed(&targets)));
        targets.into_iter().map(|name| Effect::Send(Command::Retry(name))).collect()
    }

    /// True if `P` would resume: all nodes that it applies to are paused.
    pub(in crate::app) fn all_paused(&self) -> bool {
        let targets = self.targets();
        let paused = |name: &NodeName| self.fleet.now().nodes.get(name).is_some_and(|node| node.health.paused);
        !targets.is_empty() && targets.iter().all(paused)
    }

    pub(in crate::app) fn pause_or_resume(&mut self) -> Vec<Effect> {
        let targets = self.targets();
        if self.all_paused() { self.resume(targets) } else { self.pause(targets) }
    }

    pub(in crate::app) fn pause(&mut self, nodes: Vec<NodeName>) -> Vec<Effect> {
        self.say(Severity::Info, format!("pausing {}: our sessions there are closed", listed(&nodes)));
        nodes.into_iter().map(|name| Effect::Send(Command::Pause(name))).collect()
    }

    pub(in crate::app) fn resume(&mut self, nodes: Vec<NodeName>) -> Vec<Effect> {
        self.say(Severity::Info, format!("resuming {}", listed(&nodes)));
        nodes.into_iter().map(|name| Effect::Send(Command::Resume(name))).collect()
    }

    pub(in crate::app) fn step_refresh(&mut self, slower: bool) -> Vec<Effect> {
        let next = if slower {
            REFRESH_STEPS.iter().find(|step| **step > self.fleet.refresh)
        } else {
            REFRESH_STEPS.iter().rev().find(|step| **step < self.fleet.refresh)
        };
        next.map_or_else(Vec::new, |step| self.set_refresh(*step))
    }

    pub(in crate::app) fn set_refresh(&mut self, refresh: Duration) -> Vec<Effect> {
        self.fleet.refresh = refresh;
        self.say(Severity::Info, format!("refresh every {}", units::format_duration(refresh)));
        vec![Effect::Send(Command::SetRefresh(refresh))]
    }

    pub(in crate::app) fn toggle_frozen(&mut self) {
        if self.frozen.take().is_some() {
            self.fleet.release();
        } else {
            self.frozen = Some(self.fleet.keep());
        }
        self.unsettle_view();
        self.arrange_nodes();
        self.arrange_events();
        self.arrange_view();
    }

    pub(in crate::app) fn edit_statement(&mut self) {
        self.show(Screen::Query);
        self.pane = Pane::Editor;
    }

    pub(in crate::app) fn rerun(&mut self) -> Vec<Effect> {
        let Some(batch) = self.fleet.batch() else { return Vec::new() };
        let (statement, nodes) = (batch.statement.clone(), batch.nodes.iter().map(|node| node.node.clone()).collect());
        self.run_on(&statement, nodes)
    }

    pub(in crate::app) fn run_editor(&mut self) -> Vec<Effect> {
        if self.query.editor.is_empty() {
            return Vec::new();
        }
        self.run(&self.query.editor.text())
    }

    /// Runs a statement on the marked nodes, or on all. Only one runs at a time: the next one can start when it has
    /// ended or was cancelled.
    pub(in crate::app) fn run(&mut self, statement: &str) -> Vec<Effect> {
        self.run_on(statement, self.statement_targets())
    }

    /// The same on these nodes. Asks first if the statement does something that no rollback undoes.
    pub(in crate::app) fn run_on(&mut self, statement: &str, nodes: Vec<NodeName>) -> Vec<Effect> {
        let acts = acts(statement);
        if acts.is_empty() || nodes.is_empty() {
            return self.send_statement(statement, nodes);
        }
        self.dialog = Some(Dialog::Confirm(Confirm::run(statement, nodes, acts)));
        Vec::new()
    }

    /// Sends a statement and shows the answers as they come.
    pub(in crate::app) fn send_statement(&mut self, statement: &str, mut nodes: Vec<NodeName>) -> Vec<Effect> {
        let statement = statement.trim();
        nodes.retain(|name| self.fleet.now().nodes.get(name).is_some());
        if nodes.is_empty() {
            self.say(Severity::Warning, "no node to run it on: a adds one");
            return Vec::new();
        }
        if self.screen != Screen::Query {
            self.show(Screen::Query);
        }
        let running = self.fleet.batch().is_some_and(|batch| batch.is_running() && !batch.cancelled);
        if running {
            self.say(Severity::Warning, "a statement is running: Esc cancels it");
            return Vec::new();
        }
        self.pane = Pane::Result;
        let id = BatchId(self.next_id());
        self.fleet.begin(Batch::new(id, statement.to_owned(), self.now, nodes.iter().cloned()));
        self.query.begin(self.fleet.batch());
        if self.query.editor.text().trim() != statement {
            self.query.editor.set(statement);
        }
        let request = QueryRequest {
            batch: id,
            statement: statement.to_owned(),
            nodes,
            timeout: self.query_timeout,
            max_rows: QueryRequest::MAX_ROWS,
            max_bytes: QueryRequest::MAX_BYTES,
        };
        let mut effects = vec![Effect::Send(Command::Run(request))];
        effects.extend(self.remember(statement));
        effects
    }

    /// Adds a line to the history, and to the history file unless it may contain a secret.
    pub(in crate::app) fn remember(&mut self, line: &str) -> Option<Effect> {
        let new = self.query.remember(line);
        let secret = line.to_ascii_lowercase().contains("password") || is_masked(&masked(line));
        (new && !secret).then(|| Effect::SaveHistory(line.to_owned()))
    }

    /// What `y` copies: the row of the focused pane, or the statement.
    pub(in crate::app) fn copied(&self) -> Option<String> {
        match self.pane {
            Pane::Nodes | Pane::Summary => self.selected().map(|node| {
                let config = &node.config;
                if config.is_unix_socket() {
                    format!("host={} port={} user={} dbname={}", config.host, config.port, config.user, config.database)
                } else {
                    format!("postgresql://{}@{}/{}", config.user, config.address(), config.database)
                }
            }),
            Pane::Result => self.query.results.selected().map(|line| self.copied_line(line)),
            Pane::Events => self.picture().journal.get(*self.events_table.selected()?).map(|line| {
                let node = line.node.as_ref().map_or("", |node| node.as_str());
                format!("{node}\t{}\t{}", line.what, line.text)
            }),
            Pane::Settings => {
                let settings = &self.selected()?.server.as_ref()?.settings;
                let lines: Vec<String> =
                    settings.iter().map(|setting| format!("{} = {}", setting.name, setting.value)).collect();
                Some(lines.join("\n"))
            }
            Pane::Topology => Some(self.topology.branches.get(self.topology.cursor.at)?.name.clone()),
            Pane::View => self.copied_row(),
            Pane::Alerts => match (self.selected_alert(), self.selected_unjudged()) {
                (Some(Held { alert, .. }), _) => {
                    Some(format!("{}\t{}\t{}", alert.node, alert.rule.title, alert.finding.message))
                }
                (_, Some(one)) => Some(format!("{}\t{}\tnot judged: {}", one.names(), one.rule.title, one.reason)),
                _ => None,
            },
            Pane::Editor => Some(self.query.editor.text()),
        }
    }

    fn copied_line(&self, line: AnswerLine<'_>) -> String {
        match line {
            AnswerLine::Row { row, .. } => {
                let cells = (0..self.query.results.columns().len()).map(|column| match row.cell(column) {
                    Cell::Text(text) => text,
                    Cell::Null | Cell::Absent => "",
                });
                cells.collect::<Vec<_>>().join("\t")
            }
            AnswerLine::Note { answer, .. } => match answer.error() {
                Some(error) => error.message.clone(),
                None => self.fleet.batch().map(|batch| batch.statement.clone()).unwrap_or_default(),
            },
        }
    }

    pub(in crate::app) fn copy(&mut self) -> Vec<Effect> {
        if self.pane == Pane::View
            && let Some((node, row, column)) = self.copied_cut()
        {
            return match self.whole_or_ask((&node, row, column), Then::Copy) {
                Ok(whole) => self.copy_whole(&whole),
                Err(effects) => effects,
            };
        }
        let Some(text) = self.copied() else { return Vec::new() };
        self.say(Severity::Info, "sent to the terminal");
        vec![Effect::Copy(text)]
    }
}

fn listed(nodes: &[NodeName]) -> String {
    match nodes {
        [one] => one.to_string(),
        several => format!("{} nodes", several.len()),
    }
}
