//! Texts made to overflow a stack, to fill the memory, or to take forever; and as many nodes as a file may have.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::in_time;
use crate::support::command::{err, out};

/// Runs `pgwatch check` on a text, with the stack of a thread and little memory: a stack overflow or an endless heap
/// ends the process by a signal.
fn check(text: &[u8]) -> (Output, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, text).unwrap();
    let limits = format!("ulimit -s 2048; ulimit -v {MEMORY_KB}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limits, env!("CARGO_BIN_EXE_pgwatch"), "check", "--config"]).arg(&path).env_clear();
    // Without HOME, pgwatch would read the account's own folder.
    command.env("USER", "oncall").env("HOME", folder.path());
    let started = Instant::now();
    let output = in_time("check", move || command.output().unwrap());
    (output, started.elapsed())
}

const MEMORY_KB: u32 = 2 << 20;

/// Texts made to overflow, to explode, or to take forever.
fn oversized_texts() -> Vec<(&'static str, Vec<u8>)> {
    let nested =
        |open: &str, close: &str, levels: usize| (open.repeat(levels) + "x" + &close.repeat(levels)).into_bytes();
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>().into_bytes();
    let bomb = |open: &str, close: &str, join: &str| {
        let mut text = format!("a0: &a0 {open}x: 1{close}\n");
        for level in 1..30 {
            let items: Vec<String> = (0..10).map(|at| format!("k{at}: *a{}", level - 1)).collect();
            writeln!(text, "a{level}: &a{level} {open}{}{close}", items.join(join)).unwrap();
        }
        text.into_bytes()
    };
    vec![
        ("100,000 levels of [", nested("[", "", 100_000)),
        ("100,000 levels of [, closed", nested("[", "]", 100_000)),
        ("100,000 levels of {a:", nested("{a: ", "}", 100_000)),
        ("4,900 levels of [", nested("[", "]", 4_900)),
        ("4,900 levels of {a:", nested("{a: ", "}", 4_900)),
        ("100,000 levels of -", nested("- ", "", 100_000)),
        ("100,000 levels of ? -", nested("? - ", "", 100_000)),
        ("2,800 levels of maps", lines(2_800, &|level| format!("{}a:\n", " ".repeat(level)))),
        ("2,800 levels of lists", lines(2_800, &|level| format!("{}-\n", " ".repeat(level)))),
        ("127 levels of [", nested("[", "]", 127)),
        ("127 levels of maps", lines(127, &|level| format!("{}a:\n", " ".repeat(level)))),
        ("an alias bomb of maps", bomb("{", "}", ", ")),
        ("an alias bomb of lists", bomb("[", "]", ", ")),
        ("an alias that holds itself", b"a: &a [*a]".to_vec()),
        (
            "merges of merges",
            lines(30, &|n| format!("a{n}: &a{n} {{<<: [{}]}}\n", vec![format!("*a{}", n.max(1) - 1); 20].join(", "))),
        ),
        ("a scalar of 4 MB", ["a: ".to_owned(), "x".repeat(4_000_000)].concat().into_bytes()),
        ("escapes of 1 MB", format!("a: \"{}\"", "\\x41".repeat(250_000)).into_bytes()),
        ("a quote that is not closed", ("a: \"".to_owned() + &"x\n".repeat(500_000)).into_bytes()),
        ("a plain text of many lines", ("a: ".to_owned() + &"b\n  ".repeat(100_000)).into_bytes()),
        ("comments", "#\n".repeat(300_000).into_bytes()),
        ("blank lines", "\n".repeat(500_000).into_bytes()),
        ("tabs", "\t".repeat(4_000_000).into_bytes()),
        (
            "a map on one line",
            format!("nodes: {{{}}}", String::from_utf8(lines(50_000, &|n| format!("a{n}: b,"))).unwrap()).into_bytes(),
        ),
        ("a list of a million", "- a\n".repeat(1_000_000).into_bytes()),
        ("a long list", ("nodes:\n".to_owned() + &"- a\n".repeat(100_000)).into_bytes()),
        ("a key many times", ("nodes:\n".to_owned() + &"  a: 1\n".repeat(60_000)).into_bytes()),
        ("50,000 unknown keys", lines(50_000, &|n| format!("k{n}: 1\n"))),
        ("colons", ":".repeat(1_000_000).into_bytes()),
        ("dashes", "-\n".repeat(200_000).into_bytes()),
        ("anchors", lines(50_000, &|n| format!("- &a{n} x\n"))),
        ("anchors behind a list", {
            let plain = lines(60_000, &|_| "- x\n".to_owned());
            [plain, lines(1_000, &|n| format!("- &a{n} x\n")), b"- *a1\n".to_vec()].concat()
        }),
        ("documents", "---\n".repeat(1_000_000).into_bytes()),
        ("tags", "!!a ".repeat(100_000).into_bytes()),
        ("variables", format!("x-a: \"{}\"", "${A:-b}".repeat(200_000)).into_bytes()),
        (
            "two names of a megabyte",
            format!("nodes: {{a: {{host: h}}}}\nclusters: {{c: {{nodes: [{}]}}}}", "a".repeat(1_000_000)).into_bytes(),
        ),
        ("a connection string of a megabyte", format!("nodes: {{a: 'host={}'}}", "h".repeat(1_000_000)).into_bytes()),
        ("50 MB", vec![b'x'; 50 << 20]),
        ("NUL", b"nodes:\0 {}".to_vec()),
        ("UTF-16", "nodes: {}\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("nothing", Vec::new()),
        ("carriage returns", "nodes:\r  a: 1\r".repeat(1000).into_bytes()),
    ]
}

#[test]
fn texts_made_to_break_a_reader_are_refused_within_bounds() {
    let mut slowest = (Duration::ZERO, "");
    for (what, text) in oversized_texts() {
        let (output, took) = check(&text);
        let code = output.status.code();
        let said: String = err(&output).chars().take(300).collect();
        assert!(matches!(code, Some(0 | 2)), "{what}: {:?} {said}", output.status);
        if code == Some(2) && text.len() < 4 << 20 {
            let place = said.split_once(".yaml:").map(|(_, rest)| rest.chars().next());
            assert!(place.flatten().is_some_and(|c| c.is_ascii_digit()), "{what}: no place in {said}");
        }
        slowest = slowest.max((took, what));
    }
    eprintln!("the slowest was {}: {:?}", slowest.1, slowest.0);
}

#[test]
fn ten_thousand_nodes_are_loaded_and_checked() {
    let mut text = "nodes:\n".to_owned();
    for n in 0..10_000 {
        writeln!(text, "  node-{n:05}: {{host: 127.0.0.1, port: 1, user: u}}").unwrap();
    }
    text.push_str("clusters:\n  all:\n    nodes:\n");
    (0..10_000).for_each(|n| writeln!(text, "      - node-{n:05}").unwrap());
    let (output, took) = check(text.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("10000 of its nodes in cluster all"));
    eprintln!("10,000 nodes are checked in {took:?}");
    // None of these nodes exists. Each gets its own line, with a hint for as many as a person may read.
    let (output, took) = check(text.replace("- node-", "- nod-").as_bytes());
    assert_eq!((output.status.code(), err(&output).lines().count()), (Some(2), 10_000));
    eprintln!("10,000 wrong names are told in {took:?}");
    let (output, _) = check((text + "  x: {nodes: []}\n").replacen("node-00000:", "node-10001:", 1).as_bytes());
    assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));
}
