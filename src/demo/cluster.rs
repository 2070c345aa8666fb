//! A primary and its streaming standbys in a temporary folder. One value owns all of it: dropping it stops the servers
//! and removes the folder.
//!
//! ```no_run
//! # fn main() -> Result<(), pgwatch::demo::DemoError> {
//! let cluster = pgwatch::demo::Cluster::builder().standbys(2).config("max_connections", "20").start()?;
//! cluster.server("standby1").freeze()?;
//! assert_eq!(cluster.primary().psql("select 1")?, "1");
//! # Ok(())
//! # }
//! ```

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::guard::Folder;
use super::server::setting;
use super::{DemoError, Install, Server, install};
use crate::model::{NodeName, Secret};

/// Settings for small, disposable servers that have everything a dashboard shows switched on. With `mmap`, dynamic
/// shared memory is in the data folder and is removed with it.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "60"),
    ("shared_buffers", "16MB"),
    ("dynamic_shared_memory_type", "mmap"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("wal_level", "replica"),
    ("hot_standby", "on"),
    ("max_wal_senders", "10"),
    ("max_replication_slots", "10"),
    ("max_wal_size", "128MB"),
    ("wal_retrieve_retry_interval", "200ms"),
    ("wal_receiver_status_interval", "1s"),
    ("password_encryption", "scram-sha-256"),
    ("autovacuum_naptime", "10s"),
    ("track_io_timing", "on"),
    ("log_line_prefix", "%m [%p] %q%u@%d/%a "),
    ("log_lock_waits", "on"),
];

const HBA: &str = "local all all scram-sha-256\n\
                   host all all 127.0.0.1/32 scram-sha-256\n\
                   host replication all 127.0.0.1/32 scram-sha-256\n";

/// A data folder as `initdb` leaves it. `initdb` takes seconds, so a program that starts many clusters makes one
/// template and copies it.
#[derive(Debug)]
pub struct Template {
    install: Arc<Install>,
    folder: Folder,
}

impl Template {
    /// Runs `initdb` once, into a temporary folder.
    pub fn create(install: Install) -> Result<Self, DemoError> {
        let folder = Folder::create(&install)?;
        initdb(&install, &folder.path().join("template"))?;
        Ok(Self { install: Arc::new(install), folder })
    }
}

/// Describes a cluster to be started.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder<'a> {
    template: Option<&'a Template>,
    install: Option<Install>,
    primary_name: Option<String>,
    standbys: usize,
    cascade: bool,
    settings: Vec<(String, String)>,
    hba: String,
    files: Vec<(String, Vec<u8>)>,
}

impl<'a> Builder<'a> {
    /// Starts as a copy of this template with a system identifier of its own. `pg_resetwal` writes the identifier;
    /// where a package of PostgreSQL lacks it, the cluster is initialised from scratch.
    pub fn template(mut self, template: &'a Template) -> Self {
        self.template = Some(template);
        self
    }

    /// The PostgreSQL to use without a template; by default the newest that is installed.
    pub fn install(mut self, install: Install) -> Self {
        self.install = Some(install);
        self
    }

    /// The name of the primary, by default `primary`. Useful for several clusters of one server.
    pub fn primary_name(mut self, name: impl Into<String>) -> Self {
        self.primary_name = Some(name.into());
        self
    }

    /// How many standbys (`standby1`, `standby2`, ...) stream from the primary, each through a slot of its name.
    pub fn standbys(mut self, count: usize) -> Self {
        self.standbys = count;
        self
    }

    /// Adds a standby `cascade1` that streams from `standby1`.
    pub fn cascade(mut self) -> Self {
        self.cascade = true;
        self
    }

