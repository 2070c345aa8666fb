//! The command line: parse, dispatch, print the error, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgwatch::cli::main(std::env::args_os())
}
