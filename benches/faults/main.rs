//! `make faults`: all faults of a server or of the network to it, made for real on a primary with two standbys under
//! load, and judged from outside by the event log and the screen. Each fault is a row of the table: how soon it is
//! seen, what is reported, how soon it is over, its effect on the other nodes and the keys, and what leaving during it
//! leaves behind.
//!
//! Words as arguments (`freeze 'link down'`) select the faults whose names contain one of them; `--trials 3`, `--lanes
//! 4` (trials in parallel, where timing is not tight), `--minutes 2` (without a fault), `--seed N`, `--list`. The exit
//! code is 1 if a limit is exceeded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails says so and ends")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod arguments;
mod desk;
mod disk;
mod fault;
mod log;
mod many;
mod mute;
mod namespace;
mod network;
mod process;
mod quiet;
mod refusals;
mod roles;
mod row;
mod stage;
#[path = "../../tests/support/mod.rs"]
mod support;
mod trial;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use arguments::Arguments;
use fault::Fault;
use quiet::QUIET;
use row::{Findings, HEAD, Row};
use stage::Stage;
use support::report::{keep, machine, table};

fn faults() -> Vec<Fault> {
    let families: [&[Fault]; 6] =
        [&process::FAULTS, &network::FAULTS, &refusals::FAULTS, &disk::FAULTS, &roles::FAULTS, &many::FAULTS];
    families.concat()
}

/// Trials of a fault on one stage.
#[derive(Clone, Copy)]
struct Part {
    /// The index of the fault.
    fault: usize,
    trials: usize,
    /// True if it ends by leaving during the fault.
    leaves: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::of_program();
    if arguments.list {
        let names = faults().into_iter().map(|fault| fault.name).chain(QUIET.map(|(name, ..)| name));
        names.for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let network = match namespace::enter() {
        Ok(()) => "packets dropped and links cut in a network namespace of the command's own".to_owned(),
        Err(why) => format!("no network namespace ({why}): a proxy spoils the connections instead"),
    };
    eprintln!("{network}; seed {}", arguments.seed);
    let begin = Instant::now();
    let rows = run(&arguments);
    if rows.is_empty() {
        eprintln!("no fault has such a name: --list tells them");
        return ExitCode::FAILURE;
    }
    let minutes = begin.elapsed().as_secs().div_ceil(60);
    let text = format!(
        "{}\n{} trials a fault in {minutes} minutes; {network}. {}.\n",
        table(&HEAD, rows.iter().map(|row| row.cells.as_slice())),
        arguments.trials,
        machine()
    );
    println!("{text}");
    if arguments.is_whole() {
        keep("docs/reliability.md", "faults", &text);
    }
    if rows.iter().all(|row| row.holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the selected faults; returns the rows in the order of the list.
fn run(arguments: &Arguments) -> Vec<Row> {
    let faults: Vec<Fault> = faults().into_iter().filter(|fault| arguments.names(fault.name)).collect();
    let mut rows: Vec<Option<Row>> = faults.iter().map(impossible).collect();
    let wanted: Vec<usize> = (0..faults.len()).filter(|at| rows[*at].is_none()).collect();
    let (alone, beside): (Vec<usize>, Vec<usize>) = wanted.into_iter().partition(|at| faults[*at].alone);
    for (wanted, lanes) in [(alone, 1), (beside, arguments.lanes)] {
        let parts = wanted.iter().flat_map(|at| parts(*at, &faults[*at], arguments.trials)).collect();
        for (at, found) in play_all(&faults, parts, lanes, arguments.seed) {
            rows[at] = Some(Row::of(&faults[at], &found));
        }
    }
    let mut rows: Vec<Row> = rows.into_iter().flatten().collect();
    for (name, busy, share) in QUIET.into_iter().filter(|(name, ..)| arguments.names(name)) {
        let row = quiet::run(name, busy, arguments.minutes.div_ceil(share));
        eprintln!("| {} |", row.cells.join(" | "));
        rows.push(row);
    }
    rows
}

fn impossible(fault: &Fault) -> Option<Row> {
    (fault.possible)().err().map(|why| Row::impossible(fault.name, &why))
}

fn parts(at: usize, fault: &Fault, trials: usize) -> Vec<Part> {
    let most = fault.trials_a_stage();
    let mut parts: Vec<Part> = (0..trials)
        .step_by(most)
        .map(|done| Part { fault: at, trials: most.min(trials - done), leaves: false })
        .collect();
    if fault.once {
        parts.push(Part { fault: at, trials: 0, leaves: true });
    } else if let Some(last) = parts.last_mut() {
        last.leaves = true;
    }
    parts
}

/// How long a new dashboard gets to learn the usual connect time, as setting up stages in parallel keeps the machine
/// busy.
const SETTLE: Duration = Duration::from_secs(13);

/// Runs the parts in `lanes` parallel lanes, each with its own stage; returns the findings per fault.
fn play_all(faults: &[Fault], parts: Vec<Part>, lanes: usize, seed: u64) -> Vec<(usize, Findings)> {
    let mut found: Vec<(usize, usize, Findings)> = Vec::new();
    for part in &parts {
        match found.iter_mut().find(|(at, ..)| *at == part.fault) {
            Some((_, open, _)) => *open += 1,
            None => found.push((part.fault, 1, Findings::default())),
        }
    }
    // The longest ones first, so that the lanes end together.
    let mut parts: Vec<Part> = parts;
    parts.sort_by_key(|part| std::cmp::Reverse(faults[part.fault].longest()));
    let (queue, found) = (Mutex::new(VecDeque::from(parts)), Mutex::new(found));
    std::thread::scope(|scope| {
        for lane in 0..lanes as u64 {
            let (queue, found) = (&queue, &found);
            scope.spawn(move || {
                fastrand::seed(seed.wrapping_add(lane));
                loop {
                    let Some(part) = queue.lock().unwrap().pop_front() else { return };
                    let fault = &faults[part.fault];
                    let played = play(fault, part, if lanes > 1 { SETTLE } else { Duration::ZERO });
                    let mut found = found.lock().unwrap();
                    let (_, open, all) = found.iter_mut().find(|(at, ..)| *at == part.fault).unwrap();
                    all.add(played);
                    *open -= 1;
                    if *open == 0 {
                        tell(fault, all);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap().into_iter().map(|(at, _, found)| (at, found)).collect()
}

/// Runs a part. A failure is part of the findings, and the others continue.
fn play(fault: &Fault, part: Part, settle: Duration) -> Findings {
    let mut found = Findings::default();
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut stage = Stage::new(&(fault.set)());
        stage.desk.pass(settle);
        for _ in 0..part.trials {
            found.trials.push(trial::run(fault, &mut stage));
        }
        if part.trials > 0 {
            found.missed += trial::missed_elsewhere(&mut stage);
        }
        if part.leaves {
            found.leavings.push(trial::leave(fault, stage));
        }
    }));
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        found.broken.push(text.lines().next().unwrap_or_default().to_owned());
    }
    found
}

fn tell(fault: &Fault, found: &Findings) {
    let row = Row::of(fault, found);
    eprintln!("| {} |", row.cells.join(" | "));
    for trial in found.trials.iter().filter(|trial| !row::faults_of(fault, trial).is_empty()) {
        eprintln!("    {}", trial.story);
    }
}
