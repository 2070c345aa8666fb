//! The settings of a node from libpq's environment variables and service file.

use std::path::{Path, PathBuf};

use super::conninfo::ConnInfo;
use super::diagnostic::{At, Diagnostics};
use super::environment::Environment;
use super::settings::Settings;
use super::{Position, service};
use crate::model::{PasswordSource, RootCert};

const THE_ENVIRONMENT: &str = "the environment";

/// Variables that have an effect, and the keywords they set. `PGHOSTADDR` is used only if `PGHOST` is not set.
const HONOURED: [(&str, &str); 13] = [
    ("PGHOST", "host"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSERVICE", "service"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
];

/// Variables that pgwatch does not honour. Each causes a warning if it asks for something that pgwatch does not do
/// anyway.
const OTHERS: [(&str, &str); 13] = [
    ("PGGSSENCMODE", "gssencmode"),
    ("PGMINPROTOCOLVERSION", "min_protocol_version"),
    ("PGMAXPROTOCOLVERSION", "max_protocol_version"),
    ("PGOPTIONS", "options"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGREQUIRESSL", "requiressl"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
];

/// The settings of the environment.
pub(super) fn of_environment(env: &Environment, report: &mut Diagnostics) -> Settings {
    let mut info = ConnInfo::default();
    for (variable, keyword) in HONOURED {
        if let Some(value) = env.filled_var(variable)
            && let Err(message) = info.set(keyword, value)
        {
            report.problem_in(THE_ENVIRONMENT, format!("{variable}: {message}"));
        }
    }
    if info.host.is_none()
        && let Some(address) = env.filled_var("PGHOSTADDR")
        && let Err(message) = info.set("hostaddr", address)
    {
        report.problem_in(THE_ENVIRONMENT, format!("PGHOSTADDR: {message}"));
    }
    for (variable, keyword) in OTHERS {
        if let Some(value) = env.filled_var(variable)
            && let Err(message) = ConnInfo::default().set(keyword, value)
        {
            let reason = message.split_once(": ").map_or(message.as_str(), |(_, reason)| reason);
            report.warning_in(THE_ENVIRONMENT, format!("{variable} has no effect: {reason}"));
        }
    }
    of_conninfo(info, None, |path| env.expand_home(path))
}

/// The settings of a connection string at `position`; `resolve` turns the name of a file into a path.
pub(super) fn of_conninfo(info: ConnInfo, position: Option<Position>, resolve: impl Fn(&str) -> PathBuf) -> Settings {
    fn at<T>(value: Option<T>, position: Option<Position>) -> Option<At<T>> {
        value.map(|value| At::new(value, position))
    }
    let file = |name: Option<String>| at(name.map(|name| resolve(&name)), position);
    Settings {
        host: at(info.host, position),
        port: at(info.port, position),
        database: at(info.database, position),
        user: at(info.user, position),
        password: at(info.password.map(PasswordSource::Given), position),
        passfile: file(info.passfile),
        service: at(info.service, position),
        sslmode: at(info.sslmode, position),
        sslrootcert: at(info.sslrootcert.map(|name| root_cert(&name, &resolve)), position),
        sslcert: file(info.sslcert),
        sslkey: file(info.sslkey),
        sslpassword: at(info.sslpassword, position),
        channel_binding: at(info.channel_binding, position),
        connect_timeout: at(info.connect_timeout, position),
        ..Settings::default()
    }
}

/// `system`, or a file.
pub(super) fn root_cert(name: &str, resolve: impl Fn(&str) -> PathBuf) -> RootCert {
    if name == "system" { RootCert::System } else { RootCert::File(resolve(name)) }
}

/// The settings of a section of the service file; `wanted` is its name and where that is written.
pub(super) fn of_service(wanted: &At<String>, env: &Environment, report: &mut Diagnostics) -> Settings {
    let found = match service::find(&wanted.value, env) {
        Ok(found) => found,
        Err(message) => {
            report.problem(wanted.position, message);
            return Settings::default();
        }
    };
    let mut info = ConnInfo::default();
    for service::Setting { line, keyword, value } in &found.settings {
        let told = if keyword == "service" {
            Err("a service must not refer to another service".to_owned())
        } else {
            info.set(keyword, value)
        };
        if let Err(message) = told {
            report.problem_in(&format!("{}:{line}", found.file.display()), message);
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
        settings.fill_from(of_service(&wanted, env, report));
    }
    settings.fill_from(environment.clone());
}
