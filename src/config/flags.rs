//! A dashboard of one node from `--host`, `--port`, `--user` and `--dbname`, which mean what they mean to psql.

use super::configuration::Config;
use super::diagnostic::{At, Diagnostic, Diagnostics};
use super::environment::Environment;
use super::settings::Settings;
use super::{conninfo, libpq};
use crate::model::{NodeConfig, NodeName};

/// All users of a machine can list its processes with their arguments.
const PASSWORD: &str = "--dbname: every user of this machine can read a password on the command line; \
                        put it into a file, ~/.pgpass or PGPASSWORD";

/// The flags of a node without a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// A host name, an address or the directory of a unix socket.
    pub host: Option<String>,
    /// The server's port.
    pub port: Option<u16>,
    /// The role to log in as.
    pub user: Option<String>,
    /// A database, or a whole connection string.
    pub dbname: Option<String>,
}

impl Flags {
    /// True if no flag was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads the flags.
///
/// # Errors
/// All problems of the flags and of libpq's environment.
pub(super) fn read(flags: &Flags, env: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let mut report = Diagnostics::new("the command line");
    let mut settings = Settings::default();
    let mut database = flags.dbname.clone();
    if let Some(text) = flags.dbname.as_deref().filter(|text| conninfo::is_conninfo(text)) {
        database = None;
        match conninfo::parse(text) {
            Ok(info) => {
                if info.password.is_some() || info.sslpassword.is_some() {
                    report.problem(None, PASSWORD);
                }
                info.notes.iter().for_each(|note| report.warning(None, format!("--dbname: {note}")));
                settings = libpq::of_conninfo(info, None, |path| env.expand_home(path));
            }
            Err(error) => report.problem(None, format!("--dbname: {error}")),
        }
    }
    let hosts = flags.host.as_deref().filter(|host| !host.is_empty()).map(conninfo::hosts::names);
    let hosts = hosts.and_then(|read| read.map_err(|message| report.problem(None, format!("--host: {message}"))).ok());
    if flags.port == Some(0) {
        report.problem(None, "--port must be a number from 1 to 65535");
    }
    settings.fill_from(Settings {
        hosts: given(hosts),
        ports: given(flags.port.map(|port| vec![port])),
        database: given(database.filter(|database| !database.is_empty())),
        user: given(flags.user.clone().filter(|user| !user.is_empty())),
        ..Settings::default()
    });
    let environment = libpq::of_environment(env, &mut report);
    // As with psql, the address counts for the host of the command line.
    let address = environment.hostaddrs.clone();
    libpq::fill_rest(&mut settings, &environment, env, &mut report);
    settings.hostaddrs = settings.hostaddrs.or(address);
    if !settings.has_hosts() {
        settings.hosts = Some(At::new(vec![libpq::local_host()], None));
    }
    let mut config = Config { template: Settings::default().template(env), ..Config::default() };
    let node = settings.finish(NodeName::default(), None, env, &mut report);
    match node.as_ref().map(|node| NodeName::parse(&name_for(&node.host))) {
        Some(Ok(name)) => config.nodes.extend(node.map(|node| NodeConfig { name, ..node })),
        Some(Err(error)) => report.problem(None, error.to_string()),
        None => {}
    }
    config.warnings = report.finish()?;
    Ok(config)
}

fn given<T>(value: Option<T>) -> Option<At<T>> {
    value.map(|value| At::new(value, None))
}

/// The name of a node by its host: `db-example` for `db.example`, `node-10-0-0-1` for `10.0.0.1`, `local` for a socket.
fn name_for(host: &str) -> String {
    if host.starts_with('/') || host.starts_with('@') {
        return "local".to_owned();
    }
    let name: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("node-{name}") }
}
