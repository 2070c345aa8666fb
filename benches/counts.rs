//! `make counts`, second half: compares the counts of `benches/instructions` with the figures in `benches/kept.json`,
//! and fails if any grew by a tenth. `--bless` keeps the new figures.
//!
//! Blocks and bytes are the same with every compiler. Instructions are compared only with the compiler that is named
//! with them; with another one the table shows them, but they cause no failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails says so and ends")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

#[path = "../tests/support/here.rs"]
#[allow(unreachable_pub, reason = "shared with the tests")]
mod here;
#[path = "../tests/support/report.rs"]
#[allow(dead_code, unreachable_pub, reason = "a table is all that is wanted of it")]
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use pgwatch::text::count;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const KEPT: &str = "benches/kept.json";
/// How much a figure may grow, or shrink, before it must be looked at.
const MORE: f64 = 1.1;
const LESS: f64 = 0.9;

/// What one measurement costs.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Counts {
    instructions: u64,
    blocks: u64,
    bytes: u64,
}

/// The figures that were last kept, by the name of the measurement.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The compiler that the instructions were counted with.
    compiler: String,
    counts: BTreeMap<String, Counts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    AsKept,
    Less,
    /// One side of the comparison is missing.
    Unknown,
    More,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let file = args.iter().find(|arg| !arg.starts_with('-')).expect("the file with what was counted");
    let counted = read(&fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}")));
    let compiler = compiler();
    if args.iter().any(|arg| arg == "--bless") {
        keep(&Kept { compiler, counts: counted });
        println!("kept in {KEPT}");
        return ExitCode::SUCCESS;
    }
    let kept = fs::read_to_string(path()).unwrap_or_else(|error| panic!("{KEPT}: {error}"));
    let kept: Kept = serde_json::from_str(&kept).unwrap_or_else(|error| panic!("{KEPT}: {error}"));
    let same_compiler = kept.compiler == compiler;
    let verdict = compare(&kept.counts, &counted, same_compiler);
    if !same_compiler {
        here::not_run(
            "the comparison of instructions",
            &format!("those kept are of {}, these of {compiler}", kept.compiler),
        );
    }
    match verdict {
        Verdict::AsKept => println!("\nNothing changed by a tenth."),
        Verdict::Less => println!("\nSome cost less by a tenth: keep that with `make counts ARGS=--bless`."),
        Verdict::Unknown => println!("\nSome are new or gone: `make counts ARGS=--bless` keeps the others."),
        Verdict::More => println!("\nSome cost a tenth more. Where that is worth it: `make counts ARGS=--bless`."),
    }
    if verdict >= Verdict::Unknown { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/kept.json"))
}

/// Reads one JSON object per line and measurement, as gungraun prints them.
fn read(lines: &str) -> BTreeMap<String, Counts> {
    let mut all = BTreeMap::new();
    for line in lines.lines().filter(|line| line.starts_with('{')) {
        let summary: Value = serde_json::from_str(line).expect("a summary of gungraun");
        let word = |key: &str| summary[key].as_str().unwrap_or_default().to_owned();
        let total = |metric: &str| {
            let profiles = summary["profiles"].as_array().into_iter().flatten();
            let mut metrics = profiles.map(|profile| &profile["data"]["total"]["metrics"][metric]["values"]["new"]);
            metrics.find_map(Value::as_u64)
        };
        let name = format!("{} {}", word("function_name"), word("id"));
        let (instructions, blocks, bytes) = (total("Ir"), total("TotalBlocks"), total("TotalBytes"));
        let (Some(instructions @ 1..), Some(blocks), Some(bytes)) = (instructions, blocks, bytes) else {
            panic!("{name}: nothing was counted: {line}");
        };
        all.insert(name, Counts { instructions, blocks, bytes });
    }
    assert!(!all.is_empty(), "nothing was counted at all");
    all
}

/// The version of the compiler and its target.
fn compiler() -> String {
    let said = Command::new("rustc").arg("-vV").output().expect("rustc");
    let said = String::from_utf8_lossy(&said.stdout);
    let word = |label: &str| said.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    format!("rustc {} {}", word("release: "), word("host: "))
}

/// Writes one measurement per line, so that a change of one changes one line.
fn keep(kept: &Kept) {
    let line = |(name, counts): (&String, &Counts)| format!("    {}: {}", Value::from(name.as_str()), to_json(counts));
    let lines: Vec<String> = kept.counts.iter().map(line).collect();
    let compiler = Value::from(kept.compiler.as_str());
    let text = format!("{{\n  \"compiler\": {compiler},\n  \"counts\": {{\n{}\n  }}\n}}\n", lines.join(",\n"));
    fs::write(path(), text).unwrap_or_else(|error| panic!("{KEPT}: {error}"));
}

fn to_json(counts: &Counts) -> String {
    let Counts { instructions, blocks, bytes } = counts;
    format!("{{\"instructions\": {instructions}, \"blocks\": {blocks}, \"bytes\": {bytes}}}")
}

/// Prints the table and returns the worst verdict.
fn compare(kept: &BTreeMap<String, Counts>, counted: &BTreeMap<String, Counts>, same_compiler: bool) -> Verdict {
    let mut rows = Vec::new();
    let mut worst = Verdict::AsKept;
    for (name, now) in counted {
        let (verdict, cells) = match kept.get(name) {
            Some(before) => judge(*before, *now, same_compiler),
            None => (Verdict::Unknown, [now.instructions, now.blocks, now.bytes].map(count)),
        };
        worst = worst.max(verdict);
        let word = match verdict {
            Verdict::AsKept => "",
            Verdict::Less => "less",
            Verdict::Unknown => "**new**",
            Verdict::More => "**more**",
        };
        rows.push([std::slice::from_ref(name), cells.as_slice(), &[word.to_owned()]].concat());
    }
    for name in kept.keys().filter(|name| !counted.contains_key(*name)) {
        worst = worst.max(Verdict::Unknown);
        rows.push([name.as_str(), "", "", "", "**gone**"].map(str::to_owned).to_vec());
    }
    let head = ["what", "instructions", "blocks allocated", "bytes", ""];
    println!("{}", report::table(&head, rows.iter().map(Vec::as_slice)).trim_end());
    worst
}

/// Each figure with its ratio to the kept one.
fn judge(before: Counts, now: Counts, same_compiler: bool) -> (Verdict, [String; 3]) {
    let figures = [(before.instructions, now.instructions), (before.blocks, now.blocks), (before.bytes, now.bytes)];
    let ratio = |(before, now): (u64, u64)| if before == now { 1.0 } else { now as f64 / before as f64 };
    let judged = figures.iter().skip(usize::from(!same_compiler)).map(|figure| ratio(*figure));
    let verdict = judged.map(|ratio| match ratio {
        ratio if ratio > MORE => Verdict::More,
        ratio if ratio < LESS => Verdict::Less,
        _ => Verdict::AsKept,
    });
    let cells = figures.map(|figure| format!("{} ({:.3})", count(figure.1), ratio(figure)));
    (verdict.max().unwrap_or(Verdict::AsKept), cells)
}
