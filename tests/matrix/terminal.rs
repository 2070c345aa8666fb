//! The same keys in a terminal: the program runs on real servers, bytes go in as a terminal sends them, and the screen
//! is read. What `update` and the drawn frame promise has to get through the decoder, the loop and the effects too.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use pgwatch::app::keys::keymap::{Place, keymap};
use pgwatch::app::{Action, Key, KeyCode};
use pgwatch::demo::Cluster;

use crate::look::Look;
use crate::promises::{Hands, Pressed, kept};
use crate::support::pty::{Tui, ending};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::LEAVING;
use crate::support::wait::{PATIENCE, SOON, within};
use crate::{Outcome, keys};

/// Where keys are pressed: the keys that lead there from the first screen, the key of its tab, and what the screen
/// shows then.
struct Site {
    name: &'static str,
    place: Place,
    /// Keys, and what the screen must show before the next ones are pressed.
    steps: &'static [(&'static str, &'static str)],
    tab: char,
}

const fn site(name: &'static str, place: Place, tab: char, steps: &'static [(&'static str, &'static str)]) -> Site {
    Site { name, place, steps, tab }
}

const SITES: [Site; 28] = [
    site("nodes", Place::Nodes, '1', &[("j", "Nodes")]),
    site("nodes, summary", Place::Nodes, '1', &[("<tab>", "Nodes")]),
    site("nodes, answers", Place::Nodes, '1', &[("<tab><tab>", "answered")]),
    site("nodes, events", Place::Nodes, '1', &[("<tab><tab><tab>j", "connected")]),
    site("nodes, frozen", Place::Nodes, '1', &[("p", "FROZEN")]),
    site("node", Place::Detail, '1', &[("<enter>", "Esc/q back")]),
    site("node, settings", Place::Detail, '1', &[("<enter>", "Esc/q back"), ("<tab>", "Esc/q back")]),
    site("topology", Place::Topology, '2', &[("2", "streaming"), ("j", "streaming")]),
    site("activity", Place::View, '3', &[("3", "all 2 nodes"), ("l", "all 2 nodes")]),
    site("activity, frozen", Place::View, '3', &[("3", "Progress"), ("p", "FROZEN")]),
    site("locks", Place::View, '4', &[("4", "╭─ ")]),
    site("replication", Place::View, '5', &[("5", "Receiver")]),
    site("statements", Place::View, '6', &[("6", "╭─ ")]),
    site("tables", Place::View, '7', &[("7", "Indexes"), ("j", "Indexes")]),
    site("i/o", Place::View, '8', &[("8", "SLRU")]),
    site("answers", Place::Query, '9', &[("9", "answered")]),
    site("editor", Place::Editor, '9', &[("9e", "new line")]),
    site("events", Place::Events, '0', &[("0", "connected"), ("j", "connected")]),
    site("alerts", Place::Alerts, 't', &[("t", "there are")]),
    site("drift", Place::View, 'c', &[("c", "╭─ Drift")]),
    site("drift, a row at length", Place::View, 'c', &[("c", "work_mem"), ("<enter>", "copies the value")]),
    site("drift, columns", Place::Columns, 'c', &[("c", "╭─ Drift"), ("v", "Columns")]),
    site("add form", Place::Form, '1', &[("a", "Add a node")]),
    site("edit form", Place::Form, '1', &[("e", "Edit")]),
    site("question", Place::Confirm, '1', &[("d", "Remove ")]),
    site("help", Place::Help, '1', &[("?", "Help")]),
    site("command line", Place::Command, '1', &[(":re", ":re")]),
    site("filter line", Place::Filter, '1', &[("/re", "/re")]),
];

/// How long a key may take to show its effect. A machine may be busy.
const ANSWER: Duration = Duration::from_secs(3);
/// How long each of the keys pressed after it may take.
const NEXT: Duration = Duration::from_secs(1);
/// How long one key on the way back may take; after this it is pressed again.
const STEP: Duration = Duration::from_millis(200);
/// How often a key is tried: a picture that changed by itself at the wrong moment is no fault.
const TRIES: usize = 3;
/// How many dashboards run at once: each spends most of the time waiting for its terminal.
const WALKERS: usize = 4;

/// A rule that always finds something, so that there is an alert.
const ALWAYS: &str = "title: Always\nview: facts\ncolumn: max_connections\nwarning: \"> 0\"\nevery: 1s\n\
                      says: \"there are {max_connections}\"\nremedy: none\n";

