//! The command line: parse, dispatch, print the error, exit code.

fn main() {}
