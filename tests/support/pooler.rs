//! A real PgBouncer in front of a server.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgwatch::demo::Server;

/// A PgBouncer in front of `server`, ended when dropped.
pub struct Bouncer {
    child: Child,
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(flag: &str) -> u32 {
    let output = Command::new("id").args([flag, "postgres"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect("there is a user postgres")
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// Starts a PgBouncer and waits until it listens; tries another port if this one is taken.
pub async fn bouncer(server: &Server, mode: &str) -> Bouncer {
    bouncer_with(server, mode, "default_pool_size = 2\n").await
}

/// The same with these lines in its configuration.
pub async fn bouncer_with(server: &Server, mode: &str, lines: &str) -> Bouncer {
    for _ in 0..5 {
        let mut bouncer = start(server, mode, lines);
        let deadline = Instant::now() + Duration::from_secs(20);
        while bouncer.child.try_wait().unwrap().is_none() {
            if tokio::net::TcpStream::connect(("127.0.0.1", bouncer.port)).await.is_ok() {
                return bouncer;
            }
            assert!(Instant::now() < deadline, "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("pgbouncer ends at once");
}

fn start(server: &Server, mode: &str, lines: &str) -> Bouncer {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Below the ports that the kernel uses for outgoing connections.
    let port = fastrand::u16(12_000..32_000);
    let password = server.password().expose();
    let users = dir.path().join("users.txt");
    let known = ["pgwatch", "postgres", "odd"].map(|role| format!("\"{role}\" \"{password}\"\n"));
    write(&users, &known.concat());
    let config = dir.path().join("pgbouncer.ini");
    write(
        &config,
        &format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\n{lines}",
            server.port(),
            users.display(),
        ),
    );
    let mut command = Command::new("pgbouncer");
    command.arg("-q").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        // PgBouncer refuses to run as root.
        let (user, group) = (id("-u"), id("-g"));
        chown(dir.path(), Some(user), Some(group)).unwrap();
        command.uid(user).gid(group);
    }
    let child = command.spawn().expect("pgbouncer starts (Debian: apt-get install pgbouncer)");
    Bouncer { child, port, _dir: dir }
}
