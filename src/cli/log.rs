//! `--log FILE`: what pgwatch itself does, for whoever looks for a fault. Only ever into a file, never to the terminal,
//! and of what `PGWATCH_LOG` asks for (`info` of our own code without it).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// The variable that says how much is logged, in the language of `tracing-subscriber`'s filters.
const FILTER: &str = "PGWATCH_LOG";

/// Opens a file to be appended to that only its owner can read: logs name hosts, roles and databases.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Starts logging for the whole process.
///
/// # Errors
/// A text for people: the file cannot be opened, or the filter is wrong.
pub(super) fn start(path: &Path) -> Result<(), String> {
    let file = open_private(path).map_err(|error| format!("--log {}: {error}", path.display()))?;
    let filter = match std::env::var(FILTER) {
        Ok(text) => EnvFilter::try_new(&text)
            .map_err(|error| format!("{FILTER}={text}: {error}; write a level (debug) or module=level,..."))?,
        Err(_) => EnvFilter::new("pgwatch=info"),
    };
    tracing_subscriber::fmt()
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .with_env_filter(filter)
        .try_init()
        .map_err(|error| format!("--log {}: {error}", path.display()))
}
