//! One server of a temporary cluster, and the faults that can be made on it. Every function waits, with a deadline,
//! until its effect is there.

use std::fs;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::{DemoError, Install, install, processes};
use crate::model::{NodeConfig, NodeName, PasswordSource, Secret};

/// How long a server may take for anything: generous, as the machine may be busy with a compiler.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ports below those that the kernel gives to outgoing connections. One of those could occupy the port of a server that
/// is down for a moment, or even connect to itself there.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// How to stop a server, named as in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Waits until every session ends, and refuses new ones.
    Smart,
    /// Ends every session, then stops with a checkpoint.
    Fast,
    /// Stops at once, as after a crash.
    Immediate,
}

/// A server of a [`Cluster`](super::Cluster), running or not.
#[derive(Debug)]
pub struct Server {
    name: NodeName,
    data_dir: PathBuf,
    port: AtomicU16,
    password: Secret,
    install: Arc<Install>,
    postmaster: Mutex<Option<Child>>,
}

impl Server {
    pub(super) fn new(name: NodeName, data_dir: PathBuf, password: Secret, install: Arc<Install>) -> Self {
        Self { name, data_dir, port: AtomicU16::new(0), password, install, postmaster: Mutex::new(None) }
    }

    /// Its name in the cluster: `primary`, `standby1`.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The loopback address.
    #[allow(clippy::unused_self, reason = "reads like its siblings")]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The folder of its unix socket, which may be the `host` of a connection.
    pub fn socket_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Its log.
    pub fn log_file(&self) -> PathBuf {
        self.data_dir.with_extension("log")
    }

    /// The password of every role of the cluster.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// The node for a dashboard: the role `pgwatch`, a member of `pg_monitor`, over TCP with SCRAM.
    pub fn node_config(&self) -> NodeConfig {
        self.node_config_as("pgwatch")
    }

    /// [`Self::node_config`] with another role: `postgres` (superuser) or `app` (may create schemas).
    pub fn node_config_as(&self, role: &str) -> NodeConfig {
        let mut node = NodeConfig::new(self.name.clone(), self.host());
        node.port = self.port();
        role.clone_into(&mut node.user);
        node.password = PasswordSource::Given(self.password.clone());
        node
    }

    /// The process number of the postmaster, while it runs.
    pub fn postmaster_pid(&self) -> Option<i32> {
        running(&mut self.postmaster()).map(|child| child.id() as i32)
    }

    /// Starts it on a free port, or on another one if that is taken meanwhile.
    pub(super) fn start_on_a_free_port(&self) -> Result<(), DemoError> {
        let mut last = Ok(());
        for _ in 0..5 {
            self.port.store(free_port().map_err(DemoError::io("no free port"))?, Ordering::Relaxed);
            last = self.start();
            match &last {
                Err(DemoError::Failed { output, .. }) if output.contains("could not bind") => {}
                _ => return last,
            }
        }
        last
    }

