//! N6, N7: how long leaving takes, and what stays behind.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Rig;
use crate::support::pty::Tui;
use crate::support::report::seconds;
use crate::support::servers::sessions;
use crate::support::wait::{PATIENCE, SOON, within};
use crate::table::Row;

/// How long the statement in flight takes, seconds.
const STATEMENT: u64 = 3;

struct Way {
    took: Duration,
    /// Sessions still on the servers half a second after the end.
    left: usize,
}

/// Leaves by `end`, then does `after` and counts what is left.
fn leave(rig: &Rig, busy: bool, end: impl Fn(&mut Tui), after: impl Fn()) -> Way {
    let config = rig.config(3);
    let mut tui = Tui::start(&["--config", &config.path()], 120, 40, &[]);
    tui.wait_for("three nodes", PATIENCE, |screen| screen.contents().contains("● 3 "));
    if busy {
        tui.press(&format!(":select pg_sleep({STATEMENT})<enter>"));
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

pub fn leaving(rig: &Rig) -> Vec<Row> {
    let nothing = || ();
    let idle = leave(rig, false, |tui| tui.press("q"), nothing);
    let drained = leave(rig, true, |tui| tui.press("q"), nothing);
    let twice = leave(rig, true, |tui| tui.press("qq"), nothing);
    let signal = leave(rig, true, |tui| tui.signal(Signal::TERM), nothing);
    let killed = leave(rig, true, |tui| tui.signal(Signal::KILL), nothing);
    let standby = rig.cluster.server("standby1");
    let freeze = |tui: &mut Tui| {
        standby.freeze().expect("frozen");
        tui.press("q");
    };
    let frozen = leave(rig, false, freeze, || standby.thaw().expect("thawed"));

    let ways = [&idle, &drained, &twice, &signal, &frozen];
    let left: usize = ways.iter().map(|way| way.left).sum();
    let row = |what, (must_text, must), (goal_text, goal), way: &Way| {
        let measured = seconds(way.took);
        Row::new("N6", what, (must_text, must), (goal_text, goal), way.took.as_secs_f64(), measured)
    };
    let cancelled = twice.took.max(signal.took);
    let cancelled_text = format!("{} / {}", seconds(twice.took), seconds(signal.took));
    let killed_text = format!("{left}; {} half a second after SIGKILL", killed.left);
    vec![
        row("leaving, idle", ("10 s", 10.0), ("0.2 s", 0.2), &idle),
        row("leaving, idle, one server frozen meanwhile", ("10 s", 10.0), ("1 s", 1.0), &frozen),
        row("`q` with queries of 3 s in flight", ("10 s", 10.0), ("3 s + 0.2 s", 3.2), &drained),
        Row::new(
            "N6",
            "the same, `q` twice / SIGTERM",
            ("10 s", 10.0),
            ("0.5 s", 0.5),
            cancelled.as_secs_f64(),
            cancelled_text,
        ),
        Row::new("N7", "sessions left after these ways out", ("0", 0.0), ("0", 0.0), left as f64, killed_text),
    ]
}
