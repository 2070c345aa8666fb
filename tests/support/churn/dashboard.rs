//! The whole program in a terminal, driven by keys and by the file that it watches; measured from outside, by the
//! kernel's and the servers' own counts.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use fastrand::Rng;

use super::super::process::{descriptors, memory, threads};
use super::super::pty::{Tui, ending};
use super::super::servers::ConfigFile;
use super::super::stage::LEAVING;
use super::super::wait::{PATIENCE, SOON, wait_for, within};
use super::weather::Weather;
use super::{A_MOMENT, Course, Figure, Length, NAMES, Outcome, pass, settled, settled_as};

/// Pools shrink soon, so that no idle session remains when the run is calm; a place where nothing answers is given up
/// soon.
const HEAD: &str = "refresh: 500ms\nquery_timeout: 5s\n\
                    defaults: {user: pgwatch, pool: {max: 3, idle_timeout: 2s, connect_timeout: 2s}}\n";
const STATEMENTS: [&str; 6] = [
    "select 1",
    "select pg_sleep(0.2)",
    "select pg_sleep(30)",
    "select * from nowhere",
    "select generate_series(1, 5000), repeat('x', 100)",
    "select name, setting from pg_settings",
];
const LOOKS: [&str; 12] = [
    "9",
    "0",
    "<tab>",
    "G",
    "s",
    "<space>",
    "[",
    "!",
    "z",
    ":filter n1<enter>",
    ":events<enter>",
    ":theme light<enter>",
];
const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (200, 60), (100, 30)];
/// The longest pause between two cycles, in ms.
const PAUSE: u64 = 30;
/// Once in this many cycles the screen has to answer a key.
const ANSWERS: u64 = 20;
/// The resources that the process and the servers report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    sessions: usize,
    descriptors: usize,
    threads: usize,
}

struct Churn {
    tui: Tui,
    config: ConfigFile,
    weather: Weather,
    rng: Rng,
}

/// Runs it and compares.
pub fn run(length: Length, seed: u64) -> Outcome {
    let mut course = Course::begin(length, seed);
    let mut churn = Churn::start(seed);
    let mut warm = None;
    while !course.is_over() {
        if warm.is_none() && course.is_warm() {
            churn.calm();
            warm = Some((settled(|| churn.held()), churn.memory()));
        }
        let kind = churn.cycle();
        course.count(kind);
        if course.done.is_multiple_of(ANSWERS) {
            churn.answers(course.done);
        }
        pass(Duration::from_millis(churn.rng.u64(..PAUSE)));
    }
    let (warm, warm_memory) = warm.expect("a run is long enough to be warm");
    churn.calm();
    let fits = |held: &Held| {
        held.sessions == warm.sessions && held.descriptors <= warm.descriptors && held.threads <= warm.threads
    };
    let end = settled_as(|| churn.held(), fits);
    let end_memory = churn.memory();
    let left = churn.leave();
    course.end(
        "The dashboard",
        vec![
            Figure::same("sessions on the servers, idle", warm.sessions, end.sessions),
            Figure::same("file descriptors", warm.descriptors, end.descriptors),
            Figure::same("threads", warm.threads, end.threads),
            Figure::memory(warm_memory, end_memory),
            Figure::gone("sessions on the servers after leaving", left),
        ],
    )
}

impl Churn {
    fn start(seed: u64) -> Self {
        let weather = Weather::start();
        let config = ConfigFile::new(HEAD, []);
        let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
        // Without nodes the program starts with the form, which would take the typed commands.
        tui.wait_text("Add a node", PATIENCE);
        tui.press("<escape>");
        tui.wait_for("the form is closed", PATIENCE, |screen| !screen.contents().contains("Add a node"));
        Self { tui, config, weather, rng: Rng::with_seed(seed) }
    }

