//! A cluster as the connection manager would report it, second by second. The screens of the tests are drawn from it.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "a test file is a crate of its own")]

pub mod answers;
pub mod fleet;
pub mod recording;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use pgwatch::app::{App, Key, Msg, Setup, update};
use pgwatch::model::facts::{Sender, Setting};
use pgwatch::model::protocol::{NodeOutcome, NodeRows, QueryProgress};
use pgwatch::model::{
    BatchId, Column, Command, ErrorKind, Event, EventKind, Facts, Health, HealthState, NodeConfig, NodeError, NodeName,
    PoolStats, ProbeStats, Role, RowSet, ServerFacts, Thresholds,
};
use pgwatch::tui::{ColorDepth, Theme, ThemeOptions};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// 2026-11-23 14:03:22 UTC, the time of the picture.
pub const NOW: u64 = 1_795_442_602;

pub fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One node of the picture.
#[derive(Clone, Copy)]
struct Part {
    name: &'static str,
    host: &'static str,
    role: Role,
    version: &'static str,
    latency: Duration,
    active: u32,
    connections: (u32, u32),
    tps: u64,
    lag: Option<Duration>,
}

const fn part(name: &'static str, host: &'static str, role: Role, latency: Duration) -> Part {
    Part { name, host, role, version: "17.2", latency, active: 1, connections: (12, 100), tps: 310, lag: None }
}

fn parts() -> Vec<Part> {
    let primary = |name, host, latency| part(name, host, Role::Primary, latency);
    let standby = |name, host, latency, lag| Part { lag: Some(lag), ..part(name, host, Role::Standby, latency) };
    let tenths = |tenths: u64| Duration::from_micros(tenths * 100);
    vec![
        Part { active: 2, connections: (34, 100), tps: 1204, ..primary("primary", "10.0.0.1", tenths(4)) },
        standby("replica-1", "10.0.0.2", tenths(6), ms(12)),
        Part { active: 10, connections: (97, 100), tps: 88, ..standby("replica-2", "10.0.0.3", ms(812), ms(14100)) },
        Part { tps: 240, ..standby("replica-3", "10.0.0.4", tenths(5), ms(9)) },
        standby("reporting", "10.0.0.9", tenths(7), ms(80)),
        Part { connections: (51, 200), tps: 640, version: "16.9", ..primary("eu-primary", "10.1.0.1", ms(38)) },
        Part { connections: (8, 200), tps: 12, version: "16.9", ..standby("eu-replica", "10.1.0.2", ms(39), ms(40)) },
    ]
}

/// The app and the time of its manager's events.
#[derive(Clone)]
pub struct Scene {
    pub app: App,
    pub now: u64,
    seq: u64,
}

impl Scene {
    /// A dashboard that starts at `start` (seconds of the epoch) and has had no event yet.
    pub fn new(nodes: Vec<NodeConfig>, start: u64) -> Self {
        let setup = Setup {
            cluster: (!nodes.is_empty()).then(|| "production".to_owned()),
            config_path: None,
            nodes,
            template: NodeConfig::new(name("node"), "localhost"),
            refresh: Duration::from_secs(1),
            query_timeout: Duration::from_secs(30),
            theme: "dark".to_owned(),
            themes: Vec::new(),
            thresholds: Thresholds::default(),
            read_write: false,
            ascii: false,
            history: Vec::new(),
            columns: std::collections::BTreeMap::new(),
        };
        let app = App::new(setup, at(start));
        Self { app, now: start, seq: 0 }
    }

    /// The same after the views and rules have been read, which takes a debug build a third of a second.
    pub fn with_views(mut self) -> Self {
        let rules = pgwatch::config::alerts::ours().values().cloned().collect();
        let _ = update(&mut self.app, Msg::Views(pgwatch::config::views::ours().clone(), rules, Vec::new()));
        self
    }

    pub fn event(&mut self, kind: EventKind) {
        let _ = self.effects_of(kind);
    }

    /// What an event makes the dashboard do.
    pub fn effects_of(&mut self, kind: EventKind) -> Vec<pgwatch::app::Effect> {
        self.seq += 1;
        update(&mut self.app, Msg::Event(Event { seq: self.seq, at: at(self.now), kind }))
    }

