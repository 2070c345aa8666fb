//! The settings of a node from one source, and how the sources are combined until a node is complete.
//!
//! Earlier sources override later ones: the node's own keys and connection string, `defaults:`, the service file,
//! libpq's environment, the defaults of the model. A password file comes last, as with libpq.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::conninfo::Details;
use super::diagnostic::At;
use super::tunnel::Way;
use crate::model::{ChannelBinding, PasswordSource, RootCert, Secret, SslMode};

/// Settings of a node, each of which may be missing.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Each entry a host; an empty one is the local server.
    pub hosts: Option<At<Vec<String>>>,
    /// The address of each host.
    pub hostaddrs: Option<At<Vec<Option<IpAddr>>>>,
    /// One for all hosts, or one for each.
    pub ports: Option<At<Vec<u16>>>,
    pub database: Option<At<String>>,
    pub tunnel: Option<At<Way>>,
    pub user: Option<At<String>>,
    /// The password, or a command that prints it. If there is none, a password file is looked for.
    pub password: Option<At<PasswordSource>>,
    pub passfile: Option<At<PathBuf>>,
    pub service: Option<At<String>>,
    pub servicefile: Option<At<PathBuf>>,
    pub sslmode: Option<At<SslMode>>,
    pub sslrootcert: Option<At<RootCert>>,
    pub sslcert: Option<At<PathBuf>>,
    pub sslkey: Option<At<PathBuf>>,
    pub sslpassword: Option<At<Secret>>,
    pub channel_binding: Option<At<ChannelBinding>>,
    pub details: Details,
    pub pool_min: Option<At<u32>>,
    pub pool_max: Option<At<u32>>,
    pub idle_timeout: Option<At<Duration>>,
    pub connect_timeout: Option<At<Duration>>,
    pub interval: Option<At<Duration>>,
    pub timeout: Option<At<Duration>>,
    pub unhealthy_after: Option<At<u32>>,
    pub slow_after: Option<At<Duration>>,
    pub read_only: Option<At<bool>>,
    pub cluster: Option<At<String>>,
    pub pglogical: Option<At<bool>>,
}

/// Sets `value` from the weaker source if it is missing.
fn fill<T>(value: &mut Option<At<T>>, weaker: Option<At<T>>) {
    if value.is_none() {
        *value = weaker;
    }
}

impl Settings {
    /// True if a host is named.
    pub(super) fn has_hosts(&self) -> bool {
        self.hosts.is_some() || self.hostaddrs.is_some()
    }

    /// Takes missing settings from a weaker source.
    pub(super) fn fill_from(&mut self, weaker: Self) {
        // An address belongs to the name beside it.
        if self.hosts.is_none() {
            fill(&mut self.hostaddrs, weaker.hostaddrs);
        }
        fill(&mut self.hosts, weaker.hosts);
        fill(&mut self.ports, weaker.ports);
        fill(&mut self.database, weaker.database);
        fill(&mut self.tunnel, weaker.tunnel);
        fill(&mut self.user, weaker.user);
        fill(&mut self.password, weaker.password);
        fill(&mut self.passfile, weaker.passfile);
        fill(&mut self.service, weaker.service);
        fill(&mut self.servicefile, weaker.servicefile);
        fill(&mut self.sslmode, weaker.sslmode);
        fill(&mut self.sslrootcert, weaker.sslrootcert);
        fill(&mut self.sslcert, weaker.sslcert);
        fill(&mut self.sslkey, weaker.sslkey);
        fill(&mut self.sslpassword, weaker.sslpassword);
        fill(&mut self.channel_binding, weaker.channel_binding);
        self.details.fill_from(weaker.details);
        fill(&mut self.pool_min, weaker.pool_min);
        fill(&mut self.pool_max, weaker.pool_max);
        fill(&mut self.idle_timeout, weaker.idle_timeout);
        fill(&mut self.connect_timeout, weaker.connect_timeout);
        fill(&mut self.interval, weaker.interval);
        fill(&mut self.timeout, weaker.timeout);
        fill(&mut self.unhealthy_after, weaker.unhealthy_after);
        fill(&mut self.slow_after, weaker.slow_after);
        fill(&mut self.read_only, weaker.read_only);
        fill(&mut self.cluster, weaker.cluster);
        fill(&mut self.pglogical, weaker.pglogical);
    }
}
