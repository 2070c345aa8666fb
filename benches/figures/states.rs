//! N1, N2, N3, N13: how soon the screen shows the true state.

use std::time::{Duration, Instant};

use vt100::Screen;

use crate::readings::{Readings, time};
use crate::rig::{MAX_CONNECTIONS, Rig, pass};
use crate::support::pty::Tui;
use crate::support::wait::PATIENCE;
use crate::table::Row;

const STARTS: usize = 5;
/// Two probe intervals before the next fault, as a node that is soon lost again counts as flapping and is left alone
/// for longer.
const CALM: Duration = Duration::from_secs(2);

pub fn up(count: usize) -> impl Fn(&Screen) -> bool {
    let text = format!("● {count} ");
    move |screen| screen.rows(0, 120).next().is_some_and(|header| header.contains(&text))
}

fn down(screen: &Screen) -> bool {
    screen.rows(0, 120).next().is_some_and(|header| header.contains("✖ 1"))
}

pub fn open(path: &str) -> Tui {
    Tui::start(&["--config", path], 120, 40, &[])
}

/// Presses `q` and waits for the end, so that this does not disturb the next measurement.
pub fn leave(mut tui: Tui) {
    tui.press("q");
    tui.wait_exit(PATIENCE);
}

pub fn start(rig: &Rig, readings: &mut Readings) {
    let times = |nodes: usize, seen: &dyn Fn(&Screen) -> bool| {
        let config = rig.config(nodes);
        let times = (0..STARTS).map(|_| {
            let begin = Instant::now();
            let tui = open(&config.path());
            tui.wait_for("the nodes", PATIENCE, seen);
            let took = begin.elapsed();
            leave(tui);
            took
        });
        times.collect::<Vec<_>>()
    };
    let of_max = format!("/{MAX_CONNECTIONS}");
    readings.add_times("start of 20", times(20, &up(20)));
    readings.add_times("start of one", times(1, &|screen| screen.contents().contains(&of_max)));
}

pub fn start_rows(readings: &Readings) -> Vec<Row> {
    let row = |what, must, goal, figure| Row::time("N1", what, must, goal, readings, figure);
    vec![
        row("start to 20 nodes connected, on the screen", ("5 s", 5.0), ("0.5 s", 0.5), "start of 20"),
        row("start to the first figures of one node", ("0.5 s", 0.5), ("60 ms", 0.06), "start of one"),
    ]
}

pub fn killed(rig: &Rig, readings: &mut Readings) {
    let config = rig.config(3);
    let tui = open(&config.path());
    tui.wait_for("three nodes", PATIENCE, up(3));
    let standby = rig.cluster.server("standby1");
    let (mut seen, mut back) = (Vec::new(), Vec::new());
    for _ in 0..rig.plan.faults {
        pass(CALM);
        let begin = Instant::now();
        standby.kill().expect("killed");
        tui.wait_for("it is down", PATIENCE, down);
        seen.push(begin.elapsed());
        standby.start().expect("started again");
        let accepts = Instant::now();
        tui.wait_for("it is back", PATIENCE, up(3));
        back.push(accepts.elapsed());
    }
    leave(tui);
    readings.add_times("killed", seen);
    readings.add_times("back", back);
}

pub fn killed_rows(readings: &Readings) -> Vec<Row> {
    let row = |id, what, must, goal, figure| Row::time(id, what, must, goal, readings, figure);
    vec![
        row("N2", "kill -9 to ✖ on the screen", ("2 s", 2.0), ("0.3 s", 0.3), "killed"),
        row("N13", "accepts again to ● on the screen", ("2 s", 2.0), ("1 s", 1.0), "back"),
    ]
}

pub fn frozen(rig: &Rig, readings: &mut Readings) {
    let config = rig.config(3);
    let tui = open(&config.path());
    tui.wait_for("three nodes", PATIENCE, up(3));
    let standby = rig.cluster.server("standby1");
    let (mut seen, mut thawed) = (Vec::new(), Vec::new());
    for _ in 0..rig.plan.faults {
        pass(CALM);
        let begin = Instant::now();
        standby.freeze().expect("frozen");
        tui.wait_for("it is down", PATIENCE, down);
        seen.push(begin.elapsed());
        standby.thaw().expect("thawed");
        let answers = Instant::now();
        tui.wait_for("it is back", PATIENCE, up(3));
        thawed.push(answers.elapsed());
    }
    leave(tui);
    readings.add_times("frozen", seen);
    readings.add_times("thawed", thawed);
}

pub fn frozen_rows(readings: &Readings) -> Vec<Row> {
    let what = "freeze (SIGSTOP) to ✖ on the screen";
    let mut row = Row::time("N3", what, ("2 s", 2.0), ("1.5 s", 1.5), readings, "frozen");
    row.measured = format!("{}; thawed, back after {}", row.measured, time(readings.median("thawed")));
    vec![row]
}
