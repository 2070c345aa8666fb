//! Twenty nodes through one bastion: a real `sshd` on the loopback address, with keys of its own.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process};

use crate::support::command::file;
use crate::support::here::not_run;
use crate::support::pty::Tui;
use crate::support::servers::cluster;
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// Not in an ordinary user's PATH.
const SSHD: &str = "/usr/sbin/sshd";
const NODES: usize = 20;

/// An `sshd` that lets our user in by a key, ended when dropped.
struct Bastion {
    child: Child,
    folder: tempfile::TempDir,
}

impl Bastion {
    /// `None` where there is no OpenSSH.
    fn start() -> Option<Self> {
        if !Path::new(SSHD).exists() || Command::new("ssh").arg("-V").output().is_err() {
            not_run("twenty nodes through a bastion", "there is no ssh and sshd (Debian: openssh-server)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]).status();
            assert!(made.unwrap().success());
        }
        let root = getuid().is_root();
        if root {
            // Where Debian's service makes it; `sshd` insists on it.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = fastrand::u16(12_000..32_000);
        let pam = if root { "yes" } else { "no" };
        let server = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM {pam}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            path("host"),
            path("user.pub")
        );
        fs::write(path("sshd_config"), server).unwrap();
        let host_key = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let client = format!(
            "Host bastion\nHostName 127.0.0.1\nPort {port}\nIdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\n",
            path("user"),
            path("known")
        );
        fs::write(path("ssh_config"), client).unwrap();
        // The user's configuration: `ssh` finds it by the home folder of the password database only.
        fs::create_dir(path("bin")).unwrap();
        let ssh =
            String::from_utf8(Command::new("sh").args(["-c", "command -v ssh"]).output().unwrap().stdout).unwrap();
        fs::write(path("bin/ssh"), format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", ssh.trim(), path("ssh_config")))
            .unwrap();
        fs::set_permissions(path("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        let child = Command::new(SSHD)
            .args(["-D", "-f", &path("sshd_config"), "-E", &path("log")])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let log = path("log");
        wait_for("sshd listens", SOON, || fs::read_to_string(&log).ok()?.contains("listening").then_some(()));
        Some(Self { child, folder })
    }

    fn search_path(&self) -> String {
        format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap())
    }

    /// The processes that serve those who have logged in.
    fn sessions(&self) -> Vec<i32> {
        let mut found = children(self.child.id() as i32);
        let deeper: Vec<i32> = found.iter().flat_map(|pid| children(*pid)).collect();
        found.extend(deeper);
        found
    }

    fn signal_sessions(&self, signal: Signal) {
        for pid in self.sessions() {
            // One may have ended with another one.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
        }
    }
}

impl Drop for Bastion {
    fn drop(&mut self) {
        self.signal_sessions(Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn children(parent: i32) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&parent.to_string()))
    };
    pids.filter(is_child).collect()
}

#[test]
fn twenty_nodes_go_through_one_bastion_that_is_killed_and_frozen() {
    let Some(bastion) = Bastion::start() else { return };
    // The frozen bastion keeps its connections, so each node has twice as many for a while.
    let cluster = cluster().standbys(1).config("max_connections", "200").start().unwrap();
    let servers = cluster.servers();
    let password = servers[0].password().expose();
    let mut text = format!("defaults: {{ssh: bastion, user: pgwatch, password: {password}}}\nnodes:\n");
    for place in 0..NODES {
        let server = &servers[place % servers.len()];
        writeln!(text, "  n{place}: {{host: 127.0.0.1, port: {}}}", server.port()).unwrap();
    }
    let config = file(&text);
    let path = bastion.search_path();
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[("PATH", &path)]);
    let all_up = format!("● {NODES}  of {NODES} nodes");
    let up = |text: &str| text.lines().next().is_some_and(|line| line.contains(&all_up));
    let wait_up = |tui: &Tui, when: &str| tui.wait_for(when, PATIENCE, |screen| up(&screen.contents()));
    wait_up(&tui, "all nodes are up");
    let one = bastion.sessions();
    assert!((1..=2).contains(&one.len()), "one login serves all nodes: {one:?}");

    bastion.signal_sessions(Signal::KILL);
    wait_for("another login", PATIENCE, || {
        let now = bastion.sessions();
        (!now.is_empty() && now.iter().all(|pid| !one.contains(pid))).then_some(())
    });
    wait_up(&tui, "all nodes are up after the bastion was killed");

    bastion.signal_sessions(Signal::STOP);
    tui.wait_for("the nodes are down", PATIENCE, |screen| {
        let text = screen.contents();
        text.contains(&format!("✖ {NODES}")) && text.contains("through ssh bastion")
    });
    // `ssh` gives up after three unanswered questions, five seconds apart, and logs in anew.
    wait_up(&tui, "all nodes are up after the bastion was frozen");
    bastion.signal_sessions(Signal::CONT);
    tui.press("q");
    tui.wait_exit(PATIENCE);
    wait_for("nobody is logged in", PATIENCE, || bastion.sessions().is_empty().then_some(()));
}
