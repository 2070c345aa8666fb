//! docs/peers.md and its excerpt in the README: pgwatch and its peers, all measured in one run.

use std::time::Duration;

use crate::readings::{Readings, time};
use crate::support::report::{seconds, table};
use crate::tools::{Leaving, Quit, Tool, Trouble, Troubles};
use crate::trouble::BACK;

/// A figure of the table of costs: its name and its format.
type Figure = (&'static str, fn(&Readings) -> String);

const COSTS: [Figure; 10] = [
    ("first data", |of| time(of.median("first data"))),
    ("memory (RSS), MB", |of| format!("{:.1}", of.median("resident"))),
    ("memory not shared (PSS), MB", |of| format!("{:.1}", of.median("proportional"))),
    ("processor, % of a core", |of| format!("{:.2}", of.median("processor"))),
    ("bytes to the terminal a second", |of| format!("{:.0}", of.median("bytes"))),
    ("statements a second", |of| format!("{:.1}", of.median("statements"))),
    ("server: executing them, ms a second", |of| format!("{:.2}", of.median("executing, ms"))),
    ("server: processor, ms a second", |of| format!("{:.2}", of.median("server, ms"))),
    ("sessions held", |of| format!("{:.0}", of.median("sessions"))),
    ("new sessions a second", |of| format!("{:.1}", of.median("new sessions"))),
];
/// The figures that the README shows.
const TELLING: [&str; 5] = [
    "memory (RSS), MB",
    "processor, % of a core",
    "bytes to the terminal a second",
    "statements a second",
    "server: processor, ms a second",
];

/// The whole page.
pub fn page(tools: &[Tool]) -> String {
    let costs = beside(tools, &COSTS.map(|(what, of)| (what, Cell::Cost(of))));
    let parts = [
        started(tools),
        format!("### What it costs\n\n{costs}"),
        format!("### The server is killed\n\n{}", in_trouble(tools, killed)),
        format!("### The server is frozen\n\n{}", in_trouble(tools, frozen)),
        format!("### The terminal after it\n\n{}", after_it(tools)),
    ];
    parts.join("\n")
}

/// How each tool was started, or why it was not.
fn started(tools: &[Tool]) -> String {
    let lines = tools.iter().map(|tool| vec![tool.name.to_owned(), tool.version.clone(), code(tool.command)]);
    let table = rows(&["tool", "version", "started as"], lines);
    let missing = tools.iter().filter_map(|tool| Some((tool.name, tool.program.as_ref().err()?)));
    let missing = missing.map(|(name, why)| format!("\n{name} was not measured: {why}\n"));
    let parts: Vec<String> = [table].into_iter().chain(missing).collect();
    parts.concat()
}

fn in_trouble(tools: &[Tool], of: fn(&Troubles) -> &Trouble) -> String {
    let head = ["tool", "what the screen says", "`q` meanwhile", "back by itself, after it is over"];
    let cells: [fn(&Trouble) -> String; 3] = [screen, quit, back];
    rows(&head, tools.iter().map(|tool| line(tool, |troubles, cell| cell(of(troubles)), &cells)))
}

fn after_it(tools: &[Tool]) -> String {
    let cells: [fn(&Leaving) -> String; 2] = [by_key, by_signal];
    let lines = tools.iter().map(|tool| line(tool, |troubles, cell| cell(&troubles.leaving), &cells));
    rows(&["tool", "the key to quit", "SIGTERM"], lines)
}

/// A line with the tool's name and its results, or dashes if there are none.
fn line<C>(tool: &Tool, write: impl Fn(&Troubles, &C) -> String, cells: &[C]) -> Vec<String> {
    let of = |cell| tool.troubles.as_ref().map_or("–".to_owned(), |troubles| write(troubles, cell));
    [tool.name.to_owned()].into_iter().chain(cells.iter().map(of)).collect()
}

/// The excerpt for the README.
pub fn excerpt(tools: &[Tool]) -> String {
    let costs = COSTS.into_iter().filter(|(what, _)| TELLING.contains(what));
    let mut figures: Vec<(&str, Cell)> = costs.map(|(what, of)| (what, Cell::Cost(of))).collect();
    figures.extend([
        ("server killed: the screen says so after", Cell::Trouble(|of| told_after(&of.killed))),
        ("server frozen: the screen says so after", Cell::Trouble(|of| told_after(&of.frozen))),
        ("server frozen: `q` quits", Cell::Trouble(|of| quit(&of.frozen))),
        ("killed server is back: shown after", Cell::Trouble(|of| back(&of.killed))),
        ("terminal restored after SIGTERM", Cell::Trouble(|of| yes(of.leaving.signal.is_ok()))),
    ]);
    beside(tools, &figures)
}

#[derive(Clone, Copy)]
enum Cell {
    Cost(fn(&Readings) -> String),
    Trouble(fn(&Troubles) -> String),
}

/// A table with a row per figure and a column per tool.
fn beside(tools: &[Tool], figures: &[(&str, Cell)]) -> String {
    let lines = figures.iter().map(|(what, cell)| {
        let cells = tools.iter().map(|tool| match cell {
            Cell::Cost(of) if tool.program.is_ok() => of(&tool.readings),
            Cell::Trouble(of) => tool.troubles.as_ref().map_or("–".to_owned(), of),
            Cell::Cost(_) => "–".to_owned(),
        });
        [(*what).to_owned()].into_iter().chain(cells).collect()
    });
    let head: Vec<&str> = [""].into_iter().chain(tools.iter().map(|tool| tool.name)).collect();
    rows(&head, lines)
}

fn rows(head: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let lines: Vec<Vec<String>> = lines.collect();
    table(head, lines.iter().map(Vec::as_slice))
}

fn killed(of: &Troubles) -> &Trouble {
    &of.killed
}

fn frozen(of: &Troubles) -> &Trouble {
    &of.frozen
}

fn screen(trouble: &Trouble) -> String {
    match (&trouble.ended, &trouble.told) {
        (Some((how, after)), Some((line, _))) => format!("it ends ({how}) after {}: {}", seconds(*after), code(line)),
        (Some((how, after)), None) => format!("it ends ({how}) after {}", seconds(*after)),
        (None, Some((line, after))) => format!("{} after {}", code(line), seconds(*after)),
        (None, None) if trouble.drew => "nothing, and goes on drawing".to_owned(),
        (None, None) => "nothing, not a byte".to_owned(),
    }
}

fn told_after(trouble: &Trouble) -> String {
    match (&trouble.told, &trouble.ended) {
        (_, Some((_, after))) => format!("ends, {}", seconds(*after)),
        (Some((_, after)), None) => seconds(*after),
        (None, None) => "never".to_owned(),
    }
}

fn quit(trouble: &Trouble) -> String {
    match trouble.quit {
        Quit::Key(took) => format!("yes, {}", seconds(took)),
        Quit::CtrlC(took) => format!("no; Ctrl-C, {}", seconds(took)),
        Quit::CtrlCTwice(took) => format!("no; Ctrl-C twice, {}", seconds(took)),
        Quit::No => "no, nor Ctrl-C".to_owned(),
        Quit::Ended => "it had ended".to_owned(),
    }
}

fn back(trouble: &Trouble) -> String {
    trouble.back.map_or(format!("no ({} s)", BACK.as_secs()), seconds)
}

fn by_key(leaving: &Leaving) -> String {
    let took = leaving.took.map_or("–".to_owned(), |took: Duration| seconds(took));
    format!("{took}, {}", as_it_was(&leaving.key))
}

fn by_signal(leaving: &Leaving) -> String {
    as_it_was(&leaving.signal)
}

fn as_it_was(restored: &Result<(), String>) -> String {
    match restored {
        Ok(()) => "as it was".to_owned(),
        Err(faults) => faults.clone(),
    }
}

fn yes(holds: bool) -> String {
    if holds { "yes" } else { "no" }.to_owned()
}

fn code(text: &str) -> String {
    format!("`{text}`")
}
