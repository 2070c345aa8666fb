//! The validated configuration, whether it comes from a file, from flags or from neither.

use std::path::PathBuf;
use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::environment::Environment;
use super::settings::Settings;
use crate::model::{ColorRole, NodeConfig, NodeName, Rgb, Thresholds};

/// A validated configuration. `default()` is the empty start: neither a file nor a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from, which is watched for changes.
    pub path: Option<PathBuf>,
    /// The nodes of the chosen cluster, in the order of the file.
    pub nodes: Vec<NodeConfig>,
    /// The initial values of a node that is added by hand: `defaults:` and libpq's environment.
    pub template: NodeConfig,
    /// The chosen cluster; `None` if the file has no clusters.
    pub cluster: Option<String>,
    /// All clusters of the file, in its order.
    pub clusters: Vec<Cluster>,
    /// How often the figures on the screen are asked for.
    pub refresh: Duration,
    /// How long a query of the user may take.
    pub query_timeout: Duration,
    /// How long leaving may take.
    pub shutdown_timeout: Duration,
    /// False if the statements of other clients are not to be shown.
    pub show_statements: bool,
    /// One of [`crate::model::THEMES`], if the file names one.
    pub theme: Option<String>,
    /// Colours that replace the theme's.
    pub colors: Vec<(ColorRole, Rgb)>,
    /// The limits of the file, or the defaults.
    pub thresholds: Thresholds,
    /// What is odd without being wrong. To be shown once.
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
            show_statements: true,
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
    /// The name that `--cluster` takes.
    pub name: String,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<NodeName>,
    /// True if it is chosen where `--cluster` is not given.
    pub default: bool,
}

impl Config {
    /// Neither a file nor a node; the template comes from the environment.
    pub fn empty(env: &Environment) -> Self {
        Self { template: Settings::default().template(env), ..Self::default() }
    }

    /// `--read-write`: our sessions may write, except on nodes with `read_only: true` in the file.
    pub fn apply_read_write(&mut self) {
        for node in self.nodes.iter_mut().chain([&mut self.template]) {
            node.read_only.get_or_insert(false);
        }
    }
}
