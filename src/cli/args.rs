//! The command line as types: every flag, its help text, and what a wrong one exits with.
#![allow(clippy::doc_markdown, reason = "the comments on flags are their help texts, where backticks would be noise")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::config::{Flags, conninfo, units};
use crate::model::THEMES;

/// Exit codes are a promise to scripts (`machine output` in the README).
pub mod exit {
    use tokio::signal::unix::SignalKind;

    pub const OK: u8 = 0;
    /// Something failed while running; for `query`, some node did not answer.
    pub const FAILED: u8 = 1;
    /// Wrong file or usage.
    pub const USAGE: u8 = 2;
    /// What monitoring systems call *unknown*: `status` could not even ask.
    pub const UNKNOWN: u8 = 3;

    /// Ended by a signal, in the way that shells number it.
    pub fn signalled(signal: SignalKind) -> u8 {
        128 + signal.as_raw_value() as u8
    }
}

pub(super) const EXAMPLES: &str = "\
Examples:
  pgwatch --config cluster.yaml                      open the dashboard
  pgwatch --config cluster.yaml --cluster staging    watch one cluster of the file
  pgwatch --host db1 --user monitor --dbname app     watch one node, without a file
  pgwatch check --config cluster.yaml                validate the file
  pgwatch status --config cluster.yaml               print every node's health once, for monitoring
  pgwatch query --config cluster.yaml 'select 1'     run one statement on all nodes at once
  pgwatch view --config cluster.yaml locks           show which sessions block which, on all nodes
  pgwatch demo                                       try the dashboard on a throw-away cluster

Without --config, pgwatch reads $XDG_CONFIG_HOME/pgwatch/config.yaml (~/.config/pgwatch/config.yaml). Without that \
file, the dashboard starts empty and offers to add a node. Passwords come from the file, PGPASSWORD, ~/.pgpass or a \
password_command, which is told its node by PGHOST, PGUSER and PGWATCH_NODE. There is no flag for a password, because every user of the machine can read the process list.

If a node does not connect, `pgwatch status` prints the reason and a remedy. `--log FILE` with \
PGWATCH_LOG=pgwatch=debug records more.";

const QUERY_HELP: &str = "\
Examples:
  pgwatch query -c cluster.yaml 'select count(*) from orders'
  pgwatch query -c cluster.yaml --nodes primary,replica-1 --format csv 'show all'
  echo 'show work_mem' | pgwatch query -c cluster.yaml --format json -

The statement runs on all nodes at the same time. It is read-only unless --read-write is given, and always on nodes \
with read_only: true in the file. Output is printed when every node has answered, failed or timed out, in the order of \
the file. With csv and table, errors and notices go to standard error as they arrive. If nodes return different columns, \
csv has one header with all of them and leaves missing values empty; table prints one table for each set of columns.

Exit codes: 0 every node answered, 1 some node did not, 2 invalid file or usage.";

const VIEW_HELP: &str = "\
Examples:
  pgwatch view --list
  pgwatch view -c cluster.yaml activity
  pgwatch view -c cluster.yaml slots --format json
  pgwatch view -c cluster.yaml io --interval 10s --format csv
  pgwatch view -c cluster.yaml settings --diff

Views are files: the built-in ones, and your own in $XDG_CONFIG_HOME/pgwatch/views (see docs/views.md). JSON and csv \
contain every column; the table has those that the dashboard shows at first. Rates need two answers, --interval apart.

Exit codes: 0 every node answered, 1 some node did not, 2 invalid file or usage.";

const STATUS_HELP: &str = "\
Connects to all nodes at once and waits at most for their connect_timeout.

Exit codes, as for monitoring plugins: 0 all nodes healthy and no alerts, 1 a degraded node or a warning, 2 a node \
that is down or a critical alert, 3 unknown (invalid file or usage).";

/// Every user of a machine can list its processes with their arguments.
const PASSWORD: &str = "every user of this machine can read a password on the command line: put it in the configuration \
                        file, ~/.pgpass or PGPASSWORD, and pass the connection string without it to --dbname";

