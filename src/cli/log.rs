//! `--log FILE`: what pgwatch itself does, for whoever looks for a fault. Only ever into a file, never to the terminal,
//! and of what `PGWATCH_LOG` asks for (`info` of our own code without it).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::text::safe;

/// The variable that says how much is logged, in the language of `tracing-subscriber`'s filters.
const FILTER: &str = "PGWATCH_LOG";

/// Opens a file to be appended to that only its owner can read: logs name hosts, roles and databases. It waits for
/// nobody, neither here nor while it writes: a pipe that nobody reads is an error, one that is full drops what comes.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(nonblocking).open(path)
}

/// Why a log cannot be opened or written: a line for people.
pub(super) fn fault(flag: &str, path: &Path, error: &io::Error) -> String {
    let path = path.display().to_string();
    let why = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NXIO) => "it is a pipe without a reader".to_owned(),
        _ => error.to_string(),
    };
    format!("{flag} {}: {why}", safe(&path))
}

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
