//! The servers that everything is measured on, the files that name them, and the wait between two measurements.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use pgwatch::demo::{Cluster, Server};
use tempfile::TempDir;

use crate::readings::Plan;
use crate::support::servers::cluster;

/// `max_connections` of the servers: when it is on the screen, the first real figures are there.
pub const MAX_CONNECTIONS: &str = "397";
pub const MAX_CONNECTIONS_SHOWN: &str = "/397";

/// The servers that everything is measured on.
pub struct Rig {
    pub cluster: Cluster,
    pub plan: Plan,
    /// A file with the primary alone.
    pub one: ConfigFile,
}

impl Rig {
    pub fn start(plan: Plan) -> Self {
        let cluster = cluster()
            .standbys(2)
            .config("max_connections", MAX_CONNECTIONS)
            .config("log_connections", "on")
            .config("shared_preload_libraries", "pg_stat_statements")
            // The time of its workers would be counted as that of sessions.
            .config("autovacuum", "off")
            .start()
            .expect("a primary with two standbys");
        let primary = cluster.primary();
        primary.psql("create extension pg_stat_statements").expect("the extension (postgresql-contrib)");
        let one = ConfigFile::new([primary]);
        Self { cluster, plan, one }
    }

    /// A file of `nodes` nodes, which are the servers in turn.
    pub fn config(&self, nodes: usize) -> ConfigFile {
        ConfigFile::new(self.cluster.servers().iter().cycle().take(nodes))
    }
}

pub struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    fn new<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Self {
        let mut text = "nodes:\n".to_owned();
        for (i, server) in servers.into_iter().enumerate() {
            let (host, port, password) = (server.host(), server.port(), server.password().expose());
            writeln!(text, "  n{i:02}: {{host: {host}, port: {port}, user: pgwatch, password: {password}}}").unwrap();
        }
        let file = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::write(file.path(), text).expect("the file is written");
        file
    }

    pub fn path(&self) -> String {
        self.beside("cluster.yaml")
    }

    /// A file in the same folder.
    pub fn beside(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// Waits for a time that is measured, or that has to pass.
pub fn pass(time: Duration) {
    #[allow(clippy::disallowed_methods, reason = "the wait is what is wanted")]
    std::thread::sleep(time);
}
