//! `pgwatch completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Args;

/// The completion script of a shell.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "pgwatch", &mut script);
    script
}
