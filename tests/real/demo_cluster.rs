//! The throw-away cluster and other support code of the tests: every fault is real, no process outlives its holder, and
//! the terminal model is right.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pgwatch::demo::{Cluster, Load, Server, StopMode};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::proxy::{Link, Proxy};
use crate::support::pty::{Tui, ending};
use crate::support::servers::cluster;
use crate::support::tls::{Authority, with_tls};
use crate::support::wait::{PATIENCE, SOON, wait_for};

/// What a client without an account learns: the server's reply to a request for TLS, if it arrives.
fn answers(port: u16, time: Duration) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(time))?;
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0])
}

fn streams(server: &Server, standby: &str) -> bool {
    server.psql(&format!("select state from pg_stat_replication where application_name = '{standby}'")).unwrap()
        == "streaming"
}

#[test]
fn standbys_stream_in_a_cascade_too() {
    let cluster = cluster().standbys(2).cascade().config("max_connections", "20").start().unwrap();
    let primary = cluster.primary();
    assert_eq!(primary.psql("show max_connections").unwrap(), "20");
    for (upstream, standby) in [(primary, "standby1"), (primary, "standby2"), (cluster.server("standby1"), "cascade1")]
    {
        wait_for(standby, PATIENCE, || streams(upstream, standby).then_some(()));
        assert_eq!(cluster.server(standby).psql("select pg_is_in_recovery()").unwrap(), "t");
    }
    primary.psql("create table t as select 42 as x").unwrap();
    wait_for("the table arrives", PATIENCE, || cluster.server("cascade1").psql("select x from t").ok());
    assert!(primary.psql("select nonsense").unwrap_err().to_string().contains("nonsense"));
}

#[test]
fn clusters_differ_in_their_identifier() {
    let (one, other) = (cluster().start().unwrap(), cluster().primary_name("other").start().unwrap());
    let identifier = "select system_identifier from pg_control_system()";
    assert_ne!(one.primary().psql(identifier).unwrap(), other.primary().psql(identifier).unwrap());
    assert_eq!(other.primary().node_config().name.as_str(), "other");
}

