//! Real clusters for tests, and configuration files that describe them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use pgwatch::demo::{Builder, Cluster, Install, Server, Template};
use tempfile::TempDir;

use super::wait::wait_for;

/// The builder of a cluster that starts as a copy: `initdb` runs once for each test file.
pub fn cluster() -> Builder<'static> {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let install = Install::find().expect("tests need a PostgreSQL server");
        Template::create(install).expect("initdb")
    });
    Cluster::builder().template(template)
}

/// A port on which nothing listens. A port that was free a moment ago may be in use by now.
pub const NOBODY: u16 = 1;

/// How many sessions of ours the server has now, by its own count.
pub fn sessions(server: &Server) -> usize {
    let sql = "select count(*) from pg_stat_activity where application_name = 'pgwatch'";
    server.psql(sql).expect("the server answers").parse().expect("a count")
}

/// Fails unless the server has no session of ours after `within`.
#[track_caller]
pub fn assert_no_sessions(server: &Server, within: Duration) {
    wait_for(&format!("no session left on {}", server.name()), within, || (sessions(server) == 0).then_some(()));
}

/// A configuration file in its own folder, which is removed with it.
pub struct ConfigFile {
    pub path: PathBuf,
    _folder: TempDir,
}

impl ConfigFile {
    /// `head` (keys beside `nodes:`, each line ended) and then a node for each server at its real address.
    pub fn new<'a>(head: &str, servers: impl IntoIterator<Item = &'a Server>) -> Self {
        Self::with_ports(head, servers.into_iter().map(|server| (server, server.port())))
    }

    /// The same, with each server at a port of the caller's choice, such as that of a proxy.
    pub fn with_ports<'a>(head: &str, servers: impl IntoIterator<Item = (&'a Server, u16)>) -> Self {
        let mut text = format!("{head}nodes:\n");
        for (server, port) in servers {
            let (name, host, password) = (server.name(), server.host(), server.password().expose());
            writeln!(text, "  {name}: {{host: {host}, port: {port}, user: pgwatch, password: {password}}}").unwrap();
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("cluster.yaml");
        fs::write(&path, text).expect("the file is written");
        Self { path, _folder: folder }
    }

    pub fn arg(&self) -> &str {
        self.path.to_str().expect("a path in UTF-8")
    }
}
