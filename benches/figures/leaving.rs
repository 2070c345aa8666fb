//! N6, N7: how long leaving takes, and what stays behind.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::readings::{Readings, time};
use crate::rig::Rig;
use crate::states::{open, up};
use crate::support::pty::Tui;
use crate::support::servers::sessions;
use crate::support::wait::{PATIENCE, SOON, within};
use crate::table::Row;

/// How long the statement in flight takes, in seconds.
const STATEMENT: u64 = 3;

struct Way {
    took: Duration,
    /// Sessions still on the servers half a second after the end.
    left: usize,
}

/// Leaves by `end`, then runs `after` and counts the sessions that are left.
fn leave(rig: &Rig, busy: bool, end: impl Fn(&mut Tui), after: impl Fn()) -> Way {
    let config = rig.config(3);
    let mut tui = open(&config.path());
    tui.wait_for("three nodes", PATIENCE, up(3));
    if busy {
        tui.press(&format!(":select pg_sleep({STATEMENT})<enter>1"));
        let running = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%' \
                       and application_name = 'pgwatch'";
        for server in rig.cluster.servers() {
            within(SOON, || (server.psql(running).unwrap() != "0").then_some(())).expect("the statement runs");
        }
    }
    let begin = Instant::now();
    end(&mut tui);
    tui.wait_exit(PATIENCE);
    let took = begin.elapsed();
    after();
    let count = || rig.cluster.servers().iter().map(sessions).sum();
    within(Duration::from_millis(500), || (count() == 0_usize).then_some(()));
    Way { took, left: count() }
}

pub fn leaving(rig: &Rig, readings: &mut Readings) {
    let nothing = || ();
    let standby = rig.cluster.server("standby1");
    let freeze = |tui: &mut Tui| {
        standby.freeze().expect("frozen");
        tui.press("q");
    };
    let ways = [
        ("idle", leave(rig, false, |tui| tui.press("q"), nothing)),
        ("one frozen", leave(rig, false, freeze, || standby.thaw().expect("thawed"))),
        ("drained", leave(rig, true, |tui| tui.press("q"), nothing)),
        ("q twice", leave(rig, true, |tui| tui.press("qq"), nothing)),
        ("SIGTERM", leave(rig, true, |tui| tui.signal(Signal::TERM), nothing)),
    ];
    readings.add("left", ways.iter().map(|(_, way)| way.left as f64));
    for (name, way) in ways {
        readings.add_times(name, [way.took]);
    }
    let killed = leave(rig, true, |tui| tui.signal(Signal::KILL), nothing);
    readings.add("left by SIGKILL", [killed.left as f64]);
}

pub fn leaving_rows(readings: &Readings) -> Vec<Row> {
    let must = ("10 s", 10.0);
    let row = |what, goal, way| Row::time("N6", what, must, goal, readings, way);
    let (twice, signal) = ("q twice", "SIGTERM");
    let both = |of: fn(&Readings, &str) -> f64| of(readings, twice).max(of(readings, signal));
    let (left, killed) = (readings.sum("left"), readings.worst("left by SIGKILL"));
    vec![
        row("leaving, idle", ("0.2 s", 0.2), "idle"),
        row("leaving, idle, one server frozen meanwhile", ("1 s", 1.0), "one frozen"),
        row("`q` with queries of 3 s in flight", ("3 s + 0.2 s", 3.2), "drained"),
        Row {
            id: "N6",
            what: "the same, `q` twice / SIGTERM",
            must: "10 s",
            goal: "0.5 s",
            measured: format!("{} / {}", time(readings.median(twice)), time(readings.median(signal))),
            holds: (both(Readings::worst) <= 10.0, both(Readings::median) <= 0.5),
        },
        Row {
            id: "N7",
            what: "sessions left after these ways out",
            must: "0",
            goal: "0",
            measured: format!("{left}; {killed} half a second after SIGKILL"),
            holds: (left == 0.0, left == 0.0),
        },
    ]
}
