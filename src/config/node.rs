//! A node in the file: a map of keys, or a connection string. Also reads the keys of the earlier camel-case format
//!.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conninfo::{self, hosts};
use super::diagnostic::{At, Diagnostics};
use super::environment::Environment;
use super::libpq;
use super::settings::Settings;
use super::tunnel;
use super::walk::{self, Section};
use super::yaml::{Entry, Value, Yaml};
use crate::model::{PasswordSource, RootCert, SslMode};

/// Keys of a node, as messages list them.
pub(super) const NODE_KEYS: [&str; 23] = [
    "host",
    "hostaddr",
    "port",
    "database",
    "user",
    "tunnel",
    "ssh",
    "kubernetes",
    "password",
    "password_command",
    "passfile",
    "service",
    "dsn",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "pool",
    "health",
    "read_only",
    "cluster",
    "pglogical",
];

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Reads the nodes of one file. Relative paths start at its folder, `~/` at the home folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeReader<'a> {
    pub folder: &'a Path,
    pub env: &'a Environment,
}

impl NodeReader<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(self.env.expand_home(name))
    }

    /// The settings of a node's own keys or connection string.
    pub(super) fn node(&self, entry: &Entry, report: &mut Diagnostics) -> Settings {
        match &entry.value.value {
            Value::Text(_) => {
                self.connection_string(&format!("node {}", entry.key), &entry.value, report).unwrap_or_default()
            }
            Value::List(_) => {
                let message = format!("node {} must be a map (host: ...) or a connection string", entry.key);
                report.problem(entry.value.position, message);
                Settings::default()
            }
            _ => self.keys(walk::section_of(&entry.key, &entry.value, &NODE_KEYS, &["ssl"], report), report),
        }
    }

    /// `defaults:` of the file.
    pub(super) fn defaults(&self, entry: &Entry, report: &mut Diagnostics) -> Settings {
        let keys: Vec<&str> = NODE_KEYS.into_iter().filter(|key| !matches!(*key, "dsn" | "hostaddr")).collect();
        self.keys(walk::section(entry, &keys, &["ssl"], report), report)
    }

    fn keys(&self, keys: Section<'_>, report: &mut Diagnostics) -> Settings {
        let file = |entry: &Entry, report: &mut Diagnostics| walk::filled(entry, report).map(|name| self.path(&name));
        let mut settings = Settings {
            hosts: keys.read("host", report, |e, r| list(e, r, hosts::names)),
            hostaddrs: keys.read("hostaddr", report, |e, r| list(e, r, hosts::addresses)),
            ports: keys.read("port", report, ports),
            database: keys.read("database", report, walk::filled),
            user: keys.read("user", report, walk::filled),
            tunnel: tunnel::read(keys, report),
            password: password(keys, report),
            passfile: keys.read("passfile", report, file),
            service: keys.read("service", report, walk::filled),
            sslmode: keys.read("sslmode", report, ssl_mode),
            sslrootcert: keys.read("sslrootcert", report, |entry, report| {
                walk::filled(entry, report).map(|name| libpq::root_cert(&name, |name| self.path(name)))
            }),
            sslcert: keys.read("sslcert", report, file),
            sslkey: keys.read("sslkey", report, file),
            sslpassword: keys.read("sslpassword", report, walk::secret),
            read_only: keys.read("read_only", report, walk::boolean),
            cluster: keys.read("cluster", report, walk::filled),
            pglogical: keys.read("pglogical", report, walk::boolean),
            ..Settings::default()
        };
        if let Some(entry) = keys.get("ssl") {
            self.earlier_ssl(entry, keys, &mut settings, report);
        }
        if let Some(entry) = keys.get("pool") {
            pool(entry, &mut settings, report);
        }
        if let Some(entry) = keys.get("health") {
            health(entry, &mut settings, report);
        }
        if let Some(entry) = keys.get("dsn")
            && let Some(said) = self.connection_string("dsn", &entry.value, report)
        {
            tell_both(&settings, &said, report);
            settings.fill_from(said);
        }
        if !settings.has_hosts() {
            settings.hosts = settings.tunnel.as_ref().and_then(tunnel::host);
        }
        settings
    }

    /// The settings of a connection string. Messages do not repeat its text.
    fn connection_string(&self, name: &str, yaml: &Yaml, report: &mut Diagnostics) -> Option<Settings> {
        let text = walk::text_of(name, yaml, report)?;
        let text = text.trim();
        let position = Some(yaml.position);
        if !conninfo::is_conninfo(text) {
            let message = "is neither a map (host: ...) nor a connection string (postgres://... or host=... port=...)";
            report.problem(position, format!("{name} {message}"));
            return None;
        }
        match conninfo::parse(text) {
            Ok(info) => {
                for note in &info.notes {
                    report.warning(position, format!("{name}: {note}"));
                }
                Some(libpq::of_conninfo(info, position, |path| self.path(path)))
            }
            Err(error) => {
                let at = text.get(..error.offset).map_or(1, |before| before.chars().count() + 1);
                report.problem(position, format!("{name}: at character {at} of the connection string: {error}"));
                None
            }
        }
    }

    /// `ssl: {enabled, rejectUnauthorized, ca, cert, key}` in libpq's terms. Without `enabled`, TLS is on; without
    /// `rejectUnauthorized`, the server is verified: the safe default of each.
    fn earlier_ssl(&self, entry: &Entry, keys: Section<'_>, settings: &mut Settings, report: &mut Diagnostics) {
        for key in ["sslmode", "sslrootcert", "sslcert", "sslkey"] {
            if let Some(other) = keys.get(key) {
                report.problem(other.position, format!("{key} and ssl: say the same thing: keep {key}"));
            }
        }
        let ssl = walk::section(entry, &["enabled", "rejectUnauthorized", "ca", "cert", "key"], &[], report);
        let file = |entry: &Entry, report: &mut Diagnostics| walk::filled(entry, report).map(|name| self.path(&name));
        let enabled = ssl.read("enabled", report, walk::boolean).is_none_or(|at| at.value);
        let verified = ssl.read("rejectUnauthorized", report, walk::boolean).is_none_or(|at| at.value);
        let ca = ssl.read("ca", report, file);
        let at = |value| Some(At::new(value, Some(entry.position)));
        settings.sslcert = ssl.read("cert", report, file);
        settings.sslkey = ssl.read("key", report, file);
        (settings.sslmode, settings.sslrootcert) = match (enabled, verified) {
            (false, _) => (at(SslMode::Disable), None),
            (true, true) => {
                let root = ca.map(|ca| ca.map(RootCert::File));
                (at(SslMode::VerifyFull), root.or_else(|| Some(At::new(RootCert::System, Some(entry.position)))))
            }
            (true, false) => {
                if let Some(ca) = ca {
                    report.warning(
                        ca.position,
                        "ca has no effect with rejectUnauthorized: false: the server is not verified",
                    );
                }
                (at(SslMode::Require), None)
            }
        };
    }
}

