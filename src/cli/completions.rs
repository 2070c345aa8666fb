//! `pgwatch completions SHELL`.

use std::fmt::Write as _;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::args::Args;
use crate::config::views;

/// The completion script of a shell. It knows the views of pgwatch; those of the user and the names of nodes stand in
/// files that no script reads.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_views(), "pgwatch", &mut script);
    if shell == Shell::Fish {
        // clap_complete writes no arguments for fish.
        let names: Vec<&str> = views::ours().keys().map(String::as_str).collect();
        let mut line = String::new();
        let condition = "__fish_pgwatch_using_subcommand view";
        let _ = writeln!(line, "complete -c pgwatch -n \"{condition}\" -f -a \"{}\"", names.join(" "));
        script.extend(line.into_bytes());
    }
    script
}

fn with_views() -> Command {
    let names: Vec<PossibleValue> = views::ours().keys().map(|name| PossibleValue::new(name.as_str())).collect();
    Args::command()
        .mut_subcommand("view", |view| view.mut_arg("name", |name| name.value_parser(PossibleValuesParser::new(names))))
}
