//! A trial: calm, the fault, and the recovery, as seen in the event log and on the screen.

use std::time::{Duration, Instant, SystemTime};

use crate::desk::Watched;
use crate::fault::{Fault, Hold, Truth};
use crate::log::Line;
use crate::stage::Stage;
use crate::support::servers::sessions;
use crate::support::wait::{SOON, within};

/// How long all nodes are healthy before the next fault, as a node that is soon lost again counts as flapping and is
/// left alone for longer. Up to a second is added, so that faults start anywhere between two probes.
const CALM: Duration = Duration::from_millis(2500);
/// Time limit for the true state to be on the screen.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a node that stays alive is watched.
const LIVES: Duration = Duration::from_secs(4);
/// Longer than any promised recovery.
const BACK: Duration = Duration::from_secs(50);
/// Time limit for the server to end a session whose client was cut off while it left.
const SESSIONS: Duration = Duration::from_secs(30);
/// Time limit for leaving, which takes at most ten seconds.
const LEAVING: Duration = Duration::from_secs(15);

/// The result of a trial.
#[derive(Debug, Default, Clone)]
pub struct Trial {
    /// Since the beginning of the fault.
    pub degraded: Option<Duration>,
    pub unhealthy: Option<Duration>,
    /// The same, on the screen.
    pub shown: Option<Duration>,
    /// The kind of error of the worst state.
    pub kind: String,
    /// Since the server answered again; `None` if the node was never away.
    pub back: Option<Duration>,
    /// The time to the next retry at that moment, as shown on the screen in whole seconds.
    pub promised: Option<Duration>,
    pub keys: Vec<Duration>,
    /// Changes of other nodes for the worse.
    pub others: usize,
    /// What the screen should have shown, and did not.
    pub faults: Vec<String>,
    /// The changes of state, to explain an exceeded limit.
    pub story: String,
}

/// What leaving during a fault left behind.
#[derive(Debug, Clone)]
pub struct Leaving {
    pub took: Duration,
    pub sessions: usize,
    /// How long the servers needed to end them, once they could be asked.
    pub gone_after: Duration,
}

pub fn run(fault: &Fault, stage: &mut Stage) -> Trial {
    calm(stage);
    let from = stage.desk.log.lines.len();
    stage.desk.keys.clear();
    let mut trial = Trial::default();
    let begun = (fault.inject)(stage);
    let mut watched = Watched { down_at: None };
    hold(fault, stage, &mut watched, from, begun.at);
    if let Some(Err(fault)) = fault.says.map(|says| says(stage)) {
        trial.faults.push(fault);
    }
    stage.desk.log.read();
    let until = stage.desk.log.lines.len();
    (begun.mend)(stage);
    let (answers, promised) = (SystemTime::now(), promised(stage));
    let healthy = |desk: &crate::desk::Desk, nodes: &[String]| {
        nodes.iter().all(|node| desk.log.state(node) == "healthy" && desk.row(node).contains("● healthy"))
    };
    let hit = stage.hit.clone();
    if !stage.desk.watch(&hit, &mut watched, BACK, |desk, _| healthy(desk, &hit)) {
        trial.faults.push(format!("not healthy {} s after it answered again", BACK.as_secs()));
    }
    if let Some(Err(fault)) = fault.says_after.map(|says| says(stage)) {
        trial.faults.push(fault);
    }
    let lines = &stage.desk.log.lines;
    // A short fault may be over before it is reported.
    let until = if matches!(fault.truth, Truth::Shaken | Truth::Blink) { lines.len() } else { until };
    let during = lines.get(from..until).unwrap_or_default();
    trial.degraded = last_of_first(&stage.hit, during, "degraded").map(|line| since(begun.at, line.at));
    let unhealthy = last_of_first(&stage.hit, during, "unhealthy");
    trial.unhealthy = unhealthy.map(|line| since(begun.at, line.at));
    trial.shown = watched.down_at.filter(|_| trial.unhealthy.is_some()).map(|at| since(begun.at, at));
    let worst = unhealthy.or_else(|| during.iter().rev().find(|line| is_of(line, &stage.hit, "degraded")));
    worst.map_or("-", Line::kind).clone_into(&mut trial.kind);
    let after = lines.get(from..).unwrap_or_default();
    let away = after.iter().any(|line| stage.hit.contains(&line.node) && line.entered().is_some());
    let last = after.iter().rev().find(|line| is_of(line, &stage.hit, "healthy"));
    trial.back = last.filter(|_| away).map(|line| since(answers, line.at));
    trial.promised = promised;
    trial.others = after.iter().filter(|line| stage.others.contains(&line.node) && worse(line)).count();
    trial.story = story(after, begun.at, answers);
    trial.keys = std::mem::take(&mut stage.desk.keys);
    trial
}

/// Waits until all nodes have been healthy for a while.
fn calm(stage: &mut Stage) {
    let every: Vec<String> = stage.hit.iter().chain(&stage.others).cloned().collect();
    let well = stage.desk.watch(&[], &mut Watched { down_at: None }, BACK, |desk, _| {
        every.iter().all(|node| desk.log.state(node) == "healthy")
    });
    assert!(well, "not all nodes are healthy before the fault:\n{}", stage.desk.tui.screen_text());
    stage.desk.pass(CALM + Duration::from_millis(fastrand::u64(0..1000)));
}

