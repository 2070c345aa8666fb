//! Records what a test cannot run on this machine. The test says so at once; `make test` lists all of it at its end.

use std::fs::OpenOptions;
use std::io::{self, Write as _};

/// `make test` removes this file before the tests and reads it after them.
const FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/not-run");

/// Says that a test, or a part of one, was not run, and why.
///
/// # Panics
/// If the file cannot be written: nothing is skipped silently.
pub fn not_run(what: &str, why: &str) {
    let line = format!("not run here: {what}: {why}\n");
    // Not with `eprintln!`: the test harness hides its output unless the test fails.
    let _ = io::stderr().write_all(line.as_bytes());
    let mut file = OpenOptions::new().create(true).append(true).open(FILE).expect(FILE);
    file.write_all(line.as_bytes()).expect(FILE);
}
