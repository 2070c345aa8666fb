//! `make bench`: the figures a user would ask for, measured on a real primary with two standbys and printed as the
//! table of the README, each with its floor and its goal. Takes about five minutes; names as arguments (`N2 N9`) run
//! only those.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails says so and ends")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod cost;
mod leaving;
mod queries;
mod states;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use std::fmt::Write as _;

use pgwatch::demo::{Cluster, Server};
use tempfile::TempDir;

use table::{Row, print};

/// `max_connections` of the servers: on the screen it tells that the first real figures are there.
const MAX_CONNECTIONS: &str = "397";

/// A group of figures that share their set-up, and what measures them.
type Part = (&'static [&'static str], fn(&Rig) -> Vec<Row>);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| arg.starts_with('N')).collect();
    let rig = Rig::start();
    let parts: [Part; 7] = [
        (&["N1"], states::start),
        (&["N2", "N13"], states::killed),
        (&["N3"], states::frozen),
        (&["N4"], queries::parallel),
        (&["N5"], queries::add_and_remove),
        (&["N6", "N7"], leaving::leaving),
        (&["N9", "N11", "N12"], cost::cost),
    ];
    let mut rows = Vec::new();
    for (ids, measure) in parts {
        if wanted.is_empty() || ids.iter().any(|id| wanted.iter().any(|wanted| wanted == id)) {
            eprintln!("measuring {}", ids.join(", "));
            let measured = measure(&rig);
            for row in &measured {
                eprintln!("  {}: {}", row.what, row.measured);
            }
            rows.extend(measured);
        }
    }
    print(&rows);
}

/// The servers that everything is measured on.
pub struct Rig {
    pub cluster: Cluster,
}

impl Rig {
    fn start() -> Self {
        let cluster = support::servers::cluster()
            .standbys(2)
            .config("max_connections", MAX_CONNECTIONS)
            .config("log_connections", "on")
            .config("shared_preload_libraries", "pg_stat_statements")
            .start()
            .expect("a primary with two standbys");
        cluster.primary().psql("create extension pg_stat_statements").expect("the extension (postgresql-contrib)");
        Self { cluster }
    }

    /// A file with so many nodes, named in turn after the servers.
    pub fn config(&self, nodes: usize) -> ConfigFile {
        ConfigFile::new(self.cluster.servers().iter().cycle().take(nodes))
    }
}

pub struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    pub fn new<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Self {
        let mut text = "nodes:\n".to_owned();
        for (i, server) in servers.into_iter().enumerate() {
            let (host, port, password) = (server.host(), server.port(), server.password().expose());
            writeln!(text, "  n{i:02}: {{host: {host}, port: {port}, user: pgwatch, password: {password}}}").unwrap();
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("cluster.yaml"), text).expect("the file is written");
        Self { folder }
    }

    pub fn path(&self) -> String {
        self.folder.path().join("cluster.yaml").display().to_string()
    }
}