/// A list with commas in it, as libpq writes several hosts.
fn list<T>(entry: &Entry, report: &mut Diagnostics, read: impl Fn(&str) -> Result<Vec<T>, String>) -> Option<Vec<T>> {
    let text = walk::filled(entry, report)?;
    match read(&text) {
        Ok(list) => Some(list),
        Err(message) => {
            report.problem(entry.value.position, message);
            None
        }
    }
}

fn ports(entry: &Entry, report: &mut Diagnostics) -> Option<Vec<u16>> {
    match &entry.value.value {
        Value::Text(text) if text.contains(',') => list(entry, report, hosts::ports),
        _ => walk::port(entry, report).map(|port| vec![port]),
    }
}

fn ssl_mode(entry: &Entry, report: &mut Diagnostics) -> Option<SslMode> {
    let allowed = format!("is not one of {}", SslMode::ALL.map(SslMode::as_str).join(", "));
    walk::parsed(entry, report, &allowed, SslMode::parse)
}

/// `password`, unless it is empty, or `password_command`.
fn password(keys: Section<'_>, report: &mut Diagnostics) -> Option<At<PasswordSource>> {
    let given = keys.read("password", report, walk::secret);
    let command = keys.read("password_command", report, walk::filled);
    if let (Some(_), Some(command)) = (&given, &command) {
        report.problem(command.position, "password and password_command are both given: keep one");
    }
    let given = given.filter(|at| !at.value.bytes().is_empty()).map(|at| at.map(PasswordSource::Given));
    given.or_else(|| command.map(|at| at.map(PasswordSource::Command)))
}

