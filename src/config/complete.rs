//! Completes settings to a node: fills in the defaults of libpq and of the model, and checks what the settings say
//! together.

use std::path::Path;
use std::time::Duration;

use super::conninfo::hosts;
use super::diagnostic::{At, Diagnostics, Position};
use super::environment::Environment;
use super::settings::Settings;
use super::units::format_duration;
use super::{libpq, tunnel};
use crate::model::{
    ChannelBinding, HealthConfig, Host, NodeConfig, NodeName, PasswordSource, PoolConfig, RootCert, SslMode, TlsConfig,
};

impl Settings {
    /// The initial values of a node that is added by hand: these settings over the environment. Problems are reported
    /// where the settings are read, not here.
    pub(super) fn template(mut self, env: &Environment) -> NodeConfig {
        let mut unheard = Diagnostics::new("");
        let environment = libpq::of_environment(env, &mut unheard);
        libpq::fill_rest(&mut self, &environment, env, &mut unheard);
        if !self.has_hosts() {
            self.hosts = Some(At::new(vec!["localhost".to_owned()], None));
        }
        let node = self.finish(NodeName::default(), None, env, &mut unheard);
        node.unwrap_or_else(|| NodeConfig::new(NodeName::default(), "localhost"))
    }

    /// The node of these settings, with the defaults of libpq and of the model. `at` is where the node is named. `None`
    /// if something is wrong, which the report then says.
    pub(super) fn finish(
        self,
        name: NodeName,
        at: Option<Position>,
        env: &Environment,
        report: &mut Diagnostics,
    ) -> Option<NodeConfig> {
        let hosts = self.hosts_of(&name, at, report)?;
        let mut node = NodeConfig::new(name, "");
        node.set_hosts(hosts);
        let unnamed = self.user.is_none() && env.user().is_none();
        if unnamed {
            report
                .problem(at, format!("node {} has no user: add user: to it or to defaults:, or set PGUSER", node.name));
        }
        node.database = value_or(self.database.as_ref(), node.database);
        node.tunnel = self.tunnel.as_ref().and_then(|at| at.value.tunnel.clone());
        if let Some(tunnel) = &node.tunnel
            && let Some(why) = node.hosts().find_map(|host| tunnel::refused(tunnel, &host))
        {
            report.problem(place(self.hosts.as_ref()).or(place(self.tunnel.as_ref())).or(at), why);
            return None;
        }
        node.user = value_or(self.user.as_ref(), env.user().unwrap_or_default().to_owned());
        node.read_only = self.read_only.as_ref().map(|at| at.value);
        node.cluster = self.cluster.as_ref().map(|at| at.value.clone());
        node.pglogical = value_or(self.pglogical.as_ref(), node.pglogical);
        node.password = self.password_source(env);
        node.tls = self.tls(report);
        self.details.apply(&mut node);
        for why in &node.connect.unmet {
            report.warning(at, format!("node {}: {why}; pgwatch does not connect to it", node.name));
        }
        let pool = self.pool(at, report);
        let health = self.health(at, report);
        (node.pool, node.health) = (pool?, health?);
        (!unnamed).then_some(node)
    }

    /// The hosts of the three lists. `None` if there is none, or if the lists do not fit.
    fn hosts_of(&self, name: &NodeName, at: Option<Position>, report: &mut Diagnostics) -> Option<Vec<Host>> {
        fn list<T>(at: Option<&At<Vec<T>>>) -> &[T] {
            at.map(|at| at.value.as_slice()).unwrap_or_default()
        }
        let (names, addresses, ports) = (self.hosts.as_ref(), self.hostaddrs.as_ref(), self.ports.as_ref());
        if !self.has_hosts() {
            report.problem(at, format!("node {name} has no host: add host: to it or to defaults:, or set PGHOST"));
            return None;
        }
        match hosts::combine(list(names), list(addresses), list(ports), libpq::local_host) {
            Ok(hosts) => Some(hosts),
            Err(message) => {
                let place = place(addresses).or(place(ports)).or(place(names)).or(at);
                report.problem(place, format!("node {name}: {message}"));
                None
            }
        }
    }

    fn password_source(&self, env: &Environment) -> PasswordSource {
        if let Some(password) = &self.password {
            return password.value.clone();
        }
        let file = self.passfile.as_ref().map(|at| at.value.clone()).or_else(|| libpq::default_passfile(env));
        file.filter(|path| path.exists()).map_or(PasswordSource::None, PasswordSource::File)
    }

