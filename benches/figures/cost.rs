//! N9, N11, N12: the cost of watching, on this machine and on the servers; for one node also that of other tools.

use std::fs;
use std::time::{Duration, Instant};

use pgwatch::demo::Server;

use crate::meter::{server_time, spent_in};
use crate::readings::Readings;
use crate::rig::{Rig, pass};
use crate::states::{leave, open, up};
use crate::support::process::memory;
use crate::support::wait::PATIENCE;
use crate::table::Row;
use crate::tools::Tool;

/// Time after a start for the first figures and the caches of the server's backends.
const SETTLE: Duration = Duration::from_secs(4);
/// Time for a session to end.
const GONE: Duration = Duration::from_secs(1);
const STARTS: usize = 3;

/// Processor and memory of a dashboard with 20 nodes.
pub fn twenty(rig: &Rig, readings: &mut Readings) {
    let config = rig.config(20);
    let tui = open(&config.path());
    tui.wait_for("the nodes", PATIENCE, up(20));
    pass(SETTLE);
    let spent = spent_in(rig.plan.window, tui.pid());
    here(rig, readings, tui.pid(), spent);
    leave(tui);
}

fn here(rig: &Rig, readings: &mut Readings, pid: i32, spent: Duration) {
    let (resident, proportional) = memory(pid);
    readings.add("processor", [100.0 * spent.as_secs_f64() / rig.plan.window.as_secs_f64()]);
    readings.add("resident", [resident]);
    readings.add("proportional", [proportional]);
}

/// All figures of a tool that watches only the idle primary, refreshed every second. The error says what went wrong.
pub fn one_node(rig: &Rig, tool: &Tool, readings: &mut Readings) -> Result<(), String> {
    let server = rig.cluster.primary();
    let mut starts = Vec::new();
    let tui = loop {
        let begin = Instant::now();
        let tui = tool.start(rig)?;
        tui.sees(PATIENCE, |screen| screen.contents().contains(tool.data))
            .map_err(|state| format!("showed no data: {state}"))?;
        starts.push(begin.elapsed());
        if starts.len() == STARTS {
            break tui;
        }
        tool.leave(tui);
    };
    pass(SETTLE);
    let (asked, counted) = (Instant::now(), statements(server, tool));
    // The session that asked must have ended before the server's time is read, as it counts as a finished child.
    pass(GONE);
    let (new, bytes, busy) = (logins(server, tool), tui.written(), server_time(server, tool.role));
    let spent = spent_in(rig.plan.window, tui.pid());
    let busy = server_time(server, tool.role).saturating_sub(busy);
    let (new, bytes) = (logins(server, tool) - new, tui.written() - bytes);
    let (while_counted, count) = (asked.elapsed().as_secs_f64(), statements(server, tool));
    let held = format!("select count(*) from pg_stat_activity where usename = '{}'", tool.role);
    let held: f64 = server.psql(&held).expect("the server answers").parse().expect("a count");
    here(rig, readings, tui.pid(), spent);
    tool.leave(tui);

    readings.add("statements", [(count.0 - counted.0) / while_counted]);
    readings.add("executing, ms", [(count.1 - counted.1) / while_counted]);
    let mut a_second = |figure, total: f64| readings.add(figure, [total / rig.plan.window.as_secs_f64()]);
    a_second("server, ms", busy.as_secs_f64() * 1000.0);
    a_second("new sessions", new as f64);
    a_second("bytes", bytes as f64);
    readings.add("sessions", [held]);
    readings.add_times("first data", starts);
    Ok(())
}

/// The number of statements of the tool's role so far, and their time in milliseconds.
fn statements(server: &Server, tool: &Tool) -> (f64, f64) {
    let sql = format!(
        "select coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0) from pg_stat_statements s \
         join pg_roles r on r.oid = s.userid where r.rolname = '{}'",
        tool.role
    );
    let answer = server.psql(&sql).expect("the server answers");
    let (calls, time) = answer.split_once('|').expect("two columns");
    (calls.parse().expect("a count"), time.parse().expect("milliseconds"))
}

/// The number of logins of the tool's role so far, from the server's log.
fn logins(server: &Server, tool: &Tool) -> usize {
    let log = fs::read_to_string(server.log_file()).expect("the server's log");
    let login = format!("connection authorized: user={} ", tool.role);
    log.lines().filter(|line| line.contains(&login)).count()
}

pub fn twenty_rows(readings: &Readings) -> Vec<Row> {
    let what = "processor and memory, 20 nodes at 1 s";
    vec![watching(what, ("5 %, 50 MB", (5.0, 50.0)), ("1 %, 20 MB", (1.0, 20.0)), readings)]
}

fn watching(
    what: &'static str,
    (must, (must_cpu, must_mb)): (&'static str, (f64, f64)),
    (goal, (goal_cpu, goal_mb)): (&'static str, (f64, f64)),
    readings: &Readings,
) -> Row {
    let (cpu, resident) = (readings.median("processor"), readings.median("resident"));
    let own = readings.median("proportional");
    let measured = format!("{cpu:.2} % of a core, {resident:.1} MB ({own:.1} MB not shared)");
    let holds = (cpu <= must_cpu && resident <= must_mb, cpu <= goal_cpu && resident <= goal_mb);
    Row { id: "N9", what, must, goal, measured, holds }
}

/// The rows of pgwatch with one node. The limits are the figures of the lightest full-screen peers, if these were
/// measured in the same run, otherwise their earlier figures.
pub fn one_node_rows(readings: &Readings, peers: &[&Readings]) -> Vec<Row> {
    let figure = |figure| readings.median(figure);
    let lightest = |figure| peers.iter().map(|peer| peer.median(figure)).fold(f64::NAN, f64::min);
    let (statements, busy, sessions) = (figure("statements"), figure("server, ms"), figure("new sessions"));
    let mut measured = format!("{statements:.2} statements, {busy:.2} ms, {sessions:.2} new sessions");
    let (mut most_statements, mut most_busy) = (4.0, 2.0);
    if !peers.is_empty() {
        (most_statements, most_busy) = (lightest("statements"), lightest("server, ms"));
        measured = format!("{measured}; the least of any peer: {most_statements:.2}, {most_busy:.2} ms");
    }
    let none = sessions == 0.0;
    let bytes = figure("bytes");
    vec![
        watching(
            "processor and memory, 1 node at 1 s",
            ("0.6 %, 15 MB", (0.6, 15.0)),
            ("0.1 %, 8 MB", (0.1, 8.0)),
            readings,
        ),
        Row {
            id: "N11",
            what: "load on a server a refresh (1 s)",
            must: "less than the lightest full-screen peer (4 statements, 2 ms, 0)",
            goal: "1 statement, 0.5 ms, 0",
            measured,
            holds: (
                none && statements < most_statements && busy < most_busy,
                none && statements <= 1.05 && busy <= 0.5,
            ),
        },
        Row {
            id: "N12",
            what: "bytes to the terminal a second, 1 idle node, 120x40",
            must: "320",
            goal: "64",
            measured: format!("{bytes:.0}"),
            holds: (bytes <= 320.0, bytes <= 64.0),
        },
    ]
}
