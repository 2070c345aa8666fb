//! The screens of a real cluster: a primary and two standbys, a query on all of them, one standby killed and one
//! frozen, recorded once and drawn at every size and in every theme. Figures that differ from run to run are masked in
//! the manager's events (`live::record`), so the pictures are always the same.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pgwatch::demo::Server;
use pgwatch::model::{Event, EventKind, HealthState, NodeConfig};
use pgwatch::tui::{ColorDepth, Theme};

use crate::live::Live;
use crate::live::record::{self, Act};
use crate::scene::{self, Scene, theme};
use crate::support::servers::cluster;
use crate::support::wait::PATIENCE;
use crate::support::watched::{blocking, name};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const QUERY: &str = ":select 41 + 1 as answer, null as nothing, 'text' as note<enter>1";
/// A test of the connection through the form; the replay has a constant port.
const FORM: &str = "a<tab>spare<tab>127.0.0.1<tab>";

/// Long enough that a machine at its limits is not taken for a slow server.
const LATE: Duration = Duration::from_secs(2);

fn themes() -> [(&'static str, Theme); 7] {
    let of = |name, depth| theme(name, depth);
    [
        ("dark", of("dark", ColorDepth::True)),
        ("light", of("light", ColorDepth::True)),
        ("mono", of("mono", ColorDepth::True)),
        ("colorblind", of("colorblind", ColorDepth::True)),
        ("dark_16", of("dark", ColorDepth::Sixteen)),
        ("no_color", of("dark", ColorDepth::None)),
        ("ascii", Theme { ascii: true, ..of("dark", ColorDepth::True) }),
    ]
}

/// The events of the whole scene.
struct Recorded {
    nodes: Vec<NodeConfig>,
    acts: Vec<Act>,
}

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        // On a worker thread, where blocking is allowed.
        #[allow(clippy::disallowed_methods, reason = "it is awaited at once")]
        runtime.block_on(async { tokio::spawn(record()).await.unwrap() })
    })
}

async fn record() -> Recorded {
    let cluster = blocking(|| cluster().standbys(2).start().unwrap());
    let (killed, frozen) = (cluster.server("standby1"), cluster.server("standby2"));
    let mut nodes: Vec<NodeConfig> = cluster.servers().iter().map(Server::node_config).collect();
    for node in &mut nodes {
        (node.health.timeout, node.health.slow_after, node.pool.connect_timeout) = (LATE, LATE, LATE);
    }
    let mut stage = Recording { live: Live::start(nodes.clone()), acts: Vec::new(), heard: 0 };

    stage.live.until("all healthy", |frame| frame.contains("● 3")).await;
    for node in &nodes {
        stage.figures_of(node, 2).await;
    }
    stage.end("", &["primary", "standby1", "standby2"]);

    stage.live.press(QUERY);
    stage.live.until("all answered", |frame| frame.contains("3 of 3 answered")).await;
    stage.figures_of(&nodes[0], 2).await;
    stage.end(QUERY, &[]);

    blocking(|| killed.kill().unwrap());
    stage.reconnecting("standby1").await;
    stage.figures_of(&nodes[0], 1).await;
    stage.end("", &["standby1"]);

    blocking(|| frozen.freeze().unwrap());
    stage.reconnecting("standby2").await;
    stage.figures_of(&nodes[0], 1).await;
    stage.end("", &["standby2"]);

    stage.live.press(QUERY);
    stage.live.until("the living answered", |frame| frame.contains("1 of 3 answered")).await;
    stage.figures_of(&nodes[0], 1).await;
    stage.end(QUERY, &[]);

    let port = cluster.primary().port();
    let password = cluster.primary().password().expose();
    stage.live.press(&format!("{FORM}<ctrl-u>{port}<tab><tab><ctrl-u>pgwatch<tab>{password}<ctrl-t>"));
    stage.live.until("the test of the form", |frame| frame.contains("connected in")).await;
    stage.end(&format!("{FORM}<ctrl-u>5432<tab><tab><ctrl-u>pgwatch<tab>secret<ctrl-t>"), &[]);
    let acts = stage.acts;
    stage.live.watched.stop().await;
    Recorded { nodes, acts }
}

