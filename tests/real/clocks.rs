//! Time as it really passes: a process that is stopped, a clock that is set, and machines whose clocks differ. Nothing is
//! shown of time in which nobody watched, a clock that goes back loses nothing, and an age is taken by one clock alone.

use std::fs;
use std::time::Duration;

use pgwatch::demo::Cluster;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::command::{code, err, out, pgwatch};
use crate::support::faketime;
use crate::support::here::not_run;
use crate::support::pty::Tui;
use crate::support::servers::{ConfigFile, cluster};
use crate::support::stage::Stage;
use crate::support::wait::{PATIENCE, SOON};

/// The bars and blanks after a label of the summary: those of the last minute.
fn bars(screen: &str, label: &str) -> String {
    let line = screen.lines().find(|line| line.contains(label)).unwrap_or_default();
    let bars = line.split('│').find(|part| part.contains(label)).unwrap_or_default();
    bars.chars().rev().take(21).collect::<Vec<_>>().into_iter().rev().collect()
}

/// The hour in the header.
fn hour(screen: &str) -> String {
    let header = screen.lines().next().unwrap_or_default().trim_end();
    header.rsplit(' ').next().unwrap_or_default().chars().take(2).collect()
}

/// The share of the time in which a node answered, and of which time: `100 % of the last 20 s`.
fn availability(screen: &str) -> String {
    let line = screen.lines().find(|line| line.contains("Health")).unwrap_or_default();
    let said = line.split_once(" %").map_or("", |(_, after)| after);
    said.split(['│', '║']).next().unwrap_or_default().trim().to_owned()
}

#[test]
fn time_in_which_the_process_was_stopped_is_a_gap() {
    let stage = Stage::new();
    let tui = &stage.tui;
    tui.wait_text("of the last", SOON);
    tui.signal(Signal::STOP);
    #[allow(clippy::disallowed_methods, reason = "the time in which it is stopped is what is tried")]
    std::thread::sleep(Duration::from_secs(16));
    tui.signal(Signal::CONT);
    // Each node answers again, and nobody knows what was meanwhile.
    tui.wait_text("not watched", SOON);
    stage.wait_healthy(2);
    tui.wait_for("the gap is told", SOON, |screen| availability(&screen.contents()).ends_with("s watched"));
    tui.wait_for("a gap in the bars", SOON, |screen| {
        let bars = bars(&screen.contents(), "Ping");
        bars.trim().contains("    ")
    });
}

/// A dashboard of one server whose clock is off by what a file says, and that file.
struct Shifted {
    tui: Tui,
    clock: tempfile::NamedTempFile,
    config: ConfigFile,
    cluster: Cluster,
    library: String,
}

impl Shifted {
    /// `None` without libfaketime.
    fn start(what: &str, seconds: i64) -> Option<Self> {
        let Some(library) = faketime::library() else {
            not_run(what, "no libfaketime (faketime)");
            return None;
        };
        let library = library.to_str().unwrap().to_owned();
        let cluster = cluster().start().unwrap();
        let config = ConfigFile::new("", cluster.servers());
        let clock = tempfile::NamedTempFile::new().unwrap();
        fs::write(clock.path(), format!("{seconds:+}")).unwrap();
        let env = faketime::by_file(&library, clock.path().to_str().unwrap());
        let tui = Tui::start(&["--config", config.arg()], 120, 50, &env);
        tui.wait_text("● healthy", PATIENCE);
        Some(Self { tui, clock, config, cluster, library })
    }

    /// Sets the clock of the dashboard.
    fn set(&self, seconds: i64) {
        fs::write(self.clock.path(), format!("{seconds:+}")).unwrap();
    }

    /// Runs a command with that clock.
    fn run(&self, args: &[&str]) -> std::process::Output {
        let env = faketime::by_file(&self.library, self.clock.path().to_str().unwrap());
        pgwatch(&[args, &["--config", self.config.arg()]].concat()).envs(env).output().unwrap()
    }
}

