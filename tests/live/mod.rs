//! The screen half and the manager on real servers, joined as the dashboard's loop joins them; a test reads the frames.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "a test file is a crate of its own")]

pub mod picture;
pub mod record;

use std::time::{Duration, SystemTime};

use pgwatch::app::{Effect, Key, Msg, update};
use pgwatch::model::{Event, NodeConfig};
use pgwatch::tui::{ColorDepth, Theme};
use tokio::time::{Instant, timeout};

use crate::scene::{self, Scene};
use crate::support::wait::PATIENCE;
use crate::support::watched::Watched;

/// How long a frame waits for the next event.
const FRAME: Duration = Duration::from_millis(50);

/// A running manager and the screen that shows its events.
pub struct Live {
    pub scene: Scene,
    pub watched: Watched,
    pub nodes: Vec<NodeConfig>,
    theme: Theme,
}

impl Live {
    pub fn start(nodes: Vec<NodeConfig>) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let scene = Scene::new(nodes.clone(), now.as_secs()).with_views();
        Self { scene, watched: Watched::start(nodes.clone()), nodes, theme: scene::theme("dark", ColorDepth::True) }
    }

    /// Presses keys and performs their effects; returns the effects.
    pub fn press(&mut self, keys: &str) -> Vec<Effect> {
        let asked: Vec<Effect> = Key::sequence(keys).into_iter().flat_map(|key| self.update(Msg::Key(key))).collect();
        // Draws a frame, as happens between a person's keys: it reports the measured sizes to the app.
        self.frame();
        asked
    }

    fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = update(&mut self.scene.app, msg);
        for effect in &effects {
            if let Effect::Send(command) = effect {
                self.watched.handle.try_send(command.clone()).expect("the manager takes commands");
            }
        }
        effects
    }

    /// The screen as it is now.
    pub fn frame(&mut self) -> String {
        self.update(Msg::Tick(SystemTime::now()));
        scene::text(&self.scene.draw(120, 40, &self.theme))
    }

    /// Applies events until a frame satisfies the condition.
    pub async fn until(&mut self, what: &str, shown: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = self.frame();
            if shown(&frame) {
                return frame;
            }
            assert!(Instant::now() < deadline, "never shown: {what}\n{frame}\n{:#?}", self.watched.story());
            self.step().await;
        }
    }

    /// Applies the events that are waiting, or the next one if it arrives soon.
    pub async fn step(&mut self) {
        if let Ok(event) = timeout(FRAME, self.watched.events.recv()).await {
            self.apply(event.expect("the manager runs"));
        }
        while let Ok(event) = self.watched.events.try_recv() {
            self.apply(event);
        }
    }

    fn apply(&mut self, event: Event) {
        self.watched.seen.push(event.clone());
        self.update(Msg::Event(event));
    }
}

/// The row of a node: the first line that begins with its name.
pub fn row<'a>(frame: &'a str, node: &str) -> &'a str {
    let is_row = |line: &&str| line.trim_start_matches(['│', ' ', '▸']).starts_with(node);
    frame.lines().find(is_row).unwrap_or_default()
}
