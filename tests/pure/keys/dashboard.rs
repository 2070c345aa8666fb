//! A dashboard without a terminal and without servers: it presses keys, applies events, and lets tests look at the
//! state.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgwatch::app::{App, Drawn, DrawnPane, Effect, Key, Msg, Pane, Rect, Setup, update};
use pgwatch::model::{
    Command, Event, EventKind, Health, HealthState, NodeConfig, NodeError, NodeName, Role, Thresholds,
};

pub(crate) struct Dashboard {
    pub(crate) app: App,
    seq: u64,
    now: SystemTime,
}

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

impl Dashboard {
    pub(crate) fn new(nodes: &[&str]) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let setup = Setup {
            cluster: Some("production".to_owned()),
            config_path: None,
            nodes: nodes.iter().map(|node| NodeConfig::new(name(node), "10.0.0.1")).collect(),
            refresh: Duration::from_secs(1),
            query_timeout: Duration::from_secs(30),
            theme: "dark".to_owned(),
            themes: vec!["dark".to_owned(), "light".to_owned()],
            thresholds: Thresholds::default(),
            template: NodeConfig::new(name("template"), ""),
            read_write: false,
            ascii: false,
            history: vec!["select 1".to_owned(), "select 2".to_owned()],
            columns: std::collections::BTreeMap::new(),
        };
        Self { app: App::new(setup, now), seq: 0, now }
    }

    /// Three nodes that answer.
    pub(crate) fn healthy() -> Self {
        let mut dashboard = Self::new(&["primary", "replica", "reporting"]);
        for node in ["primary", "replica", "reporting"] {
            dashboard.health(node, HealthState::Healthy, None);
        }
        dashboard
    }

    /// Presses keys in the notation of `Key::sequence`; returns the commands that they cause.
    pub(crate) fn press(&mut self, keys: &str) -> Vec<Command> {
        let effects = self.effects(keys);
        effects
            .into_iter()
            .filter_map(|effect| if let Effect::Send(command) = effect { Some(command) } else { None })
            .collect()
    }

    pub(crate) fn effects(&mut self, keys: &str) -> Vec<Effect> {
        Key::sequence(keys).into_iter().flat_map(|key| update(&mut self.app, Msg::Key(key))).collect()
    }

    pub(crate) fn tell(&mut self, kind: EventKind) -> Vec<Effect> {
        self.seq += 1;
        update(&mut self.app, Msg::Event(Event { seq: self.seq, at: self.now, kind }))
    }

    /// Puts the node into a state, with or without a reason.
    pub(crate) fn health(&mut self, node: &str, state: HealthState, error: Option<NodeError>) {
        let from = self.app.picture().nodes.get(&name(node)).unwrap().health.state;
        let health = Health {
            state,
            since: self.now,
            down_since: (!state.answers()).then_some(self.now),
            last_success: state.answers().then_some(self.now),
            latency: state.answers().then_some(Duration::from_micros(400)),
            failures: if error.is_some() { 3 } else { 0 },
            error,
            ..Health::new(self.now)
        };
        self.tell(EventKind::Health { node: name(node), from, health: Arc::new(health) });
    }

    pub(crate) fn connect(&mut self, node: &str, role: Role) {
        self.tell(EventKind::Connected {
            node: name(node),
            role: Some(role),
            server_version: "17.2".to_owned(),
            connect_time: Duration::from_millis(6),
            attempt: 1,
        });
    }

    /// Lets time pass, with a tick each second.
    pub(crate) fn wait(&mut self, seconds: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            effects.extend(update(&mut self.app, Msg::Tick(self.now)));
        }
        effects
    }

    /// Reports a drawn frame with one pane of this many rows.
    pub(crate) fn draw(&mut self, pane: Pane, height: u16) {
        let rows = Rect { x: 1, y: 3, width: 78, height };
        let area = Rect { x: 0, y: 1, width: 80, height: height + 3 };
        let drawn = DrawnPane {
            pane,
            area,
            rows,
            first: 0,
            len: 100,
            numbers: Vec::new(),
            heads: Vec::new(),
            columns: Vec::new(),
            more_right: true,
        };
        let drawn = Drawn { width: 80, height: 24, panes: vec![drawn], ..Drawn::default() };
        update(&mut self.app, Msg::Drawn(drawn));
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    pub(crate) fn rows(&self) -> Vec<&str> {
        self.app.nodes_table.rows.iter().map(NodeName::as_str).collect()
    }

    /// How many entries of this kind the list of events has.
    pub(crate) fn listed(&self, what: &str) -> usize {
        let journal = &self.app.picture().journal;
        let listed = self.app.events_table.rows.iter().filter_map(|seq| journal.get(*seq));
        listed.filter(|entry| entry.what == what).count()
    }

    pub(crate) fn selected(&self) -> &str {
        self.app.nodes_table.selected().map_or("", NodeName::as_str)
    }

    /// The key line as text.
    pub(crate) fn hints(&self) -> String {
        let hints = pgwatch::app::update::available::hints::hints(&self.app);
        hints.iter().map(|hint| format!("{} {}", hint.keys, hint.word)).collect::<Vec<_>>().join("  ")
    }

    /// The newest line of the journal as text.
    pub(crate) fn newest(&self) -> String {
        self.app.picture().journal.newest().map_or_else(String::new, |line| {
            let node = line.node.as_ref().map_or("-", NodeName::as_str);
            format!("{node}: {}: {}", line.what, line.text)
        })
    }
}
