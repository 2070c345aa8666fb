//! The result of the trials of a fault: the cells of its row, and whether the limits hold.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::{Fault, Truth};
use crate::support::report::{quantile, seconds, spread};
use crate::trial::{Leaving, Trial};

/// The limit for a node that answers again, where N13 has none of its own: the longest backoff.
const BACK: Duration = Duration::from_secs(31);
/// How late a retry may be. The screen shows whole seconds.
const RETRY: Duration = Duration::from_millis(500);
const WHOLE_SECOND: Duration = Duration::from_secs(1);
/// N6.
const LEAVING: Duration = Duration::from_secs(10);
/// N10: (must, goal).
const KEY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(16));

pub const HEAD: [&str; 11] = [
    "fault",
    "the truth",
    "trials",
    "degraded after",
    "unhealthy after",
    "kind told",
    "healthy again after",
    "missed elsewhere",
    "key, p99",
    "sessions left",
    "",
];

/// All findings on a fault.
#[derive(Debug, Default)]
pub struct Findings {
    pub trials: Vec<Trial>,
    pub leavings: Vec<Leaving>,
    /// Probes missed by other nodes.
    pub missed: u64,
    /// The errors of trials that did not finish.
    pub broken: Vec<String>,
}

impl Findings {
    pub fn add(&mut self, more: Self) {
        self.trials.extend(more.trials);
        self.leavings.extend(more.leavings);
        self.missed += more.missed;
        self.broken.extend(more.broken);
    }
}

pub struct Row {
    pub cells: Vec<String>,
    pub holds: bool,
}

impl Row {
    /// The row of a fault that cannot be made here.
    pub fn impossible(name: &str, why: &str) -> Self {
        let mut cells = vec!["–".to_owned(); HEAD.len()];
        name.clone_into(&mut cells[0]);
        why.clone_into(&mut cells[HEAD.len() - 1]);
        Self { cells, holds: true }
    }

    pub fn of(fault: &Fault, found: &Findings) -> Self {
        let Findings { trials, leavings, missed, broken } = found;
        let times = |of: fn(&Trial) -> Option<Duration>| trials.iter().filter_map(of).collect::<Vec<_>>();
        let (mut degraded, mut shown) = (times(|trial| trial.degraded), times(|trial| trial.shown));
        let mut back = times(|trial| trial.back);
        let mut keys: Vec<Duration> = trials.iter().flat_map(|trial| trial.keys.iter().copied()).collect();
        let key = quantile(&mut keys, 0.99);
        let left: usize = leavings.iter().map(|leaving| leaving.sessions).sum();
        let missed = *missed as usize + trials.iter().map(|trial| trial.others).sum::<usize>();

        let mut faults = broken.clone();
        faults.extend(trials.iter().flat_map(|trial| faults_of(fault, trial)));
        let mut bar = |holds: bool, what: String| faults.extend((!holds).then_some(what));
        bar(missed == 0, format!("{missed} probes missed by other nodes"));
        bar(key <= KEY.0, format!("a key took {}", seconds(key)));
        bar(left == 0, format!("{left} sessions left"));
        for leaving in leavings {
            bar(leaving.took <= LEAVING, format!("leaving took {}", seconds(leaving.took)));
        }
        let fast = shown.iter().max().is_none_or(|time| *time <= fault.down_within.1);
        let soon = fault.back_within.is_none_or(|(_, goal)| back.iter().all(|time| *time <= goal));
        let goal = key <= KEY.1 && (fault.truth != Truth::Down || fast) && soon;
        let holds = faults.is_empty();
        let verdict = match (holds, goal) {
            (true, true) => "goal reached".to_owned(),
            (true, false) => "floor holds".to_owned(),
            (false, _) => format!("**missed**: {}", faults.join("; ")),
        };
        let cells = vec![
            fault.name.to_owned(),
            fault.truth.text().to_owned(),
            trials.len().to_string(),
            cell(&mut degraded, trials.len()),
            cell(&mut shown, trials.len()),
            kinds(trials),
            cell(&mut back, trials.len()),
            missed.to_string(),
            seconds(key),
            sessions(leavings),
            verdict,
        ];
        Self { cells, holds }
    }
}

/// The limits that a trial exceeded, in words.
pub fn faults_of(fault: &Fault, trial: &Trial) -> Vec<String> {
    let mut faults = trial.faults.clone();
    let mut bar = |holds: bool, what: String| faults.extend((!holds).then_some(what));
    match fault.truth {
        Truth::Down => match trial.shown {
            Some(shown) => bar(shown <= fault.down_within.0, format!("unhealthy after {}", seconds(shown))),
            None => bar(false, "never shown as unhealthy".to_owned()),
        },
        Truth::Degraded => {
            bar(trial.unhealthy.is_none(), "unhealthy".to_owned());
            bar(trial.degraded.is_some(), "never degraded".to_owned());
        }
        Truth::Alive => bar(trial.unhealthy.is_none(), "unhealthy".to_owned()),
        Truth::Shaken => bar(trial.degraded.is_some(), "not noticed".to_owned()),
        Truth::Blink => {}
    }
    let right = fault.kinds.is_empty() || trial.kind == "-" || fault.kinds.contains(&trial.kind.as_str());
    bar(right, format!("`{}` told", trial.kind));
    let promise = trial.promised.map(|promised| promised + WHOLE_SECOND + RETRY);
    let limit =
        [Some(BACK), promise, fault.back_within.map(|(must, _)| must)].into_iter().flatten().min().unwrap_or(BACK);
    if let Some(back) = trial.back {
        bar(back <= limit, format!("back after {}, {} at most", seconds(back), seconds(limit)));
    }
    faults
}

/// `median (max)`, and the number of trials in which it was seen if not in all.
fn cell(times: &mut [Duration], of: usize) -> String {
    match times.len() {
        0 => "–".to_owned(),
        n if n < of => format!("{}, {n} of {of}", spread(times)),
        _ => spread(times),
    }
}

fn kinds(trials: &[Trial]) -> String {
    let mut kinds = BTreeMap::new();
    for trial in trials.iter().filter(|trial| trial.kind != "-") {
        *kinds.entry(trial.kind.as_str()).or_insert(0) += 1;
    }
    if kinds.is_empty() {
        return "–".to_owned();
    }
    kinds.iter().map(|(kind, times)| format!("`{kind}` {times}")).collect::<Vec<_>>().join(", ")
}

fn sessions(leavings: &[Leaving]) -> String {
    let left: usize = leavings.iter().map(|leaving| leaving.sessions).sum();
    let gone = leavings.iter().map(|leaving| leaving.gone_after).max();
    match gone {
        None => "–".to_owned(),
        Some(gone) if gone > Duration::from_secs(1) => format!("{left}, after {}", seconds(gone)),
        Some(_) => left.to_string(),
    }
}
