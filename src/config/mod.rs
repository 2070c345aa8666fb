//! From YAML, libpq's environment and files to validated nodes.
//!
//! [`load`] reads a file, [`from_flags`] makes a dashboard without one. Both tell every problem at once, as
//! [`Diagnostic`]s, and connect to nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{ColorRole, NodeConfig, NodeName, Rgb, Thresholds};

pub mod alerts;
pub mod condition;
pub mod conninfo;
mod diagnostic;
mod environment;
mod file;
mod flags;
mod interpolate;
mod libpq;
mod nearest;
mod node;
pub mod passfile;
mod read;
mod report;
mod service;
mod settings;
pub mod units;
pub mod views;
mod walk;
mod yaml;

pub use diagnostic::{Diagnostic, Position};
pub use environment::Environment;
pub(crate) use nearest::nearest;

/// A validated configuration. `default()` is the empty start: no file, no node.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from: what is watched.
    pub path: Option<PathBuf>,
    /// The nodes of the chosen cluster, in the order of the file.
    pub nodes: Vec<NodeConfig>,
    /// What a node added by hand begins with: `defaults:` and libpq's environment.
    pub template: NodeConfig,
    /// The chosen cluster; `None` where the file has no clusters.
    pub cluster: Option<String>,
    pub clusters: Vec<Cluster>,
    /// How often the figures on the screen are asked for.
    pub refresh: Duration,
    /// How long a query of the user may take.
    pub query_timeout: Duration,
    /// How long leaving may take at most.
    pub shutdown_timeout: Duration,
    /// One of [`crate::model::THEMES`], if the file names one.
    pub theme: Option<String>,
    /// Colours that replace the theme's.
    pub colors: Vec<(ColorRole, Rgb)>,
    pub thresholds: Thresholds,
    /// What is odd without being wrong: to be shown, once.
    pub warnings: Vec<Diagnostic>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: None,
            nodes: Vec::new(),
            template: NodeConfig::new(NodeName::default(), "localhost"),
            cluster: None,
            clusters: Vec::new(),
            refresh: Duration::from_secs(1),
            query_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(10),
            theme: None,
            colors: Vec::new(),
            thresholds: Thresholds::default(),
            warnings: Vec::new(),
        }
    }
}

/// A group of nodes that `--cluster` can pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub name: String,
    pub nodes: Vec<NodeName>,
    pub default: bool,
}

/// `--host`, `--port`, `--user` and `--dbname`: they mean what they mean to psql.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// A host, an address or the folder of a unix socket.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    /// A database, or a whole connection string.
    pub dbname: Option<String>,
}

impl Flags {
    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `$XDG_CONFIG_HOME/pgwatch/config.yaml`, `~/.config/pgwatch/config.yaml` without the variable. It need not exist.
pub fn default_path(env: &Environment) -> Option<PathBuf> {
    // The XDG rules say that a relative path there is to be ignored.
    let base = env.filled_var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(env.home()?.join(".config"))).map(|base| base.join("pgwatch/config.yaml"))
}

/// Reads and checks the file at `path`; `cluster` is the `--cluster` of the command line. Blocks while it reads files.
///
/// # Errors
/// Every problem of the file, in the order of its lines.
pub fn load(path: &Path, cluster: Option<&str>, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let text = text_of(path)
        .map_err(|(position, message)| vec![Diagnostic::new(path.display().to_string(), position, message)])?;
    from_text(&text, path, cluster, env)
}

/// Checks a text as if it were read from the file at `path`.
///
/// # Errors
/// As [`load`].
pub fn from_text(text: &str, path: &Path, cluster: Option<&str>, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    file::read(text, path, cluster, env)
}

/// The text of a file, or what keeps it from being one.
fn text_of(path: &Path) -> Result<String, (Option<Position>, String)> {
    let bytes = read::whole(path).map_err(|message| (None, message))?;
    String::from_utf8(bytes).map_err(|error| {
        let before =
            String::from_utf8_lossy(error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default())
                .into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(1, |last| last.chars().count() + 1);
        (Some(Position { line, column }), "this is not UTF-8 text: save the file as UTF-8".to_owned())
    })
}

/// A dashboard of one node without a file. As with psql, a connection string in `dbname` is stronger than the
/// other flags, and `PGHOST` ... and the socket of a local server stand behind them.
///
/// # Errors
/// What is wrong with the flags or libpq's environment.
pub fn from_flags(flags: &Flags, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    flags::read(flags, env)
}

impl Config {
    /// No file and no node, in these surroundings.
    pub fn empty(env: &Environment) -> Self {
        Self { template: settings::Settings::default().template(env), ..Self::default() }
    }

    /// `--read-write`: our sessions may write, but on a node whose `read_only: true` stands in the file.
    pub fn apply_read_write(&mut self) {
        for node in self.nodes.iter_mut().chain([&mut self.template]) {
            node.read_only.get_or_insert(false);
        }
    }
}