/// Waits until the fault has lasted as long as it should, or is seen.
fn hold(fault: &Fault, stage: &mut Stage, watched: &mut Watched, from: usize, at: SystemTime) {
    let hit = stage.hit.clone();
    let time = match (fault.hold, fault.truth) {
        (Hold::For(time), _) => time.saturating_sub(since(at, SystemTime::now())),
        (Hold::Seen, Truth::Down) => {
            stage.desk.watch(&hit, watched, PATIENCE, |_, watched| watched.down_at.is_some());
            // At a random time between the first retries.
            Duration::from_millis(fastrand::u64(0..2500))
        }
        (Hold::Seen, Truth::Degraded) => {
            stage.desk.watch(&hit, watched, PATIENCE, |desk, _| {
                let told = desk.log.lines.get(from..).unwrap_or_default();
                hit.iter().all(|node| told.iter().any(|line| line.node == *node && line.entered() == Some("degraded")))
            });
            LIVES
        }
        (Hold::Seen, Truth::Alive | Truth::Shaken | Truth::Blink) => LIVES,
    };
    stage.desk.watch(&hit, watched, time, |_, _| false);
}

/// Presses `q` during a fault and counts our sessions once the servers can be asked.
pub fn leave(fault: &Fault, mut stage: Stage) -> Leaving {
    calm(&mut stage);
    let from = stage.desk.log.lines.len();
    let begun = (fault.inject)(&mut stage);
    let broken = Instant::now();
    let mut watched = Watched { down_at: None };
    let middle = Fault { hold: if fault.truth == Truth::Down { Hold::Seen } else { fault.hold }, ..*fault };
    let middle = match fault.hold {
        Hold::For(time) => Fault { hold: Hold::For((time / 2).min(Duration::from_secs(5))), ..middle },
        Hold::Seen => middle,
    };
    hold(&middle, &mut stage, &mut watched, from, begun.at);
    let leaves = Instant::now();
    stage.desk.tui.press("q");
    stage.desk.tui.wait_exit(LEAVING);
    let took = leaves.elapsed();
    // A long interruption is a different case from a short one.
    if let Hold::For(time) = fault.hold {
        within(time.saturating_sub(broken.elapsed()), || None::<()>);
    }
    (begun.mend)(&mut stage);
    let count =
        || stage.cluster.servers().iter().filter(|server| server.postmaster_pid().is_some()).map(sessions).sum();
    let reachable = Instant::now();
    within(SESSIONS, || (count() == 0_usize).then_some(()));
    Leaving { took, sessions: count(), gone_after: reachable.elapsed() }
}

/// Probes that other nodes missed since the dashboard was opened. Our statement on all nodes makes fresh figures come
/// at once, and shows that all nodes accept statements again.
pub fn missed_elsewhere(stage: &mut Stage) -> u64 {
    let asked = SystemTime::now();
    stage.desk.tui.press(":select 1<enter>");
    stage.desk.tui.wait_text("answered in", SOON);
    stage.desk.tui.press("1");
    stage.desk.tui.wait_text("LAST MINUTE", SOON);
    let others = stage.others.clone();
    let told = stage.desk.watch(&[], &mut Watched { down_at: None }, SOON, |desk, _| {
        others.iter().all(|node| desk.log.missed(node).is_some_and(|(at, _)| at > asked))
    });
    assert!(told, "no pool figures of the other nodes");
    others.iter().filter_map(|node| stage.desk.log.missed(node)).map(|(_, missed)| missed).sum()
}

/// The time in `try 4 in 7 s` in the node's row.
fn promised(stage: &Stage) -> Option<Duration> {
    let seconds = |node: &String| {
        let row = stage.desk.row(node);
        let (_, tail) = row.split_once("· try ")?;
        let mut words = tail.split_whitespace().skip(1);
        if words.next()? != "in" {
            return None;
        }
        words.next()?.parse().ok().map(Duration::from_secs)
    };
    stage.hit.iter().filter_map(seconds).max()
}

fn is_of(line: &Line, nodes: &[String], state: &str) -> bool {
    nodes.contains(&line.node) && line.entered() == Some(state)
}

/// True if the state got worse.
fn worse(line: &Line) -> bool {
    line.entered().is_some_and(|state| state != "healthy")
}

/// When the last of the nodes first entered this state; `None` if one never did.
fn last_of_first<'a>(nodes: &[String], lines: &'a [Line], state: &str) -> Option<&'a Line> {
    let first = |node: &String| lines.iter().find(|line| line.node == *node && line.entered() == Some(state));
    let firsts: Option<Vec<&Line>> = nodes.iter().map(first).collect();
    firsts?.into_iter().max_by_key(|line| line.at)
}

/// Lines like `+0.21 s standby1 unhealthy (refused)`, and when the server answered again.
fn story(lines: &[Line], begin: SystemTime, answers: SystemTime) -> String {
    let told = |line: &Line| {
        let state = line.entered().unwrap_or(&line.event);
        format!("+{:.2} s {} {state} ({})", since(begin, line.at).as_secs_f64(), line.node, line.kind())
    };
    let changes = lines.iter().filter(|line| line.event != "pool" && line.event != "query").map(told);
    let answered = format!("answers since +{:.2} s", since(begin, answers).as_secs_f64());
    changes.chain([answered]).collect::<Vec<_>>().join("\n      ")
}

fn since(begin: SystemTime, at: SystemTime) -> Duration {
    at.duration_since(begin).unwrap_or_default()
}