struct Stage {
    /// A session with a statement, for `x`.
    session: Child,
    cluster: Cluster,
    config: ConfigFile,
    home: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let cluster = cluster().standbys(1).start().unwrap();
        cluster.primary().psql("create table stock as select generate_series(1, 99) item").unwrap();
        cluster.primary().psql("alter system set work_mem = '5MB'").unwrap();
        cluster.primary().psql("select pg_reload_conf()").unwrap();
        // Figures that do not arrive do not change the picture.
        let config = ConfigFile::new("refresh: 30s\ndefaults: {health: {interval: 30s}}\n", cluster.servers());
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("pgwatch/alerts")).unwrap();
        fs::write(home.path().join("pgwatch/alerts/always.yaml"), ALWAYS).unwrap();
        let session = cluster.primary().client("postgres").args(["-c", "select pg_sleep(3600)"]).spawn().unwrap();
        Self { session, cluster, config, home }
    }

    fn dashboard(&self, (cols, rows): (u16, u16)) -> Tui {
        let env = [("XDG_CONFIG_HOME", self.home.path().to_str().unwrap())];
        let mut tui = Tui::start(&["--config", self.config.arg()], cols, rows, &env);
        tui.wait_for("all nodes are healthy", PATIENCE, |screen| {
            screen.contents().matches("● healthy").count() == self.cluster.servers().len()
        });
        // The rules have been read, and so have the views, which come before them.
        tui.wait_text("▲ 2 alerts", PATIENCE);
        tui.press(":select 1<enter>");
        tui.wait_text("answered", SOON);
        tui.press("1");
        tui.wait_for("the first screen", SOON, |screen| is_home(&Look::of_terminal(screen)));
        tui
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

/// A key in the notation of [`Tui::press`].
fn token(key: Key) -> String {
    match key.code {
        KeyCode::Char('<') => "<lt>".to_owned(),
        KeyCode::Char(letter) if key.ctrl => format!("<c-{letter}>"),
        KeyCode::Char(letter) => letter.to_string(),
        KeyCode::F(number) => format!("<f{number}>"),
        KeyCode::Enter => "<enter>".to_owned(),
        KeyCode::Esc => "<esc>".to_owned(),
        KeyCode::Tab if key.shift => "<backtab>".to_owned(),
        KeyCode::Tab => "<tab>".to_owned(),
        KeyCode::Backspace => "<backspace>".to_owned(),
        KeyCode::Delete => "<delete>".to_owned(),
        KeyCode::Left => "<left>".to_owned(),
        KeyCode::Right => "<right>".to_owned(),
        KeyCode::Up => "<up>".to_owned(),
        KeyCode::Down => "<down>".to_owned(),
        KeyCode::Home => "<home>".to_owned(),
        KeyCode::End => "<end>".to_owned(),
        KeyCode::PageUp => "<pgup>".to_owned(),
        KeyCode::PageDown => "<pgdn>".to_owned(),
    }
}

/// The screen, once no frame is half written.
fn look(tui: &Tui) -> Look {
    let seen = RefCell::new(None);
    let _ = tui.sees_frame(NEXT, |screen| seen.replace(Some(Look::of_terminal(screen))).is_none());
    seen.into_inner().unwrap_or_else(|| tui.screen(Look::of_terminal))
}

/// True if something that takes keys is open.
fn has_dialog(look: &Look) -> bool {
    let dialogs = ["Add a node", "Edit ", "Remove ", "Help", "Columns"];
    dialogs.iter().any(|dialog| look.has_frame(dialog)) || look.foot().starts_with([':', '/'])
}

/// True on the first screen with nothing on top of it, and nothing left for Esc to take back.
fn is_home(look: &Look) -> bool {
    let is_first = look.tab == Some('1') && look.frames().first().is_some_and(|frame| frame.starts_with("Nodes"));
    is_first && !look.keys().contains("Esc") && !has_dialog(look) && !look.header().contains("FROZEN")
}

impl Hands for Tui {
    fn press(&mut self, keys: &[Key]) {
        // If keys follow each other closely, Esc must be sent in the form that cannot be the beginning of another key.
        let all: String = keys.iter().map(|key| token(*key).replace("<esc>", "<escape>")).collect();
        Self::press(self, &all);
    }

    fn sees(&mut self, condition: &dyn Fn(&Look) -> bool) -> bool {
        self.sees_frame(NEXT, |screen| condition(&Look::of_terminal(screen))).is_ok()
    }
}

struct Walk<'a> {
    stage: &'a Stage,
    size: (u16, u16),
    tui: Tui,
    /// The line above the keys when it has no message.
    at_rest: String,
    silent: Vec<String>,
    /// The effect of some key, in the words of the help.
    kept: BTreeSet<&'static str>,
}

