//! The settings of a node from libpq's environment variables and service file.

use std::path::{Path, PathBuf};

use super::conninfo::ConnInfo;
use super::diagnostic::{At, Diagnostics};
use super::environment::Environment;
use super::settings::Settings;
use super::walk::ENDS_WITH_LINE_BREAK;
use super::{Position, service};
use crate::model::{PasswordSource, RootCert, Secret};

const THE_ENVIRONMENT: &str = "the environment";

/// Variables, and the keywords they set. `PGPASSWORD` is read on its own, as it need not be UTF-8.
const VARIABLES: [(&str, &str); 31] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSFILE", "passfile"),
    ("PGSERVICE", "service"),
    ("PGSSLMODE", "sslmode"),
    ("PGREQUIRESSL", "requiressl"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLSNI", "sslsni"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGOPTIONS", "options"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGMINPROTOCOLVERSION", "min_protocol_version"),
    ("PGMAXPROTOCOLVERSION", "max_protocol_version"),
    ("PGCLIENTENCODING", "client_encoding"),
    ("PGSSLCOMPRESSION", "sslcompression"),
];

/// The settings of the environment.
pub(super) fn of_environment(env: &Environment, report: &mut Diagnostics) -> Settings {
    let mut info = ConnInfo::default();
    for (variable, keyword) in VARIABLES {
        let Some(bytes) = env.var_bytes(variable).filter(|bytes| !bytes.is_empty()) else { continue };
        let set = str::from_utf8(bytes)
            .map_err(|_| format!("{keyword} is not UTF-8 text"))
            .and_then(|value| info.set(keyword, value));
        if let Err(message) = set {
            report.problem_in(THE_ENVIRONMENT, format!("{variable}: {message}"));
        }
        for note in info.notes.drain(..) {
            report.warning_in(THE_ENVIRONMENT, format!("{variable}: {note}"));
        }
    }
    if let Some(bytes) = env.var_bytes("PGPASSWORD").filter(|bytes| !bytes.is_empty()) {
        let password = Secret::new(bytes);
        if password.ends_with_line_break() {
            report.warning_in(THE_ENVIRONMENT, format!("PGPASSWORD {ENDS_WITH_LINE_BREAK}"));
        }
        info.password = Some(password);
    }
    of_conninfo(info, None, |path| env.expand_home(path))
}

/// The settings of a connection string at `position`; `resolve` turns the name of a file into a path.
pub(super) fn of_conninfo(info: ConnInfo, position: Option<Position>, resolve: impl Fn(&str) -> PathBuf) -> Settings {
    fn at<T>(value: Option<T>, position: Option<Position>) -> Option<At<T>> {
        value.map(|value| At::new(value, position))
    }
    fn list<T>(values: Vec<T>) -> Option<Vec<T>> {
        (!values.is_empty()).then_some(values)
    }
    let file = |name: Option<String>| at(name.map(|name| resolve(&name)), position);
    let mut details = info.details;
    details.resolve(|path| path.to_str().map_or_else(|| path.to_owned(), &resolve));
    Settings {
        hosts: at(list(info.hosts), position),
        hostaddrs: at(list(info.hostaddrs), position),
        ports: at(list(info.ports), position),
        database: at(info.database, position),
        user: at(info.user, position),
        password: at(info.password.map(PasswordSource::Given), position),
        passfile: file(info.passfile),
        service: at(info.service, position),
        servicefile: file(info.servicefile),
        sslmode: at(info.sslmode, position),
        sslrootcert: at(info.sslrootcert.map(|name| root_cert(&name, &resolve)), position),
        sslcert: file(info.sslcert),
        sslkey: file(info.sslkey),
        sslpassword: at(info.sslpassword, position),
        channel_binding: at(info.channel_binding, position),
        connect_timeout: at(info.connect_timeout, position),
        details,
        ..Settings::default()
    }
}

/// `system`, or a file.
pub(super) fn root_cert(name: &str, resolve: impl Fn(&str) -> PathBuf) -> RootCert {
    if name == "system" { RootCert::System } else { RootCert::File(resolve(name)) }
}

/// The settings of a section of the service file; `wanted` is its name and where that is written.
fn of_service(wanted: &At<String>, file: Option<&Path>, env: &Environment, report: &mut Diagnostics) -> Settings {
    let found = match service::find(&wanted.value, file, env) {
        Ok(found) => found,
        Err(message) => {
            report.problem(wanted.position, message);
            return Settings::default();
        }
    };
    let mut info = ConnInfo::default();
    for service::Setting { line, keyword, value } in &found.settings {
        let place = format!("{}:{line}", found.file.display());
        let told = if matches!(keyword.as_str(), "service" | "servicefile") {
            Err("a service must not refer to another service".to_owned())
        } else {
            info.set(keyword, value)
        };
        if let Err(message) = told {
            report.problem_in(&place, message);
        }
        for note in info.notes.drain(..) {
            report.warning_in(&place, note);
        }
    }
    of_conninfo(info, None, |path| env.expand_home(path))
}

/// `~/.pgpass`.
pub(super) fn default_passfile(env: &Environment) -> Option<PathBuf> {
    env.home().map(|home| home.join(".pgpass"))
}

/// Where psql connects if no host is given: the directory with the socket of a local server, Debian's first, then
/// PostgreSQL's own; `localhost` if neither has one.
pub(super) fn local_host() -> String {
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|folder| Path::new(folder).join(".s.PGSQL.5432").exists())
        .unwrap_or("localhost")
        .to_owned()
}

/// Completes a node's settings from the service file, then from the environment.
pub(super) fn fill_rest(settings: &mut Settings, environment: &Settings, env: &Environment, report: &mut Diagnostics) {
    if let Some(wanted) = settings.service.clone().or_else(|| environment.service.clone()) {
        let file = settings.servicefile.as_ref().or(environment.servicefile.as_ref()).map(|at| at.value.clone());
        settings.fill_from(of_service(&wanted, file.as_deref(), env, report));
    }
    settings.fill_from(environment.clone());
}

/// The environment for the nodes of a file that name a host. What it says of hosts concerns those of `PGHOST`: the
/// address of one host must not be that of every node.
pub(super) fn beside_hosts(environment: &Settings, report: &mut Diagnostics) -> Settings {
    let mut beside = environment.clone();
    beside.hosts = None;
    let without_effect = [
        ("PGHOSTADDR", beside.hostaddrs.take().is_some()),
        ("PGTARGETSESSIONATTRS", beside.details.session_attrs.take().is_some()),
        ("PGLOADBALANCEHOSTS", beside.details.random_order.take().is_some()),
    ];
    for (variable, _) in without_effect.iter().filter(|(_, set)| *set) {
        report.warning_in(THE_ENVIRONMENT, format!("{variable} has no effect on nodes that name a host of their own"));
    }
    beside
}
