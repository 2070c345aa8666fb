//! From YAML, libpq's environment and files to validated nodes.
//!
//! [`load`] reads a file, [`from_flags`] makes a dashboard without one. Both report all problems at once, as
//! [`Diagnostic`]s, and connect to nothing.

use std::path::Path;

pub mod alerts;
mod complete;
pub mod condition;
mod configuration;
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
mod service;
mod settings;
mod tunnel;
pub mod units;
pub mod views;
mod walk;
mod yaml;

pub use configuration::{Cluster, Config};
pub use diagnostic::{Diagnostic, Position};
pub(crate) use environment::name_of_account;
pub use environment::{Environment, default_path};
pub use flags::Flags;
pub(crate) use nearest::nearest;

/// Reads and checks the file at `path`; `cluster` is the value of `--cluster`. Blocks while it reads files.
///
/// # Errors
/// All problems of the file, in the order of its lines.
pub fn load(path: &Path, cluster: Option<&str>, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let text = read::text(path)
        .map_err(|(position, message)| vec![Diagnostic::new(path.display().to_string(), position, message)])?;
    from_text(&text, path, cluster, env)
}

/// Checks a text as [`load`] checks the file at `path`.
///
/// # Errors
/// As [`load`].
pub fn from_text(text: &str, path: &Path, cluster: Option<&str>, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    file::read(text, path, cluster, env)
}

/// A dashboard of one node without a file. As with psql, a connection string in `dbname` overrides the other
/// flags; what neither sets comes from `PGHOST` … and the socket of a local server.
///
/// # Errors
/// All problems of the flags and of libpq's environment.
pub fn from_flags(flags: &Flags, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    flags::read(flags, env)
}