impl<'a> Walk<'a> {
    fn new(stage: &'a Stage, size: (u16, u16)) -> Self {
        let tui = stage.dashboard(size);
        Self { stage, size, tui, at_rest: String::new(), silent: Vec::new(), kept: BTreeSet::new() }
    }

    fn restart(&mut self) {
        self.tui = self.stage.dashboard(self.size);
        self.at_rest.clear();
    }

    /// Returns to the first screen with the keys that lead back.
    fn go_home(&mut self) {
        for _ in 0..20 {
            let look = look(&self.tui);
            if is_home(&look) {
                break;
            }
            // A picture is unfrozen by its own key, once no field that takes letters is open.
            let is_frozen = look.header().contains("FROZEN") && look.tab == Some('1') && !has_dialog(&look);
            self.tui.press(if is_frozen { "p" } else { "<escape>" });
            let _ = self.tui.sees_frame(STEP, |screen| !Look::of_terminal(screen).is(&look));
        }
        self.tui.press("1");
        if self.tui.sees_frame(ANSWER, |screen| is_home(&Look::of_terminal(screen))).is_err() {
            self.restart();
        }
    }

    /// The last message may appear again, so any key is pressed to remove it. What is left is the line without a
    /// message.
    fn clear_notice(&mut self) {
        if look(&self.tui).foot() == self.at_rest {
            return;
        }
        let said = look(&self.tui).foot().to_owned();
        self.tui.press("<c-l>");
        let _ = self.tui.sees_frame(STEP, |screen| Look::of_terminal(screen).foot() != said);
        look(&self.tui).foot().clone_into(&mut self.at_rest);
    }

    /// On a busy machine a key may be pressed twice because its effect was late: a second try begins with a new
    /// dashboard.
    fn go_to(&mut self, site: &Site) {
        for _ in 0..TRIES {
            if self.reach(site).is_ok() {
                return;
            }
            self.restart();
        }
        if let Err(why) = self.reach(site) {
            panic!("{}: {why}\n{}", site.name, self.tui.screen_text());
        }
    }

    fn reach(&mut self, site: &Site) -> Result<(), String> {
        self.go_home();
        self.tui.press("g");
        for (keys, shows) in site.steps {
            let before = look(&self.tui);
            self.tui.press(keys);
            let _ = self.tui.sees_frame(STEP, |screen| !Look::of_terminal(screen).is(&before));
            let is_there = |screen: &vt100::Screen| {
                Look::of_terminal(screen).tab == Some(site.tab) && screen.contents().contains(shows)
            };
            let seen = self.tui.sees_frame(SOON, is_there);
            seen.map_err(|why| format!("{why}: no {shows:?} after {keys:?}"))?;
        }
        Ok(())
    }

    /// Presses every key of a place.
    fn through(&mut self, site: &Site) {
        self.go_to(site);
        for (action, key) in keys(site.place) {
            let mut tries = 0;
            loop {
                match self.press(site, action, key) {
                    Outcome::Kept => {
                        self.kept.insert(action.doc());
                        break;
                    }
                    Outcome::Refused(_) => break,
                    Outcome::Silent if tries < TRIES => {
                        tries += 1;
                        self.restart();
                        self.go_to(site);
                    }
                    Outcome::Silent => {
                        let (label, text) = (key.label(false), self.tui.screen_text());
                        self.silent.push(format!("{} | {label}: {}\n{text}", site.name, action.doc()));
                        self.restart();
                        self.go_to(site);
                        break;
                    }
                }
            }
        }
    }

