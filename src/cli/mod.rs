//! The command line: parses, dispatches, prints results and errors, and chooses the exit code.
//!
//! Standard output carries the result of a command and nothing else; everything else goes to standard error.

mod alerts;
pub mod args;
mod check;
mod completions;
mod console;
mod dashboard;
mod demo;
mod log;
mod man;
mod query;
mod status;
mod view;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use color_eyre::config::{HookBuilder, Theme};

use crate::config::Environment;
use crate::tui::output;
use args::{Args, Command, exit};
use console::{Exit, block_on, complain, load, print};

pub use console::configuration;

/// The whole program. Returns when everything is closed and the terminal is restored.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let code = match args::parse(args) {
        Ok(args) => run(args),
        Err(unparsed) => {
            if unparsed.error.use_stderr() {
                // The text quotes what was typed or pasted.
                complain(&unparsed.error.render().to_string());
            } else if io::stdout().is_terminal() {
                let _ = unparsed.error.print();
            } else {
                // A reader that has closed the pipe has what it wanted.
                let _ = output::stdout().write_all(unparsed.error.render().to_string().as_bytes());
            }
            unparsed.code
        }
    };
    ExitCode::from(code)
}

fn run(args: Args) -> u8 {
    let is_status = matches!(args.command, Some(Command::Status { .. }));
    match plain_reports().map_err(Exit::from).and_then(|()| dispatch(args)) {
        Ok(code) => code,
        Err(Exit::Wrong(text)) => {
            complain(&text);
            if is_status { exit::UNKNOWN } else { exit::USAGE }
        }
        Err(Exit::Failed(text)) => {
            complain(&text);
            if is_status { exit::UNKNOWN } else { exit::FAILED }
        }
        Err(Exit::Unexpected(report)) => {
            // One line with all causes. The place in our code would not help a user.
            complain(&format!("{report:#}"));
            if is_status { exit::UNKNOWN } else { exit::FAILED }
        }
    }
}

/// Reports of unexpected errors are plain text: they pass through [`complain`], which shows escape sequences instead of
/// obeying them.
fn plain_reports() -> color_eyre::Result<()> {
    HookBuilder::default().theme(Theme::new()).install()
}

fn dispatch(args: Args) -> Result<u8, Exit> {
    if let Some(path) = &args.log {
        log::start(&Environment::of_process().expand(path)).map_err(Exit::Wrong)?;
    }
    match args.command {
        None => block_on(dashboard::open(load(&args.source)?, &args.dashboard, Some(&args.source)))?,
        Some(Command::Check { source }) => check::run(&source),
        Some(Command::Status { source, format }) => status::run(&source, format),
        Some(Command::Query(args)) => query::run(&args),
        Some(Command::View(args)) => view::run(&args),
        Some(Command::Demo { fault, dashboard }) => demo::run(fault, &dashboard),
        Some(Command::Completions { shell }) => print(&completions::script(shell)).map(|()| exit::OK),
        Some(Command::Man) => print(&man::page()?).map(|()| exit::OK),
    }
}
