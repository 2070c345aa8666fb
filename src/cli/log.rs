//! `--log FILE`: what pgwatch itself does, for finding faults. It goes into the file only, never to the
//! terminal. `PGWATCH_LOG` says what is logged (without it, `info` of our own code).

use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::store::files::{fault, open_private};

/// The variable that sets what is logged, in the syntax of `tracing-subscriber`'s filters.
const FILTER: &str = "PGWATCH_LOG";

/// Starts logging for the whole process.
///
/// # Errors
/// A text for people: the file cannot be opened, or the filter is wrong.
pub(super) fn start(path: &Path) -> Result<(), String> {
    let file = open_private(path).map_err(|error| fault("--log", path, &error))?;
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
        .map_err(|error| fault("--log", path, &io::Error::other(error)))
}