fn pool(entry: &Entry, settings: &mut Settings, report: &mut Diagnostics) {
    let known = ["min", "max", "idle_timeout", "connect_timeout"];
    let keys = walk::section(entry, &known, &["idleTimeoutMs", "connectionTimeoutMs"], report);
    settings.pool_min = keys.read("min", report, |e, r| walk::integer(e, r, 0, 1000));
    settings.pool_max = keys.read("max", report, |e, r| walk::integer(e, r, 1, 1000));
    settings.idle_timeout = either(keys, "idle_timeout", "idleTimeoutMs", report, 100 * MS, WEEK);
    settings.connect_timeout = either(keys, "connect_timeout", "connectionTimeoutMs", report, 10 * MS, HOUR);
}

/// A duration by its key or, in milliseconds, by the key of the earlier format; not both.
fn either(
    keys: Section<'_>,
    key: &str,
    earlier: &str,
    report: &mut Diagnostics,
    min: Duration,
    max: Duration,
) -> Option<At<Duration>> {
    if let (Some(_), Some(other)) = (keys.get(key), keys.get(earlier)) {
        report.problem(other.position, format!("{earlier} and {key} say the same thing: keep {key}"));
    }
    let now = keys.read(key, report, |e, r| walk::duration(e, r, min, max));
    let before = keys.read(earlier, report, |e, r| walk::milliseconds(e, r, min, max));
    now.or(before)
}

/// `health:` of a node, of `defaults:` or of the whole file.
pub(super) fn health(entry: &Entry, settings: &mut Settings, report: &mut Diagnostics) {
    let keys = walk::section(entry, &["interval", "timeout", "unhealthy_after", "slow_after"], &[], report);
    let duration = |e: &Entry, r: &mut Diagnostics| walk::duration(e, r, 10 * MS, HOUR);
    settings.interval = keys.read("interval", report, duration);
    settings.timeout = keys.read("timeout", report, duration);
    settings.unhealthy_after = keys.read("unhealthy_after", report, |e, r| walk::integer(e, r, 1, 100));
    settings.slow_after = keys.read("slow_after", report, |e, r| walk::duration(e, r, MS, HOUR));
}

/// Reports each key that is set both on its own and in `dsn:`.
fn tell_both(own: &Settings, dsn: &Settings, report: &mut Diagnostics) {
    let mut tell = |key: &str, place: Option<Option<super::Position>>, said: bool| {
        if let (Some(place), true) = (place, said) {
            report.problem(place, format!("{key} is given here and in dsn: keep one"));
        }
    };
    tell("host", own.hosts.as_ref().map(|at| at.position), dsn.hosts.is_some());
    tell("hostaddr", own.hostaddrs.as_ref().map(|at| at.position), dsn.hostaddrs.is_some());
    tell("port", own.ports.as_ref().map(|at| at.position), dsn.ports.is_some());
    tell("database", own.database.as_ref().map(|at| at.position), dsn.database.is_some());
    tell("user", own.user.as_ref().map(|at| at.position), dsn.user.is_some());
    tell("password", own.password.as_ref().map(|at| at.position), dsn.password.is_some());
    tell("passfile", own.passfile.as_ref().map(|at| at.position), dsn.passfile.is_some());
    tell("service", own.service.as_ref().map(|at| at.position), dsn.service.is_some());
    tell("sslmode", own.sslmode.as_ref().map(|at| at.position), dsn.sslmode.is_some());
    tell("sslrootcert", own.sslrootcert.as_ref().map(|at| at.position), dsn.sslrootcert.is_some());
    tell("sslcert", own.sslcert.as_ref().map(|at| at.position), dsn.sslcert.is_some());
    tell("sslkey", own.sslkey.as_ref().map(|at| at.position), dsn.sslkey.is_some());
    tell("sslpassword", own.sslpassword.as_ref().map(|at| at.position), dsn.sslpassword.is_some());
    tell("connect_timeout", own.connect_timeout.as_ref().map(|at| at.position), dsn.connect_timeout.is_some());
}