    /// Starts it again on its port and waits until it accepts sessions.
    pub fn start(&self) -> Result<(), DemoError> {
        self.spawn()?;
        self.wait_ready()
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> Result<(), DemoError> {
        let mut postmaster = self.postmaster();
        if running(&mut postmaster).is_some() {
            return Err(DemoError::Running(self.name.to_string()));
        }
        let log_file = self.log_file();
        let log = OpenOptions::new().create(true).append(true).open(&log_file).map_err(DemoError::file(&log_file))?;
        let errors = log.try_clone().map_err(DemoError::file(&log_file))?;
        // Runs in its folder from the start, by which the guard finds it.
        let child = self
            .install
            .program("postgres")
            .args(["-p", &self.port().to_string(), "-D"])
            .arg(&self.data_dir)
            .current_dir(&self.data_dir)
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .spawn()
            .map_err(DemoError::io("postgres"))?;
        *postmaster = Some(child);
        Ok(())
    }

    /// Waits until it accepts sessions; if it ends instead, the error has the end of its log.
    pub fn wait_ready(&self) -> Result<(), DemoError> {
        let ready = processes::wait_until(PATIENCE, || {
            let Some(pid) = self.postmaster_pid() else { return Some(false) };
            // The first line is the process number of the writer, the eighth its status.
            let status = fs::read_to_string(self.data_dir.join("postmaster.pid")).unwrap_or_default();
            let mut lines = status.lines().map(str::trim);
            let ours = lines.next() == Some(&pid.to_string());
            (ours && lines.nth(6) == Some("ready")).then_some(true)
        });
        let what = format!("start of {}", self.name);
        match ready {
            Some(true) => Ok(()),
            Some(false) => Err(DemoError::Failed { what, output: self.log_tail() }),
            None => Err(DemoError::Timeout { what, after: PATIENCE }),
        }
    }

    /// Stops it in order and waits for its end. A frozen server is thawed first.
    pub fn stop(&self, mode: StopMode) -> Result<(), DemoError> {
        self.request_stop(mode)?;
        self.wait_stopped(PATIENCE)
    }

    /// Asks it to stop and does not wait. A frozen server is thawed first.
    pub fn request_stop(&self, mode: StopMode) -> Result<(), DemoError> {
        let pid = self.pid()?;
        processes::thaw(pid);
        let signal = match mode {
            StopMode::Smart => Signal::TERM,
            StopMode::Fast => Signal::INT,
            StopMode::Immediate => Signal::QUIT,
        };
        processes::signal(pid, signal);
        Ok(())
    }

    /// Waits until its postmaster has ended.
    pub fn wait_stopped(&self, within: Duration) -> Result<(), DemoError> {
        processes::wait_until(within, || self.postmaster_pid().is_none().then_some(()))
            .ok_or_else(|| DemoError::Timeout { what: format!("stop of {}", self.name), after: within })
    }

    /// Kills the postmaster and all its children with SIGKILL, as a power failure would.
    pub fn kill(&self) -> Result<(), DemoError> {
        let gone = processes::kill(self.pid()?, PATIENCE);
        self.wait_stopped(PATIENCE)?;
        if gone { Ok(()) } else { Err(self.timeout("kill")) }
    }

    /// Stops the postmaster and all its children with SIGSTOP: sockets stay open, and nothing answers.
    pub fn freeze(&self) -> Result<(), DemoError> {
        if processes::freeze(self.pid()?, PATIENCE) { Ok(()) } else { Err(self.timeout("freeze")) }
    }

    /// Resumes a frozen server.
    pub fn thaw(&self) -> Result<(), DemoError> {
        processes::thaw(self.pid()?);
        Ok(())
    }

    /// Promotes a standby and waits until it is a primary.
    pub fn promote(&self) -> Result<(), DemoError> {
        self.psql("select pg_promote(true, 60)").map(drop)
    }

    /// Writes a setting into its configuration file, for the next start or `select pg_reload_conf()`.
    pub fn set(&self, name: &str, value: &str) -> Result<(), DemoError> {
        let path = self.data_dir.join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(&path).map_err(DemoError::file(&path))?;
        file.write_all(setting(name, value).as_bytes()).map_err(DemoError::file(&path))
    }

    /// Runs SQL as superuser over the unix socket; returns rows as lines, with columns separated by `|`.
    pub fn psql(&self, sql: &str) -> Result<String, DemoError> {
        let mut command = self.client("postgres");
        command.args(["-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        install::run(command, sql)
    }

    /// A command that runs psql as this role over the unix socket. Arguments of the caller override those set here.
    pub fn client(&self, role: &str) -> Command {
        let mut command = self.install.program("psql");
        command.args(["-X", "-q", "-U", role, "-d", "postgres", "-h"]).arg(self.socket_dir());
        command.args(["-p", &self.port().to_string()]);
        command.env("PGPASSWORD", self.password.expose()).env("PGCONNECT_TIMEOUT", "20");
        command
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn timeout(&self, what: &str) -> DemoError {
        DemoError::Timeout { what: format!("{what} of {}", self.name), after: PATIENCE }
    }

    fn pid(&self) -> Result<i32, DemoError> {
        self.postmaster_pid().ok_or_else(|| DemoError::NotRunning(self.name.to_string()))
    }

    fn postmaster(&self) -> MutexGuard<'_, Option<Child>> {
        self.postmaster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    /// Stops it in order if that is quick, so that its shared memory is freed; otherwise the folder's guard kills it.
    fn drop(&mut self) {
        if self.request_stop(StopMode::Immediate).is_ok() && self.wait_stopped(Duration::from_secs(5)).is_err() {
            let _ = self.kill();
        }
    }
}

/// A line of `postgresql.conf`; the last one for a name wins.
pub(super) fn setting(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\\', r"\\").replace('\'', "''"))
}

/// The child if it is still running; one that has ended is reaped here.
fn running(child: &mut Option<Child>) -> Option<&mut Child> {
    if child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
        *child = None;
    }
    child.as_mut()
}

fn free_port() -> io::Result<u16> {
    let mut last = io::Error::other("no port tried");
    for _ in 0..100 {
        let port = fastrand::u16(PORTS);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}