/// A dashboard for a whole cluster of PostgreSQL servers: health, activity, alerts, and one query on all nodes
#[derive(Debug, Clone, Parser)]
#[command(name = "pgwatch", version, after_long_help = EXAMPLES, max_term_width = 110, subcommand_value_name = "COMMAND")]
pub struct Args {
    #[command(flatten)]
    pub source: Source,
    /// Append pgwatch's own log to FILE; PGWATCH_LOG sets the level, as in `pgwatch=debug`
    #[arg(long, value_name = "FILE", global = true)]
    pub log: Option<PathBuf>,
    #[command(flatten)]
    pub dashboard: DashboardOptions,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the nodes come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Source {
    /// Configuration file [default: $XDG_CONFIG_HOME/pgwatch/config.yaml]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["host", "port", "user", "dbname"])]
    pub config: Option<PathBuf>,
    /// Cluster to watch [default: the one marked as default in the file, otherwise the first]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["host", "port", "user", "dbname"])]
    pub cluster: Option<String>,
    /// Watch one node without a file: host name, address or socket directory
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Port of that node [default: PGPORT, otherwise 5432]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Role to connect as [default: PGUSER, otherwise your user name]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Database name, or a connection string [default: PGDATABASE, otherwise the role's name]
    #[arg(long, value_name = "NAME")]
    pub dbname: Option<String>,
}

impl Source {
    /// The flags that make a dashboard without a file.
    pub fn flags(&self) -> Flags {
        Flags { host: self.host.clone(), port: self.port, user: self.user.clone(), dbname: self.dbname.clone() }
    }

    /// Fills what is missing here from the flags before the subcommand.
    fn or(self, outer: Self) -> Self {
        Self {
            config: self.config.or(outer.config),
            cluster: self.cluster.or(outer.cluster),
            host: self.host.or(outer.host),
            port: self.port.or(outer.port),
            user: self.user.or(outer.user),
            dbname: self.dbname.or(outer.dbname),
        }
    }
}

/// What only the full-screen dashboard takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Dashboard")]
pub struct DashboardOptions {
    /// Refresh interval, 250ms to 1m [default: from the file, otherwise 1s]
    #[arg(long, value_name = "DURATION", value_parser = refresh)]
    pub refresh: Option<Duration>,
    /// Colour theme [default: from the file, otherwise dark]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(THEMES))]
    pub theme: Option<String>,
    /// Allow queries to write, except on nodes with `read_only: true` in the file
    #[arg(long)]
    pub read_write: bool,
    /// Append every event to FILE as one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub event_log: Option<PathBuf>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Validate the configuration without connecting; report every error with its line and column
    Check {
        #[command(flatten)]
        source: Source,
    },
    /// Print the health and alerts of all nodes once; the exit code is for monitoring
    #[command(after_help = STATUS_HELP)]
    Status {
        #[command(flatten)]
        source: Source,
        #[arg(long, value_enum, default_value_t)]
        format: StatusFormat,
    },
    /// Run one statement on all nodes at the same time
    #[command(after_help = QUERY_HELP)]
    Query(QueryArgs),
    /// Print one view over all nodes: sessions, locks, slots, statements, tables and others
    #[command(after_help = VIEW_HELP)]
    View(ViewArgs),
    /// Open the dashboard on a throw-away cluster, started from the installed PostgreSQL programs
    Demo {
        /// Also kill, freeze and restart a standby from time to time
        #[arg(long)]
        fault: bool,
        #[command(flatten)]
        dashboard: DashboardOptions,
    },
    /// Print the completion script of a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
}

#[derive(Debug, Clone, clap::Args)]
pub struct QueryArgs {
    #[command(flatten)]
    pub source: Source,
    /// Only on these nodes [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub nodes: Vec<String>,
    /// Cancel the statement after this time [default: query_timeout of the file, otherwise 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Maximum number of rows from each node
    #[arg(long, value_name = "N", default_value = "10000", value_parser = max_rows)]
    pub max_rows: usize,
    /// Allow the statement to write, except on nodes with `read_only: true` in the file
    #[arg(long)]
    pub read_write: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: QueryFormat,
    /// The statement; `-` reads it from standard input
    #[arg(value_name = "SQL", allow_hyphen_values = true)]
    pub sql: String,
}

#[derive(Debug, Clone, clap::Args)]
pub struct ViewArgs {
    #[command(flatten)]
    pub source: Source,
    /// Only on these nodes [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub nodes: Vec<String>,
    /// Time between the two answers that rates are computed from
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    /// Print only the rows that differ between nodes (views that compare nodes)
    #[arg(long)]
    pub diff: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: QueryFormat,
    /// List all views with a description
    #[arg(long)]
    pub list: bool,
    /// Name of the view
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    #[default]
    Table,
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    #[default]
    Table,
    Json,
    Csv,
}

/// A command line that runs nothing: a wrong one, `--help` or `--version`.
#[derive(Debug)]
pub struct Unparsed {
    pub error: clap::Error,
    pub code: u8,
}

/// Parses the command line, the program's name first.
///
/// # Errors
/// A wrong command line, `--help` and `--version`: print the error and exit with the code.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, Unparsed> {
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = Args::try_parse_from(&args).and_then(Args::settle);
    let parsed = if tells_password(&args, parsed.as_ref().ok()) { Err(conflict(PASSWORD)) } else { parsed };
    parsed.map_err(|error| Unparsed { code: exit_code(&error, &args), error })
}

/// True if a connection string among the arguments has a password, which no message may repeat. Statements are
/// not searched.
fn tells_password(args: &[OsString], parsed: Option<&Args>) -> bool {
    let statement = parsed.and_then(|args| match &args.command {
        Some(Command::Query(query)) => Some(query.sql.as_str()),
        _ => None,
    });
    let mut texts = args.iter().filter_map(|arg| arg.to_str()).filter(|arg| Some(*arg) != statement);
    texts.any(conninfo::holds_password)
}

impl Args {
    /// Flags may precede the subcommand too. Those that the subcommand does not know are refused, not dropped.
    fn settle(mut self) -> Result<Self, clap::Error> {
        let outer = std::mem::take(&mut self.source);
        let Some(command) = &mut self.command else {
            self.source = outer;
            return Ok(self);
        };
        if self.dashboard != DashboardOptions::default() {
            return Err(conflict(
                "--refresh, --theme, --read-write and --event-log must follow a command that takes them",
            ));
        }
        match command {
            Command::Check { source }
            | Command::Status { source, .. }
            | Command::Query(QueryArgs { source, .. })
            | Command::View(ViewArgs { source, .. }) => {
                let merged = std::mem::take(source).or(outer);
                if !merged.flags().is_empty() && (merged.config.is_some() || merged.cluster.is_some()) {
                    return Err(conflict(
                        "--config and --cluster cannot be combined with --host, --port, --user or --dbname",
                    ));
                }
                *source = merged;
            }
            Command::Demo { .. } | Command::Completions { .. } | Command::Man if outer != Source::default() => {
                return Err(conflict(
                    "this command connects to no configured node: remove --config, --cluster, --host, --port, --user and --dbname",
                ));
            }
            Command::Demo { .. } | Command::Completions { .. } | Command::Man => {}
        }
        Ok(self)
    }
}

fn conflict(text: &str) -> clap::Error {
    Args::command().error(ErrorKind::ArgumentConflict, text)
}

/// clap's own codes (0 for help, 2 for the rest), but 3 if the command was `status`.
fn exit_code(error: &clap::Error, args: &[OsString]) -> u8 {
    if !error.use_stderr() {
        return exit::OK;
    }
    let lenient = Args::command().ignore_errors(true).try_get_matches_from(args);
    let is_status = lenient.is_ok_and(|matches| matches.subcommand_name() == Some("status"));
    if is_status { exit::UNKNOWN } else { exit::USAGE }
}

fn duration(text: &str) -> Result<Duration, String> {
    units::parse_duration(text).filter(|d| !d.is_zero()).ok_or_else(|| units::DURATION_FORMS.to_owned())
}

fn refresh(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if (Duration::from_millis(250)..=Duration::from_mins(1)).contains(&every) {
        Ok(every)
    } else {
        Err("the refresh interval must be between 250ms and 1m".to_owned())
    }
}

fn max_rows(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|rows| *rows > 0).ok_or_else(|| "expected a whole number of 1 or more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Args, Unparsed> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn clap_accepts_its_own_definition() {
        Args::command().debug_assert();
    }

