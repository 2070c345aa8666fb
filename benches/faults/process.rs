//! Faults of a server's processes: killed, stopped, crashed, frozen; our sessions ended (N2, N3).

use std::time::SystemTime;

use pgwatch::demo::StopMode;
use rustix::process::{Pid, Signal, kill_process};

use crate::fault::{Begun, Fault, Truth, begun};
use crate::stage::Stage;
use crate::support::stage::running;
use crate::support::wait::{PATIENCE, SOON, wait_for};

pub const FAULTS: [Fault; 11] = [
    Fault::new("kill -9 of the postmaster and all its processes", Truth::Down, &["refused"], kill).dies(),
    Fault::new("stop, fast", Truth::Down, &["refused", "shutting_down"], |stage| stop(stage, StopMode::Fast)).dies(),
    Fault::new("stop, immediate", Truth::Down, &["refused", "shutting_down", "terminated"], |stage| {
        stop(stage, StopMode::Immediate)
    })
    .dies(),
    Fault::new("stop, smart (looked at with `r`)", Truth::Degraded, &["shutting_down"], smart),
    Fault::new("crash: kill -9 of one backend", Truth::Shaken, CRASH, crash).alone(),
    Fault::new("killed, then starting up for 10 s", Truth::Down, CRASH, start_up).lasting(10).late(),
    Fault::new("probe's backend terminated", Truth::Alive, &["terminated"], terminate_probe),
    Fault::new("pool's backend terminated during a query", Truth::Alive, &[], terminate_query),
    Fault::new("freeze (SIGSTOP), 1 s", Truth::Blink, &["timeout"], freeze).lasting(1),
    Fault::new("freeze (SIGSTOP), 5 s", Truth::Down, &["timeout"], freeze).lasting(5).late(),
    Fault::new("freeze (SIGSTOP), 60 s", Truth::Down, &["timeout"], freeze).lasting(60).late(),
];

const CRASH: &[&str] = &["terminated", "starting_up", "connection_lost", "shutting_down", "refused"];

/// Selects the session of the probe: its last statement is the first one of every session, and the others have run
/// another one since.
pub const PROBE: &str = "query like '%SELECT current_setting(''server_version_num'')%'";

pub fn kill(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    stage.victim().kill().expect("killed");
    begun(at, |stage| stage.victim().start().expect("started again"))
}

fn stop(stage: &mut Stage, mode: StopMode) -> Begun {
    let at = SystemTime::now();
    stage.victim().request_stop(mode).expect("told to stop");
    begun(at, start_again)
}

fn start_again(stage: &mut Stage) {
    stage.victim().wait_stopped(PATIENCE).expect("stopped");
    stage.victim().start().expect("started again");
}

/// Asks its archive for WAL when it starts, and does not answer before it has it.
fn start_up(stage: &mut Stage) -> Begun {
    let has_wal = stage.victim().data_dir().join("archive_answers");
    let _ = std::fs::remove_file(&has_wal);
    let wait = format!("while test ! -e {}; do sleep 0.02; done; false", has_wal.display());
    stage.victim().set("restore_command", &wait).expect("set");
    let at = SystemTime::now();
    stage.victim().kill().expect("killed");
    stage.victim().spawn().expect("started again");
    begun(at, move |stage| {
        std::fs::write(has_wal, "").expect("the file is written");
        answers(stage);
    })
}

/// Open sessions notice nothing, so only a check of new connections detects it: after a hint, on a key, or every two
/// minutes.
fn smart(stage: &mut Stage) -> Begun {
    stage.victim().request_stop(StopMode::Smart).expect("told to stop");
    let refuses = || stage.victim().psql("select 1").is_err().then_some(());
    wait_for("it refuses new sessions", SOON, refuses);
    let at = SystemTime::now();
    // The row below the primary.
    stage.desk.tui.press("gjr");
    begun(at, |stage| {
        stage.victim().stop(StopMode::Fast).expect("stopped");
        stage.victim().start().expect("started again");
    })
}

fn crash(stage: &mut Stage) -> Begun {
    let backend = "select min(pid) from pg_stat_activity where application_name = 'demo'";
    let pid = wait_for("a backend of the load", SOON, || stage.victim().psql(backend).ok()?.parse().ok());
    let at = SystemTime::now();
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("killed");
    begun(at, answers)
}

/// Waits until the server accepts sessions.
fn answers(stage: &mut Stage) {
    wait_for("it answers", PATIENCE, || stage.victim().psql("select 1").ok());
}

fn terminate_probe(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    assert_eq!(stage.terminate(PROBE), 1, "the probe has one session");
    begun(at, |_| ())
}

fn terminate_query(stage: &mut Stage) -> Begun {
    stage.desk.tui.press(":select pg_sleep(600)<enter>1");
    for server in stage.cluster.servers() {
        wait_for("the statement runs", SOON, || (running(server, "pg_sleep(600)") > 0).then_some(()));
    }
    stage.desk.log.read();
    let from = stage.desk.log.lines.len();
    let at = SystemTime::now();
    assert_eq!(stage.terminate("query like '%pg_sleep(600)%' and state = 'active'"), 1, "it runs in one session");
    let name = stage.victim().name().to_owned();
    stage.desk.until("that node's own answer", |line| line.node == name && line.kind() == "terminated", from);
    stage.desk.tui.press("<esc>");
    stage.desk.until("the end of the others", |line| line.text("phase") == "done", from);
    begun(at, |_| ())
}

fn freeze(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    stage.victim().freeze().expect("frozen");
    begun(at, |stage| stage.victim().thaw().expect("thawed"))
}