#[test]
fn a_killed_or_stopped_server_starts_again_on_its_port() {
    let cluster = cluster().start().unwrap();
    let server = cluster.primary();
    let port = server.port();
    server.kill().unwrap();
    assert_eq!(server.postmaster_pid(), None);
    assert!(answers(port, SOON).is_err(), "refused");
    for mode in [StopMode::Smart, StopMode::Fast, StopMode::Immediate] {
        server.start().unwrap();
        assert_eq!(answers(port, SOON).unwrap(), b'N');
        server.stop(mode).unwrap();
        assert!(server.stop(mode).is_err(), "stopped already");
    }
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let cluster = cluster().start().unwrap();
    let server = cluster.primary();
    // Old and new sessions alike: each backend is frozen, not only the postmaster.
    let mut session = server
        .client("app")
        .args(["-A", "-t", "-h", server.host()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to_session = session.stdin.take().unwrap();
    let mut from_session = BufReader::new(session.stdout.take().unwrap()).lines();
    writeln!(to_session, "select 'before';").unwrap();
    assert_eq!(from_session.next().unwrap().unwrap(), "before");

    server.freeze().unwrap();
    writeln!(to_session, "select 'after';").unwrap();
    let (line, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || line.send(from_session.next().unwrap().unwrap()).unwrap());
    assert!(answers(server.port(), Duration::from_millis(300)).is_err());
    assert!(lines.try_recv().is_err(), "the old session answered too");
    server.thaw().unwrap();
    assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "after");
    assert_eq!(answers(server.port(), SOON).unwrap(), b'N');
    reader.join().unwrap();
    drop(to_session);
    session.wait().unwrap();
}

#[test]
fn a_server_can_be_held_while_starting_up() {
    let cluster = cluster().standbys(1).start().unwrap();
    let standby = cluster.server("standby1");
    standby.stop(StopMode::Fast).unwrap();
    // At the start it asks for a piece of the archive, which takes long.
    standby.set("restore_command", "sleep 600").unwrap();
    standby.spawn().unwrap();
    wait_for("starting up", PATIENCE, || {
        standby.psql("select 1").is_err_and(|error| error.to_string().contains("starting up")).then_some(())
    });
    standby.kill().unwrap();
    assert!(cluster.primary().set("work_mem", "it's").is_ok());
    assert!(
        std::fs::read_to_string(cluster.primary().data_dir().join("postgresql.conf")).unwrap().ends_with("'it''s'\n")
    );
}

#[test]
fn a_standby_is_promoted() {
    let cluster = cluster().standbys(1).start().unwrap();
    let standby = cluster.server("standby1");
    cluster.primary().kill().unwrap();
    standby.promote().unwrap();
    assert_eq!(standby.psql("select pg_is_in_recovery()").unwrap(), "f");
}

#[test]
fn a_dropped_cluster_leaves_nothing() {
    let cluster = cluster().standbys(1).start().unwrap();
    let folder = cluster.primary().data_dir().parent().unwrap().to_owned();
    cluster.server("standby1").freeze().unwrap();
    drop(cluster);
    assert!(!folder.exists());
    assert_eq!(processes_in(&folder), Vec::<PathBuf>::new());
}

/// Not a test by itself: the next test kills it while it holds a cluster.
#[test]
fn holder_to_be_killed() {
    if std::env::var_os("PGWATCH_TEST_HOLD").is_none() {
        return;
    }
    let cluster = Cluster::builder().standbys(1).start().unwrap();
    println!("FOLDER {}", cluster.primary().data_dir().parent().unwrap().display());
    cluster.primary().freeze().unwrap();
    println!("FROZEN");
    let mut forever = String::new();
    std::io::stdin().read_line(&mut forever).unwrap();
}

#[test]
fn nothing_outlives_a_killed_holder_not_even_frozen_servers() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "demo_cluster::holder_to_be_killed", "--nocapture"])
        .env("PGWATCH_TEST_HOLD", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut folder = None;
    for line in lines {
        if let Some((_, path)) = line.split_once("FOLDER ") {
            folder = Some(PathBuf::from(path));
        }
        if line.contains("FROZEN") {
            break;
        }
    }
    let folder = folder.unwrap();
    assert!(processes_in(&folder).len() > 4, "two servers run");
    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_for("the folder is gone", PATIENCE, || (!folder.exists()).then_some(()));
    assert_eq!(processes_in(&folder), Vec::<PathBuf>::new());
}

/// Processes with their working directory in a folder.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let links =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().path().join("cwd").read_link().ok());
    links.filter(|path| path.starts_with(folder)).collect()
}

#[test]
fn a_server_with_tls_shows_its_own_certificate() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let cluster = with_tls(cluster(), &ours.server("localhost"), &ours).start().unwrap();
    assert_eq!(answers(cluster.primary().port(), SOON).unwrap(), b'S');
    let folder = tempfile::tempdir().unwrap();
    let connect = |root: &Authority, host: &str| {
        let (file, port) = (folder.path().join("root.crt"), cluster.primary().port());
        std::fs::write(&file, root.pem()).unwrap();
        let conninfo = format!(
            "host={host} hostaddr=127.0.0.1 port={port} user=pgwatch dbname=postgres sslmode=verify-full sslrootcert={}",
            file.display()
        );
        let output = cluster.primary().client("pgwatch").args(["-c", "select 1", "-d", &conninfo]).output().unwrap();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
    };
    assert_eq!(connect(&ours, "localhost"), Ok(()));
    assert!(connect(&theirs, "localhost").unwrap_err().contains("certificate verify failed"));
    assert!(connect(&ours, "127.0.0.1").unwrap_err().contains("does not match"));
}