    #[test]
    fn wrong_usage_exits_with_2_and_with_3_for_status() {
        for (line, code) in [
            ("pgwatch --bogus", 2),
            ("pgwatch --config a --host b", 2),
            ("pgwatch --config a query --host b x", 2),
            ("pgwatch query", 2),
            ("pgwatch query --format xml x", 2),
            ("pgwatch query --max-rows 0 x", 2),
            ("pgwatch --refresh 1ms", 2),
            ("pgwatch --refresh 1s check", 2),
            ("pgwatch man --config a", 2),
            ("pgwatch --config a demo", 2),
            ("pgwatch frobnicate", 2),
            ("pgwatch postgres://u:p@h/d", 2),
            ("pgwatch --config postgres://u:p@h/d", 2),
            ("pgwatch status --dbname postgres://u:p@h/d", 3),
            ("pgwatch status --bogus", 3),
            ("pgwatch --config a status --format csv", 3),
            ("pgwatch status --port 0", 3),
            ("pgwatch status extra", 3),
            ("pgwatch --help", 0),
            ("pgwatch status --help", 0),
            ("pgwatch --version", 0),
        ] {
            assert_eq!(parse_words(line).unwrap_err().code, code, "{line}");
        }
    }

    #[test]
    fn flags_before_the_subcommand_count_too() {
        let args = parse_words("pgwatch -c a.yaml --log l query --cluster b --nodes x,y --timeout 250ms -").unwrap();
        let Some(Command::Query(query)) = args.command else { panic!("not a query") };
        assert_eq!(query.source.config, Some(PathBuf::from("a.yaml")));
        assert_eq!(query.source.cluster.as_deref(), Some("b"));
        assert_eq!(query.nodes, ["x", "y"]);
        assert_eq!((query.timeout, query.max_rows), (Some(Duration::from_millis(250)), 10_000));
        assert_eq!((query.sql.as_str(), args.log), ("-", Some(PathBuf::from("l"))));
    }

    #[test]
    fn a_statement_may_begin_with_a_comment() {
        let args = parse(["pgwatch", "query", "-- why\nselect 1"].map(OsString::from)).unwrap();
        assert!(matches!(args.command, Some(Command::Query(query)) if query.sql == "-- why\nselect 1"));
        let sql = "select dblink('host=h password=p', '')";
        assert!(parse(["pgwatch", "query", sql].map(OsString::from)).is_ok(), "a statement is the user's business");
    }
}
