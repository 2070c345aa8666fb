//! The dashboard under test: in a terminal of its own, with its event log, and with keys pressed now and then.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use vt100::Screen;

use crate::log::{Line, Log};
use crate::support::pty::Tui;
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// Interval between two keys.
const KEYS: Duration = Duration::from_millis(120);
/// How often the event log is read; the screen is checked whenever it changes.
const LOOK: Duration = Duration::from_millis(25);
/// A key without an effect within this time counts as lost.
const LOST_KEY: Duration = Duration::from_secs(2);

const COLS: u16 = 120;
const ROWS: u16 = 44;
/// The first row of the table, below the header, the tabs, the border and the column heads.
const FIRST_ROW: usize = 4;

/// A running dashboard.
pub struct Desk {
    pub tui: Tui,
    pub log: Log,
    /// The time from key to screen of every key pressed.
    pub keys: Vec<Duration>,
    next_key: Instant,
    _folder: TempDir,
}

/// What was seen on the screen while watching.
pub struct Watched {
    /// When all of the nodes were first shown as down.
    pub down_at: Option<SystemTime>,
}

impl Desk {
    /// Opens the dashboard with a file of this text, inside a network namespace if one is named, and waits until these
    /// nodes are healthy.
    pub fn open(config: &str, namespace: Option<&str>, nodes: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, log) = (folder.path().join("cluster.yaml"), folder.path().join("events.jsonl"));
        std::fs::write(&file, config).expect("the file is written");
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let args = ["--config", &text(&file), "--event-log", &text(&log)].map(str::to_owned);
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        let program = env!("CARGO_BIN_EXE_pgwatch");
        let tui = match namespace {
            Some(name) => {
                args.splice(0..0, ["netns", "exec", name, program]);
                Tui::start_program(Path::new("ip"), &args, COLS, ROWS, &[])
            }
            None => Tui::start_program(Path::new(program), &args, COLS, ROWS, &[]),
        };
        let healthy = |screen: &Screen| nodes.iter().all(|node| row(screen, node).contains("● healthy"));
        tui.wait_for("all nodes are healthy", PATIENCE, healthy);
        Self { tui, log: Log::open(&log), keys: Vec::new(), next_key: Instant::now(), _folder: folder }
    }

    /// The row of a node on the Nodes screen.
    pub fn row(&self, node: &str) -> String {
        self.tui.screen(|screen| row(screen, node))
    }

    /// Waits until `done` or the time limit, and returns whether it was done. Meanwhile it presses keys, reads the log,
    /// and records when all of `nodes` were first shown as down.
    pub fn watch(
        &mut self,
        nodes: &[String],
        watched: &mut Watched,
        within: Duration,
        mut done: impl FnMut(&Self, &Watched) -> bool,
    ) -> bool {
        let down = |screen: &Screen| nodes.iter().all(|node| row(screen, node).contains("✖ down"));
        let begin = Instant::now();
        loop {
            self.log.read();
            if watched.down_at.is_none() && self.tui.screen(down) {
                watched.down_at = Some(SystemTime::now());
            }
            if done(self, watched) {
                return true;
            }
            if begin.elapsed() >= within {
                return false;
            }
            if Instant::now() >= self.next_key {
                self.press();
            } else {
                let seen = watched.down_at.is_some();
                let _ = self.tui.sees(LOOK, |screen| !seen && down(screen));
            }
        }
    }

    /// Watches for a time.
    pub fn pass(&mut self, time: Duration) {
        self.watch(&[], &mut Watched { down_at: Some(SystemTime::UNIX_EPOCH) }, time, |_, _| false);
    }

    /// Waits for a line of the event log after the first `from` ones.
    pub fn until(&mut self, what: &str, is: impl Fn(&Line) -> bool, from: usize) {
        wait_for(what, SOON, || {
            self.log.read();
            self.log.lines.get(from..)?.iter().any(&is).then_some(())
        });
    }

    /// Moves the selection by one row, alternately down and up, and measures the time.
    fn press(&mut self) {
        let before = self.tui.screen(cursor);
        let key = if before == Some(FIRST_ROW) { "j" } else { "k" };
        let begin = Instant::now();
        self.tui.press(key);
        let _ = self.tui.sees(LOST_KEY, |screen| cursor(screen) != before);
        self.keys.push(begin.elapsed());
        self.next_key = Instant::now() + KEYS;
    }
}

/// The line of the screen with the selected row.
fn cursor(screen: &Screen) -> Option<usize> {
    screen.rows(0, 4).position(|line| line.contains('▸'))
}

/// The row that starts with the node's name.
fn row(screen: &Screen, node: &str) -> String {
    let of_node = |line: &String| {
        line.trim_start_matches(['│', ' ', '▸']).split_whitespace().next().is_some_and(|first| first == node)
    };
    screen.rows(0, COLS).find(of_node).unwrap_or_default()
}
