//! Servers that change their identity: a standby promoted, an old primary restored next to the new one, a wrong clock,
//! another cluster at the same address.

use std::time::{Duration, SystemTime};

use pgwatch::demo::{Builder, Cluster};

use crate::fault::{Begun, Fault, Truth, begun};
use crate::network::proxied;
use crate::stage::{Leftover, Set, Stage};
use crate::support::faketime;
use crate::support::servers::cluster;
use crate::support::wait::SOON;

pub const FAULTS: [Fault; 5] = [
    Fault::new("standby promoted", Truth::Alive, &[], promote).says(shows_primary).once(),
    Fault::new("old primary restored beside the new one", Truth::Down, &["refused"], fail_over)
        .on(primary)
        .says_after(shows_two_primaries)
        .once()
        .dies(),
    Fault::new("clock of the server 1 h ahead", Truth::Alive, &[], nothing)
        .on(ahead)
        .says(shows_no_lag)
        .lasting(10)
        .where_possible(has_faketime),
    Fault::new("clock of the server 1 h behind", Truth::Alive, &[], nothing)
        .on(behind)
        .says(shows_no_lag)
        .lasting(10)
        .where_possible(has_faketime),
    Fault::new("another cluster at the same address", Truth::Alive, &["connection_lost"], replace)
        .on(proxied)
        .says(says_replaced)
        .once(),
];

fn primary() -> Set {
    Set { victim: "primary", ..Set::default() }
}

fn nothing(_: &mut Stage) -> Begun {
    begun(SystemTime::now(), |_| ())
}

fn promote(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    stage.victim().promote().expect("promoted");
    begun(at, |_| ())
}

fn fail_over(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    stage.victim().kill().expect("killed");
    stage.cluster.server("standby1").promote().expect("promoted");
    begun(at, |stage| stage.victim().start().expect("the old one is back"))
}

/// The role is shown with the figures of the next refresh.
fn shows_primary(stage: &mut Stage) -> Result<(), String> {
    role_is(stage, "standby1", "primary")
}

fn shows_two_primaries(stage: &mut Stage) -> Result<(), String> {
    ["primary", "standby1"].into_iter().try_for_each(|node| role_is(stage, node, "primary"))
}

fn role_is(stage: &Stage, node: &str, role: &str) -> Result<(), String> {
    let says = |line: &str| {
        let mut words = line.trim_start_matches(['│', ' ', '▸']).split_whitespace();
        words.next() == Some(node) && words.next() == Some(role)
    };
    let shown =
        stage.desk.tui.sees(Duration::from_secs(5), |screen| screen.rows(0, 120).any(|line| says(&line))).is_ok();
    if shown { Ok(()) } else { Err(format!("{node} is not shown as {role}")) }
}

/// A difference of an hour between two clocks is not a replication lag.
fn shows_no_lag(stage: &mut Stage) -> Result<(), String> {
    let row = stage.desk.row("standby1");
    // Connections of 60, transactions a second, the lag and its unit. An alert is about the clock.
    let mut words = row.split_whitespace().skip_while(|word| !word.ends_with("/60"));
    if words.nth(3) == Some("ms") { Ok(()) } else { Err(format!("a lag that is none: {}", row.trim())) }
}

fn replace(stage: &mut Stage) -> Begun {
    let other = cluster().primary_name("other").start().expect("another cluster");
    let password = stage.victim().password().expose();
    other.primary().psql(&format!("alter role pgwatch password '{password}'")).expect("the same password");
    let at = SystemTime::now();
    let proxy = stage.proxy.as_ref().expect("the stage has a proxy");
    proxy.point(other.primary().port());
    proxy.reset();
    begun(at, move |stage| {
        let proxy = stage.proxy.as_ref().expect("the stage has a proxy");
        proxy.point(stage.victim().port());
        proxy.reset();
        drop(other);
    })
}

/// Checks the event log, the events screen and the node screen.
fn says_replaced(stage: &mut Stage) -> Result<(), String> {
    let told = |stage: &Stage| stage.desk.log.lines.iter().any(|line| line.event == "replaced");
    let event = told(stage);
    let line = stage.desk.tui.screen_text().contains("another cluster");
    // The row below the primary.
    stage.desk.tui.press("gj<enter>");
    let screen = stage.desk.tui.sees(SOON, |screen| screen.contents().contains("another until")).is_ok();
    stage.desk.tui.press("1");
    stage.desk.tui.wait_text("LAST MINUTE", SOON);
    if event && line && screen {
        return Ok(());
    }
    Err(format!("said in the event log: {event}, among the events: {line}, on the node's screen: {screen}"))
}

fn has_faketime() -> Result<(), String> {
    faketime::library().map(drop).ok_or_else(|| "no libfaketime (faketime)".to_owned())
}

/// The victim's clock differs from the others' all the time.
fn ahead() -> Set {
    Set { cluster: with_clocks, prepare: |cluster| set_clock(cluster, 3600), ..Set::default() }
}

fn behind() -> Set {
    Set { cluster: with_clocks, prepare: |cluster| set_clock(cluster, -3600), ..Set::default() }
}

fn with_clocks() -> Builder<'static> {
    Cluster::builder().template(faketime::servers())
}

fn set_clock(cluster: &Cluster, seconds: i64) -> Option<Leftover> {
    faketime::set(cluster.server("standby1"), seconds);
    None
}
