//! `pgwatch completions SHELL`.

use std::fmt::Write as _;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::args::Args;
use crate::config::views;

/// The completion script of a shell. It knows the views of pgwatch. The user's own views and the names of nodes are in
/// files that the script does not read.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_views(), "pgwatch", &mut script);
    if shell == Shell::Fish {
        // clap_complete completes no positional arguments for fish.
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
