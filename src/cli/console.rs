//! What every subcommand does: reads the configuration, prints results and complaints, and says why it ends early.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use color_eyre::Report;

use super::args::Source;
use crate::config::alerts::Rules;
use crate::config::views::Views;
use crate::config::{self, Config, Diagnostic, Environment};
use crate::text::safe;
use crate::tui::output;

/// Why a command ends early.
pub(super) enum Exit {
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

/// The error of a command that has no node to ask.
pub(super) fn no_nodes(config: &Config) -> Exit {
    Exit::Wrong(match (&config.path, &config.cluster) {
        (Some(path), Some(cluster)) => format!("{}: cluster {} has no nodes", path.display(), cluster),
        (Some(path), None) => format!("{} names no nodes: add one under nodes:", path.display()),
        (None, _) => "no nodes are configured: name a file with --config FILE, or one node with --host HOST".to_owned(),
    })
}

/// Runs a future to its end on a runtime of its own. Its one thread serves the servers, while this one
/// runs the future. Blocking calls that hang (a name server, a disk) are abandoned.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
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
pub(super) fn load(source: &Source) -> Result<Config, Exit> {
    let config = configuration(source, &Environment::of_process()).map_err(|faults| Exit::Wrong(list(&faults)))?;
    for warning in &config.warnings {
        complain(&format!("warning: {warning}"));
    }
    Ok(config)
}

/// The views and the rules of alerts, with those of the user, and the faults of the user's own. The statements of other
/// clients are asked for only if they are to be shown.
pub(super) fn watched(env: &Environment, show_statements: bool) -> (Views, Rules, Vec<Diagnostic>) {
    let (mut views, mut faults) = config::views::load(env);
    if !show_statements {
        config::views::hide_statements(&mut views);
    }
    let (rules, more) = config::alerts::load(env, &views);
    faults.extend(more);
    (views, rules, faults)
}

pub(super) fn list(faults: &[Diagnostic]) -> String {
    let mut text = String::new();
    for fault in faults {
        // One line each, even if a name holds line breaks.
        let _ = writeln!(text, "{}", safe(&fault.to_string()));
    }
    text
}

pub(super) fn print(bytes: &[u8]) -> Result<(), Exit> {
    print_with(|out| out.write_all(bytes))
}

/// Writes to standard output. A reader that closed the pipe (`| head`) has what it wanted, so that is no error.
pub(super) fn print_with(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Exit> {
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
pub(super) fn complain(text: &str) {
    let mut lines = String::new();
    for line in text.trim_end().lines() {
        lines.push_str(&safe(line));
        lines.push('\n');
    }
    // There is no place left to report a failure.
    let _ = output::stderr().write_all(lines.as_bytes());
}
