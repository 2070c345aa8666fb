//! Nodes behind tunnels: started once for all that need it, restarted, named as the cause, ended on every way out. The
//! far end is this test binary itself, told to forward connections; `bastion` has a real `sshd`.

mod bastion;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use pgwatch::demo::{Cluster, Server};
use pgwatch::model::{
    BatchId, Command, ErrorKind, HealthState, NodeConfig, PasswordSource, RootCert, SslMode, TunnelConfig,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::command::{self, file, object, out, working};
use crate::support::pty::Tui;
use crate::support::servers::cluster;
use crate::support::tls::{Authority, with_tls};
use crate::support::wait::{PATIENCE, SOON, eventually, wait_for};
use crate::support::watched::{Watched, blocking, name, query};

/// A tunnel of a test: the command, and a folder where each run leaves the number of its process.
struct Tunnel {
    folder: tempfile::TempDir,
    command: String,
}

impl Tunnel {
    /// Forwards its local end to this port of 127.0.0.1, whatever the node's host is.
    fn to(port: u16) -> Self {
        Self::with(port, "", "")
    }

    /// `before` is run first, in the same group; `ends` is what makes the forwarding end.
    fn with(port: u16, before: &str, ends: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = format!(
            "{before} echo $$ >> {}; : {{host}} {{port}}; {}",
            folder.path().join("runs").display(),
            forwarder("{socket}", port, ends)
        );
        Self { folder, command }
    }

    fn config(&self) -> TunnelConfig {
        TunnelConfig::new(&*self.command).unwrap()
    }

    /// The command as a file has it, where a dollar is doubled.
    fn in_yaml(&self) -> String {
        self.command.replace('$', "$$")
    }

    /// The processes that it has had so far.
    fn runs(&self) -> Vec<i32> {
        let runs = fs::read_to_string(self.folder.path().join("runs")).unwrap_or_default();
        runs.lines().map(|line| line.parse().expect("the number of a process")).collect()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(*self.runs().last().unwrap()).unwrap(), signal).unwrap();
    }
}

/// The command line that makes this binary a forwarder. The shell becomes it, so that the number of its process is known.
fn forwarder(local: &str, port: u16, ends: &str) -> String {
    let us = std::env::current_exe().unwrap();
    format!(
        "PGWATCH_TEST_FORWARD='{local} {port} {ends}' exec {} --exact tunnels::forwarding --ignored --nocapture",
        us.display()
    )
}

/// No test: what other tests start as their tunnel.
#[test]
#[ignore = "other tests start it as their tunnel"]
fn forwarding() {
    let Ok(what) = std::env::var("PGWATCH_TEST_FORWARD") else { return };
    let mut words = what.split(' ');
    let (local, port) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
    let ends_after_one = words.next() == Some("after-one");
    let accept: Box<dyn Fn() -> io::Result<Box<dyn Ends>>> = if let Ok(port) = local.parse() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        Box::new(move || listener.accept().map(|(socket, _)| Box::new(socket) as _))
    } else {
        let listener = UnixListener::bind(local).unwrap();
        Box::new(move || listener.accept().map(|(socket, _)| Box::new(socket) as _))
    };
    loop {
        let near = accept().unwrap();
        // As `ssh` does: a connection is taken first, and closed if it leads nowhere.
        let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
            say("channel 2: open failed: connect failed: Connection refused");
            continue;
        };
        let (from_near, from_far) = (near.copy(), Box::new(far.try_clone().unwrap()));
        std::thread::spawn(move || pass(from_near, Box::new(far)));
        std::thread::spawn(move || {
            pass(from_far, near);
            if ends_after_one {
                say("error: lost connection to pod");
                // A panic of this thread alone would not end the process.
                kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
            }
        });
    }
}

fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// One end of a connection.
trait Ends: Read + Write + Send {
    fn copy(&self) -> Box<dyn Ends>;
    fn finish(&self);
}

impl Ends for TcpStream {
    fn copy(&self) -> Box<dyn Ends> {
        Box::new(self.try_clone().unwrap())
    }

