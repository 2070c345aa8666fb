//! Opens the dashboard from the command line: applies flags to the configuration, opens the event log and the history,
//! and says how the file is read again.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use super::args::{DashboardOptions, Source, exit};
use super::console::{Exit, complain, configuration, watched};
use crate::config::{Config, Diagnostic, Environment};
use crate::model::NodeName;
use crate::model::protocol::LeaveReason;
use crate::run::{self, Reload, RunOptions};
use crate::store::event_log::EventLog;

/// Opens the dashboard and returns the exit code when it ends. If there is a `source`, its file is watched.
pub(super) async fn open(config: Config, options: &DashboardOptions, source: Option<&Source>) -> Result<u8, Exit> {
    let env = Environment::of_process();
    can_draw(&env)?;
    let config = with_flags(config, options);
    let names: Vec<NodeName> = config.nodes.iter().map(|node| node.name.clone()).collect();
    let event_log = options.event_log.as_deref().map(|path| env.expand(path));
    let event_log = event_log.as_deref().map(|path| EventLog::start(path, config.cluster.as_deref(), &names));
    let event_log = event_log.transpose().map_err(Exit::Wrong)?;
    let left = run::run(RunOptions {
        config,
        read_write: options.read_write,
        reload: source.map(|source| reload(source.clone(), options.clone())),
        views: Box::new(|show_statements| watched(&Environment::of_process(), show_statements)),
        history: history(&Environment::of_process()),
        tap: event_log.as_ref().map(EventLog::tap),
        changes: event_log.as_ref().map(EventLog::changes),
        troubles: event_log.as_ref().map(EventLog::failure),
    })
    .await;
    let reason = left.as_ref().map_or(LeaveReason::Error, |left| left.reason);
    if let Some(log) = event_log
        && let Some(text) = log.finish(reason).await
    {
        complain(&text);
    }
    left?;
    Ok(exit::OK)
}

/// Refuses a terminal whose `TERM` says that it can only print lines.
pub(super) fn can_draw(env: &Environment) -> Result<(), Exit> {
    let why = match env.filled_var("TERM") {
        Some("dumb") => "TERM is dumb: this terminal cannot show a full screen",
        None if io::stdout().is_terminal() => "TERM is not set: it is not known what this terminal can show",
        _ => return Ok(()),
    };
    Err(Exit::Wrong(format!(
        "{why}; set TERM (as in TERM=xterm-256color), or use `pgwatch status`, `query` and `view`"
    )))
}

/// The configuration, in which flags replace what the file says.
fn with_flags(mut config: Config, options: &DashboardOptions) -> Config {
    config.refresh = options.refresh.unwrap_or(config.refresh);
    config.theme = options.theme.clone().or(config.theme);
    if options.read_write {
        config.apply_read_write();
    }
    config
}

fn reload(source: Source, options: DashboardOptions) -> Reload {
    Box::new(move || -> Result<Config, Vec<Diagnostic>> {
        let config = configuration(&source, &Environment::of_process())?;
        Ok(with_flags(config, &options))
    })
}

/// `$XDG_STATE_HOME/pgwatch/history`, or `~/.local/state/pgwatch/history` without the variable.
fn history(env: &Environment) -> Option<PathBuf> {
    let base = env.filled_var("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(env.home()?.join(".local/state"))).map(|base| base.join("pgwatch/history"))
}
