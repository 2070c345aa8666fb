//! What is known of a node before anything connects: where it is, as whom we come, and the limits we keep.
//! The defaults of the configuration live here and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use super::{NodeName, Secret};

/// One node, validated: what the configuration, the add-node form and the flags all produce.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    pub name: NodeName,
    /// Host name, address, or the directory of a unix socket (begins with `/`, or `@` for an abstract one).
    pub host: String,
    pub port: u16,
    pub database: String,
    pub user: String,
    pub password: PasswordSource,
    pub tls: TlsConfig,
    pub pool: PoolConfig,
    pub health: HealthConfig,
    /// What the file says; `None` means the default, which is read-only unless `--read-write` was given.
    pub read_only: Option<bool>,
    /// The node replicates with pglogical (a key of the earlier format, kept for the replication screens).
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
            password: PasswordSource::None,
            tls: TlsConfig::default(),
            pool: PoolConfig::default(),
            health: HealthConfig::default(),
            read_only: None,
            pglogical: false,
        }
    }

    /// Whether our sessions on this node may not write: yes unless it was switched off.
    pub fn is_read_only(&self) -> bool {
        self.read_only.unwrap_or(true)
    }

    /// Whether `host` names the directory of a unix socket.
    pub fn is_unix_socket(&self) -> bool {
        self.host.starts_with('/') || self.host.starts_with('@')
    }

    /// `host:port`, with brackets around an IPv6 address; the socket's path for a unix socket.
    pub fn address(&self) -> String {
        if self.is_unix_socket() {
            format!("{}/.s.PGSQL.{}", self.host, self.port)
        } else if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Where the password comes from. It is looked up at each connect, so a rotated one is found.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum PasswordSource {
    #[default]
    None,
    /// From the file, the connection string, the form or `PGPASSWORD`.
    Given(Secret),
    /// A line of this password file (`PGPASSFILE`, `~/.pgpass`).
    File(PathBuf),
    /// A line for `sh -c`; the first line it prints is the password.
    Command(String),
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    Disable,
    /// Plain first, TLS if the server insists.
    Allow,
    /// TLS first, plain if the server has none.
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// libpq's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Which certificates a server may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// `sslrootcert=system`: the roots that the machine trusts.
    System,
    File(PathBuf),
}

/// TLS by libpq's names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TlsConfig {
    pub mode: SslMode,
    pub root_cert: Option<RootCert>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub key_password: Option<Secret>,
    /// `channel_binding=require`: no login but by SCRAM bound to the TLS session.
    pub require_channel_binding: bool,
}

/// Limits of a node's bb8 pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    pub min: u32,
    pub max: u32,
    pub idle_timeout: Duration,
    /// Bounds a whole attempt: TCP, TLS, startup, authentication, first answer.
    pub connect_timeout: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { min: 1, max: 10, idle_timeout: Duration::from_secs(30), connect_timeout: Duration::from_secs(5) }
    }
}

/// Policy of the health loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthConfig {
    pub interval: Duration,
    pub timeout: Duration,
    pub unhealthy_after: u32,
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

/// A limit that warns and one that alarms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit<T> {
    pub warning: T,
    pub critical: T,
}

/// `thresholds:` of the file: what colours a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// Replay lag of a standby.
    pub replication_lag: Limit<Duration>,
    /// WAL kept back by a slot, in bytes.
    pub slot_retention: Limit<u64>,
    /// Conflicts a minute.
    pub conflict_rate: Limit<f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            replication_lag: Limit { warning: Duration::from_secs(1), critical: Duration::from_secs(10) },
            slot_retention: Limit { warning: 1 << 30, critical: 10 << 30 },
            conflict_rate: Limit { warning: 1.0, critical: 10.0 },
        }
    }
}
