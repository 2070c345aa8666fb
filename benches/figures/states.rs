//! N1, N2, N3, N13: how soon the screen shows what is so.

use std::time::{Duration, Instant};

use vt100::Screen;

use crate::cost::pass;
use crate::support::pty::Tui;
use crate::support::report::{median, seconds, spread};
use crate::support::wait::PATIENCE;
use crate::table::Row;
use crate::{MAX_CONNECTIONS, Rig};

const TRIALS: usize = 8;
/// Of the probes.
const INTERVAL: Duration = Duration::from_secs(1);

fn up(count: usize) -> impl Fn(&Screen) -> bool {
    let text = format!("● {count} ");
    move |screen| screen.rows(0, 120).next().is_some_and(|header| header.contains(&text))
}

fn down(screen: &Screen) -> bool {
    screen.rows(0, 120).next().is_some_and(|header| header.contains("✖ 1"))
}

fn open(path: &str) -> Tui {
    Tui::start(&["--config", path], 120, 40, &[])
}

/// Presses `q` and waits for the end, so that nothing of it disturbs what is measured next.
pub fn leave(mut tui: Tui) {
    tui.press("q");
    tui.wait_exit(PATIENCE);
}

pub fn start(rig: &Rig) -> Vec<Row> {
    let time = |nodes: usize, seen: &dyn Fn(&Screen) -> bool| {
        let config = rig.config(nodes);
        let mut samples: Vec<Duration> = (0..TRIALS)
            .map(|_| {
                let begin = Instant::now();
                let tui = open(&config.path());
                tui.wait_for("the nodes", PATIENCE, seen);
                let took = begin.elapsed();
                leave(tui);
                took
            })
            .collect();
        (median(&mut samples).as_secs_f64(), spread(&mut samples))
    };
    let (twenty, twenty_text) = time(20, &up(20));
    let of_max = format!("/{MAX_CONNECTIONS}");
    let (one, one_text) = time(1, &|screen| screen.contents().contains(&of_max));
    vec![
        Row::new("N1", "start to 20 nodes connected, on the screen", ("5 s", 5.0), ("0.5 s", 0.5), twenty, twenty_text),
        Row::new("N1", "start to the first figures of one node", ("0.5 s", 0.5), ("60 ms", 0.06), one, one_text),
    ]
}

pub fn killed(rig: &Rig) -> Vec<Row> {
    let config = rig.config(3);
    let tui = open(&config.path());
    tui.wait_for("three nodes", PATIENCE, up(3));
    let standby = rig.cluster.server("standby1");
    let (mut seen, mut back) = (Vec::new(), Vec::new());
    for _ in 0..TRIALS {
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
    let (worst_seen, worst_back) = (max(&seen), max(&back));
    vec![
        Row::new("N2", "kill -9 to ✖ on the screen", ("2 s", 2.0), ("0.3 s", 0.3), worst_seen, spread(&mut seen)),
        Row::new(
            "N13",
            "accepts again to ● on the screen",
            ("31 s", 31.0),
            ("2 s", 2.0),
            worst_back,
            spread(&mut back),
        ),
    ]
}

pub fn frozen(rig: &Rig) -> Vec<Row> {
    let config = rig.config(3);
    let tui = open(&config.path());
    tui.wait_for("three nodes", PATIENCE, up(3));
    let standby = rig.cluster.server("standby1");
    let mut seen = Vec::new();
    let mut thawed = Vec::new();
    for _ in 0..TRIALS {
        let begin = Instant::now();
        standby.freeze().expect("frozen");
        tui.wait_for("it is down", PATIENCE, down);
        seen.push(begin.elapsed());
        standby.thaw().expect("thawed");
        let answers = Instant::now();
        tui.wait_for("it is back", PATIENCE, up(3));
        thawed.push(answers.elapsed());
        // A node that is lost again at once counts as flapping, and is left alone for longer.
        pass(2 * INTERVAL);
    }
    leave(tui);
    let (worst, worst_thawed) = (max(&seen), max(&thawed));
    let after = format!("{}; thawed, back after {}", spread(&mut seen), seconds(Duration::from_secs_f64(worst_thawed)));
    vec![Row::new("N3", "freeze (SIGSTOP) to ✖ on the screen", ("2 s", 2.0), ("1.5 s", 1.5), worst, after)]
}

fn max(samples: &[Duration]) -> f64 {
    samples.iter().max().map_or(f64::NAN, Duration::as_secs_f64)
}