    pub fn tick(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            let _ = update(&mut self.app, Msg::Tick(at(self.now)));
        }
    }

    pub fn press(&mut self, keys: &str) -> Vec<pgwatch::app::Effect> {
        Key::sequence(keys).into_iter().flat_map(|key| update(&mut self.app, Msg::Key(key))).collect()
    }

    /// Draws, and reports the measured sizes to the app, as the loop does.
    pub fn draw(&mut self, width: u16, height: u16, theme: &Theme) -> Buffer {
        let mut buf = Buffer::default();
        for _ in 0..2 {
            let _ = update(&mut self.app, Msg::Frame);
            buf = Buffer::empty(Rect::new(0, 0, width, height));
            let (drawn, _) = pgwatch::tui::draw(&self.app, theme, &mut buf);
            let _ = update(&mut self.app, Msg::Drawn(drawn));
        }
        buf
    }

    /// The state changes `ago` seconds before the scene's time.
    pub fn health(&mut self, node: &str, from: HealthState, health: Health) {
        self.event(EventKind::Health { node: name(node), from, health: Arc::new(health) });
    }

    /// A node as it should be: connected, healthy, with its facts, pool and settings.
    fn comes_up(&mut self, part: &Part) {
        let node = name(part.name);
        self.event(EventKind::Connected {
            node: node.clone(),
            role: Some(part.role),
            server_version: part.version.to_owned(),
            connect_time: ms(6),
            attempt: 1,
        });
        self.health(part.name, HealthState::Connecting, healthy(self.now, ms(1)));
        self.event(EventKind::Server { node, server: Arc::new(server_facts(part)) });
    }

    /// One second of a node that answers: a probe, a refresh, its pool.
    fn answers(&mut self, part: &Part, latency: Duration) {
        let node = name(part.name);
        let slow = latency >= ms(250);
        let state = if slow { HealthState::Degraded } else { HealthState::Healthy };
        let mut health = Health { state, since: at(NOW - 31), ..healthy(self.now, latency) };
        if slow {
            let error = NodeError::new(ErrorKind::Timeout, "probe took 431 ms, slow is 250 ms");
            health.error = Some(error);
        }
        let before = self.app.picture().nodes.get(&node).map(|node| node.health.state);
        let kind = match before {
            Some(before) if before != state => {
                EventKind::Health { node: node.clone(), from: before, health: Arc::new(health) }
            }
            _ => EventKind::Checked { node: node.clone(), health: Arc::new(health) },
        };
        self.event(kind);
        self.event(EventKind::Facts { node: node.clone(), facts: Ok(Arc::new(facts(part, self.now))) });
        self.event(EventKind::Pool { node, pool: pool(part), probes: probes() });
    }

    /// Runs a statement on the nodes of the screen, as `:` and the statement do, and returns to the first screen.
    pub fn run(&mut self, statement: &str) -> BatchId {
        let effects = self.press(&format!(":{statement}<enter>1"));
        let batch = effects.into_iter().find_map(|effect| match effect {
            pgwatch::app::Effect::Send(Command::Run(request)) => Some(request.batch),
            _ => None,
        });
        batch.expect("a statement was sent")
    }

    pub fn answer(&mut self, batch: BatchId, node: &str, elapsed: Duration, result: Result<NodeRows, NodeError>) {
        let outcome = Arc::new(NodeOutcome { elapsed, result });
        self.event(EventKind::Query { batch, progress: QueryProgress::NodeDone { node: name(node), outcome } });
    }

    pub fn done(&mut self, batch: BatchId, elapsed: Duration) {
        self.event(EventKind::Query { batch, progress: QueryProgress::Done { elapsed } });
    }
}

/// The picture of the dashboard: seven nodes, one slow, one down, with their last fifteen minutes.
pub fn production() -> Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(play).clone()
}

fn play() -> Scene {
    let parts = parts();
    let start = NOW - 900;
    let mut scene = Scene::new(parts.iter().map(|part| config(part.name, part.host)).collect(), start).with_views();
    for part in &parts {
        scene.comes_up(part);
    }
    for second in start + 1..=NOW {
        scene.tick(1);
        let left = NOW - second;
        for part in &parts {
            let jitter = Duration::from_micros(second * 7919 % 97 * part.latency.as_micros() as u64 / 300);
            match part.name {
                "reporting" if left < 14 => {}
                "reporting" if left == 14 => goes_down(&mut scene, part.name),
                "replica-2" if left > 31 => scene.answers(part, ms(1) + jitter / 60),
                "replica-2" => scene.answers(part, ms(812 - left * 17)),
                _ => scene.answers(part, part.latency + jitter),
            }
        }
        if left == 10 {
            retried(&mut scene, "reporting");
        }
    }
    scene
}

