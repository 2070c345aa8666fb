//! A temporary real PostgreSQL cluster, for `pgwatch demo` and for the tests.
//!
//! - [`cluster`]: a primary and its streaming standbys in a temporary folder, created and removed by one value.
//! - `server`: one of its servers, and every fault that can be made on it.
//! - [`shop`]: the cluster of `pgwatch demo`, with something to see on every screen; `trade`: its workload.
//! - [`load`]: a small workload for tests.
//! - [`faults`]: scheduled faults.
//! - `install`: the server programs of this machine and the user that they run as.
//! - `guard`: removes everything, even when the holder is killed with SIGKILL.
//! - `processes`: finds process trees and signals them.
//!
//! The interface blocks: most of it waits for other processes, `Drop` must do so too, and a program makes one or two
//! of these calls, not thousands. In an async runtime, call it from `tokio::task::spawn_blocking`.

pub mod cluster;
pub mod faults;
mod guard;
mod install;
pub mod load;
mod processes;
mod server;
pub mod shop;
mod trade;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use cluster::{Builder, Cluster, Template};
pub use install::Install;
pub use load::Load;
pub use server::{Server, StopMode};
pub use shop::Shop;

/// Why a temporary cluster could not be created or changed. Each message says what to do, if anything can be done.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No server programs are installed.
    #[error(
        "no PostgreSQL server programs (initdb, postgres, psql) found in {looked}: install them \
         (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server)"
    )]
    NoBinaries {
        /// Where they were looked for.
        looked: String,
    },
    /// Root may not run a server, and there is no user `postgres`.
    #[error("PostgreSQL refuses to run as root and there is no user `postgres` to run it as: useradd -r postgres")]
    NoUser,
    /// A file could not be read or written, or a program not started.
    #[error("{what}: {source}")]
    Io {
        /// The file or the program.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{what} failed: {output}")]
    Failed {
        /// What was done.
        what: String,
        /// What the program printed.
        output: String,
    },
    /// Something took too long.
    #[error("{what} did not finish within {} s", after.as_secs())]
    Timeout {
        /// What was done.
        what: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The server of this name must run for this.
    #[error("{0} is not running")]
    NotRunning(String),
    /// The server of this name must be stopped for this.
    #[error("{0} is already running")]
    Running(String),
    /// The name of a server is not a node name.
    #[error("{0}")]
    Name(#[from] crate::model::InvalidName),
}

impl DemoError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        Self::io(path.into().display().to_string())
    }
}
