//! Valid files after some damage, and lines of YAML in any order.

use std::fs;
use std::path::PathBuf;

use pgwatch::config;
use proptest::prelude::*;

use super::{environment, in_time};

/// Loads bytes as a file; each fault must point to a place in it.
fn load(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, bytes).unwrap();
    let shown = path.display().to_string();
    let loaded = in_time("a file", move || config::load(&path, None, &environment()));
    let Err(faults) = loaded else { return Ok(()) };
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let bad = faults.iter().find(|fault| {
        let inside = fault.position.is_some_and(|at| (1..=lines).contains(&at.line) && at.column > 0);
        fault.file != shown || !inside || fault.message.trim().is_empty()
    });
    match bad {
        Some(fault) => Err(format!("{fault:?} of {lines} lines")),
        None if faults.is_empty() => Err("refused without a word".to_owned()),
        None => Ok(()),
    }
}

/// Files to begin with: all cases of the configuration's own tests, and the example.
fn sound() -> Vec<Vec<u8>> {
    let cases = fs::read_dir("tests/config/cases").unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = cases.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    paths.push("config/cluster.example.yaml".into());
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Bytes that turn up in files, or that change their meaning.
const SPLINTERS: &[&[u8]] = &[
    b"\t",
    b"\r\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"\x1b[2J",
    b"\x85",
    b"\xe2\x80\xa8",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!str ",
    b"!x ",
    b"---\n",
    b"...\n",
    b"%YAML 1.2\n",
    b"? ",
    b": ",
    b"- ",
    b"|\n",
    b">-\n",
    b"[",
    b"]",
    b"{",
    b"}",
    b"'",
    b"\"",
    b"\\",
    b"#",
    b"${SET}",
    b"${NOT",
    b"$$",
    b"nodes:",
    b"  ",
    b"\n",
    b"@",
    b"`",
    b",",
    b"~",
    b"1e400",
];

#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, usize),
    Repeat(usize, usize),
    Swap(usize, usize),
    Drop(usize),
    Indent(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), 0..SPLINTERS.len()).prop_map(|(at, what)| Change::Insert(at, what)),
        (any::<usize>(), 1..40_usize).prop_map(|(line, times)| Change::Repeat(line, times)),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Change::Swap(a, b)),
        any::<usize>().prop_map(Change::Drop),
        (any::<usize>(), 0..20_usize).prop_map(|(line, blanks)| Change::Indent(line, blanks)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let place = |at: usize| at % bytes.len();
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let count = lines.len();
    match *change {
        Change::Flip(at, bits) => {
            let at = place(at);
            bytes[at] ^= bits;
            return;
        }
        Change::Cut(at) => return bytes.truncate(at % bytes.len()),
        Change::Insert(at, what) => {
            let at = place(at);
            bytes.splice(at..at, SPLINTERS[what].iter().copied());
            return;
        }
        Change::Repeat(line, times) => {
            let line = line % count;
            let copy = lines[line].clone();
            lines.splice(line..line, std::iter::repeat_n(copy, times));
        }
        Change::Swap(a, b) => lines.swap(a % count, b % count),
        Change::Drop(line) => drop(lines.remove(line % count)),
        Change::Indent(line, blanks) => {
            lines[line % count].splice(0..0, std::iter::repeat_n(b' ', blanks));
        }
    }
    *bytes = lines.concat();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_file_that_went_wrong_is_read_or_refused_at_a_place(
        base in proptest::sample::select(sound()), changes in proptest::collection::vec(change(), 1..6),
    ) {
        let mut bytes = base;
        for change in &changes {
            apply(&mut bytes, change);
        }
        if let Err(fault) = load(&bytes) {
            prop_assert!(false, "{}\n{}", fault, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn lines_of_yaml_in_any_order_are_read_or_refused_at_a_place(
        lines in proptest::collection::vec(
            " {0,6}(- |\\? )?(nodes|defaults|clusters|theme|a|b|<<|\"q\"|&x a|\\*x|!t)?(: |:)?(\\*x|&x|\\[a, b\\]|\\{a: \\*x\\}|\\||'a|5s|~|\\$\\{SET\\}|é| #c)?", 0..14,
        ),
    ) {
        let text = lines.join("\n");
        if let Err(fault) = load(text.as_bytes()) {
            prop_assert!(false, "{}\n{}", fault, text);
        }
    }
}