/// The same with answers: one value that differs, one timeout, one node down.
pub fn production_with_answers() -> Scene {
    let mut scene = production();
    let batch = scene.run("select count(*) from orders");
    let elapsed = |index: u64| ms(3 + index * 8);
    for (index, part) in (0..).zip(parts()) {
        let result = match part.name {
            "replica-2" => Err(NodeError::new(ErrorKind::StatementTimeout, "timed out")),
            "reporting" => Err(NodeError::new(ErrorKind::NotConnected, "down: connection refused by 10.0.0.9:5432")),
            "replica-3" => Ok(one("count", "int8", "1204769")),
            _ => Ok(one("count", "int8", "1204771")),
        };
        let elapsed = if part.name == "replica-2" { ms(5000) } else { elapsed(index) };
        scene.answer(batch, part.name, elapsed, result);
    }
    scene.done(batch, ms(5000));
    scene
}

/// A node whose port refuses: three misses in a row, within a second.
pub fn goes_down(scene: &mut Scene, node: &str) {
    let now = scene.now;
    let lost = NodeError::new(ErrorKind::Terminated, "session ended by the server: administrator command");
    let slow = Health {
        state: HealthState::Degraded,
        error: Some(lost.clone()),
        failures: 1,
        ..healthy(now, Duration::from_micros(700))
    };
    scene.event(EventKind::Disconnected {
        node: name(node),
        reason: pgwatch::model::protocol::DisconnectReason::Error(lost),
    });
    scene.health(node, HealthState::Healthy, slow.clone());
    let refused = NodeError::new(ErrorKind::Refused, "connection refused by 10.0.0.9:5432")
        .with_hint("is the server running, and does it listen on this address and port?");
    let down = Health {
        state: HealthState::Unhealthy,
        since: at(now),
        down_since: Some(at(now)),
        failures: 3,
        error: Some(refused),
        latency: None,
        last_success: Some(at(now - 1)),
        ..slow
    };
    scene.health(node, HealthState::Degraded, down);
}

/// The retries of a node that is down: the fourth is due three seconds after the time of the picture.
fn retried(scene: &mut Scene, node: &str) {
    let health = Health::clone(&scene.app.picture().nodes.get(&name(node)).unwrap().health);
    let next = Health {
        state: HealthState::Reconnecting,
        since: at(scene.now),
        attempt: 3,
        next_retry: Some(at(NOW + 3)),
        ..health
    };
    scene.health(node, HealthState::Unhealthy, next);
}

pub fn config(node: &str, host: &str) -> NodeConfig {
    let mut config = NodeConfig::new(name(node), host);
    "app".clone_into(&mut config.database);
    config
}

pub fn healthy(now: u64, latency: Duration) -> Health {
    Health {
        state: HealthState::Healthy,
        last_check: Some(at(now)),
        last_success: Some(at(now)),
        latency: Some(latency),
        attempt: 0,
        ..Health::new(at(now))
    }
}

fn facts(part: &Part, now: u64) -> Facts {
    // A load that swings by a third within half a minute, and has the picture's figure at the picture's time.
    let swing = |second: u64| part.tps * (72 + 4 * (second % 30).abs_diff(15)) / 100;
    let total: u64 = (NOW - 1000..=now).map(swing).sum();
    let primary = part.role == Role::Primary;
    Facts {
        server_time: at(now),
        clock_ahead: 0,
        role: part.role,
        connections: Some(part.connections.0),
        max_connections: Some(part.connections.1),
        active: Some(4),
        idle: Some(part.connections.0 - 5),
        idle_in_transaction: Some(1),
        waiting_for_lock: Some(0),
        oldest_transaction: Some(ms(2_300)),
        commits: Some(total - total / 1000),
        rollbacks: Some(total / 1000),
        blocks_read: Some(now * 3),
        blocks_hit: Some(now * 997),
        temp_bytes: Some(0),
        deadlocks: Some(0),
        stats_reset: None,
        // What a standby has not replayed is as old as its lag.
        wal_position: Some(now * 2_200_000 - part.lag.map_or(0, |lag| lag.as_millis() as u64 * 2_200)),
        received: part.lag.map(|_| now * 2_200_000),
        commit_age: part.lag.map(|lag| lag.as_secs_f64()),
        replay_paused: (!primary).then_some(false),
        receiver: (!primary).then(|| "streaming".to_owned()),
        receiver_silent: (!primary).then_some(ms(500)),
        senders: Some(if primary { senders(now) } else { Vec::new() }),
        logical_senders: Vec::new(),
        timeline: Some(1),
        config_loaded: None,
        missing: Vec::new(),
        elapsed: Duration::from_millis(1),
    }
}