    fn cycle(&mut self) -> &'static str {
        match self.rng.u32(..100) {
            0 => self.add(),
            1 => self.edit(),
            2..13 => self.command("remove", "y"),
            13..18 => self.command("pause", ""),
            18..26 => self.command("resume", ""),
            26..36 => self.command("retry", ""),
            36..54 => self.query(),
            54..60 => self.cancel(),
            60..73 => self.reload(),
            73..92 => self.look(),
            _ => self.weather.change(&mut self.rng),
        }
    }

    fn name(&mut self) -> String {
        format!("n{}", self.rng.usize(..NAMES))
    }

    /// A command of the command line about some node. A prompt that stays open with an error is emptied and closed.
    fn command(&mut self, word: &'static str, then: &str) -> &'static str {
        let name = self.name();
        self.tui.press(&format!(":{word} {name}<enter>{then}<c-u><enter>1"));
        word
    }

    fn query(&mut self) -> &'static str {
        let statement = *self.rng.choice(&STATEMENTS).unwrap();
        self.tui.press(&format!(":{statement}<enter><c-u><enter>1"));
        "query"
    }

    fn cancel(&mut self) -> &'static str {
        self.tui.press("<escape>");
        "cancel"
    }

    /// Another screen, pane, order or size.
    fn look(&mut self) -> &'static str {
        if self.rng.u32(..20) == 0 {
            let (cols, rows) = *self.rng.choice(&SIZES).unwrap();
            self.tui.resize(cols, rows);
        } else {
            self.tui.press(self.rng.choice(LOOKS).unwrap());
        }
        "look around"
    }

    fn add(&mut self) -> &'static str {
        let ((host, port), name) = (self.weather.place(&mut self.rng), self.name());
        let password = self.weather.servers()[0].password().expose().to_owned();
        self.tui.press(&format!("1apostgresql://pgwatch:{password}@{host}:{port}/postgres<tab><c-u>{name}"));
        self.submit();
        "add by form"
    }

    fn edit(&mut self) -> &'static str {
        let ((_, port), name) = (self.weather.place(&mut self.rng), self.name());
        self.tui.press(&format!(":edit {name}<enter>"));
        // From the field of the host to that of the port.
        self.tui.press(&format!("<tab><c-u>{port}"));
        self.submit();
        "edit by form"
    }

    /// Tests what is in the form and takes it over, or goes back while the test runs.
    fn submit(&mut self) {
        self.tui.press("<c-t>");
        let tested = || {
            let text = self.tui.screen_text();
            ["anyway", "connected in", "a node of that name", "no node named"].iter().any(|sign| text.contains(sign))
        };
        if self.rng.u32(..4) > 0 && within(Duration::from_secs(1), || tested().then_some(())).is_some() {
            self.tui.press("<enter>");
        }
        self.tui.press("<escape><c-u><enter>1");
    }

    /// A file with other nodes, or the old one again; now and then an invalid one, or one written in place.
    fn reload(&mut self) -> &'static str {
        match self.rng.u32(..8) {
            0 => self.tui.press(":reload<enter><c-u><enter>1"),
            1 => self.write(&format!("{HEAD}nodes:\n  n1: {{hots: a}}\n  n1: {{}}\n")),
            _ => {
                let names: Vec<usize> = (0..NAMES).filter(|_| self.rng.u32(..3) > 0).collect();
                let place = |number| (number, self.weather.place(&mut self.rng), self.rng.u32(1..4));
                let nodes: Vec<_> = names.into_iter().map(place).collect();
                self.write(&self.file(&nodes));
            }
        }
        "reload the file"
    }

    fn file(&self, nodes: &[(usize, (&str, u16), u32)]) -> String {
        let password = self.weather.servers()[0].password().expose();
        let mut text = format!("{HEAD}nodes:\n");
        for (number, (host, port), max) in nodes {
            let pool = format!("{{max: {max}}}");
            writeln!(text, "  n{number}: {{host: {host}, port: {port}, password: {password}, pool: {pool}}}").unwrap();
        }
        text
    }

    fn write(&mut self, text: &str) {
        if self.rng.bool() {
            fs::write(&self.config.path, text).unwrap();
        } else {
            let beside = self.config.path.with_extension("new");
            fs::write(&beside, text).unwrap();
            fs::rename(beside, &self.config.path).unwrap();
        }
    }

    /// A key is answered on the screen, whatever else happens.
    fn answers(&mut self, number: u64) {
        self.tui.press(&format!("<c-u><enter>1:#{number}"));
        self.tui.wait_text(&format!(":#{number}"), SOON);
        self.tui.press("<c-u><enter>1");
    }

    /// Returns to a state of rest: all nodes healthy, nothing open, marked, filtered or running.
    fn calm(&mut self) {
        self.weather.calm();
        self.tui.resize(120, 40);
        self.tui.press("<c-u><enter>1");
        self.tui.press(&"<escape>".repeat(8));
        let nodes: Vec<_> = (0..NAMES).map(|number| (number, self.weather.good_place(number), 3)).collect();
        self.write(&self.file(&nodes));
        self.tui.press(":reload<enter><c-u><enter>1:theme dark<enter><c-u><enter>1");
        let all: Vec<String> = (0..NAMES).map(|number| format!("n{number}")).collect();
        self.tui.wait_for("all nodes are there", PATIENCE, |screen| {
            let text = screen.contents();
            all.iter().all(|name| text.lines().any(|line| line.contains(&format!(" {name} "))))
        });
        let all = all.join(",");
        wait_for("all nodes are healthy", PATIENCE, || {
            // Nodes that were paused, that wait for the next try, or that were reloaded only now.
            self.tui.press(&format!(":resume {all}<enter><c-u><enter>1:retry {all}<enter><c-u><enter>1"));
            pass(Duration::from_secs(1));
            let text = self.tui.screen_text();
            (text.lines().filter(|line| line.contains("● healthy")).count() == NAMES).then_some(())
        });
        // A small answer replaces the one with thousands of rows that is still shown.
        self.tui.press(":select 1<enter><c-u><enter>1");
    }

    fn held(&self) -> Held {
        let pid = self.tui.pid();
        Held { sessions: self.weather.sessions(), descriptors: descriptors(pid), threads: threads(pid) }
    }

    /// Resident memory in MB: the median over several seconds.
    fn memory(&self) -> f64 {
        let mut samples: Vec<f64> = Vec::new();
        for _ in 0..9 {
            samples.push(memory(self.tui.pid()).0);
            pass(Duration::from_millis(300));
        }
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    }

    /// Sessions that remain after the program has left.
    fn leave(&mut self) -> usize {
        self.tui.press("q");
        assert_eq!(ending(self.tui.wait_exit(LEAVING)), "code 0", "\n{}", self.tui.screen_text());
        assert_eq!(self.tui.restored(), Ok(()));
        within(A_MOMENT, || (self.weather.sessions() == 0).then_some(()));
        self.weather.sessions()
    }
}
