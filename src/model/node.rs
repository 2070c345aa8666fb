//! What is known of a node before anything connects: its address, our role and password, and our limits. The defaults
//! of the configuration are defined here and nowhere else.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use super::{ConnectConfig, Host, NodeName, Secret, TlsConfig, TunnelConfig};

/// One validated node. The configuration file, the form and the flags all produce this.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// The name it goes by; unique in a configuration.
    pub name: NodeName,
    /// Host name, address, or directory of a unix socket (begins with `/`, or with `@` for an abstract one). The first
    /// one of a node with several.
    pub host: String,
    /// The port; for a unix socket, part of its file name.
    pub port: u16,
    /// The database that sessions connect to.
    pub database: String,
    /// The role that sessions log in as.
    pub user: String,
    /// What has to run before the server can be reached; `None` if it is reached directly.
    pub tunnel: Option<TunnelConfig>,
    /// Where its password comes from.
    pub password: PasswordSource,
    /// Further hosts, and how a connection is made.
    pub connect: ConnectConfig,
    /// Whether and how to use TLS.
    pub tls: TlsConfig,
    /// The limits of its pool.
    pub pool: PoolConfig,
    /// How it is probed, and what follows from missed probes.
    pub health: HealthConfig,
    /// `read_only` of the file; `None` means the default, which is read-only unless `--read-write` was given.
    pub read_only: Option<bool>,
    /// What cluster it belongs to, where the system identifier does not tell: a restored clone has that of its origin.
    pub cluster: Option<String>,
    /// True if the node replicates with pglogical (a key of the earlier format, kept for the replication screens).
    pub pglogical: bool,
}

impl NodeConfig {
    /// A node with every default: port 5432, database `postgres`, user `postgres`, `sslmode=prefer`.
    pub fn new(name: NodeName, host: impl Into<String>) -> Self {
        Self {
            name,
            host: host.into(),
            port: 5432,
            database: "postgres".to_owned(),
            user: "postgres".to_owned(),
            tunnel: None,
            password: PasswordSource::None,
            connect: ConnectConfig::default(),
            tls: TlsConfig::default(),
            pool: PoolConfig::default(),
            health: HealthConfig::default(),
            read_only: None,
            cluster: None,
            pglogical: false,
        }
    }

    /// True if our sessions on this node must not write: the default.
    pub fn is_read_only(&self) -> bool {
        self.read_only.unwrap_or(true)
    }

    /// True if it is connected to through the unix socket in the directory `host`.
    pub fn is_unix_socket(&self) -> bool {
        is_socket(&self.host) && self.connect.hostaddr.is_none()
    }

    /// The node with one of its hosts only, once for each of them, in order.
    pub fn by_host(&self) -> Vec<Cow<'_, Self>> {
        if self.connect.further_hosts.is_empty() {
            return vec![Cow::Borrowed(self)];
        }
        let alone = |host: Host| {
            let connect = ConnectConfig { hostaddr: host.addr, further_hosts: Vec::new(), ..self.connect.clone() };
            Cow::Owned(Self { host: host.name, port: host.port, connect, ..self.clone() })
        };
        self.hosts().map(alone).collect()
    }

    /// Its hosts, in order.
    pub fn hosts(&self) -> impl Iterator<Item = Host> {
        std::iter::once(self.first_host()).chain(self.connect.further_hosts.iter().cloned())
    }

    /// The first of its hosts, which is the only one unless several were given.
    pub fn first_host(&self) -> Host {
        Host { name: self.host.clone(), addr: self.connect.hostaddr, port: self.port }
    }

    /// Replaces its hosts. Without any, they stay as they are.
    pub fn set_hosts(&mut self, hosts: Vec<Host>) {
        let mut hosts = hosts.into_iter();
        if let Some(Host { name, addr, port }) = hosts.next() {
            (self.host, self.connect.hostaddr, self.port) = (name, addr, port);
            self.connect.further_hosts = hosts.collect();
        }
    }

    /// `host:port`, with brackets around an IPv6 address; for a unix socket, its path. Several hosts have commas between
    /// them.
    pub fn address(&self) -> String {
        let mut text = address(&self.host, self.port);
        for host in &self.connect.further_hosts {
            text.push(',');
            text += &address(&host.name, host.port);
        }
        text
    }

    /// The address, and the tunnel that leads there: `db1:5432 through ssh bastion`.
    pub fn way(&self) -> String {
        match &self.tunnel {
            Some(tunnel) => format!("{} through {}", self.address(), tunnel.name()),
            None => self.address(),
        }
    }
}

fn address(host: &str, port: u16) -> String {
    if is_socket(host) {
        format!("{host}/.s.PGSQL.{port}")
    } else if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn is_socket(host: &str) -> bool {
    host.starts_with('/') || host.starts_with('@')
}

/// Where the password comes from. It is looked up at each connect, so that a changed password is found.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum PasswordSource {
    /// None is sent.
    #[default]
    None,
    /// Given in the file, the connection string, the form or `PGPASSWORD`.
    Given(Secret),
    /// Looked up in this password file (`PGPASSFILE`, `~/.pgpass`).
    File(PathBuf),
    /// A command for `sh -c`; the first line of its output is the password.
    Command(String),
}

/// Limits of a node's bb8 pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Connections kept open, used or not.
    pub min: u32,
    /// Connections open at once, at most.
    pub max: u32,
    /// How long a connection above `min` may be idle before it is closed.
    pub idle_timeout: Duration,
    /// Time limit of a whole attempt: TCP, TLS, startup, authentication, first answer.
    pub connect_timeout: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { min: 0, max: 10, idle_timeout: Duration::from_secs(30), connect_timeout: Duration::from_secs(5) }
    }
}

/// Policy of the health loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthConfig {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// A probe without an answer for this long is missed.
    pub timeout: Duration,
    /// Misses in a row that make a node unhealthy.
    pub unhealthy_after: u32,
    /// A node whose probe takes longer than this is degraded.
    pub slow_after: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(400),
            unhealthy_after: 3,
            slow_after: Duration::from_millis(250),
        }
    }
}

/// A pair of limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit<T> {
    /// From here on it is a warning.
    pub warning: T,
    /// From here on it is critical.
    pub critical: T,
}

/// `thresholds:` of the file. They colour figures and raise alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// Replay lag of a standby, in time.
    pub replication_lag: Limit<Duration>,
    /// WAL retained by a slot, in bytes.
    pub slot_retention: Limit<u64>,
    /// Conflicts per minute.
    pub conflict_rate: Limit<f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            replication_lag: Limit { warning: Duration::from_secs(10), critical: Duration::from_mins(1) },
            slot_retention: Limit { warning: 1 << 30, critical: 10 << 30 },
            conflict_rate: Limit { warning: 1.0, critical: 10.0 },
        }
    }
}