#[test]
fn a_clock_that_is_set_back_loses_nothing_and_one_that_jumps_ahead_leaves_a_gap() {
    let Some(mut shifted) = Shifted::start("a clock that is set", 0) else { return };
    shifted.tui.wait_text("of the last", SOON);
    let before = hour(&shifted.tui.screen_text());
    // Set back: everything goes on, by the new time of day.
    shifted.set(-7200);
    shifted.tui.wait_for("the new time of day", SOON, |screen| hour(&screen.contents()) != before);
    let set_back = hour(&shifted.tui.screen_text());
    let known = |screen: &str| {
        let said = availability(screen);
        let seconds = said.strip_prefix("of the last ")?.strip_suffix(" s")?.parse::<u32>().ok()?;
        Some(seconds)
    };
    let at_first = known(&shifted.tui.screen_text());
    shifted.tui.wait_for("the history grows", SOON, |screen| known(&screen.contents()) > at_first);
    shifted.tui.wait_for("the figures stay fresh", SOON, |screen| !screen.contents().contains("figures of"));
    // A node is paused and resumed: its times are counted from now, by a clock that went back.
    shifted.tui.press("P");
    shifted.tui.wait_text("○ paused", SOON);
    shifted.tui.wait_for("for how long", SOON, |screen| {
        screen.contents().lines().any(|line| line.contains("State") && line.contains("paused 3 s"))
    });
    let header = shifted.tui.screen(|screen| screen.contents().lines().next().unwrap_or_default().to_owned());
    assert!(header.contains("○ 1") && !header.contains('✖'), "{header}");
    shifted.tui.press("P");
    shifted.tui.wait_text("● healthy", SOON);
    assert!(!shifted.tui.screen_text().contains("not watched"), "{}", shifted.tui.screen_text());
    // Right again: nothing happened.
    shifted.set(0);
    shifted.tui.wait_for("the first time of day", SOON, |screen| hour(&screen.contents()) != set_back);
    assert!(!shifted.tui.screen_text().contains("not watched"), "{}", shifted.tui.screen_text());
    // Ahead: the machine may have slept.
    shifted.set(3600);
    shifted.tui.wait_text("not watched", SOON);
    shifted.tui.wait_text("for 1 h: the machine slept", SOON);
    // All that is known of the last hour is what was watched since.
    shifted
        .tui
        .wait_for("of what was watched", SOON, |screen| known(&screen.contents()).is_some_and(|known| known < 60));
    shifted.tui.wait_text("● healthy", SOON);
}

#[test]
fn a_clock_of_ours_that_is_wrong_makes_no_age_wrong_and_is_told() {
    let Some(mut shifted) = Shifted::start("a clock of ours that is wrong", -3600) else { return };
    let server = shifted.cluster.primary();
    server.psql("create table t as select 1 as a; vacuum t; checkpoint").unwrap();
    shifted.tui.wait_text("its clock is 1 h ahead of ours", SOON);
    shifted.tui.press("<enter>");
    shifted.tui.wait_for("the node's page", SOON, |screen| {
        let text = screen.contents();
        let has = |label: &str, value: &str| text.lines().any(|line| line.contains(label) && line.contains(value));
        has("clock", "1 h ahead of ours") && (has("started", " s ago") || has("started", " min ago"))
    });
    let output = shifted.run(&["view", "checkpoints"]);
    let last = out(&output).lines().nth(1).unwrap_or_default().to_owned();
    assert!(last.contains(" s ago") || last.contains(" min ago"), "{}", out(&output));
    let output = shifted.run(&["view", "tables"]);
    let row = out(&output).lines().find(|line| line.contains(" t ")).unwrap_or_default().to_owned();
    assert!(row.contains(" s ago") || row.contains(" min ago"), "{} {}", out(&output), err(&output));
    let output = shifted.run(&["status"]);
    assert_eq!(code(&output), 1, "{}", out(&output));
    assert!(out(&output).contains("its clock is 1 h ahead of ours"), "{}", out(&output));
}

#[test]
fn a_standby_whose_clock_is_wrong_has_replied_a_moment_ago() {
    if faketime::library().is_none() {
        return not_run("a standby whose clock is wrong", "no libfaketime (faketime)");
    }
    let cluster = Cluster::builder().template(faketime::servers()).standbys(2).start().unwrap();
    faketime::set(cluster.server("standby1"), -3600);
    faketime::set(cluster.server("standby2"), 3600);
    let config = ConfigFile::new("", cluster.servers());
    crate::support::wait::wait_for("both stream", PATIENCE, || {
        let streaming = cluster.primary().psql("select count(*) from pg_stat_replication where state = 'streaming'");
        (streaming.ok()? == "2").then_some(())
    });
    let output = pgwatch(&["view", "senders", "--nodes", "primary", "--format", "json", "--config", config.arg()])
        .output()
        .unwrap();
    let report: Value = serde_json::from_str(out(&output)).unwrap();
    let names: Vec<&str> = report["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    let at = names.iter().position(|name| *name == "reply_age_ms").unwrap();
    let rows = report["nodes"][0]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{report}");
    for row in rows {
        let age = row[at].as_f64().expect("asked twice, it is known");
        assert!((0.0..60_000.0).contains(&age), "{report}");
    }
    let output = pgwatch(&["status", "--config", config.arg()]).output().unwrap();
    for said in ["its clock is 1 h behind ours", "its clock is 1 h ahead of ours"] {
        assert!(out(&output).contains(said), "{said}: {}", out(&output));
    }
}