    fn finish(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Ends for std::os::unix::net::UnixStream {
    fn copy(&self) -> Box<dyn Ends> {
        Box::new(self.try_clone().unwrap())
    }

    fn finish(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

fn pass(mut from: Box<dyn Ends>, mut to: Box<dyn Ends>) {
    let _ = io::copy(&mut from, &mut to);
    to.finish();
}

/// A node for the server, under a host name that leads nowhere without a tunnel.
fn behind(server: &Server, called: &str, tunnel: &Tunnel) -> NodeConfig {
    let mut node = server.node_config();
    node.name = name(called);
    "db.internal.invalid".clone_into(&mut node.host);
    node.port = 5432;
    node.tunnel = Some(tunnel.config());
    node
}

/// A process that is gone, or a zombie that nobody has waited for yet.
fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

#[track_caller]
fn assert_gone(pids: &[i32]) {
    wait_for("the end of the tunnel", SOON, || pids.iter().all(|pid| is_gone(*pid)).then_some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_the_same_tunnel_share_it_and_cancel_through_it() {
    let cluster = blocking(|| cluster().start().unwrap());
    let server = cluster.primary();
    let tunnel = Tunnel::to(server.port());
    let nodes = ["one", "two"].map(|called| behind(server, called, &tunnel));
    let names = nodes.each_ref().map(|node| node.name.clone());
    let mut watched = Watched::healthy(nodes.to_vec()).await;
    assert_eq!(tunnel.runs().len(), 1, "one process for both");
    watched.handle.send(Command::Run(query(1, "select pg_sleep(600)", &[&names[0]]))).await.unwrap();
    blocking(|| wait_for("the query runs", SOON, || (working(server) == 1).then_some(())));
    watched.handle.send(Command::CancelBatch(BatchId(1))).await.unwrap();
    blocking(|| wait_for("the server was told to cancel", SOON, || (working(server) == 0).then_some(())));
    assert_eq!(watched.outcome(BatchId(1)).await.result.unwrap_err().kind, ErrorKind::Cancelled);
    watched.stop().await;
    blocking(|| assert_gone(&tunnel.runs()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_that_ends_is_started_again_and_one_that_is_frozen_is_named() {
    let cluster = blocking(|| cluster().start().unwrap());
    let tunnel = Tunnel::to(cluster.primary().port());
    let node = behind(cluster.primary(), "one", &tunnel);
    let called = node.name.clone();
    let mut watched = Watched::healthy(vec![node]).await;
    tunnel.signal(Signal::KILL);
    eventually("another run", PATIENCE, async || (tunnel.runs().len() == 2).then_some(())).await;
    if watched.state(&called).await != Some(HealthState::Healthy) {
        watched.until_state(&called, HealthState::Healthy).await;
    }
    tunnel.signal(Signal::STOP);
    let health = watched.until_state(&called, HealthState::Unhealthy).await;
    let error = health.error.unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("db.internal.invalid:5432 through"), "{error}");
    tunnel.signal(Signal::CONT);
    watched.until_state(&called, HealthState::Healthy).await;
    assert_eq!(tunnel.runs().len(), 2, "it was not started again");
    watched.stop().await;
    blocking(|| assert_gone(&tunnel.runs()));
}

/// What a tunnel writes is the reason, and no node is without one.
#[test]
fn a_tunnel_that_cannot_be_opened_says_why() {
    let cases = [
        (
            "\"echo 'me@bastion: Permission denied (publickey).' >&2; exit 255; {socket}\"",
            "Permission denied (publickey).",
        ),
        ("\"exit 7; {socket}\"", "it ended with exit status 7"),
        ("\"echo 'password=hunter2' >&2; exit 1; {local_port}\"", "password="),
        ("\"no-such-program {socket}\"", "not found"),
        ("\"exec sleep 600; {local_port}\"", "it has not opened its local end within 900 ms"),
        ("\"exec cat /dev/tty; {socket}\"", "/dev/tty"),
    ];
    for (command, why) in cases {
        let config =
            file(&format!("nodes:\n  a: {{host: h, user: u, tunnel: {command}, pool: {{connect_timeout: 1s}}}}\n"));
        let (status, code) = object(&["status", "--format", "json", "--config", config.arg()]);
        let error = &status["nodes"][0]["error"];
        assert_eq!((error["kind"].as_str(), code), (Some("tunnel"), 2), "{command}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("tunnel ") && message.contains(why), "{command}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

/// With a server down behind a tunnel that is open, the tunnel is not the cause.
#[test]
fn a_server_that_is_down_behind_a_tunnel_is_not_a_tunnel_that_is_down() {
    let tunnel = Tunnel::to(crate::support::servers::NOBODY);
    let config = file(&format!("nodes:\n  a: {{host: h, user: u, tunnel: \"{}\"}}\n", tunnel.in_yaml()));
    let (status, _) = object(&["status", "--format", "json", "--config", config.arg()]);
    let error = &status["nodes"][0]["error"];
    assert_eq!(error["kind"], "connection_lost", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("the tunnel said: connect failed: Connection refused"), "{message}");
    assert_gone(&tunnel.runs());
}

/// A way out of the dashboard.
type Leave = fn(&mut Tui);

/// Keys, signals, a closed terminal, and the signal that no program can catch.
#[test]
fn a_tunnel_ends_with_all_that_it_started_on_every_way_out() {
    let cluster = cluster().start().unwrap();
    let ways: [(&str, Leave); 5] = [
        ("q", |tui| tui.press("q")),
        ("SIGTERM", |tui| tui.signal(Signal::TERM)),
        ("SIGINT", |tui| tui.signal(Signal::INT)),
        ("SIGKILL", |tui| tui.signal(Signal::KILL)),
        ("SIGHUP", Tui::close_terminal),
    ];
    for (way, leave) in ways {
        // A grandchild that ignores SIGTERM, as a `ProxyCommand` might.
        let before = "(trap '' TERM; echo $(exec sh -c 'echo $PPID') >> FOLDER/runs; sleep 600) &";
        let mut tunnel = Tunnel::to(cluster.primary().port());
        let folder = tunnel.folder.path().display().to_string();
        tunnel.command = format!("{} {}", before.replace("FOLDER", &folder), tunnel.command);
        let password = cluster.primary().password().expose();
        let config = file(&format!(
            "nodes:\n  a: {{host: db.invalid, user: pgwatch, password: {password}, tunnel: \"{}\"}}\n",
            tunnel.in_yaml()
        ));
        let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
        tui.wait_text("healthy", PATIENCE);
        let runs = tunnel.runs();
        assert_eq!(runs.len(), 2, "{way}");
        for pid in &runs {
            // Field 6 is the session, field 7 its terminal.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
            assert_eq!(fields[4], "0", "it has no terminal to ask for a password on");
        }
        let socket = runs.iter().find_map(|pid| socket_of(*pid)).expect("one of them forwards");
        assert!(socket.exists(), "{way}");
        leave(&mut tui);
        tui.wait_exit(PATIENCE);
        assert_gone(&runs);
        let folder = socket.parent().unwrap();
        wait_for(&format!("{way}: its folder is removed"), SOON, || (!folder.exists()).then_some(()));
    }
}

/// The socket that a forwarder listens on; `None` if the process is none.
fn socket_of(pid: i32) -> Option<PathBuf> {
    let variables = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let told = variables.split('\0').find_map(|variable| variable.strip_prefix("PGWATCH_TEST_FORWARD="))?;
    told.split(' ').next().map(PathBuf::from)
}

/// The certificate is for the real host, and so is the line of the password file, whatever the tunnel listens on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_and_password_are_those_of_the_real_host() {
    let authority = Authority::new("the authority");
    let cluster: Cluster =
        blocking(|| with_tls(cluster(), &authority.server("db.internal.invalid"), &authority).start().unwrap());
    let tunnel = Tunnel::to(cluster.primary().port());
    let mut node = behind(cluster.primary(), "one", &tunnel);
    let folder = tempfile::tempdir().unwrap();
    let write = |named: &str, bytes: &[u8]| {
        let path = folder.path().join(named);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let password = cluster.primary().password().expose();
    let line = format!("db.internal.invalid:5432:*:pgwatch:{password}\n*:*:*:*:wrong\n");
    node.password = PasswordSource::File(write("pgpass", line.as_bytes()));
    node.tls.mode = SslMode::VerifyFull;
    node.tls.root_cert = Some(RootCert::File(write("ca.crt", &authority.pem())));
    let watched = Watched::healthy(vec![node.clone()]).await;
    watched.stop().await;
    "other.invalid".clone_into(&mut node.host);
    let mut watched = Watched::start(vec![node.clone()]);
    let error = watched.until_state(&node.name, HealthState::Unhealthy).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::Tls, "{error}");
    watched.stop().await;
}

/// A `kubectl` that ends with the first connection that the server closes, as the real one does after a reset.
#[test]
fn a_port_forward_of_kubernetes_is_started_again_each_time_it_dies() {
    let cluster = cluster().start().unwrap();
    let server = cluster.primary();
    let folder = tempfile::tempdir().unwrap();
    let (bin, runs) = (folder.path().join("kubectl"), folder.path().join("runs"));
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> {}\nfor last; do :; done\n{}\n",
        runs.display(),
        forwarder("'\"${last%%:*}\"'", server.port(), "after-one")
    );
    fs::write(&bin, script).unwrap();
    fs::set_permissions(&bin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let config = file(&format!(
        "nodes:\n  a:\n    user: pgwatch\n    password: {}\n    kubernetes: {{context: prod, namespace: db, service: pg-rw}}\n",
        server.password().expose()
    ));
    let checked = command::run(&["check", "--config", config.arg()]);
    let stands_for =
        "kubectl --context prod --namespace db port-forward --address 127.0.0.1 svc/pg-rw {local_port}:5432";
    assert!(out(&checked).contains(stands_for), "{}", out(&checked));
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut tui = Tui::start(&["--config", config.arg()], 120, 40, &[("PATH", &path)]);
    tui.wait_text("healthy", PATIENCE);
    let started = || fs::read_to_string(&runs).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    let before = started().len();
    assert!(started()[0].starts_with("--context prod --namespace db port-forward --address 127.0.0.1 svc/pg-rw "));
    server.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    wait_for("another kubectl", PATIENCE, || (started().len() > before).then_some(()));
    tui.wait_text("● 1  of 1 node", PATIENCE);
    tui.press("q");
    tui.wait_exit(PATIENCE);
}

/// A command of the user's own may have a token in it.
#[test]
fn a_secret_in_a_command_is_not_shown() {
    let config = file("nodes:\n  a: {host: h, user: u, tunnel: \"exit 3; : --token hunter2 {socket}\"}\n");
    let log = config.path.with_extension("log");
    let log_arg = log.to_str().unwrap();
    for args in [vec!["check"], vec!["status"], vec!["status", "--format", "json"]] {
        let mut command = command::pgwatch(&[&args[..], &["--config", config.arg(), "--log", log_arg]].concat());
        let output = command.env("PGWATCH_LOG", "pgwatch=trace").output().unwrap();
        let shown = format!("{}{}", out(&output), command::err(&output));
        assert!(!shown.contains("hunter2"), "{args:?}: {shown}");
    }
    let logged = fs::read_to_string(&log).unwrap();
    assert!(logged.contains("tunnel") && !logged.contains("hunter2"), "{logged}");
}

/// Nothing of a host name is run by the shell: it is refused where it stands.
#[test]
fn a_host_cannot_bring_its_own_commands() {
    let mark = tempfile::tempdir().unwrap();
    for host in ["h;touch${IFS}MARK/x", "$(touch${IFS}MARK/x)", "h'|touch${IFS}MARK/x'", "`touch${IFS}MARK/x`"] {
        let host = host.replace("MARK", &mark.path().display().to_string()).replace('$', "$$");
        let config = file(&format!(
            "nodes:\n  a: {{host: \"{host}\", user: u, tunnel: \"echo {{host}} '{{host}}' {{socket}}\"}}\n"
        ));
        let output = command::run(&["status", "--config", config.arg()]);
        assert!(command::err(&output).contains(".yaml:2:"), "{}", command::err(&output));
        assert!(fs::read_dir(mark.path()).unwrap().next().is_none());
    }
}
