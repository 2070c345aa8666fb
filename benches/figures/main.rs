//! `make bench`: the figures that users ask for, measured on a real primary with two standbys, three times in one run,
//! each with its limit and its goal; and next to them those of other tools, measured in the same run. Takes about
//! twenty minutes and then updates the tables in README.md and docs/peers.md. `N2 N9` runs only those figures, `peers`
//! only the comparison (which updates docs/peers.md), `quick` everything once without updating a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails says so and ends")]
#![allow(clippy::float_cmp, reason = "a count of none is exactly 0")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod cost;
mod keys;
mod leaving;
mod meter;
mod page;
mod queries;
mod readings;
mod rig;
mod states;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod tools;
mod trouble;

use readings::{Plan, Readings};
use rig::Rig;
use support::report::{keep, machine};
use table::{Row, figures};
use tools::{SLEEPER, Session, Tool};

/// A group of figures with the same set-up: their numbers, a function that measures them once, and one for their rows.
struct Part {
    ids: &'static [&'static str],
    measure: fn(&Rig, &mut Readings),
    rows: fn(&Readings) -> Vec<Row>,
}

const PARTS: [Part; 8] = [
    Part { ids: &["N1"], measure: states::start, rows: states::start_rows },
    Part { ids: &["N2", "N13"], measure: states::killed, rows: states::killed_rows },
    Part { ids: &["N3"], measure: states::frozen, rows: states::frozen_rows },
    Part { ids: &["N4"], measure: queries::parallel, rows: queries::parallel_rows },
    Part { ids: &["N5"], measure: queries::add_and_remove, rows: queries::add_and_remove_rows },
    Part { ids: &["N6", "N7"], measure: leaving::leaving, rows: leaving::leaving_rows },
    Part { ids: &["N8", "N10"], measure: keys::keys, rows: keys::rows },
    Part { ids: &["N9"], measure: cost::twenty, rows: cost::twenty_rows },
];
/// The figures of pgwatch with one node, measured like those of its peers.
const ONE_NODE: [&str; 3] = ["N9", "N11", "N12"];

/// What the arguments select; all figures if they name none.
struct Wanted {
    names: Vec<String>,
    quick: bool,
}

impl Wanted {
    fn from_args() -> Self {
        let (mut names, mut quick) = (Vec::new(), false);
        for arg in std::env::args().skip(1) {
            match arg.as_str() {
                // Passed by cargo.
                "--bench" => {}
                "quick" => quick = true,
                _ => names.push(arg),
            }
        }
        let known = |name: &String| name == "peers" || ONE_NODE.contains(&name.as_str()) || part_of(name);
        if let Some(name) = names.iter().find(|name| !known(name)) {
            panic!("{name} is none of N1 to N13, peers, quick");
        }
        Self { names, quick }
    }

    fn all(&self) -> bool {
        self.names.is_empty()
    }

    fn any(&self, ids: &[&str]) -> bool {
        self.all() || self.names.iter().any(|name| ids.contains(&name.as_str()))
    }
}

fn part_of(name: &str) -> bool {
    PARTS.iter().any(|part| part.ids.contains(&name))
}

fn main() {
    let wanted = Wanted::from_args();
    let rig = Rig::start(if wanted.quick { Plan::QUICK } else { Plan::FULL });
    tools::prepare(&rig);
    let parts: Vec<&Part> = PARTS.iter().filter(|part| wanted.any(part.ids)).collect();
    let mut readings: Vec<Readings> = parts.iter().map(|_| Readings::default()).collect();
    let (peers, one_node) = (wanted.any(&["peers"]), wanted.any(&ONE_NODE));
    let mut tools = tools::all();
    tools.truncate(if peers { tools.len() } else { usize::from(one_node) });

    for run in 1..=rig.plan.runs {
        for (part, readings) in parts.iter().zip(&mut readings) {
            eprintln!("run {run} of {}: {}", rig.plan.runs, part.ids.join(", "));
            (part.measure)(&rig, readings);
        }
        costs(&rig, run, &mut tools);
    }
    let mut rows: Vec<Row> = parts.iter().zip(&readings).flat_map(|(part, readings)| (part.rows)(readings)).collect();
    if one_node {
        rows.extend(one_node_rows(&tools));
    }
    let figures = figures(rows);
    println!("{figures}");
    if peers {
        troubles(&rig, &mut tools);
        println!("{}", page::page(&tools));
    }
    println!("{}", measured_on());
    if peers && !wanted.quick {
        keep("docs/peers.md", "peers", &format!("{}\n\n{}", measured_on(), page::page(&tools)));
    }
    if wanted.all() && !wanted.quick {
        keep("README.md", "bench", &for_the_readme(&figures, &tools));
    }
}

/// Measures the cost of each tool once.
fn costs(rig: &Rig, run: usize, tools: &mut [Tool]) {
    let _sleeper = (!tools.is_empty()).then(|| Session::start(rig.cluster.primary(), SLEEPER));
    for tool in tools.iter_mut().filter(|tool| tool.program.is_ok()) {
        eprintln!("run {run} of {}: {} on one node", rig.plan.runs, tool.name);
        let mut readings = std::mem::take(&mut tool.readings);
        if let Err(why) = cost::one_node(rig, tool, &mut readings) {
            tool.failed(why);
        }
        tool.readings = readings;
    }
}

fn troubles(rig: &Rig, tools: &mut [Tool]) {
    for tool in tools.iter_mut().filter(|tool| tool.program.is_ok()) {
        eprintln!("{} in trouble", tool.name);
        match trouble::measure(rig, tool) {
            Ok(troubles) => tool.troubles = Some(troubles),
            Err(why) => tool.failed(why),
        }
    }
}

/// The first of the tools is pgwatch.
fn one_node_rows(tools: &[Tool]) -> Vec<Row> {
    let Some((pgwatch, peers)) = tools.split_first() else { return Vec::new() };
    let peers = peers.iter().filter(|peer| peer.full_screen && peer.program.is_ok());
    cost::one_node_rows(&pgwatch.readings, &peers.map(|peer| &peer.readings).collect::<Vec<_>>())
}

fn measured_on() -> String {
    format!("Measured on {}: {}.", jiff::Zoned::now().date(), machine())
}

fn for_the_readme(figures: &str, tools: &[Tool]) -> String {
    format!(
        "`make bench` measures these on a real primary with two standbys, three times in one run. *Must* is the promised \
         limit, compared with the worst of all trials;\n*goal* is the target, compared with the median. {}\n\n\
         {figures}\n\
         Compared with other tools, each watching the same idle primary with a refresh of one second \
         ([method and details](docs/peers.md)):\n\n{}",
        measured_on(),
        page::excerpt(tools)
    )
}
