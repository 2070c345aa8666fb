//! The command line: parses, dispatches, prints results and errors, and chooses the exit code.
//!
//! Standard output carries the result of a command and nothing else; everything else goes to standard error.

mod alerts;
pub mod args;
mod check;
mod completions;
mod dashboard;
mod demo;
mod log;
mod man;
mod query;
mod status;
mod view;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use color_eyre::Report;
use color_eyre::config::{HookBuilder, Theme};

use crate::config::alerts::Rules;
use crate::config::views::Views;
use crate::config::{self, Config, Diagnostic, Environment};
use crate::text::safe;
use crate::tui::output;
use args::{Args, Command, Source, exit};

/// Why a command ends early.
enum Exit {
    /// A wrong file or usage: a text that ends in a remedy.
    Wrong(String),
    /// Something failed while running: a text that ends in a remedy.
    Failed(String),
    /// An error that no command foresees.
    Unexpected(Report),
}

impl<E: Into<Report>> From<E> for Exit {
    fn from(error: E) -> Self {
        Self::Unexpected(error.into())
    }
}

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

/// The error of a command that has no node to ask.
fn no_nodes(config: &Config) -> Exit {
    Exit::Wrong(match (&config.path, &config.cluster) {
        (Some(path), Some(cluster)) => format!("{}: cluster {} has no nodes", path.display(), cluster),
        (Some(path), None) => format!("{} names no nodes: add one under nodes:", path.display()),
        (None, _) => "no nodes are configured: name a file with --config FILE, or one node with --host HOST".to_owned(),
    })
}

/// Runs a future to its end on a runtime of its own. It has two threads, so that one can probe while the other is busy
/// with rows. Blocking calls that hang (a name server, a disk) are abandoned.
fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(outcome)
}

/// The configuration that the command line asks for: that of the flags, of the file it names, of the default file, or
/// an empty one.
///
/// # Errors
/// All faults of the configuration.
pub fn configuration(source: &Source, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let flags = source.flags();
    if !flags.is_empty() {
        return config::from_flags(&flags, env);
    }
    let cluster = source.cluster.as_deref();
    if let Some(path) = &source.config {
        return config::load(&env.expand(path), cluster, env);
    }
    match config::default_path(env).filter(|path| path.exists()) {
        Some(path) => config::load(&path, cluster, env),
        None => match cluster {
            None => Ok(Config::empty(env)),
            Some(_) => Err(vec![Diagnostic::new(
                "--cluster",
                None,
                "clusters are defined in a configuration file: name one with --config FILE",
            )]),
        },
    }
}

/// The configuration, after printing its warnings. If it is wrong, the error lists all its faults.
fn load(source: &Source) -> Result<Config, Exit> {
    let config = configuration(source, &Environment::of_process()).map_err(|faults| Exit::Wrong(list(&faults)))?;
    for warning in &config.warnings {
        complain(&format!("warning: {warning}"));
    }
    Ok(config)
}

/// The views and the rules of alerts, with those of the user, and the faults of the user's own.
fn watched(env: &Environment) -> (Views, Rules, Vec<Diagnostic>) {
    let (views, mut faults) = config::views::load(env);
    let (rules, more) = config::alerts::load(env, &views);
    faults.extend(more);
    (views, rules, faults)
}

fn list(faults: &[Diagnostic]) -> String {
    let mut text = String::new();
    for fault in faults {
        // One line each, even if a name holds line breaks.
        let _ = writeln!(text, "{}", safe(&fault.to_string()));
    }
    text
}

fn print(bytes: &[u8]) -> Result<(), Exit> {
    print_with(|out| out.write_all(bytes))
}

/// Writes to standard output. A reader that closed the pipe (`| head`) has what it wanted, so that is no error.
fn print_with(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Exit> {
    let mut out = io::BufWriter::with_capacity(1 << 16, output::stdout());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::Failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes lines to standard error, made safe for a terminal: they may quote a file or a server. The caller makes quoted
/// text with line breaks safe first, or part of it could pass for a line of ours.
fn complain(text: &str) {
    let mut lines = String::new();
    for line in text.trim_end().lines() {
        lines.push_str(&safe(line));
        lines.push('\n');
    }
    // There is no place left to report a failure.
    let _ = output::stderr().write_all(lines.as_bytes());
}
