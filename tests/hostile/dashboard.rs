//! One dashboard that watches all cases and two real servers: what the neighbours notice, and what it costs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::cases::{self, Case, Running, STATEMENT, config};
use crate::errors::END;
use crate::support::process::{peak_memory, processor};
use crate::support::pty::Tui;
use crate::support::servers::{assert_no_sessions, cluster};
use crate::support::wait::{SOON, wait_for, within};

/// The memory that all cases together may cost beside large results: a session of an honest server takes about 0.1 MB.
const MEMORY: f64 = 100.0;
/// The share of a core after all cases have ended, in an unoptimised build on a busy machine.
const PROCESSOR: f64 = 0.6;
/// How long each measurement over time lasts.
const STRETCH: Duration = Duration::from_secs(3);

#[test]
fn the_neighbours_never_notice_n2_n8_n9() {
    let cluster = cluster().standbys(1).start().unwrap();
    let fakes = Running::start(cases::all().iter().filter(|case| !case.is_large));
    let file = config(cluster.servers(), &fakes);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("events");
    let mut tui = Tui::start(&["--config", file.arg(), "--event-log", log.to_str().unwrap()], 160, 50, &[]);
    let real: Vec<&str> = cluster.servers().iter().map(pgwatch::demo::Server::name).collect();
    wait_for("the real ones are healthy", SOON, || {
        real.iter().all(|node| state(&events(&log), node) == "healthy").then_some(())
    });
    // Cases are waited for by name, so that a timeout can name those that are missing.
    wait(&fakes, &log, |case, events| !case.is_down() || kind_of(case, events).is_some());
    tui.press(&format!(":{STATEMENT}<enter>"));
    wait(&fakes, &log, |case, events| !case.is_asked() || kind_of(case, events).is_some());

    let memory = peak_memory(tui.pid()).unwrap();
    let before = processor(tui.pid());
    let _ = within(STRETCH, || None::<()>);
    let share = processor(tui.pid()).saturating_sub(before).div_duration_f64(STRETCH);
    println!("{} hostile servers: {memory:.0} MB at most, {:.0} % of a core at the end", fakes.len(), share * 100.0);

    let events = events(&log);
    let wrong: Vec<String> = fakes
        .iter()
        .map(|running| running.case)
        .filter(|case| case.is_down() || case.is_asked())
        .map(|case| (case, kind_of(case, &events).unwrap()))
        .filter(|(case, kind)| kind != case.kind)
        .map(|(case, kind)| format!("{}: {kind}, not {}", case.name, case.kind))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for node in &real {
        let health: Vec<&Value> = events.iter().filter(|event| is(event, "health", node)).collect();
        assert!(health.len() == 1 && health[0]["to"] == "healthy", "{node} was not healthy throughout: {health:#?}");
        let missed = events.iter().filter(|event| is(event, "pool", node)).map(|event| &event["probes_missed"]);
        assert!(missed.clone().count() > 0 && missed.clone().all(|missed| missed == 0), "{node} missed probes");
        let answer = events.iter().find(|event| is(event, "query", node)).unwrap();
        assert_eq!(answer["ok"], true, "{answer}");
    }
    assert!(memory < MEMORY, "{memory} MB");
    assert!(share < PROCESSOR, "{share} of a core");

    // All of them are shown, a key is answered, and nothing remains afterwards.
    tui.press("1");
    tui.wait_text("LAST MINUTE", SOON);
    tui.press("q");
    tui.wait_exit(SOON);
    assert_eq!(tui.restored(), Ok(()));
    cluster.servers().iter().for_each(|server| assert_no_sessions(server, SOON));
}

/// Waits until `done` is true for each case.
#[track_caller]
fn wait(fakes: &[Running], log: &Path, done: impl Fn(&Case, &[Value]) -> bool) {
    let mut open = Vec::new();
    let all = within(END, || {
        let events = events(log);
        open = fakes.iter().map(|running| running.case).filter(|case| !done(case, &events)).map(|c| c.name).collect();
        open.is_empty().then_some(())
    });
    assert!(all.is_some(), "no end within {END:?}: {open:?}");
}

/// Everything logged so far.
fn events(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap_or_default();
    // The last line may be half written.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn is(event: &Value, what: &str, node: &str) -> bool {
    event["event"] == what && event["node"] == node
}

fn state(events: &[Value], node: &str) -> String {
    let last = events.iter().rev().find(|event| is(event, "health", node));
    last.and_then(|event| event["to"].as_str()).unwrap_or_default().to_owned()
}

/// The kind of error with which a case ended, `ok` if it succeeded; `None` before that.
fn kind_of(case: &Case, events: &[Value]) -> Option<String> {
    let event = if case.is_asked() {
        events.iter().find(|event| is(event, "query", case.name))?
    } else {
        events.iter().find(|event| is(event, "health", case.name) && event["to"] == "unhealthy")?
    };
    Some(event["error"]["kind"].as_str().unwrap_or("ok").to_owned())
}

/// The peak memory of a dashboard that watches only this server, in MB.
pub fn costs(case: &'static Case) -> f64 {
    let fakes = Running::start(std::iter::once(case));
    let file = config([], &fakes);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("events");
    let mut tui = Tui::start(&["--config", file.arg(), "--event-log", log.to_str().unwrap()], 120, 40, &[]);
    if case.is_asked() {
        wait_for("it is healthy", SOON, || (state(&events(&log), case.name) == "healthy").then_some(()));
        tui.press(&format!(":{STATEMENT}<enter>"));
    }
    wait(&fakes, &log, |case, events| match kind_of(case, events) {
        Some(kind) => {
            assert_eq!(kind, case.kind, "{}", case.name);
            true
        }
        None => !case.is_asked() && !case.is_down() && !state(events, case.name).is_empty(),
    });
    // Facts are asked for regularly, and a server that floods does it each time.
    let _ = within(STRETCH, || None::<()>);
    let memory = peak_memory(tui.pid()).unwrap();
    tui.press("<c-c>");
    tui.wait_exit(SOON);
    memory
}