/// The standbys of the primary, as it sees them.
fn senders(now: u64) -> Vec<Sender> {
    let sender = |(pid, name, lag): (i32, &str, u64)| Sender {
        pid,
        name: Some(name.to_owned()),
        state: Some("streaming".to_owned()),
        replayed: Some(now * 2_200_000 - lag * 2_200),
        lag: Some(ms(lag)),
    };
    [(1, "replica-1", 0), (2, "replica-2", 14_100), (3, "replica-3", 0)].map(sender).into()
}

fn server_facts(part: &Part) -> ServerFacts {
    let setting = |name: &str, value: &str, source: &str| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
        pending_restart: name == "shared_buffers",
    };
    ServerFacts {
        version: part.version.to_owned(),
        version_num: 170_002,
        started_at: Some(at(NOW - 41 * 86_400)),
        // The European ones are a cluster of their own.
        system_identifier: Some(7_441_290_887_651_234_567 + u64::from(part.name.starts_with("eu-"))),
        cluster_name: Some("main".to_owned()),
        port: None,
        restores: Some(false),
        apply_delay: Some(Duration::ZERO),
        receiver_timeout: Some(Duration::from_mins(1)),
        wal_segment: Some(16 << 20),
        rights: vec!["pg_monitor".to_owned(), "pg_read_all_settings".to_owned(), "pg_read_all_stats".to_owned()],
        settings: vec![
            setting("max_connections", "100", "configuration file"),
            setting("shared_buffers", "4GB", "configuration file"),
            setting("work_mem", "4MB", "default"),
            setting("wal_level", "replica", "default"),
            setting("synchronous_commit", "on", "default"),
            setting("hot_standby_feedback", "off", "default"),
            setting("statement_timeout", "0", "default"),
        ],
        configured: None,
        pending_restart: Some(u32::from(part.name == "primary")),
        ..ServerFacts::default()
    }
}

fn pool(part: &Part) -> PoolStats {
    PoolStats {
        max: 10,
        open: part.active.clamp(3, 10),
        active: part.active,
        idle: u32::from(part.active < 10),
        waiting: if part.active == 10 { 3 } else { 0 },
        gets: 1204,
        opened: 3,
        ..PoolStats::default()
    }
}

fn probes() -> ProbeStats {
    ProbeStats { probes: 900, missed: 2, latency: None }
}

pub fn one(column: &str, type_name: &str, value: &str) -> NodeRows {
    rows(&[(column, type_name)], [vec![Some(value)]])
}

pub fn rows<'a>(columns: &[(&str, &str)], lines: impl IntoIterator<Item = Vec<Option<&'a str>>>) -> NodeRows {
    let columns =
        columns.iter().map(|(name, type_name)| Column { name: (*name).to_owned(), type_name: (*type_name).to_owned() });
    let mut rows = RowSet::new(columns.collect());
    for line in lines {
        rows.push(line);
    }
    let row_count = rows.len() as u64;
    NodeRows { rows, row_count, ..NodeRows::default() }
}

pub fn theme(name: &str, depth: ColorDepth) -> Theme {
    Theme::new(&ThemeOptions { name: name.to_owned(), depth, ..ThemeOptions::default() })
}

/// The picture as lines of text.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buf.area.width {
            let symbol = buf[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = unicode_width::UnicodeWidthStr::width(symbol).max(1);
            }
            skip -= 1;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The styles of the first rows, as a letter per cell, and the meaning of the letters.
pub fn styles(buf: &Buffer, rows: u16) -> String {
    use std::fmt::Write as _;

    let mut seen = Vec::new();
    let mut out = String::new();
    for y in 0..rows.min(buf.area.height) {
        for x in 0..buf.area.width {
            let cell = &buf[(x, y)];
            let style = (cell.fg, cell.bg, cell.modifier);
            let at = seen.iter().position(|known| *known == style).unwrap_or_else(|| {
                seen.push(style);
                seen.len() - 1
            });
            out.push(char::from(b'a' + at as u8));
        }
        out.push('\n');
    }
    for (at, (fg, bg, modifier)) in seen.iter().enumerate() {
        writeln!(out, "{} {fg} on {bg} {modifier:?}", char::from(b'a' + at as u8)).unwrap();
    }
    out
}
