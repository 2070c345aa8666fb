//! N9, N11, N12: what watching costs, here and on the servers. Windows of [`WINDOW`] after the start has settled.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use pgwatch::demo::Server;

use crate::states::leave;
use crate::support::process::{memory, processor};
use crate::support::pty::Tui;
use crate::support::wait::PATIENCE;
use crate::table::Row;
use crate::{ConfigFile, Rig};

const SETTLE: Duration = Duration::from_secs(4);
const WINDOW: Duration = Duration::from_secs(30);

pub fn pass(time: Duration) {
    #[allow(clippy::disallowed_methods, reason = "the window that is measured")]
    std::thread::sleep(time);
}

fn open(config: &ConfigFile, up: usize) -> Tui {
    let tui = Tui::start(&["--config", &config.path()], 120, 40, &[]);
    let header = format!("● {up} ");
    tui.wait_for("the nodes", PATIENCE, |screen| screen.contents().contains(&header));
    pass(SETTLE);
    tui
}

pub fn cost(rig: &Rig) -> Vec<Row> {
    let mut rows = vec![here(rig, 20, ("5 %, 50 MB", (5.0, 50.0)), ("1 %, 20 MB", (1.0, 20.0)))];
    rows.push(here(rig, 1, ("0.6 %, 15 MB", (0.6, 15.0)), ("0.1 %, 8 MB", (0.1, 8.0))));
    rows.extend(there(rig));
    rows
}

/// Processor and memory of the dashboard itself.
fn here(
    rig: &Rig,
    nodes: usize,
    (must, (must_cpu, must_mb)): (&'static str, (f64, f64)),
    (goal, (goal_cpu, goal_mb)): (&'static str, (f64, f64)),
) -> Row {
    let config = rig.config(nodes);
    let tui = open(&config, nodes);
    let before = processor(tui.pid());
    pass(WINDOW);
    let cpu = 100.0 * processor(tui.pid()).saturating_sub(before).as_secs_f64() / WINDOW.as_secs_f64();
    let (resident, proportional) = memory(tui.pid());
    leave(tui);
    let measured = format!("{cpu:.2} % of a core, {resident:.1} MB ({proportional:.1} MB not shared)");
    let what = if nodes == 1 { "processor and memory, 1 node at 1 s" } else { "processor and memory, 20 nodes at 1 s" };
    let holds = (cpu <= must_cpu && resident <= must_mb, cpu <= goal_cpu && resident <= goal_mb);
    Row { id: "N9", what, must, goal, measured, holds }
}

/// One idle node: statements and processor time on the server, bytes to the terminal.
fn there(rig: &Rig) -> Vec<Row> {
    let server = rig.cluster.primary();
    let config = ConfigFile::new([server]);
    let tui = open(&config, 1);
    server.psql("select pg_stat_statements_reset()").expect("reset");
    let (logins, bytes, before) = (logins(server), tui.raw().len(), backends(server));
    pass(WINDOW);
    let after = backends(server);
    let seconds = WINDOW.as_secs_f64();
    let bytes = (tui.raw().len() - bytes) as f64 / seconds;
    let sessions = (self::logins(server) - logins) as f64 / seconds;
    let statements = number(
        server,
        "select coalesce(sum(calls), 0) from pg_stat_statements s join pg_roles r on r.oid = s.userid \
         where r.rolname = 'pgwatch'",
    ) / seconds;
    let busy = (after.saturating_sub(before)).as_secs_f64() * 1000.0 / seconds;
    leave(tui);
    let measured = format!("{statements:.2} statements, {busy:.2} ms, {sessions:.2} new sessions");
    let holds = (
        statements < 4.0 && busy < 2.0 && sessions < f64::EPSILON,
        statements <= 1.05 && busy <= 0.5 && sessions < f64::EPSILON,
    );
    vec![
        Row {
            id: "N11",
            what: "load on a server a refresh (1 s)",
            must: "< 4 statements, 2 ms, 0",
            goal: "1 statement, 0.5 ms, 0",
            measured,
            holds,
        },
        Row::new(
            "N12",
            "bytes to the terminal a second, 1 idle node, 120x40",
            ("320", 320.0),
            ("64", 64.0),
            bytes,
            format!("{bytes:.0}"),
        ),
    ]
}

fn number(server: &Server, sql: &str) -> f64 {
    server.psql(sql).expect("the server answers").parse().expect("a number")
}

/// Logins of ours so far, by the server's log.
fn logins(server: &Server) -> usize {
    let log = fs::read_to_string(server.log_file()).expect("the server's log");
    log.lines().filter(|line| line.contains("connection authorized: user=pgwatch")).count()
}

/// Processor time of our backends, by the kernel's clock of each process.
fn backends(server: &Server) -> Duration {
    let sql = "select string_agg(pid::text, ' ') from pg_stat_activity where application_name = 'pgwatch'";
    let pids: HashSet<i32> = server.psql(sql).expect("the server answers").split(' ').flat_map(str::parse).collect();
    pids.into_iter().map(processor).sum()
}