    /// TLS as configured. Files of `~/.postgresql` are looked for at each connect, as they may come and go.
    fn tls(&self, report: &mut Diagnostics) -> TlsConfig {
        if let Some(At { value: RootCert::File(path), position }) = &self.sslrootcert {
            warn_missing("sslrootcert", path, *position, report);
        }
        for (key, file) in [("sslcert", &self.sslcert), ("sslkey", &self.sslkey)] {
            if let Some(At { value, position }) = file {
                warn_missing(key, value, *position, report);
            }
        }
        TlsConfig {
            mode: value_or(self.sslmode.as_ref(), SslMode::default()),
            root_cert: self.sslrootcert.as_ref().map(|at| at.value.clone()),
            cert: self.sslcert.as_ref().map(|at| at.value.clone()),
            key: self.sslkey.as_ref().map(|at| at.value.clone()),
            key_password: self.sslpassword.as_ref().map(|at| at.value.clone()),
            channel_binding: value_or(self.channel_binding.as_ref(), ChannelBinding::default()),
            ..TlsConfig::default()
        }
    }

    fn pool(&self, at: Option<Position>, report: &mut Diagnostics) -> Option<PoolConfig> {
        let default = PoolConfig::default();
        let (min, max) = (self.pool_min.as_ref().map(|at| at.value), self.pool_max.as_ref().map(|at| at.value));
        // A default yields to the other value.
        let pool = PoolConfig {
            min: min.unwrap_or(max.map_or(default.min, |max| default.min.min(max))),
            max: max.unwrap_or(min.map_or(default.max, |min| default.max.max(min))),
            idle_timeout: value_or(self.idle_timeout.as_ref(), default.idle_timeout),
            connect_timeout: value_or(self.connect_timeout.as_ref(), default.connect_timeout),
        };
        if pool.min > pool.max {
            let place = place(self.pool_min.as_ref()).or(place(self.pool_max.as_ref())).or(at);
            report.problem(place, format!("pool: min is {} and max is {}: min must not be larger", pool.min, pool.max));
            return None;
        }
        Some(pool)
    }

    fn health(&self, at: Option<Position>, report: &mut Diagnostics) -> Option<HealthConfig> {
        let default = HealthConfig::default();
        let written = |at: Option<&At<Duration>>| at.map(|at| at.value);
        let (interval, timeout) = (written(self.interval.as_ref()), written(self.timeout.as_ref()));
        let slow_after = written(self.slow_after.as_ref());
        // A default yields to the other values: slow_after is at most timeout, and timeout at most interval.
        let timeout = timeout.unwrap_or_else(|| {
            let longer = default.timeout.max(slow_after.unwrap_or_default());
            interval.map_or(longer, |interval| longer.min(interval))
        });
        let health = HealthConfig {
            interval: interval.unwrap_or(default.interval.max(timeout)),
            timeout,
            unhealthy_after: value_or(self.unhealthy_after.as_ref(), default.unhealthy_after),
            slow_after: slow_after.unwrap_or(default.slow_after.min(timeout)),
        };
        let said = |set: bool, value: Duration| {
            format!("{}{}", format_duration(value), if set { "" } else { " (the default)" })
        };
        let interval = said(self.interval.is_some(), health.interval);
        let timeout = said(self.timeout.is_some(), health.timeout);
        let slow_after = said(self.slow_after.is_some(), health.slow_after);
        let mut right = true;
        if health.timeout > health.interval {
            let place = place(self.timeout.as_ref()).or(place(self.interval.as_ref())).or(at);
            report.problem(
                place,
                format!(
                    "health: timeout {timeout} is longer than interval {interval}: the next probe would be due before it ends"
                ),
            );
            right = false;
        }
        if health.slow_after > health.timeout {
            let place = place(self.slow_after.as_ref()).or(place(self.timeout.as_ref())).or(at);
            report.problem(
                place,
                format!(
                    "health: slow_after {slow_after} is longer than timeout {timeout}: no answer would ever count as slow"
                ),
            );
            right = false;
        }
        right.then_some(health)
    }
}

fn value_or<T: Clone>(value: Option<&At<T>>, default: T) -> T {
    value.map_or(default, |at| at.value.clone())
}

fn place<T>(value: Option<&At<T>>) -> Option<Position> {
    value.and_then(|at| at.position)
}

/// A missing file prevents one node from connecting, not the others, so it is no reason to refuse the configuration.
fn warn_missing(key: &str, path: &Path, position: Option<Position>, report: &mut Diagnostics) {
    if !path.exists() {
        report.warning(position, format!("{key}: there is no file {}", path.display()));
    }
}