    fn press(&mut self, site: &Site, action: Action, key: Key) -> Outcome {
        self.clear_notice();
        let before = look(&self.tui);
        let written = self.tui.written();
        self.tui.press(&token(key));
        match action {
            Action::LeaveNow => return self.has_left(site),
            Action::Quit if site.place == Place::Nodes => return self.has_left(site),
            Action::Suspend => return self.is_suspended(written),
            Action::Redraw => return self.is_redrawn(written),
            _ => {}
        }
        let outcome = self.outcome(action, key, &before);
        let after = look(&self.tui);
        let stays = after.keys() == before.keys() && after.tab == before.tab && after.frames() == before.frames();
        // After a node is removed or rows are grouped, the picture no longer suits the keys that follow.
        if matches!(action, Action::Yes | Action::Group) {
            self.restart();
            self.go_to(site);
        } else if !stays || matches!(site.place, Place::Form | Place::Command | Place::Filter | Place::Editor) {
            self.go_to(site);
        }
        outcome
    }

    fn outcome(&mut self, action: Action, key: Key, before: &Look) -> Outcome {
        let start = Instant::now();
        loop {
            let after = look(&self.tui);
            let pressed = Pressed { key, effects: None, before, after: &after };
            if kept(action, &pressed, &mut self.tui) {
                return Outcome::Kept;
            }
            if let Some(said) = after.said(before) {
                return Outcome::Refused(said);
            }
            let left = ANSWER.saturating_sub(start.elapsed());
            let has_changed = |screen: &vt100::Screen| !Look::of_terminal(screen).is(&after);
            if left.is_zero() || self.tui.sees_frame(left, has_changed).is_err() {
                return Outcome::Silent;
            }
        }
    }

    fn has_left(&mut self, site: &Site) -> Outcome {
        let Some(status) = self.tui.exit_within(LEAVING) else { return Outcome::Silent };
        assert_eq!(ending(status), "code 0", "{}", site.name);
        self.restart();
        self.go_to(site);
        Outcome::Kept
    }

    /// The terminal is given back and taken again. Without a shell above it, no process could continue the program, so
    /// the kernel does not stop it. `tests/real/terminal.rs` has a shell.
    fn is_suspended(&mut self, before: usize) -> Outcome {
        let gives_back = || contains(&self.tui.raw()[before..], b"\x1b[?1049l").then_some(());
        match within(ANSWER, gives_back) {
            Some(()) => self.is_redrawn(before),
            None => Outcome::Silent,
        }
    }

    /// The whole screen is redrawn, not only what changed.
    fn is_redrawn(&mut self, before: usize) -> Outcome {
        let lines = usize::from(self.size.1);
        let all = || (self.tui.written() > before + lines * 20).then_some(());
        match within(ANSWER, all) {
            Some(()) => Outcome::Kept,
            None => Outcome::Silent,
        }
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Walks through some places, with its own servers and dashboard.
fn walk(sites: &[Site], size: (u16, u16)) -> (Vec<String>, BTreeSet<&'static str>) {
    let stage = Stage::new();
    let mut walk = Walk::new(&stage, size);
    for (at, site) in sites.iter().enumerate() {
        if at > 0 {
            walk.restart();
        }
        walk.through(site);
    }
    (walk.silent, walk.kept)
}

#[test]
fn every_key_does_in_a_terminal_what_the_help_says_or_says_why_not() {
    let (mut silent, mut kept) = (Vec::new(), BTreeSet::new());
    std::thread::scope(|threads| {
        let sizes = [(80, 24), (120, 40)].into_iter().cycle();
        let walks = SITES.chunks(SITES.len().div_ceil(WALKERS)).zip(sizes);
        let walks: Vec<_> = walks.map(|(sites, size)| threads.spawn(move || walk(sites, size))).collect();
        for walk in walks {
            let (more_silent, more_kept) = walk.join().unwrap();
            silent.extend(more_silent);
            kept.extend(more_kept);
        }
    });
    assert!(silent.is_empty(), "keys that do not what they promise:\n{}", silent.join("\n"));
    let promised: BTreeSet<&str> =
        keymap().places().flat_map(|place| keymap().section(place)).map(|(action, _)| action.doc()).collect();
    let never: Vec<&&str> = promised.difference(&kept).collect();
    assert!(never.is_empty(), "no key did this anywhere: {never:#?}");
}

/// Every place of the key map is among the places that are walked in a terminal.
#[test]
fn every_place_is_walked_in_a_terminal() {
    let walked: Vec<Place> = SITES.iter().map(|site| site.place).collect();
    let left: Vec<Place> = keymap().places().filter(|place| !walked.contains(place)).collect();
    assert_eq!(left, [Place::Always, Place::Screen]);
}