struct Recording {
    live: Live,
    acts: Vec<Act>,
    /// The events that belong to the acts so far.
    heard: usize,
}

impl Recording {
    fn end(&mut self, keys: &str, nodes: &[&str]) {
        let events = self.live.watched.seen[self.heard..].to_vec();
        self.heard = self.live.watched.seen.len();
        self.acts.push(Act { keys: keys.to_owned(), nodes: nodes.iter().map(|node| name(node)).collect(), events });
    }

    /// Waits until this act has figures of the node; a primary must see this many standbys.
    async fn figures_of(&mut self, node: &NodeConfig, standbys: usize) {
        let name = &node.name;
        let (mut facts, mut checked) = (false, false);
        // The figures of the pool are rare while nothing happens in it.
        let of_pool = |event: &Event| matches!(&event.kind, EventKind::Pool { node, .. } if node == name);
        let mut pool = self.live.watched.seen.iter().any(of_pool);
        let mut next = self.heard;
        let deadline = Instant::now() + PATIENCE;
        while !(facts && pool && checked) {
            assert!(Instant::now() < deadline, "{name}: facts {facts}, pool {pool}, checked {checked}");
            self.live.step().await;
            for event in &self.live.watched.seen[next..] {
                match &event.kind {
                    EventKind::Facts { node, facts: Ok(told) } if node == name => {
                        facts = told.streaming() == Some(true) || told.senders.as_ref().map(Vec::len) == Some(standbys);
                    }
                    _ if of_pool(event) => pool = true,
                    EventKind::Checked { node, health } if node == name => {
                        checked |= health.state == HealthState::Healthy;
                    }
                    _ => {}
                }
            }
            next = self.live.watched.seen.len();
        }
    }

    /// Waits until a lost node has been retried in vain.
    async fn reconnecting(&mut self, node: &str) {
        let (node, from) = (name(node), self.heard);
        let deadline = Instant::now() + PATIENCE;
        let retried = |event: &Event| record::is_failed_retry(&event.kind, &node);
        while !self.live.watched.seen[from..].iter().any(retried) {
            assert!(Instant::now() < deadline, "{:#?}", self.live.watched.story());
            self.live.step().await;
        }
    }
}

/// The scene up to the end of this many acts.
fn scene(acts: usize) -> Scene {
    let recorded = recorded();
    record::replay(&recorded.nodes, &recorded.acts[..acts])
}

/// Every screen and dialog: the acts to play, and the keys that open it then.
const PLACES: [(&str, usize, &str); 8] = [
    ("healthy", 2, ""),
    ("nodes", 5, ""),
    ("node", 5, "<enter>"),
    ("node_killed", 5, "j<enter>"),
    ("query", 5, "9"),
    ("events", 5, "0"),
    ("help", 5, "?"),
    ("form", 6, ""),
];

#[test]
fn every_screen_keeps_its_picture_at_every_size_in_every_theme() {
    for (place, acts, keys) in PLACES {
        let mut scene = scene(acts);
        scene.draw(120, 40, &theme("dark", ColorDepth::True));
        scene.press(keys);
        for (width, height) in SIZES {
            let dark = scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)));
            insta::assert_snapshot!(format!("{place}_{width}x{height}"), dark);
            // A theme changes colours, never words; ASCII changes characters, never their places.
            for (name, theme) in themes() {
                let text = scene::text(&scene.draw(width, height, &theme));
                if theme.ascii {
                    assert!(text.is_ascii(), "{place}\n{text}");
                    let lengths = |text: &str| text.lines().map(|line| line.chars().count()).collect::<Vec<_>>();
                    assert_eq!(lengths(&text), lengths(&dark), "{place}\n{text}");
                } else {
                    assert_eq!(text, dark, "{place} in {name}");
                }
            }
        }
    }
}

#[test]
fn the_first_screen_keeps_its_picture_in_every_theme() {
    let mut scene = scene(5);
    for (name, theme) in themes() {
        let buf = scene.draw(120, 40, &theme);
        let picture = if theme.ascii { scene::text(&buf) } else { scene::styles(&buf, 8) };
        insta::assert_snapshot!(format!("theme_{name}"), picture);
    }
}
