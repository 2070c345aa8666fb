//! A throw-away real PostgreSQL cluster, for `pgwatch demo` and for the tests.
//!
//! - [`cluster`]: a primary and its streaming standbys in a temporary folder, made and removed by one value.
//! - `server`: one of its servers, and every fault that can befall it.
//! - [`shop`]: the cluster of `pgwatch demo`, with something to see on every screen; `trade`: what goes on in it.
//! - [`load`]: something for the servers to do.
//! - [`faults`]: trouble on schedule.
//! - `install`: the server binaries of this machine and the user they run as.
//! - `guard`: nothing is left behind, even when the holder is killed with SIGKILL.
//! - `processes`: who is whose child, signals to whole families.
//!
//! The interface blocks: most of it is waiting for other processes, `Drop` has to do it too, and a program has one
//! or two of these calls, not thousands. Call it from `tokio::task::spawn_blocking` where a runtime runs.

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

/// Why a throw-away cluster could not be made or moved. Each text says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(
        "no PostgreSQL server programs (initdb, postgres, psql) found in {looked}: install them \
         (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server)"
    )]
    NoBinaries { looked: String },
    #[error("PostgreSQL refuses to run as root and there is no user `postgres` to run it as: useradd -r postgres")]
    NoUser,
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("{what} failed: {output}")]
    Failed { what: String, output: String },
    #[error("{what} did not finish within {} s", after.as_secs())]
    Timeout { what: String, after: Duration },
    #[error("{0} is not running")]
    NotRunning(String),
    #[error("{0} is already running")]
    Running(String),
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