/// The demo's load does what it says, survives a killed standby, and leaves no session or process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_survives_a_killed_server_and_ends() {
    let cluster = cluster().standbys(1).start().unwrap();
    let (primary, standby) = (cluster.primary(), cluster.server("standby1"));
    let stop = CancellationToken::new();
    let mut load = JoinSet::new();
    load.spawn(Load::new(&cluster).run(stop.clone()));
    let count =
        |server: &Server| server.psql("select count(*) from shop.orders").unwrap_or_default().parse::<u32>().ok();
    let first = wait_for("rows arrive", PATIENCE, || count(standby).filter(|rows| *rows > 0));
    standby.kill().unwrap();
    standby.start().unwrap();
    let demos = "select count(*) from pg_stat_activity where application_name = 'demo'";
    wait_for("the reader is back", PATIENCE, || (standby.psql(demos).unwrap() == "1").then_some(()));
    wait_for("rows go on arriving", PATIENCE, || count(standby).filter(|rows| *rows > first));
    wait_for("five work on the primary", PATIENCE, || (primary.psql(demos).unwrap() == "5").then_some(()));
    stop.cancel();
    load.join_all().await;
    for server in cluster.servers() {
        wait_for("no session is left", PATIENCE, || (server.psql(demos).unwrap() == "0").then_some(()));
    }
}

#[test]
fn the_proxy_spoils_the_network() {
    let cluster = cluster().start().unwrap();
    let proxy = Proxy::to(cluster.primary().port());
    let short = Duration::from_millis(200);
    assert_eq!(answers(proxy.port(), SOON).unwrap(), b'N');
    for cut in [Link::Blackhole, Link::BlackholeToServer, Link::BlackholeToClient, Link::HangNew] {
        proxy.set(cut);
        assert!(answers(proxy.port(), short).is_err(), "{cut:?}");
    }
    proxy.set(Link::Delay(Duration::from_millis(150)));
    let start = std::time::Instant::now();
    assert_eq!(answers(proxy.port(), SOON).unwrap(), b'N');
    assert!(start.elapsed() >= Duration::from_millis(300), "there and back");
    proxy.set(Link::Up);

    let mut old = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    old.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    old.read_exact(&mut [0]).unwrap();
    proxy.refuse();
    assert_eq!(answers(proxy.port(), SOON).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.reset();
    assert_eq!(old.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    proxy.accept();
    assert_eq!(answers(proxy.port(), SOON).unwrap(), b'N');
}

#[test]
fn the_terminal_model_sees_what_is_left_on() {
    let script = r"saved=$(stty -g); stty raw -echo; printf '\033[?1049h\033[?25l\033[?1000h\033[?2004hin'; read -r x; printf 'got'
        dd bs=1 count=1 2>/dev/null >/dev/null; printf '\033[?1049l\033[?25h\033[?1000l\033[?2004l'; stty $saved";
    let mut tui = Tui::start_program(Path::new("/bin/sh"), &["-c", script], 40, 10, &[]);
    tui.wait_text("in", SOON);
    let faults = tui.restored().unwrap_err();
    for fault in ["alternate", "cursor", "mouse", "paste", "echo"] {
        assert!(faults.contains(fault), "{fault} in {faults}");
    }
    tui.press("<c-j>");
    tui.wait_text("got", SOON);
    tui.press("q");
    assert_eq!(ending(tui.wait_exit(SOON)), "code 0");
    assert_eq!(tui.restored(), Ok(()));
}

#[test]
fn closing_the_terminal_sends_a_hangup() {
    let mut tui = Tui::start_program(Path::new("/bin/sh"), &["-c", "echo here; exec sleep 600"], 40, 10, &[]);
    tui.wait_text("here", SOON);
    tui.close_terminal();
    assert_eq!(ending(tui.wait_exit(SOON)), "signal 1");
}