    /// A setting of every server; a later one for the same name wins.
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A line of `pg_hba.conf`, placed before the default ones (SCRAM for all roles on 127.0.0.1 and the unix socket).
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push_str(line);
        self.hba.push('\n');
        self
    }

    /// A file in every data folder that only the server may read, such as a key or a certificate.
    pub fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), contents.into()));
        self
    }

    /// Creates and starts all servers; returns when each accepts sessions.
    pub fn start(self) -> Result<Cluster, DemoError> {
        let install = match (self.template, &self.install) {
            (Some(template), _) => Arc::clone(&template.install),
            (None, Some(install)) => Arc::new(install.clone()),
            (None, None) => Arc::new(Install::find()?),
        };
        let folder = Folder::create(&install)?;
        let password = Secret::new(std::iter::repeat_with(fastrand::alphanumeric).take(20).collect::<String>());
        let server = |name: &str| -> Result<Server, DemoError> {
            let data_dir = folder.path().join(name);
            Ok(Server::new(NodeName::parse(name)?, data_dir, password.clone(), Arc::clone(&install)))
        };

        let mut servers = vec![server(self.primary_name.as_deref().unwrap_or("primary"))?];
        for number in 1..=self.standbys.max(usize::from(self.cascade)) {
            servers.push(server(&format!("standby{number}"))?);
        }
        let direct = servers.len();
        if self.cascade {
            servers.push(server("cascade1")?);
        }
        let (primary, standbys) = servers.split_at(1);
        let primary = &primary[0];
        self.prepare(&install, primary)?;
        for standby in standbys {
            copy(&install, primary.data_dir(), standby.data_dir())?;
        }
        primary.start_on_a_free_port()?;
        let (direct, cascade) = standbys.split_at(direct - 1);
        self.start_followers(&install, primary, direct)?;
        if let Some(upstream) = direct.first() {
            self.start_followers(&install, upstream, cascade)?;
        }
        Ok(Cluster { servers, _folder: folder })
    }

    /// Prepares the primary's data folder without starting the server: initialised or copied, configured, with its
    /// roles.
    fn prepare(&self, install: &Install, primary: &Server) -> Result<(), DemoError> {
        let data = primary.data_dir();
        match self.template {
            Some(template) if install.has_program("pg_resetwal") => {
                copy(install, &template.folder.path().join("template"), data)?;
                new_identity(install, data)?;
            }
            _ => initdb(install, data)?,
        }
        install.write(&data.join("pg_hba.conf"), format!("{}{HBA}", self.hba).as_bytes())?;
        for (name, contents) in &self.files {
            install.write(&data.join(name), contents)?;
        }
        self.configure(install, primary, &[])?;
        // In single-user mode: it is faster, and it writes the settings that a standby checks to the control file.
        let mut single = install.program("postgres");
        single.args(["--single", "-j", "-D"]).arg(data).arg("postgres").current_dir(data);
        install::run(single, &roles(primary.password())).map(drop)
    }

    fn configure(&self, install: &Install, server: &Server, more: &[(&str, String)]) -> Result<(), DemoError> {
        let mut text = String::new();
        let mut set = |name: &str, value: &str| text.push_str(&setting(name, value));
        for (name, value) in SETTINGS {
            set(name, value);
        }
        if install.major() >= 13 {
            // The slot of a stopped standby must not fill the folder.
            set("max_slot_wal_keep_size", "512MB");
        }
        if install.has_library("pg_stat_statements") {
            set("shared_preload_libraries", "pg_stat_statements");
        }
        set("cluster_name", server.name());
        set("unix_socket_directories", &server.socket_dir().to_string_lossy());
        for (name, value) in more {
            set(name, value);
        }
        for (name, value) in &self.settings {
            set(name, value);
        }
        install.write(&server.data_dir().join("postgresql.conf"), text.as_bytes())
    }

    /// Configures and starts standbys in parallel, each with a slot on its upstream.
    fn start_followers(&self, install: &Install, upstream: &Server, standbys: &[Server]) -> Result<(), DemoError> {
        for standby in standbys {
            let slot = standby.name();
            upstream.psql(&format!("select pg_create_physical_replication_slot('{slot}', true)"))?;
            let conninfo = format!(
                "host={} port={} user=repl password={} application_name={slot}",
                upstream.host(),
                upstream.port(),
                upstream.password().expose()
            );
            let follow = [("primary_conninfo", conninfo), ("primary_slot_name", slot.to_owned())];
            if install.major() >= 12 {
                self.configure(install, standby, &follow)?;
                install.write(&standby.data_dir().join("standby.signal"), b"")?;
            } else {
                self.configure(install, standby, &[])?;
                let recovery = [("standby_mode", "on".to_owned()), ("recovery_target_timeline", "latest".to_owned())];
                let text: String = recovery.iter().chain(&follow).map(|(name, value)| setting(name, value)).collect();
                install.write(&standby.data_dir().join("recovery.conf"), text.as_bytes())?;
            }
        }
        thread::scope(|scope| {
            let starts: Vec<_> =
                standbys.iter().map(|standby| scope.spawn(|| standby.start_on_a_free_port())).collect();
            starts.into_iter().try_for_each(|start| match start.join() {
                Ok(started) => started,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }
}

/// Running servers and their folder. Dropping it stops and removes them; so does any end of this program.
#[derive(Debug)]
pub struct Cluster {
    /// The primary first. Declared before the folder, so that the servers are stopped before it is removed.
    servers: Vec<Server>,
    _folder: Folder,
}

impl Cluster {
    /// A builder of a single primary, to be extended.
    pub fn builder<'a>() -> Builder<'a> {
        Builder::default()
    }

    /// The server that was started as the primary.
    pub fn primary(&self) -> &Server {
        &self.servers[0]
    }

    /// The server of that name.
    ///
    /// # Panics
    /// If there is none. The caller chose the names.
    #[allow(clippy::panic, reason = "indexing, by name")]
    pub fn server(&self, name: &str) -> &Server {
        match self.servers.iter().find(|server| server.name() == name) {
            Some(server) => server,
            None => panic!("the cluster has no server named {name}"),
        }
    }

    /// The primary, then the standbys.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }
}

/// The SQL for the roles: `pgwatch` may read all statistics, `app` may create schemas, `repl` streams, `postgres` is a
/// superuser.
fn roles(password: &Secret) -> String {
    let password = password.expose();
    format!(
        "alter role postgres password '{password}';\n\n\
         create role pgwatch login password '{password}' in role pg_monitor;\n\n\
         create role app login password '{password}';\n\n\
         grant create on database postgres to app;\n\n\
         create role repl login replication password '{password}';\n\n"
    )
}

/// Small WAL segments keep a data folder at 23 MB. Trust authentication is never used: the real `pg_hba.conf` replaces
/// it before the first start.
fn initdb(install: &Install, data: &Path) -> Result<(), DemoError> {
    let mut command = install.program("initdb");
    command.args(["--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(data);
    if install.major() >= 11 {
        command.arg("--wal-segsize=1");
    }
    // Runs in the cluster's folder, by which the guard finds it.
    command.current_dir(data.parent().unwrap_or(data));
    install::run(command, "").map(drop)
}

fn copy(install: &Install, from: &Path, to: &Path) -> Result<(), DemoError> {
    let mut command = install.command("cp");
    command.arg("-a").arg(from).arg(to).current_dir(to.parent().unwrap_or(to));
    install::run(command, "").map(drop)
}

/// Gives a copy a system identifier of its own. The identifier is the first eight bytes of the control file;
/// `pg_resetwal` writes the checksum and a matching WAL, whatever the layout of the version.
fn new_identity(install: &Install, data: &Path) -> Result<(), DemoError> {
    let path = data.join("global/pg_control");
    let mut control = fs::read(&path).map_err(DemoError::file(&path))?;
    if let Some(identifier) = control.get_mut(..8) {
        // Positive as a signed number, as some programs show it as one.
        identifier.copy_from_slice(&fastrand::u64(1..i64::MAX as u64).to_ne_bytes());
    }
    install.write(&path, &control)?;
    let mut command = install.program("pg_resetwal");
    command.arg("-f").arg(data).current_dir(data);
    install::run(command, "").map(drop)
}
